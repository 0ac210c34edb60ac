"""Publishing at a real S3 server: what server, line and credentials do to it, and what is said of that."""

from __future__ import annotations

import base64
import gzip
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

import made_run
import msgspec
import pytest
from msgspec.structs import replace
from s3_server import Line, S3Server

from synthprobe import eventually
from synthprobe.errors import ReportError
from synthprobe.report.index import read_index
from synthprobe.report.retention import Entry, Retention
from synthprobe.report.run_files import JudgedRun, Site
from synthprobe.report.site import publish
from synthprobe.report.store import BucketStore, open_store

ENVIRON = {"AWS_ACCESS_KEY_ID": "probe", "AWS_SECRET_ACCESS_KEY": "hush-hush-7", "AWS_REGION": "us-east-1"}
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    started = S3Server(tmp_path_factory.mktemp("s3"))
    started.start()
    yield started
    started.kill()


@pytest.fixture
def place(server: S3Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (ENVIRON | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.ports['s3']}"}).items():
        monkeypatch.setenv(name, value)
    return f"s3://watch/{request.node.name}"


def written(folder: Path, name: str, *, target: str = "demo", minutes: int = 0, trace: bytes = b"PK" * 999, **more):
    """A run in its folder, and its verdict."""
    run = made_run.run(name, target, NOW + timedelta(minutes=minutes))
    verdict = made_run.write(folder / name, of=run, trace=trace, **more)
    return JudgedRun(folder=folder / name, verdict=verdict)


def passed():
    return tuple(judgement for judgement in made_run.journeys() if judgement.outcome == "passed")


def published(url: str, run: JudgedRun, **how):
    return publish(open_store(url, timeout_s=how.pop("timeout_s", 10)), [run], Site(), NOW, **how)


def folders(url: str) -> list[str]:
    return [entry.folder.rpartition("/")[2] for entry in read_index(open_store(url))[0].runs]


def test_a_run_costs_few_requests_and_what_is_there_already_is_not_written_again(place, tmp_path):
    published(place, written(tmp_path, "first"))
    store = BucketStore(place, 10)
    found = publish(store, [written(tmp_path, "second", minutes=5)], Site(), NOW)
    assert found is not None
    assert store.requests <= 12
    page = store.get(found.page)
    assert page is not None
    assert page.media_type == "text/html"
    assert b"A call reaches the other dispatcher" in page.data
    (trace,) = found.traces.values()
    assert store.get(trace).data == b"PK" * 999
    green = BucketStore(place, 10)
    assert publish(green, [written(tmp_path, "third", minutes=10, judgements=passed())], Site(), NOW) is not None
    assert green.requests <= 3
    assert folders(place) == ["first", "second", "third"]


def test_a_slow_server_is_given_up_in_time(server, place, tmp_path, monkeypatch):
    line = Line(server, late_s=30)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
    began = time.monotonic()
    with pytest.raises(ReportError, match=r"could not be done: read index\.html"):
        published(place, written(tmp_path, "slow"), timeout_s=1)
    assert time.monotonic() - began < 10
    line.close()


def test_publishers_at_once_lose_nothing(place, tmp_path):
    runs = [written(tmp_path, f"run-{number}", target=f"target-{number}") for number in range(4)]
    together = threading.Barrier(len(runs))

    def publish_one(run: JudgedRun) -> None:
        together.wait()
        published(place, run)

    threads = [threading.Thread(target=publish_one, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folders(place)) == [f"run-{number}" for number in range(4)]


@pytest.mark.parametrize("wrong", [{"AWS_SECRET_ACCESS_KEY": "other"}, {"AWS_ACCESS_KEY_ID": "nobody"}])
def test_credentials_that_are_refused_are_a_sentence_without_them(place, tmp_path, monkeypatch, wrong):
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ReportError, match="refused to read index.html: the credentials of this machine") as refused:
        published(place, written(tmp_path, "run"))
    assert not [value for value in (*wrong.values(), "hush-hush-7") if value in str(refused.value)]


def test_credentials_that_are_missing_are_told(place, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ReportError, match="No credentials stand in the environment.*Set those that the store's own"):
        published(place, written(tmp_path, "run"))


def test_a_place_that_refuses_strangers_is_private(place, tmp_path):
    assert published(place, written(tmp_path, "run"), must_be_private=True) is not None


def test_a_clock_that_is_wrong_is_named_and_not_the_credentials(place):
    (clock,) = Path(str(distribution("libfaketime").locate_file("libfaketime"))).rglob("libfaketime.so.1")
    wrong = {"LD_PRELOAD": str(clock), "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    look = f"from synthprobe.report.store import open_store; open_store({place!r}).get('index.html')"
    done = subprocess.run(
        [sys.executable, "-c", look], env=os.environ | wrong, capture_output=True, text=True, timeout=250, check=False
    )
    assert "ReportError: " in done.stderr
    assert "refused to read index.html: the clock of this machine is wrong. Set it by a time server." in done.stderr


def test_a_bucket_that_is_full_is_a_sentence_and_what_stands_there_stays(server, place, tmp_path):
    url = "s3://full/site"
    first = written(tmp_path, "before", trace=os.urandom(2_000_000))
    published(url, first)
    late = written(tmp_path, "late", minutes=5)
    refused: list[str] = []

    def is_full() -> bool:
        try:
            open_store(url).put("quota", b"")
        except ReportError as error:
            refused.append(str(error))
        return bool(refused)

    server.limit("full", 1, is_full)
    with pytest.raises(
        ReportError, match="could not be done: write .* Check that it is reached from here and has room"
    ):
        published(url, late)
    assert folders(url) == ["before"], "the page of before stands"
    server.limit("full", 1000, lambda: refused.clear() or not is_full())
    assert published(url, late) is not None
    assert folders(url) == ["before", "late"]


def test_after_a_thousand_runs_a_run_costs_no_more(server, place, tmp_path, monkeypatch):
    def name(number: int) -> str:
        return f"evidence/{sha256(str(number).encode()).hexdigest()[:32]}"

    entries = tuple(
        Entry(
            folder=f"runs/demo/{number:04}",
            target="demo",
            at=NOW - timedelta(minutes=5 * (1000 - number)),
            passed=number % 2 == 0,
            bytes=90_000,
            files=() if number % 2 == 0 else (f"{name(number)}.png", f"{name(-number)}.zip"),
        )
        for number in range(1000)
    )
    site = Site(retention=Retention(runs=1000))
    published(place, written(tmp_path, "first", minutes=-9000))
    index = replace(read_index(open_store(place))[0], runs=entries)
    page = base64.b64encode(gzip.compress(msgspec.json.encode(index)))
    open_store(place).put("index.html", b'<meta name="synthprobe-index" content="%s">' % page)
    line = Line(server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
    for run, most in (("broken", 12), ("well", 3)):
        store, line.sent = BucketStore(place, 10), 0
        judgements = passed() if run == "well" else None
        assert publish(store, [written(tmp_path, run, minutes=len(run), judgements=judgements)], site, NOW) is not None
        assert store.requests <= most
        assert line.sent <= 200_000, run
    line.close()
    assert len(read_index(store)[0].runs) == 1000


def test_a_server_that_is_killed_in_the_middle_of_an_upload_loses_nothing_f61(server, place, tmp_path, monkeypatch):
    published(place, written(tmp_path, "before"))
    line = Line(server, killed_after=600_000)
    monkeypatch.setenv("AWS_ENDPOINT_URL", line.address)
    late = written(tmp_path, "during", minutes=5, trace=os.urandom(2_000_000))
    began = time.monotonic()
    with pytest.raises(ReportError, match="Check that it is reached from here and has room"):
        published(place, late, timeout_s=5)
    assert time.monotonic() - began < 10
    line.close()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.ports['s3']}")
    server.start()
    found: list[str] = []

    def answers() -> bool:
        with suppress(ReportError):
            found[:] = folders(place)
        return bool(found)

    eventually(answers, within="60s", every="100ms")
    assert found == ["before"], "the page of before stands"
    assert published(place, late) is not None
    assert folders(place) == ["before", "during"]


def test_an_object_that_is_gone_hides_no_other_where_the_store_calls_that_an_error(tmp_path):
    (tmp_path / "kept-no-longer").write_bytes(b"")
    BucketStore(tmp_path.as_uri(), 5).delete(["gone", "kept-no-longer"])
    assert not list(tmp_path.iterdir())
