"""The schema of version 0.2.0. Stores are made whole, as they are today, so nothing is ever brought up to this one."""

revision = "0003"
down_revision = None


def upgrade() -> None:
    """Where the way of older stores begins."""
