"""What a worker does with a request: bytes in, bytes out, news on the way. Runs in worker processes alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import Message

import scheduler.model.strategy.fast
import scheduler.model.strategy.plain  # noqa: F401  these take a second: the forkserver has them ready for all workers
from scheduler import check
from scheduler.errors import InvalidRequestError
from scheduler.plan import Schedule, StopReason
from scheduler.planner import make_schedule
from scheduler.server.workers import Begun, Incumbent, Job, OverrunError, Progress, Tell
from scheduler.settings import SolveOptions
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.request import (
    audit_request_from_pb,
    message_from_bytes,
    schedule_request_from_pb,
    wrapped_request,
)
from scheduler.wire.response import audit_to_pb, schedule_to_pb, violations_to_pb
from scheduler.wire.stress import stress_request_from_pb, stress_to_pb

Answer = TypeVar("Answer", bound=Message)


def answer(job: Job, tell: Tell) -> bytes:
    """The answer to a job, as protobuf bytes. Raises SchedulerErrors."""
    return _bytes(VERBS[job.verb](job, tell))


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def schedule(job: Job, tell: Tell) -> pb.ScheduleResponse:
    """Plans."""
    return _scheduled(job, tell, lambda: message_from_bytes(pb.ScheduleRequest, job.payload), lambda answer: answer)


def stream(job: Job, tell: Tell) -> pb.StreamScheduleResponse:
    """Plans; the news themselves are sent by the service."""
    return _scheduled(
        job,
        tell,
        lambda: wrapped_request(message_from_bytes(pb.StreamScheduleRequest, job.payload)),
        lambda answer: pb.StreamScheduleResponse(result=answer),
    )


def validate(job: Job, tell: Tell) -> pb.ValidateResponse:
    """Says everything that is wrong with a request."""
    request = wrapped_request(message_from_bytes(pb.ValidateRequest, job.payload))
    try:
        schedule_request_from_pb(request)
    except InvalidRequestError as error:
        return pb.ValidateResponse(violations=violations_to_pb(error.violations))
    return pb.ValidateResponse()


def audit(job: Job, tell: Tell) -> pb.AuditResponse:
    """Checks a plan with the independent checker."""
    return audit_to_pb(check.audit(*audit_request_from_pb(message_from_bytes(pb.AuditRequest, job.payload))))


def stress(job: Job, tell: Tell) -> pb.StressResponse:
    """Plans a problem again at other prices."""
    from scheduler.stress import stress as resilience_of

    news = _News(tell)
    news("validate")
    asked = message_from_bytes(pb.StressRequest, job.payload)
    request_id, problem, options, how = stress_request_from_pb(asked)
    options = _limited(options, job, news)
    tell(Begun(options.time_limit_seconds))
    return stress_to_pb(resilience_of(problem, options, how, news), request_id, asked.request.problem)


VERBS: dict[str, Callable[[Job, Tell], Message]] = {
    "schedule": schedule,
    "stream": stream,
    "validate": validate,
    "audit": audit,
    "stress": stress,
}


def _scheduled(
    job: Job, tell: Tell, read: Callable[[], pb.ScheduleRequest], wrapped: Callable[[pb.ScheduleResponse], Answer]
) -> Answer:
    news = _News(tell)
    news("validate")
    request = read()
    request_id, problem, options = schedule_request_from_pb(request)
    wanted_seconds, options = options.time_limit_seconds, _limited(options, job, news)
    tell(Begun(options.time_limit_seconds))

    def answer_with(schedule: Schedule) -> Answer:
        return wrapped(schedule_to_pb(schedule, request_id, request.problem))

    def progress(phase: str, incumbent: Schedule | None) -> None:
        if incumbent is None:
            news(phase)
        else:
            tell(Incumbent(_bytes(answer_with(incumbent))))  # before the news: who is told of it can rely on it
            news(phase, incumbent.solve.objective, incumbent.solve.bound)

    found = make_schedule(problem, options, progress)
    is_cut = options.time_limit_seconds < wanted_seconds and found.solve.stop_reason is StopReason.TIME
    if found.plan is None and is_cut:
        raise OverrunError("the deadline came before any plan was found")
    return answer_with(found)


def _limited(options: SolveOptions, job: Job, news: _News) -> SolveOptions:
    """The options with no more time than the deadline of the call leaves. Raises OverrunError where it leaves none."""
    if job.seconds is None:
        return options
    left = job.seconds - (time.monotonic() - news.start)
    if left <= 0:
        raise OverrunError("the deadline came while the request was read")
    return replace(options, time_limit_seconds=min(options.time_limit_seconds, left))


class _News:
    """Passes on every phase once, and figures when they change, but not in floods."""

    LEAST_SECONDS = 0.1

    def __init__(self, tell: Tell) -> None:
        self.start = time.monotonic()
        self._tell = tell
        self._told: tuple[str, float | None, float | None] = ("", None, None)
        self._told_at = 0.0

    def __call__(self, phase: str, objective: float | None = None, bound: float | None = None) -> None:
        if phase != self._told[0]:
            self._pass_on(phase, None, None)
            self._told_at = 0.0
        if (phase, objective, bound) != self._told and time.monotonic() - self._told_at >= self.LEAST_SECONDS:
            self._pass_on(phase, objective, bound)

    def _pass_on(self, phase: str, objective: float | None, bound: float | None) -> None:
        self._told = (phase, objective, bound)
        self._told_at = time.monotonic()
        self._tell(Progress(phase, objective, bound, self._told_at - self.start))
