"""The documentation cannot drift: examples run, and whatever can be typed has a heading."""

from __future__ import annotations

import doctest
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import msgspec.inspect
import pytest
import typer

import synthprobe
from synthprobe.cli.main import app, command_names, commands
from synthprobe.config import Config, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.hooks import Hooks
from synthprobe.plugin.options import MARKER
from synthprobe_demo.faults import DECOYS, NAMES

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    for path in (ROOT / "src" / "synthprobe").rglob("*.py")
    if ">>> " in path.read_text()
)


def headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ `([^`]+)`", (ROOT / "docs" / "reference" / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    found = doctest.testmod(importlib.import_module(name))
    assert (found.failed, found.attempted > 0) == (0, True)


def keys(record: type[msgspec.Struct], place: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(record):
        kind = msgspec.inspect.type_info(field.type)
        if isinstance(kind, msgspec.inspect.UnionType):  # a table that may be left out
            yield place + field.name
            kind = next(type_ for type_ in kind.types if not isinstance(type_, msgspec.inspect.NoneType))
        if isinstance(kind, msgspec.inspect.StructType):
            yield from keys(kind.cls, f"{place}{field.name}.")
        elif isinstance(kind, msgspec.inspect.DictType) and isinstance(kind.value_type, msgspec.inspect.StructType):
            yield from keys(kind.value_type.cls, f"{place}{field.name}.NAME.")
        elif isinstance(kind, msgspec.inspect.VarTupleType) and isinstance(kind.item_type, msgspec.inspect.StructType):
            yield from keys(kind.item_type.cls, f"{place}{field.name}.")
        elif place + field.name != "targets.NAME.name":
            yield place + field.encode_name


def test_every_configuration_key_has_a_heading():
    there, wanted = headings("configuration.md"), set(keys(Config))
    tables = {heading for heading in there if any(key.startswith(f"{heading}.") for key in wanted)}
    assert there - tables == wanted - tables


def test_every_argument_of_the_marker_has_a_heading():
    assert headings("marker.md") == set(re.findall(r"\w+", MARKER.split("(")[1].split(")")[0]))


def test_every_command_has_a_heading():
    listed = set()
    for name, command in commands().items():
        listed.add(f"synthprobe {name}")
        listed |= {f"synthprobe {name} {inner}" for inner in getattr(command, "commands", {})}
    assert headings("cli.md") == listed


def test_the_commands_are_few():
    """Thirty that can be typed, with those of groups that do something by themselves."""
    leaves = command_names()
    leaves |= {f"synthprobe {name}" for name, command in TOP.items() if getattr(command, "invoke_without_command", 0)}
    assert len(leaves) <= 30, sorted(leaves)


def test_every_hook_has_a_heading():
    assert headings("hooks.md") == {name for name in vars(Hooks) if name.startswith("synthprobe_")}


def test_every_fault_and_every_decoy_has_a_heading():
    assert headings("demo.md") == {*NAMES, *DECOYS}


def test_every_journey_of_the_centre_is_listed():
    page = (ROOT / "docs" / "reference" / "demo.md").read_text().split("## Journeys")[1]
    written = "".join(path.read_text() for path in (ROOT / "journeys" / "dispatch").glob("test_*.py"))
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == set(re.findall(r'\bid="([a-z-]+)"', written))


PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder, pattern in ((ROOT, "*.md"), (ROOT / "docs", "**/*.md"), (ROOT / "runbooks", "**/*.md"))
    for path in folder.glob(pattern)
)


def links(page: str) -> list[tuple[Path, str]]:
    """Each link of a page within the repository: the file, and the anchor in it."""
    found = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(ROOT / page)):
        place, _, anchor = link.partition("#")
        if "://" not in link and not link.startswith("mailto:"):
            found.append(((ROOT / page).parent.joinpath(place).resolve() if place else ROOT / page, anchor))
    return found


def without_code(path: Path) -> str:
    return re.sub(r"^ *```.*?^ *```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+?)\s*$", without_code(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", title).lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", PAGES)
def test_links_lead_somewhere(document):
    for place, anchor in links(document):
        assert place.exists(), f"{document} links to {place}, which is not there"
        assert not anchor or anchor in anchors(place), f"{place} has no heading for #{anchor}"


def test_every_page_is_reached_from_the_index():
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.is_relative_to(ROOT / "docs"):
            reached.add(page)
            waiting += [place for place, _ in links(page.relative_to(ROOT).as_posix())]
    assert set((ROOT / "docs").rglob("*.md")) - reached == set()


def test_every_name_an_author_imports_has_a_heading():
    there = {re.split(r"\W", heading)[0] for heading in headings("library.md")}
    assert there == set(synthprobe.__all__)


def typed(page: str) -> Iterator[list[str]]:
    """Each command of ours that a page shows, as words: lines of code blocks, and code within a sentence."""
    text = (ROOT / page).read_text("utf-8")
    if not page.endswith(".md"):  # a workflow, a Makefile, a deployment: any line may hold one
        text = f"```\n{text}\n```"
    blocks = re.findall(r"^ *```(?:sh|bash|console)?\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *re.findall(r"`(synthprobe [^`]+)`", text)]:
        found = re.search(r"(?:^|[\s/;&({])synthprobe ([a-z-].*)", line)
        if found and not line.lstrip().startswith("#"):
            yield re.split(r"\s#|[;|&>]|\s—", found[1])[0].split()


