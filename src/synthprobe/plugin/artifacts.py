"""What pytest-playwright writes beside our evidence, when its own options ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthprobe.config import Config
from synthprobe.targets.target import Target


def artifact_refusal(config: pytest.Config, project: Config, target: Target, root: Path) -> str:
    """Why pytest-playwright's ``--output`` or ``--video`` cannot be obeyed in this run.

    Its ``--tracing`` and ``--screenshot`` work: they are served from our own record, and masked like it.
    """
    folder = config.getoption("--output", default="") or ""
    output = (config.invocation_params.dir / folder).resolve()
    kept = (root / project.folder).resolve()
    held = [path for path in (root, kept, *(root / name for name in project.journeys)) if path.is_relative_to(output)]
    if folder and (held or output.is_relative_to(kept)):
        return (
            f"--output is {folder!r}, a folder that pytest-playwright empties when a run begins, and the project's own "
            "files are in it. Give it a folder of its own, for example --output test-results."
        )
    if config.getoption("--video", default="off") != "off" and (target.production or target.mask_selectors):
        why = "is a production target" if target.production else f"hides {', '.join(target.mask_selectors)}"
        return (
            f"--video records pages as they are, nothing in it can be masked, and {target.name!r} {why}. "
            "Leave the option out; a journey that fails has a trace and a screenshot."
        )
    return ""
