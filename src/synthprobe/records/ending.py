"""What ended a session of pytest, in its own words."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

FILE_VARIABLE = "SYNTHPROBE_LAST_WORDS"
"""Names the file, one JSON object a line, in the environment of a run's pytest."""

LastWordsKind = Literal["refused", "broken", "stopped", "through", "note"]


class LastWords(Struct, frozen=True, kw_only=True):
    """One thing pytest, a plugin or a conftest.py said.

    Attributes:
        kind: ``refused`` when what is typed, configured or collected cannot be used, so that trying once more is of no
            use; ``broken`` when something raised where it must not; ``stopped`` when something asked pytest to stop;
            ``through`` when it came to its end; ``note`` when nothing ended, and a person should know.
    """

    kind: LastWordsKind
    message: str