SHOWN = [
    *PAGES,
    "Makefile",
    *(
        path.relative_to(ROOT).as_posix()
        for folder in (
            ".github/workflows",
            "deploy",
            "src/synthprobe/cli/scaffold",
            "src/synthprobe/firstline",
            "benchmarks",
        )
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in {".yml", ".yaml", ".md"}
    ),
]


@pytest.mark.parametrize(
    "document", [document for document in SHOWN if "synthprobe " in (ROOT / document).read_text("utf-8")]
)
def test_every_command_and_option_that_is_shown_exists(document):
    for words in typed(document):
        command, rest = typer.main.get_command(app), list(words)
        if rest and rest[0] in TOP:
            command = TOP[rest.pop(0)]
        while rest and hasattr(command, "commands") and not rest[0].startswith(("-", "[")):
            assert rest[0] in command.commands, f"{document}: there is no command `synthprobe {' '.join(words)}`"
            command = command.commands[rest.pop(0)]
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        for word in rest:
            name = word.strip("[](),.").split("=")[0]
            assert not re.match(r"--?[a-z]", name) or name in known, (
                f"{document}: `synthprobe {' '.join(words)}`: {name}"
            )


TOP = commands()


def test_every_command_that_a_sentence_of_ours_names_exists():
    for path in (path for kind in ("*.py", "*.j2") for path in sorted((ROOT / "src").rglob(kind))):
        for name, inner in re.findall(
            r"(?:`|: |with |>)synthprobe ([a-z]+)\b(?: ([a-z]+)\b)?", path.read_text("utf-8")
        ):
            assert name in TOP, f"{path}: there is no command `synthprobe {name}`"
            known = getattr(TOP[name], "commands", {})
            assert not inner or not known or inner in known, f"{path}: there is no command `synthprobe {name} {inner}`"


BLOCKS = [
    (page, number, code)
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S))
]


@pytest.mark.parametrize(("document", "number", "code"), BLOCKS, ids=lambda value: str(value)[:40].split("\n")[0])
def test_python_examples_hold(document, number, code):
    """A session is run, a whole file is loaded, and a fragment is at least Python that imports what is there."""
    name = f"{document}, Python example {number + 1}"
    if ">>> " in code:
        example = doctest.DocTestParser().get_doctest(code, {}, name, document, 0)
        assert doctest.DocTestRunner().run(example).failed == 0
    elif re.search(r"^(from|import) ", code, re.MULTILINE):
        exec(compile(code, name, "exec"), {"__name__": "example"})
    else:
        compile(code, name, "exec")


def settings(text: str) -> Iterator[str]:
    """The examples of a page that are parts of `synthprobe.toml`; what an example leaves out is given."""
    known = {field.encode_name for field in msgspec.structs.fields(Config)}
    for code in re.findall(r"^```toml\n(.*?)^```", text, re.M | re.S):
        given = tomllib.loads(code)
        for name, target in given.get("targets", {}).items():
            if isinstance(target, dict) and "base_url" not in target:
                address, head = '\nbase_url = "https://shop.example"\n', f"[targets.{name}]"
                code = code.replace(head, head + address) if head in code else f"{code}\n{head}{address}"
        if set(given) <= known:
            yield code


def test_every_configuration_that_is_shown_can_be_used(tmp_path):
    examples = [(page, code) for page in PAGES for code in settings((ROOT / page).read_text("utf-8"))]
    assert {"guides/company-network.md", "guides/logins.md", "guides/test-data.md"} <= {
        page.removeprefix("docs/") for page, _ in examples
    }
    for page, code in examples:
        (tmp_path / "synthprobe.toml").write_text(code, "utf-8")
        try:
            read_config(tmp_path)
        except ConfigurationError as error:
            pytest.fail(f"{page}: {error}")
