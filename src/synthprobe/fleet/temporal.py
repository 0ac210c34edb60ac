"""The engine Temporal: a schedule for each target, a workflow for each slot, a task queue for each location."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
)
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "synthprobe"
"""Task queue of plans and conclusions; that of a location has its name behind it."""

HEARTBEAT_S = 15.0
"""Seconds after which a worker that says nothing is taken for dead, and its part is given to another one."""

_CONCLUDE_S = 30.0
_MAY_TRY_AGAIN = 3


@dataclass
class SlotOrder:
    """What a schedule asks for."""

    target: str
    parts: int
    interval_s: float


@dataclass
class PartOrder:
    """One part, for one worker."""

    words: list[str] = field(default_factory=list)


class Commands:
    """The activities: each is a command of synthprobe, in a process of its own, in the project of the worker."""

    def __init__(self, root: Path, location: str, base_url: str | None, log: Callable[[str], None]) -> None:
        self._root, self._log = root, log
        self._here = ["--location", location, *(["--base-url", base_url] if base_url else [])]

    @activity.defn(name="plan")
    async def plan(self, order: SlotOrder) -> dict[str, Any]:
        words = ["run", "--target", order.target, "--plan", str(order.parts), "--slot", "now", "--json"]
        made = json.loads(await self._typed(words, allowed=(0,)))
        return {**{name: made[name] for name in ("slot", "digest", "locations")}, "parts": len(made["parts"])}

    @activity.defn(name="look")
    async def look(self, order: PartOrder) -> None:
        await self._typed([*order.words, *self._here], allowed=(0,))

    @activity.defn(name="conclude")
    async def conclude(self, order: PartOrder) -> int:
        return int(json.loads(await self._typed([*order.words, "--json"], allowed=(0, 1, 3)))["exit_code"])

    async def _typed(self, words: Sequence[str], *, allowed: Sequence[int]) -> str:
        """Type a command; it ends with us, and we say that it lives."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "synthprobe",
            *words,
            cwd=self._root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        ending = asyncio.ensure_future(child.communicate())
        try:
            while not ending.done():
                activity.heartbeat()
                await asyncio.wait([ending], timeout=HEARTBEAT_S / 3)
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGTERM)
                await asyncio.shield(ending)
        out, errors = (stream.decode(errors="replace") for stream in ending.result())
        if child.returncode not in allowed:
            line = next((text for text in reversed((out + errors).splitlines()) if text.strip()), "it said nothing")
            may_repeat = child.returncode == _MAY_TRY_AGAIN or child.returncode < 0  # type: ignore[operator]
            why = f"exit code {child.returncode}: {line}"
            self._log(f"synthprobe {shlex.join(words)}: {why}")
            raise ApplicationError(why, non_retryable=not may_repeat)
        return out


@workflow.defn(name="synthprobe-slot")
class SlotWorkflow:
    """One slot of a target: planned, looked at from every location, concluded once whatever became of the parts."""

    @workflow.run
    async def run(self, order: SlotOrder) -> int:
        """The exit code of the conclusion."""
        heartbeat = timedelta(seconds=HEARTBEAT_S)
        retries = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))
        began = workflow.now()
        until_s = max(order.interval_s - _CONCLUDE_S, order.interval_s / 2)
        plan: dict[str, Any] = await workflow.execute_activity(
            "plan",
            order,
            schedule_to_close_timeout=timedelta(seconds=until_s),
            heartbeat_timeout=heartbeat,
            retry_policy=retries,
        )
        left = timedelta(seconds=until_s) - (workflow.now() - began)
        slot, target = ["--slot", str(plan["slot"])], ["--target", order.target]
        digest = ["--plan-digest", plan["digest"]]
        looks = [
            workflow.execute_activity(
                "look",
                PartOrder(["run", *target, *slot, *digest, "--part", f"{number}/{plan['parts']}"]),
                task_queue=f"{QUEUE}-{location}",
                schedule_to_close_timeout=left,
                heartbeat_timeout=heartbeat,
                retry_policy=retries,
            )
            for location in plan["locations"]
            for number in range(1, plan["parts"] + 1)
        ]
        await asyncio.gather(*looks, return_exceptions=True)  # what became of a part, the history knows
        return int(
            await workflow.execute_activity(
                "conclude",
                PartOrder(["run", "--conclude", *target, *slot]),
                result_type=int,
                schedule_to_close_timeout=timedelta(seconds=order.interval_s),
                heartbeat_timeout=heartbeat,
                retry_policy=retries,
            )
        )


async def schedule(address: str, namespace: str, order: SlotOrder) -> str:
    """Make or renew the schedule of a target: at the begin of each slot, never two at once, one slot caught up."""
    client = await Client.connect(address, namespace=namespace)
    name = f"synthprobe-{order.target}"
    every = timedelta(seconds=order.interval_s)
    made = Schedule(
        action=ScheduleActionStartWorkflow(
            SlotWorkflow.run, order, id=name, task_queue=QUEUE, execution_timeout=2 * every
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )
    try:
        await client.create_schedule(name, made)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(name).update(lambda _: ScheduleUpdate(schedule=made))
    return name


async def work(address: str, namespace: str, commands: Commands, location: str, capacity: int, metrics: str) -> None:
    """Work until SIGTERM or SIGINT, then end what was begun."""
    over = asyncio.Event()
    for asked in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(asked, over.set)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=PrometheusConfig(bind_address=metrics) if metrics else None))
    client = await Client.connect(address, namespace=namespace, runtime=runtime)
    drain = timedelta(seconds=240)
    logging.getLogger(activity.__name__).setLevel(logging.ERROR)  # what a command ended with is a line
    async with AsyncExitStack() as stack:
        queues: tuple[tuple[str, dict[str, Any], list[Callable[..., Any]]], ...] = (
            (QUEUE, {"workflows": [SlotWorkflow]}, [commands.plan, commands.conclude]),
            (f"{QUEUE}-{location}", {"max_concurrent_activities": capacity}, [commands.look]),
        )
        for queue, more, activities in queues:
            worker = Worker(
                client,
                task_queue=queue,
                activities=activities,
                workflow_runner=UnsandboxedWorkflowRunner(),
                graceful_shutdown_timeout=drain,
                **more,
            )
            await stack.enter_async_context(worker)
        await over.wait()
