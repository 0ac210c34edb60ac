"""Real machines of one slot, on a real PostgreSQL, that freeze, lose the database, come late or lack a journey."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime

import pytest
from relay import Relay
from waiting_shop import WaitingShop

from synthprobe.history.store import History
from synthprobe.records.fleet import CONCLUSION, Place
from synthprobe_demo.postgres import running_postgres

JOURNEYS = """
import json
from pathlib import Path

import pytest


@pytest.mark.parametrize("path", json.loads(Path(__file__).with_name("paths.json").read_text()))
def test_read(api, path):
    api.get(path).expect(200)
"""
LEASE_OF_3_S = """
import synthprobe.fleet.part, synthprobe.fleet.slots, sys
from synthprobe.cli.main import main
synthprobe.fleet.part.LEASE_S = synthprobe.fleet.slots.LEASE_S = 3.0
synthprobe.fleet.slots.RENEW_S = 0.5
main()
"""
_names = itertools.count()


class Slot:
    """A slot of one shop, whose first request waits; each machine has a folder of its own."""

    def __init__(self, folder, postgres) -> None:
        self.folder, self.postgres, self.target = folder, postgres, f"shop{next(_names)}"
        self.shop = WaitingShop()

    def machine(self, name, paths=("/buy",)):
        root = self.folder / name
        (root / "journeys").mkdir(parents=True, exist_ok=True)
        (root / "journeys" / "test_shop.py").write_text(JOURNEYS)
        (root / "journeys" / "paths.json").write_text(json.dumps(paths))
        (root / "synthprobe.toml").write_text(
            f'default_target = "{self.target}"\ninterval_s = 86400\nsecond_attempts = 0\n'
            f'[history]\nurl = "env:HISTORY"\n[targets.{self.target}]\nlocations = ["fra"]\ntimeout_s = 100\n'
            f'base_url = "{self.shop.url}"\n'
        )
        return root

    def begin(self, name, *words, port=0, paths=("/buy",)):
        url = f"postgresql+psycopg://postgres@127.0.0.1:{port or self.postgres.port}/postgres"
        return subprocess.Popen(
            [sys.executable, "-c", LEASE_OF_3_S, *words, "--json"], cwd=self.machine(name, paths), text=True,
            env={**os.environ, "HISTORY": url}, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def lease(self, seconds):
        """The whole slot of today, taken by a machine that died."""
        url = f"postgresql+psycopg://postgres@127.0.0.1:{self.postgres.port}/postgres"
        place = Place(target=self.target, slot=int(time.time()) // 86400, location="", part=CONCLUSION)
        with History.open(self.folder / "dead.db", shared=url) as history:
            return history.fleet.lease(place, "machine-7", seconds)[0]

    def typed(self, name, *words, **how):
        return answer_of(self.begin(name, *words, **how))

    def look(self, name, **how):
        return self.begin(name, "run", "--part", "1/1", "--location", "fra", **how)


def answer_of(process):
    out, _ = process.communicate(timeout=250)
    assert out, f"it printed nothing and ended with {process.returncode}"
    return process.returncode, json.loads(out)


def outcomes(printed):
    return {judged["journey"]["title"]: judged["outcome"] for judged in printed["journeys"]}


@pytest.fixture(scope="module")
def postgres():
    with running_postgres("full_page_writes=off", "synchronous_commit=off") as started:
        yield started


@pytest.fixture
def slot(postgres, tmp_path):
    return Slot(tmp_path, postgres)


@pytest.mark.long
def test_a_machine_that_froze_is_overtaken_and_what_it_found_does_not_count(slot):
    frozen = slot.look("frozen")
    assert slot.shop.asked[0].wait(60)
    os.killpg(frozen.pid, signal.SIGSTOP)
    try:
        code, printed = answer_of(slot.look("other"))
        assert (code, set(outcomes(printed).values())) == (0, {"passed"})
    finally:
        os.killpg(frozen.pid, signal.SIGCONT)
    slot.shop.may_answer[0].set()
    code, printed = answer_of(frozen)
    assert code == 0, printed
    code, printed = slot.typed("centre", "run", "--conclude", "--slot", "now")
    assert (code, set(outcomes(printed).values())) == (0, {"passed"})
    assert "was concluded by" in slot.typed("frozen", "run", "--conclude", "--slot", "now")[1]["nothing_done"]


def test_an_engine_that_gives_a_part_away_too_early_tries_again_until_it_is_done(slot):
    first = slot.look("first")
    assert slot.shop.asked[0].wait(60)
    code, printed = answer_of(slot.look("second"))
    assert code == 3
    assert "is being looked at by" in printed["nothing_run"]
    slot.shop.may_answer[0].set()
    assert answer_of(first)[0] == 0
    code, printed = answer_of(slot.look("second"))
    assert code == 0
    assert "was looked at by" in printed["nothing_run"]
    assert slot.shop.requests == ["/buy"]


def test_a_machine_that_loses_the_database_is_unknown_with_its_name_and_what_it_found_changes_no_verdict(slot):
    relay = Relay(slot.postgres.port)
    lonely = slot.look("lonely", port=relay.port)
    assert slot.shop.asked[0].wait(60)
    relay.cut()
    slot.shop.may_answer[0].set()
    code, printed = answer_of(lonely)
    assert code == 3
    assert outcomes(printed) == {"read [/buy]": "passed"}  # it saw, and could not say
    code, printed = slot.typed("centre", "run", "--conclude", "--slot", "now")
    assert (code, outcomes(printed)) == (3, {"read [/buy]": "unknown"})
    (judged,) = printed["journeys"]
    assert judged["cause"].startswith("part lost: part 1 of 1 was taken by ")
    assert "no result arrived" in judged["cause"]
    relay.is_cut = False
    _, printed = slot.typed("lonely", "run", "--conclude", "--slot", "now", port=relay.port)  # it hands over what waits
    assert "was concluded by" in printed["nothing_done"]


def test_a_journey_of_the_plan_that_is_there_no_more_is_unknown_and_the_others_are_judged(slot):
    slot.shop.may_answer[0].set()
    code, plan = slot.typed("fra", "run", "--plan", "1", "--slot", "now", paths=("/buy", "/read"))
    assert code == 0
    code, printed = slot.typed("fra", "run", "--part", "1/1", "--location", "fra", paths=("/buy",))
    assert code == 0, printed
    code, printed = slot.typed("centre", "run", "--conclude", "--slot", str(plan["slot"]))
    assert outcomes(printed) == {"read [/buy]": "passed", "read [/read]": "unknown"}
    assert code == 3
    (gone,) = (judged for judged in printed["journeys"] if judged["outcome"] == "unknown")
    assert gone["cause"].startswith(
        "inventory: It was not collected, although no journey's source was changed since the "
    )


def test_who_comes_when_the_slot_is_over_asks_the_target_nothing(slot):
    _, plan = slot.typed("fra", "run", "--plan", "1", "--slot", "now")
    late = str(plan["slot"] - 1)
    code, printed = slot.typed("fra", "run", "--part", "1/1", "--location", "fra", "--slot", late)
    assert code == 3
    assert "too late: the slot is over" in printed["nothing_run"]
    assert slot.shop.requests == []
    code, printed = slot.typed("fra", "run", "--conclude", "--slot", late)
    assert (code, set(outcomes(printed).values())) == (3, {"unknown"})
    assert "too late" in printed["journeys"][0]["cause"]


def test_a_whole_slot_that_another_machine_took_is_judged_when_that_dies_and_once(slot):
    slot.shop.may_answer[0].set()
    taken = slot.lease(6)
    code, printed = slot.typed("second", "run", "--slot", "now")
    assert (code, set(outcomes(printed).values())) == (0, {"passed"})
    assert datetime.fromisoformat(printed["run"]["started_at"]) >= taken.leased_until
    code, printed = slot.typed("third", "run", "--slot", "now")
    assert (code, printed["nothing_run"]) == (0, f"Slot {taken.place.slot} of {slot.target} is already judged.")
    assert slot.shop.requests == ["/buy"]
