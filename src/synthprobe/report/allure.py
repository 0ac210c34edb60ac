"""The Allure report of one run, generated offline and made safe to publish."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synthprobe.deadlines import left_s
from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ReportError, ToolError
from synthprobe.report.node import allure_version, find_allure
from synthprobe.report.trace_viewer import VIEWER
from synthprobe.tools import tool_failure

HISTORY_LIMIT = 48
"""Earlier runs that Allure keeps; long-term figures belong in the history database."""
GENERATE_S = 120.0
"""Seconds the generation may take."""

_ANALYTICS = re.compile(
    r'<script async src="https://www\.googletagmanager\.com[^>]*></script>\s*<script>.*?</script>', re.DOTALL
)
_TRACE_ORIGIN = re.compile(r'const (\w+)="https://trace\.playwright\.dev",(\w+)=`\$\{\1\}/`')
_SETTINGS = Path(__file__).parent / "allure_npm" / "allurerc.json"


def generate(
    results_dir: Path,
    site: Path,
    folder: str,
    *,
    name: str,
    history: Path,
    history_url: str,
    warn: Callable[[str], None],
) -> int:
    """Make the Allure report of the run in ``folder``, in an empty place that becomes the site; the journeys shown."""
    if not any(results_dir.glob("*-result.json")):
        raise ReportError(
            f"There are no Allure results in {results_dir}: an empty report would look like a healthy one, so none was"
            " made. One result for each journey was expected. Run the journeys again and read the run's output."
        )
    command = find_allure()
    if command is None:
        raise ToolError(
            f"Allure {allure_version()} or a Node for it is not installed. Both are needed for the report."
            " Run `synthprobe doctor --fix`, then report again."
        )
    output = site / folder / "allure"
    output.parent.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix=".allure-", dir=site) as temporary:
        work = Path(temporary)
        (work / "history.jsonl").write_text(_usable_history(history, name, warn), "utf-8")
        reason = _run(command, results_dir, work, name, history_url, with_history=True)
        if reason:
            warn(f"Allure failed with the history in {history} and is tried once without it. {reason}")
            reason = _run(command, results_dir, work, name, history_url, with_history=False)
        else:
            history.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(work / "history.jsonl", history.with_suffix(".tmp"))
            history.with_suffix(".tmp").replace(history)
        made = work / "out"
        if reason or not (made / "index.html").is_file():
            raise ReportError(
                f"Allure made no report from {results_dir}. {reason or 'It ended without an index.html.'}"
                " The results and the verdict are kept; the on-call page does not need Allure."
            )
        _clean(made, output, site / VIEWER, warn)
        count = _count(made)
        if count == 0:
            raise ReportError(
                f"Allure's report of {results_dir} shows no journey although there are results. It was not published."
                " Read the result files there."
            )
        _share(made, output, site / "assets")
        made.rename(output)
    return count


def _share(made: Path, output: Path, assets: Path) -> None:
    """Allure's program is the same in each report and ten times as large as the rest: it stands in the site once."""
    assets.mkdir()
    page = made / "index.html"
    text = page.read_text("utf-8")
    for bundle in made.glob("app-*.js"):
        name = f"{bundle.stem}-{hashlib.sha256(bundle.read_bytes()).hexdigest()[:8]}.js"
        shared = Path(os.path.relpath(assets / name, output)).as_posix()
        text = text.replace(f'src="{bundle.name}"', f'src="{shared}"')
        bundle.replace(assets / name)
    page.write_text(text, "utf-8")


def _config(work: Path, name: str, history_url: str, *, with_history: bool) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(_SETTINGS.read_text("utf-8"))
    config |= {"name": name, "output": str(work / "out")}
    config["plugins"]["awesome"]["options"]["reportName"] = name
    if with_history:
        config |= {"historyPath": str(work / "history.jsonl"), "historyLimit": HISTORY_LIMIT}
        if history_url:
            config["historyBaseUrl"] = history_url
    return config


def _run(command: list[str], results: Path, work: Path, name: str, history_url: str, *, with_history: bool) -> str:
    """Run the generation; answer an empty string when it worked, else a sentence."""
    shutil.rmtree(work / "out", ignore_errors=True)
    config = work / "allurerc.json"
    config.write_text(json.dumps(_config(work, name, history_url, with_history=with_history)), "utf-8")
    compiled = {"NODE_COMPILE_CACHE": str(Path(command[-1]).parents[2] / "compiled")}  # Node compiles it only once
    env = {**compiled, **ENVIRONMENT, "ALLURE_NO_ANALYTICS": "true"}
    generate = [*command, "generate", str(results.resolve()), "-c", str(config)]
    reason = tool_failure(generate, timeout_s=left_s(GENERATE_S), environ=env, cwd=work)
    return f"Why it failed: {reason}." if reason else ""


def _usable_history(history: Path, name: str, warn: Callable[[str], None]) -> str:
    """The lines Allure can read, without an earlier report of the same run: one bad line would stop Allure."""
    if not history.is_file():
        return ""
    good, bad = [], 0
    for line in history.read_text("utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            if not isinstance(entry["testResults"], dict):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            bad += bool(line.strip())
            continue
        if entry.get("name") != name:
            good.append(line)
    if bad:
        warn(f"{bad} unreadable lines of the Allure history in {history} were dropped.")
    return "".join(f"{line}\n" for line in good[-HISTORY_LIMIT:])


def _clean(made: Path, output: Path, viewer: Path, warn: Callable[[str], None]) -> None:
    """Take the analytics out and point the trace button to the site's own viewer."""
    for page in made.rglob("index.html"):
        text = page.read_text("utf-8")
        cleaned = _ANALYTICS.sub("", text)
        if "googletagmanager" in cleaned:
            raise ReportError(
                f"Allure's report page {page.name} still calls an outside analytics service, so it was not published."
                f" Allure {allure_version()} was expected; install that version with `synthprobe doctor --fix`."
            )
        page.write_text(cleaned, "utf-8")
    bundles = list(made.glob("app-*.js"))
    found = sum(len(_TRACE_ORIGIN.findall(bundle.read_text("utf-8"))) for bundle in bundles)
    if found != 1:
        warn(
            f"Allure's trace button opens an outside address: the place to point it to the site's own viewer was found"
            f" {found} times instead of once. Use the on-call page's trace buttons."
        )
        return
    local = Path(os.path.relpath(viewer, output)).as_posix() + "/"
    for bundle in bundles:
        text = bundle.read_text("utf-8")
        patched = _TRACE_ORIGIN.sub(
            lambda match: (
                f"const {match[1]}=location.origin,{match[2]}=new URL({json.dumps(local)},document.baseURI).href"
            ),
            text,
        )
        if patched != text:
            bundle.write_text(patched, "utf-8")


def _count(made: Path) -> int:
    try:
        total = json.loads((made / "widgets" / "statistic.json").read_text("utf-8")).get("total", 0)
    except (OSError, ValueError, AttributeError):
        return 0
    return int(total)
