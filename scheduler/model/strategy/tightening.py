"""Rows that only whole offers keep: the relaxation sells parts of steps that nobody can offer (formulation 10).

All that the offers of some products take together is held by machines. Of what is held some is sure to find room:
so much per machine, of so many machines. The rest costs something: machines that must run for it, or run faster. Where
the sure part ends in the middle of a step, the relaxation stops there, while whole offers stop a step earlier or pay
for the whole step. Mixed-integer rounding says so in a row (Nemhauser and Wolsey 1990; Marchand and Wolsey 2001):

    offers <= sure + rest, in steps   =>   offers <= floor(sure) + rest / (1 - frac(sure))

Which part of each group is sure is chosen anew for each interval, such that the row cuts most. Prices have no part in
it: a row that was found for some holds for all, and what can be sure is kept with the fleet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from math import floor

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.component import Demand
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.blocks import owner_of_rows
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.rounding import mw_per_machine
from scheduler.model.strategy.rows import Row, matrix_of
from scheduler.problem import Direction, Floats

KW_PER_MW = 1000
"""Offers come in whole kW."""
LEAST_PART = 0.02
"""Of a step: less than that, or more than the rest of it, may be the solver's noise, and makes rows steep."""
LEAST_CUT = 1e-3
"""Of a step, what a row must cut off."""
MOST_FINDINGS_BYTES = 2**27
"""What a fleet keeps of what was found for some bounds (of availability, awards), at most: the oldest goes first."""
MOST_ASSETS_COUNT = 100
"""What more assets hold together is many steps: a part of one matters little, and the choices are many."""
MOST_CHOICES_COUNT = 300
"""Of what is sure, looked at for a row; mostly 20 are enough."""
ROUNDS_COUNT = 4
"""A relaxation with new rows may break others."""


@dataclass(frozen=True, eq=False)
class _Choice:
    """A way to say what of an asset is sure, and what is the rest of what it holds."""

    sure_mw: Floats  # [T]
    rest: csr_array  # [T, columns] MW


@dataclass(frozen=True, eq=False)
class _Held:
    """What some products ask for together, and who holds it."""

    offered: csr_array  # [T, columns] MW
    step_mw: Floats  # [T] of which all of that comes in whole numbers; 0: nothing is offered
    awarded_mw: Floats  # [T]
    loose: csr_array  # [T, columns] MW that belong to no asset
    first: Indices  # [assets + 1] of the choices of each asset
    sure_mw: Floats  # [choices, T]
    rest: csr_array  # [choices * T, columns]: one product with a solution, not one for each choice


@dataclass(frozen=True, eq=False)
class Asked:
    """Rows of a demand by interval: offered + awarded = held by assets + loose, at most."""

    demand: Demand
    offered: csr_array  # [T, columns]
    awarded_mw: Floats
    held: csr_array
    loose: csr_array


class Tightening:
    """All rows of this kind that a matrix may have."""

    def __init__(self, matrix: Matrix, clock: Clock) -> None:
        """Raises SolverError, also when the time is over."""
        self._sums = tuple(_sums(matrix, clock))
        self.size_bytes = sum(_size_bytes(each) for each in self._sums)

    def violated(self, x: Floats) -> list[Row]:
        """Of each sum of products and interval, the row that a solution breaks most."""
        return [row for each in self._sums for row in _violated(each, x)]

    def add_violated(self, relaxed: Solver, clock: Clock) -> list[Row]:
        """Adds rows to a solver, whose solution is known, as long as it breaks any; and says which."""
        added: list[Row] = []
        for _ in range(ROUNDS_COUNT):
            x = relaxed.point()[0]
            rows = self.violated(x)
            added.extend(rows)
            if rows:
                relaxed.add_rows(matrix_of(rows, len(x)), np.array([row.upper for row in rows]))
            if not rows or relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds).x is None:
                break
        return added


def tightening_of(matrix: Matrix, clock: Clock) -> Tightening | None:
    """Found once for each fleet and its bounds; None where there is no time, or nothing to be rounded."""
    findings = matrix.ledger.structure.findings
    key = _key(matrix)
    known = findings.get(key)
    if isinstance(known, Tightening):
        return known
    try:
        found = Tightening(matrix, clock)
    except SolverError:
        return None
    findings[key] = found
    while len(findings) > 1 and sum(each.size_bytes for each in findings.values()) > MOST_FINDINGS_BYTES:
        del findings[next(iter(findings))]
    return found


def _size_bytes(held: _Held) -> int:
    arrays = [
        array for each in (held.offered, held.loose, held.rest) for array in (each.data, each.indices, each.indptr)
    ]
    return sum(int(array.nbytes) for array in [*arrays, held.sure_mw])


