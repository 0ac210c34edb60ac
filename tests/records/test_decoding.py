"""A kind of record may be read first by several threads at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

READS = """
import sys, threading
import msgspec
from synthprobe.records.decoding import from_json, from_msgpack, from_values

beside = threading.Thread(target=lambda: READ())
is_first = True

def prepared():
    global is_first
    if is_first:
        is_first = False
        beside.start()
        beside.join(0.5)  # it waits for its turn, or reads what is half prepared
    return int

class Inner(msgspec.Struct):
    number: "prepared()"

class Outer(msgspec.Struct):
    inner: Inner

written = Outer(Inner(7))
READ = lambda: seen.append({read})
seen = []
READ()
beside.join()
assert seen == [written, written], seen
"""


@pytest.mark.parametrize(
    "read",
    [
        "from_json(msgspec.json.encode(written), Outer)",
        "from_msgpack(msgspec.msgpack.encode(written), Outer)",
        "from_values({'inner': {'number': 7}}, Outer)",
    ],
)
def test_two_threads_that_read_the_first_record_of_a_kind_both_get_it(read):
    done = subprocess.run([sys.executable, "-c", READS.replace("{read}", read)], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)
