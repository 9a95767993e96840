"""The relaxation of a large matrix by column generation: a bound that is true, and the few columns that matter.

Two problems take turns. The blocks (`blocks.py`) answer to prices of the rows that they share: that is a bound, and
tells which columns each would use. The master is the relaxation restricted to the columns that were ever used, and
tells new prices. What makes it converge in ten turns instead of hundreds is that the prices of what markets ask for may
not leave a box around the best prices so far (du Merle, Villeneuve, Desrosiers, Hansen 1999), wider for each row that
it holds back, and that columns are used by themselves, not in whole answers, so that the master combines parts of all
of them. The master goes on from its last basis by the primal simplex method.

Prices to begin with: those of the problem that offers nothing, and for each offer its own price, evenly over its block.
Of many sites some come first (`sample.py`): their prices are nearly those of all.

As long as many columns come into use at a time, it is quicker to begin anew, with presolve, than to go on: a step of
the primal simplex method looks at all columns and rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Basis, Outcome, Solver
from scheduler.model.strategy.apart import Apart, Indices, side_by_side
from scheduler.model.strategy.blocks import NOTHING, Blocks, Bound, Priced, columns_beside
from scheduler.model.strategy.cuts import Cuts
from scheduler.model.strategy.master import Master
from scheduler.model.strategy.rows import Row, with_rows
from scheduler.problem import Floats

FIRST_BOX, FIRST_BOX_OF_SAMPLE = 2.0, 0.15
"""Half the width of the box, in mean prices to begin with; those of some of the sites are nearly right."""
BOX_OF_ROWS = 100.0
"""That of a row that whole offers keep, in the same; prices of a step, which is some MW."""
BOX_WHEN_LIMITED = 0.05
"""In the same, at least: prices of other offers are others."""
WIDEST = 1e5
"""Of offers that nobody can hold prices would rise without end."""
BEYOND_ANY_PRICE = 200.0
"""In mean prices: a box that holds nothing back but what has no solution. With a tenth of it a step of an offer was
worth more than what it lacked."""
NARROWER, WIDER, FREE = 0.7, 1.5, 4.0
"""After prices that were no better; after better ones that the box held back; where only the box is in the way, each
time more."""
OFF_BALANCE_MW = 1e-5
SETTLING_TURNS_COUNT = 4
TURNS_TO_KEEP_COUNT = 6
"""What comes after a relaxation that was not done in time, settling and rounding, takes about so many of its turns."""
TURNS_COUNT = 60
TURNS_AT_PRICES_COUNT = 4
GAP_AT_PRICES = 2e-5
MOST_COLUMNS_COUNT_TO_GO_ON = 50_000
MANY_NEW_FRAC = 0.02
"""Of more columns in use than that, the master begins anew where this share of them is new."""


@dataclass(frozen=True, eq=False)
class Among:
    """A relaxation restricted to some columns: its money, minus infinity where they do not make a solution.

    ``x`` [columns of the whole]; ``margins`` [coarse columns]: what one more of each would bring; ``lacking``: rows
    of markets that are off balance then.
    """

    money: float
    x: Floats
    margins: Floats
    lacking: Indices


@dataclass(frozen=True, eq=False)
class Known:
    """What another relaxation learned of columns and rows that this one has too.

    ``used`` [columns]; ``duals`` [rows] of rows that several assets share; ``bases`` of the blocks, by asset.
    """

    used: NDArray[np.bool_]
    duals: Floats
    bases: Mapping[int, Basis]


class Relaxation:
    """The relaxation of a matrix; ``bound`` and ``x`` [columns] after `solve`. Beyond its ``clock`` all is refused."""

    def __init__(
        self,
        matrix: Matrix,
        clock: Clock,
        prices: Floats | None = None,
        *,
        keeps_solvers: bool | None = None,
        known: Known | None = None,
    ) -> None:
        """``prices`` [rows] of markets to begin with, where those of some sites are known.

        ``keeps_solvers``: those of the blocks; None: where there are few. ``known``: of others with the same columns.
        """
        self.matrix = matrix
        self.bound = np.inf
        self.money = -np.inf  # of x
        self.x = np.zeros(len(matrix.money))
        self.is_late = False  # it ended for want of time
        self.clock = clock
        self._blocks = Blocks(matrix, keeps_solvers, None if known is None else known.bases)
        self._boxed = self._blocks.markets_rows
        self._always = (matrix.lower > 0) | matrix.coarse
        self._always[self._blocks.shared_columns] = True
        self.used = self._always.copy()
        self.columns = np.flatnonzero(matrix.coarse)
        self.cuts = Cuts()
        if known is None:
            first = self._without_offers()
        else:
            first, self.used = known.duals.copy(), self.used | known.used
        first[self._boxed] = _prices_of_offers(matrix, self._boxed) if prices is None else prices[self._boxed]
        self._center = first[self._boxed]
        self._mean_price = _mean_price(first, self._boxed)
        self._width = (FIRST_BOX if prices is None else FIRST_BOX_OF_SAMPLE) * self._mean_price
        self._box = np.full(len(self._boxed), self._width)
        self._master = Master(matrix, self._blocks.shared_rows, self._boxed)
        self._is_pruned = False
        self._duals = self._asked(first).duals

    def _without_offers(self) -> Floats:
        """[rows] prices of the problem that offers nothing; none of what markets ask for."""
        matrix, boxed = self.matrix, self._boxed
        rows, columns = np.setdiff1d(np.arange(matrix.matrix.shape[0]), boxed), columns_beside(matrix, boxed)
        bare = matrix.part(columns, rows)
        prices = np.zeros(matrix.matrix.shape[0])

        def solve(part: tuple[Indices, Indices]) -> None:
            solver = Solver(bare.part(*part), relaxed=True)
            solver.set_costs(bare.money[part[0]], maximise=True)
            result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=self.clock.left_seconds)
            if result.outcome is not Outcome.OPTIMAL:
                raise SolverError("the relaxation without offers was not solved")
            self.used[columns[part[0][np.abs(solver.point()[0]) > NOTHING]]] = True
            prices[rows[part[1]]] = solver.duals()

        side_by_side(solve, Apart(bare).parts)
        return prices

    def _asked(self, prices: Floats) -> Priced:
        """What the blocks answer, noting what they would use and what it says of all offers."""
        answer = self._blocks.answer(prices, self.clock)
        self.used |= answer.used
        self.cuts.add(*self._weak_duality.cut(answer.duals, self.columns), prices[self._boxed])
        return answer

    @cached_property
    def _weak_duality(self) -> Bound:
        return Bound(self.matrix)

    @property
    def prices(self) -> Floats:
        """[rows] those of the bound, of the rows of markets."""
        prices = np.zeros(self.matrix.matrix.shape[0])
        prices[self._boxed] = self._center
        return prices

    def limit(self, lower: Floats, upper: Floats) -> None:
        """From now on the same with other bounds of the coarse columns."""
        self.matrix = self.matrix.limited(self.columns, lower, upper)
        self._blocks.limit(self.columns, lower, upper)
        self._master.limit(self.columns, lower, upper)
        self._box = np.maximum(self._box, BOX_WHEN_LIMITED * self._width)

    def tighten(self, rows: Sequence[Row]) -> None:
        """From now on with more rows, which all whole solutions keep."""
        self.matrix = with_rows(self.matrix, rows)
        count = len(rows)
        self._box = np.append(self._box, np.full(count, BOX_OF_ROWS * self._width))
        self._boxed = np.append(self._boxed, self.matrix.matrix.shape[0] - count + np.arange(count))
        self._center = np.append(self._center, np.zeros(count))
        self._blocks.tighten(self.matrix)
        self._weak_duality.tighten(self.matrix)
        self._master.tighten(self.matrix, self._boxed)

    def among_used(self) -> Among:
        """The same of the columns that were used so far: quick, and no bound, for others may bring more.

        Without the box, which would hold back what they could do.
        """
        self._master.go_on(np.flatnonzero(self.used), np.zeros(len(self._boxed)), self._endless_box())
        solved = self._master.solve(self.clock)
        if solved is None:
            return Among(-np.inf, self.x, np.zeros(len(self.columns)), np.zeros(0, dtype=np.int64))
        prices, money, off_balance_mw = solved
        margins = self.matrix.money[self.columns] - self.matrix.matrix[:, self.columns].T @ prices
        if off_balance_mw.sum() <= OFF_BALANCE_MW:
            return Among(money, self._master.x(), margins, np.zeros(0, dtype=np.int64))
        lacking = self._boxed[off_balance_mw > OFF_BALANCE_MW / len(self._boxed)]
        return Among(-np.inf, self._master.x(), margins, lacking)

    def restricted(self) -> tuple[Solver, Indices]:
        """The columns in use as they are solved, and where in it the coarse ones are.

        For other bounds of them: no `limit` holds. What lacks there is bought dearly, so there is always a solution.
        """
        nothing, box = np.zeros(len(self._boxed)), self._endless_box()
        solver = self._master.opened(np.flatnonzero(self.used), nothing, box, self.clock)
        return solver, self._master.at(self.columns)

    def begin_from(self, basis: Basis, solver: Solver) -> None:
        """At one that a solver from `restricted` had, before more columns came into use."""
        self._master.begin_from(basis, solver)

    def solve(
        self, rel_gap: float, enough: float = -np.inf, *, roughly: bool = False, until: Clock | None = None
    ) -> None:
        """Until bound and money are within ``rel_gap``, or until the bound is no more than ``enough``: then no money.
        None either, and the bound that there is, where limits leave columns in use no solution, or after many turns.

        ``roughly``: even if the box still holds something back, so that the point is not quite balanced.
        ``until``: no more turns then, nor when the clock leaves no time for what comes after, and no money; ``x`` is
        that of the last one, which may be off balance.

        Raises SolverError where the time is too short.
        """
        lower, upper = self.matrix.lower[self.columns], self.matrix.upper[self.columns]
        self.bound, center = self.cuts.least(lower, upper)
        self._center = np.append(center, np.zeros(len(self._boxed) - len(center)))
        self.money = -np.inf
        free, longest_seconds = 1.0, 0.0
        for _ in range(TURNS_COUNT):
            if self.bound <= enough:
                return
            left_seconds = self.clock.left_seconds
            self._master.go_on(np.flatnonzero(self.used), self._center, self._box)
            found = self._master.solve(self.clock)
            if found is None:
                return
            prices, money, off_balance_mw = found
            before_count = int(self.used.sum())
            answer = self._asked(prices)
            bound = float(self.cuts.each(lower, upper)[-1])
            better, off = bound < self.bound, off_balance_mw > OFF_BALANCE_MW / max(1, len(self._boxed))
            held_back = off_balance_mw.sum() > OFF_BALANCE_MW
            if better:
                self.bound, self._center, self._duals = bound, prices[self._boxed], answer.duals
            solved = self.bound - money <= rel_gap * abs(money)
            self.x = self._master.x()
            if solved and (roughly or not held_back):
                self.money = money
                return
            if solved:
                free *= FREE
                self._box[off] *= free
            elif better:
                self._box[off] *= WIDER
            else:
                self._box *= NARROWER
            self._box = np.minimum(self._box, WIDEST * self._width)
            if int(self.used.sum()) > max(MOST_COLUMNS_COUNT_TO_GO_ON, (1 + MANY_NEW_FRAC) * before_count):
                self._begin_anew(answer.used)
            longest_seconds = max(longest_seconds, left_seconds - self.clock.left_seconds)
            to_keep_seconds = TURNS_TO_KEEP_COUNT * longest_seconds
            if until is not None and (until.left_seconds <= 0 or self.clock.left_seconds < to_keep_seconds):
                self.is_late = True
                Clock.note()
                return

    def _begin_anew(self, answered: NDArray[np.bool_]) -> None:
        """From no basis; the first time without columns that only the first prices brought, and never again.

        Where columns leave more than once the same ones come and go: twice the turns on two days of 40 sites.
        """
        if not self._is_pruned:
            self.used = answered | (np.abs(self._master.x()) > NOTHING) | self._always
            self._is_pruned = True
        self._master.begin_anew()

    @property
    def known(self) -> Known:
        """What is good to know for others."""
        return Known(self.used, self._duals, self._blocks.bases)

    def bound_at(self, prices: Floats) -> float:
        """A bound where ``prices`` [rows] of markets are given, however far off balance they are then."""
        given, lower, upper = prices[self._boxed], self.matrix.lower[self.columns], self.matrix.upper[self.columns]
        bound = np.inf
        for _ in range(TURNS_AT_PRICES_COUNT):
            self._master.go_on(np.flatnonzero(self.used), given, np.zeros(len(given)))
            found = self._master.solve(self.clock)
            if found is None:
                break
            own, money, _ = found
            own[self._boxed] = given
            self._asked(own)
            bound = min(bound, float(self.cuts.each(lower, upper)[-1]))
            if bound - money <= GAP_AT_PRICES * abs(money):
                break
        return bound

    def settle(self) -> None:
        """The best of the columns in use, balanced and without the box, however far from the bound.

        Where something lacks, more columns come into use; no money if it still does.
        """
        self.money = -np.inf
        if int(self.used.sum()) > MOST_COLUMNS_COUNT_TO_GO_ON:
            self._master.begin_anew()
        for _ in range(SETTLING_TURNS_COUNT):
            self._master.go_on(np.flatnonzero(self.used), np.zeros(len(self._boxed)), self._endless_box())
            found = self._master.solve(self.clock)
            if found is None:
                return
            prices, money, off_balance_mw = found
            if off_balance_mw.sum() <= OFF_BALANCE_MW:
                self.money, self.x = money, self._master.x()
                return
            self._asked(prices)

    @property
    def dear(self) -> float:
        """What a MW of markets costs at most where it lacks."""
        return float(self._endless_box().max(initial=0.0))

    def _endless_box(self) -> Floats:
        """[boxed] beyond any price; around nothing, or what is off balance would earn."""
        return np.abs(self._center) + BEYOND_ANY_PRICE * self._mean_price


def _mean_price(prices: Floats, boxed: Indices) -> float:
    """How much a price is."""
    known = np.abs(prices[boxed])
    if not known.any():
        known = np.abs(prices[np.abs(prices) > NOTHING])
    return float(known.mean()) if known.size else 1.0 / FIRST_BOX


def _prices_of_offers(matrix: Matrix, boxed: Indices) -> Floats:
    """[boxed] prices at which every offer is worth what it earns, evenly over its intervals: the least that do."""
    part = csc_array(matrix.matrix.tocsr()[boxed])
    offers = np.flatnonzero((matrix.asset < 0) & (np.diff(part.indptr) > 0) & (matrix.upper > matrix.lower))
    if not len(offers):
        return np.zeros(len(boxed))
    prices: Floats = np.linalg.lstsq(part[:, offers].T.toarray(), matrix.money[offers], rcond=None)[0]
    return prices
