"""Lines of the result, and how a figure is taken."""

from __future__ import annotations

import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Generic, TypeVar

LONG_SECONDS = 60.0  # what takes that long is run once
PACKAGES = ("gridflex-scheduler", "highspy", "scipy", "numpy", "protobuf")

Given = TypeVar("Given")
Value = TypeVar("Value")


class BenchError(Exception):
    """Something could not be measured."""


@dataclass(frozen=True)
class Figure:
    """One line of the result."""

    name: str
    value: str
    unit: str
    against: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.value} {self.unit}" + (f" ({self.against})" if self.against else "")


@dataclass(frozen=True)
class Goal:
    """What a ratio is to reach."""

    limit: float
    at_least: bool = False

    def verdict(self, value: float) -> str:
        """In words."""
        reached = value >= self.limit if self.at_least else value <= self.limit
        return f"goal at {'least' if self.at_least else 'most'} {self.limit:g}: {'reached' if reached else 'missed'}"


@dataclass(frozen=True)
class Patience:
    """How long and how often it is measured."""

    runs_count: int = 5
    plain_limit_seconds: float = 600.0
    limit_seconds: float = 600.0  # for strategy fast
    relaxation_limit_seconds: float = 600.0  # one that takes longer counts as long


@dataclass(frozen=True)
class Timed(Generic[Value]):
    """Median seconds of some runs, by the clock on the wall and by that of the processors, and what the last gave."""

    seconds: float
    cpu_seconds: float
    value: Value


def timed(run: Callable[[Given], Value], prepare: Callable[[int], Given], patience: Patience) -> Timed[Value]:
    """Runs it some times, or once if that takes long, with what is prepared for each run before its clock starts."""
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    while not seconds or (len(seconds) < patience.runs_count and max(seconds) < LONG_SECONDS):
        given = prepare(len(seconds))
        started, cpu_started = time.perf_counter(), time.process_time()
        value = run(given)
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - cpu_started)
    return Timed(statistics.median(seconds), statistics.median(cpu_seconds), value)


def geometric_mean(values: list[float]) -> float:
    """Zero where any is."""
    if min(values) <= 0:
        return 0.0
    return math.exp(sum(math.log(value) for value in values) / len(values))


def versions(packages: tuple[str, ...] = PACKAGES) -> Iterator[Figure]:
    """What it was measured with."""
    yield Figure("python", sys.version.split()[0], "version")
    for name in packages:
        yield Figure(name, version(name), "version")
    yield Figure("processors", str(os.cpu_count()), "count", f"load when it ended: {os.getloadavg()[0]:.1f}")


def say(words: str) -> None:
    """Tells who waits; the result goes to standard output alone."""
    print(words, file=sys.stderr, flush=True)
