"""Rows that only whole offers keep: what many prices on one matrix are worth finding out first (formulation 10).

A machine that holds MW for one product holds none for another, and one that is on is not off. So all that the offers
of a block hold up and down together is at most as much as some machines can, and in whole steps at most that, rounded
down (Gomory 1958, Chvatal 1973). Each row of the model knows its own products only, so the relaxation sells the parts
of steps that are left of every product. Prices have no part in this: what was found for one holds for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from math import floor, gcd

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, vstack

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Outcome, Solver
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.counts import with_counts
from scheduler.problem import Direction, Floats

KW_PER_MW = 1000
"""Offers come in whole kW."""
PRECISION_STEPS = 1e-4
"""Parts of a step that may be the solver's noise: they are not rounded down."""
MOST_FINDINGS_COUNT = 16
"""For so many bounds (of availability, awards) a fleet keeps what was found."""


@dataclass(frozen=True, eq=False)
class _Offer:
    """Columns of an offer with the kW of one of each, while some intervals last."""

    directions: tuple[Direction, ...]
    full_activation_seconds: float
    intervals: range
    kw: tuple[tuple[int, int], ...]  # (column, kW)


@dataclass(frozen=True, eq=False)
class SumRow:
    """Offers hold no more together: mw @ x[columns] <= most_mw."""

    columns: Indices
    mw: Floats
    most_mw: float


_Sum = dict[int, int]
"""kW by column."""


def tightened(matrix: Matrix, rows: Sequence[SumRow]) -> Matrix:
    """The same with rows on sums of offers. Whole solutions are the same."""
    if not rows:
        return matrix
    columns = np.concatenate([row.columns for row in rows])
    mw = np.concatenate([row.mw for row in rows])
    at = np.repeat(np.arange(len(rows)), [len(row.columns) for row in rows])
    added = csr_array(coo_array((mw, (at, columns)), shape=(len(rows), len(matrix.money))))
    return replace(
        matrix,
        matrix=csc_array(vstack([matrix.matrix, added])),
        row_lower=np.concatenate([matrix.row_lower, np.full(len(rows), -np.inf)]),
        row_upper=np.concatenate([matrix.row_upper, [row.most_mw for row in rows]]),
    )


def rows_on_sums(matrix: Matrix, clock: Clock) -> tuple[SumRow, ...]:
    """What cuts parts of offers off, as much as there is time for; found once for each fleet and its bounds."""
    offers = list(_offers(matrix))
    findings = matrix.ledger.structure.findings
    key = _key(matrix, offers)
    if key not in findings:
        rows: list[SumRow] = []
        counted = with_counts(matrix)
        try:
            for span in sorted({(offer.intervals.start, offer.intervals.stop) for offer in offers}):
                rows.extend(_rows_of_block(counted, range(*span), offers, clock))
        except SolverError:
            return tuple(rows)
        if len(findings) == MOST_FINDINGS_COUNT:
            findings.clear()
        findings[key] = tuple(rows)
    found: tuple[SumRow, ...] = findings[key]
    return found


def _key(matrix: Matrix, offers: Sequence[_Offer]) -> bytes:
    """A digest of all that rows on sums follow from: the matrix without its money, and which columns make an offer."""
    digest = blake2b(repr((matrix.matrix.shape, offers)).encode(), digest_size=32)
    for part in (matrix.matrix.data, matrix.row_lower, matrix.row_upper, matrix.lower, matrix.upper):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()


def _rows_of_block(matrix: Matrix, block: range, offers: Sequence[_Offer], clock: Clock) -> Iterator[SumRow]:
    """Rows on sums of offers that last through a block. Raises SolverError, also when the time is over.

    What can be held at most is asked of the intervals of the block alone, as if machines were free before and after it:
    this takes a third of the time, and says nearly always the same.
    """
    lasting = [o for o in offers if o.intervals.start <= block.start and o.intervals.stop >= block.stop]
    chosen = (matrix.interval >= block.start) & (matrix.interval < block.stop)
    chosen[[column for offer in lasting for column, _ in offer.kw]] = True
    rows = np.flatnonzero(abs(matrix.matrix) @ (~chosen).astype(float) == 0)
    columns = np.flatnonzero(chosen)
    position = np.cumsum(chosen) - 1
    solver = Solver(matrix.part(columns, rows), relaxed=True)
    for each in dict.fromkeys(tuple(sorted(total.items())) for total in _sums(lasting)):
        named = np.array([column for column, _ in each])
        mw = np.array([kw for _, kw in each]) / KW_PER_MW
        costs = np.zeros(len(columns))
        costs[position[named]] = mw
        solver.set_costs(costs, maximise=True)
        left_seconds = clock.left_seconds
        found = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=left_seconds)
        if left_seconds <= 0 or found.outcome is not Outcome.OPTIMAL or found.objective is None:
            raise SolverError("what offers hold together at most was not found")
        step_mw = gcd(*(kw for _, kw in each)) / KW_PER_MW
        steps = found.objective / step_mw
        whole = floor(steps + PRECISION_STEPS)
        if steps - whole > PRECISION_STEPS:
            yield SumRow(named, mw, whole * step_mw)


def _offers(matrix: Matrix) -> Iterator[_Offer]:
    demands = matrix.ledger.demands
    for offer in matrix.ledger.day.offers:
        asked = [demand for demand in demands if demand.market_id == offer.market_id]
        columns = [(int(matrix.column_of[variable[0]]), round(mw * KW_PER_MW)) for mw, variable in offer.terms_mw]
        kw = tuple((column, each) for column, each in columns if column >= 0)
        if kw and asked:
            directions = tuple(demand.direction for demand in asked)
            yield _Offer(directions, asked[0].product.full_activation_seconds, offer.intervals, kw)


def _sums(lasting: Sequence[_Offer]) -> Iterator[_Sum]:
    """Of offers that last through a block, those up to a speed each way, up and down together."""
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
