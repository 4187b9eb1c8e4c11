"""The first tables: incidents, alerts, silences, what channels are told, reactions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them all, those that others point to first."""
    _make_incidents()
    _make_alerts()
    _make_outbox()
    _make_reactions()
    _make_values()


def _make_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("fired_ns", sa.BigInteger(), nullable=False),
        sa.Column("opened_ns", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_ns", sa.BigInteger()),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("resolved_ns", sa.BigInteger()),
        sa.Column("resolved_by", sa.Text(), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("firing", sa.Integer(), nullable=False),
        sa.Column("explained_by", _NUMBER),
        sa.Column("silenced", sa.Boolean(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("step_at_ns", sa.BigInteger()),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("told_ns", sa.BigInteger()),
        sa.Column("told_alerts", sa.Integer(), nullable=False),
        sa.Column("quiet_ns", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index(op.f("ix_incidents_opened_ns"), "incidents", ["opened_ns"])
    op.create_index(op.f("ix_incidents_state_opened_ns"), "incidents", ["state", "opened_ns"])
    op.create_index(
        "uq_incidents_unresolved_key",
        "incidents",
        ["key"],
        unique=True,
        sqlite_where=sa.text("state != 'resolved'"),
        postgresql_where=sa.text("state != 'resolved'"),
    )
    op.create_table(
        "transitions",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("incident_id", _NUMBER, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_transitions_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index(op.f("ix_transitions_incident_id"), "transitions", ["incident_id"])


def _make_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("incident_id", _NUMBER),
        sa.Column("since_ns", sa.BigInteger(), nullable=False),
        sa.Column("found_ns", sa.BigInteger(), nullable=False),
        sa.Column("seen_ns", sa.BigInteger(), nullable=False),
        sa.Column("fired_ns", sa.BigInteger()),
        sa.Column("ended_ns", sa.BigInteger()),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("finding", sa.JSON(), nullable=False),
        sa.Column("looks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_alerts_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_incident_id"), "alerts", ["incident_id"])
    op.create_index(op.f("ix_alerts_order_id"), "alerts", ["order_id"])
    op.create_index(
        "uq_alerts_active_subject",
        "alerts",
        ["rule", "subject"],
        unique=True,
        sqlite_where=sa.text("phase != 'ended'"),
        postgresql_where=sa.text("phase != 'ended'"),
    )
    op.create_table(
        "silences",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("from_ns", sa.BigInteger(), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("hours", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("incident_id", _NUMBER, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("incident", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ns", sa.BigInteger(), nullable=False),
        sa.Column("sent_ns", sa.BigInteger()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_outbox_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_incident_id_channel"), "outbox", ["incident_id", "channel"])
    op.create_index(op.f("ix_outbox_state_due_ns"), "outbox", ["state", "due_ns"])
    op.create_table(
        "channel_refs",
        sa.Column("incident_id", _NUMBER, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("refs", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_channel_refs_incident_id")),
        sa.PrimaryKeyConstraint("incident_id", "channel", name=op.f("pk_channel_refs")),
    )


def _make_reactions() -> None:
    op.create_table(
        "reaction_runs",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("reaction", sa.Text(), nullable=False),
        sa.Column("incident_id", _NUMBER),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.Column("began_ns", sa.BigInteger()),
        sa.Column("ended_ns", sa.BigInteger()),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_reaction_runs_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reaction_runs")),
    )
    op.create_index(op.f("ix_reaction_runs_incident_id"), "reaction_runs", ["incident_id"])
    op.create_index(op.f("ix_reaction_runs_reaction_at_ns"), "reaction_runs", ["reaction", "at_ns"])


def _make_values() -> None:
    op.create_table(
        "flagged_windows",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("from_ns", sa.BigInteger(), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "from_ns", name=op.f("pk_flagged_windows")),
    )
    op.create_table(
        "control_values",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("written_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_control_values")),
    )
