"""``python -m synthprobe_demo``: serve, and print the address as one line of JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json

from synthprobe_demo.centre import Address, serve


def _print(address: Address) -> None:
    print(json.dumps(dataclasses.asdict(address)), flush=True)  # noqa: T201 - read by whoever started us


parser = argparse.ArgumentParser(prog="python -m synthprobe_demo", description=__doc__)
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--control-port", type=int, default=0)
arguments = parser.parse_args()
serve(port=arguments.port, control_port=arguments.control_port, ready=_print)
