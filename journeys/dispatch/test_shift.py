"""J12 and J14: a shift begins with the right roles and units, and its report is right."""

import re

import pytest
from playwright.sync_api import Page

from synthprobe import Api, step

DISPATCHER = {"incident.create", "incident.change", "incident.read", "unit.status", "unit.read", "search"}


@pytest.mark.journey(
    id="shift-start", owner="shift-lead", severity="blocker", runbook="shift-start", uses_per_day=40, budget="20s"
)
def test_dispatchers_may_do_the_work(sign_in, watch: Api):
    """Each dispatcher logs in, may do the work, and sees what the supervisor sees"""
    for user in ("dispatcher1", "dispatcher2"):
        with step(f"{user} logs in", budget="3s"):
            desk = sign_in(user)
        with step("the role allows the work", budget="2s", checks="grant"):
            me = desk.get("/api/me").expect(200).json_has("grants", name=user, role="dispatcher").json
            assert set(me["grants"]) == DISPATCHER, f"the grants differ by {sorted(set(me['grants']) ^ DISPATCHER)}"
            assert len(me["grants"]) == len(DISPATCHER), f"a grant is there twice: {me['grants']}"
        with step("the lists are those of the supervisor", checks="grant"):
            for path, name, key in (("/api/incidents", "incidents", "number"), ("/api/units", "units", "id")):
                mine, theirs = (
                    {
                        row[key]
                        for row in reader.get(path).expect(200).json_rows(name, key=key, at_least=0)
                        if not row["synthetic"]
                    }
                    for reader in (desk, watch)
                )
                assert mine == theirs, f"{name}: {sorted(mine ^ theirs)} are not seen by both"


@pytest.mark.journey(id="role-limits", owner="shift-lead", severity="normal", runbook="role-limits", uses_per_day=20)
@pytest.mark.mutates("unit")
def test_a_visitor_may_read_and_no_more(sign_in, new_incident):
    """A visitor may read, and may not write; only an administrator administers"""
    path = f"/api/incidents/{new_incident()}"
    with step("log in", budget="3s"):
        visitor = sign_in("readonly")
    with step("the board can be read"):
        visitor.get("/api/units").expect(200).json_rows("units", key="id")
    with step("nothing can be written", checks="grant"):
        visitor.post("/api/incidents", json={"address": "1 Probe Lane", "client_token": "v", "synthetic": True}).expect(
            403
        )
        visitor.post("/api/units/SYN-06/status", json={"status": "Cleared"}).expect(403)
        for action in ("notes", "close", "reopen", "assign"):
            visitor.post(f"{path}/{action}", json={"text": "Synthetic", "unit": "SYN-06"}).expect(403)
        visitor.patch(path, json={"priority": 4}).expect(403)
        visitor.delete(path).expect(403)
        visitor.post("/api/units/SYN-06/logon").expect(403)
        visitor.post("/api/units/SYN-06/position", json={"lat": 47.63, "lng": -122.27}).expect(403)
    with step("nor what is the administrator's, by anybody else", checks="grant"):
        for user in ("readonly", "unit-syn01", "dispatcher1", "supervisor"):
            reader = visitor if user == "readonly" else sign_in(user)
            for what in ("settings", "grants", "accounts", "preferences", "log"):
                reader.get(f"/api/admin/{what}").expect(403)
    with step("a crew takes no calls", checks="grant"):
        crew = sign_in("unit-syn01")
        crew.post("/api/incidents", json={"address": "1 Probe Lane", "client_token": "c", "synthetic": True}).expect(
            403
        )


