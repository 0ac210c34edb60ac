"""How often what triage says is so, on real systems that nobody here wrote.

    python benchmarks/judgement.py [--system NAME] [--set known|aside] [--only TEXT] [--keep FOLDER] [--verbose]

Each system comes from its registry and runs behind the fault proxy. One run is as it should be; then each situation
is made in a copy of the project, so that a history is there. Prints a line for each journey, and the sums.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from foreign_failures import TELLING
from foreign_journeys import PASSWORD, SYSTEMS, TESTDATA
from foreign_situations import KNOWN, SET_ASIDE, Situation

from synthprobe.fault_proxy import proxy_drill
from synthprobe.hooks import Fault

_KEPT = Path.home() / ".cache" / "synthprobe" / "foreign"
_RUN_S = 200
_COLUMNS = "{:34} {:11} {:9} {:11} {:7} {:22} {}"


def project(system: str, place: Path, address: str) -> Path:
    """A project as a newcomer makes it, in a folder of its own."""
    folder = place / system
    (folder / "journeys").mkdir(parents=True)
    (folder / "journeys" / "test_journeys.py").write_text(SYSTEMS[system].journeys)
    lines = [
        'default_target = "watched"\nsecond_attempts = 0\n[targets.watched]',
        f'base_url = "{address}"\naction_timeout_s = 6\ntimeout_s = {2 if system == "httpbin" else 8}',
        '[targets.watched.secrets]\ndoor = "env:FOREIGN_DOOR"',
    ]
    if kind := TESTDATA.get(system):
        lines.append(f'[targets.watched.testdata.{kind[0]}]\nfind = "{kind[1]}"\ndelete = "{kind[2]}"')
    lines[1] += '\nlogin_paths = ["/-/login", "/admin/login/", "/auth/token"]'
    (folder / "synthprobe.toml").write_text("\n".join(lines) + "\n")
    return folder


def run(folder: Path, situation: Situation | None, address: str, kept: Path | None) -> dict[str, Any]:
    """Run the journeys as a schedule does, and read the verdict; it is kept where a file is named."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environ["FOREIGN_DOOR"] = situation.password if situation else PASSWORD
    command = [sys.executable, "-m", "synthprobe", "run"]
    if situation and situation.address:
        other = situation.address if "://" in situation.address else address.replace("http", situation.address, 1)
        toml = folder / "synthprobe.toml"
        toml.write_text(toml.read_text().replace(address, other))
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=_RUN_S, check=False)
    verdicts = sorted(folder.glob(".synthprobe/runs/*/*/verdict.json"), key=lambda path: path.stat().st_mtime)
    if not verdicts:
        raise SystemExit(f"{folder.name}: no verdict was written.\n{done.stdout}{done.stderr}")
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(verdicts[-1], kept)
    return dict(json.loads(verdicts[-1].read_text()))


def judge(
    situation: Situation, verdict: dict[str, Any], sums: Counter[str], rules: Counter[str], *, verbose: bool
) -> None:
    """Print what was said of each journey that did not pass, and count what was right."""
    broken = [journey_verdict for journey_verdict in verdict["journeys"] if journey_verdict["outcome"] != "passed"]
    print(f"\n{situation.system}: {situation.name}", flush=True)
    sums["situations"] += 1
    sums["detected"] += bool(broken)
    incidents = {journey_verdict.get("incident", "") for journey_verdict in broken}
    for judgement in broken:
        title = judgement["journey"]["id"].partition("[")[2].rstrip("]") or judgement["journey"]["id"]
        found = judgement.get("triage") or {"cause_class": "", "rule": "", "sure": "", "why": ""}
        named, sure = found["cause_class"], found.get("sure", "medium")
        allowed = next((v for k, v in situation.classes.items() if title.startswith(k)), situation.classes.get("*"))
        wrong = named not in {"unknown", *(allowed or "").split()}
        candidate = found.get("runner_up") if named == "unknown" else named
        if candidate and len((allowed or "").split()) <= TELLING:
            rules[found["rule"]] += 1
            rules[f"{found['rule']} right"] += candidate in (allowed or "").split()
        sums["named" if named != "unknown" else "unknown"] += 1
        marks = []
        if wrong:
            marks.append(f"WRONG CLASS (may be {allowed})")
            sums["wrong"] += 1
            sums["wrong and high"] += sure == "high"
        failures = [result["failure"]["message"] for result in judgement.get("results", ()) if result.get("failure")]
        spoken = f"{judgement.get('cause', '')} {found['why']}"
        wanted = next((v for k, v in situation.says.items() if title.startswith(k)), "")
        if wanted and not re.search(wanted, spoken, re.DOTALL):
            marks.append(f"DOES NOT SAY /{wanted}/")
            sums["not told"] += 1
        if situation.never and re.search(situation.never, spoken):
            marks.append(f"SAYS /{situation.never}/")
            sums["not so"] += 1
        print(
            _COLUMNS.format(
                title[:34],
                judgement["outcome"],
                named,
                sure,
                judgement.get("incident", "")[-6:],
                found["rule"],
                "; ".join(marks),
            )
        )
        print(f"      cause: {judgement.get('cause', '')[:230]}\n      why:   {found['why'][:330]}")
        if verbose:
            print("      " + "\n      ".join("\n".join(failures).splitlines()))
    for wanted in situation.says:
        if not any(wanted in journey_verdict["journey"]["id"] for journey_verdict in broken):
            print(f"      {wanted} PASSED")
            sums["passed in vain"] += 1
    if situation.incidents and len(incidents) != situation.incidents:
        print(f"      {len(incidents)} INCIDENTS, {situation.incidents} expected")
        sums["incidents wrong"] += 1


