"""A typed client of the gRPC service, without surprises: answers are typed, refusals are exceptions.

with Client("127.0.0.1:50051") as client:
    result = client.schedule("request.json")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from scheduler.errors import InvalidRequestError, SchedulerError, Violation
from scheduler.result import Result
from scheduler.server.workers import Progress
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.v1.scheduler_pb2_grpc import SchedulerServiceStub
from scheduler.wire.given import Given, request_of


class CallError(SchedulerError):
    """A call that brought no answer.

    code: name of the gRPC status, such as UNAVAILABLE.
    retry_seconds: when the server suggests to try again, or None.
    """

    def __init__(self, code: str, message: str, retry_seconds: float | None = None) -> None:
        self.code = code
        self.retry_seconds = retry_seconds
        super().__init__(message)

    def __reduce__(self) -> tuple[type, tuple[str, str, float | None]]:
        return type(self), (self.code, str(self), self.retry_seconds)


class Client:
    """Calls a server. A request is a message, a path, JSON text or a dict. Without a timeout, it waits.

    Malformed requests raise InvalidRequestError, everything else that prevents an answer raises CallError.
    """

    def __init__(
        self, address: str, *, timeout_seconds: float | None = None, max_message_bytes: int = 512 * 2**20
    ) -> None:
        self._timeout_seconds = timeout_seconds
        options = [
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
        ]
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub = SchedulerServiceStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def schedule(
        self,
        request: Given,
        *,
        tell: Callable[[Progress], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Result:
        """A plan, a conflict, or that there is none. ``tell`` is told of phases and better plans."""
        message = request_of(request)
        if tell is None:
            with _errors_raised():
                response = self._stub.Schedule(message, timeout=self._patience(timeout_seconds))
            return Result(message, response=response)
        phase = ""
        for event in self.stream_schedule(message, timeout_seconds=timeout_seconds):
            if event.HasField("result"):
                return Result(message, response=event.result)
            phase = event.phase or phase
            solve = event.incumbent
            objective = solve.objective if solve.HasField("objective") else None
            bound = solve.bound if solve.HasField("bound") else None
            tell(Progress(phase, objective, bound, solve.wall_seconds))
        raise CallError("UNKNOWN", "the server ended the call without an answer")

    def stream_schedule(
        self, request: Given, *, timeout_seconds: float | None = None
    ) -> Iterator[pb.StreamScheduleResponse]:
        """Phases and better plans as they come, the answer last. Closing the iterator cancels the call."""
        message = pb.StreamScheduleRequest(request=request_of(request))
        with _errors_raised():
            call = self._stub.StreamSchedule(message, timeout=self._patience(timeout_seconds))
            try:
                yield from call
            finally:
                call.cancel()

    def validate(self, request: Given, *, timeout_seconds: float | None = None) -> tuple[Violation, ...]:
        """Everything that is wrong with a request; empty: nothing."""
        message = pb.ValidateRequest(request=request_of(request))
        with _errors_raised():
            answer = self._stub.Validate(message, timeout=self._patience(timeout_seconds))
        return tuple(Violation(v.field, v.rule, v.message, v.amount) for v in answer.violations)

    def stress(
        self,
        request: Given,
        *,
        points_count: int | None = None,
        power_to: float | None = None,
        reserve_to: float | None = None,
        rel_gap: float | None = None,
        timeout_seconds: float | None = None,
    ) -> pb.StressResponse:
        """Profit against hashprice, power price and reserve price, and break-even hashprices."""
        message = pb.StressRequest(
            request=request_of(request),
            points_count=points_count,
            power_to=power_to,
            reserve_to=reserve_to,
            rel_gap=rel_gap,
        )
        with _errors_raised():
            return self._stub.Stress(message, timeout=self._patience(timeout_seconds))

    def audit(self, request: pb.AuditRequest, *, timeout_seconds: float | None = None) -> pb.AuditResponse:
        """What the server's checker says of a plan."""
        with _errors_raised():
            return self._stub.Audit(request, timeout=self._patience(timeout_seconds))

    def _patience(self, timeout_seconds: float | None) -> float | None:
        return self._timeout_seconds if timeout_seconds is None else timeout_seconds


@contextmanager
def _errors_raised() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise _raised(error) from None


def _raised(error: Any) -> SchedulerError:
    """The exception that says what a failed call said. Untyped: the RpcError of a call is also its Call."""
    violations: list[Violation] = []
    retry_seconds = None
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(bad):
            violations += [Violation(v.field, v.reason.lower(), v.description) for v in bad.field_violations]
        elif detail.Unpack(retry):
            retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()
    if violations:
        return InvalidRequestError(violations)
    return CallError(error.code().name, error.details() or error.code().name, retry_seconds)
