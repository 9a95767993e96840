"""Work in a process of its own, as in the server: Ctrl-C ends it at once, and what a solver prints stays out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.server.workers import Progress


def ignored(news: Progress) -> None:
    """For those who want no news."""


def answered(verb: str, payload: bytes, progress: Callable[[Progress], None] = ignored) -> bytes:
    """What a worker of our own answers."""
    from scheduler.server.workers import Job, Worker

    worker = Worker()
    try:
        return worker.run(Job(verb, payload), progress)
    finally:
        worker.kill()


def progress(args: argparse.Namespace) -> AbstractContextManager[Callable[[Progress], None]]:
    """Tells of progress on standard error, unless it is to be quiet."""
    from scheduler.report import progress_on

    return nullcontext(ignored) if args.quiet else progress_on(sys.stderr)