def _key(matrix: Matrix) -> bytes:
    """A digest of all that the rows follow from: the matrix without its money."""
    digest = blake2b(repr(matrix.matrix.shape).encode(), digest_size=32)
    for part in (matrix.matrix.data, matrix.row_lower, matrix.row_upper, matrix.lower, matrix.upper):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()


def _violated(held: _Held, x: Floats) -> Iterator[Row]:
    """Of each interval in which offers end in the middle of a step, the row that is broken most."""
    with np.errstate(divide="ignore", invalid="ignore"):
        per_step = np.where(held.step_mw > 0, 1.0 / held.step_mw, 0.0)
    steps = per_step * (held.offered @ x)
    start = np.stack([-held.awarded_mw, np.maximum(0.0, held.loose @ x)], axis=-1) * per_step[:, None]
    rest_mw = np.maximum(0.0, held.rest @ x).reshape(held.sure_mw.shape)
    every = np.stack([held.sure_mw, rest_mw], axis=-1) * per_step[:, None]  # [choices, T, (sure, rest)]
    least = np.minimum.reduceat(every.sum(axis=-1), held.first[:-1], axis=0)
    left = np.cumsum(np.vstack([np.zeros(len(steps)), least[::-1]]), axis=0)[::-1]  # [assets + 1, T] from there on
    is_open = (start[:, 1] < 1.0) & (start.sum(axis=-1) + left[0] - steps < 1.0)
    ends = held.first.tolist()
    for t in np.flatnonzero((np.abs(steps - np.rint(steps)) > LEAST_CUT) & is_open).tolist():
        choices = every[:, t].tolist()
        of_assets = [choices[a:b] for a, b in pairwise(ends)]
        chosen = _steepest(float(steps[t]), tuple(start[t].tolist()), of_assets, left[:, t].tolist())
        if chosen is not None:
            yield _row(held, t, chosen)


def _steepest(
    steps: float, start: tuple[float, float], options: Sequence[Sequence[Sequence[float]]], left_after: Sequence[float]
) -> tuple[int, ...] | None:
    """Of each asset the option (sure, rest) such that the row is broken most, if any is.

    What all options leave of the offers is never negative, and ``left_after`` is the least of it from each asset on; a
    row cuts less than a step, so options that leave more than that, or have more rest than that, are in none.
    """
    best, found = LEAST_CUT, None
    open_choices: list[tuple[int, float, float, tuple[int, ...]]] = [(0, *start, ())]
    for _ in range(MOST_CHOICES_COUNT):
        if not open_choices:
            break
        number, sure, rest, chosen = open_choices.pop()
        if rest >= 1.0 or sure + rest + left_after[number] - steps >= 1.0:
            continue
        if number < len(options):
            for i, (more_sure, more_rest) in enumerate(options[number]):
                open_choices.append((number + 1, sure + more_sure, rest + more_rest, (*chosen, i)))
            continue
        part = sure % 1.0
        if LEAST_PART < part < 1.0 - LEAST_PART:
            cut = steps - floor(sure) - rest / (1.0 - part)
            if cut > best:
                best, found = cut, chosen
    return found


def _row(held: _Held, t: int, chosen: Sequence[int]) -> Row:
    choices, step_mw = held.first[:-1] + np.array(chosen, dtype=np.int64), held.step_mw[t]
    sure = (sum(held.sure_mw[choices, t].tolist()) - held.awarded_mw[t]) / step_mw
    steep = 1.0 / (1.0 - sure % 1.0)
    rests = [entries_of(held.rest, choice * len(held.step_mw) + t) for choice in choices.tolist()]
    parts = [(entries_of(held.offered, t), 1.0), *((rest, -steep) for rest in (entries_of(held.loose, t), *rests))]
    columns = np.concatenate([columns for (columns, _), _ in parts])
    factors = np.concatenate([factor / step_mw * mw for (_, mw), factor in parts])
    return Row(columns, factors, float(np.floor(sure)))


def entries_of(rows: csr_array, t: int) -> tuple[Indices, Floats]:
    """Columns and factors of a row."""
    here = slice(rows.indptr[t], rows.indptr[t + 1])
    return rows.indices[here].astype(np.int64), rows.data[here]


