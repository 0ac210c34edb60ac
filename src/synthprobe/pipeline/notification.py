"""Who hears of a run: the people its incidents concern, the tools they have already, and the watcher outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from msgspec.structs import replace

from synthprobe import words
from synthprobe.alerts import sending
from synthprobe.alerts.channels import SPARE_S, AppriseChannel
from synthprobe.alerts.heartbeat import Heartbeat, Signal
from synthprobe.alerts.message import Background, Measured
from synthprobe.alerts.outbox import Letter
from synthprobe.alerts.routes import Mute, read_mutes
from synthprobe.alerts.schedule import concerns
from synthprobe.deadlines import within
from synthprobe.errors import SynthprobeError
from synthprobe.pipeline.context import Context
from synthprobe.pipeline.memory import AFTER_S, open_history
from synthprobe.pipeline.notes import Noted, read_or
from synthprobe.pipeline.publishing import Published, publish_run
from synthprobe.pipeline.run_state import write_letters
from synthprobe.pipeline.spare_folder import open_outbox
from synthprobe.project import Project
from synthprobe.records.incident import Incident
from synthprobe.records.objective import Coverage
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.addresses import card_address, run_folder
from synthprobe.report.trace_viewer import viewer_link
from synthprobe.targets.secrets import read_address, read_secret


def tell_people(
    context: Context,
    incidents: Sequence[Incident],
    history: str = "",
    *,
    shares: bool = False,
    publish: Callable[[Context], Published] = publish_run,
) -> bool:
    """Write down what is due of a run's incidents, publish the run, and send it with where it was published."""
    project, notes = context.project, context.notes
    alerts = project.config.alerts
    if not alerts.routes:
        publish(context)
        return _nobody_untold(context, incidents, (), (), notes if project.config.heartbeat.url else [])
    # what cannot be read silences nobody
    mutes: tuple[Mute, ...] = read_or((), notes, read_mutes, project.root / alerts.mutes)

    def silenced(incident: Incident) -> bool:
        concerned = (*incident.journeys, *incident.blocked)
        now = datetime.now(UTC)
        return bool(concerned) and all(
            any(window.holds(incident.target, journey, now) for window in context.windows) for journey in concerned
        )

    def backgrounds(published: Published | None) -> dict[str, Background]:
        made = {incident.id: _background(context, incident, published) for incident in incidents}
        return {id: replace(background, history=history) for id, background in made.items()}

    shared = open_history(project, within_s=AFTER_S) if shares else None
    with open_outbox(project, shared) as outbox:  # what cannot be written here is written elsewhere, and sent
        try:
            decide = partial(
                sending.decide, incidents, alerts, outbox, mutes=mutes, silenced=silenced, mask=project.redactor.text
            )
            if project.config.publish.url:  # written down first, so that nothing that happens meanwhile loses it
                decide(datetime.now(UTC), background=backgrounds(None))
            published = publish(context)
            now = datetime.now(UTC)
            found = decide(now, background=backgrounds(published))
            channel = AppriseChannel(project.environ, alerts.timeout_s)
            delivery = sending.deliver(outbox, alerts, channel, now, unrouted=found.unrouted)
        finally:
            notes += outbox.notes
        notes += delivery.sentences
        with Noted(notes):
            write_letters(context.folder, outbox.about(incidents), incidents, context.verdict.run.started_at)
        return _nobody_untold(context, incidents, outbox.about(incidents), mutes, notes, silenced) and delivery.complete


def _nobody_untold(
    context: Context,
    incidents: Sequence[Incident],
    letters: Sequence[Letter],
    mutes: Sequence[Mute],
    notes: list[str],
    silenced: Callable[[Incident], bool] = lambda _: False,
) -> bool:
    """Whether somebody knows of each failing journey; a run that changed nothing and told nobody is no success."""
    arrived = {id for letter in letters if letter.done for id in letter.alert.incidents}
    heard = sorted((letter for letter in letters if letter.done), key=lambda letter: letter.done or letter.alert.at)
    for incident in incidents:  # what came back before its end was told is known
        newest = next((letter.alert for letter in reversed(heard) if concerns(letter.alert, incident)), None)
        if newest is not None and newest.reason not in {"recovered", "missed"}:
            arrived.add(incident.id)
    now = datetime.now(UTC)
    taken = {incident.id for incident in incidents if incident.state == "acknowledged"}
    muted = {incident.id for incident in incidents if any(mute.holds(incident, now) for mute in mutes)}
    known = arrived | taken | muted | {incident.id for incident in incidents if silenced(incident)}
    untold = [
        judgement.journey.id
        for judgement in context.verdict.journeys
        if judgement.outcome == "failed" and judgement.incident not in known
    ]
    if untold:
        notes.append(
            f"Failing, and nobody was told or has it: {', '.join(untold)}. The heartbeat says so with /fail. "
            "Look at the incidents with synthprobe incident list, and at the routes with synthprobe doctor routes."
        )
    return not untold


