"""The keeper: decides once, at the end of a journey, and writes what is kept, redacted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from synthprobe.browser.last_good import GoodPicture, image_diff
from synthprobe.browser.trace import SecretLeft, TraceWithheld, redact_trace
from synthprobe.evidence.pictures import picture_only
from synthprobe.evidence.redaction import Redactor
from synthprobe.records.evidence import ConsoleMessage, Evidence, EvidenceKind, Exchange, NetworkRequest
from synthprobe.records.result import Step

_BROKE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
IMAGE_DIFF = "application/vnd.allure.image.diff"
TRACE_MEDIA_TYPE = "application/vnd.allure.playwright-trace"


def evidence_folder(run_folder: Path, journey_id: str, attempt: int) -> Path:
    """Where one attempt's evidence goes."""
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", journey_id).strip("-.")[:80] or "journey"
    digest = hashlib.sha256(journey_id.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return run_folder / "evidence" / f"{readable}-{digest}" / str(attempt)


class Keeper:
    """Writes the evidence of one attempt. There is no other way to make an `Evidence`."""

    def __init__(self, run_folder: Path, folder: Path, redactor: Redactor) -> None:
        self.kept: list[Evidence] = []
        self.leaks: list[str] = []
        self._run_folder = run_folder
        self._folder = folder
        self._redactor = redactor

    def picture(self, title: str, png: bytes) -> None:
        """Keep a screenshot, which was masked when it was taken."""
        self._write("screenshot", title, "image/png", "png", picture_only(png) or png)

    def last_good(self, good: GoodPicture, now: bytes | None) -> None:
        """Keep what the step looked like when it was well, and what differs from it now."""
        build = f", build {good.build}" if good.build else ""
        title = f"last good: {good.step}, {good.at:%d %b %H:%M} UTC{build}"
        self._write("last-good", title, "image/png", "png", good.png)
        if now is not None:
            self._write("image-diff", "last good and now", IMAGE_DIFF, "imagediff", image_diff(good.png, now, title))

    def trace(self, raw: Path, title: str = "Playwright trace") -> Path | None:
        """Redact and keep a trace; withhold it when it cannot be redacted for certain."""
        destination = self._path("trace", "zip")
        try:
            redact_trace(raw, destination, self._redactor)
        except TraceWithheld as error:
            if isinstance(error, SecretLeft):
                self.leaks.append(destination.name)
            self._withheld("trace", title, TRACE_MEDIA_TYPE, f"The trace is withheld: {error}")
            return None
        finally:
            raw.unlink(missing_ok=True)
        self._known("trace", title, TRACE_MEDIA_TYPE, destination)
        return destination

    def text(self, kind: EvidenceKind, title: str, text: str) -> None:
        try:
            content = self._redactor.text(text).encode()
        except _BROKE as error:
            self._unredacted(kind, "text/plain", "txt", error)
            return
        self._write(kind, title, "text/plain", "txt", content)

    def exchanges(self, exchanges: Sequence[Exchange]) -> None:
        """Keep API exchanges, each with the command that repeats it."""
        if not exchanges:
            return
        lines = []
        for number, exchange in enumerate(exchanges, 1):
            spent = ", ".join(
                f"{part.name} {part.duration_ms:g} ms {part.description}".strip() for part in exchange.server_timing
            )
            lines += [
                f"{number}. {exchange.method} {exchange.url} → {exchange.status or exchange.error}",
                f"   step: {exchange.step or '-'} · {exchange.duration_ms:.0f} ms · {exchange.size} bytes",
                *([f"   server: {spent}"] if spent else []),
                *([f"   traceparent: {exchange.traceparent}"] if exchange.traceparent else []),
                f"   repeat: {exchange.curl()}",
                *(["   sent:", *_indented(exchange.request_body)] if exchange.request_body else []),
                *(["   got:", *_indented(exchange.response_body)] if exchange.response_body else []),
                "",
            ]
        self.text("exchanges", "API exchanges", "\n".join(lines))
        self._write("exchanges", "API exchanges (JSON)", "application/json", "json", msgspec.json.encode(exchanges))

    def console(self, messages: Sequence[ConsoleMessage]) -> None:
        if messages:
            lines = [f"{m.at:%H:%M:%S} {m.kind:10} {m.text}  {m.location}".rstrip() for m in messages]
            self.text("console", "console and page errors", "\n".join(lines))

    def network(self, requests: Sequence[NetworkRequest]) -> None:
        if requests:
            lines = [
                f"{r.status or r.error:>4} {r.duration_ms:7.0f} ms  {r.method} {r.url}"
                + (f"  node {r.node}" if r.node else "")
                + "".join(f"  {part.name} {part.duration_ms:g} ms {part.description}" for part in r.server_timing)
                for r in requests
            ]
            self.text("network", "requests that failed or were slow", "\n".join(lines))

    def timings(self, steps: Sequence[Step]) -> None:
        if steps:
            self.text("timings", "step timings", "\n".join(_timing_lines(steps, 0)))

    def _write(self, kind: EvidenceKind, title: str, media_type: str, extension: str, content: bytes) -> None:
        path = self._path(kind, extension)
        try:
            left = self._redactor.residual(content)
        except _BROKE as error:
            self._unredacted(kind, media_type, extension, error)
            return
        if left:
            self.leaks.append(path.name)
            why = f"{path.name} is withheld: after redaction it still held {', '.join(left)}. Nothing of it is kept."
            self._withheld(kind, title, media_type, why)
            return
        try:
            path.write_bytes(content)
        except OSError as error:
            self._withheld(kind, title, media_type, f"It could not be written: {error.strerror}.")
            return
        self._known(kind, title, media_type, path)

    def _unredacted(self, kind: EvidenceKind, media_type: str, extension: str, error: Exception) -> None:
        """The redactor itself broke; its error may quote what it was given, so only the type is said."""
        name = self._path(kind, extension).name
        self.leaks.append(name)
        why = f"{name} is withheld: redaction ended with {type(error).__name__}. Nothing of it is kept."
        self.kept.append(Evidence(kind=kind, title=kind, media_type=media_type, withheld=why))

    def _path(self, kind: str, extension: str) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{len(self.kept) + 1:02}-{kind}.{extension}"

    def _known(self, kind: EvidenceKind, title: str, media_type: str, path: Path) -> None:
        relative = path.relative_to(self._run_folder).as_posix()
        size = path.stat().st_size
        title = self._redactor.text(title)
        self.kept.append(Evidence(kind=kind, title=title, media_type=media_type, path=relative, size=size))

    def _withheld(self, kind: EvidenceKind, title: str, media_type: str, why: str) -> None:
        self.kept.append(Evidence(kind=kind, title=title, media_type=media_type, withheld=self._redactor.text(why)))


def _indented(text: str) -> list[str]:
    return [f"     {line}" for line in text.splitlines()[:40]]


def _timing_lines(steps: Sequence[Step], depth: int) -> list[str]:
    lines = []
    for step in steps:
        unit = " " if step.vital == "score" else "s"
        budget = f"  (budget {f'{step.budget_s:g} {unit}'.strip()})" if step.budget_s else ""
        mark = "" if step.status == "passed" else "  BROKEN"
        lines.append(f"{step.duration_s:8.3f} {unit}  {'  ' * depth}{step.title}{budget}{mark}")
        lines += _timing_lines(step.steps, depth + 1)
    return lines
