"""What each message is about, so that nobody reads all of them to find those of an incident."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BATCH = 2000


def upgrade() -> None:
    """Create the table, and fill it from the messages there are."""
    op.create_table(
        "letter_topics",
        sa.Column("topic", sa.String, primary_key=True, autoincrement=False),
        sa.Column("letter", sa.String, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("letters_done", "letters", ["done"])
    connection = op.get_bind()
    topics = sa.table("letter_topics", sa.column("topic"), sa.column("letter"))
    rows = []
    for letter, body in connection.execute(sa.text("SELECT id, body FROM letters")).all():
        alert = json.loads(body)["alert"]
        found = {letter, *alert.get("incidents", ()), *alert.get("threads", ())}
        rows += [{"topic": topic, "letter": letter} for topic in sorted(found)]
    for first in range(0, len(rows), _BATCH):
        connection.execute(topics.insert(), rows[first : first + _BATCH])
