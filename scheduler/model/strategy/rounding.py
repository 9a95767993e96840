"""Whole machines around a relaxed solution, with the offers as they are.

What makes a relaxed solution hard to round is that MW are held by parts of machines: with every machine sold, three
and a half of them for one product and six and a half for another need eleven where there are ten. So the relaxation is
solved once more with the offers fixed and a margin: every hold that is used asks for a part of a machine more than its
MW need. With half a machine of margin nearly every count can be rounded where it stands; with less the plan earns more,
down to where no rounding is left and it takes a search. The same for what machines draw behind a connection that is at
its limit: there is no room for the rest of a machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, hstack, identity

from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Incumbent, Outcome, Solver
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.search import Solution, proven, with_whole_counts
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

ROUNDINGS = ((0.5, 0), (0.35, 0), (0.27, 0), (0.2, 0), (0.12, 0), (0.07, 0), (0.3, 1), (0.15, 1), (0.0, 1))
"""Machines to spare on each hold, and how far from the relaxed counts to search: soon a plan, then a better one."""
SHARE_OF_TIME_ROUNDING = 0.25
"""Of the time that is left, what each may take."""
REPAIRS_COUNT = 2
"""How often a rounding is widened where it lacks something, as long as there is no plan."""
WHOLE = 1e-6
MOST_FAILURES_COUNT = 2
"""After a plan was found: smaller margins that do not fit cost more than making the plan better."""
WINDOW_INTERVALS = 8
"""Machines are searched for in so many intervals at a time."""
SHARE_OF_TIME_WINDOW = 0.3
"""Of the time to make a plan better, what each window may take."""
DEAR = 10.0
"""What a MW costs that is lacking of what is to be spare, in those of the dearest column: no margin is worth that."""
PASSES_COUNT = 3
"""With a margin on the holds that are used, others come into use: they get it in the next pass."""
LACKING = 1e-3
"""MW and machines: how well is known how little must be broken."""
SHARE_OF_TIME_LOOKING = 0.3
"""Of the time for a rounding, what it may take to find out what it lacks."""


class Rounding:
    """A matrix with its coarse integers as in a relaxed solution."""

    def __init__(self, matrix: Matrix, x: Floats, seed: int) -> None:
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        lower[matrix.coarse] = upper[matrix.coarse] = np.rint(x[matrix.coarse])
        self._matrix = replace(matrix, lower=lower, upper=upper)
        self._x = x
        self._seed = seed
        self._rows = csr_array(matrix.matrix)
        self._columns_of_matrix = csc_array(matrix.matrix)
        self._mw_per_machine = mw_per_machine(self._matrix, self._rows)

    def whole(
        self, margin: float, radius: int, enough: float, clock: Clock, *, gap: float, repairs_count: int = 0
    ) -> Solution | None:
        """Whole machines and their money: within ``radius`` of the relaxation with ``margin`` machines to spare.

        Where that does not fit, by one more in the intervals that lack something, ``repairs_count`` times.

        Ends at money of ``enough``, or within ``gap`` of the best. None where nothing was found.
        """
        near = self._with_margin(margin, clock) if margin else self._x
        if near is None:
            return None
        counts = np.flatnonzero(self._matrix.integer & ~self._matrix.coarse)
        around = np.full(len(counts), radius)
        for left_count in range(repairs_count, -1, -1):
            box = self._box(counts, near, around)
            solver = Solver(box, seed=self._seed)
            solver.set_costs(box.money, box.constant, maximise=True)
            result = solver.solve(rel_gap=0.0, abs_gap=gap, seconds=clock.left_seconds, enough=enough)
            if result.x is not None:
                return with_whole_counts(self._matrix, result.x)
            if result.outcome is not Outcome.INFEASIBLE or not left_count:
                break
            lacking = np.isin(self._matrix.interval[counts], self._intervals_that_lack(box, clock))
            if not lacking.any():
                break
            around[lacking] += 1
        return None

    def improved(self, solution: Solution, enough: float, clock: Clock, *, gap: float) -> Solution:
        """A solution with whole machines made better, some intervals at a time, until it earns ``enough``.

        All else stays where it is, so each search is small. Those come first in which most was lost against the
        relaxation; in a second pass the windows begin in the middle of those before.
        """
        x, money = solution[0].copy(), solution[1]
        for offset in (0, WINDOW_INTERVALS // 2):
            for columns in self._windows(x, offset):
                if clock.left_seconds <= 0:
                    break
                money += self._improve(x, columns, gap, Clock(SHARE_OF_TIME_WINDOW * clock.left_seconds))
                if money >= enough:
                    return self._settled(x, solution)
        return self._settled(x, solution)

    def _settled(self, x: Floats, before: Solution) -> Solution:
        found = with_whole_counts(self._matrix, x)
        return before if found is None or found[1] < before[1] else found

    def _windows(self, x: Floats, offset: int) -> list[Indices]:
        """Columns of some intervals each, in the order of what was lost there."""
        interval = self._matrix.interval
        number = np.where(interval >= 0, (interval + offset) // WINDOW_INTERVALS, -1)
        number[self._matrix.coarse] = -1
        lost = np.bincount(number[number >= 0], (self._matrix.money * (self._x - x))[number >= 0])
        return [np.flatnonzero(number == window) for window in np.argsort(-lost, kind="stable")]

    def _improve(self, x: Floats, columns: Indices, gap: float, clock: Clock) -> float:
        """Searches for better values of some columns, ``x`` is changed to them; the money that this brings."""
        rows = np.unique(self._columns_of_matrix[:, columns].indices)
        part = self._matrix.part(columns, rows)
        elsewhere = x.copy()
        elsewhere[columns] = 0.0
        fixed = self._rows[rows] @ elsewhere
        near, here = self._x[columns], x[columns]
        counts = part.integer
        lower = np.where(counts, np.minimum(here, np.maximum(part.lower, np.floor(near + WHOLE) - 1)), part.lower)
        upper = np.where(counts, np.maximum(here, np.minimum(part.upper, np.ceil(near - WHOLE) + 1)), part.upper)
        part = replace(
            part, lower=lower, upper=upper, row_lower=part.row_lower - fixed, row_upper=part.row_upper - fixed
        )
        solver = Solver(part, seed=self._seed)
        solver.set_costs(part.money, maximise=True)
        solver.start_from(here)
        result = solver.solve(rel_gap=0.0, abs_gap=gap, seconds=clock.left_seconds)
        if result.x is None:
            return 0.0
        gain = float(part.money @ (result.x - here))
        if gain <= 0:
            return 0.0
        x[columns] = np.where(counts, np.rint(result.x), result.x)
        return gain

    def _box(self, counts: Indices, near: Floats, around: Indices) -> Matrix:
        """The matrix with counts so far around a solution."""
        lower, upper = self._matrix.lower.copy(), self._matrix.upper.copy()
        lower[counts] = np.maximum(lower[counts], np.floor(near[counts] + WHOLE) - around)
        upper[counts] = np.minimum(upper[counts], np.ceil(near[counts] - WHOLE) + around)
        return replace(self._matrix, lower=lower, upper=upper)

    def _intervals_that_lack(self, box: Matrix, clock: Clock) -> Indices:
        """Where rows are broken when as little as possible is: mostly two or three rows, by a part of a machine."""
        rows, columns = box.matrix.shape
        broken = csc_array(hstack([identity(rows), -identity(rows)]))
        elastic = with_columns(box, broken, upper=np.inf)
        elastic = replace(elastic, money=np.append(np.zeros(columns), np.full(2 * rows, -1.0)), constant=0.0)
        solver = Solver(elastic, seed=self._seed)
        solver.set_costs(elastic.money, maximise=True)
        result = solver.solve(rel_gap=0.0, abs_gap=LACKING, seconds=SHARE_OF_TIME_LOOKING * clock.left_seconds)
        if result.x is None:
            return np.zeros(0, dtype=np.int64)
        missing = result.x[columns:].reshape(2, rows).sum(axis=0)
        lacking = self._rows[np.flatnonzero(missing > WHOLE)]
        return np.unique(box.interval[lacking.indices]).astype(np.int64)

    def _with_margin(self, margin: float, clock: Clock) -> Floats | None:
        """The relaxation in which every hold in use, and every load behind a limit that is reached, has a part of a
        machine to spare, wherever there is one."""
        tight, count = self._tight, len(self._matrix.money)
        rows, used = tight.rows, np.zeros(len(tight.rows), dtype=bool)
        lower, upper = self._matrix.row_lower[rows], self._matrix.row_upper[rows]
        x: Floats | None = self._x
        for _ in range(PASSES_COUNT):
            assert x is not None
            before = used.copy()
            used |= tight.used(x)
            if (used == before).all():
                break
            spare = np.where(used, margin * tight.mw_per_machine, 0.0)
            self._relaxed.set_row_bounds(rows, lower - tight.sign * spare, upper - tight.sign * spare)
            self._relaxed.set_bounds(count + np.arange(len(rows)), np.zeros(len(rows)), spare)
            x = self._relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds).x
            if x is None:
                return None
            x = x[:count]
            self._relaxed.go_on_from_basis(primal=False)
        return x

    @cached_property
    def _tight(self) -> _Tight:
        return _Tight(self._matrix, self._rows, self._mw_per_machine, self._x)

    @cached_property
    def _relaxed(self) -> Solver:
        """The relaxation, warm from one margin to the next; after its columns what each of the tight rows lacks."""
        matrix, rows, count = self._matrix, self._tight.rows, len(self._tight.rows)
        shape = (matrix.matrix.shape[0], count)
        lacking = csc_array((-self._tight.sign, (rows, np.arange(count))), shape=shape)
        solver = Solver(with_columns(matrix, lacking, upper=0.0), relaxed=True)
        dear = DEAR * float(np.abs(matrix.money).max(initial=1.0))
        solver.set_costs(np.append(matrix.money, np.full(count, -dear)), matrix.constant, maximise=True)
        return solver


class _Tight:
    """Rows that leave whole machines no room where the relaxation runs parts of them.

    Holds: MW <= machines * MW per machine. Loads: machines * MW per machine on one side, and on the other only what has
    reached its limit, such as a connection.
    """

    def __init__(self, matrix: Matrix, rows: csr_array, mw_per_machine: Floats, x: Floats) -> None:
        self._matrix, self._all = matrix, rows
        covers = np.flatnonzero(mw_per_machine > 0)
        count = rows.shape[0]
        number, columns, factors = np.repeat(np.arange(count), np.diff(rows.indptr)), rows.indices, rows.data
        fine, free = (matrix.integer & ~matrix.coarse)[columns], ~matrix.integer[columns]
        drawn = np.bincount(number, np.where(fine, factors * x[columns], 0.0), count)
        sign = np.where((drawn > WHOLE) & np.isfinite(matrix.row_upper), 1.0, 0.0)
        sign[(drawn < -WHOLE) & np.isfinite(matrix.row_lower)] = -1.0
        sign[covers] = 0.0
        beside = np.flatnonzero(free & (sign[number] * factors < 0))  # entries on the other side
        self._row_beside, self._column_beside = number[beside], columns[beside]
        loads = np.flatnonzero((sign != 0) & (np.bincount(self._row_beside, minlength=count) > 0))
        largest_mw = np.zeros(count)
        np.maximum.at(largest_mw, number[fine], np.abs(factors[fine]))
        self._covers, self._loads = covers, loads
        self.rows = np.concatenate([covers, loads])
        self.sign = np.concatenate([np.ones(len(covers)), sign[loads]])
        self.mw_per_machine = np.concatenate([mw_per_machine[covers], largest_mw[loads]])

    def used(self, x: Floats) -> NDArray[np.bool_]:
        """[rows] holds that are used and loads whose limits are reached."""
        held = np.where(self._matrix.integer, 0.0, x)
        holds = (self._all @ held)[self._covers] / self.mw_per_machine[: len(self._covers)] > WHOLE
        has_room = self._matrix.upper[self._column_beside] - x[self._column_beside] > WHOLE
        room_count = np.bincount(self._row_beside[has_room], minlength=self._all.shape[0])
        return np.append(holds, room_count[self._loads] == 0)


def with_columns(matrix: Matrix, columns: csc_array, upper: float) -> Matrix:
    """The same with more columns [rows, added] that earn nothing and belong to nothing, from 0 to ``upper`` each."""
    count = columns.shape[1]
    nothing, no, none = np.zeros(count), np.zeros(count, dtype=bool), np.full(count, -1)
    return replace(
        matrix,
        matrix=csc_array(hstack([matrix.matrix, columns])),
        lower=np.append(matrix.lower, nothing),
        upper=np.append(matrix.upper, np.full(count, upper)),
        integer=np.append(matrix.integer, no),
        coarse=np.append(matrix.coarse, no),
        money=np.append(matrix.money, nothing),
        site=np.append(matrix.site, none),
        asset=np.append(matrix.asset, none),
        interval=np.append(matrix.interval, none),
    )


def mw_per_machine(matrix: Matrix, rows: csr_array) -> Floats:
    """[rows] MW per machine of rows that say MW <= machines * MW per machine; 0 for all other rows."""
    whole = rows.copy()
    whole.data = matrix.integer[rows.indices].astype(float)
    backing = rows.copy()
    fine = (matrix.integer & ~matrix.coarse)[rows.indices]
    backing.data = np.where(fine & (rows.data < 0), -rows.data, 0.0)
    per_machine = np.asarray(backing.sum(axis=1)).ravel()
    alone = np.asarray(whole.sum(axis=1)).ravel() == 1
    one_sided = (matrix.row_upper == 0) & np.isinf(matrix.row_lower)
    return np.where(alone & one_sided, per_machine, 0.0)


def made_better(rounding: Rounding, found: Solution, bound: float, options: SolveOptions, clock: Clock) -> Solution:
    """A solution with whole machines, as good as the gap needs or as a look at some intervals at a time makes it."""
    allowed = max(options.abs_gap, options.rel_gap * abs(bound))
    return rounding.improved(found, bound - 0.99 * allowed, clock, gap=0.02 * allowed)


def best_rounding(
    rounding: Rounding,
    tries: Sequence[tuple[float, int]],
    bound: float,
    options: SolveOptions,
    clock: Clock,
    on_incumbent: Incumbent | None = None,
    most_repairs_count: int = REPAIRS_COUNT,
    share_of_time: float = SHARE_OF_TIME_ROUNDING,
) -> Solution | None:
    """The best of some roundings and its money; no more are tried than the gap needs, and none that earn less.

    Each may take ``share_of_time`` of what is left.
    """
    best: Solution | None = None
    least_margin = np.inf
    failures_count, improved = 0, False
    allowed = max(options.abs_gap, options.rel_gap * abs(bound))
    for margin, radius in tries:
        if (margin >= least_margin or failures_count == MOST_FAILURES_COUNT) and not radius:
            continue
        time = Clock(share_of_time * clock.left_seconds)
        repairs_count = 0 if radius else min(most_repairs_count, 1 if best else REPAIRS_COUNT)
        enough = bound - 0.99 * allowed
        if radius and best is not None and not improved:
            improved = True
            best = made_better(rounding, best, bound, options, time)
            if proven(best[1], bound, options):
                break
        rounded = rounding.whole(margin, radius, enough, time, gap=0.1 * allowed, repairs_count=repairs_count)
        if rounded is None:
            failures_count += best is not None
            continue
        least_margin = min(margin, least_margin)
        if best is None or rounded[1] > best[1]:
            best = rounded
            if on_incumbent is not None:
                on_incumbent(*best, bound)
        if proven(best[1], bound, options):
            break
    return best