def _sums(matrix: Matrix, clock: Clock) -> Iterator[_Held]:
    """Products that the same machines hold, up and down together: what is on is not off."""
    asked = list(asked_of(matrix))
    up, down = (_together(asked, direction) for direction in (Direction.UP, Direction.DOWN))
    sums = [(*above, *below) for above in up for below in down if above or below]
    if not sums:
        return
    holding = np.unique(matrix.asset[np.unique(np.concatenate([each.held.indices for each in asked]))])
    if len(holding) > MOST_ASSETS_COUNT:
        return
    counted = with_counts(matrix)
    owner = owner_of_rows(counted)
    mw_each = _mw_each(matrix, csr_array(matrix.matrix))
    alone = {int(asset): _Alone(counted, int(asset), owner, clock) for asset in holding}
    for each in sums:
        offered, held, loose = (
            csr_array(sum(getattr(one, name) for one in each[1:]) + getattr(each[0], name))
            if len(each) > 1
            else getattr(each[0], name)
            for name in ("offered", "held", "loose")
        )
        awarded = np.sum([one.awarded_mw for one in each], axis=0)
        of_asset = matrix.asset[held.indices]
        choices = [list(_choices(held, of_asset == one, alone[int(one)], mw_each)) for one in np.unique(of_asset)]
        first = np.cumsum([0, *(len(of_one) for of_one in choices)])
        sure_mw = np.stack([choice.sure_mw for of_one in choices for choice in of_one])
        rest = csr_array(vstack([choice.rest for of_one in choices for choice in of_one]))
        yield _Held(offered, steps_mw(offered), awarded, loose, first, sure_mw, rest)


def _together(asked: Sequence[Asked], direction: Direction) -> list[tuple[Asked, ...]]:
    """What may be asked of a direction at once: nothing, each by itself, all up to a speed."""
    mine = [each for each in asked if each.demand.direction is direction]
    seconds = [each.demand.product.full_activation_seconds for each in mine]
    sets = [[], *([each] for each in mine)]
    sets += [[e for e, own in zip(mine, seconds, strict=True) if own <= most] for most in sorted(set(seconds))]
    return list(dict.fromkeys(tuple(each) for each in sets))


def asked_of(matrix: Matrix) -> Iterator[Asked]:
    """Demands with what they offer, what is awarded and who holds it, from the rows that say that this is the same."""
    rows, ledger = csr_array(matrix.matrix), matrix.ledger
    of_all = matrix.site < 0
    for demand in ledger.demands:
        claimed = np.zeros(len(matrix.money), dtype=bool)
        for claim in ledger.claims_on(demand):
            claimed[matrix.columns(claim.mw)] = True
        if not claimed.any():
            continue
        named = np.diff(rows.indptr)
        knows = (abs(rows) @ claimed.astype(float) > 0) & (
            np.bincount(np.repeat(np.arange(rows.shape[0]), named), (claimed | of_all)[rows.indices], rows.shape[0])
            == named
        )
        mine = np.flatnonzero(knows & (matrix.row_lower == matrix.row_upper))
        part = coo_array(rows[mine])
        sign = np.sign(csr_array(part) @ claimed.astype(float))
        interval = np.zeros(len(mine), dtype=np.int64)
        is_claim = claimed[part.col]
        interval[part.row[is_claim]] = matrix.interval[part.col[is_claim]]
        data, at = part.data * sign[part.row], interval[part.row]
        whole = matrix.coarse[part.col] & (data < 0)

        def of(chosen: np.ndarray, data: Floats = data, at: Indices = at, col: Indices = part.col) -> csr_array:
            shape = (ledger.intervals, len(matrix.money))
            return csr_array(coo_array((np.abs(data[chosen]), (at[chosen], col[chosen])), shape=shape))

        others = ~is_claim & ~whole
        if (others & (data < 0)).any() or (matrix.lower[part.col] < 0).any() or (interval < 0).any():
            continue  # something else takes of what is held, or the horizon is one interval: no row of this kind
        awarded: Floats = np.bincount(interval, sign * matrix.row_lower[mine], ledger.intervals).astype(float)
        if whole.any():
            yield Asked(demand, of(whole), awarded, of(is_claim), of(others & (matrix.upper[part.col] > 0)))


def steps_mw(offered: csr_array) -> Floats:
    """[T] the largest MW of which all offers of an interval are multiples; 0 where there are none."""
    kw = np.rint(offered.data * KW_PER_MW).astype(np.int64)
    ends = zip(offered.indptr[:-1], offered.indptr[1:], strict=True)
    return np.array([np.gcd.reduce(kw[a:b]) if b > a else 0 for a, b in ends]) / KW_PER_MW


def _mw_each(matrix: Matrix, rows: csr_array) -> Floats:
    """[columns] of MW that machines hold, what one of them holds; 0 of all other columns."""
    per_machine = mw_per_machine(matrix, rows)
    entries = coo_array(rows)
    holds = (per_machine[entries.row] > 0) & ~matrix.integer[entries.col]
    each = np.zeros(len(matrix.money))
    each[entries.col[holds]] = per_machine[entries.row[holds]] / entries.data[holds]
    return each


