import itertools

import pytest
import sqlalchemy
from made_history import opened

from synthprobe_demo.postgres import running_postgres

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql():
    with running_postgres("full_page_writes=off", "synchronous_commit=off") as started:
        yield started.url().replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where a new, empty store is to be."""
    if request.param == "sqlite":
        return str(tmp_path / "history.db")
    url = request.getfixturevalue("postgresql")
    name = f"history{next(_numbers)}"
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return url.removesuffix("postgres") + name


@pytest.fixture
def history(place, tmp_path):
    with opened(place, tmp_path) as made:
        yield made
