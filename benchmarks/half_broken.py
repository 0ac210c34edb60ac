"""How often what triage says is so, in half-broken states of the dispatch centre.

    python benchmarks/half_broken.py [--set known|aside|faults|pairs|drill] [--seed N] [--only TEXT] [--first N]
                                     [--count N] [--keep DIR]
    python benchmarks/half_broken.py [--set ...] [--seed N] --recorded DIR

Of those that no fault was made for, a proxy in front of the centre loses, doubles, mixes or delays what one request is
answered, a state at a time. They come of a seed, and every second one is set aside: neither a rule nor a journey was
changed for it. Another seed makes new ones. Their
journeys are those without a browser. ``faults`` are the centre's own, one at a time, ``pairs`` two of different classes
at once, and ``drill`` the 66 pairs of ``synthprobe drill --pairs``; these with every journey, each at a new centre.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

import msgspec
from foreign_failures import TELLING

from synthprobe.cli.drill import of_each_class
from synthprobe.config import read_config
from synthprobe.fault_proxy import Break, proxy_drill
from synthprobe.firstline.naming import Named, named_alone
from synthprobe.firstline.runbook import Runbook
from synthprobe.firstline.shelf import read_runbooks
from synthprobe.hooks import DrillSystem, Fault
from synthprobe.pipeline.judging import read_verdict
from synthprobe.project import Project
from synthprobe.records.verdict import Verdict
from synthprobe.runner import RunOrder, run_journeys
from synthprobe_demo.faults import KINDS
from synthprobe_demo.plugin import synthprobe_drill
from synthprobe_demo.process import running_centre

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261128
NUMBER = 64
_altered: set[str] = set()
_JOURNEY = re.compile(r"^def (test_\w+)\((.*?)\):", re.MULTILINE | re.DOTALL)
Body = Callable[[bytes], bytes]

REQUESTS = {
    "incidents": r"^/api/incidents(\?|$)",
    "one incident": r"^/api/incidents/[A-Z]+-\d+-\d+$",
    "units": r"^/api/units$",
    "one unit": r"^/api/units/[A-Z]+-\d+$",
    "log of a unit": r"^/api/units/[^/]+/history",
    "recommend": r"^/api/recommend",
    "geocode": r"^/api/geocode",
    "search": r"^/api/search",
    "who am I": r"^/api/me$",
    "report": r"^/api/reports/intervals",
    "jobs": r"^/api/jobs",
    "activity": r"^/api/activity",
    "hazards": r"^/api/hazards",
    "lookouts": r"^/api/bolos",
}
"""What is asked."""


@dataclass(frozen=True)
class State:
    """A half-broken state.

    Attributes:
        name: what it is called.
        breaks: the faults that are switched on.
        classes: the classes that may be named for it, besides ``unknown``.
    """

    name: str
    breaks: tuple[str, ...]
    classes: frozenset[str]


@dataclass(frozen=True)
class Mutation:
    """A way to break an answer.

    Attributes:
        classes: the classes that may be named for it, besides ``unknown``.
        rule: what the proxy does, of a path.
    """

    classes: str
    rule: Callable[[str], Break]


def _json(change: Callable[[Any, random.Random], Any]) -> Callable[[str], Break]:
    """Change an answer in JSON; always the same way."""

    def rewrite(body: bytes) -> bytes:
        try:
            return json.dumps(change(json.loads(body), random.Random(SEED))).encode()
        except ValueError:
            return body

    return lambda path: Break(path=path, method="GET", rewrite=rewrite)


def _rows(change: Callable[[list[Any], random.Random], list[Any]]) -> Callable[[Any, random.Random], Any]:
    """Change every list of records in an answer."""

    def changed(body: Any, chance: random.Random) -> Any:
        if isinstance(body, dict):
            return {name: changed(value, chance) for name, value in body.items()}
        return change(body, chance) if isinstance(body, list) else body

    return changed


def _each(change: Callable[[dict[str, Any], random.Random], dict[str, Any]]) -> Callable[[Any, random.Random], Any]:
    """Change every record in an answer."""

    def changed(body: Any, chance: random.Random) -> Any:
        if isinstance(body, list):
            return [changed(item, chance) for item in body]
        if isinstance(body, dict):
            return change({name: changed(value, chance) for name, value in body.items()}, chance)
        return body

    return changed


def _swapped(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    texts = [name for name, value in record.items() if isinstance(value, str)]
    if len(texts) < 2:
        return record
    field, other = chance.sample(texts, 2)
    return {**record, field: record[other], other: record[field]}


def _nulls(record: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    plain = [name for name, value in record.items() if isinstance(value, (str, int, float))]
    return {**record, chance.choice(plain): None} if plain else record


def _off(value: Any) -> Any:
    return value + 3 if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _first_kept(path: str) -> Break:
    """The first answer to each length of it is given for ever: a cache that never looks anew."""
    kept: list[bytes] = []

    def rewrite(body: bytes) -> bytes:
        kept.append(body)
        return kept[0]

    return Break(path=path, method="GET", rewrite=rewrite)


def _answers(status: int, body: str = "", **headers: str) -> Callable[[str], Break]:
    return lambda path: Break(path=path, method="GET", status=status, body=body, headers=headers)


MUTATIONS = {
    "loses half its rows": Mutation("code data config", _json(_rows(lambda rows, _: rows[::2]))),
    "is empty": Mutation("code data config", _json(_rows(lambda rows, _: []))),
    "doubles rows": Mutation("code data", _json(_rows(lambda rows, _: [*rows, *rows[:1]]))),
    "turns its order": Mutation("code data", _json(_rows(lambda rows, _: rows[::-1]))),
    "mixes two fields": Mutation("code data", _json(_each(_swapped))),
    "has nothing in a field": Mutation("code data", _json(_each(_nulls))),
    "has other figures": Mutation("code data", _json(_each(lambda record, _: {n: _off(v) for n, v in record.items()}))),
    "is a list where a record was": Mutation("code", _json(lambda body, _: [body])),
    "is kept from earlier": Mutation("config infra code dependency data", _first_kept),
    "is slow": Mutation("code infra dependency", lambda path: Break(path=path, method="GET", delay_s=3.2)),
    "breaks": Mutation("code infra", _answers(500, "division by zero")),
    "is not there": Mutation("code config infra", _answers(404, "Not Found")),
    "is forbidden": Mutation("config", _answers(403, "You may not do that.")),
    "wants a log-in": Mutation("config code infra", _answers(401, "Log in first.")),
    "is a page": Mutation("code config infra", _answers(200, "<html>Welcome</html>", **{"Content-Type": "text/html"})),
    "is throttled": Mutation("config infra", _answers(429, "Slow down.")),
    "gets no answer": Mutation("infra", lambda path: Break(path=path, method="GET", drop=True)),
    "ends in its middle": Mutation("infra code", lambda path: Break(path=path, method="GET", cut_bytes=40)),
}

HEALTHY = State("as it should be", (), frozenset())


def states_of(which: str, seed: int) -> list[State]:
    """The states of a set."""
    chance = random.Random(seed)
    if which == "faults":
        return [State(kind.name, (kind.name,), frozenset({kind.cause})) for kind in KINDS]
    if which == "drill":
        return [
            State(f"{fault.name} and {other.name}", (fault.name, other.name), frozenset({fault.cause, other.cause}))
            for fault, other in combinations(of_each_class([f for f in synthprobe_drill().faults if f.cause]), 2)
        ]
    if which == "pairs":
        pairs = [(kind, other) for kind, other in combinations(KINDS, 2) if kind.cause != other.cause]
        return [
            State(f"{kind.name} and {other.name}", (kind.name, other.name), frozenset({kind.cause, other.cause}))
            for kind, other in chance.sample(pairs, 24)
        ]
    chosen = chance.sample(list(product(REQUESTS, MUTATIONS)), NUMBER)
    mutated = [State(f"{r} {m}", (f"{r} {m}",), frozenset(MUTATIONS[m].classes.split())) for r, m in chosen]
    return mutated[which == "aside" :: 2]


def journeys() -> tuple[str, ...]:
    """Node ids of the journeys that need no browser."""
    return tuple(
        f"{path.relative_to(ROOT)}::{name}"
        for path in sorted((ROOT / "journeys").rglob("test_*.py"))
        for name, wants in _JOURNEY.findall(path.read_text())
        if "Page" not in wants
    )


@contextmanager
def _project() -> Iterator[Path]:
    """A copy of the project, so that nothing of a benchmark is left in it."""
    with tempfile.TemporaryDirectory(prefix="half-broken-") as place:
        root = Path(place)
        for name in ("journeys", "runbooks", "fixes"):
            shutil.copytree(ROOT / name, root / name)
        for name in ("synthprobe.toml", "pyproject.toml"):
            shutil.copy(ROOT / name, root / name)
        yield root


def _noting(state: str, rule: Break) -> Break:
    """The rule, which notes that it altered an answer."""
    if (change := rule.rewrite) is None:
        _altered.add(state)
        return rule

    def rewrite(body: bytes) -> bytes:
        changed = change(body)
        if changed != body and json.loads(changed) != json.loads(body):
            _altered.add(state)
        return changed

    return msgspec.structs.replace(rule, rewrite=rewrite)


@contextmanager
def _proxied(states: Sequence[State]) -> Iterator[DrillSystem]:
    """The centre behind a proxy that makes these states."""
    faults = {
        Fault(name=name, cause=None): _noting(name, MUTATIONS[mutation].rule(REQUESTS[request]))
        for request, mutation in product(REQUESTS, MUTATIONS)
        for name in [f"{request} {mutation}"]
        if any(name in state.breaks for state in states)
    }
    with running_centre() as centre, proxy_drill("demo", centre.base_url, faults).start() as proxy:
        yield proxy


def run(
    states: Sequence[State],
    start: Callable[[], AbstractContextManager[DrillSystem]],
    paths: tuple[str, ...],
    keep: Path,
) -> None:
    """Run journeys in each state that is not kept yet, and keep its verdict."""
    with _project() as root:
        config = msgspec.structs.replace(read_config(root), second_attempts=0)
        for state in (HEALTHY, *states):
            if (keep / f"{state.name}.json").exists():
                continue
            began = time.monotonic()
            with start() as system, ExitStack() as healing:
                target = config.target("demo", base_url=system.base_url)
                for fault in state.breaks:
                    healing.enter_context(system.broken(fault))
                order = RunOrder(paths=paths, workers=0 if paths else os.cpu_count() or 1)
                folder, verdict = run_journeys(Project(root, config), target, order)
            shutil.copy(folder / "verdict.json", keep / f"{state.name}.json")
            broken = [judgement.journey.id for judgement in verdict.journeys if judgement.outcome != "passed"]
            same = "" if {*state.breaks} & {*_altered, *(kind.name for kind in KINDS)} else ", no answer was altered"
            noticed = ", ".join(broken) or f"nobody noticed{same}"
            print(f"{state.name}: {noticed} ({time.monotonic() - began:.0f} s)", flush=True)


def judge(state: State, verdict: Verdict, runbooks: Sequence[Runbook], sums: Counter[str]) -> None:
    """Print what is said of a state, and count what is so."""
    named: Named = named_alone(verdict, runbooks)
    broken = [journey_verdict for journey_verdict in named.verdict.journeys if journey_verdict.triage is not None]
    pages = {page.id for page in runbooks if page.drill in state.breaks}
    causes = len(state.breaks)
    sums["states"] += 1
    sums["detected"] += bool(broken)
    blind = [
        journey_verdict
        for journey_verdict in broken
        if journey_verdict.triage and journey_verdict.triage.cause_class == "probe"
    ]
    sums["detected only by who could not look"] += bool(broken) and len(blind) == len(broken)
    sums["incidents"] += len(named.incidents)
    sums["states with another number of incidents than causes"] += bool(broken) and len(named.incidents) != causes
    print(f"{state.name}: {len(named.incidents)} incidents")
    for judgement in broken:
        assert judgement.triage
        candidate, cause_class = judgement.triage.candidate, judgement.triage.cause_class
        if len(state.classes) <= TELLING and candidate not in {"unknown", "probe"}:
            sums[f"{judgement.triage.rule} {'right' if candidate in state.classes else 'wrong'}"] += 1
        sums["called by a runbook of another fault"] += judgement.runbook not in {"", *pages}
        sums["called by its own runbook"] += judgement.runbook in pages
        if cause_class == "probe":  # the journey's own code broke on the answer: nothing is said of the target
            sums["could not look"] += 1
            continue
        sums["unknown" if cause_class == "unknown" else "named"] += 1
        wrong = cause_class not in {*state.classes, "unknown"}
        sums["wrong"] += wrong
        sums["wrong and high"] += wrong and judgement.triage.sure == "high"
        print(
            f"  {'WRONG ' if wrong else ''}{judgement.journey.id}: {cause_class}, "
            f"{judgement.triage.rule}, {judgement.triage.sure}, "
            f"{judgement.runbook or '-'}, {judgement.incident[-4:]}: {judgement.triage.why[:150]}"
        )


def main(arguments: Sequence[str]) -> int:
    """Run and judge states, and print the sums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--set", choices=["known", "aside", "faults", "pairs", "drill"], default="known", help="which states"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="what states and pairs are drawn by")
    parser.add_argument("--only", default="", help="states whose name holds this text")
    parser.add_argument("--first", type=int, default=0, help="number of the first state")
    parser.add_argument("--count", type=int, help="so many states")
    parser.add_argument("--keep", type=Path, help="folder for the verdicts, so that they can be judged anew")
    parser.add_argument("--recorded", type=Path, help="judge the verdicts of this folder, and run nothing")
    given = parser.parse_args(arguments)
    states = [state for state in states_of(given.set, given.seed) if given.only in state.name]
    states = states[given.first :][: given.count]
    sums = Counter[str]()
    with tempfile.TemporaryDirectory() as spare:
        keep = given.recorded or given.keep or Path(spare)
        keep.mkdir(parents=True, exist_ok=True)
        if given.recorded is None:
            if given.set in {"faults", "pairs", "drill"}:
                run(states, running_centre, (), keep)
            else:
                with _proxied(states) as proxy:
                    run(states, lambda: nullcontext(proxy), journeys(), keep)
        runbooks = read_runbooks(ROOT / "runbooks", ROOT).runbooks
        for state in states:
            if (kept := keep / f"{state.name}.json").exists():
                judge(state, read_verdict(kept), runbooks, sums)
    print(f"{dict(sums)}; {len(states) - sums['states']} of {len(states)} states were not run")
    return 1 if sums["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