@contextmanager
def started(system: str, situations: Sequence[Situation], keep: Path | None) -> Iterator[tuple[Any, Path]]:
    """The system behind its proxy, and a project with one good run."""
    faults = {
        Fault(name=f"{number}.{part}", cause=None): rule
        for number, situation in enumerate(situations)
        for part, rule in enumerate(situation.breaks)
    }
    with (
        tempfile.TemporaryDirectory(prefix="foreign-") as data,
        tempfile.TemporaryDirectory(prefix="judged-") as place,
        SYSTEMS[system](_KEPT).started(Path(data)) as upstream,
        proxy_drill("watched", upstream.address, faults).start() as proxy,
    ):
        folder = project(system, Path(place), proxy.base_url)
        if system != "httpbin":
            good = run(folder, None, proxy.base_url, keep and keep / f"{system} as it should be.json")
            ends = {
                judgement["journey"]["id"]: (judgement["outcome"], judgement.get("cause", ""))
                for judgement in good["journeys"]
            }
            print(f"\n{system}, as it should be: {ends}", flush=True)
        yield proxy, folder


def main(arguments: Sequence[str]) -> int:
    """Judge systems, and print the sums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--system", choices=[*SYSTEMS], action="append", help="only this one")
    parser.add_argument("--set", choices=["known", "aside"], default="known", help="which situations")
    parser.add_argument("--only", default="", help="situations whose name holds this text")
    parser.add_argument("--keep", type=Path, help="folder for the verdicts")
    parser.add_argument("--verbose", action="store_true", help="print the messages of failures too")
    given = parser.parse_args(arguments)
    wanted = [situation for situation in (KNOWN if given.set == "known" else SET_ASIDE) if given.only in situation.name]
    sums, rules = Counter[str](), Counter[str]()
    began = time.monotonic()
    for system in given.system or SYSTEMS:
        if situations := [situation for situation in wanted if situation.system == system]:
            with started(system, situations, given.keep) as (proxy, folder):
                for number, situation in enumerate(situations):
                    copy = folder.with_name(f"{system}-{number}")
                    shutil.copytree(folder, copy)
                    with ExitStack() as broken:
                        for part in range(len(situation.breaks)):
                            broken.enter_context(proxy.broken(f"{number}.{part}"))
                        kept = given.keep and given.keep / f"{system}: {situation.name}.json"
                        verdict = run(copy, situation, proxy.base_url, kept)
                    judge(situation, verdict, sums, rules, verbose=given.verbose)
    names = sorted(name for name in rules if not name.endswith(" right"))
    print(
        "\nright verdicts of each rule: "
        + ", ".join(f"{name} {rules[f'{name} right']}/{rules[name]}" for name in names)
    )
    print(f"{dict(sums)}; {time.monotonic() - began:.0f} s")
    return 1 if sums["wrong"] or sums["not so"] or sums["not told"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
