import itertools

import pytest
import sqlalchemy
from postgres import server

from synthprobe.history.store import History

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql():
    with server() as url:
        yield url


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
    with History.open(place, spool=tmp_path / "spool") as opened:
        yield opened
