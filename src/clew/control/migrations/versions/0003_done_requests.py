"""Which requests of vendors were done, so that none is done again after a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "done_requests",
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_done_requests")),
    )
    op.create_index(op.f("ix_done_requests_at_ns"), "done_requests", ["at_ns"])
