"""What was measured in the past, ranked and put on the board: from the history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.cli.objectives import statuses
from synthprobe.cli.remembered import Past
from synthprobe.detection.watch import read_state
from synthprobe.goals.impact import ceiling, compare, rank, split
from synthprobe.goals.statements import statement_totals
from synthprobe.pipeline.statements import read_counted
from synthprobe.records.impact import Change, Counted, ImpactRow, OperationTotal, Traffic
from synthprobe.records.latency import StepSeries
from synthprobe.report.board import DAYS, BoardChange, BoardData, BoardJourney
from synthprobe.report.cards import PublishedRun
from synthprobe.report.charts import thinned
from synthprobe.report.trace_viewer import viewer_link
from synthprobe.targets.changes import read_changes

Points = tuple[tuple[datetime, float], ...]


class Window(Struct, frozen=True, kw_only=True):
    """What was measured between two moments."""

    operations: tuple[OperationTotal, ...]
    walked: tuple[Traffic, ...]
    begun: tuple[Traffic, ...]
    days: float

    def ranked(self, before: tuple[OperationTotal, ...] = ()) -> tuple[ImpactRow, ...]:
        """Rank what was measured; rows are ranked among those of their kind."""
        backend = [operation for operation in self.operations if operation.kind == "operation"]
        others = [operation for operation in self.operations if operation.kind != "operation"]
        rows = rank(others, self.walked, days=self.days, before=before)
        rows += rank(backend, self.begun, days=self.days, before=before)
        return tuple(sorted(rows, key=lambda row: ("step", "operation", "statement").index(row.kind)))


class Measurements:
    """What is known of a target's past."""

    def __init__(self, past: Past) -> None:
        self._past, self._now = past, past.now
        self._project, self._history, self._target = past.project, past.history, past.target

    @property
    def titles(self) -> dict[str, str]:
        """What a person reads, by the journey's id."""
        return {id: journey.title for id, journey in self._past.journeys.items()}

    def measured(self, since: datetime, until: datetime, *, p95: bool = True) -> Window:
        timed, walked, begun = self._past.timed(since, until, p95=p95)
        operations = timed + statement_totals(self._counted(since, until))
        return Window(operations=operations, walked=walked, begun=begun, days=(until - since) / timedelta(days=1))

    def ranked(self, days: float) -> tuple[ImpactRow, ...]:
        """Rank the last days, with the days before them for the trend."""
        length = timedelta(days=days)
        window = self.measured(self._now - length, self._now)
        return window.ranked(self.measured(self._now - 2 * length, self._now - length, p95=False).operations)

    def judge_change(self, change: Change, days: float) -> BoardChange:
        """Compare two equally long windows around a change."""
        length = min(timedelta(days=days), self._now - change.at)
        if length <= timedelta(0):
            return BoardChange(change=change, window_days=days, note="It is not live yet.")
        before = self.measured(change.at - length, change.at)
        after = self.measured(change.at, change.at + length)
        old, new = before.ranked(), after.ranked()
        ours = [
            [operation for operation in window.operations if operation.name == change.operation]
            for window in (before, after)
        ]
        made = BoardChange(
            change=change, window_days=round(length / timedelta(days=1), 2), ceiling=ceiling(old, change.operation)
        )
        kind = next((operation.kind for operation in ours[0]), None)
        if kind is None or not any(operation.kind == kind for operation in after.operations):
            note = "It names no row of the board, so nothing can be compared."
            if change.operation:
                note = "Its row was not measured both before and after the change, so nothing can be said yet."
            return msgspec.structs.replace(made, note=note)
        forecast = compare(old, new, change)
        if not ours[1]:
            note = "It was not called any more after the change. Whether its time went to another row, the table tells."
            return msgspec.structs.replace(made, note=note, forecast=forecast)
        return msgspec.structs.replace(made, split=split(*ours), forecast=forecast)

    def board_data(self, rows: tuple[ImpactRow, ...], days: float, published: Iterable[PublishedRun]) -> BoardData:
        since = self._now - timedelta(days=days)
        lost = sum(counted.resets for counted in self._counted(since, self._now))
        notes = (f"The database's counters began anew {lost} times; what ran just before is missing.",) if lost else ()
        standing = {status.objective.journey: status for status in statuses(self._project, self._target)}
        grids, lines, marks = self._past.days(DAYS), self._points(since), self._past.alarms(since)
        budgets, usual, journeys = self._past.budgets, self._usual(), self._past.journeys
        links, traces, runs = self._published(published)
        known = dict.fromkeys([*journeys, *(journey for journey, _ in lines), *grids])
        return BoardData(
            target=self._target,
            made_at=self._now,
            window_days=days,
            rows=tuple(
                msgspec.structs.replace(
                    row,
                    slowest_trace=next(
                        (
                            traces[key]
                            for step in (row.step, "")
                            for id in row.journeys
                            if (key := (id, step)) in traces
                        ),
                        "",
                    ),
                )
                for row in rows
            ),
            journeys=tuple(
                BoardJourney(
                    id=id,
                    title=self.titles.get(id, id),
                    owner=journeys[id].owner if id in journeys else "",
                    uses_per_day=journeys[id].uses_per_day if id in journeys else None,
                    days=grids.get(id, ()),
                    steps=tuple(
                        replace(
                            usual.get((id, step), StepSeries(title=step)),
                            points=points,
                            budget_ms=budgets.get((id, step)),
                            alarms=marks.get((id, step), ()),
                        )
                        for (journey, step), points in _in_order(lines, list(budgets))
                        if journey == id
                    ),
                    objective=standing.get(id),
                    link=links.get(id, ""),
                )
                for id in known
            ),
            changes=tuple(self.judge_change(change, days) for change in reversed(read_changes(self._project.root))),
            notes=notes,
            runs=runs,
        )

    def _points(self, since: datetime) -> dict[tuple[str, str], Points]:
        """Moments and milliseconds, by journey and step."""
        found: dict[tuple[str, str], Points] = {}
        for id, steps in self._history.steps(self._target).items():
            measured = self._past.series(id, steps, since)
            for step, samples in measured.items():
                points = sorted((sample.at, sample.total_ms / sample.count) for sample in samples)
                found[id, step] = tuple(thinned(points))  # a year of all steps would fill the memory
        return found

    def _usual(self) -> dict[tuple[str, str], StepSeries]:
        states = self._history.detector_states(self._target, location=self._project.config.location)
        least_ms = self._project.config.least_slowdown_ms
        return {key: read_state(state).series(key[1], least_ms) for key, state in states.items()}

    def _published(
        self, published: Iterable[PublishedRun]
    ) -> tuple[dict[str, str], dict[tuple[str, str], str], dict[datetime, str]]:
        """Last Allure page of each journey, trace of its steps' last slow runs (an empty step: its own), and runs."""
        pages: dict[str, str] = {}
        traces: dict[tuple[str, str], str] = {}
        runs = list(published)
        for run in runs:
            run_pages = {id: f"{run.folder}/allure/index.html#{page}" for id, page in run.pages.items()}
            pages |= run_pages
            weak = (
                (result, found)
                for judged in run.verdict.journeys
                for result in judged.results
                if (found := judged.degradations_of(result))
            )
            for result, found in weak:
                kept = (run.files.get(evidence.path) for evidence in result.evidence if evidence.kind == "trace")
                trace = next(filter(None, kept), "")
                link = viewer_link(trace) if trace else run_pages.get(result.journey.id, "")
                slow = {degradation.step.split(" › ", 1)[0] for degradation in found}
                traces |= {(result.journey.id, step): link for step in (*slow, "")} if link else {}
        return pages, traces, {run.verdict.run.started_at: f"{run.folder}/index.html" for run in runs}

    def _counted(self, since: datetime, until: datetime) -> list[Counted]:
        return read_counted(self._project, self._target, since, until)


def _in_order(
    lines: dict[tuple[str, str], Points], declared: list[tuple[str, str]]
) -> list[tuple[tuple[str, str], Points]]:
    """As the journeys walk them; steps that are gone come last."""
    place = {key: number for number, key in enumerate(declared)}
    return sorted(lines.items(), key=lambda item: place.get(item[0], len(place)))
