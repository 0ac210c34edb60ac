"""SSH keys of people, and files that say whose signatures count."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path


def make_keys(folder: Path, known: Sequence[str], stranger: str = "stranger") -> list[str]:
    """Make a key for each name, and the file ``signers`` of those that are known; its lines."""
    for name in (*known, stranger):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name]
        subprocess.run(command, check=True, timeout=30)
    lines = [f'{name}@desk namespaces="synthprobe" {(folder / f"{name}.pub").read_text()}' for name in known]
    (folder / "signers").write_text("".join(lines))
    return lines
