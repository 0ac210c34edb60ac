"""Applying a fix: every rule of safety in order, and a line of the audit before and after anything is changed."""

from __future__ import annotations

import hashlib
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from synthprobe.errors import AuditError, ConfigurationError, FixRefused, SynthprobeError
from synthprobe.evidence.redaction import Redactor
from synthprobe.firstline import policy
from synthprobe.firstline.audit import Audit, AuditEntry, Check, Event
from synthprobe.firstline.fixes import TEXT_CHARACTERS, Fix, Guard, Plan, Work, check_complete
from synthprobe.firstline.identity import Actor, Signatures
from synthprobe.firstline.policy import FixesConfig
from synthprobe.journey.api import Api
from synthprobe.records.decoding import from_json
from synthprobe.records.incident import Incident, IncidentEvent
from synthprobe.records.result import Outcome
from synthprobe.targets.secrets import Secret, credentials_of
from synthprobe.targets.target import Target

KILL_SWITCH = "SYNTHPROBE_FIXES_OFF"
ANYBODY = "anybody"
"""The role of who only looks: a plan asks for none."""

T = TypeVar("T")


@dataclass(frozen=True)
class Done:
    """What came of a fix."""

    ok: bool
    changed: bool
    text: str
    plan: Plan | None = None
    request: str = ""


@dataclass(frozen=True)
class _Order:
    """What is asked for: a fix of an incident, by whom, and with what was typed."""

    fix: Fix
    incident: Incident
    actor: Actor
    inputs: Mapping[str, str]
    automatic: bool = False


