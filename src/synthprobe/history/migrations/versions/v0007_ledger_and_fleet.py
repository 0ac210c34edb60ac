"""After 0.2.0: the ledger of test data, intervals of journeys, slots of several machines, topics of messages."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0003"

_BATCH = 2000


def upgrade() -> None:
    """Create the tables; a journey without an interval is due in every slot, and runs of before are no parts."""
    op.create_table(
        "ledger",
        sa.Column("token", sa.String, primary_key=True, autoincrement=False),
        sa.Column("target", sa.String, nullable=False),
        sa.Column("closed", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ledger_open", "ledger", ["target", "closed"])
    op.add_column("journeys", sa.Column("every_s", sa.Integer))
    op.add_column("journeys", sa.Column("every_since", sa.BigInteger))
    op.add_column("runs", sa.Column("part", sa.SmallInteger, nullable=False, server_default="0"))
    op.create_table(
        "plans",
        sa.Column("target", sa.String, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parts",
        sa.Column("target", sa.String, primary_key=True, autoincrement=False),
        sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("location", sa.String, primary_key=True, autoincrement=False),
        sa.Column("part", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
        sa.Column("leased_until", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "letter_topics",
        sa.Column("topic", sa.String, primary_key=True, autoincrement=False),
        sa.Column("letter", sa.String, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("letters_done", "letters", ["done"])
    _fill_topics()


def _fill_topics() -> None:
    """What each message is about, so that nobody reads all of them to find those of an incident."""
    connection = op.get_bind()
    topics = sa.table("letter_topics", sa.column("topic"), sa.column("letter"))
    rows = []
    for letter, body in connection.execute(sa.text("SELECT id, body FROM letters")).all():
        alert = json.loads(body)["alert"]
        found = {letter, *alert.get("incidents", ()), *alert.get("threads", ())}
        rows += [{"topic": topic, "letter": letter} for topic in sorted(found)]
    for first in range(0, len(rows), _BATCH):
        connection.execute(topics.insert(), rows[first : first + _BATCH])
