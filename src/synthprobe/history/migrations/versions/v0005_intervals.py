"""The interval of each journey, and since when it has it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add both; a journey without them is due in every slot."""
    op.add_column("journeys", sa.Column("every_s", sa.Integer))
    op.add_column("journeys", sa.Column("every_since", sa.BigInteger))
