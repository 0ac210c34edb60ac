"""The ledger of test data, in files of its own before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "ledger",
        sa.Column("token", sa.String, primary_key=True, autoincrement=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("closed", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ledger_open", "ledger", ["target", "closed"])
