"""How often what triage says is so, on failures of systems of many kinds, as their evidence is recorded.

    python benchmarks/foreign_failures.py [--set known|aside] [--verbose]

Dashboards, forges, shops, sign-on, GraphQL, problem+json, pages of lazy chunks, widgets of others, flags, banners,
maintenance, limits, caches, clocks, translations, plans, data of a demonstration that has run out. Nothing is started:
each is what triage reads of one journey, and the classes under which its real cause would be filed. All were written
before a rule was changed for them; every second one was set aside, and scored once.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from synthprobe.records.evidence import Age, Answer, Facts, NodeCount, PageSeen, ServerTiming
from synthprobe.records.finding import Contradiction, Finding, Refusal, Skew, Sought, Wait
from synthprobe.records.result import Degradation
from synthprobe.triage.causes import triage
from synthprobe.triage.facts import Peer, TriageFacts
from synthprobe.words import explanation


class Failing(Struct, frozen=True, kw_only=True):
    """A journey that did not pass, and what may be said of it.

    Attributes:
        name: the system, and what is broken.
        classes: what may be named beside ``unknown``.
        says: what the sentence must hold, as a regular expression.
        facts: what triage reads.
        misled: the rule that named a wrong class of it when it was scored first.
    """

    name: str
    classes: str
    says: str
    facts: TriageFacts
    misled: str = ""


STEP = "the step"


def asked(path: str, status: int = 200, method: str = "GET", **more: Any) -> Answer:
    """An answer to the journey's own request."""
    return Answer(**{"by": "api", "method": method, "path": path, "status": status, "step": STEP} | more)


def loaded(path: str, status: int = 200, resource: str = "fetch", **more: Any) -> Answer:
    """An answer to what a page asked for."""
    return asked(path, status, **{"by": "page", "resource": resource} | more)


def failing(
    name: str, classes: str, says: str, *answers: Answer, kind: str = "expectation", message: str = "", **more: Any
) -> Failing:
    """A journey that failed."""
    own = {key: more.pop(key) for key in ("checks", "role", "peers", "last_passed_build", "build") if key in more}
    finding = more.pop("finding", Finding())
    misled = more.pop("misled", "")
    facts = TriageFacts(
        outcome="failed",
        kind=kind,
        message=message,
        finding=finding,
        step=STEP,
        evidence=Facts(answers=answers, **more),
        **own,
    )
    return Failing(name=name, classes=classes, says=says, facts=facts, misled=misled)


def weak(name: str, classes: str, says: str, *answers: Answer, kind: Any = "over budget", **more: Any) -> Failing:
    """A journey that did its job, and was too slow or shown old data."""
    facts = TriageFacts(
        outcome="degraded",
        step=STEP,
        checks=more.pop("checks", ""),
        degradations=(Degradation(kind=kind, step=STEP, message="not well enough"),),
        evidence=Facts(answers=answers, **more),
        took_s=sum(a.duration_ms for a in answers) / 1000,
    )
    return Failing(name=name, classes=classes, says=says, facts=facts)


def status(path: str, got: int, expected: int = 200, method: str = "GET") -> Finding:
    """Another status than was expected."""
    return Finding(
        contradiction=Contradiction(
            about="status",
            expected=f"status {expected}",
            got=str(got),
            method=method,
            url=f"https://shop.invalid{path}",
            status=got,
        )
    )


def fields(path: str, got: str, method: str = "GET", about: Any = "fields", *, misshapen: bool = False) -> Finding:
    """Other fields than were expected."""
    return Finding(
        contradiction=Contradiction(
            about=about,
            expected="fields",
            got=got,
            method=method,
            url=f"https://shop.invalid{path}",
            status=200,
            misshapen=misshapen,
        )
    )


def shown(locator: str, expected: str, got: str) -> Finding:
    """A page shows another text than was expected."""
    return Finding(contradiction=Contradiction(about="locator", expected=expected, got=got, locator=locator))


def sought(locator: str, sight: Any = "absent", by: str = "") -> Finding:
    """An element that could not be used."""
    return Finding(sought=Sought(locator=locator, sight=sight, within_s=5, by=by))


def page(path: str, *outline: str, asks_password: bool = False) -> tuple[PageSeen, ...]:
    """The page when it broke."""
    return (PageSeen(path=path, outline=outline, asks_password=asks_password),)


