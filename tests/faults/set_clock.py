"""A project's own wall clock: every process started with this environment reads it."""

import os
from pathlib import Path


class OwnClock:
    """Its environment, and how far it is ahead of the true time."""

    def __init__(self, root: Path) -> None:
        self._file = root / "ahead"
        self.set(0)
        paths = [str(Path(__file__).parent / "stepped_clock"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "STEPPED_CLOCK": str(self._file)}

    def set(self, ahead_s: int) -> None:
        self._file.write_text(str(ahead_s))
