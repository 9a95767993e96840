"""Planners that find solutions and then do not end: for the workers of a test, in the place of the real one."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from scheduler import incumbents
from scheduler.model.strategy import fast as module
from scheduler.model.strategy.search import with_whole_counts
from scheduler.server import jobs
from scheduler.server.workers import Event, Job

real = module.fast


def solutions(matrix, options, clock):
    """The worst plan that there is, then the best, each with its money; and the bound."""
    worst = real(replace(matrix, money=-matrix.money, constant=-matrix.constant), options, clock)
    best = real(matrix, options, clock)
    return [with_whole_counts(matrix, worst.x)[0], best.x], best.bound


def money(matrix, x):
    return float(matrix.money @ x + matrix.constant)


def told(matrix, options, clock, on_incumbent):
    found, bound = solutions(matrix, options, clock)
    incumbents.SHARE_OF_TIME = 1e9  # none comes too soon after another
    for x in found:
        on_incumbent(x, money(matrix, x), bound)
        time.sleep(0.2)  # so that it is told


def stuck(matrix, options, clock, on_incumbent=None):
    told(matrix, options, clock, on_incumbent)
    time.sleep(60)


def dead(matrix, options, clock, on_incumbent=None):
    told(matrix, options, clock, on_incumbent)
    os.kill(os.getpid(), signal.SIGKILL)


def answer(job: Job, tell: Callable[[Event], None]) -> bytes:
    """Solves, tells, and does not end."""
    module.fast = stuck
    return jobs.answer(job, tell)


def answer_and_die(job: Job, tell: Callable[[Event], None]) -> bytes:
    """Solves, tells, and dies."""
    module.fast = dead
    return jobs.answer(job, tell)