def _choices(held: csr_array, mine: np.ndarray, alone: _Alone, mw_each: Floats) -> Iterator[_Choice]:
    """Nothing of an asset is sure; or so many MW of each machine, as one of its ways to hold them gives; or all."""
    at = np.repeat(np.arange(held.shape[0]), np.diff(held.indptr))[mine]
    columns, mw = held.indices[mine], held.data[mine]

    def rest_of(sure_frac: Floats) -> csr_array:
        kept = sure_frac < 1.0
        values = ((1.0 - sure_frac) * mw)[kept]
        return csr_array(coo_array((values, (at[kept], columns[kept])), shape=held.shape))

    yield _Choice(np.zeros(held.shape[0]), rest_of(np.zeros(len(columns))))
    per_machine = mw_each[columns] * mw
    for level in [*np.unique(np.round(per_machine[per_machine > 0], 9))[:-1], np.inf]:
        with np.errstate(divide="ignore"):
            sure_frac = np.minimum(1.0, np.where(per_machine > 0, level / per_machine, float(np.isinf(level))))
        weights = np.zeros(held.shape[1])
        weights[columns] = sure_frac * mw
        sure_mw = alone.most(weights)
        if sure_mw is not None:
            yield _Choice(sure_mw, rest_of(sure_frac))


class _Alone:
    """An asset in each interval by itself, as if there were no other: what it may do there at most.

    Nearly all intervals are alike, so few are solved.
    """

    def __init__(self, matrix: Matrix, asset: int, owner: Indices, clock: Clock) -> None:
        self._clock, self._columns_count = clock, len(matrix.money)
        intervals = matrix.ledger.intervals
        columns = np.flatnonzero((matrix.asset == asset) & (matrix.interval >= 0))
        columns = columns[np.argsort(matrix.interval[columns], kind="stable")]
        rows = csr_array(matrix.matrix)
        mine = np.flatnonzero(owner == asset)
        entries = rows[mine]
        first, last = _ends(entries, matrix.interval)
        of_one = (first == last) & (first >= 0)
        mine, when = mine[of_one], first[of_one]
        order = np.argsort(when, kind="stable")
        mine, when = mine[order], when[order]
        family = np.full(self._columns_count, -1)
        for number, claim in enumerate(matrix.ledger.claims):
            family[matrix.columns(claim.mw)] = number
        column_ends = np.searchsorted(matrix.interval[columns], np.arange(intervals + 1))
        row_ends = np.searchsorted(when, np.arange(intervals + 1))
        self._like = np.zeros(intervals, dtype=np.int64)  # [T] an interval that says the same
        alike: dict[bytes, int] = {}
        for t in range(intervals):
            own, those = columns[column_ends[t] : column_ends[t + 1]], mine[row_ends[t] : row_ends[t + 1]]
            part = csr_array(rows[those])
            position = np.searchsorted(own, part.indices)
            words = (part.indptr, position, part.data, matrix.row_lower[those], matrix.row_upper[those])
            bounds = (matrix.lower[own], matrix.upper[own], family[own])
            key = b"|".join(np.ascontiguousarray(word).tobytes() for word in (*words, *bounds))
            self._like[t] = alike.setdefault(key, t)
        chosen = np.isin(np.arange(intervals), list(alike.values()))
        self._columns = np.sort(columns[chosen[matrix.interval[columns]]])
        self._interval = matrix.interval[self._columns]
        self._solver = Solver(matrix.part(self._columns, mine[chosen[when]]), relaxed=True)

    def most(self, weights: Floats) -> Floats | None:
        """[T] at most so much of ``weights`` [columns]; None where there is no limit. Raises SolverError: no time."""
        if self._clock.left_seconds <= 0:
            raise SolverError("no time to find what is sure to be held")
        costs = weights[self._columns]
        self._solver.set_costs(costs, maximise=True)
        try:
            found = self._solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=self._clock.left_seconds)
        except SolverError:
            return None
        if found.outcome is not Outcome.OPTIMAL or found.x is None:
            return None
        most: Floats = np.bincount(self._interval, costs * found.x, len(self._like)).astype(float)
        return most[self._like]


def _ends(rows: csr_array, interval: np.ndarray) -> tuple[Indices, Indices]:
    """The first and the last interval that each row names, -1 for rows that name none alone."""
    filled = np.diff(rows.indptr) > 0
    first, last = np.full(rows.shape[0], -1), np.full(rows.shape[0], -1)
    named = interval[rows.indices].astype(np.int64)
    starts = rows.indptr[:-1][filled]
    if len(starts):
        first[filled] = np.minimum.reduceat(named, starts)
        last[filled] = np.maximum.reduceat(named, starts)
    return first, last
