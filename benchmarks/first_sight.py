"""How often what triage says is so, on real systems that it had never seen: what their journeys recorded, the truth.

    python benchmarks/first_sight.py [--verbose] [--pairs N] [--runs N]

Each line of `first_sight.jsonl.gz` is a situation of a real system that was broken by real means: the verdict of one
run of its journeys without what triage wrote, what is usual there, the classes that are true, what no sentence may
say, all written down before triage was run, and what it then said first. Prints that score and the one of now, by
system. With ``--pairs`` also that of so many pairs of each system: of two situations with one cause each a run is put
together in which both are there, as what a journey shows of the first hides the second. With ``--runs`` two runs are
put together, five minutes apart: N times of each system one cause is mended when another begins; and of each cause
every journey in turn shows it alone before all do.
"""

from __future__ import annotations

import argparse
import gzip
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import foreign_failures
import foreign_portals
import msgspec
from foreign_failures import TELLING, score
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from synthprobe.firstline.naming import explain, name_incidents
from synthprobe.records.incident import Incident, Observation
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.triage.observations import observe
from synthprobe.triage.usual import Occurrence
from synthprobe.verdict.isolation import Isolation
from synthprobe.words import explanation

SHOWN = {
    "situations": "of",
    "detected": "seen",
    "causes": "causes",
    "incidents": "incidents",
    "incidents of two causes": "of two",
    "named": "named",
    "wrong": "wrong",
    "wrong and high": "high",
    "not so": "not so",
    "unknown": "unknown",
    "could not look": "blind",
}
"""Figures, and what each is called above its column."""
MANY = 2
"""Journeys that a cause spreads over at least."""
RECORDS = Path(__file__).with_name("first_sight.jsonl.gz")


class First(Struct, frozen=True, kw_only=True):
    """What triage said of a journey when it saw it first."""

    cause_class: str
    rule: str
    sure: str
    candidate: str
    incident: str
    not_so: bool = False


class Situation(Struct, frozen=True, kw_only=True):
    """A broken system.

    Attributes:
        system: its name.
        name: what is broken.
        classes: the classes that are true, by journey; ``*`` is every other journey.
        never: what no sentence may hold, as a regular expression.
        says: what the sentences of some journey must hold.
        usual: what is refused where a journey passes, and how often.
        verdict: of the run.
        first: what was said at first sight, by journey.
        parts: which of several causes at once a journey shows; empty where there is one.
    """

    system: str
    name: str
    classes: dict[str, str]
    never: str
    says: str
    usual: dict[str, list[tuple[Occurrence, int]]]
    verdict: Verdict
    first: dict[str, First] = {}
    parts: dict[str, str] = {}

    @property
    def journeys(self) -> set[str]:
        """All that were run."""
        return {judgement.journey.id for judgement in self.verdict.journeys}

    @property
    def broken(self) -> set[str]:
        """Those that did not pass."""
        return {j.journey.id for j in self.verdict.journeys if j.outcome not in {"passed", "skipped"}}

    def may_be(self, journey: str) -> list[str]:
        """The classes that are true of a journey."""
        return self.classes.get(journey, self.classes.get("*", "")).split()

    def named(self) -> tuple[JourneyVerdict, ...]:
        """The journeys that did not pass, as triage speaks of them today."""
        usual = {journey: dict(rows) for journey, rows in self.usual.items()}
        explained = explain(self.verdict, (), Isolation(), usual=usual)
        found = name_incidents(explained, (), (), {}, self.verdict.finished_at, Isolation(), usual=usual).verdict
        return tuple(judgement for judgement in found.journeys if judgement.triage is not None)


def situations() -> Iterator[Situation]:
    """All that are recorded."""
    with gzip.open(RECORDS) as lines:
        for line in lines:
            yield msgspec.json.decode(line, type=Situation)


def pairs(every: Sequence[Situation], of_each: int) -> Iterator[Situation]:
    """Runs put together of two situations, by a seed; each second cause is shown by a journey."""
    drawn = random.Random(20261128)
    alone = [s for s in every if not s.parts and s.broken]
    for system in dict.fromkeys(s.system for s in alone):
        chosen = [s for s in alone if s.system == system]
        both = [(a, b) for a in chosen for b in chosen if b.broken - a.broken and a.journeys == b.journeys]
        for a, b in drawn.sample(both, min(of_each, len(both))):
            of = {id: b if id in b.broken - a.broken else a for id in a.journeys}
            judged = tuple(j for s in (a, b) for j in s.verdict.journeys if of[j.journey.id] is s)
            yield replace(
                a,
                name=f"{a.name} + {b.name}",
                classes={id: s.classes.get(id, s.classes.get("*", "")) for id, s in of.items()},
                never="",
                usual={id: s.usual.get(id, []) for id, s in of.items()},
                verdict=replace(a.verdict, journeys=judged),
                parts={id: s.name for id, s in of.items() if id in s.broken},
            )