def timing(**ms: float) -> tuple[ServerTiming, ...]:
    """What the server says it spent."""
    return tuple(ServerTiming(name=name, duration_ms=spent) for name, spent in ms.items())


NO_JSON = fields("/api/cart", "text/html: <html>", about="json")
SAVE = 'get_by_role("button", name="Save")'
TOTAL = 'get_by_test_id("total")'

FAILURES = (
    # dashboards
    failing(
        "dashboard: the source of a panel refuses connections",
        "infra dependency",
        "POST /api/ds/query .*502",
        loaded("/api/ds/query", 502, method="POST"),
        finding=sought('get_by_role("region", name="Requests")'),
        pages=page("/d/ops", 'heading "Operations"', 'alert "Bad Gateway"'),
    ),
    failing(
        "dashboard: a query that the source does not understand",
        "code config data",
        "POST /api/ds/query .*400",
        loaded("/api/ds/query", 400, method="POST"),
        finding=sought('get_by_role("region", name="Requests")'),
        checks="sentinel",
        pages=page("/d/ops", 'heading "Operations"', 'status "No data"'),
    ),
    failing(
        "dashboard: nobody has called since the demonstration began; both counters are nought",
        "code data",
        "0, 0",
        finding=fields("/api/calls/summary", "open, closed: expected at least 1, got [0, 0]"),
        checks="rule",
    ),
    failing(
        "courier: a parcel whose address was not found lies at 0, 0",
        "dependency data",
        "0, 0",
        finding=fields("/api/parcels/7", "position: expected something else, got lat=0.0, lon=0.0"),
    ),
    # forges
    failing(
        "forge: a merge meets a branch that changed meanwhile",
        "data code user",
        "POST /api/v1/repos/probe/sandbox/pulls/4/merge .*409",
        asked("/api/v1/repos/probe/sandbox/pulls/4/merge", 409, "POST", reason="merge conflict", credentials="token"),
        finding=status("/api/v1/repos/probe/sandbox/pulls/4/merge", 409, method="POST"),
        checks="read-after-write",
    ),
    failing(
        "forge: the token lost a scope",
        "config user",
        r"/api/v1/user/repos .*403",
        asked("/api/v1/user/repos", 403, reason="token does not have required scope: read:user", credentials="token"),
        finding=status("/api/v1/user/repos", 403),
    ),
    failing(
        "forge: the repository of the demonstration was removed",
        "data",
        "/probe/sandbox .*404",
        asked("/api/v1/repos/probe/sandbox", 404, reason="The target couldn't be found."),
        finding=status("/api/v1/repos/probe/sandbox", 404),
        checks="sentinel",
    ),
    failing(
        "forge: a version of the interface has been retired",
        "code config",
        "/api/v1/repos/search .*410",
        asked("/api/v1/repos/search", 410, reason="v1 is retired, use v2"),
        finding=status("/api/v1/repos/search", 410),
        checks="sentinel",
    ),
    # shops
    failing(
        "shop: a promotion of the demonstration has ended, so the total is higher",
        "data config",
        "59.90.*69.90",
        finding=shown(TOTAL, "to have text '59.90 €'", "69.90 €"),
        checks="rule",
    ),
    failing(
        "shop: what is bought is sold out",
        "data",
        "(?i)add to cart.*(disabled|not enabled)",
        kind="timeout",
        finding=sought('get_by_role("button", name="Add to cart")', "disabled"),
        checks="rule",
        pages=page("/p/42", 'heading "Kettle"', 'text: "Sold out"'),
    ),
    failing(
        "shop: the voucher of the journey has run out",
        "data user",
        "voucher",
        asked("/api/cart/vouchers", 400, "POST", reason="This voucher has expired."),
        finding=status("/api/cart/vouchers", 400, method="POST"),
        checks="rule",
    ),
    failing(
        "shop: no carrier goes to the journey's address",
        "data config",
        "Delivery service",
        asked("/api/checkout", 422, "POST", reason="Delivery service is not available in your area."),
        finding=status("/api/checkout", 422, method="POST"),
    ),
    failing(
        "shop: the payment provider does not answer the shop",
        "dependency infra",
        "POST /api/payments .*500",
        asked("/api/payments", 500, "POST", reason="ApiConnectionException: Could not connect to Stripe"),
        finding=status("/api/payments", 500, 201, "POST"),
    ),
    failing(
        "intranet: the directory of users is out of reach",
        "dependency infra",
        "/api/people .*500",
        asked("/api/people", 500, reason="ldap_bind: Can't contact LDAP server (-1)"),
        finding=status("/api/people", 500),
    ),
    # sign-on
    failing(
        "sign-on: the log-in's own cookie did not come back",
        "config code infra",
        "POST /realms/staff/login-actions/authenticate .*400",
        loaded("/realms/staff/login-actions/authenticate", 400, "document", method="POST", credentials="password"),
        kind="timeout",
        finding=sought('get_by_role("link", name="Sign out")'),
        pages=page("/realms/staff", 'heading "We are sorry..."', 'paragraph: "Cookie not found. Enable cookies."'),
    ),
    failing(
        "sign-on: the form lay too long, since the sign-on is slow",
        "config code infra",
        "POST /realms/staff/login-actions/authenticate .*400",
        loaded("/realms/staff/login-actions/authenticate", 400, "document", method="POST", credentials="password"),
        kind="timeout",
        finding=sought('get_by_role("link", name="Sign out")'),
        pages=page("/realms/staff", 'alert "Action expired. Please continue with login now."', asks_password=True),
        misled="account-state",
    ),
    failing(
        "sign-on: the password of the probe's user was changed",
        "user",
        "POST /realms/staff/token .*401",
        asked(
            "/realms/staff/token", 401, "POST", reason="invalid_grant Invalid user credentials", credentials="password"
        ),
        finding=status("/realms/staff/token", 401, method="POST"),
    ),
    failing(
        "sign-on: the client's own secret was changed, so nobody gets in",
        "config",
        "POST /realms/staff/token .*401",
        asked(
            "/realms/staff/token",
            401,
            "POST",
            reason="unauthorized_client Invalid client or Invalid client credentials",
            credentials="password",
        ),
        finding=status("/realms/staff/token", 401, method="POST"),
        misled="account-refused",
    ),
    failing(
        "sign-on: a second factor is asked for since today",
        "config user",
        "6-digit",
        loaded("/login", 200, "document", method="POST", credentials="password"),
        kind="timeout",
        finding=sought('get_by_role("link", name="Sign out")'),
        pages=page("/login/second", 'heading "Enter the 6-digit code"', "textbox"),
    ),
    failing(
        "sign-on: people must prove that they are no robots",
        "config infra",
        "robot",
        loaded("/login", 200, "document", method="POST", credentials="password"),
        kind="timeout",
        finding=sought('get_by_role("link", name="Sign out")'),
        pages=page("/login", 'alert "Confirm that you are not a robot"', asks_password=True),
    ),
    failing(
        "sign-on: a server's clock is behind, so tokens are not valid yet",
        "infra config",
        "/api/me .*401",
        asked("/realms/staff/token", 200, "POST", credentials="password", step="before"),
        asked("/api/me", 401, reason="token used before issued", credentials="token"),
        finding=status("/api/me", 401),
    ),
    failing(
        "sign-on: an assertion comes too late",
        "infra config",
        "POST /saml/acs .*403",
        loaded("/saml/acs", 403, "document", method="POST"),
        kind="timeout",
        finding=sought('get_by_role("link", name="Sign out")'),
        pages=page("/saml/acs", 'heading "Assertion is no longer valid (NotOnOrAfter)"'),
    ),
    # GraphQL
    failing(
        "GraphQL: a field was renamed",
        "code",
        "errors",
        asked("/graphql", 200, "POST", content_type="application/json"),
        finding=fields("/graphql", "errors: expected [], got ['Cannot query field totalPrice on type Order']", "POST"),
        checks="sentinel",
    ),
    failing(
        "GraphQL: the session has ended, and the status is 200 all the same",
        "config user",
        "jwt expired",
        asked("/graphql", 200, "POST", content_type="application/json", credentials="token"),
        finding=fields("/graphql", "errors: expected [], got ['Context creation failed: jwt expired']", "POST"),
        checks="read-after-write",
    ),
    failing(
        "GraphQL: the gateway cannot ask the service of reviews",
        "dependency infra",
        "reviews",
        asked("/graphql", 200, "POST", content_type="application/json"),
        finding=fields("/graphql", "data.product.reviews: expected 3 items, got None", "POST", misshapen=True),
        checks="sentinel",
    ),
    failing(
        "GraphQL: a resolver fails for one product",
        "code data",
        "price",
        asked("/graphql", 200, "POST", content_type="application/json"),
        finding=fields("/graphql", "data.product.price: expected 63.0, got None", "POST", misshapen=True),
        checks="rule",
    ),
    # problem+json
    failing(
        "problem+json: a service that is needed is not there",
        "dependency infra",
        "POST /v2/transfers .*503",
        asked(
            "/v2/transfers",
            503,
            "POST",
            reason="about:blank Service Unavailable payment gateway is unavailable",
            content_type="application/problem+json",
        ),
        finding=status("/v2/transfers", 503, 201, "POST"),
    ),
    failing(
        "problem+json: a field is wanted since today",
        "code config",
        "iban",
        asked("/v2/transfers", 422, "POST", reason="Validation failed iban: field required"),
        finding=status("/v2/transfers", 422, 201, "POST"),
        checks="read-after-write",
    ),
    failing(
        "problem+json: the tables are older than the program",
        "code config infra",
        "/v2/orders .*500",
        asked("/v2/orders", 500, reason='relation "orders_v2" does not exist'),
        finding=status("/v2/orders", 500),
    ),
    failing(
        "problem+json: no connection of the pool is free",
        "infra code",
        "/v2/orders .*500",
        asked("/v2/orders", 500, reason="remaining connection slots are reserved: too many connections"),
        finding=status("/v2/orders", 500),
    ),
    # pages of lazy chunks
    failing(
        "lazy chunks: a file of yesterday's release is gone",
        "infra config code",
        "Orders-3fa9.js",
        loaded("/assets/Orders-3fa9.js", 404, "script"),
        kind="timeout",
        finding=sought('get_by_role("heading", name="Orders")'),
        page_errors=("TypeError: Failed to fetch dynamically imported module: /assets/Orders-3fa9.js",),
        pages=page("/orders", 'navigation "Main"'),
    ),
    failing(
        "lazy chunks: the page of the start is given where a file is gone",
        "infra config code",
        "chunk.12.js|Unexpected token",
        loaded("/chunk.12.js", 200, "script", content_type="text/html"),
        kind="timeout",
        finding=sought('get_by_role("heading", name="Orders")'),
        page_errors=("SyntaxError: Unexpected token '<'",),
        pages=page("/orders", 'navigation "Main"'),
    ),
    failing(
        "lazy chunks: a page kept by its worker asks a retired interface",
        "infra config code",
        "/api/v1/orders .*410",
        loaded("/api/v1/orders", 410, build="41"),
        kind="timeout",
        finding=sought('get_by_role("row", name="A-1")'),
        builds=("41", "42"),
        pages=page("/orders", 'alert "Something went wrong"'),
    ),
    failing(
        "single page: its proxy lost a route with the new release",
        "config infra",
        "/api/invoices .*404",
        asked("/api/invoices", 404, reason="no Route matched with those values"),
        finding=status("/api/invoices", 404),
        build="42",
        last_passed_build="41",
    ),
    # widgets of others
    failing(
        "clinic: the appointments of the demonstration have run out; a widget breaks on each page",
        "data",
        "(?i)appointment",
        kind="timeout",
        finding=sought('get_by_role("listitem", name="Appointment")'),
        page_errors=("ReferenceError: fbq is not defined",),
        pages=page("/calendar", 'heading "Calendar"', 'text: "No appointments in this period"'),
    ),
    failing(
        "clinic: a button has another name; statistics of somebody else are not loaded",
        "code config",
        "Save",
        loaded("/gtm.js", 0, "script", reason="net::ERR_NAME_NOT_RESOLVED", host="tags.elsewhere.invalid"),
        kind="timeout",
        finding=sought(SAVE),
        pages=page("/calendar", 'button "Store"', 'heading "Calendar"'),
    ),
    failing(
        "travel: the map of a third party is over its quota, and the form has no price",
        "data code dependency",
        "price|Price",
        loaded("/maps/api/js/QuotaService", 403, "script", host="maps.elsewhere.invalid"),
        finding=shown('get_by_test_id("price")', "to have text '€ 210'", ""),
        pages=page("/search", 'heading "Flights"', 'alert "Prices could not be computed"'),
    ),
    failing(
        "travel: the site's policy stops its statistics, and the offer is another one",
        "data code",
        "210.*240",
        loaded("/collect", 0, "fetch", reason="csp", host="tags.elsewhere.invalid"),
        finding=shown('get_by_test_id("price")', "to have text '€ 210'", "€ 240"),
    ),
    # flags and banners
    failing(
        "flags: a button is switched off for everybody",
        "config",
        "Export",
        kind="timeout",
        finding=sought('get_by_role("button", name="Export")'),
        pages=page("/reports", 'button "Print"', 'heading "Reports"'),
    ),
    failing(
        "flags: an interface is switched off",
        "config",
        "/api/exports .*404",
        asked("/api/exports", 404, "POST", reason="feature not enabled"),
        finding=status("/api/exports", 404, 202, "POST"),
        checks="read-after-write",
    ),
    failing(
        "banner: a question about cookies covers the button",
        "code config",
        "(?i)cover|consent",
        kind="timeout",
        finding=sought(SAVE, "covered", '<div id="consent">'),
        pages=page("/profile", 'dialog "We value your privacy"', 'button "Save"'),
    ),
    failing(
        "banner: the question stands in the place of the page",
        "code config",
        "privacy",
        kind="timeout",
        finding=sought('get_by_text("Order 1001")'),
        checks="sentinel",
        pages=page("/consent", 'heading "Your privacy"', 'button "Accept all"'),
    ),
    # maintenance and limits
    failing(
        "maintenance: a page with status 200 stands before everything",
        "infra config",
        "/api/cart .*HTML",
        asked("/api/cart", 200, content_type="text/html"),
        finding=NO_JSON,
    ),
    failing(
        "maintenance: a single page gets the announcement for its data",
        "infra config",
        "HTML",
        loaded("/api/cart", 200, content_type="text/html"),
        kind="timeout",
        finding=sought('get_by_role("row", name="Kettle")'),
        page_errors=("SyntaxError: Unexpected token '<', \"<!doctype \"... is not valid JSON",),
        pages=page("/cart", 'heading "Cart"'),
    ),
    failing(
        "maintenance: 503 and when to come back",
        "infra config",
        "/api/cart .*503",
        asked("/api/cart", 503, reason="Scheduled maintenance until 04:00"),
        finding=status("/api/cart", 503),
    ),
    failing(
        "limits: an interface says 403 to who asks too often",
        "config user infra",
        "rate limit",
        asked("/api/issues", 403, reason="API rate limit exceeded for user ID 4.", credentials="token"),
        finding=status("/api/issues", 403),
    ),
    failing(
        "limits: 429 at the log-in",
        "config user infra",
        "POST /login .*429",
        asked("/login", 429, "POST", reason="Too many attempts", credentials="password"),
        finding=status("/login", 429, method="POST"),
        checks="account",
    ),
    failing(
        "limits: a wall takes the probe for an attack",
        "config infra",
        "/account .*403",
        loaded("/account", 403, "document"),
        kind="timeout",
        finding=sought('get_by_role("heading", name="Account")'),
        pages=page("/account", 'heading "Just a moment..."', 'text: "Reference #18.2f"'),
    ),
    # plans
    failing(
        "plan: the trial has ended",
        "user config",
        "/api/projects .*402",
        asked("/api/projects", 402, "POST", reason="Your trial has ended. Choose a plan."),
        finding=status("/api/projects", 402, 201, "POST"),
        checks="read-after-write",
    ),
    failing(
        "plan: as many projects as it allows are left over",
        "data user config",
        "(?i)maximum",
        asked("/api/projects", 409, "POST", reason="limit_reached Maximum number of projects reached"),
        finding=status("/api/projects", 409, 201, "POST"),
        checks="rule",
    ),
    failing(
        "plan: the place of the account is full",
        "user config infra",
        "quota",
        asked("/api/files", 403, "POST", reason="storage quota exceeded"),
        finding=status("/api/files", 403, 201, "POST"),
    ),
    failing(
        "plan: the subscription of the log-in has run out",
        "user config",
        "subscription",
        asked("/login", 403, "POST", reason="Your subscription has expired.", credentials="password"),
        finding=status("/login", 403, method="POST"),
    ),
    # caches and clocks
    failing(
        "cache: an answer of yesterday is given at the edge",
        "config infra",
        "/api/products/42 .*86400",
        asked("/api/products/42", 200, age_s=86400),
        finding=fields("/api/products/42", "price: expected 64.0, got 63.0"),
        checks="read-after-write",
    ),
    failing(
        "cache: settings are kept a minute as they should be, and a sum is wrong",
        "code data",
        "sum",
        asked("/api/settings", 200, age_s=41),
        asked("/api/invoice/7", 200),
        finding=fields("/api/invoice/7", "sum: expected 119.0, got 100.0"),
        checks="rule",
    ),
    failing(
        "clock: what was stored lies two minutes ahead",
        "infra data",
        "ahead",
        finding=Finding(skew=Skew(what="entry", ahead_s=124, clock_s=122)),
    ),
    failing(
        "clock: the summer time of a container ended too early",
        "code data infra",
        "hour",
        finding=Finding(skew=Skew(what="entry", ahead_s=3604)),
    ),
    # translations
    failing(
        "translation: a button is half translated",
        "code config data",
        "Speichern",
        kind="timeout",
        finding=sought(SAVE),
        pages=page("/profile", 'button "Speichern"', 'heading "Profile"'),
    ),
    failing(
        "translation: the name of a text is shown",
        "code config data",
        "checkout.title",
        finding=shown('get_by_role("heading").first', "to have text 'Checkout'", "checkout.title"),
        checks="rule",
    ),
    # certificates
    failing(
        "certificate: it ends in nine days, and a sum is wrong",
        "code data",
        "sum",
        asked("/api/invoice/7", 200),
        finding=fields("/api/invoice/7", "sum: expected 119.0, got 100.0"),
    ),
    weak(
        "certificate: it ends in five days, and a page is slow",
        "code infra dependency",
        "/reports took 3.1 s",
        loaded("/reports", 200, "document", duration_ms=3100),
    ),
    # what is handed on, and found
    failing(
        "search: what was stored is not found, since the indexer has stopped",
        "infra",
        "hits",
        asked("/api/search", 200),
        finding=fields("/api/search", "hits: expected 1, got 0"),
        checks="read-after-write",
    ),
    failing(
        "mail: a letter does not come, since the provider is slow",
        "dependency infra",
        "letter",
        message="No letter came within 60 s.",
        finding=Finding(wait=Wait(within_s=60, attempts=30, reason="no letter came")),
        checks="delivery",
    ),
    failing(
        "hooks: whoever is told refuses the secret",
        "config dependency",
        "401",
        asked("/api/hooks/3/deliveries", 200),
        finding=fields("/api/hooks/3/deliveries", "response.status: expected 200, got 401"),
        checks="delivery",
    ),
    failing(
        "roles: who may only read has no button",
        "config",
        "viewer",
        kind="timeout",
        finding=sought('get_by_role("button", name="Comment")'),
        checks="grant",
        role="viewer",
        peers=(Peer(journey="other", outcome="passed", steps=(("grant", "editor", True),)),),
        pages=page("/doc/1", 'heading "Plan"'),
    ),
    # time
    weak(
        "slow: the edge waits for the shop itself",
        "code infra",
        "/catalogue",
        loaded("/catalogue", 200, "document", duration_ms=4000, server_timing=timing(origin=3800)),
    ),
    weak(
        "slow: a page is made on the server",
        "code",
        "/product/42",
        loaded("/product/42", 200, "document", duration_ms=3000, server_timing=timing(db=53, ssr=2900)),
    ),
    weak(
        "slow: a password is hashed too thoroughly",
        "code config infra",
        "POST /login",
        asked("/login", 200, "POST", duration_ms=2500, credentials="password", server_timing=timing(db=15)),
    ),
    weak(
        "slow: only one part is measured",
        "code infra dependency",
        "/api/feed",
        asked("/api/feed", 200, duration_ms=3000, server_timing=timing(auth=12)),
    ),
    weak(
        "slow: a query without an index",
        "code data infra",
        "/api/search",
        asked("/api/search", 200, duration_ms=2600, server_timing=timing(db=2450, app=60)),
    ),
    weak(
        "slow: a shop asks for a price at its supplier",
        "dependency",
        "/api/quote",
        asked("/api/quote", 200, duration_ms=2600, server_timing=timing(supplier=2400, db=8)),
    ),
    # old data
    weak(
        "old: rates of a bank on a Sunday, beside fresh orders",
        "dependency data",
        "rates",
        kind="stale",
        ages=(Age(what="rates", age_s=172000, limit_s=90000), Age(what="newest order", age_s=40, limit_s=600)),
    ),
    weak(
        "old: a nightly report was not made, beside fresh orders",
        "infra code",
        "report",
        kind="stale",
        ages=(Age(what="report", age_s=172000, limit_s=90000), Age(what="newest order", age_s=40, limit_s=600)),
    ),
    weak(
        "old: the data of a demonstration was put in 40 days ago",
        "data",
        "newest order",
        kind="stale",
        checks="freshness",
        ages=(Age(what="newest order", age_s=3456000, limit_s=86400),),
    ),
    weak(
        "old: a feed of a partner has stopped",
        "dependency",
        "newest delivery",
        kind="stale",
        ages=(Age(what="newest delivery", age_s=9000, limit_s=3600),),
    ),
    # servers
    failing(
        "servers: one of three has an old password of the store",
        "config infra",
        "pod-b",
        asked("/api/orders", 500, reason="password authentication failed", node="pod-b"),
        finding=status("/api/orders", 500),
        nodes=(NodeCount(node="pod-a", answers=6, broken=0), NodeCount(node="pod-b", answers=5, broken=4)),
    ),
    failing(
        "servers: the name of the host is gone",
        "infra config dependency",
        "name",
        kind="dns",
        message="GET https://shop.invalid/: the host's name could not be resolved.",
        finding=Finding(refusal=Refusal(kind="dns", method="GET", url="https://shop.invalid/")),
    ),
)
TELLING = 2
"""So many classes may be right at most, for a verdict to say something of its rule."""

