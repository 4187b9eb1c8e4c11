"""The tables of the control database. Times are Unix nanoseconds; JSON columns hold what code reads whole.

What belongs together is written in one transaction: an incident's change, its record and what is to be told of it. So
a process that is killed leaves all of it, or nothing.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

META = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_Number = BigInteger().with_variant(Integer, "sqlite")

# `version` is what compare-and-set compares. `key` is free again when an incident is resolved.
incidents = Table(
    "incidents",
    META,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("key", String(255), nullable=False),
    Column("rule", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("owner", Text, nullable=False),
    Column("runbook", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("fired_ns", BigInteger, nullable=False),
    Column("opened_ns", BigInteger, nullable=False),
    Column("acknowledged_ns", BigInteger),
    Column("acknowledged_by", Text, nullable=False),
    Column("resolved_ns", BigInteger),
    Column("resolved_by", Text, nullable=False),
    Column("alerts", Integer, nullable=False),
    Column("firing", Integer, nullable=False),
    Column("explained_by", _Number),
    Column("silenced", Boolean, nullable=False),
    Column("policy", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("step_at_ns", BigInteger),
    Column("told", JSON, nullable=False),
    Column("told_ns", BigInteger),
    Column("told_alerts", Integer, nullable=False),
    Column("quiet_ns", BigInteger),
    Column("version", Integer, nullable=False),
)
Index(
    "uq_incidents_unresolved_key",
    incidents.c.key,
    unique=True,
    sqlite_where=text("state != 'resolved'"),
    postgresql_where=text("state != 'resolved'"),
)
Index(None, incidents.c.state, incidents.c.opened_ns)
Index(None, incidents.c.opened_ns)

# Every transition of an incident, in the order in which they were written.
transitions = Table(
    "transitions",
    META,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("incident_id", _Number, ForeignKey(incidents.c.id), nullable=False, index=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("by", Text, nullable=False),
    Column("text", Text, nullable=False),
)

# Alerts that haven't ended, and ended ones that belong to an incident. `finding` is the last one, `since_ns` its own;
# texts that are looked for are cut where an index can't hold them.
alerts = Table(
    "alerts",
    META,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("incident_id", _Number, ForeignKey(incidents.c.id), index=True),
    Column("since_ns", BigInteger, nullable=False),
    Column("found_ns", BigInteger, nullable=False),
    Column("seen_ns", BigInteger, nullable=False),
    Column("fired_ns", BigInteger),
    Column("ended_ns", BigInteger),
    Column("order_id", Text, nullable=False, index=True),
    Column("finding", JSON, nullable=False),
    Column("looks", JSON, nullable=False),
)
Index(
    "uq_alerts_active_subject",
    alerts.c.rule,
    alerts.c.subject,
    unique=True,
    sqlite_where=text("phase != 'ended'"),
    postgresql_where=text("phase != 'ended'"),
)

# Declared times in which matching alerts notify nobody. `hours` is a WeekHours or null; ended early: `until_ns` moves.
silences = Table(
    "silences",
    META,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("labels", JSON, nullable=False),
    Column("from_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("hours", JSON),
)

# What is to be told to a channel, in order for each incident and channel. `incident` is a snapshot. States: waiting,
# sent, given_up (the channel refuses it for good), summed (told in a summary instead).
outbox = Table(
    "outbox",
    META,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("incident_id", _Number, ForeignKey(incidents.c.id), nullable=False),
    Column("channel", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("incident", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_ns", BigInteger, nullable=False),
    Column("sent_ns", BigInteger),
    Column("error", Text, nullable=False),
)
Index(None, outbox.c.state, outbox.c.due_ns)
Index(None, outbox.c.incident_id, outbox.c.channel)
Index(None, outbox.c.channel, outbox.c.state, outbox.c.incident_id)

# What a channel answered to earlier notices of an incident, such as a Slack thread: later ones go there.
channel_refs = Table(
    "channel_refs",
    META,
    Column("incident_id", _Number, ForeignKey(incidents.c.id), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("refs", JSON, nullable=False),
)

# Automated actions: asked for, refused by a guard, waiting for approval, run, and what came of it.
reaction_runs = Table(
    "reaction_runs",
    META,
    Column("id", _Number, primary_key=True, autoincrement=True),
    Column("reaction", Text, nullable=False),
    Column("incident_id", _Number, ForeignKey(incidents.c.id), index=True),
    Column("target", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("began_ns", BigInteger),
    Column("ended_ns", BigInteger),
    Column("approved_by", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("result", Text, nullable=False),
    Column("version", Integer, nullable=False),
)
Index(None, reaction_runs.c.reaction, reaction_runs.c.at_ns)

# Windows in which a series surged: they never enter its baseline.
flagged_windows = Table(
    "flagged_windows",
    META,
    Column("series", Text, primary_key=True),
    Column("from_ns", BigInteger, primary_key=True),
    Column("until_ns", BigInteger, nullable=False),
)

# Signed requests of vendors that were done, by their hash: each is done once, whoever sends it again.
done_requests = Table(
    "done_requests",
    META,
    Column("mark", String(64), primary_key=True),
    Column("at_ns", BigInteger, nullable=False, index=True),
)

# Small durable values by name: the stop switch of reactions, what the heartbeat last said.
values = Table(
    "control_values",
    META,
    Column("name", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("written_ns", BigInteger, nullable=False),
)