def following(every: Sequence[Situation], of_each: int) -> Counter[str]:
    """Of a cause that begins when another is mended: whether its journeys are put into the incidents before."""
    drawn, sums = random.Random(20261129), Counter[str]()
    alone = [s for s in every if not s.parts and s.broken]
    for system in dict.fromkeys(s.system for s in alone):
        chosen = [s for s in alone if s.system == system]
        both = [(a, b) for a in chosen for b in chosen if a is not b and a.journeys == b.journeys]
        for a, b in drawn.sample(both, min(of_each, len(both))):
            before, then = _in_a_row(a, b)
            new = then.keys() - before.keys()
            sums["second causes"] += 1
            sums["opens nothing"] += not new
            sums["in part in an incident before"] += bool(new) and any(
                then[id].last_seen_at > before[id].last_seen_at for id in before
            )
    return sums


def spreading(every: Sequence[Situation]) -> Counter[str]:
    """Of a cause that one journey shows first and then all: incidents, beside those where all show it at once."""
    sums = Counter[str]()
    for situation in every:
        if situation.parts or len(situation.broken) < MANY:
            continue
        at_once = {judgement.incident for judgement in situation.named() if judgement.incident}
        for first in sorted(situation.broken):
            shown = (j for j in situation.verdict.journeys if j.journey.id not in situation.broken - {first})
            alone = replace(situation, verdict=replace(situation.verdict, journeys=tuple(shown)))
            sums["times"] += 1
            sums["incidents at once"] += len(at_once)
            sums["incidents"] += len(_in_a_row(alone, situation)[1])
    return sums


def _in_a_row(*situations: Situation) -> tuple[dict[str, Incident], ...]:
    """The incidents after each of several runs."""
    after: list[dict[str, Incident]] = []
    seen: dict[str, tuple[Observation, ...]] = {}
    for slot, situation in enumerate(situations):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * slot)
        run = replace(situation.verdict.run, id=f"run-{slot}", slot=slot, started_at=at)
        verdict = replace(situation.verdict, run=run, finished_at=at)
        usual = {journey: dict(rows) for journey, rows in situation.usual.items()}
        explained = explain(verdict, (), Isolation(), usual=usual)
        known = tuple(after[-1].values()) if after else ()
        named = name_incidents(explained, (), known, seen, at, Isolation(), usual=usual)
        after.append({incident.id: incident for incident in named.incidents})
        for observation in observe(explained, usual=usual):
            seen[observation.journey] = (*seen.get(observation.journey, ()), observation)
    return tuple(after)


def now(situation: Situation, judgement: JourneyVerdict) -> First:
    """What triage says of a journey today."""
    assert judgement.triage
    spoken = f"{judgement.cause} {explanation(judgement.triage)}"
    return First(
        cause_class=judgement.triage.cause_class,
        rule=judgement.triage.rule,
        sure=judgement.triage.sure,
        candidate=judgement.triage.candidate,
        incident=judgement.incident,
        not_so=bool(situation.never) and re.search(situation.never, spoken) is not None,
    )


def count(situation: Situation, diagnoses: dict[str, First], sums: Counter[str]) -> None:
    """Add what was said of a situation."""
    sums["situations"] += 1
    sums["detected"] += bool(diagnoses)
    parts: dict[str, set[str]] = {}
    for journey, diagnosis in diagnoses.items():
        if diagnosis.incident:
            parts.setdefault(diagnosis.incident, set()).add(situation.parts.get(journey, ""))
    sums["incidents"] += len(parts)
    sums["causes"] += max(1, len(set().union(*parts.values()) - {""})) if diagnoses else 0
    sums["incidents of two causes"] += sum(len(several - {""}) > 1 for several in parts.values())
    for journey, diagnosis in diagnoses.items():
        if diagnosis.cause_class == "probe":
            sums["could not look"] += 1
            continue
        named = diagnosis.cause_class != "unknown"
        wrong = named and diagnosis.cause_class not in situation.may_be(journey)
        sums["named" if named else "unknown"] += 1
        sums["wrong"] += wrong
        sums["wrong and high"] += wrong and diagnosis.sure == "high"
        sums["not so"] += diagnosis.not_so


def by_system(every: Sequence[Situation], *, at_first: bool = False) -> dict[str, Counter[str]]:
    """What is said of each system today, or was at first sight, in figures; ``all`` is their sum."""
    sums: dict[str, Counter[str]] = {}
    for situation in every:
        diagnoses = situation.first if at_first else _today(situation)
        for name in (situation.system, "all"):
            count(situation, diagnoses, sums.setdefault(name, Counter()))
    return {**{name: of for name, of in sums.items() if name != "all"}, "all": sums["all"]}


