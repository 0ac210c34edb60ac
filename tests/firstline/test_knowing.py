"""A runbook knows its own failure; what is wider is offered in general, and what fits nothing gets no page."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from synthprobe.errors import ConfigurationError
from synthprobe.firstline.matching import Subject, match
from synthprobe.firstline.runbook_lint import Known, covered, lint
from synthprobe.firstline.runbooks import read_runbook
from synthprobe.firstline.score_set import read_score_set, sampled, write_score_set

TODAY = date(2026, 6, 1)
TEXT = (Path(__file__).parents[2] / "src/synthprobe/cli/scaffold/demo/runbooks/sign-in-page.md").read_text()
BODY = TEXT.split("\n---\n", 1)[1]

SEEN = Subject(
    journey="order",
    step="pay",
    kind="expectation",
    message="POST http://shop/api/orders/17 → 500\nexpected: status 201\ngot:      status 500: the ledger is closed",
    fingerprint="v2:0123456789abcdef",
    cause_class="infra",
    rule="unreachable",
    checks="rule",
    requests=("POST /api/orders/17",),
    default="orders",
)


@pytest.fixture
def page(tmp_path: Path):
    """Writes a page for a failure, and reads it."""

    def write(id: str, matches: str, *, cause: str = "infra", symptom: str = ""):
        path = tmp_path / f"{id}.md"
        front = f"id: {id}\ntitle: It is so\nowner: desk\naudience: first-line\nseverity: normal\nclass: {cause}\n"
        path.write_text(f"---\n{front}matches: {matches}\nlast_exercised: never\n---\n{BODY}\n{symptom}\n")
        return read_runbook(path, tmp_path)

    return write


def test_the_closest_evidence_is_the_runbook_and_what_is_next_is_named(page):
    pages = {
        "exact": page("exact", '{knows: [{fingerprint: "v2:0123456789abcdef"}]}'),
        "closer": page("closer", '{knows: [{rule: unreachable, request: "POST /api/orders/*", message: ledger}]}'),
        "close": page("close", '{knows: [{rule: unreachable, request: "POST /api/orders/*"}]}'),
        "words": page("words", "{knows: [{message: the ledger is closed}]}"),
        "wide": page("wide", "{general_for: [{class: infra}]}"),
        "orders": page("orders", "{general_for: [{journey: order}]}"),
    }
    order = list(pages)
    found = [match([pages[id] for id in order[place:]], SEEN) for place in range(len(order))]
    assert [(choice.known, choice.offered) for choice in found] == [
        ("exact", ""),
        ("closer", ""),
        ("close", ""),
        ("words", ""),
        ("", "wide"),
        ("", "orders"),
    ]
    assert [choice.runner_up for choice in found] == [*order[1:], ""]
    assert found[2].why == "It knows this failure: rule is unreachable, request is POST /api/orders/*."
    assert found[4].why == "General page where class is infra. No runbook knows this failure."
    assert found[5].why == "General page for order. No runbook knows this failure."
    assert not match([], SEEN).known


@pytest.mark.parametrize(
    ("matches", "known"),
    [
        ("{labels: [{checks: rule}]}", False),
        ("{labels: [{rule: unreachable}]}", False),
        ("{labels: [{journey: order, class: infra}]}", False),
        ("{default_for: [order]}", False),
        ('{labels: [{rule: unreachable, request: "POST /api/orders/*"}]}', True),
        ('{messages: ["ledger is \\\\w+"]}', True),
        ('{messages: ["orders/\\\\d+"]}', True),
        ('{fingerprints: ["v2:0123456789abcdef"]}', True),
        ('{knows: [{rule: unreachable, request: "POST /api/stock/*"}]}', None),
        ("{knows: [{rule: cached, message: ledger}]}", None),
    ],
)
def test_what_is_wide_does_not_know_a_failure_also_by_former_names(page, matches, known):
    found = match([page("it", matches)], replace(SEEN, default=""))
    assert (found.known, found.offered) == (("it", "") if known else ("", "it" if known is False else ""))


def test_words_alone_do_not_outweigh_evidence_for_another_class(page):
    words, matches = page("it", "{knows: [{message: ledger}]}", cause="code"), "{knows: [{rule: '*', message: ledger}]}"
    assert match([words], SEEN).known == ""
    assert match([words], replace(SEEN, cause_class="unknown")).known == "it"
    assert match([page("it", matches, cause="code")], SEEN).known == "it"


def test_a_fault_of_the_probe_never_leads_to_a_page_of_the_target(page):
    target = page("target", "{knows: [{message: ledger}], general_for: [{journey: order}]}")
    probe = page("probe", "{general_for: [{class: probe}]}", cause="probe")
    ours = replace(SEEN, ours=True, cause_class="probe", runbook="target")
    assert (match([target], ours).known, match([target], ours).offered) == ("", "")
    assert match([target, probe], ours).offered == "probe"
    assert match([probe], SEEN).offered == ""


def test_a_draft_knows_nothing_and_covers_nothing(page):
    unfinished = page("it", "{knows: [{message: ledger}]}", symptom="TODO")
    assert match([unfinished], SEEN).known == ""
    assert covered([unfinished], Known(journeys={"order": "it"})) == (0, 1)


@pytest.mark.parametrize(
    ("matches", "says"),
    [
        (
            "{knows: [{checks: rule}]}",
            "which identifies no failure: name its fingerprint, a message, or a rule and the",
        ),
        ("{knows: [{rule: unreachable}]}", "which identifies no failure"),
        ("{general_for: [{step: pay}]}", "general_for has {step: pay}; a journey, a class, or both were expected."),
        ("{knows: [{message: expected}]}", "fits any 'expected: status 200', so it identifies no failure"),
        ("{knows: [{message: '('}]}", "is no regular expression"),
        ("{knows: [{colour: red, message: ledger}]}", "'colour' is no label."),
        ("{}", "It matches nothing: give knows or general_for."),
    ],
)
def test_lint_refuses_what_identifies_nothing(page, matches, says):
    found = [str(finding) for finding in lint([page("it", matches)], Known(), TODAY) if finding.error]
    assert [text for text in found if says in text], found


def test_lint_counts_the_failures_of_others_that_a_page_claims_and_refuses_any(page, tmp_path):
    right = page("right", '{knows: [{rule: unreachable, request: "POST /api/orders/*"}]}')
    greedy = page("greedy", "{knows: [{message: ledger}]}")
    other = replace(SEEN, journey="stock", requests=("GET /api/stock",))
    samples = [sampled("orders-away", "right", SEEN), sampled("stock-away", "", other)]
    write_score_set(tmp_path, "orders-away", {"order"}, samples[:1])
    write_score_set(tmp_path, "stock-away", {"stock"}, samples[1:])
    assert read_score_set(tmp_path) == tuple(samples)
    assert "17" not in samples[0].subject.message
    found = lint([right, greedy], Known(samples=samples), TODAY)
    assert [str(finding) for finding in found if finding.error] == [
        "greedy.md:1: It wrongly claims 2 of 2 failures whose page is known: orders-away (order), stock-away (stock). "
        "Narrow it."
    ]
    assert not [finding for finding in lint([right], Known(samples=samples), TODAY) if finding.error]


def test_a_drill_renews_what_was_seen_in_the_journeys_that_ran_and_keeps_the_rest(tmp_path):
    both = [sampled("orders-away", "right", replace(SEEN, journey=id)) for id in ("order", "stock")]
    now = sampled("orders-away", "right", replace(SEEN, journey="order", message="the ledger is shut"))
    write_score_set(tmp_path, "orders-away", {"order", "stock"}, both)
    write_score_set(tmp_path, "orders-away", {"order"}, [now])
    assert read_score_set(tmp_path) == (both[1], now)
    write_score_set(tmp_path, "orders-away", {"order", "stock"}, [now])  # the second ran and noticed nothing
    assert read_score_set(tmp_path) == (now,)


def test_a_score_set_that_cannot_be_read_is_a_sentence(tmp_path):
    (tmp_path / "score-set.jsonl").write_text("{")
    with pytest.raises(ConfigurationError, match="It is written by synthprobe drill --stamp; drill again"):
        read_score_set(tmp_path)


def test_former_names_are_a_notice_and_two_pages_that_know_alike_an_error(page):
    former = page("former", '{fingerprints: ["v2:0123456789abcdef"], default_for: [order]}')
    twin = page("twin", '{knows: [{fingerprint: "v2:0123456789abcdef"}]}')
    found = lint([former, twin], Known(), TODAY)
    notices = [finding.text for finding in found if not finding.error]
    assert "Former names are used: fingerprints, default_for. Write knows and general_for." in notices
    assert any("It ties with twin.md" in finding.text for finding in found if finding.error)
    assert match([former, twin], SEEN).tied == ("twin",)
