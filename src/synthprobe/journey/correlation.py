"""Headers that name the attempt and step a request belongs to, so that the target's traces and queries can be found."""

from __future__ import annotations

from urllib.parse import quote

from synthprobe.journey.steps import Recorder
from synthprobe.targets.addresses import origin_of

LONGEST = 120
"""Characters one value has at most; few different values, never an id of a run, so that statements stay alike."""


def correlation_headers(recorder: Recorder | None, *, own: bool = True) -> dict[str, str]:
    """W3C ``traceparent`` and ``baggage`` of what is sent now."""
    if recorder is None:
        return {}
    headers = {"traceparent": f"00-{recorder.trace_id}-{recorder.span_id}-01"}
    if own:
        headers["baggage"] = baggage(recorder.journey.id, recorder.path)
    return headers


def baggage(journey: str, step: str) -> str:
    """The header's value."""
    members = {"synthprobe.journey": journey, "synthprobe.step": step}
    return ",".join(
        f"{name}={quote(value[:LONGEST], safe='', errors='replace')}" for name, value in members.items() if value
    )


def same_host(url: str, base_url: str) -> bool:
    """Whether an address is the target's own: others are not told which journey runs."""
    return origin_of(url) == origin_of(base_url) != ""
