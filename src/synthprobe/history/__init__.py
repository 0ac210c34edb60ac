"""The memory of the monitor: what was measured and judged, incidents, the audit, messages that wait."""
