"""Page vitals: what Chromium measured of a page, as figures of the running step."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from synthprobe.errors import ConfigurationError
from synthprobe.journey.steps import current
from synthprobe.records.journey import duration_s
from synthprobe.records.result import Vital

_LCP = "largest contentful paint (LCP)"
_CLS = "layout shift (CLS)"
_INP = "interaction to next paint (INP)"
_KINDS: dict[str, Vital] = {_LCP: "time", _CLS: "score", _INP: "time"}

_LEAST_SHIFT = 0.01
"""A shift that nobody sees; a smaller one, or none, is recorded as this, so that there is a baseline to grow from."""

_MEASURE = """async () => {
  const painted = new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  await Promise.race([painted, new Promise(done => setTimeout(done, 500))]);
  const entries = type => {
    if (!PerformanceObserver.supportedEntryTypes.includes(type)) return null;
    const observer = new PerformanceObserver(() => {});
    observer.observe({type, buffered: true, durationThreshold: 16});
    const found = observer.takeRecords();
    observer.disconnect();
    return found;
  };
  const paints = entries('largest-contentful-paint');
  const shifts = entries('layout-shift')?.filter(shift => !shift.hadRecentInput);
  let worst = 0, first = 0, last = 0, sum = 0;
  for (const {startTime, value} of shifts ?? []) {
    if (startTime - last > 1000 || startTime - first > 5000) [first, sum] = [startTime, 0];
    last = startTime;
    sum += value;
    worst = Math.max(worst, sum);
  }
  const slow = {};
  for (const event of [...(entries('event') ?? []), ...(entries('first-input') ?? [])])
    if (event.interactionId) slow[event.interactionId] = Math.max(slow[event.interactionId] ?? 0, event.duration);
  const slowest = Object.values(slow).sort((a, b) => b - a);
  const count = performance.interactionCount ?? slowest.length;
  return {
    lcp: paints?.length ? paints.at(-1).startTime / 1000 : null,
    cls: shifts ? worst : null,
    inp: slowest.length ? slowest[Math.min(slowest.length - 1, Math.floor(count / 50))] / 1000 : null,
  };
}"""


def vitals(
    page: Page, *, lcp: str | float | None = None, cls: float | None = None, inp: str | float | None = None
) -> None:
    """Take down what the browser measured of a page so far, as figures of the running step.

    Each figure has a history, a baseline and, where it is given, a budget, as the time of a step has. Over its budget
    the journey is degraded. Call it when the step has seen what it waits for.

    Args:
        page: the page; what is measured begins with its newest navigation.
        lcp: how long until its largest part was painted, for example ``"2.5s"`` or seconds as a number.
        cls: how much of it may jump about unasked, a number without a unit, for example ``0.1``.
        inp: how long until it showed that it heard a click or a key, for example ``"200ms"``.

    Raises:
        ConfigurationError: when a budget cannot be used, or no step is running.

    Example:
        ``with step("open the board"): page.goto("/board"); vitals(page, lcp="2.5s", cls=0.1)``
    """
    budgets = {_LCP: _budget("lcp", lcp), _CLS: _score("cls", cls), _INP: _budget("inp", inp)}
    recorder = current()
    if recorder is None or not recorder.path:
        raise ConfigurationError(
            "vitals(page) was called outside a step, and its figures belong to one. Call it at the end of a step, "
            'within: with step("open the board").'
        )
    found: dict[str, Any] = page.evaluate(_MEASURE)
    figures = {_LCP: found["lcp"], _CLS: found["cls"], _INP: found["inp"]}
    for title, budget in budgets.items():
        figure = figures[title]
        if figure is not None:
            kind = _KINDS[title]
            recorder.measured(title, max(figure, _LEAST_SHIFT) if kind == "score" else figure, budget, kind)
        elif budget is not None:
            recorder.notes.append(f"{recorder.path}: the browser measured no {title}, so its budget was not judged.")


def _budget(name: str, given: str | float | None) -> float | None:
    try:
        return None if given is None else duration_s(given)
    except ValueError as error:
        raise ConfigurationError(f"vitals(page, {name}={given!r}) cannot be used: {error}") from None


def _score(name: str, given: float | None) -> float | None:
    if given is None or (isinstance(given, int | float) and 0 < given < 100):
        return given
    raise ConfigurationError(
        f"vitals(page, {name}={given!r}) cannot be used. A number above 0 without a unit was expected, for example 0.1."
    )
