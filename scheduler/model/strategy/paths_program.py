"""The relaxation of single machines by their ways (Dantzig and Wolfe 1960): few rows, and columns as they are needed.

Of each machine one way in all is chosen, in parts. Rows are those that machines share (`paths_rows.py`); a way that is
not there yet is found by the prices of these rows (`paths.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csc_array, csr_array, hstack, vstack

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.program import Bare
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy.paths import Demanded, Moves, Paths
from scheduler.model.strategy.paths_rows import DUST, PathsRows
from scheduler.model.strategy.rows import Row, matrix_of
from scheduler.problem import Floats

PENALTY = 10.0
"""Of the most that a machine earns, what it costs that one has no way, or a row lacks a MW."""
MOST_MISSING = 1e-6
PRICED_COUNT = 6
"""How often prices of what is held follow the solution, at most: mostly the second time changes nothing."""
LEAST_GAIN = 1e-6
"""Money by which a way that is not there yet must be better than those that are."""
MOST_ROUNDS_COUNT = 500


@dataclass(frozen=True, eq=False)
class Point:
    """A solution of the relaxation: its bound, shares of the ways that are there, values of the other columns."""

    bound: float
    shares: Floats
    others: Floats


class PathsProgram:
    """Ways of machines, and all columns that are no machine's, under the rows that machines share."""

    def __init__(self, matrix: Matrix) -> None:
        machines = matrix.ledger.lone_machines
        self.matrix, self.paths, self.machines_count = matrix, Paths(matrix, machines), len(machines)
        self._shared = PathsRows(matrix, self.paths)
        self.others = self._shared.others
        best = self.paths.best(self._shared.money)
        self._penalty = PENALTY * (1.0 + float(np.abs(best.most[np.isfinite(best.most)]).max(initial=0.0)))
        self._begin()
        self.add([best.way(u) for u in range(self.machines_count)])

    def _begin(self) -> None:
        """Without ways, and without rows of whole machines."""
        self.ways = list[tuple[int, Moves]]()
        self.machine = np.zeros(0, dtype=np.int64)  # of each way
        self.features = np.zeros((0, 2 * self.paths.intervals * self.paths.modes), dtype=bool)
        self._known = set[tuple[int, Moves]]()
        self._columns = csc_array((len(self.matrix.money), 0))
        rows_count, units = self._shared.rows.shape[0], self.machines_count
        missing = np.stack([np.isfinite(self._shared.lower), -1.0 * np.isfinite(self._shared.upper)], axis=1).astype(
            float
        )
        beside = hstack(
            [self._shared.rows[:, self.others], self._shared.spare, csr_array(missing), csr_array((rows_count, units))]
        )
        fixed = beside.shape[1]
        self._first, self._spares_count = fixed, self._shared.spare.shape[1]  # of the ways
        of_machines = hstack([csr_array((units, fixed - units)), csr_array(np.eye(units))])
        lower, upper = np.zeros(fixed), np.full(fixed, np.inf)
        count = len(self.others)
        lower[:count], upper[:count] = self.matrix.lower[self.others], self.matrix.upper[self.others]
        ones = np.ones(units)
        self.solver = Solver(
            Bare(
                csc_array(vstack([beside, of_machines])),
                np.append(self._shared.lower, ones),
                np.append(self._shared.upper, ones),
                lower,
                upper,
                np.zeros(fixed, dtype=bool),
            ),
            relaxed=True,
        )
        self.solver.weigh_edges_roughly()
        self._fixed_costs = np.append(np.zeros(self._spares_count), np.full(2 + units, -self._penalty))
        self._covers, self._cover_uppers = csr_array((0, len(self.matrix.money))), np.zeros(0)
        self._set_costs()

    def _set_costs(self) -> None:
        costs = np.concatenate(
            [self._shared.money[self.others], self._fixed_costs, self._columns.T @ self._shared.money]
        )
        self.solver.set_costs(costs, self._shared.constant, maximise=True)
        self.solver.go_on_from_basis(primal=True)

    def trim(self, width: float) -> None:
        """Only rows of whole machines that bind, and ways that lose no more than ``width``; to be relaxed anew."""
        worth, of_way = self.worth()
        binds = np.abs(self.solver.duals()[self._shared.rows.shape[0] + self.machines_count :]) > DUST
        losses = of_way[self.machine] - self._columns.T @ worth
        ways = [way for way, loss in zip(self.ways, losses, strict=True) if loss <= width]
        covers, uppers = csr_array(self._covers[np.flatnonzero(binds)]), self._cover_uppers[binds]
        self._begin()
        self._add_counted(covers, uppers)
        self.add(ways)

    def add(self, ways: Sequence[tuple[int, Moves]]) -> None:
        """More ways; those that are there already count once."""
        new = [way for way in dict.fromkeys(ways) if way not in self._known]
        if not new:
            return
        columns, features = self.paths.columns(new)
        machine = np.array([u for u, _ in new])
        shape = (self.machines_count, len(new))
        chosen = csr_array(coo_array((np.ones(len(new)), (machine, np.arange(len(new)))), shape=shape))
        parts = [self._shared.rows @ columns, chosen, self._covers @ columns]
        infinite = np.full(len(new), np.inf)
        self.solver.add_columns(csc_array(vstack(parts)), columns.T @ self._shared.money, np.zeros(len(new)), infinite)
        self._known.update(new)
        self.ways += new
        self.machine = np.append(self.machine, machine)
        self.features = np.concatenate([self.features, features])
        self._columns = csc_array(hstack([self._columns, columns]))

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Rows that whole machines keep."""
        counted = self._shared.kept_by_whole(matrix_of(rows, len(self.matrix.money)))
        self._add_counted(counted, np.array([row.upper for row in rows]))

    def drop_rows(self, since: int) -> None:
        """Of the rows of whole machines from one on those that do not bind."""
        first = self._shared.rows.shape[0] + self.machines_count
        kept = ~self.solver.slack_rows()[first:]
        kept[:since] = True
        if not kept.all():
            self.solver.delete_rows(first + np.flatnonzero(~kept))
            self._covers, self._cover_uppers = csr_array(self._covers[np.flatnonzero(kept)]), self._cover_uppers[kept]

    @property
    def covers_count(self) -> int:
        """Rows of whole machines."""
        return int(self._cover_uppers.size)

    def _add_counted(self, counted: csr_array, uppers: Floats) -> None:
        count = len(uppers)
        missing = np.zeros((count, self._spares_count + 2 + self.machines_count))
        missing[:, self._spares_count + 1] = -1.0
        self.solver.add_rows(
            csr_array(hstack([counted[:, self.others], csr_array(missing), counted @ self._columns])), uppers
        )
        self._covers = csr_array(vstack([self._covers, counted]))
        self._cover_uppers = np.append(self._cover_uppers, uppers)

    def worth(self) -> tuple[Floats, Floats]:
        """At the prices of the last solve: [columns] money of a unit of each machine's; [machines] price of a way."""
        duals = self.solver.duals()
        first, units = self._shared.rows.shape[0], self.machines_count
        worth = self._shared.money - self._shared.rows.T @ duals[:first] - self._covers.T @ duals[first + units :]
        return worth, duals[first : first + units]

    def fits(self, demanded: Sequence[Demanded]) -> NDArray[np.bool_]:
        """[ways] those that do as demanded."""
        fits = np.ones(len(self.ways), dtype=bool)
        for each in demanded:
            fits &= (self.machine != each.machine) | (self.features[:, self.feature_of(each)] == each.wanted)
        return fits

    def feature_of(self, demanded: Demanded) -> int:
        """The number of the feature that is demanded."""
        modes, count = self.paths.modes, self.paths.intervals
        return (int(demanded.holds) * count + demanded.interval) * modes + demanded.mode

    def limit(self, demanded: Sequence[Demanded], lower: Floats, upper: Floats) -> None:
        """Only ways that do as demanded, and the other columns within bounds."""
        most = np.where(self.fits(demanded), np.inf, 0.0)
        ways = np.arange(self._first, self._first + len(most))
        self.solver.set_bounds(ways, np.zeros(len(most)), most)
        self.solver.set_bounds(np.arange(len(self.others)), lower, upper)

    def estimate(self, clock: Clock) -> float:
        """The money within the limits of the ways that are there, from the last basis by the dual simplex method."""
        self.solver.go_on_from_basis(primal=False)
        return self._solved(clock)

    def relax(self, demanded: Sequence[Demanded], clock: Clock, enough: float = -np.inf) -> Point | None:
        """The relaxation within the limits, with all ways; None where it has no more than ``enough``."""
        money = self.estimate(clock)
        bound = np.inf
        for _ in range(MOST_ROUNDS_COUNT):
            worth, of_way = self.worth()
            best = self.paths.best(worth, demanded)
            gains = best.most - of_way
            bound = min(bound, money + float(np.maximum(gains, 0.0).sum()))
            if not np.isfinite(best.most).all() or bound <= enough:
                return None
            count = len(self.ways)
            self.add([best.way(int(u)) for u in np.flatnonzero(gains > LEAST_GAIN)])
            if len(self.ways) == count:
                break
            self.solver.go_on_from_basis(primal=True)
            money = self._solved(clock)
        x = self.solver.point()[0]
        return Point(bound, x[self._first :], x[: len(self.others)])

    def relaxed(self, clock: Clock) -> Point:
        """The relaxation within the limits, at prices of what is held that follow it. Raises SolverError where nothing
        fits."""
        point = self.relax_and_price((), clock)
        if point is None:
            raise SolverError("a machine has no way")
        missing = self.solver.point()[0][len(self.others) + self._spares_count : self._first]
        if missing.max(initial=0.0) > MOST_MISSING:
            raise SolverError("the ways of the machines do not fit")
        return point

    def relax_and_price(
        self, demanded: Sequence[Demanded], clock: Clock, enough: float = -np.inf, point: Point | None = None
    ) -> Point | None:
        """As ``relax``, at prices of what is held that follow the solution; it may set out from a ``point``.

        ``is_exact`` then says whether they are the best, and no row counts more than is held: the relaxation of the
        matrix has as much money.
        """
        self.is_exact = False
        point = point or self.relax(demanded, clock, enough)
        for _ in range(PRICED_COUNT):
            if point is None:
                break
            x = self.columns_of(point)
            if not self._shared.price_what_is_held(x):
                self.is_exact = self._shared.allows(x)
                break
            self._set_costs()
            point = self.relax(demanded, clock, enough)
        return point

    def _solved(self, clock: Clock) -> float:
        result = self.solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        if result.outcome is not Outcome.OPTIMAL or result.objective is None:
            raise SolverError("the relaxation was not solved")
        return result.objective

    def columns_of(self, point: Point) -> Floats:
        """[columns] of the whole matrix, with all that machines are ready to hold."""
        x = np.zeros(len(self.matrix.money))
        x += self._columns @ np.append(point.shares, np.zeros(len(self.ways) - len(point.shares)))
        x[self.others] = point.others
        return x

    def allows(self, point: Point) -> bool:
        """Whether all rows of the matrix hold if machines hold what is needed: here each counts what helps it."""
        return self._shared.allows(self.columns_of(point))

    def whole(self) -> Bare:
        """The program with whole ways, and the other whole columns whole."""
        (rows, lower, upper), beside = self._shared.whole, self.others
        count, units = len(self.ways), self.machines_count
        of_machine = csr_array(coo_array((np.ones(count), (self.machine, np.arange(count))), shape=(units, count)))
        every = csr_array(vstack([rows, self._covers]))
        program = vstack(
            [
                hstack([every[:, beside], every @ self._columns]),
                hstack([csr_array((units, len(beside))), of_machine]),
            ]
        )
        ones, endless = np.ones(units), np.full(self.covers_count, -np.inf)
        return Bare(
            csc_array(program),
            np.concatenate([lower, endless, ones]),
            np.concatenate([upper, self._cover_uppers, ones]),
            np.append(self.matrix.lower[beside], np.zeros(count)),
            np.append(self.matrix.upper[beside], np.ones(count)),
            np.append(self.matrix.integer[beside], np.ones(count, dtype=bool)),
        )

    def best_of_ways(self, gap: float, seconds: float, seed: int) -> Point | None:
        """The best whole ways of those that are there, within ``gap``, by branch and cut; None where there are none."""
        solver = Solver(self.whole(), seed=seed)
        costs = np.append(self._shared.money[self.others], self._columns.T @ self._shared.money)
        solver.set_costs(costs, self._shared.constant, maximise=True)
        found = solver.solve(rel_gap=0.0, abs_gap=gap, seconds=seconds)
        if found.x is None or found.objective is None:
            return None
        first = len(self.others)
        return Point(found.objective, np.rint(found.x[first:]), found.x[: len(self.others)])
