"""Fixtures a journey's author uses, each of which a conftest.py may override."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from synthprobe.errors import ConfigurationError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey import steps
from synthprobe.journey.otp import Otp
from synthprobe.journey.testdata import TestData
from synthprobe.plugin.options import project_of, project_root, target_name
from synthprobe.plugin.session import JourneySession
from synthprobe.project import Project
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import BrowserContext

    from synthprobe.browser.logged_in import LoggedIn, LogIn, Sessions
    from synthprobe.history.store import History
    from synthprobe.journey.api import Api, NewApi, OpenApi
    from synthprobe.journey.inbox import Inbox, Mailbox

_HISTORY = pytest.StashKey["History"]()
_TOLD = pytest.StashKey[set[str]]()
_LEDGER_S = 15.0
"""Seconds that the ledger of one journey may take."""


class Secrets(Mapping[str, Secret]):
    """The target's secrets, read when they are first asked for.

    Args:
        project: whose configuration says where they are.
        target: whose secrets.
        redactor: learns each secret that is read.
    """

    def __init__(self, project: Project, target: Target, redactor: Redactor) -> None:
        self._project = project
        self._target = target
        self._redactor = redactor

    def __getitem__(self, name: str) -> Secret:
        secret = self._project.secret(self._target, name)
        self._redactor.add(secret)
        return secret

    def __iter__(self) -> Iterator[str]:
        return iter(self._target.secrets)

    def __len__(self) -> int:
        return len(self._target.secrets)


@pytest.fixture(scope="session")
def target(pytestconfig: pytest.Config) -> Target:
    """The target this session runs against."""
    session = JourneySession.current(pytestconfig)
    try:
        return session.target if session else project_of(pytestconfig).config.target(target_name(pytestconfig))
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None


def _usable(target: object) -> Target:
    """What a project's own fixture of that name gives may be something else."""
    if isinstance(target, Target):
        return target
    raise ConfigurationError(
        f"The fixture `target` gives a value of type {type(target).__name__}, and the fixtures of synthprobe need a "
        "synthprobe.Target. Is it a fixture of your own, in a conftest.py? Give it another name."
    )


@pytest.fixture(scope="session")
def redactor(pytestconfig: pytest.Config) -> Redactor:
    """Masks secrets in all that is recorded; ``redactor.add(value)`` tells it one more."""
    session = JourneySession.current(pytestconfig)
    return session.redactor if session else Redactor()


@pytest.fixture(scope="session")
def secrets(pytestconfig: pytest.Config, target: Target, redactor: Redactor) -> Secrets:
    """The target's secrets by name."""
    return Secrets(project_of(pytestconfig), _usable(target), redactor)


@pytest.fixture
def open_api(pytestconfig: pytest.Config, redactor: Redactor) -> Iterator[OpenApi]:
    """A function that opens an API session of any target; each is closed at the journey's end."""
    session = JourneySession.current(pytestconfig)
    exchanges = session.exchanges if session else []
    project = project_of(pytestconfig)
    from synthprobe.journey.api import Api  # collecting journeys needs no HTTP client

    opened: list[Api] = []

    def open_one(target: Target | str) -> Api:
        if isinstance(target, str):
            target = project.config.target(target)
        if session is None or _usable(target).name == session.target.name:
            guard = session.guard if session else None
        else:
            project.config.check_place(target)
            if reason := project.stopped(target):
                pytest.skip(reason)
            guard = session.guard.beside(target)
        opened.append(Api(target, redactor, exchanges, guard, project.credentials(target)))
        return opened[-1]

    yield open_one
    for opened_api in opened:
        opened_api.session.close()


@pytest.fixture
def new_api(open_api: OpenApi, target: Target) -> NewApi:
    """A function that opens one more API session, for a journey with several users."""
    return lambda: open_api(target)


@pytest.fixture
def api(new_api: NewApi) -> Api:
    """An API session of the target."""
    return new_api()


