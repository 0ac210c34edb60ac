"""``synthprobe http``."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

import typer

from synthprobe.cli.options import BaseUrl, TargetName, finite
from synthprobe.cli.terminal import open_console
from synthprobe.errors import ConfigurationError, ExpectationError, TargetError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.api import Api
from synthprobe.journey.guard import Guard
from synthprobe.journey.response import Response
from synthprobe.journey.sweeping import signed_in
from synthprobe.journey.trust import like_browsers
from synthprobe.project import Project
from synthprobe.targets.guardrails import egress_refusal
from synthprobe.targets.target import Target

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_CONNECT_S = 10.0


def http(
    method: Annotated[str, typer.Argument(help=f"`{'`, `'.join(METHODS)}`.")],
    path: Annotated[str, typer.Argument(help="Path at the target, or an address of an allowed host.")],
    as_: Annotated[
        str | None, typer.Option("--as", metavar="ROLE", help="A session of the target; nobody in particular without.")
    ] = None,
    target: TargetName = None,
    base_url: BaseUrl = None,
    body: Annotated[str | None, typer.Option("--json", help="JSON to send.")] = None,
    show: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="`body`, `status`, `seconds`, `headers`, `certificate`, or a header's name; the body without it.",
        ),
    ] = None,
    times: Annotated[
        int, typer.Option(help="How often it asks, to meet every server behind a balancer.", min=1, max=100)
    ] = 1,
    expect: Annotated[int | None, typer.Option(help="The status it must have; without it, any below 400.")] = None,
    listen: Annotated[
        float,
        typer.Option(
            help="Seconds to listen to an answer that never ends.", min=0, max=600, show_default=False, callback=finite
        ),
    ] = 0.0,
) -> None:
    """Ask the target one thing, as a role, within its guardrails; what is printed is masked.

    Exit code 0: it answered as expected. 1: it did not. 2: usage or configuration, also what a guardrail refuses.
    """
    project = Project.here()
    chosen = project.config.target(target, base_url=base_url)
    if method.upper() not in METHODS:
        raise ConfigurationError(f"{method!r} is no method; one of {', '.join(METHODS)} was expected first.")
    sent = _json(body)
    if reason := project.stopped(chosen):
        raise ConfigurationError(f"Nothing was sent to target {chosen.name}. {reason}")
    console, redactor = open_console(), project.redactor
    try:
        if show == ["certificate"]:
            console.print(_certificate(chosen, path))
            return
        api = _session(project, chosen, redactor, as_)
        if listen:
            api.listens()
        given = {"json": sent} if body is not None else {}
        statuses = []
        for _ in range(times):
            answer = api.request(method.upper(), path, timeout=listen or None, **given)
            console.print(_printable(_shown(answer, show or ["body"], redactor)))
            statuses.append(answer.status)
    except (TargetError, ExpectationError) as error:  # the latter: it logs nobody in
        if isinstance(error, TargetError) and error.kind == "egress":
            raise ConfigurationError(str(error)) from None
        console.print(_printable(redactor.text(f"It was not answered: {error}")))
        raise typer.Exit(1) from None
    wrong = [status for status in statuses if (status != expect if expect is not None else status >= 400)]
    if wrong:
        wanted = str(expect) if expect is not None else "one below 400"
        open_console(stderr=True).print(f"The status is {wrong[0]}; {wanted} was expected.")
        raise typer.Exit(1)


def _json(body: str | None) -> Any:
    try:
        return None if body is None else json.loads(body)
    except ValueError as error:
        raise ConfigurationError(
            f'--json cannot be read as JSON: {error}. Write for example --json \'{{"state": "on"}}\'.'
        ) from None


def _session(project: Project, target: Target, redactor: Redactor, role: str | None) -> Api:
    if role is not None and role not in target.sessions:
        known = ", ".join(sorted(target.sessions)) or "none"
        raise ConfigurationError(
            f"The target {target.name!r} has no session {role!r}; known ones: {known}. Say how it logs in, in a table "
            f"[targets.{target.name}.sessions.{role}] with login, json and token."
        )
    api = Api(target, redactor, guard=Guard(target), credentials=project.credentials(target))
    if role is None:
        return api
    return signed_in(api, target.sessions[role], partial(project.secret, target, needed_by=f"session {role!r}"))


def _shown(answer: Response, parts: list[str], redactor: Redactor) -> str:
    headers = redactor.headers(answer.headers)
    by_name = {name.lower(): value for name, value in headers.items()}
    known = {
        "body": lambda: _body(answer, redactor),
        "status": lambda: str(answer.status),
        "seconds": lambda: f"{answer.exchange.duration_ms / 1000:.3f}",
        "headers": lambda: "\n".join([f"status: {answer.status}", *(f"{k}: {v}" for k, v in by_name.items())]),
    }
    return " ".join(known[part]() if part in known else by_name.get(part.lower(), "-") for part in parts)


def _body(answer: Response, redactor: Redactor) -> str:
    """The body as it came, unless a field of it must be masked by its name."""
    text = answer.text
    try:
        given = json.loads(text)
    except ValueError:
        return redactor.body(text, answer.headers.get("content-type", ""))
    masked = redactor.fields(given)
    return redactor.text(text if masked == given else json.dumps(masked, ensure_ascii=False, separators=(",", ":")))


def _certificate(target: Target, path: str) -> str:
    """Whose certificate a host shows and when it ends, also when nobody would trust it."""
    place = urlsplit(path if "://" in path else urljoin(f"{target.base_url}/", path.lstrip("/")))
    if place.scheme != "https" or not place.hostname:
        raise ConfigurationError(f"{place.geturl()} has no certificate; an https address was expected.")
    if why := egress_refusal(target, place.geturl()):
        raise TargetError("egress", why)
    address = (place.hostname, place.port or 443)
    try:
        pem = ssl.get_server_certificate(address, timeout=_CONNECT_S)
        context = like_browsers(ssl.create_default_context(cadata=pem))
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # itself is trusted, so that it can be read
        with (
            socket.create_connection(address, timeout=_CONNECT_S) as raw,
            context.wrap_socket(raw, server_hostname=place.hostname) as tls,
        ):
            found: Any = tls.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return f"certificate problem: {error.verify_message}"
    except OSError as error:
        raise TargetError("tls", f"{place.geturl()} shows no certificate: {error.strerror or error}.") from None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
    names = ", ".join(name for _, name in found.get("subjectAltName", ())) or "nobody"
    return f"certificate for {names} ends {ends:%Y-%m-%d}, in {(ends - datetime.now(UTC)).days} days"


def _printable(text: str) -> str:
    """What the target sent is text to a terminal, and nothing else."""
    plain = text.replace("\r\n", "\n").rstrip("\n")
    return "".join(
        character if character.isprintable() or character in "\n\t" else f"\\x{ord(character):02x}"
        for character in plain
    )