def wrong_of(every: Sequence[Situation]) -> Counter[str]:
    """How often each rule named a wrong class: by what the journey showed itself, or borrowed of its incident."""
    wrong: Counter[str] = Counter()
    for situation in every:
        for judgement in situation.named():
            it, may_be = now(situation, judgement), situation.may_be(judgement.journey.id)
            if it.cause_class not in {"unknown", "probe", *may_be} and judgement.triage:
                wrong[f"{it.rule} {'borrowed' if judgement.triage.is_borrowed else 'itself'}"] += 1
    return wrong


def rules_of(every: Sequence[Situation]) -> dict[str, tuple[int, int]]:
    """Of each rule how often it is right, and in how many situations it spoke; what was wrong once stays so."""
    sums: dict[str, tuple[int, int]] = {}
    for situation in every:
        then, today = _spoke(situation, situation.first), _spoke(situation, _today(situation))
        for rule in today.keys() | {rule for rule, right in then.items() if not right}:
            right, of = sums.get(rule, (0, 0))
            sums[rule] = right + (then.get(rule, True) and today.get(rule, True)), of + 1
    return dict(sorted(sums.items()))


def _today(situation: Situation) -> dict[str, First]:
    return {judgement.journey.id: now(situation, judgement) for judgement in situation.named()}


def _spoke(situation: Situation, diagnoses: dict[str, First]) -> dict[str, bool]:
    """Of each rule that points at a class whether it is right in every journey, where a class tells something."""
    seen: dict[str, bool] = {}
    for journey, diagnosis in diagnoses.items():
        may_be = situation.may_be(journey)
        right = diagnosis.candidate in may_be
        if diagnosis.candidate not in {"unknown", "probe"} and (len(may_be) <= TELLING or not right):
            seen[diagnosis.rule] = seen.get(diagnosis.rule, True) and right
    return seen


def scored() -> dict[str, tuple[int, int]]:
    """The same over all sets of systems that are not ours, which is what `triage/sureness.py` holds."""
    _, rules = score([*foreign_failures.FAILURES, *foreign_portals.FAILURES])
    for rule, (right, of) in rules_of(list(situations())).items():
        rules[rule] += of
        rules[f"{rule} right"] += right
    return {rule: (rules[f"{rule} right"], rules[rule]) for rule in sorted(rules) if not rule.endswith(" right")}


def main(arguments: Sequence[str]) -> int:
    """Judge all, and print the sums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="print what is said of each")
    parser.add_argument("--pairs", type=int, default=0, help="so many pairs of situations of each system, too")
    parser.add_argument("--runs", type=int, default=0, help="so many causes of each system after another, too")
    given = parser.parse_args(arguments)
    every = list(situations())
    for situation in every:
        for judgement in situation.named():
            it, may_be = now(situation, judgement), situation.may_be(judgement.journey.id)
            bad = it.not_so or it.cause_class not in {"unknown", "probe", *may_be}
            if given.verbose or bad:
                where = f"{situation.system}, {situation.name}: {judgement.journey.id} ({it.incident[-4:]})"
                print(
                    f"{'WRONG ' if bad else ''}{where}"
                    f"\n    {it.cause_class} (is {' or '.join(may_be)}), {it.rule}, {it.sure}: {judgement.cause}"
                    f"\n    {explanation(judgement.triage, judgement.cause) if judgement.triage else ''}"
                )
    print("rules: " + ", ".join(f"{rule} {right}/{of}" for rule, (right, of) in rules_of(every).items()))
    print("over all sets: " + ", ".join(f'"{rule}": ({right}, {of})' for rule, (right, of) in scored().items()))
    today = by_system(every)
    tables = {"at first sight": by_system(every, at_first=True), "today": today}
    if given.pairs:
        put_together = list(pairs(every, given.pairs))
        tables["pairs"] = by_system(put_together)
        print("wrong in pairs: " + ", ".join(f"{rule} {n}" for rule, n in wrong_of(put_together).most_common()))
    for title, sums in tables.items():
        table = Table("system", *SHOWN.values(), title=title, box=None, padding=(0, 1, 0, 0))
        for system, counted in sums.items():
            table.add_row(system, *(str(counted[figure]) for figure in SHOWN))
        Console().print(table)
    if given.runs:
        for name, sums in (("mended, and another began", following(every, given.runs)), ("spread", spreading(every))):
            print(f"{name}: " + ", ".join(f"{what} {n}" for what, n in sums.items()))
    return 1 if today["all"]["wrong"] or today["all"]["not so"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
