"""Which open incident a failure belongs to, run after run: a cause that spreads is one, another cause is another."""

from datetime import timedelta

from msgspec.structs import replace
from test_page_and_api import RUN, missed, passed, refused
from verdicts import NOW

from synthprobe.alerts.message import threads
from synthprobe.firstline.naming import explain, name_incidents
from synthprobe.records.finding import Sought
from synthprobe.records.verdict import Verdict
from synthprobe.triage.observations import observe
from synthprobe.verdict.isolation import Isolation


class Night:
    """Runs of one target, five minutes apart; what is open goes into the next one."""

    def __init__(self):
        self.slot, self.known, self.seen = 0, {}, {}

    def run(self, *journeys):
        """The journeys of a run by their incidents, each called by the number in which it opened."""
        self.slot += 1
        at = NOW + timedelta(minutes=5 * self.slot)
        judged = Verdict(
            run=replace(RUN, id=f"r{self.slot}", slot=self.slot, started_at=at), journeys=journeys, finished_at=at
        )
        judged = explain(judged, (), Isolation())
        named = name_incidents(judged, (), self.open(), self.seen, at, Isolation())
        self.known |= {incident.id: incident for incident in named.incidents}
        for observation in observe(judged):
            self.seen[observation.journey] = (*self.seen.get(observation.journey, ()), observation)
        numbers = {id: number for number, id in enumerate(self.known, start=1)}
        return {j.journey.id: numbers[j.incident] for j in named.verdict.journeys if j.incident}

    def open(self):
        return [incident for incident in self.known.values() if incident.state != "resolved"]


def address_gone(name="address"):
    return refused(name, "GET", "/addresses/17", 404, checks="sentinel")


def down(name, path):
    return refused(name, "GET", path, 502)


ALL_DOWN = (down("address", "/addresses/17"), down("search", "/find"), down("board", "/board"))


def test_what_breaks_every_journey_is_another_incident_than_the_address_that_was_gone_before():
    night = Night()
    assert night.run(address_gone(), passed("search"), passed("board")) == {"address": 1}
    assert night.run(*ALL_DOWN) == {"address": 2, "search": 2, "board": 2}
    gone, outage = night.known.values()
    assert (gone.title.split(",")[0], outage.title.split(",")[0]) == ("address", "board")
    assert "502" in outage.triage.why
    assert threads(gone).isdisjoint(threads(outage)), "so that people are told of it at once"


def test_an_outage_is_over_although_an_address_is_gone_still():
    night = Night()
    night.run(address_gone(), passed("search"), passed("board"))
    night.run(*ALL_DOWN)
    for _ in range(2):
        assert night.run(address_gone(), passed("search"), passed("board")) == {"address": 1}
    gone, outage = night.known.values()
    assert (gone.state, outage.state) == ("open", "resolved")
    for _ in range(2):
        night.run(passed("address"), passed("search"), passed("board"))
    assert night.open() == []


def test_who_cannot_be_looked_at_keeps_the_incident_open():
    night = Night()
    night.run(*ALL_DOWN)
    unseen = replace(passed("address"), outcome="unknown", results=())
    for _ in range(3):
        night.run(unseen, passed("search"), passed("board"))
    assert "failing" in {incident.kind for incident in night.open()}


def test_the_same_words_on_a_page_are_another_incident_where_everybody_is_refused_now():
    row = missed("desk", 'heading "Desk" [level=1]', 'button "New"', "text: nothing here")
    night = Night()
    assert night.run(row, passed("search"), passed("board")) == {"desk": 1}
    excuse = missed("desk", 'heading "502 Bad Gateway" [level=1]', "separator", "text: nginx/1.22.1")
    assert night.run(excuse, *ALL_DOWN[1:]) == {"desk": 2, "search": 2, "board": 2}


def test_a_failure_that_spreads_is_one_incident():
    def broken(name):
        return refused(name, "GET", f"/{name}", 500, got=f"{name} cannot be shown")

    night = Night()
    assert night.run(broken("search"), passed("board"), passed("desk")) == {"search": 1}
    everybody = broken("search"), broken("board"), broken("desk")
    assert night.run(*everybody) == {"search": 1, "board": 1, "desk": 1}
    assert night.run(*everybody[:2], passed("desk")) == {"search": 1, "board": 1}


def test_a_journey_alone_that_shows_its_step_in_other_words_stays_in_its_incident():
    def without(locator):
        row = missed("desk", 'heading "Desk" [level=1]', 'button "New"', "text: nothing here", locator=locator)
        finding = replace(row.results[0].failure.finding, sought=Sought(locator=locator, sight="absent", within_s=5.0))
        failure = replace(row.results[0].failure, finding=finding, message=f"{locator} expected to be visible")
        return replace(row, results=(replace(row.results[0], failure=failure),))

    night = Night()
    assert night.run(without('get_by_role("button", name="Save")'), passed("search")) == {"desk": 1}
    assert night.run(without('get_by_role("button", name="Send")'), passed("search")) == {"desk": 1}
