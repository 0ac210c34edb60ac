"""What a signal to end does to a command."""

import subprocess
import sys

import pytest

DROPPED = """
import os, signal, sys
from synthprobe.deadlines import unwind_when_asked

class Last:
    def __del__(self):  # Python drops what is raised here
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))

unwind_when_asked()
try:
    Last()
    signal.pause()
except KeyboardInterrupt:
    print("ended")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_that_comes_where_python_drops_what_is_raised_ends_the_command_all_the_same(name):
    done = subprocess.run(
        [sys.executable, "-c", DROPPED, name], capture_output=True, text=True, timeout=250, check=False
    )
    assert (done.stdout, done.stderr) == ("ended\n", "")
