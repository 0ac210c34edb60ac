"""What waits for the shared store is a row of the file on this machine; files of a spool there are no more."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Replace the record of what was spooled."""
    op.drop_table("spool")
    op.create_table(
        "waiting",
        sa.Column("kind", sa.String, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
