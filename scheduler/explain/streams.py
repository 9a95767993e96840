"""What each stream of money is worth to a plan: the most money without it, everything decided anew (formulation 7)."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.explanation import StreamWorth
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.repricing import Money, Repricing, parts_of_money
from scheduler.plan import CashKind
from scheduler.problem import Floats
from scheduler.settings import SolveOptions


def stream_worths(matrix: Matrix, x: Floats, options: SolveOptions, seconds: float) -> Iterator[StreamWorth]:
    """Every stream of a plan, in the order of kinds; fewer where ``seconds`` are too short.

    Each is solved on the same matrix with costs of its own, and begins with the plans found for those before. What was
    not proven to the gap of the options in its share of the time has a bound that says so.
    """
    clock = Clock(seconds)
    parts = parts_of_money(matrix, lambda stream: (stream.kind, stream.market_id))  # sites together
    whole = Money(matrix.money, matrix.constant)
    kinds = list(CashKind)
    keys = sorted(parts, key=lambda key: (kinds.index(key[0]), key[1]))
    known = Repricing(matrix, x, options)
    for i, key in enumerate(keys):
        if clock.left_seconds <= 0:
            return
        without = whole + parts[key].times(-1.0)
        found = known.solve(without, Clock(clock.left_seconds / (len(keys) - i)))
        if found.objective is None or found.bound is None:
            continue  # the time was too short for its relaxation
        yield StreamWorth(*key, amount=parts[key].of(x), without=found.objective, without_bound=found.bound)
