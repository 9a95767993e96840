"""How long a site with every asset at once takes: python -m bench.everything"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from bench.figures import Figure, Goal
from scheduler.planner import make_schedule
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.everything import everything

GOAL = Goal(60)


def everything_figures() -> Iterator[Figure]:
    """One figure: the whole of `scheduler plan`, cold."""
    _, problem, _ = schedule_request_from_pb(everything())
    began = time.perf_counter()
    solve = make_schedule(problem).solve
    seconds = time.perf_counter() - began
    gap = "none" if solve.gap is None else f"{solve.gap:.1e}"
    words = f"every asset, 96 quarters: {solve.stop_reason.value}, gap {gap}; {GOAL.verdict(seconds)}"
    yield Figure("everything plan", f"{seconds:.1f}", "s", words)


if __name__ == "__main__":
    for figure in everything_figures():
        print(figure)
    sys.exit(0)
