"""Apache Otava as an online rule, for `detection.py`: it runs in an environment of its own.

Otava hunts change points in a whole series. Here it looks at the newest 100 runs after each run, and an upward change
point in the last 24 of them is an alarm. Its environment is made once, in `.synthprobe/bench` of the repository.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import venv
from collections import deque
from pathlib import Path
from typing import IO

VERSION = "0.8.0"
RUNS, NEWEST = 100, 24
_FOLDER = Path(__file__).parents[1] / ".synthprobe" / "bench" / f"apache-otava-{VERSION}"


class NotInstalled(Exception):
    """Says what pip said."""


def environment() -> Path:
    """The interpreter that has Otava; pip's own settings say where from."""
    python = _FOLDER / "bin" / "python"
    done = _FOLDER / "installed"
    if not done.exists():
        venv.create(_FOLDER, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"apache-otava=={VERSION}"]
        installation = subprocess.run(pip, capture_output=True, text=True)
        if installation.returncode:
            raise NotInstalled((installation.stderr.strip().splitlines() or ["pip said nothing"])[-1])
        done.touch()
    return python


class Hunter:
    """A running Otava, asked over a pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [environment(), __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._asked, self._took_s = 0, 0.0

    def alarm(self, window: list[float], p: float) -> bool:
        ask, output = self._process.stdin, self._process.stdout
        assert ask is not None
        assert output is not None
        began = time.perf_counter()
        ask.write(json.dumps([p, window]) + "\n")
        ask.flush()
        answer = output.readline()
        if not answer:
            raise RuntimeError("Apache Otava ended in the middle; what it said is above.")
        self._asked, self._took_s = self._asked + 1, self._took_s + time.perf_counter() - began
        return answer == "1\n"

    def each_ms(self) -> float:
        """Milliseconds a run, with the way there and back."""
        return self._took_s / max(self._asked, 1) * 1000

    def close(self) -> None:
        self._process.communicate()


class Otava:
    """The rule of `detection.py`: whether there is an upward change point in the last 24 of 100 runs.

    Args:
        hunter: the running Otava.
        p: the greatest chance a change point may have; 0.001 is Otava's default.
    """

    def __init__(self, hunter: Hunter, p: float) -> None:
        self._hunter, self._p = hunter, p
        self._window: deque[float] = deque(maxlen=RUNS)

    def update(self, at: float, ms: float) -> bool:
        self._window.append(ms)
        return len(self._window) == RUNS and self._hunter.alarm(list(self._window), self._p)

    def follow(self, past: list[tuple[float, float]]) -> bool:
        self._window.extend(ms for _, ms in past[:-1])
        return self.update(*past[-1])


def serve(asked: IO[str], output: IO[str]) -> None:
    from otava.analysis import compute_change_points  # type: ignore[import-not-found]

    for line in asked:
        p, window = json.loads(line)
        found, _ = compute_change_points(window, max_pvalue=p)
        newest = [point.stats for point in found if point.index >= len(window) - NEWEST]
        output.write("1\n" if any(stats.mean_2 > stats.mean_1 for stats in newest) else "0\n")
        output.flush()


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
