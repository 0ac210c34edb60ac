"""A target: a system we watch, what may be done there, and how its test data is found and removed."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from synthprobe.errors import ConfigurationError
from synthprobe.records.address import shown_address
from synthprobe.targets.addresses import odd_address, read_address
from synthprobe.targets.client_certificates import ClientCertificate
from synthprobe.targets.proxy import Proxy

_NAMED = re.compile(r"\{(\w+)\}")


class TestDataKind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one kind of synthetic object is found and removed: ``[targets.NAME.testdata.NAME]``."""

    __test__ = False  # no test, whatever pytest makes of the name

    delete: str
    find: str = ""
    fields: str = ""
    shows: str = ""
    look: str = ""
    method: Literal["DELETE", "POST", "PUT", "PATCH"] = "DELETE"
    body: dict[str, str] = field(default_factory=dict)
    sends: Literal["json", "form"] = "json"
    form: str = ""
    gone_when: dict[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def named(self) -> set[str]:
        """The fields that its paths and its body name."""
        return {
            name for text in (self.look, self.form, self.delete, *self.body.values()) for name in _NAMED.findall(text)
        }


def check_testdata(target: str, kinds: dict[str, TestDataKind]) -> None:
    """See that each kind can be found and removed."""
    for name, kind in kinds.items():
        table = f"[targets.{target}.testdata.{name}]"
        if not kind.find and not kind.look:
            raise ConfigurationError(
                f"{table} has neither find nor look, so nobody could tell which objects are ours. Add "
                'find = "/path?q={token}", or look = "/path/{id}" for objects that no list shows.'
            )
        try:
            groups = re.compile(kind.fields).groupindex if kind.fields else {}
        except re.error as error:
            raise ConfigurationError(
                f"{table} has fields = {kind.fields!r}, which is no regular expression: {error}. Write for example "
                "fields = '/things/(?P<id>[0-9]+)/'."
            ) from None
        if kind.fields and not (groups and kind.look and kind.find and kind.shows):
            raise ConfigurationError(
                f"{table} has fields, which needs a named group such as (?P<id>[0-9]+), find, look and shows: what the "
                "expression finds is ours only if the object's own answer holds the token, and a list without "
                "any is believed only if it shows what it always shows."
            )
        if kind.sends == "form" and not kind.look and not kind.form:
            raise ConfigurationError(f'{table} sends a form, and no page shows it. Add form = "/path", or look.')


ReadyMade = Literal[
    "certificate_holds", "redirects_to_https", "has_security_headers", "resolves", "accepts_connections"
]
"""What a line of the configuration looks at; ``plugin/ready_made.py`` has a journey for each."""


class Login(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a command becomes somebody at the target: ``[targets.NAME.sweeper]``, ``[targets.NAME.sessions.ROLE]``."""

    login: str = ""
    sends: Literal["json", "form"] = "json"
    json: dict[str, str] = field(default_factory=dict)
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class HttpCredentials(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a door in front of the target asks for (HTTP Basic): ``[targets.NAME.http_credentials]``.

    API sessions and browser contexts send it to the target's own origin, and to no other.
    """

    user: str
    secret: str


class Inbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the mail of synthetic users is read: ``[targets.NAME.inbox]``.

    Attributes:
        url: ``imaps://HOST``, ``imap://HOST`` (within one's own network only), or the http(s) address of a Mailpit.
        secret: name of the target's secret that is the password.
        ca_file: PEM file of an authority of one's own, relative to the project's root.
    """

    url: str
    user: str = ""
    secret: str = ""
    folder: str = "INBOX"
    ca_file: str = ""


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A system under watch, as one table ``[targets.NAME]`` of the configuration.

    Attributes:
        base_url: where it stands, with scheme, for example ``https://cad.example.org``.
        name: the table's name; filled in when the configuration is read.
        timeout_s: seconds one API call may take in all, redirects and body included.
        action_timeout_s: seconds one browser action or expectation may wait.
        max_body_mb: megabytes of a decoded answer that are read before the call is given up.
        slow_request_ms: milliseconds from which a browser request counts as slow in the evidence.
        mask_selectors: CSS selectors hidden in screenshots, besides password inputs.
        secrets: name to source, ``env:VARIABLE`` or ``file:/path``.
        http_credentials: user and secret of a door in front of the target (HTTP Basic).
        proxy: the company's proxy through which the target is reached.
        inbox: where the mail of synthetic users is read.
        session_key: name of the target's secret with which kept sessions are encrypted; empty keeps them in memory.
        allowed_hosts: hosts journeys may reach besides that of ``base_url``; ``*.example.org`` for all below it.
        blocked_hosts: third parties that pages ask for and never reach, known to be so.
        production: whether real users work there; makes it read-only, and TLS is always verified.
        read_only: whether changes are refused; left out, they are on production.
        allows: what journeys marked ``mutates`` may change although the target is read-only.
        login_paths: paths to which a POST is no change; ``*`` stands for any text.
        reads: requests that only read although their method does not say so: ``POST /api/search``.
        websocket_paths: paths of WebSockets over which a page's messages are no change; ``*`` stands for any text.
        requests_per_second: requests API sessions may send in all workers together; 0 for no limit.
        journeys_per_minute: journeys that may start in all workers together; 0 for no limit.
        kill_switch: ``env:VARIABLE``, ``file:PATH`` or an https address; on, no journey sends anything.
        tls_verify: whether certificates are checked; cannot be false on production.
        ca_file: PEM file of an authority of one's own, relative to the project's root, that is trusted as well.
        client_certificates: what hosts are shown that ask for a certificate, by host.
        user_agent: what is added to the user agent, so that the target can tell synthetic traffic.
        testdata: how each kind of synthetic object is found and removed.
        sweeper: who `synthprobe sweep` is at the target.
        sessions: who `synthprobe http` is at the target, by role.
        automatic_fixes: ids of the fixes that may be applied without a person once they earned it.
        browser_headers: whether what a browser sends carries the mark, ``no-cache``, ``traceparent`` and ``baggage``;
            without it, when no other host is allowed.
        trace_url: address of one trace in the target's own tracing tool, with ``{trace_id}`` where its id goes.
        ready_made: ready-made journeys that need no file, by the name of the look.
        locations: from where each slot is looked at, when several machines judge it together.
        quorum: how many locations must say that a journey failed; 0 for a majority of those that looked.
    """

    base_url: str
    name: str = ""
    timeout_s: Annotated[float, Meta(gt=0, le=3_600)] = 10.0
    action_timeout_s: Annotated[float, Meta(gt=0, le=3_600)] = 5.0
    max_body_mb: Annotated[float, Meta(gt=0, le=10_000)] = 10.0
    slow_request_ms: Annotated[float, Meta(ge=0, le=3_600_000)] = 1000.0
    mask_selectors: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)
    http_credentials: HttpCredentials | None = None
    proxy: Proxy | None = None
    inbox: Inbox | None = None
    session_key: str = ""
    allowed_hosts: tuple[str, ...] = ()
    blocked_hosts: tuple[str, ...] = ()
    production: bool = False
    read_only: bool | None = None
    allows: tuple[str, ...] = ()
    login_paths: tuple[str, ...] = ("*/login", "*/logout", "*/token")
    reads: tuple[str, ...] = ()
    websocket_paths: tuple[str, ...] = ()
    requests_per_second: Annotated[float, Meta(ge=0, le=100_000)] = 0.0
    journeys_per_minute: Annotated[float, Meta(ge=0, le=100_000)] = 0.0
    kill_switch: str = ""
    tls_verify: bool = True
    ca_file: str = ""
    client_certificates: dict[str, ClientCertificate] = field(default_factory=dict)
    user_agent: str = "synthprobe"
    testdata: dict[str, TestDataKind] = field(default_factory=dict)
    sweeper: Login = field(default_factory=Login)
    sessions: dict[str, Login] = field(default_factory=dict)
    automatic_fixes: tuple[str, ...] = ()
    browser_headers: bool | None = None
    trace_url: str = ""
    ready_made: tuple[ReadyMade, ...] = ()
    locations: tuple[str, ...] = ()
    quorum: Annotated[int, Meta(ge=0, le=1_000)] = 0


def sends_by_egress_proxy(target: Target) -> bool:
    """Whether browsers send through our own proxy, as behind a company's, or where Playwright shows certificates."""
    return target.proxy is not None or bool(target.client_certificates)


def check_base_url(target_name: str, base_url: str) -> str:
    """The address without a trailing slash."""
    before, _, rest = base_url.rpartition("@")
    scheme = f"{before.partition('://')[0]}://" if "://" in before else ""
    shown = f"{scheme}****@{rest}" if before else base_url
    read = read_address(base_url)
    sound = read is not None and read.protocol in {"http:", "https:"} and "://" in base_url and read.port != "0"
    if before and (not sound or read is None or read.username or read.password):
        raise ConfigurationError(
            f"The base URL of target {target_name!r} is {shown!r}: it holds a user or password, which would stand in "
            f'every report. Write base_url = "{scheme}{rest}", declare the password as a secret, for example '
            f'door = "env:DOOR_PASSWORD" in [targets.{target_name}.secrets], and say whose it is: '
            f'http_credentials = {{ user = "NAME", secret = "door" }} in [targets.{target_name}].'
        )
    if not sound:
        raise ConfigurationError(
            f"The base URL of target {target_name!r} is {shown!r}, which has no http:// or https:// scheme and "
            f'host. Write it in full, for example base_url = "https://{shown or "staging.example.org"}".'
        )
    if odd := odd_address(base_url):
        raise ConfigurationError(f"The base URL of target {target_name!r} cannot be used. {odd}")
    return base_url.rstrip("/")


def check_http_credentials(target: Target) -> None:
    """See that a door's password is a secret of the target."""
    credentials = target.http_credentials
    if credentials is None:
        return
    table = f"[targets.{target.name}]"
    if not credentials.user or ":" in credentials.user or not credentials.user.isprintable():
        raise ConfigurationError(
            f"http_credentials of {table} has the user {credentials.user!r}. A name without a colon was expected, for "
            f'example http_credentials = {{ user = "probe", secret = "{credentials.secret or "door"}" }}.'
        )
    _check_secret(target, "http_credentials.secret", credentials.secret)


def check_session_key(target: Target) -> None:
    """See that kept sessions can be opened."""
    if target.session_key:
        _check_secret(target, "session_key", target.session_key)


def check_inbox(target: Target) -> None:
    """See that the inbox can be read."""
    inbox, table = target.inbox, f"[targets.{target.name}]"
    if inbox is None:
        return
    if inbox.secret:
        _check_secret(target, "inbox.secret", inbox.secret)
    scheme, _, host = inbox.url.partition("://")
    if scheme not in {"imaps", "imap", "http", "https"} or "@" in inbox.url or not host:
        raise ConfigurationError(
            f"inbox.url of {table} is {scheme!r} without a host, with a user in it, or of another kind. "
            'url = "imaps://HOST", "imap://HOST" or the http(s) address of a Mailpit was expected, and the user as '
            "user. For another system, give a fixture `mailbox` in conftest.py."
        )
    if scheme.startswith("imap") and not (inbox.user and inbox.secret):
        raise ConfigurationError(
            f'inbox of {table} is read by IMAP, so it needs user = "NAME" and secret = "NAME OF A SECRET".'
        )


def _check_secret(target: Target, key: str, secret: str) -> None:
    if secret not in target.secrets:
        known = ", ".join(sorted(target.secrets)) or "none"
        raise ConfigurationError(
            f"{key} of [targets.{target.name}] names the secret {secret!r}, which the target does not declare; it "
            f'declares: {known}. Declare it: {secret} = "env:{secret.upper()}" in [targets.{target.name}.secrets].'
        )


def check_trace_url(target: Target) -> None:
    """See that the pattern of a trace's address is one."""
    trace_url = target.trace_url
    if trace_url and not (trace_url.startswith(("https://", "http://")) and "{trace_id}" in trace_url):
        raise ConfigurationError(
            f"trace_url of target {target.name!r} is {shown_address(trace_url)!r}. A web address with {{trace_id}} in "
            'it was expected, for example "https://traces.example.org/trace/{trace_id}".'
        )


def backend_trace(target: Target, trace_id: str) -> str:
    """Where an attempt at a journey opens in the target's own tracing tool.

    Example:
        >>> backend_trace(Target(base_url="https://x.example", trace_url="https://traces.example/{trace_id}"), "0af7")
        'https://traces.example/0af7'
    """
    return target.trace_url.replace("{trace_id}", trace_id) if trace_id else ""
