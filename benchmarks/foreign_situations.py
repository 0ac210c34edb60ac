"""How real systems are broken, which classes may be named then, and what must and must not be said.

``KNOWN`` was at hand while rules were written. ``SET_ASIDE`` was written before, and is for scoring only.
"""

from __future__ import annotations

from foreign_journeys import FRESH, OLD, PASSWORD
from msgspec import Struct

from synthprobe.fault_proxy import Break


class Situation(Struct, frozen=True, kw_only=True):
    """A broken system.

    Attributes:
        system: its name.
        name: what is broken.
        breaks: what the proxy does.
        classes: what may be named beside ``unknown``, by journey; ``*`` is every other journey.
        says: for each journey that must not pass, what its sentences must hold, as a regular expression.
        never: what no sentence may hold.
        incidents: how many there must be; 0 when it is not asked.
        password: of the probe's own user.
        address: what journeys ask instead of the proxy; empty for the proxy.
    """

    system: str
    name: str
    breaks: tuple[Break, ...] = ()
    classes: dict[str, str]
    says: dict[str, str] = {}
    never: str = ""
    incidents: int = 0
    password: str = PASSWORD
    address: str = ""


_HTML = {"Content-Type": "text/html"}
_502 = "<html><h1>502 Bad Gateway</h1><hr>nginx</html>"
_CSRF = "<html><title>403 Forbidden</title><h1>Forbidden</h1><p>CSRF verification failed. Request aborted.</p></html>"
_FRESH, _OLD = FRESH.isoformat(), OLD.isoformat()
_ALL = "code infra"


def _answers(path: str, status: int, body: str = "", method: str = "", **headers: str) -> Break:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Break(path=path, method=method, status=status, body=body, headers=_HTML | named)


