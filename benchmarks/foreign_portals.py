"""How often what triage says is so, on 40 more failures: wikis, trackers, portals, walls, licences, pages of a CDN.

    python benchmarks/foreign_portals.py [--verbose]

Each is what triage reads of one journey, as in `foreign_failures.py`. All were written before the rules were looked at
again, and scored once as they stood; docs/concepts/triage.md has both that score and the one of now.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from foreign_failures import asked, failing, fields, loaded, page, print_sums, shown, sought, status, timing, weak

from synthprobe.records.evidence import NodeCount
from synthprobe.records.finding import Finding, Refusal, Throttled
from synthprobe.triage.facts import Peer

HOME = 'get_by_role("link", name="Sign out")'
RESULTS = 'get_by_role("list", name="Results")'

FAILURES = (
    # wikis and trackers
    failing(
        "wiki: the page of the journey was moved, and nothing leads there",
        "data",
        "/wiki/Probe .*404",
        loaded("/wiki/Probe", 404, "document"),
        finding=sought('get_by_role("heading", name="Probe")'),
        checks="sentinel",
        pages=page("/wiki/Probe", 'heading "There is currently no text in this page"'),
    ),
    failing(
        "wiki: the store of the wiki is read-only while it is copied",
        "infra config",
        "(?i)read-only|503",
        loaded("/wiki/Probe", 503, "document", method="POST", reason="The database has been locked: read-only"),
        finding=sought('get_by_role("status")'),
        pages=page("/wiki/Probe", 'heading "Database locked"', 'paragraph: "The wiki is read-only"'),
    ),
    failing(
        "wiki: what was saved is seen only after the queue of jobs",
        "infra code config",
        "Second line",
        finding=shown('get_by_role("article")', "to contain text 'Second line'", "First line"),
        checks="read-after-write",
        pages=page("/wiki/Probe", 'article: "First line"'),
    ),
    failing(
        "tracker: the work flow has lost a transition, so the button is gone",
        "config",
        "Resolve",
        kind="timeout",
        finding=sought('get_by_role("button", name="Resolve")'),
        pages=page("/browse/PRB-7", 'heading "PRB-7 A ticket of the probe"', 'button "Comment"', 'button "Watch"'),
    ),
    failing(
        "tracker: a field was made mandatory by an administrator",
        "config data",
        "POST /rest/api/2/issue .*400",
        asked(
            "/rest/api/2/issue", 400, "POST", reason="customfield_10042: Cost centre is required.", credentials="token"
        ),
        finding=status("/rest/api/2/issue", 400, 201, "POST"),
    ),
    failing(
        "tracker: its licence has expired, so nothing can be created",
        "config user",
        "(?i)licence|license",
        asked(
            "/rest/api/2/issue",
            403,
            "POST",
            reason="Your license has expired. You cannot create issues.",
            credentials="token",
        ),
        finding=status("/rest/api/2/issue", 403, 201, "POST"),
    ),
    failing(
        "tracker: as a user is no member of the project any more",
        "config user",
        "/rest/api/2/project/PRB .*404",
        asked("/rest/api/2/project/PRB", 404, reason="No project could be found with key 'PRB'.", credentials="token"),
        finding=status("/rest/api/2/project/PRB", 404),
        checks="grant",
    ),
    failing(
        "tracker: the index is being built anew, so a search finds half",
        "infra data",
        "expected 12, got 5",
        asked("/rest/api/2/search", 200),
        finding=fields("/rest/api/2/search", "total: expected 12, got 5"),
        checks="rule",
    ),
    # sign-on
    failing(
        "portal: the provider of sign-on shows its own outage",
        "dependency infra",
        "/oauth2/authorize .*503|login.idp.invalid",
        loaded("/oauth2/authorize", 503, "document", host="login.idp.invalid"),
        kind="timeout",
        finding=sought('get_by_label("Password")'),
        pages=page("/oauth2/authorize", 'heading "Service unavailable"'),
    ),
    failing(
        "portal: the address to come back to is not registered",
        "config",
        "redirect_uri|/oauth2/authorize .*400",
        loaded("/oauth2/authorize", 400, "document"),
        kind="timeout",
        finding=sought('get_by_label("Password")'),
        pages=page("/oauth2/authorize", 'heading "Invalid parameter: redirect_uri"'),
    ),
    failing(
        "portal: a consent to new terms is asked of every user",
        "config user",
        "(?i)terms",
        loaded("/login", 200, "document", method="POST", credentials="password", account="probe"),
        kind="timeout",
        finding=sought(HOME),
        pages=page("/terms", 'heading "We have updated our terms"', 'checkbox "I accept"', 'button "Continue"'),
    ),
    failing(
        "portal: the account must change its password",
        "user",
        "(?i)password",
        loaded("/login", 200, "document", method="POST", credentials="password", account="probe"),
        kind="timeout",
        finding=sought(HOME),
        pages=page(
            "/password", 'alert "Your password has expired. Choose another one."', 'textbox "New"', asks_password=True
        ),
    ),
    failing(
        "portal: the session is kept by one node, and the balancer goes to another",
        "infra config",
        "/account .*401",
        asked("/login", 200, "POST", credentials="password", step="before", node="web-1"),
        asked("/account", 401, credentials="cookie", node="web-2"),
        finding=status("/account", 401),
        nodes=(NodeCount(node="web-1", answers=3, broken=0), NodeCount(node="web-2", answers=2, broken=0)),
    ),
    failing(
        "portal: a log-in goes round between two addresses",
        "config code infra",
        "redirect|/sso/start",
        loaded("/sso/start", 0, "document", reason="net::ERR_TOO_MANY_REDIRECTS"),
        kind="timeout",
        finding=sought(HOME),
    ),
    # GraphQL
    failing(
        "GraphQL: only stored queries are accepted since today, and this one is not stored",
        "config code",
        "PersistedQueryNotFound|persisted",
        asked("/graphql", 200, "POST"),
        finding=fields("/graphql", "errors: expected to be absent, got ['PersistedQueryNotFound']", "POST"),
        checks="rule",
    ),
    failing(
        "GraphQL: the query costs more than the new limit",
        "config code",
        "POST /graphql .*400",
        asked("/graphql", 400, "POST", reason="Query cost 1200 exceeds the maximum cost 1000"),
        finding=status("/graphql", 400, method="POST"),
    ),
    failing(
        "GraphQL: a field is null, as the service of prices answered too late",
        "dependency infra code",
        "price",
        asked("/graphql", 200, "POST", duration_ms=1900),
        finding=fields("/graphql", "data.product.price: expected a number, got null", "POST", misshapen=True),
        checks="rule",
    ),
    failing(
        "GraphQL: a variable of another type since the new schema",
        "code",
        "POST /graphql .*400",
        asked("/graphql", 400, "POST", reason='Variable "$id" of type "ID!" used in position expecting type "Int!".'),
        finding=status("/graphql", 400, method="POST"),
        build="2.9",
        last_passed_build="2.8",
    ),
    # old server pages
    failing(
        "JSP: a page cannot be compiled",
        "code",
        "/orders/list.jsp .*500",
        loaded("/orders/list.jsp", 500, "document"),
        finding=sought('get_by_role("table")'),
        pages=page("/orders/list.jsp", 'heading "HTTP Status 500 - Unable to compile class for JSP"'),
    ),
    failing(
        "JSP: the server that holds the program is just starting",
        "infra",
        "/orders/list.jsp .*404",
        loaded("/orders/list.jsp", 404, "document"),
        finding=sought('get_by_role("table")'),
        checks="sentinel",
        pages=page("/orders/list.jsp", 'heading "HTTP Status 404 - The requested resource is not available"'),
    ),
    failing(
        "JSP: the state of the form was thrown away",
        "code config infra",
        "ViewExpired|POST /orders/edit.xhtml .*500",
        loaded("/orders/edit.xhtml", 500, "document", method="POST"),
        kind="timeout",
        finding=sought('get_by_role("status", name="Saved")'),
        pages=page("/orders/edit.xhtml", 'heading "javax.faces.application.ViewExpiredException"'),
    ),
    failing(
        "JSP: no connection of the pool was given within ten seconds",
        "infra code",
        "/orders/list.jsp .*500",
        asked("/orders/list.jsp", 500, reason="Timeout waiting for idle object: pool exhausted"),
        finding=status("/orders/list.jsp", 500),
    ),
    # dashboards of one page
    failing(
        "dashboard: the socket of live figures is cut by the proxy",
        "infra config",
        "/socket",
        loaded("/socket", 400, "websocket"),
        finding=shown('get_by_test_id("now")', "not to have text '-'", "-"),
        checks="live",
        pages=page("/d/now", 'text: "Disconnected"'),
    ),
    failing(
        "dashboard: the time zone of the viewer is another one, so today is empty",
        "user config code",
        "Today",
        finding=shown('get_by_test_id("today")', "to have text 'Today 14'", "Today 0"),
        checks="preference",
    ),
    failing(
        "dashboard: an interface answers another site's calls no more",
        "config",
        "api.figures.invalid|blocked",
        loaded("/v2/series", 0, "fetch", host="api.figures.invalid", reason="net::ERR_FAILED"),
        finding=sought('get_by_role("img", name="Revenue")'),
        page_errors=("Access to fetch at 'https://api.figures.invalid/v2/series' has been blocked by CORS policy",),
        pages=page("/d/revenue", 'alert "Failed to fetch"'),
    ),
    failing(
        "dashboard: the token in the page was made for another environment",
        "config",
        "/api/series .*401",
        loaded("/api/series", 401, "fetch", credentials="token", reason="invalid audience"),
        finding=sought('get_by_role("img", name="Revenue")'),
        pages=page("/d/revenue", 'alert "Unauthorized"'),
    ),
    # CDN, walls, maintenance, captchas
    failing(
        "CDN: the edge cannot reach the origin",
        "infra",
        "/ .*522",
        loaded("/", 522, "document"),
        finding=sought('get_by_role("heading", name="Welcome")'),
        pages=page("/", 'heading "Error 522: Connection timed out"', 'text: "Cloudflare"'),
        misled="server-error",
    ),
    failing(
        "CDN: the certificate between edge and origin has ended",
        "config infra",
        "/ .*526",
        loaded("/", 526, "document"),
        finding=sought('get_by_role("heading", name="Welcome")'),
        pages=page("/", 'heading "Error 526: Invalid SSL certificate"'),
        misled="server-error",
    ),
    failing(
        "CDN: an address that was not renewed shows a dealer's page",
        "config infra",
        "Welcome",
        loaded("/", 200, "document"),
        finding=sought('get_by_role("heading", name="Welcome")'),
        pages=page("/", 'heading "This domain may be for sale"', 'link "Buy now"'),
    ),
    failing(
        "wall: a rule of the firewall takes a name for an attack",
        "config",
        "POST /api/contacts .*403",
        asked(
            "/api/contacts", 403, "POST", content_type="text/html", reason="Request blocked. Support ID: 8821", node=""
        ),
        finding=status("/api/contacts", 403, 201, "POST"),
    ),
    failing(
        "wall: a captcha stands before the search, for machines only",
        "config infra",
        "(?i)human",
        loaded("/search", 200, "document"),
        kind="timeout",
        finding=sought(RESULTS),
        pages=page("/search", 'heading "Verify you are human"', 'iframe "challenge"'),
    ),
    failing(
        "maintenance: the interface says until when",
        "infra config",
        "503",
        asked("/api/orders", 503, reason="Scheduled maintenance until 06:00 UTC"),
        finding=Finding(
            contradiction=status("/api/orders", 503).contradiction, throttled=Throttled(status=503, after="3600")
        ),
    ),
    failing(
        "quota: the storage of the tenant is full",
        "infra config data user",
        "PUT /files/probe.txt .*507",
        asked("/files/probe.txt", 507, "PUT", reason="Insufficient storage: quota of the tenant exceeded"),
        finding=status("/files/probe.txt", 507, 201, "PUT"),
    ),
    failing(
        "quota: the key for a service of addresses has used up its day",
        "dependency config",
        "/api/addresses .*502",
        asked("/api/addresses", 502, reason="OVER_QUERY_LIMIT from maps.invalid: daily request quota exceeded"),
        finding=status("/api/addresses", 502),
        misled="unreachable",
    ),
    # languages, flags, caches, experiments, half a release
    failing(
        "locale: the server's locale was lost in the new image, so figures have another comma",
        "config code",
        "1.234,50",
        finding=shown('get_by_test_id("sum")', "to have text '1.234,50 €'", "1,234.50 €"),
        checks="rule",
        build="77",
        last_passed_build="76",
    ),
    failing(
        "experiment: half of all visitors get another form, with another button",
        "config code",
        "button.*Buy|Buy",
        kind="timeout",
        finding=sought('get_by_role("button", name="Buy")'),
        pages=page("/cart", 'heading "Cart"', 'button "Order now, pay later"'),
    ),
    failing(
        "cache: the page's own store holds yesterday's settings, whose interface is gone",
        "code config infra",
        "/api/v1/menu .*404",
        loaded("/api/v1/menu", 404, "fetch"),
        finding=sought('get_by_role("navigation")'),
        pages=page("/", 'alert "Something went wrong"'),
    ),
    failing(
        "half a release: one of four servers has the old program",
        "infra",
        "node-4|4\\.1",
        asked("/api/quote", 404, node="node-4", build="4.0"),
        finding=status("/api/quote", 404),
        builds=("4.1", "4.0"),
        nodes=(NodeCount(node="node-1", answers=5, broken=0), NodeCount(node="node-4", answers=2, broken=0)),
        build="4.0",
        last_passed_build="4.1",
        peers=(Peer(journey="other", outcome="passed"),),
    ),
    failing(
        "gateway: the chain of the certificate lacks its middle",
        "config",
        "certificate",
        kind="tls",
        message="GET https://shop.invalid/: the certificate was not accepted: unable to get local issuer certificate.",
        finding=Finding(
            refusal=Refusal(
                kind="tls",
                method="GET",
                url="https://shop.invalid/",
                certificate="unable to get local issuer certificate",
            )
        ),
    ),
    weak(
        "slow: the service of stocks makes an order slow",
        "dependency",
        "/api/order",
        asked("/api/order", 201, "POST", duration_ms=4100, server_timing=timing(app=80, stock_service=3900)),
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Judge all, and print the sums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--verbose", action="store_true", help="print what is said of each")
    return print_sums(FAILURES, verbose=parser.parse_args(arguments).verbose)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
