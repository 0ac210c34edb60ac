"""The names that are this project's own, so that nothing the target issues can mask them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from synthprobe.plugin.options import is_journey_path, journey_of, project_of, project_root
from synthprobe.records import evidence
from synthprobe.targets.target import Target

_STEP = re.compile(r"""\bstep\(\s*[rRfFuU]*(\"{3}|'{3}|"|')(.*?)\1""", re.DOTALL)
_USER_INFO = re.compile(r"//[^/@\s]*@")


def own_names(
    config: pytest.Config, target: Target, run: tuple[Path, str], items: Iterable[pytest.Item]
) -> Iterator[str]:
    """Names of journeys, steps, targets, hosts, places and fields of evidence, and what the configuration says."""
    root = project_root(config)
    yield from (str(root), str(run[0]), run[1], _without_user(target.base_url))
    for record in vars(evidence).values():
        yield from getattr(record, "__struct_fields__", ())
    yield from map(_without_user, _texts(msgspec.to_builtins(project_of(config).config)))
    for item in items:
        yield item.nodeid
        if is_journey_path(config, item.path):
            journey = journey_of(item)
            yield from (journey.id, journey.node_id, journey.title)
    for source in _sources(root):
        for _, title in _STEP.findall(source):
            yield from re.split(r"\{.*?\}", title)


def _sources(root: Path) -> Iterator[str]:
    """The project's own modules, as far as they are imported; steps stand in helpers of journeys too."""
    inside = f"{root}{os.sep}"
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if path.startswith(inside) and path.endswith(".py") and "site-packages" not in Path(path).parts:
            try:
                yield Path(path).read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (*_texts(key), *_texts(inner))
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _without_user(address: str) -> str:
    return _USER_INFO.sub("//", address)
