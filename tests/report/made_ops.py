"""A month of incidents, constructed so that every part of the page has something to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from synthprobe.goals.measures import measure
from synthprobe.records.incident import Incident
from synthprobe.records.measure import Page
from synthprobe.report.ops_page import OpsData

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script> " + "MessageDispatcherInstanceWithoutAnySpace" * 4


def ops_data() -> OpsData:
    incidents, pages = [], []
    for n in range(24):
        at = UNTIL - timedelta(days=28, hours=-26 * n)
        how = ("runbook", "fix", "engineer", "itself")[n % 4]
        at_end = at + timedelta(minutes=12 if how == "fix" else 55)
        incidents.append(
            Incident(
                id=f"I{n}",
                target="production",
                kind="failing",
                state="resolved",
                fingerprint=f"v1:{n % 7}" if n % 5 else "v1:odd",
                signature="",
                title='call-intake, "the other board shows it": 0 rows, 1 was expected' if n % 5 else HOSTILE,
                opened_at=at,
                first_seen_at=at,
                last_seen_at=at_end,
                resolved_at=at_end,
                resolved_how="engineer" if not n % 5 else how,
                resolved_by="dispatch-desk" if not n % 5 else ("first-line", "supervisor")[n % 2],
                resolved_mark="m" if not n % 5 else str(n),
                runbook="" if not n % 5 else "board-behind",
                reported_at=at + timedelta(minutes=n - 4) if n % 2 else None,
            )
        )
        pages.append(Page(at=at, incidents=(f"I{n}",)))
    made = measure(incidents, pages, target="production", since=UNTIL - timedelta(days=30), until=UNTIL)
    return OpsData(measures=made, made_at=UNTIL, notes=("Sent pages are kept 30 days.",))
