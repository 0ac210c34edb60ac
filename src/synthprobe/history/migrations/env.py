"""Runs migrations in the connection it is given; there is no offline mode."""

from alembic import context

from synthprobe.history.database import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
