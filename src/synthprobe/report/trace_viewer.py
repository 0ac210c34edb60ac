"""Playwright's trace viewer as part of the site, held to the site's own origin: a trace that is opened asks nobody."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
import shutil
from pathlib import Path
from urllib.parse import quote

from synthprobe.errors import ToolError

VIEWER = "trace-viewer"
"""Its folder in the site."""

_LICENCES = ("LICENSE", "NOTICE", "ThirdPartyNotices.txt")
_POLICY = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src 'self' blob: data:; font-src 'self' data:; connect-src 'self' blob: data:; "
    "worker-src 'self' blob:; frame-src 'self' blob: data:; object-src 'none'; form-action 'none'"
)
_GUARD = Path(__file__).with_name("trace_guard.js")


def viewer_link(trace: str) -> str:
    return f"{VIEWER}/index.html?trace={quote(quote('../' + trace), safe='')}"


def copy_trace_viewer(site: Path) -> Path:
    """Copy Playwright's own trace viewer, which must be as new as the recorder, with its licence."""
    spec = importlib.util.find_spec("playwright")
    package = Path(spec.origin).parent / "driver" / "package" if spec and spec.origin else Path()
    source = package / "lib" / "vite" / "traceViewer"
    if not all((source / name).is_file() for name in ("index.html", "sw.bundle.js")):
        raise ToolError(
            "The installed Playwright has no trace viewer, so traces open only with `playwright show-trace`."
            " Playwright 1.60 or newer was expected; install it again."
        )
    viewer = site / VIEWER
    shutil.copytree(source, viewer)
    for name in _LICENCES:
        if (package / name).is_file():
            shutil.copy(package / name, viewer / name)
    for page in viewer.glob("*.html"):
        page.write_text(with_policy(page.read_text("utf-8")), "utf-8")
    worker = viewer / "sw.bundle.js"
    worker.write_text(_GUARD.read_text("utf-8") + worker.read_text("utf-8"), "utf-8")
    return viewer


def with_policy(page: str) -> str:
    """Put the content security policy in front of all that a page loads."""
    scripts = "".join(
        f" 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    )
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY.format(scripts=scripts)}">'
    place = re.search(r"<head>|<html[^>]*>(?!\s*<head>)", page)
    at = place.end() if place else 0
    return f"{page[:at]}{policy}{page[at:]}"
