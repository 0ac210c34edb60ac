"""What a scheduled run tells the tools people already have: spans over OTLP, metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from synthprobe.alerts.channels import SPARE_S
from synthprobe.config import Project
from synthprobe.deadlines import within
from synthprobe.errors import SynthprobeError
from synthprobe.records.objective import Coverage
from synthprobe.records.verdict import Verdict
from synthprobe.targets.secrets import read_address

_TOTAL_S = 8.0


def send_telemetry(project: Project, verdict: Verdict, coverage: Coverage | None) -> list[str]:
    """Send the verdict wherever ``[telemetry]`` says; each place has eight seconds in all, and none stops another."""
    table = project.config.telemetry

    def address(key: str, source: str) -> str:
        return read_address(f"telemetry.{key}", project.environ, source=source, root=project.root)

    def spans() -> None:
        from synthprobe.report.otel import export_spans  # most projects send none

        export_spans(address("otlp_url", table.otlp_url), verdict)

    def metrics() -> None:
        from synthprobe.report.prometheus import write_metrics

        write_metrics(project.root / table.metrics_folder / f"synthprobe-{verdict.run.target}.prom", verdict, coverage)

    def push() -> None:
        from synthprobe.report.prometheus import push_metrics

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
