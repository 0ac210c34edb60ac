"""Messages to people and what became of them; the table of messages there was before was never filled."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Replace it."""
    op.drop_table("outbox")
    op.create_table(
        "letters",
        sa.Column("id", sa.String, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
    )
