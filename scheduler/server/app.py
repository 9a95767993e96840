"""The life of a server: bind, answer, and on a signal say so in its health, let running calls end, end."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from scheduler.errors import SchedulerError
from scheduler.server.pool import WorkerPool
from scheduler.server.service import DESCRIPTOR, SchedulerService
from scheduler.server.workers import TARGET, Patience

log = logging.getLogger("scheduler.server")


LOOK_SECONDS = 0.05
"""How often an ending server looks whether calls still run."""
LAST_ANSWER_SECONDS = 1.0
SLOWEST_BYTES_PER_SECOND = 1e5
"""What the last answers have to reach their callers, once no call runs: so long, and so fast at least."""


class BindError(SchedulerError):
    """The address cannot be served."""


@dataclass(frozen=True)
class ServerSettings:
    """How a server runs. ``target`` names the function that answers jobs in the workers."""

    address: str = "127.0.0.1:50051"
    workers_count: int = 1
    max_waiting_count: int = 16
    max_message_bytes: int = 512 * 2**20
    grace_seconds: float = 30.0
    target: str = TARGET
    patience: Patience = field(default_factory=Patience)


class Server:
    """A server with its workers. Make it in a running event loop."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        pool = partial(
            WorkerPool,
            max_waiting_count=settings.max_waiting_count,
            target=settings.target,
            patience=settings.patience,
        )
        self._solvers = pool(settings.workers_count)
        self._helpers = pool(1)
        self._health = health.aio.HealthServicer()
        options = {
            "grpc.max_receive_message_length": settings.max_message_bytes,
            "grpc.max_send_message_length": -1,
            "grpc.so_reuseport": 0,  # a second server on the port fails instead of taking half of the calls
        }
        self._server = grpc.aio.server(options=list(options.items()))
        service = SchedulerService(self._solvers, self._helpers)
        self._server.add_generic_rpc_handlers((service.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (DESCRIPTOR.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self) -> int:
        """Starts to answer. Returns the port, which the system chooses where the address asks for port 0."""
        try:
            port = self._server.add_insecure_port(self._settings.address)
        except RuntimeError:
            raise BindError(f"cannot serve on {self._settings.address}: in use, or not ours") from None
        self._solvers.start()
        self._helpers.start()
        await self._server.start()
        for name in ("", DESCRIPTOR.full_name):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Takes no more calls, lets running ones end within the grace period, and ends."""
        await self._health.enter_graceful_shutdown()
        loop, pools = asyncio.get_running_loop(), (self._solvers, self._helpers)
        until = loop.time() + (self._settings.grace_seconds if grace_seconds is None else grace_seconds)
        for pool in pools:
            pool.refuse()
        while any(pool.is_busy for pool in pools) and loop.time() < until:
            await asyncio.sleep(LOOK_SECONDS)
        # who only watches is no call that runs; the last answers may be on their way
        sent = max(
            at + LAST_ANSWER_SECONDS + count / SLOWEST_BYTES_PER_SECOND for at, count in (p.last_answer for p in pools)
        )
        await self._server.stop(max(0.0, min(max(sent - loop.time(), LAST_ANSWER_SECONDS), until - loop.time())))
        self.kill_workers()

    def kill_workers(self) -> None:
        """Ends all work at once: its calls fail."""
        self._solvers.close()
        self._helpers.close()


async def serve(settings: ServerSettings, started: Callable[[int], None]) -> int:
    """Serves until SIGTERM (running calls may end within the grace period) or SIGINT (they end at once).

    ``started`` is called with the port. Returns the exit code.
    """
    server = Server(settings)
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if ended.done() or code:
            server.kill_workers()  # asked again, or asked by Ctrl-C: nothing is waited for
        if not ended.done():
            ended.set_result(code)

    loop.add_signal_handler(signal.SIGTERM, end, 0)
    loop.add_signal_handler(signal.SIGINT, end, 130)
    started(await server.start())
    code = await ended
    log.info("ending")
    await server.stop()
    return code
