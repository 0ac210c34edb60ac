"""Playwright's trace viewer as part of the site, held to the site's own origin: a trace that is opened asks nobody."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import re
import shutil
from pathlib import Path
from urllib.parse import quote

from synthprobe.errors import ToolError

_LICENCES = ("LICENSE", "NOTICE", "ThirdPartyNotices.txt")
_POLICY = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src 'self' blob: data:; font-src 'self' data:; connect-src 'self' blob: data:; "
    "worker-src 'self' blob:; frame-src 'self' blob: data:; object-src 'none'; form-action 'none'"
)
# The policy of a page does not hold in its service worker, nor in the snapshots that the worker answers with. A
# snapshot names outside addresses that the worker answers from the trace, so there only the others are forbidden.
_GUARD = """{
  const outside = (url) => { const { protocol, origin } = new URL(url, self.location);
    return /^https?:$/.test(protocol) && origin !== self.location.origin; };
  const ask = self.fetch.bind(self), listen = self.addEventListener.bind(self);
  self.fetch = async (what, options) => outside(what.url ?? what) ? Response.error() : ask(what, options);
  const held = (answer) => {
    if (!/\\btext\\/html\\b/.test(answer.headers.get("Content-Type") ?? "") || !answer.status) return answer;
    const headers = new Headers(answer.headers);
    headers.append("Content-Security-Policy", "frame-src 'self' blob: data:; object-src 'none'; form-action 'none'");
    return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
  };
  self.addEventListener = (kind, heard, ...more) => listen(kind, kind !== "fetch" ? heard : (event) => {
    const respond = event.respondWith.bind(event);
    event.respondWith = (answer) => respond(Promise.resolve(answer).then(held));
    return heard(event);
  }, ...more);
}
"""


def viewer_link(trace: str) -> str:
    """Where a published trace opens in one click."""
    return f"trace-viewer/index.html?trace={quote(quote('../' + trace), safe='')}"


def copy_trace_viewer(site: Path) -> Path:
    """Copy Playwright's own trace viewer, which must be as new as the recorder, with its licence.

    The copy sends no request to another origin than the site's, whatever a trace names.
    """
    spec = importlib.util.find_spec("playwright")
    package = Path(spec.origin).parent / "driver" / "package" if spec and spec.origin else Path()
    source = package / "lib" / "vite" / "traceViewer"
    if not all((source / name).is_file() for name in ("index.html", "sw.bundle.js")):
        raise ToolError(
            "The installed Playwright has no trace viewer, so traces open only with `playwright show-trace`."
            " Playwright 1.60 or newer was expected; install it again."
        )
    viewer, temporary = site / "trace-viewer", site / f".trace-viewer.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(source, temporary)
    for name in _LICENCES:
        if (package / name).is_file():
            shutil.copy(package / name, temporary / name)
    for page in temporary.glob("*.html"):
        page.write_text(with_policy(page.read_text("utf-8")), "utf-8")
    worker = temporary / "sw.bundle.js"
    worker.write_text(_GUARD + worker.read_text("utf-8"), "utf-8")
    shutil.rmtree(viewer, ignore_errors=True)
    temporary.rename(viewer)
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