@dataclass
class FixDesk:
    """Where fixes are planned, approved and applied."""

    config: FixesConfig
    target: Target
    folder: Path
    audit: Audit
    rerun: Callable[[Sequence[str]], Mapping[str, Outcome]]
    record: Callable[[str, IncidentEvent], None]
    secret: Callable[[str], Secret]
    environ: Mapping[str, str]
    redactor: Redactor = field(default_factory=Redactor)
    signatures: Signatures | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def plan(
        self, fix: Fix, incident: Incident, inputs: Mapping[str, str] | None = None, *, who: str = ""
    ) -> Plan | None:
        """Look at the target, and say what the fix would do. Changes nothing; what is refused is recorded."""
        order = _Order(fix, incident, Actor(ANYBODY, who), inputs or {})
        try:
            return self._plan(order)
        except (FixRefused, ConfigurationError) as error:
            self._write("refused", order, text=str(error))
            raise

    def _plan(self, order: _Order) -> Plan | None:
        fix = order.fix
        check_complete(fix, self.config.roles)
        policy.check_evidence(self.config, order.incident, self.target.name, self.now())
        work = self._work(order)
        try:
            planned = as_plan(fix, self._bounded(order, work, fix.plan))
        except (FixRefused, ConfigurationError):
            raise
        except Exception as error:  # whatever a project's own function does
            why = f"The plan of the fix {fix.id} failed: {_reason(error)}".rstrip(".?!")
            raise FixRefused(
                self._masked(f"{why}. Nothing was changed. Look at what was typed, or escalate.")
            ) from None
        if planned is not None and len(planned.touches) > fix.most_touched:
            raise FixRefused(
                f"The fix {fix.id} would change {len(planned.touches)} objects; at most {fix.most_touched} were "
                "expected. Something larger is wrong. Escalate."
            )
        return planned

    def apply(
        self,
        fix: Fix,
        incident: Incident,
        actor: Actor,
        inputs: Mapping[str, str] | None = None,
        *,
        really: bool = False,
        automatic: bool = False,
    ) -> Done:
        """Apply a fix, if every rule of safety allows it, and verify it. A dry run unless told otherwise."""
        from filelock import FileLock, Timeout

        order = _Order(fix, incident, actor, inputs or {}, automatic)
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f"fixes-{self.target.name}.lock", timeout=0)
        try:
            try:
                with lock:
                    return self._apply(order, really=really)
            except Timeout:
                raise FixRefused(
                    f"Another fix is being applied to {self.target.name!r}. Wait until it ended."
                ) from None
        except (FixRefused, ConfigurationError) as error:
            self._write("refused", order, text=str(error))
            raise

    def approve(self, request: str, actor: Actor) -> AuditEntry:
        """Approve what somebody else asked for."""
        asked = [entry for entry in self.audit.known() if entry.event == "requested" and entry.digest == request]
        if not asked:
            raise FixRefused(f"There is no request {request!r}. See: synthprobe audit.")
        now = self.now()
        try:
            policy.check_role(self.config, actor.role, "approve")
            if asked[-1].who == actor.mark:
                raise FixRefused("You asked for this fix yourself. Somebody else must approve it.")
        except FixRefused as error:
            refused = msgspec.structs.replace(
                asked[-1], at=now, event="refused", role=actor.role, who=actor.mark, text=str(error), digest=""
            )
            self.audit.append(refused)
            raise
        entry = msgspec.structs.replace(
            asked[-1],
            at=now,
            event="approved",
            role=actor.role,
            who=actor.mark,
            text=f"The role {actor.role} approved: {asked[-1].text}",
            expires=now + timedelta(seconds=self.config.approval_s),
        )
        if self.signatures is not None:
            entry = msgspec.structs.replace(entry, signature=self.signatures.sign(entry.signed()))
        return self.audit.append(entry)

    def _apply(self, order: _Order, *, really: bool) -> Done:
        now, fix, actor = self.now(), order.fix, order.actor
        entries = self.audit.known()  # an audit that cannot be believed ends it here
        policy.check_role(self.config, actor.role, "apply")
        if actor.role not in fix.roles:
            raise FixRefused(f"The role {actor.role!r} may not apply {fix.id}. Roles that may: {', '.join(fix.roles)}.")
        if self.environ.get(KILL_SWITCH) or (self.folder / "fixes-off").exists():
            raise FixRefused(
                f"Fixes are switched off ({KILL_SWITCH}, or the file fixes-off in {self.folder.name}). Escalate."
            )
        policy.check_freeze(self.config, now)
        planned = self._plan(order)
        if planned is None:
            text = f"{fix.title}: not needed, the target is as it should be. Nothing was changed."
            self._write("planned", order, text=text)
            return Done(ok=True, changed=False, text=text)
        digest, whole = self._digest(order, planned)
        objects = len(planned.touches)
        approved = partial(
            policy.approval,
            digest=digest,
            who=actor.mark,
            now=now,
            is_signed=lambda found: (
                self.signatures is None
                or ((found.plan, found.objects) == (whole, objects) and self.signatures.hold(found))
            ),
        )
        needs_approval = really and fix.approval
        own = {entry.hash for entry in self.audit.entries()}  # the lock of this folder is held already

        def check(known: Sequence[AuditEntry]) -> None:
            policy.check_alone([entry for entry in known if entry.hash not in own], self.target.name, self.now())
            policy.check_rate(known, fix.id, self.target.name, fix.per_hour, now)
            policy.check_breaker(self.config, known, fix.id, self.target.name, now)
            if needs_approval and approved(known) is None:
                raise FixRefused("Its approval was used meanwhile. Ask for it anew.")

        policy.check_rate(entries, fix.id, self.target.name, fix.per_hour, now)
        policy.check_breaker(self.config, entries, fix.id, self.target.name, now)
        if order.automatic:
            policy.check_earned(self.config, entries, fix.id, self.target.name, self.target.automatic_fixes)
        what = f"{planned.seen} Would: {'; '.join(planned.steps)}. Changes {objects}: {', '.join(planned.touches)}."
        if not really:
            self._write("planned", order, digest=digest, text=what)
            return Done(ok=True, changed=False, text=f"Dry run, nothing was changed. {what}", plan=planned)
        if needs_approval and approved(entries) is None:
            self._write("requested", order, digest=digest, text=what, plan=whole, objects=objects)
            other = policy.outgrown(entries, digest, actor.mark, now)
            text = (f"Refused: what was approved is another plan. {other.text} Now it is: {what} " if other else "") + (
                f"Somebody else must approve this first: synthprobe fix approve {digest} --by ROLE. Roles that may: "
                f"{policy.able(self.config, 'approve')}. Then apply it again. {what}"
            )
            return Done(ok=False, changed=False, text=text, plan=planned, request=digest)
        self._begin(order, digest, what, check)
        try:
            ok, text = self._change(order, planned)
        except BaseException:
            self._write("failed", order, digest=digest, text="It was interrupted.")
            raise
        self._write("applied" if ok else "failed", order, digest=digest, text=text, clean=ok)
        summary = self._masked(f"{planned.seen} The role {actor.role} applied '{fix.title}'. {text}")
        self.record(order.incident.id, IncidentEvent(at=self.now(), role=actor.role, text=summary))
        return Done(ok=ok, changed=True, text=summary, plan=planned)

    def _begin(self, order: _Order, digest: str, what: str, check: Check) -> None:
        """Write that it begins, where every machine that shares the history reads it, or refuse."""
        try:
            self._write("applying", order, digest=digest, text=what, check=check)
        except (FixRefused, AuditError):
            raise
        except SynthprobeError as error:
            raise FixRefused(
                f"It is not known what was applied elsewhere, so nothing was changed: {error} Put the history in "
                "order, or escalate."
            ) from None

    def _change(self, order: _Order, planned: Plan) -> tuple[bool, str]:
        """Apply, read independently, run the journeys again; undo what did not help."""
        fix, incident = order.fix, order.incident
        assert fix.apply is not None
        assert fix.check is not None
        sentences = []
        try:
            work = self._work(order)
            work.api.most_writes = max(len(planned.touches), len(planned.steps)) * max(len(fix.writes), 1)
            sentences.append(self._bounded(order, work, fix.apply, writing=True))
            sentences.append(self._bounded(order, self._work(order), fix.check))
            outcomes = self.rerun(incident.journeys)
            bad = [journey for journey in incident.journeys if outcomes.get(journey) != "passed"]
            if not bad and incident.journeys:
                return True, self._masked(" ".join([*map(_short, sentences), "Its journeys pass again."]))
            missing = ", ".join(f"{journey}: {outcomes.get(journey, 'not run')}" for journey in bad)
            sentences.append(f"Its journeys do not all pass: {missing or 'the incident names none'}.")
        except Exception as error:  # whatever a project's own function does
            sentences.append(_reason(error))
        if fix.undo is None:
            sentences.append(f"It cannot be undone: {fix.irreversible}. Escalate.")
        else:
            try:
                sentences.append(self._bounded(order, self._work(order), fix.undo, writing=True))
                sentences.append("It was undone. Escalate.")
            except Exception as error:
                sentences.append(f"Undoing it failed as well: {str(error).strip() or _reason(error)} Escalate at once.")
        return False, self._masked(" ".join(map(_short, sentences)))

    def _work(self, order: _Order) -> Work:
        fix = order.fix
        shown = credentials_of(self.target, self.secret, self.environ)
        guard = Guard(
            Api(self.target, self.redactor, credentials=shown),
            always=fix.always,
            writes=fix.writes,
            within_s=fix.within_s,
            most=fix.most_requests,
        )

        def secret(name: str) -> Secret:
            found = self.secret(name)
            self.redactor.add(found)
            return found

        return Work(target=self.target, api=guard, incident=order.incident, secret=secret)

    def _bounded(self, order: _Order, work: Work, function: Callable[..., T], *, writing: bool = False) -> T:
        """Run a part of a fix in a thread, so that one that never ends holds nobody and sends nothing more."""
        fix, values = order.fix, order.fix.read_inputs(order.inputs)
        found: list[T] = []
        errors: list[BaseException] = []

        def part() -> None:
            try:
                found.append(function(work, **values))
            except BaseException as error:
                errors.append(error)

        work.api.writing = writing
        thread = threading.Thread(target=part, daemon=True)
        thread.start()
        thread.join(fix.within_s)
        work.api.closed = True
        if errors and isinstance(errors[0], SystemExit):  # it would end the command without a word
            raise FixRefused(
                f"The fix {fix.id} ended itself with sys.exit({errors[0].code!r}); it was expected to return, or to "
                f"raise. {_place(errors[0])}"
            )
        if errors:
            raise errors[0]
        if not found:
            raise FixRefused(f"The fix {fix.id} did not end within {fix.within_s:g} s and was given up.")
        return found[0]

    def _digest(self, order: _Order, planned: Plan) -> tuple[str, str]:
        """The order and the plan with its objects, so that a grown one is told; and the plan's whole hash."""
        typed = dict(sorted(order.inputs.items()))
        asked = (order.fix.id, self.target.name, self.target.base_url, order.incident.id, typed)
        plan = (*asked, planned.steps, planned.touches)
        ordered, whole = (hashlib.sha256(msgspec.json.encode(part)).hexdigest() for part in (asked, plan))
        return f"{ordered[:12]}-{whole[:12]}", whole

    def _masked(self, text: str) -> str:
        return _short(self.redactor.text(text))

    def _write(self, event: Event, order: _Order, *, text: str, check: Check | None = None, **more: Any) -> None:
        self.audit.append(
            AuditEntry(
                at=self.now(),
                event=event,
                fix=order.fix.id,
                target=self.target.name,
                incident=order.incident.id,
                role=order.actor.role,
                who=order.actor.mark,
                text=self._masked(text),
                automatic=order.automatic,
                **more,
            ),
            check,
        )


def as_plan(fix: Fix, given: object) -> Plan | None:
    """What a plan gave, in the types it must have."""
    if given is None:
        return None
    what = f"a {type(given).__name__}"
    if isinstance(given, Plan):
        try:
            return from_json(msgspec.json.encode(given), Plan)
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            what = f"one that cannot be used ({error})"
    raise ConfigurationError(
        f"The plan of the fix {fix.id} gave {what}; a Plan was expected, or None when nothing is wrong. Nothing was "
        "changed. Correct the function before anybody applies it."
    )


def _reason(error: Exception) -> str:
    """Why a project's own function failed; one that says nothing is known by its line."""
    message = str(error).strip()
    if not isinstance(error, SynthprobeError | AssertionError):
        return f"The fix broke with {type(error).__name__}: {message or 'without a message'}. {_place(error)}"
    return message if message else f"{type(error).__name__} without a message. {_place(error)}"


def _place(error: BaseException) -> str:
    """Where a project's own function failed: the last of its lines in the file of the function itself."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    return f"It was {Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line}." if own else ""


def _short(text: object) -> str:
    return str(text)[:TEXT_CHARACTERS]
