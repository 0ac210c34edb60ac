"""A tool of another maker that does not come to its end, and what it started."""

import psutil

from synthprobe import eventually
from synthprobe.tools import tool_failure


def test_a_tool_without_end_ends_with_what_it_started(tmp_path):
    started = tmp_path / "started"
    command = ["sh", "-c", f"sleep 600 & echo $! > {started}.part; mv {started}.part {started}; wait"]
    assert tool_failure(command, timeout_s=1) == "no end after 1 s"
    program = int(started.read_text())

    def is_over() -> bool:
        return not psutil.pid_exists(program) or psutil.Process(program).status() == psutil.STATUS_ZOMBIE

    eventually(is_over, within="10s")
