"""Servers to talk to: each runs in a thread of its own, on a port that the system chooses."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scheduler.server.app import Server, ServerSettings


@dataclass
class Running:
    """A server that runs, and its event loop."""

    address: str
    server: Server
    loop: asyncio.AbstractEventLoop

    def stop(self, grace_seconds: float) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(grace_seconds), self.loop).result(20)


@contextmanager
def running(**settings: object) -> Iterator[Running]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> tuple[Server, int]:
        server = Server(ServerSettings(address="127.0.0.1:0", **settings))
        return server, await server.start()

    server, port = asyncio.run_coroutine_threadsafe(start(), loop).result(60)
    found = Running(f"127.0.0.1:{port}", server, loop)
    try:
        yield found
    finally:
        found.stop(0)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
