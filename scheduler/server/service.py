"""The gRPC service: calls in, jobs for workers out. Messages stay bytes here: workers read them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import grpc

from scheduler.errors import SchedulerError
from scheduler.server.pool import WorkerPool
from scheduler.server.status import Abort, abort_of
from scheduler.server.workers import Job, Progress
from scheduler.v1 import scheduler_pb2 as pb

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    Context = ServicerContext[bytes, bytes]

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["SchedulerService"]
log = logging.getLogger("scheduler.server")


class SchedulerService:
    """Answers scheduler.v1.SchedulerService. ``solvers`` may take minutes, ``helpers`` take a moment."""

    def __init__(self, solvers: WorkerPool, helpers: WorkerPool) -> None:
        self._solvers = solvers
        self._helpers = helpers

    def handlers(self) -> grpc.GenericRpcHandler:
        """The methods of the service, on raw bytes."""
        methods: dict[str, Any] = {
            method.name: (
                grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
            )(getattr(self, method.name))
            for method in DESCRIPTOR.methods
        }
        return grpc.method_handlers_generic_handler(DESCRIPTOR.full_name, methods)

    async def Schedule(self, request: bytes, context: Context) -> bytes:
        """Plans a problem."""
        return await _replied(await self._outcome("schedule", self._solvers, request, context), context)

    async def Validate(self, request: bytes, context: Context) -> bytes:
        """Says everything that is wrong with a request."""
        return await _replied(await self._outcome("validate", self._helpers, request, context), context)

    async def Audit(self, request: bytes, context: Context) -> bytes:
        """Checks a plan."""
        return await _replied(await self._outcome("audit", self._helpers, request, context), context)

    async def Stress(self, request: bytes, context: Context) -> bytes:
        """Plans a problem again at other prices."""
        return await _replied(await self._outcome("stress", self._solvers, request, context), context)

    async def StreamSchedule(self, request: bytes, context: Context) -> None:
        """Plans a problem and tells of phases and better plans on the way."""
        news: asyncio.Queue[Progress | None] = asyncio.Queue()
        work = asyncio.create_task(self._outcome("stream", self._solvers, request, context, news.put_nowait))
        work.add_done_callback(lambda _: news.put_nowait(None))
        try:
            while (progress := await news.get()) is not None:
                for event in _events(progress):
                    await context.write(event.SerializeToString())
            await context.write(await _replied(await work, context))
        finally:
            work.cancel()

    async def _outcome(
        self,
        verb: str,
        pool: WorkerPool,
        request: bytes,
        context: Context,
        tell: Callable[[Progress], None] = lambda news: None,
    ) -> bytes | Abort:
        began = time.monotonic()
        seconds: float | None = context.time_remaining()  # None without a deadline, whatever the types say
        try:
            answer = await pool.run(Job(verb, request, seconds), tell)
        except asyncio.CancelledError:
            log.info("%s: cancelled after %.2f s", verb, time.monotonic() - began)
            raise
        except Exception as error:
            abort = abort_of(error)
            unforeseen = abort.code is grpc.StatusCode.INTERNAL
            log.log(
                logging.ERROR if unforeseen else logging.INFO,
                "%s: %s after %.2f s: %s",
                verb,
                abort.code.name,
                time.monotonic() - began,
                error if unforeseen else abort.message,
                exc_info=None if isinstance(error, SchedulerError) else error,
            )
            return abort
        log.info("%s: %d bytes in, %d out, %.2f s", verb, len(request), len(answer), time.monotonic() - began)
        return answer


async def _replied(outcome: bytes | Abort, context: Context) -> bytes:
    if isinstance(outcome, Abort):
        await context.abort(outcome.code, outcome.message, outcome.trailing_metadata)
    return outcome


def _events(news: Progress) -> Iterator[pb.StreamScheduleResponse]:
    """Nothing for a better bound alone."""
    if news.objective is not None:
        yield pb.StreamScheduleResponse(
            incumbent=pb.Solve(objective=news.objective, bound=news.bound, gap=news.gap, wall_seconds=news.wall_seconds)
        )
    elif news.bound is None:
        yield pb.StreamScheduleResponse(phase=news.phase)
