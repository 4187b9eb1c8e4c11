"""An index for what a channel is reminded of: without it, all that was ever told is read each time."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index."""
    op.create_index(op.f("ix_outbox_channel_state_incident_id"), "outbox", ["channel", "state", "incident_id"])