@pytest.mark.journey(
    id="closed-doors", owner="shift-lead", severity="critical", runbook="closed-doors", uses_per_day=40
)
def test_nothing_is_shown_to_who_is_not_logged_in(page: Page, log_in, new_api):
    """Nothing is shown without a log-in, with a wrong password, or after logging out"""
    shown = (
        "/api/incidents",
        "/api/units",
        "/api/activity",
        "/api/search?kind=person&q=Proba",
        "/api/me",
        "/api/stream",
    )
    stranger = new_api()
    with step("nothing without a log-in", checks="rule"):
        for path in shown:
            stranger.get(path).expect(401)
    with step("nor with a wrong password", checks="rule"):  # the right one below ends what counts wrong ones
        stranger.post("/api/login", json={"username": "dispatcher1", "password": "wrong"}).expect(401)
        stranger.post("/api/login", json={"username": "nobody", "password": ""}).expect(401)
    with step("log in, and out again", budget="5s"):
        log_in(page, "dispatcher1")
        (session,) = [cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "session"]
        page.get_by_role("link", name="Log out").click()
        page.wait_for_url("**/login")
    with step("the session is over, also for who kept it", checks="rule"):
        stranger.session.headers["Authorization"] = f"Bearer {session}"
        stranger.get("/api/me").expect(401)
        page.goto("/board")
        page.wait_for_url("**/login")


@pytest.mark.journey(id="unit-logon", owner="fleet-desk", severity="critical", runbook="unit-logon", uses_per_day=200)
@pytest.mark.mutates("unit")
def test_a_crew_logs_on_to_its_unit(sign_in, unit_log):
    """A crew logs on to its unit, and is the only one there"""
    crew = sign_in("unit-syn01")
    with step("log on to SYN-01", budget="2s"):
        unit = crew.post("/api/units/SYN-01/logon").expect(200).json
    with step("nobody else is logged on to it", checks="account"):
        assert unit["crew"] == ["unit-syn01"], f"logged on to SYN-01 are {unit['crew']}"
        crew.get("/api/units/SYN-01").expect(200).json_has(crew=["unit-syn01"])
        crew.get("/api/me").expect(200).json_has(name="unit-syn01", role="unit", unit="SYN-01")
    with step("the log says so"):
        texts = [entry["text"] for entry in unit_log("SYN-01")]
        assert "unit-syn01 logged on to SYN-01" in texts, f"the log says {texts[-3:]}"


@pytest.mark.journey(
    id="interval-report", owner="shift-lead", severity="normal", runbook="interval-report", uses_per_day=12
)
@pytest.mark.mutates("incident")
def test_the_interval_report_is_right(sign_in, new_incident):
    """The supervisor's interval report is complete, plausible and free of synthetic incidents"""
    watch = sign_in("supervisor")

    def read() -> list[dict]:
        rows = watch.get("/api/reports/intervals").expect(200).json_rows(
            "rows", key="type", has=("incidents", "to_dispatch_s", "to_scene_s"), order=("type",)
        )  # fmt: skip
        return rows

    with step("open the report", budget="3s"):
        page = watch.get("/reports/intervals").expect(200).text
        rows = read()
    with step("the page shows what the API says"):
        shown = re.findall("<tr>" + "<td>(.*?)</td>" * 4, page)
        want = [
            (row["type"], str(row["incidents"]), f"{row['to_dispatch_s']} s", f"{row['to_scene_s']} s") for row in rows
        ]
        assert shown == want, f"the page shows {shown}, {want} was expected"
    with step("the report has a row for every type of call", checks="rule"):
        offered = watch.get("/board").expect(200).text.partition('<select name="type">')[2].partition("</select>")[0]
        types = re.findall("<option>(.*?)</option>", offered)
        missing = sorted(set(types) - {row["type"] for row in rows})
        assert types, "the board offers no type of call"
        assert not missing, f"{missing} are missing"
    with step("its figures are plausible", checks="rule"):
        for row in rows:
            assert 5 < row["to_dispatch_s"] < 3600, f"{row['type']}: {row['to_dispatch_s']} s to dispatch"
            assert 30 < row["to_scene_s"] < 3600, f"{row['type']}: {row['to_scene_s']} s to the scene"
    with step("a synthetic incident does not count", checks="rule"):
        number = new_incident()
        watch.post(f"/api/incidents/{number}/close", json={"disposition": "Handled"}).expect(200)
        again = read()
        assert again == rows, f"with a synthetic incident it is {again}, before it was {rows}"