KNOWN = (
    Situation(
        system="datasette",
        name="the list of orders is answered 500",
        breaks=(_answers("^/shop/orders.json", 500, "<h1>Error 500</h1>database is locked"),),
        classes={"order": _ALL},
        says={"order": r"GET /shop/orders\.json .*500"},
        incidents=1,
    ),
    Situation(
        system="datasette",
        name="everything is answered 500",
        breaks=(_answers("", 500, "Internal Server Error"),),
        classes={"*": _ALL},
        says={"order": "500", "catalogue": "500"},
        incidents=1,
    ),
    Situation(
        system="datasette",
        name="the system is stopped",
        breaks=(_answers("", 502, _502),),
        classes={"*": "infra"},
        says={"order": "502", "catalogue": "502"},
        never="names another system",
        incidents=1,
    ),
    Situation(
        system="datasette",
        name="one request hangs",
        breaks=(Break(path=r"^/shop/products\.json", delay_s=100),),
        classes={"catalogue": "infra"},
        says={"catalogue": r"GET /shop/products\.json.*(never answered|not answered)"},
        never="worker",
    ),
    Situation(
        system="datasette",
        name="a script breaks and the price is empty",
        breaks=(
            Break(path="^/shop/products/42", substitute=("</head>", "<script>priceOf(42)</script></head>")),
            Break(path="^/shop/products/42", substitute=(">63.0<", "><")),
        ),
        classes={"catalogue": "code"},
        says={"catalogue": "priceOf is not defined"},
    ),
    Situation(
        system="datasette",
        name="the log-in is forbidden to everybody",
        breaks=(_answers("^/-/login", 403, "<h1>Forbidden</h1>", "POST"),),
        classes={"order": "config"},
        says={"order": "POST /-/login .*403"},
        never="others get in",
    ),
    Situation(
        system="datasette",
        name="the button is called otherwise",
        breaks=(Break(path="^/-/login", substitute=('value="Log in"', 'value="Sign in"')),),
        classes={"order": "code"},
        says={"order": "Log in.*Sign in"},
    ),
    Situation(
        system="datasette",
        name="the page shows another price",
        breaks=(Break(path="^/shop/products/42", substitute=(">63.0<", ">64.0<")),),
        classes={"catalogue": "data code"},
        says={"catalogue": "63.0.*64.0"},
    ),
    Situation(
        system="datasette",
        name="a page takes 4 s",
        breaks=(Break(path="^/shop/products/42", delay_s=4),),
        classes={"catalogue": "code infra dependency"},
        says={"catalogue": r"GET /shop/products/42.* 4\.\d"},
    ),
    Situation(
        system="datasette",
        name="orders are answered 500 while the feed is old",
        breaks=(
            _answers("^/shop/orders.json", 500, "Internal Server Error"),
            Break(path="^/shop/feed.json", substitute=(_FRESH, _OLD)),
        ),
        classes={"order": _ALL, "catalogue": "dependency"},
        says={"order": "500", "catalogue": "feed"},
        incidents=2,
    ),
    Situation(
        system="datasette",
        name="the password of the probe's user is wrong",
        password="Wren-Meadow_1174",
        classes={"order": "user"},
        says={"order": "(?i)invalid username or password"},
    ),
    Situation(
        system="node-red",
        name="a deployment takes 3.5 s",
        breaks=(Break(path="^/flow$", method="POST", delay_s=3.5),),
        classes={"flow": "code infra dependency"},
        says={"flow": r"POST /flow\b.* 3\.\d"},
        never="session",
    ),
    Situation(
        system="node-red",
        name="the flows are answered 500",
        breaks=(_answers("^/flows", 500, "boom"),),
        classes={"flow": _ALL},
        says={"flow": "GET /flows .*500"},
    ),
    Situation(
        system="node-red",
        name="the editor's script is not there",
        breaks=(_answers(r"main\.min\.js", 404, "Not found"),),
        classes={"flow": "infra config code"},
        says={"flow": r"main\.min\.js .*404"},
    ),
    Situation(
        system="node-red",
        name="tokens are answered 503",
        breaks=(_answers("^/auth/token", 503, "Service Unavailable"),),
        classes={"flow": "infra dependency"},
        says={"flow": "POST /auth/token .*503"},
    ),
    Situation(
        system="node-red",
        name="the password of the probe's user is wrong",
        password="Wren-Meadow_1174",
        classes={"flow": "user"},
        says={"flow": "POST /auth/token .*40[013]"},
    ),
    Situation(
        system="django",
        name="a form is refused as forged",
        breaks=(_answers("^/admin/auth/group/add/", 403, _CSRF, "POST"),),
        classes={"groups": "code config"},
        says={"groups": "POST /admin/auth/group/add/ .*403"},
        never="log-in is refused",
    ),
    Situation(
        system="django",
        name="groups are forbidden, and the link is gone",
        breaks=(
            _answers("^/admin/auth/group", 403, "<h1>403 Forbidden</h1>"),
            Break(path="^/admin/$", substitute=(">Groups</a>", "></a>")),
        ),
        classes={"groups": "config"},
        says={"groups": "Groups|403"},
    ),
    Situation(
        system="django",
        name="a form is answered by a redirect that saves nothing",
        breaks=(_answers("^/admin/auth/group/add/", 302, "", "POST", Location="/admin/auth/group/"),),
        classes={"groups": "code"},
        says={"groups": "was added successfully"},
    ),
    Situation(
        system="httpbin",
        name="25 answers in one run",
        classes={
            "status/400": "code config",
            "status/401": "config user",
            "status/403": "config user",
            "status/404": "code config data",
            "status/409": "code data",
            "status/418": "code",
            "status/422": "code data",
            "status/429": "config infra",
            "status/500": _ALL,
            "status/502": "infra",
            "status/503": "infra",
            "status/504": "infra dependency",
            "delay/3": "infra code dependency",
            "drip": "infra code dependency",
            "redirect/40": "code config",
            "redirect-to": "config code probe",
            "html": "code",
            "xml": "code",
            "*": "code data",
        },
        says={f"status/{code}": str(code) for code in (400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504)},
        never="In the same run",
    ),
)


_OVERLAY = '<div id="tour" style="position:fixed;inset:0;z-index:99999;background:#fff8">Take the tour</div></body>'
_DIALOG = '<dialog id="news"><p>We value your privacy</p></dialog><script>news.showModal()</script></body>'
_DOWN = "<html><title>Maintenance</title><h1>We will be back soon</h1></html>"

