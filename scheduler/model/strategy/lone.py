"""Single large machines: those ways that cannot matter are left out, with a bound on what that may cost.

The relaxation with rows that whole machines keep (`covers.py`) has prices for all that machines share. At these prices
each machine is on its own, and a longest path says what it earns at most where it is in a mode in an interval
(`LoneMachine.through`). The least that this is below its best is what any plan with it loses against the bound of all.
So a search among the ways that lose next to nothing finds a plan, and a second one asks whether any plan earns so much
more that this one is not good enough: none of the others can who lose what lies between that and the bound. Mostly the
answer is no, and it comes sooner than the best plan would.
(Fixing by Lagrangian reduced costs; of a relaxation they are degenerate and say little, of whole paths they say much.)
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Incumbent, Outcome, Result, Solver
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.blocks import Bound, owner_of_rows
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.covers import Covers
from scheduler.model.strategy.paths import numbers_of_machines
from scheduler.model.strategy.rows import Row, matrix_of, with_rows
from scheduler.model.strategy.search import Solution, allowed_gap, among, proven, told_of_all, with_whole_counts
from scheduler.model.structure import Vars
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

ROUNDS_COUNT = 5
"""A relaxation with new rows may break others."""
SHARE_OF_CUT = 0.02
"""Of the gap, what a round of rows must bring for another."""
FIRST_WIDTH = 0.1
"""Of the gap, how much the ways of the first search may lose: the best plans mostly consist of those that lose nothing,
and what they lose together comes from the offers."""
FIRST_GAP = 2.0
"""Of the gap, how near to the best of them the plan of the first search must be: whether it is good is asked after."""
SPARE = 0.95
"""Of the gap, what is counted on where it is asked whether there is more than a plan earns."""
SHARE_OF_TIME = 0.35
"""Of the time that is left, what a search may take as long as there is no plan."""
WIDER_WITHOUT_PLAN = 30.0
"""How much wider a search is than the one before as long as nothing fits."""
LEAST_WIDTH = 1e-3
"""Of the most that a way loses, how wide it is then at least."""


def lone(matrix: Matrix, options: SolveOptions, clock: Clock, on_incumbent: Incumbent | None = None) -> Result | None:
    """The most money where machines are single and large; None where none are, or where nothing comes of it."""
    if not matrix.ledger.lone_machines:
        return None
    try:
        ways = Ways(matrix, options, clock)
    except SolverError:
        return None
    bound, width, best = ways.bound, FIRST_WIDTH * ways.allowed, None
    with suppress(SolverError):  # what was found by then counts
        while True:
            time = Clock(SHARE_OF_TIME * clock.left_seconds)
            best = ways.search(width, FIRST_GAP * ways.allowed, time, on_incumbent)[0]
            if best is not None or width >= ways.most_loss or clock.left_seconds <= 0:
                break
            width = max(WIDER_WITHOUT_PLAN * width, LEAST_WIDTH * ways.most_loss)
        while best is not None and not proven(best[1], bound, options) and clock.left_seconds > 0:
            spare = SPARE * allowed_gap(best[1], options)
            above = best[1] + spare  # where ways lose more, there is no more
            more, inside = ways.search(ways.bound - above, spare, clock, on_incumbent, above=above)
            bound = min(bound, max(above, inside))
            if more is None or more[1] <= best[1]:
                break
            best = more
    if best is None:
        return None
    return Result(Outcome.OPTIMAL if proven(best[1], bound, options) else Outcome.LIMIT, *best, bound)


class Ways:
    """What single machines may do, and what each way loses at the prices of a relaxation that knows of whole machines.

    Raises SolverError where that is not solved.
    """

    def __init__(self, matrix: Matrix, options: SolveOptions, clock: Clock) -> None:
        counted = with_counts(matrix)
        relaxed = Solver(counted, relaxed=True)
        relaxed.set_costs(matrix.money, matrix.constant, maximise=True)
        money = _solved(relaxed, clock)
        matrix.ledger.day.relaxed_basis = relaxed.basis()
        self.allowed = allowed_gap(money, options)
        covers, added = Covers(matrix), list[Row]()
        relaxed.go_on_from_basis(primal=False)
        for _ in range(ROUNDS_COUNT):
            rows = covers.violated(relaxed.point()[0])
            if not rows:
                break
            added += rows
            relaxed.add_rows(matrix_of(rows, len(matrix.money)), np.array([row.upper for row in rows]))
            before, money = money, _solved(relaxed, clock)
            if before - money < SHARE_OF_CUT * self.allowed:
                break
        self._formulated, self._matrix = matrix, with_rows(matrix, added)
        self._seed = options.seed
        self._losses, self.bound = _losses(with_rows(counted, added), relaxed.duals())
        self.most_loss = max(float(loss[np.isfinite(loss)].max(initial=0.0)) for _, loss in self._losses)

    def among(self, width: float) -> tuple[Matrix, Indices]:
        """The problem of all ways that lose no more than ``width``, and its columns: the others are at 0."""
        upper = self._matrix.upper.copy()
        for count, loss in self._losses:
            columns = self._matrix.column_of[count[loss > width]]
            upper[columns[columns >= 0]] = 0.0
        columns = np.flatnonzero((upper > 0) | (self._matrix.lower < 0))
        part = replace(self._matrix, upper=upper).part(columns)
        return part.part(np.arange(len(columns)), _rows_that_say_something(part)), columns

    def search(
        self, width: float, gap: float, clock: Clock, on_incumbent: Incumbent | None, above: float | None = None
    ) -> tuple[Solution | None, float]:
        """Among the ways that lose no more than ``width``, to within ``gap`` of the best, by branch and cut.

        Its solution, if one was found, and a bound on all of them. With ``above`` only what earns more is looked for;
        the bound is that then if there is nothing.
        """
        part, columns = self.among(width)
        count = len(self._matrix.money)
        solver = Solver(part, seed=self._seed)
        solver.set_costs(part.money, part.constant, maximise=True)
        if above is not None:
            solver.search_the_tree_only()
        told, seconds = told_of_all(on_incumbent, columns, count, self.bound), clock.left_seconds
        found = solver.solve(rel_gap=0.0, abs_gap=gap, seconds=seconds, on_incumbent=told, above=above)
        whole = None if found.x is None else with_whole_counts(self._formulated, among(columns, found.x, count))
        if found.outcome is Outcome.INFEASIBLE and above is not None:
            return None, above
        return whole, np.inf if found.bound is None else found.bound


def _solved(relaxed: Solver, clock: Clock) -> float:
    result = relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
    if result.outcome is not Outcome.OPTIMAL or result.objective is None:
        raise SolverError("the relaxation was not solved")
    return result.objective


def _rows_that_say_something(part: Matrix) -> Indices:
    """Rows with columns, and those without that can never hold."""
    empty = np.diff(csr_array(part.matrix).indptr) == 0
    return np.flatnonzero(~empty | (part.row_lower > 0) | (part.row_upper < 0))


def _losses(matrix: Matrix, duals: Floats) -> tuple[list[tuple[Vars, Floats]], float]:
    """Of each single machine its counts and what each of them loses, [modes, T]; and the bound that they lose from.

    Weak duality on the rows that machines share; of the rows of a machine its longest path takes care.
    """
    machines, numbers = matrix.ledger.lone_machines, numbers_of_machines(matrix)
    prices = np.where(np.isin(owner_of_rows(matrix), numbers), 0.0, duals)
    rest = Bound(matrix)
    worth, lower, upper = (
        _by_variable(matrix, values) for values in (rest.reduced(prices), matrix.lower, matrix.upper)
    )
    bound = rest.of(prices, without=np.isin(matrix.asset, numbers))
    losses = []
    for machine in machines:
        through = machine.through(worth, lower, upper)
        most = float(through.max())
        losses.append((machine.count, most - through))
        bound += most
    if not np.isfinite(bound):
        raise SolverError("the prices of the relaxation bound nothing")
    return losses, bound


def _by_variable(matrix: Matrix, values: Floats) -> Floats:
    """[variables + 1] values of columns; 0 where there is none."""
    return np.append(values, 0.0)[matrix.column_of]
