"""A pool of workers for an event loop: who waits, who is refused, and how a worker that ended is replaced."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

from scheduler.errors import SchedulerError
from scheduler.server.workers import TARGET, Job, OverrunError, Patience, Progress, Worker, WorkerDiedError

log = logging.getLogger("scheduler.server")

LEAST_SECONDS = 0.5  # a call with less than this left is not begun
REPLY_SECONDS = 0.1  # kept for sending the answer, and
REPLY_FRAC = 0.01  # of the time left, for long calls have large answers
LARGE_BYTES = 32 * 2**20  # a worker keeps the memory that such a request took: it is replaced
MARGIN_FRAC = 0.1  # of the time left, kept for building and checking around the solve


class OverloadedError(SchedulerError):
    """Every worker is busy and enough calls wait; ``retry_seconds`` guesses when to try again."""

    def __init__(self, retry_seconds: float) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(f"every worker is busy and the queue is full: try again in {retry_seconds:.0f} s")


class TooLateError(SchedulerError):
    """The deadline of the call is too close to begin."""


class ClosedError(SchedulerError):
    """The server is ending."""


class WorkerPool:
    """``count`` workers, and at most ``max_waiting_count`` calls that wait for one."""

    def __init__(
        self, count: int, max_waiting_count: int, target: str = TARGET, patience: Patience | None = None
    ) -> None:
        self._count = count
        self._max_waiting_count = max_waiting_count
        self._target = target
        self._patience = patience
        self._waiting_count = 0
        self._mean_seconds = 1.0
        self._closed = False
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._free = asyncio.Semaphore(count)
        self._refuses, self._calls_count = False, 0
        self.last_answer = (0.0, 0)  # when, and of how many bytes: it may still be on its way
        self._threads = ThreadPoolExecutor(2 * count, thread_name_prefix="worker")  # killed ones linger for a moment

    def start(self) -> None:
        """Starts the workers."""
        self._idle = [self._started() for _ in range(self._count)]

    def refuse(self) -> None:
        """From now on no call is taken; those that run or wait go on."""
        self._refuses = True

    @property
    def is_busy(self) -> bool:
        """Whether a call runs or waits."""
        return self._calls_count > 0

    def close(self) -> None:
        """Kills the workers; calls that run or wait raise."""
        self._closed = True
        for worker in self._all:
            worker.kill()
        self._threads.shutdown(wait=False)

    async def run(self, job: Job, tell: Callable[[Progress], None] = lambda news: None) -> bytes:
        """The answer to a job. Cancelling ends the work. ``tell`` is called in the event loop.

        Where the deadline comes first, the answer is the last audited plan, if there is one.
        Raises what the job raised, or else an error of this module or a WorkerError.
        """
        loop = asyncio.get_running_loop()
        deadline = None if job.seconds is None else loop.time() + job.seconds

        def in_loop(news: Progress) -> None:
            loop.call_soon_threadsafe(tell, news)

        async with self._borrowed(deadline) as worker:
            reply_at: float | None = None
            if deadline is not None:
                left = deadline - loop.time()
                job = replace(job, seconds=left - max(LEAST_SECONDS / 2, MARGIN_FRAC * left))
                reply_at = deadline - max(REPLY_SECONDS, REPLY_FRAC * left)
            began = time.monotonic()
            worker.engage()
            try:
                async with asyncio.timeout_at(reply_at):
                    answer = await loop.run_in_executor(self._threads, worker.run, job, in_loop)
                self.last_answer = (loop.time(), len(answer))
                return answer
            except TimeoutError:
                if worker.incumbent is None:
                    raise OverrunError("there is no answer in time: the work was ended") from None
                log.info("the deadline came first: it is answered with the last audited plan")
                return worker.incumbent
            except WorkerDiedError:
                if self._closed:
                    raise ClosedError("the server is ending") from None
                raise
            finally:
                worker.idle = worker.idle and len(job.payload) < LARGE_BYTES
                self._mean_seconds += 0.2 * (time.monotonic() - began - self._mean_seconds)

    @asynccontextmanager
    async def _borrowed(self, deadline: float | None) -> AsyncIterator[Worker]:
        if self._refuses:
            raise ClosedError("the server is ending")
        self._calls_count += 1
        try:
            async with self._admitted_worker(deadline) as worker:
                yield worker
        finally:
            self._calls_count -= 1

    @asynccontextmanager
    async def _admitted_worker(self, deadline: float | None) -> AsyncIterator[Worker]:
        await self._admitted(deadline)
        try:
            if self._closed:
                raise ClosedError("the server is ending")
            worker = self._idle.pop()  # the last one that worked: it may know the fleet (scheduler.model.kept)
            try:
                if not (worker.alive and worker.idle):
                    worker = self._replaced(worker)
                yield worker
            finally:
                try:
                    if not worker.idle:  # nobody waits for its answer any more
                        worker = self._replaced(worker)
                except Exception:  # no process or no file to be had: the answer that there is still counts
                    log.exception("a worker was not started: it is tried again for the next call")
                self._idle.append(worker)
        finally:
            self._free.release()

    async def _admitted(self, deadline: float | None) -> None:
        """Waits for a free worker."""
        now = asyncio.get_running_loop().time()
        if deadline is not None and deadline - now < LEAST_SECONDS:
            raise TooLateError(f"the deadline is {max(0.0, deadline - now):.1f} s away: too close to begin")
        if self._free.locked() and self._waiting_count >= self._max_waiting_count:
            queue = (self._waiting_count + 1) / self._count
            raise OverloadedError(min(60.0, max(1.0, queue * self._mean_seconds)))
        self._waiting_count += 1
        try:
            async with asyncio.timeout_at(None if deadline is None else deadline - LEAST_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise TooLateError("no worker became free before the deadline came too close to begin") from None
        finally:
            self._waiting_count -= 1

    def _started(self) -> Worker:
        worker = Worker(self._target, self._patience)
        self._all.add(worker)
        return worker

    def _replaced(self, worker: Worker) -> Worker:
        worker.kill()
        self._all.discard(worker)
        return worker if self._closed else self._started()