SET_ASIDE = (
    Situation(
        system="node-red",
        name="the editor's stylesheet is not there",
        breaks=(_answers(r"style\.min\.css", 404, "Not found"),),
        classes={"flow": "infra config code"},
        never="session",
    ),
    Situation(
        system="datasette",
        name="too many requests",
        breaks=(_answers(r"^/shop/products\.json", 429, "slow down", Retry_After="30"),),
        classes={"catalogue": "config infra"},
        says={"catalogue": "429"},
    ),
    Situation(
        system="datasette",
        name="a page redirects to itself",
        breaks=(_answers("^/shop/products/42", 302, Location="/shop/products/42"),),
        classes={"catalogue": "config code infra"},
        says={"catalogue": "(?i)redirect"},
    ),
    Situation(
        system="datasette",
        name="an empty list",
        breaks=(
            Break(path=r"^/shop/products\.json", status=200, body="[]", headers={"Content-Type": "application/json"}),
        ),
        classes={"catalogue": "data code"},
        says={"catalogue": r"product 42 is \[\]"},
    ),
    Situation(
        system="datasette",
        name="HTML instead of JSON",
        breaks=(_answers(r"^/shop/products\.json", 200, "<html><h1>Welcome</h1></html>"),),
        classes={"catalogue": "code config infra"},
        says={"catalogue": "JSON"},
    ),
    Situation(
        system="datasette",
        name="an answer that ends in the middle",
        breaks=(Break(path=r"^/shop/products\.json", cut_bytes=12),),
        classes={"catalogue": "infra code"},
        says={"catalogue": r"GET /shop/products\.json|/shop/products\.json"},
    ),
    Situation(
        system="datasette",
        name="JSON that is called a text",
        breaks=(Break(path=r"^/shop/products\.json", headers={"Content-Type": "text/plain"}),),
        classes={"catalogue": "code config infra"},
    ),
    Situation(
        system="node-red",
        name="the editor's script takes 7 s",
        breaks=(Break(path=r"main\.min\.js", delay_s=7),),
        classes={"flow": "code infra dependency"},
        says={"flow": r"main\.min\.js"},
        never="log-in is slow",
    ),
    Situation(
        system="node-red",
        name="the WebSocket is refused",
        breaks=(_answers("^/comms", 403, "no"),),
        classes={"flow": "config infra code"},
        never="session",
    ),
    Situation(
        system="datasette",
        name="the cookie of the session is not set",
        breaks=(Break(path="^/-/login", method="POST", headers={"Set-Cookie": ""}),),
        classes={"order": "config code infra"},
        never="log-in (is|was) refused|password",
    ),
    Situation(
        system="node-red",
        name="tokens are too old as soon as they are issued",
        breaks=(_answers("^/flow", 401, "token expired"),),
        classes={"flow": "config code infra"},
        says={"flow": "/flow.* 401"},
        never="log-in (is|was) refused",
    ),
    Situation(
        system="node-red",
        name="what is sent is too large",
        breaks=(_answers("^/flow$", 413, "Payload Too Large", "POST"),),
        classes={"flow": "config code"},
        says={"flow": "POST /flow .*413"},
    ),
    Situation(
        system="django",
        name="a page of maintenance",
        breaks=(_answers("", 503, _DOWN, Retry_After="600"),),
        classes={"*": "infra config"},
        says={"groups": "503", "ping": "503"},
        incidents=1,
    ),
    Situation(
        system="django",
        name="the name of the host is gone",
        address="http://admin.invalid",
        classes={"*": "infra config dependency"},
        says={"groups": "(?i)resolved|dns|name", "ping": "(?i)resolved|dns|name"},
        incidents=1,
    ),
    Situation(
        system="django",
        name="no TLS is spoken at the address",
        address="https",
        classes={"*": "config infra"},
        says={"groups": "(?i)tls|ssl", "ping": "(?i)tls|ssl"},
        never="expired",
    ),
    Situation(
        system="django",
        name="a heading is called otherwise",
        breaks=(Break(path="^/admin/$", substitute=("Site administration", "Site management")),),
        classes={"groups": "code config"},
        says={"groups": "Site administration.*Site management"},
        never="log-in (is|was) refused|session",
    ),
    Situation(
        system="datasette",
        name="the button cannot be pressed",
        breaks=(Break(path="^/-/login", substitute=('value="Log in"', 'value="Log in" disabled')),),
        classes={"order": "code config"},
        says={"order": "Log in.*(disabled|not enabled)"},
    ),
    Situation(
        system="django",
        name="something covers the page",
        breaks=(Break(path="^/admin/auth/group/add/", substitute=("</body>", _OVERLAY)),),
        classes={"groups": "code config"},
        says={"groups": "(?i)cover|in front of|intercepts"},
    ),
    Situation(
        system="datasette",
        name="a dialog stands in front",
        breaks=(Break(path="^/shop/add_order", substitute=("</body>", _DIALOG)),),
        classes={"order": "code config"},
        says={"order": "(?i)dialog|cover|in front of|intercepts"},
    ),
    Situation(
        system="datasette",
        name="prices are written otherwise",
        breaks=(Break(path="^/shop/products/42", substitute=(">63.0<", ">63,00<")),),
        classes={"catalogue": "code config data"},
        says={"catalogue": "63.0.*63,00"},
    ),
    Situation(
        system="node-red",
        name="the editor's settings are answered 500",
        breaks=(_answers(r"^/settings(\?.*)?$", 500, "boom"),),
        classes={"flow": _ALL},
        says={"flow": "GET /settings .*500"},
    ),
    Situation(
        system="datasette",
        name="the page of the log-in is answered 500",
        breaks=(_answers("^/-/login", 500, "<h1>Server error</h1>", "GET"),),
        classes={"order": _ALL},
        says={"order": "GET /-/login .*500"},
        never="refused",
    ),
    Situation(
        system="django",
        name="too many log-ins",
        breaks=(_answers("^/admin/login/", 429, "Too many attempts. Try again later.", "POST"),),
        classes={"groups": "user config infra"},
        says={"groups": "POST /admin/login/ .*429"},
    ),
    Situation(
        system="datasette",
        name="an order is never answered",
        breaks=(Break(path="^/shop/add_order", method="POST", delay_s=100),),
        classes={"order": "infra"},
        says={"order": "POST /shop/add_order.*(never|not) answered"},
        never="worker",
    ),
    Situation(
        system="datasette",
        name="another number is stored",
        breaks=(Break(path=r"^/shop/orders\.json", substitute=('"qty": 3', '"qty": 4')),),
        classes={"order": "code data"},
        says={"order": r"qty.*4"},
    ),
    Situation(
        system="datasette",
        name="a table is gone",
        breaks=(_answers(r"^/shop/products\.json", 404, '{"ok": false, "error": "Table not found: products"}'),),
        classes={"catalogue": "code config data"},
        says={"catalogue": "404"},
    ),
    Situation(
        system="datasette",
        name="the connection ends without an answer",
        breaks=(Break(path="^/shop/add_order", method="GET", drop=True),),
        classes={"order": "infra"},
        says={"order": "/shop/add_order"},
    ),
    Situation(
        system="django",
        name="a gateway waits in vain",
        breaks=(_answers("^/admin/auth/group/add/", 504, "<h1>504 Gateway Time-out</h1>", "POST"),),
        classes={"groups": "infra dependency"},
        says={"groups": "POST /admin/auth/group/add/ .*504"},
    ),
    Situation(
        system="django",
        name="a page takes 0.8 s",
        breaks=(Break(path="^/admin/login/", method="GET", delay_s=0.8),),
        classes={"ping": "code infra dependency", "groups": "code infra dependency"},
        says={"ping": r"GET /admin/login/.*(0\.\d|[89]\d\d ms)"},
        never="log-in is slow",
    ),
    Situation(
        system="django",
        name="the list shows nothing that was stored",
        breaks=(Break(path="^/admin/auth/group/.q=", substitute=("result_list", "results")),),
        classes={"groups": "code data"},
        says={"groups": "result_list"},
    ),
    Situation(
        system="django",
        name="a query is refused with a server error after the log-in",
        breaks=(_answers("^/admin/$", 500, "<h1>Server Error (500)</h1>"),),
        classes={"groups": _ALL},
        says={"groups": "GET /admin/ .*500"},
        never="session|refused",
    ),
    Situation(
        system="datasette",
        name="who logged in is sent to the log-in anew",
        breaks=(_answers("^/shop/add_order", 302, "", "GET", Location="/-/login"),),
        classes={"order": "config code"},
        never="password",
    ),
)
"""Scored once, after the rules were written."""
