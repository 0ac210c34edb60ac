"""Facts travel as records: no code reads a sentence of ours back.

The sentences stand in two files. Every place that looks into text with a literal (a regular expression, ``in``,
``startswith`` and the like) is searched for words that are a sentence's own.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from re import _constants as ops
from re import _parser

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "synthprobe"
HOMES = (SOURCE / "words.py", SOURCE / "journey" / "response.py")

MASKS_ONLY = {"triage/fingerprint.py", "triage/fingerprint_v1.py"}
"""They leave out of any text what differs from run to run and take no fact from it; open incidents hang on them."""

_METHODS = {
    "startswith",
    "endswith",
    "removeprefix",
    "removesuffix",
    "partition",
    "rpartition",
    "split",
    "find",
    "index",
}
_PATTERNS = {"compile", "search", "match", "fullmatch", "sub", "findall", "finditer", "split"}


def fixed_words() -> set[str]:
    """What stands in sentences of ours whatever is put into them."""
    found = set()
    for home in HOMES:
        tree = ast.parse(home.read_text("utf-8"))
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose)
        found |= {line for node in constants if isinstance(node.value, str) for line in node.value.split("\n")}
    return {words for words in found if tells(words)}


def tells(words: str) -> bool:
    """Whether words are a sentence's own: two of them, or a label, or the arrow before a status."""
    return bool(re.search(r"\w\w+:? +\S|\S +\w\w+|\w{3,}:|→", words))


def literals(node: ast.AST, constants: dict[str, ast.expr]) -> list[str]:
    """The literal texts of an argument, also behind a module's constant, in a tuple or an f-string."""
    if isinstance(node, ast.Name) and node.id in constants:
        node = constants[node.id]
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def runs(pattern: str) -> list[str]:
    """What a regular expression must find to the letter, in runs."""
    found = [""]

    def walk(parsed: object) -> None:
        for op, argument in parsed:
            if op is ops.LITERAL:
                found[-1] += chr(argument)
            elif op is ops.IN and len(argument) == 1 and argument[0][0] is ops.LITERAL:
                found[-1] += chr(argument[0][1])
            else:
                found.append("")
                parts = argument if isinstance(argument, (list, tuple)) else ()
                for part in (*parts, *(branch for inner in parts if isinstance(inner, list) for branch in inner)):
                    if isinstance(part, _parser.SubPattern):
                        walk(part)
                        found.append("")

    try:
        walk(_parser.parse(pattern))
    except re.error:  # a piece of an f-string
        return re.split(r"[\\()\[\]{}.*+?|^$]", pattern)
    return found


@functools.cache
def looks(source: str) -> list[tuple[int, str]]:
    """Every literal that text is looked through for, and its line."""
    return list(_looks(source))


def _looks(source: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for names in node.targets
        for target in (names.elts if isinstance(names, ast.Tuple) else [names])
        if isinstance(target, ast.Name)
    }
    for node in tree.body:  # several at once: A, B = "a", "b"
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Tuple)
            and isinstance(node.targets[0], ast.Tuple)
        ):
            constants |= {n.id: v for n, v in zip(node.targets[0].elts, node.value.elts, strict=True)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            if not isinstance(node.comparators[0], (ast.Set, ast.Tuple, ast.List, ast.Dict)):
                yield from ((node.lineno, text) for text in literals(node.left, constants))
        elif isinstance(node, ast.Call) and node.args:
            of_re = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"
            if of_re and node.func.attr in _PATTERNS:
                yield from ((node.lineno, run) for text in literals(node.args[0], constants) for run in runs(text))
            elif isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
                yield from ((node.lineno, text) for text in literals(node.args[0], constants))
            elif isinstance(node.func, ast.Name):  # a function of the module that looks for what it is given
                yield from ((node.lineno, text) for text in _handed(node, tree, constants))


def _handed(call: ast.Call, tree: ast.Module, constants: dict[str, ast.expr]) -> Iterator[str]:
    for made in tree.body:
        if isinstance(made, ast.FunctionDef) and made.name == call.func.id:
            names = [argument.arg for argument in made.args.args]
            looked_for = {
                argument.id
                for node in ast.walk(made)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS
                for argument in node.args
                if isinstance(argument, ast.Name)
            }
            for name, given in zip(names, call.args, strict=False):
                if name in looked_for:
                    yield from literals(given, constants)


def reads_ours(source: str, words: set[str]) -> list[tuple[int, str]]:
    """Where a source looks for words of our own sentences."""
    return [
        (line, text)
        for line, text in looks(source)
        if tells(text)
        and any(text.strip() in spelling or spelling in text for ours in words for spelling in (ours, ours.casefold()))
    ]


def test_no_code_reads_a_sentence_of_ours():
    words = fixed_words()
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {text!r}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path not in HOMES and str(path.relative_to(SOURCE)) not in MASKS_ONLY
        for line, text in reads_ours(path.read_text("utf-8"), words)
    ]
    assert not found, "Make what is read here a field of its record (records/finding.py):\n" + "\n".join(found)


def test_no_code_reads_three_words_of_any_sentence_in_the_source():
    sources = {path: path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    texts = (text for source in sources.values() for text in literals(ast.parse(source), {}))
    lines = {line for text in texts for line in text.split("\n") if not re.search(r"[|\\]", line)}  # no patterns
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {text!r}"
        for path, source in sources.items()
        if str(path.relative_to(SOURCE)) not in MASKS_ONLY
        for line, text in looks(source)
        if len(text.split()) >= 3
        and any(text.strip() in sentence and text.strip() != sentence.strip() for sentence in lines)
    ]
    assert not found, "Make what is read here a field of a record:\n" + "\n".join(found)


def test_what_a_step_is_measured_in_is_read_from_its_record():
    knows = [path for path in SOURCE.rglob("*.py") if re.search(r"\((LCP|CLS|INP)\)", path.read_text("utf-8"))]
    assert knows == [SOURCE / "browser" / "vitals.py"], "Read the field vital of the step instead of its title."


@pytest.mark.parametrize(
    "source",
    [
        '_FUTURE = re.compile(r"comes from (\\d+) s in the future")',
        'told = "a clock is wrong" in failure.message',
        '_EXCHANGE = re.compile(r"(?P<method>[A-Z]+) (?P<url>\\S+) → (?P<status>\\d{3})")',
        '_WAITED = re.compile(r"Not within [^:]*: ")',
        'found = expected.startswith("JSON with ")',
        'got = line.removeprefix("got:      ")',
        '_E, _G = "expected: ", "got: "\ndef after(start, text):\n    text.startswith(start)\nx = after(_E, text)',
        '_SAID = re.compile(r"The runbook ([\\w-]+): (helped|outdated|missing)\\.")',
        'late = "was not answered in full" in str(error)',
        'after = text.partition("tried again after ")[2]',
    ],
)
def test_the_search_finds_what_used_to_be_read(source):
    assert reads_ours(source, fixed_words())


@pytest.mark.parametrize(
    "source",
    [
        'shown = first.startswith("Locator expected")',
        'gone = "Connection refused" in text',
        '_ACCOUNT = re.compile(r"expired|locked|must change")',
        'kind = "json" in content_type',
        'known = name in {"The runbook", "expected: "}',
    ],
)
def test_the_search_leaves_alone_what_others_say(source):
    assert not reads_ours(source, fixed_words())
