"""A worker process: one job at a time over a pipe of its own, so that killing one never disturbs another.

Workers come from a forkserver that has never run a solver nor gRPC. What one prints goes to standard error.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pkgutil
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

from scheduler.errors import SchedulerError

log = logging.getLogger("scheduler.server")

TARGET = "scheduler.server.jobs:answer"
"""What runs in a worker: module and function, imported there alone. It is called with a Job and a Tell."""


@dataclass(frozen=True)
class Job:
    """A request as bytes, and the seconds in which it must be answered (None: no limit)."""

    verb: str  # schedule, stream, stress, validate, audit
    payload: bytes
    seconds: float | None = None


@dataclass(frozen=True)
class Begun:
    """The request is read, and the solve may take that long."""

    seconds: float


@dataclass(frozen=True)
class Progress:
    """A phase began (both figures None), or a better plan or bound was found in it."""

    phase: str
    objective: float | None
    bound: float | None
    wall_seconds: float

    @property
    def gap(self) -> float | None:
        """(bound - objective) / |objective|, as in the answer."""
        if self.objective is None or self.bound is None or self.objective == 0:
            return None
        return max(0.0, self.bound - self.objective) / abs(self.objective)


@dataclass(frozen=True)
class Incumbent:
    """What the answer would be if the work ended now: with a plan that is audited."""

    payload: bytes


@dataclass(frozen=True)
class Done:
    """The answer, last."""

    payload: bytes


@dataclass(frozen=True)
class Failed:
    """Why there is no answer, last."""

    error: SchedulerError


Event = Begun | Progress | Incumbent | Done | Failed
Tell = Callable[[Event], None]


@dataclass(frozen=True)
class Patience:
    """How long a worker may take before it is killed: to read a request, and beyond the limit of a solve.

    With an incumbent it is killed sooner: beyond the limit by a share of it, at least ``margin_seconds``.
    """

    read_seconds: float = 120.0
    beyond_limit_seconds: float = 60.0
    margin_frac: float = 0.1
    margin_seconds: float = 2.0

    def seconds(self, limit_seconds: float, has_incumbent: bool) -> float:
        """How long a solve with this limit may take."""
        margin = max(self.margin_seconds, self.margin_frac * limit_seconds)
        return limit_seconds + (min(margin, self.beyond_limit_seconds) if has_incumbent else self.beyond_limit_seconds)


class WorkerError(SchedulerError):
    """A worker could not answer: a fault of ours."""


class WorkerFaultError(WorkerError):
    """The code in the worker raised what nobody foresaw; the message is its traceback."""


class WorkerDiedError(WorkerError):
    """The worker ended in the middle of a job."""


class OverrunError(WorkerError):
    """There is no answer in time."""


class Worker:
    """A process that answers jobs, one at a time. ``idle``: it waits for one."""

    def __init__(self, target: str = TARGET, patience: Patience | None = None) -> None:
        self.idle = True
        self.incumbent: bytes | None = None
        """Of the job that runs: the latest answer with an audited plan. Any thread may look at it."""
        self._patience = patience or Patience()
        self._overran = False
        self._killed = False
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([target.partition(":")[0]])
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, target), daemon=True)
        self._start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def engage(self) -> None:
        """Before `run` in another thread: from now on neither it nor an incumbent belongs to an earlier job."""
        self.idle = False
        self.incumbent = None

    def kill(self) -> None:
        """Ends the process at once. A `run` that waits in another thread raises WorkerDiedError."""
        self._killed = True
        self._process.kill()

    def run(self, job: Job, tell: Callable[[Progress], None]) -> bytes:
        """The answer to a job; the latest incumbent where the worker overran its time, or died of itself.

        Raises what the job raised, or else WorkerDiedError or OverrunError.
        """
        self.engage()
        alarm = _Alarm(self._overrun)
        alarm.set(self._patience.read_seconds)
        limit_seconds: float | None = None
        try:
            self._pipe.send(replace(job, payload=b""))
            self._pipe.send_bytes(job.payload)  # apart, for it may be large, and would be copied
            while True:
                event: Event = self._pipe.recv()
                match event:
                    case Begun():
                        limit_seconds = event.seconds
                        alarm.set(self._patience.seconds(limit_seconds, has_incumbent=False))
                    case Incumbent():
                        if self.incumbent is None and limit_seconds is not None:
                            alarm.shorten(self._patience.seconds(limit_seconds, has_incumbent=True))
                        self.incumbent = event.payload
                    case Progress():
                        tell(event)
                    case Done() | Failed():
                        self.idle = True
                        break
        except (EOFError, OSError):
            return self._rest()
        finally:
            alarm.cancel()
        if isinstance(event, Failed):
            raise event.error
        return event.payload

    def _rest(self) -> bytes:
        """What a worker that has ended leaves behind."""
        self._process.join(1)
        died = f"the worker ended, exit code {self._process.exitcode}"
        if self.incumbent is not None and (self._overran or not self._killed):
            if self._overran:
                log.info("a worker overran its time and was ended: it is answered with its last audited plan")
            else:
                log.warning("%s: it is answered with its last audited plan", died)
            return self.incumbent
        if self._overran:
            raise OverrunError("the worker overran its time and was ended")
        raise WorkerDiedError(died)

    def _start(self) -> None:
        """Starts the process in a thread that holds interrupts: the worker inherits it, Ctrl-C is for us."""
        failed: list[Exception] = []

        def start() -> None:
            resource_tracker.ensure_running()  # would let interrupts through again if it were started below
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self._process.start()
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=start, daemon=True)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]

    def _overrun(self) -> None:
        self._overran = True
        self.kill()


class _Alarm:
    """Calls a function some seconds after it was set, unless it is set again or cancelled before."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._set_at = 0.0
        self._timer: threading.Timer | None = None

    def set(self, seconds: float) -> None:
        """Rings in so many seconds."""
        self._set_at = time.monotonic()
        self._start(seconds)

    def shorten(self, seconds: float) -> None:
        """Rings so many seconds after it was set last."""
        self._start(max(0.0, self._set_at + seconds - time.monotonic()))

    def cancel(self) -> None:
        """Does not ring."""
        if self._timer is not None:
            self._timer.cancel()

    def _start(self, seconds: float) -> None:
        self.cancel()
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._ring)
        self._timer.daemon = True
        self._timer.start()


def _work(pipe: Connection, target: str) -> None:
    """The life of a worker: it ends when its pipe is closed or its parent dies."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(2, 1)  # solvers print: standard output belongs to the answer of the command line
    while True:
        try:
            job = replace(pipe.recv(), payload=pipe.recv_bytes())
        except (EOFError, OSError):
            return
        pipe.send(_outcome(job, target, pipe.send))


def _outcome(job: Job, target: str, tell: Tell) -> Event:
    try:
        return Done(pkgutil.resolve_name(target)(job, tell))
    except SchedulerError as error:
        return Failed(error)
    except Exception:
        return Failed(WorkerFaultError(traceback.format_exc()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