KNOWN, ASIDE = FAILURES[::2], FAILURES[1::2]


def score(failures: Sequence[Failing], *, verbose: bool = False) -> tuple[Counter[str], Counter[str]]:
    """Judge failures: sums, and of each rule how often it named a class and how often a right one."""
    sums, rules = Counter[str](), Counter[str]()
    for failure in failures:
        diagnosis = triage(failure.facts)
        named = diagnosis.cause_class != "unknown"
        right = diagnosis.cause_class in failure.classes.split()
        silent = re.search(failure.says, explanation(diagnosis), re.DOTALL) is None
        sums["named" if named else "unknown"] += 1
        sums["wrong"] += named and not right
        sums["wrong and high"] += named and not right and diagnosis.sure == "high"
        sums["not told"] += silent
        if (
            diagnosis.candidate != "unknown"
            and len(failure.classes.split()) <= TELLING
            and diagnosis.rule != failure.misled
        ):
            rules[diagnosis.rule] += 1
            rules[f"{diagnosis.rule} right"] += diagnosis.candidate in failure.classes.split()
        if failure.misled:
            rules[failure.misled] += 1
        if verbose or (named and not right) or silent:
            mark = ("WRONG " if named and not right else "") + ("SILENT " if silent else "")
            print(
                f"{mark}{failure.name}\n    {diagnosis.cause_class}, {diagnosis.rule}, "
                f"{diagnosis.sure}: {diagnosis.why}"
            )
    return sums, rules


def print_sums(failures: Sequence[Failing], *, verbose: bool) -> int:
    """Judge failures and print the sums; the exit code."""
    sums, rules = score(failures, verbose=verbose)
    names = sorted(name for name in rules if not name.endswith(" right"))
    print(
        "right verdicts of each rule: " + ", ".join(f"{name} {rules[f'{name} right']}/{rules[name]}" for name in names)
    )
    print(f"{len(failures)} failures: {dict(sums)}")
    return 1 if sums["wrong"] or sums["not told"] else 0


def main(arguments: Sequence[str]) -> int:
    """Judge one half, and print the sums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", choices=["known", "aside"], default="known", help="which failures")
    parser.add_argument("--verbose", action="store_true", help="print what is said of each")
    given = parser.parse_args(arguments)
    chosen = KNOWN if given.set == "known" else ASIDE
    return print_sums(chosen, verbose=given.verbose)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
