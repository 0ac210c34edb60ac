from datetime import UTC, datetime

from synthprobe.evidence.exchanges import operations, server_timing
from synthprobe.records.evidence import Exchange


def exchange(step, header):
    return Exchange(
        step=step,
        method="GET",
        url="http://demo.test/",
        request_headers={},
        request_body="",
        status=200,
        response_headers={},
        response_body="",
        started_at=datetime.now(UTC),
        duration_ms=1,
        server_timing=server_timing(header),
    )


def test_operations_are_summed_by_step_and_named_by_their_query():
    seen = [
        exchange("search", 'db;dur=10;desc="n=3", query;dur=8;desc="SELECT a, b FROM archive WHERE x = ?"'),
        exchange("search", 'db;dur=20;desc="n=900"'),
        exchange("open", "db;dur=1"),
    ]
    found = [(o.step, o.name, o.calls, o.total_ms) for o in operations(seen)]
    assert found == [
        ("search", "db", 2, 30),
        ("search", "query SELECT a, b FROM archive WHERE x = ?", 1, 8),
        ("open", "db", 1, 1),
    ]
