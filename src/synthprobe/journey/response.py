"""An answer of the target's API, and what can be expected of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NoReturn

from synthprobe import words
from synthprobe.errors import ConfigurationError, ExpectationError, JourneyError
from synthprobe.journey import steps
from synthprobe.journey.json_body import ANY, Lacking, out_of_order, readable, records_in, wrong_fields, wrong_records
from synthprobe.records.address import path_of
from synthprobe.records.evidence import Exchange
from synthprobe.records.finding import About, Contradiction, Finding, Throttled
from synthprobe.records.journey import duration_s
from synthprobe.tools import needs

_ERRORS = 400
_SHOWN = 600


class Response:
    """An answer, with expectations that can be chained.

    Every failed expectation shows what was expected, what was got, and the request that can be repeated.

    Args:
        exchange: the redacted record of the exchange.
        headers: the headers as received.
        content: the decoded body.

    Example:
        >>> from datetime import UTC
        >>> exchange = Exchange(step="", method="GET", url="http://t/x", request_headers={}, request_body="",
        ...     status=200, response_headers={}, response_body="", started_at=datetime.now(UTC), duration_ms=3)
        >>> Response(exchange, {"Content-Type": "application/json"}, b'{"a": 1}').expect(200).json_has(a=1).json["a"]
        1
    """

    def __init__(self, exchange: Exchange, headers: Mapping[str, str], content: bytes) -> None:
        self._exchange = exchange
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._content = content
        self.is_looked_at = False
        """Whether anything was read of it: a status, a header, the body."""
        self._asked_url = ""

    def __bool__(self) -> bool:
        """Whether its status is below 400, as for requests: ``assert api.get("/")`` says something."""
        return self.status < _ERRORS

    if not TYPE_CHECKING:  # a checker of types finds such names before

        def __getattr__(self, name: str) -> NoReturn:
            known = ", ".join(each for each in vars(Response) if not each.startswith("_"))
            raise AttributeError(f"An answer has no {name!r}. It has {known}.", name=name)

    def __repr__(self) -> str:
        return f"<{self.exchange.method} {self.exchange.url} → {self.exchange.status}>"

    @property
    def exchange(self) -> Exchange:
        """The redacted record of the exchange."""
        self.is_looked_at = True
        return self._exchange

    @property
    def headers(self) -> dict[str, str]:
        """The headers as received, their names in lower case."""
        self.is_looked_at = True
        return self._headers

    @property
    def content(self) -> bytes:
        """The decoded body."""
        self.is_looked_at = True
        return self._content

    @property
    def status(self) -> int:
        """The status code."""
        return self.exchange.status

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    @property
    def server_now(self) -> datetime | None:
        """The target's clock, from the ``Date`` header."""
        date = self.headers.get("date")
        return parsedate_to_datetime(date) if date else None

    @property
    def json(self) -> Any:
        """The body as JSON; an object or an array may also be written as a call, ``json()``, as for requests.

        Raises:
            ExpectationError: when it is none.
            JourneyError: when a field or an item of it is read by ``[...]`` that is not there; also a ``KeyError``,
                an ``IndexError`` and a ``TypeError``.
        """
        try:
            body = json.loads(self.content)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "no content type")
            if isinstance(error, RecursionError):
                kind += ", nested too deep to be read"
            if isinstance(error, UnicodeDecodeError):
                kind += f", not written in {error.encoding}"
            body = self.exchange.response_body[:_SHOWN]
            got = f"{kind}: {body}" if body.strip() else f"{kind}, and an empty body"
            raise self._contradiction("json", "a JSON body", got) from None
        return readable(body, self.lacking)

    def expect(self, *statuses: int) -> Response:
        """Expect one of these status codes.

        Args:
            statuses: the codes that are right.

        Returns:
            This answer, for more expectations.

        Raises:
            ExpectationError: when it has another.
        """
        if self.status not in statuses:
            wanted = " or ".join(str(status) for status in statuses)
            raise self._contradiction(
                "status", f"status {wanted}", f"status {self.status}: {self.exchange.response_body[:_SHOWN]}"
            )
        return self

    def json_has(self, *names: str, **fields: Any) -> Response:
        """Expect a JSON object with at least these fields.

        Args:
            names: fields that must have a value, whichever it is.
            fields: name and value; ``__`` steps into objects: ``unit__status="Available"``.

        Returns:
            This answer, for more expectations.

        Raises:
            ExpectationError: naming every field that is missing or different.
        """
        wrong, misshapen = wrong_fields(self.json, {**dict.fromkeys(names, ANY), **fields})
        if wrong:
            wanted = ", ".join([*names, *(f"{name}={value!r}" for name, value in fields.items())])
            raise self._contradiction("fields", f"JSON with {wanted}", "\n".join(wrong), misshapen=misshapen)
        return self

    def json_rows(
        self,
        name: str = "",
        *,
        key: str,
        has: Sequence[str] = (),
        order: Sequence[str] = (),
        at_least: int = 1,
        once: bool = True,
    ) -> list[dict[str, Any]]:
        """Expect a list of records that is complete: none twice, none without what each must have, and in order.

        Args:
            name: the field that holds the list; ``__`` steps into objects; the whole body without it.
            key: the field by which records are told apart.
            has: fields that each record must have, with a value.
            order: fields that the list is ordered by, the first one most, each with a value; ``-at`` is ordered from
                the greatest down.
            at_least: so many records there must be.
            once: whether a key may stand there only once; entries of a log may have their time in common.

        Returns:
            The records, for more expectations.

        Raises:
            ExpectationError: naming what is missing, and the first three records that lack something or stand wrong.

        Example:
            >>> from datetime import UTC
            >>> exchange = Exchange(step="", method="GET", url="http://t/x", request_headers={}, request_body="",
            ...     status=200, response_headers={}, response_body="", started_at=datetime.now(UTC), duration_ms=3)
            >>> answer = Response(exchange, {}, b'{"calls": [{"id": 7, "at": "10:04"}, {"id": 3, "at": "09:58"}]}')
            >>> [call["id"] for call in answer.json_rows("calls", key="id", order=("-at",))]
            [7, 3]
        """
        what, (records, amiss) = name or "the list", records_in(self.json, name)
        wrong = [f"{what}: {amiss}"] if amiss else []
        if not amiss and len(records) < at_least:
            wrong.append(f"{what}: expected {at_least} or more, got {len(records)}")
        wrong += wrong_records(records, key, [*has, *(field.removeprefix("-") for field in order)], once=once)
        misshapen = bool(wrong)
        wrong += out_of_order(records, key, order)
        if wrong:
            more = [f"and {len(wrong) - 3} more"] if len(wrong) > 3 else []
            wanted = f"{what} with {', '.join((key, *has))}" + (f", ordered by {', '.join(order)}" if order else "")
            raise self._contradiction("fields", wanted, "\n".join([*wrong[:3], *more]), misshapen=misshapen)
        return records

    def json_matches(self, schema: Mapping[str, Any]) -> Response:
        """Expect a body that a JSON Schema allows (https://json-schema.org).

        Args:
            schema: the schema.

        Returns:
            This answer, for more expectations.

        Raises:
            ExpectationError: naming the first three places that differ.
            ConfigurationError: when the schema itself is wrong.
        """
        with needs("schema", "json_matches()"):
            from jsonschema import Draft202012Validator, SchemaError

        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ConfigurationError(f"json_matches() was given a wrong schema: {error.message}.") from None
        found = sorted(Draft202012Validator(schema).iter_errors(self.json), key=lambda error: error.json_path)
        if found:
            places = "\n".join(f"{error.json_path}: {error.message[:200]}" for error in found[:3])
            raise self._contradiction("schema", "JSON as the schema says", places, misshapen=True)
        return self

    def has_header(self, name: str, value: str | None = None) -> Response:
        """Expect a header, and that it contains a text.

        Args:
            name: the header's name, in any case.
            value: text it must contain; any value without it.

        Returns:
            This answer, for more expectations.

        Raises:
            ExpectationError: when it is missing or does not contain the text.
        """
        got = self.headers.get(name.lower())
        if got is None or (value is not None and value not in got):
            wanted = f"header {name}" + (f" with {value!r}" if value is not None else "")
            shown = self.exchange.response_headers.get(name, "another value") if got is not None else "no such header"
            raise self._contradiction("header", wanted, shown)
        return self

    def within(self, limit: str | float) -> Response:
        """Expect the answer to have come within a time.

        Args:
            limit: for example ``"500ms"``.

        Returns:
            This answer, for more expectations.

        Raises:
            ExpectationError: when it took longer.
            ConfigurationError: when the limit is no duration.
        """
        try:
            limit_ms = duration_s(limit) * 1000
        except ValueError as error:
            raise ConfigurationError(f"within() cannot be used: {error}") from None
        if self.exchange.duration_ms > limit_ms:
            spent = ", ".join(f"{part.name} {part.duration_ms:.0f} ms" for part in self.exchange.server_timing)
            took = f"{self.exchange.duration_ms:.0f} ms" + (f" (server: {spent})" if spent else "")
            raise self._contradiction("time", f"an answer within {limit_ms:.0f} ms", took)
        return self

    def led_from(self, url: str) -> None:
        """Say which address was asked for; it led here."""
        self._asked_url = url

    def lacking(self, what: str) -> JourneyError:
        """That the journey reads what is not there."""
        asked = f"{self.exchange.method} {path_of(self.exchange.url)}"
        return Lacking(
            f"The journey reads what the answer of {asked} does not have: {what}. Expect what must be there, for "
            "example with json_has(), and a failure is the target's."
        )

    def _contradiction(self, about: About, expected: str, got: str, *, misshapen: bool = False) -> ExpectationError:
        asked = self.exchange
        found = Contradiction(
            about=about,
            expected=expected,
            got=got,
            method=asked.method,
            url=asked.url,
            status=asked.status,
            asked_url=self._asked_url,
            misshapen=misshapen,
        )
        after = next((v for k, v in asked.response_headers.items() if k.lower() == "retry-after"), "")
        throttled = Throttled(status=asked.status, after=after) if asked.status in {429, 503} and after else None
        return ExpectationError(
            words.contradicted(found, repeat=asked.curl(), throttled=throttled),
            "throttled" if throttled else "expectation",
            finding=Finding(contradiction=found, throttled=throttled),
        )


def answer_of(exchange: Exchange, headers: Mapping[str, str], content: bytes) -> Response:
    """The answer, which the running journey is expected to look at."""
    answer = Response(exchange, headers, content)
    if recorder := steps.current():
        recorder.answered(exchange.method, exchange.url, exchange.status, lambda: answer.is_looked_at)
    return answer
