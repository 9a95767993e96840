"""Rows that only whole offers keep: what many prices on one matrix are worth finding out first (formulation 10).

A machine that holds MW for one product holds none for another, and one that is on is not off. So all that the offers
of a block hold up and down together is at most as much as some machines can, and in whole steps at most that, rounded
down (Gomory 1958, Chvatal 1973). Each row of the model knows its own products only, so the relaxation sells the parts
of steps that are left of every product. Prices have no part in this: what was found for one holds for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import floor, gcd

import numpy as np
from scipy.sparse import csc_array, csr_array, vstack

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Outcome, Solver
from scheduler.model.strategy.counts import with_counts
from scheduler.problem import Direction

KW_PER_MW = 1000
"""Offers come in whole kW."""
PRECISION_STEPS = 1e-4
"""Parts of a step that may be the solver's noise: they are not rounded down."""


@dataclass(frozen=True, eq=False)
class _Offer:
    """Columns of an offer with the kW of one of each, while some intervals last."""

    directions: tuple[Direction, ...]
    full_activation_seconds: float
    intervals: range
    kw: tuple[tuple[int, int], ...]  # (column, kW)


_Sum = dict[int, int]
"""kW by column."""


def tightened(matrix: Matrix, clock: Clock) -> Matrix:
    """The same with rows on sums of offers, as many as there is time for. Whole solutions are the same."""
    offers = list(_offers(matrix))
    sums = list(dict.fromkeys(tuple(sorted(each.items())) for each in _sums(offers)))
    rows, most_mw = [], []
    solver = Solver(with_counts(matrix), relaxed=True) if sums else None
    for each in sums:
        assert solver is not None
        columns = np.array([column for column, _ in each])
        mw = np.array([kw for _, kw in each]) / KW_PER_MW
        costs = np.zeros(len(matrix.money))
        costs[columns] = mw
        solver.set_costs(costs, maximise=True)
        try:
            found = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        except SolverError:
            break
        if found.outcome is not Outcome.OPTIMAL or found.objective is None:
            break
        step_mw = gcd(*(kw for _, kw in each)) / KW_PER_MW
        steps = found.objective / step_mw
        whole = floor(steps + PRECISION_STEPS)
        if steps - whole > PRECISION_STEPS:
            rows.append(csr_array(costs[None, :]))
            most_mw.append(whole * step_mw)
    if not rows:
        return matrix
    return replace(
        matrix,
        matrix=csc_array(vstack([matrix.matrix, *rows])),
        row_lower=np.concatenate([matrix.row_lower, np.full(len(rows), -np.inf)]),
        row_upper=np.concatenate([matrix.row_upper, most_mw]),
    )


def _offers(matrix: Matrix) -> Iterator[_Offer]:
    demands = matrix.ledger.demands
    for offer in matrix.ledger.day.offers:
        asked = [demand for demand in demands if demand.market_id == offer.market_id]
        columns = [(int(matrix.column_of[variable[0]]), round(mw * KW_PER_MW)) for mw, variable in offer.terms_mw]
        kw = tuple((column, each) for column, each in columns if column >= 0)
        if kw and asked:
            directions = tuple(demand.direction for demand in asked)
            yield _Offer(directions, asked[0].product.full_activation_seconds, offer.intervals, kw)


def _sums(offers: Sequence[_Offer]) -> Iterator[_Sum]:
    """For each time in which a block lasts: offers that last as long, up to a speed each way, up and down together."""
    for span in sorted({(offer.intervals.start, offer.intervals.stop) for offer in offers}):
        lasting = [o for o in offers if o.intervals.start <= span[0] and o.intervals.stop >= span[1]]
        up, down = (_up_to_speeds(lasting, direction) for direction in (Direction.UP, Direction.DOWN))
        for above in up:
            for below in down:
                total: _Sum = {}
                for offer in (*above, *below):
                    for column, kw in offer.kw:
                        total[column] = total.get(column, 0) + kw
                if total:
                    yield total


def _up_to_speeds(offers: Sequence[_Offer], direction: Direction) -> list[list[_Offer]]:
    """None of the offers of a direction, those of the fastest products, those of the two fastest speeds, and so on."""
    mine = [offer for offer in offers if direction in offer.directions]
    speeds = sorted({offer.full_activation_seconds for offer in mine})
    return [[], *([offer for offer in mine if offer.full_activation_seconds <= speed] for speed in speeds)]