def _background(context: Context, incident: Incident, published: Published | None) -> Background:
    config, verdict, root = context.project.config, context.verdict, context.project.root
    kept = context.folder.relative_to(root) if context.folder.is_relative_to(root) else context.folder
    known = incident.runbook or incident.general
    fallback = next((page.fallback for page in context.runbooks if page.id == known), "")
    site = config.report.site_url.rstrip("/")
    judged = {shown.journey.id: shown for shown in verdict.journeys}
    seen = next((judged[id] for id in incident.journeys if id in judged), None)
    pattern = config.report.runbook_url or (f"{site}/runbooks/{{id}}.html" if site else "")
    page = card_address(f"{site}/index.html", incident.id) if site else ""
    trace = _trace_url(site, verdict, incident) if site else ""
    if config.publish.url:  # a store holds what was published, and nothing that was only meant to be
        page = card_address(published.page, incident.id) if published else ""
        trace = published.traces.get(seen.journey.id, "") if published and seen else ""
    return Background(
        fallback=fallback,
        runbook_url=pattern.replace("{id}", known) if known else "",
        report_url=page,
        trace_url=trace,
        opened_by=published.opened_by if published else "",
        backend_trace=_backend_trace(verdict, incident),
        job_url=context.project.ci.address,
        evidence=kept.as_posix(),
        published=bool(site) and (not config.publish.url or bool(published and published.page)),
        changed=f"The build is {verdict.run.build}." if verdict.run.build else "",
        journey=seen.journey.title if seen else "",
        sentence=_sentence(seen, incident) if seen else "",
        measured=tuple(
            Measured(kind=found.kind, step=found.step, measured_s=found.measured_s)
            for found in (seen.degradations if seen and incident.kind == "degraded" else ())
            if found.measured_s is not None
        ),
    )


def _sentence(seen: JourneyVerdict, incident: Incident) -> str:
    """What is wrong in this run, with its figures; empty when this run does not show it."""
    if incident.state == "resolved" or seen.incident not in {"", incident.id}:
        return ""
    if seen.outcome == "degraded" and seen.degradations:
        return words.degradation(seen.degradations[0], seen.journey.title)
    return next(iter(seen.cause.strip().splitlines()), "")


def _trace_url(site: str, verdict: Verdict, incident: Incident) -> str:
    """Where the newest trace of the incident's journeys opens, once it is published."""
    for judgement in (judgement for judgement in verdict.journeys if judgement.journey.id in incident.journeys):
        for kept in (kept for result in reversed(judgement.results) for kept in result.evidence):
            if kept.kind == "trace" and kept.path:
                return f"{site}/{viewer_link(f'{run_folder(verdict.run)}/{kept.path}')}"
    return ""


def _backend_trace(verdict: Verdict, incident: Incident) -> str:
    """Where the newest attempt that did not pass opens in the target's own tracing tool."""
    results = (
        r
        for judgement in verdict.journeys
        if judgement.journey.id in incident.journeys
        for r in reversed(judgement.results)
    )
    return next((result.backend_trace for result in results if result.backend_trace and result.outcome != "passed"), "")


def tell_watcher(project: Project, verdict: Verdict, *, notified: bool, audit: str = "") -> None:
    """Tell the watcher outside, if one is configured, what became of a slot, and the newest line of the audit."""
    signal, text = _signal(verdict, notified=notified)
    text = "\n".join(filter(None, (text, audit)))
    _beat(project, signal, verdict.run.target, verdict.run.slot, project.redactor.text(text))


def beat_start(project: Project, target: str, slot: int) -> None:
    """Tell the watcher outside, if one is configured, that a slot is being judged. It never stops the run."""
    with Noted([]):
        _beat(project, "start", target, slot)


def _signal(verdict: Verdict, *, notified: bool) -> tuple[Signal, str]:
    """What the watcher hears of a run. Of one that policy kept from looking neither success nor failure: when that
    lasts, the watcher alarms as it does at silence.
    """
    if not verdict.blind and verdict.journeys and verdict.count("skipped") == len(verdict.journeys):
        return "log", f"Every journey was skipped. {verdict.journeys[0].cause}"
    judged = not verdict.blind and not verdict.count("unknown") and (bool(verdict.journeys) or verdict.is_idle)
    if judged and not notified:
        return "fail", "Every journey was judged, and not everybody who must hear of it was told."
    return ("success" if judged else "fail"), ""


def _beat(project: Project, signal: Signal, target: str, slot: int, text: str = "") -> None:
    if project.config.heartbeat.url:
        url = read_secret("heartbeat", project.environ, source=project.config.heartbeat.url, root=project.root)
        record = project.folder / "heartbeat.jsonl"
        Heartbeat(url, record, timeout_s=project.config.heartbeat.timeout_s).send(signal, f"{target}-{slot}", text)


_TOTAL_S = 8.0


def send_telemetry(project: Project, verdict: Verdict, coverage: Coverage | None) -> list[str]:
    """Send the verdict wherever ``[telemetry]`` says; each place has eight seconds in all, and none stops another."""
    table = project.config.telemetry

    def address(key: str, source: str) -> str:
        return read_address(f"telemetry.{key}", project.environ, source=source, root=project.root)

    def spans() -> None:
        from synthprobe.report.telemetry import export_spans  # most projects send none

        export_spans(address("otlp_url", table.otlp_url), verdict)

    def metrics() -> None:
        from synthprobe.report.telemetry import write_metrics

        write_metrics(project.root / table.metrics_folder / f"synthprobe-{verdict.run.target}.prom", verdict, coverage)

    def push() -> None:
        from synthprobe.report.telemetry import push_metrics

        push_metrics(address("push_url", table.push_url), verdict, coverage)

    wanted: tuple[tuple[str, str, Callable[[], None]], ...] = (
        ("otlp_url", table.otlp_url, spans),
        ("metrics_folder", table.metrics_folder, metrics),
        ("push_url", table.push_url, push),
    )
    failed = []
    for key, place, send in wanted:
        try:
            if place:
                within(_TOTAL_S, f"[telemetry] {key}", send, spare_s=SPARE_S)
        except (SynthprobeError, OSError) as error:
            failed.append(str(error))
    return failed
