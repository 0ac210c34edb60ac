"""A site in a folder, published as `synthprobe report` does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from synthprobe import pipeline
from synthprobe.report.run_files import JudgedRun, Site, Whole
from synthprobe.report.serving import serve as serve_store
from synthprobe.report.site import publish as publish_runs
from synthprobe.report.store import FolderStore


def publish(
    folders: Sequence[Path], site: Path, *, labels: Mapping[Path, str] | None = None, allure: bool = False, **how: Any
) -> Path:
    """Publish whole runs; the first page."""
    runs = [
        JudgedRun(
            folder=folder, verdict=pipeline.read_verdict(folder / "verdict.json"), label=(labels or {}).get(folder, "")
        )
        for folder in folders
    ]
    whole = Whole(state=site.parent / "state", allure=allure)
    publish_runs(FolderStore(site), runs, Site(whole=whole, **how), datetime.now(UTC))
    return site / "index.html"


def serve(site: Path, port: int = 0) -> ThreadingHTTPServer:
    """Serve a folder on this machine."""
    return serve_store(FolderStore(site), port)


if __name__ == "__main__":  # each of the runs on its own
    for name in sys.argv[2:]:
        publish([Path(name)], Path(sys.argv[1]))