@pytest.fixture
def otp(pytestconfig: pytest.Config, target: Target, secrets: Secrets, redactor: Redactor) -> Otp:
    """Codes of an authenticator, by the name of its secret; see `Otp`."""
    folder = project_of(pytestconfig).folder / "state" / target.name / "otp"
    return Otp(secrets, folder, redactor.add_code)


@pytest.fixture
def mailbox(pytestconfig: pytest.Config, target: Target, secrets: Secrets) -> Mailbox:
    """The mailbox that ``[targets.NAME.inbox]`` names."""
    if (described := _usable(target).inbox) is None:
        raise ConfigurationError(
            f"Target {target.name!r} has no inbox. Name one: [targets.{target.name}.inbox] with url, user and "
            "secret in synthprobe.toml, or give a fixture `mailbox` in conftest.py."
        )
    from synthprobe.journey.inbox import open_mailbox

    ca_file = str(project_root(pytestconfig) / described.ca_file) if described.ca_file else ""
    config = replace(described, ca_file=ca_file)
    return open_mailbox(config, secrets[config.secret] if config.secret else None)


@pytest.fixture
def inbox(mailbox: Mailbox, redactor: Redactor) -> Inbox:
    """The mail of synthetic users that comes from now on; see `Inbox`."""
    from synthprobe.journey.inbox import Inbox

    return Inbox(mailbox, redactor.add_code, lambda value: redactor.learn(value, "link of a message"))


@pytest.fixture(scope="session")
def kept_sessions(pytestconfig: pytest.Config, target: Target, secrets: Secrets, redactor: Redactor) -> Sessions:
    """Browser states of users who logged in, for `logged_in`."""
    from synthprobe.browser.logged_in import Sessions

    folder = project_of(pytestconfig).folder / "state" / target.name / "sessions"
    return Sessions(folder, secrets[target.session_key] if target.session_key else None, redactor.learn)


@pytest.fixture
def log_in() -> LogIn:
    """How a user logs in; given by the project's own ``conftest.py``."""
    raise ConfigurationError(
        "logged_in(...) does not know how a user logs in. Give a fixture `log_in` in conftest.py that returns "
        "synthprobe.LogIn(act=..., start=..., shows=...); docs/guides/logins.md shows it."
    )


@pytest.fixture
def logged_in(
    request: pytest.FixtureRequest, log_in: LogIn, kept_sessions: Sessions, new_context: Callable[..., BrowserContext]
) -> LoggedIn:
    """A function that opens a page of a user who is logged in; see `LoggedIn`."""
    from synthprobe.browser.logged_in import LoggedIn

    return LoggedIn(log_in, kept_sessions, new_context, anew=getattr(request.node, "execution_count", 1) > 1)


@pytest.fixture
def testdata(pytestconfig: pytest.Config, target: Target) -> Iterator[TestData]:
    """Synthetic objects that are gone afterwards, whatever happens; see `TestData`."""
    session = JourneySession.current(pytestconfig)

    def note(text: str) -> None:
        if recorder := steps.current():
            recorder.notes.append(text)

    kinds = project_of(pytestconfig).plugins.kinds
    data = TestData(
        _usable(target), lambda: _history(pytestconfig), session.run_folder.run.id if session else "", note, kinds
    )
    yield data
    data.clear()
    if (history := pytestconfig.stash.get(_HISTORY, None)) is not None:
        history.allow(_LEDGER_S)
        known_sentences = pytestconfig.stash.setdefault(_TOLD, set())
        for sentence in set(history.notes) - known_sentences:
            note(sentence)
            known_sentences.add(sentence)


def _history(config: pytest.Config) -> History:
    """The history, opened once a session, and only where a journey creates something."""
    history = config.stash.get(_HISTORY, None)
    if history is None or not history.available:
        from synthprobe import pipeline  # most sessions create nothing

        history = pipeline.open_history(project_of(config), within_s=_LEDGER_S)
        config.add_cleanup(history.close)
        config.stash[_HISTORY] = history
    return history
