"""Hundreds of sites: portions of them, each with its share of what sites share, drawn anew again and again.

A step of the simplex method looks at all columns, so small relaxations are solved in a fraction of the time of a large
one, and two of them side by side. Each portion offers by itself, in parts of MW. What portions could have traded from
one hour of an offer to the next is lost; so sites are drawn into other portions, which begin with what their sites
hold, and trade that (`trade.py`). Then what all offer together is made whole, each portion holds its part of that
(`shares.py`), and its machines are rounded around it.

The bound is that of all sites: any prices of what they share give one, as long as they are the same for all (Lagrangian
relaxation; Geoffrion 1974), and the mean of the portions' prices is nearly right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_array, csr_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.solve import Result, Solver
from scheduler.model.strategy.apart import AT_ONCE, Indices, side_by_side
from scheduler.model.strategy.blocks import rows_naming, rows_of_markets
from scheduler.model.strategy.rounding import Rounding, best_rounding, with_columns
from scheduler.model.strategy.search import Solution, among, best_of
from scheduler.model.strategy.shares import Shares
from scheduler.model.strategy.trade import Portion, Trade
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SITES_PER_PORTION = 10
MOST_DRAWS_COUNT = 8
LEAST_GAIN = 2e-5
"""Of the money, what a draw must bring for another one to come."""
SHARE_OF_TIME_TO_BEGIN = 0.4
"""Of the time, until when the first portions are balanced."""
SHARE_OF_FIRST = 0.45
"""Of the time of the first draw, what another one takes."""
SHARE_OF_TIME_FOR_OFFERS = 0.1
LAPS_COUNT = 2
"""How often a portion may be asked to hold what others lack."""
SHARE_OF_TIME_TO_ROUND = 0.75
"""Of what a portion has at the end; the rest is for its bound."""
TRIES = ((0.07, 0), (0.1, 0), (0.15, 0), (0.25, 0))
TRIES_WHERE_IT_LACKS = ((0.07, 0), (0.25, 0), (0.5, 0), (0.0, 1))
SHARE_BY_MARGIN = 0.5
"""Of the time that a portion has to be rounded, what each of these may take."""
PRECISION_MW = 1e-6
MOST_OFF_MW = 0.5e-6
"""What portions may lack together, or have too much: half of what the checker lets pass."""


def by_portions(matrix: Matrix, options: SolveOptions, clock: Clock, held: Floats | None = None) -> Result:
    """A plan of hundreds of sites with the bound of all, mostly not near enough for a proof.

    ``held`` [columns]: a safe plan, which says who can hold the awards; without it every site has the same share.

    Raises SolverError: there is one only, one has no solution, more than offers is to be decided for all, no time.
    """
    safe = np.zeros(len(matrix.money)) if held is None else held
    shares = Shares(matrix, safe)
    if not len(shares.offers) or (matrix.coarse & ~shares.is_shared).any():
        raise SolverError("nothing is offered together, or large machines are to be decided for all sites at once")
    if len(shares.sites) <= SITES_PER_PORTION:
        raise SolverError("there is one portion only")
    trade = Trade(shares)
    drawn = _traded(trade, shares, options.seed, clock)
    shares.offer(_most_offers(shares, clock))
    try:
        plan, bound = _End(trade, shares, drawn, options, clock).plan()
    except SolverError:  # where all can hold no more there is no room for whole machines, but there is in a safe plan
        if clock.left_seconds <= 0:
            raise
        trade.hold(safe)
        trade.go_on(drawn, clock, Clock(SHARE_OF_TIME_TO_BEGIN * clock.left_seconds))
        shares.offer(_most_offers(shares, clock))
        plan, bound = _End(trade, shares, drawn, options, clock).plan()
    return best_of(plan, bound, options)


def _traded(trade: Trade, shares: Shares, seed: int, clock: Clock) -> list[Indices]:
    """Draws of portions, as long as they bring something and leave time for the end; the last of them."""
    random = np.random.default_rng(seed)
    drawn = _drawn(shares, random)
    left_seconds, few = clock.left_seconds, drawn[0][: -(-len(drawn[0]) // 2)]
    trade.begin(drawn, few, clock, Clock(SHARE_OF_TIME_TO_BEGIN * left_seconds))
    took_seconds = SHARE_OF_FIRST * (left_seconds - clock.left_seconds)
    for _ in range(MOST_DRAWS_COUNT):
        left_seconds, before = clock.left_seconds, trade.money
        if left_seconds < 2 * took_seconds:  # rounding and bound take no longer than a draw
            Clock.note()
            break
        drawn = _drawn(shares, random)
        trade.go_on(drawn, clock, Clock(left_seconds - took_seconds))
        if trade.money - before <= LEAST_GAIN * abs(before):
            break
        took_seconds = left_seconds - clock.left_seconds
    return drawn


def _drawn(shares: Shares, random: np.random.Generator) -> list[Indices]:
    sites = random.permutation(shares.sites)
    return np.array_split(sites, -(-len(sites) // SITES_PER_PORTION))


@dataclass(frozen=True, eq=False)
class _Ended:
    """A portion with whole machines: ``x`` [columns] and the most that it earns.

    ``held`` [met rows]: what it holds beyond its part; ``lacking`` [met rows]: what it was asked for and does not.
    """

    columns: Indices
    x: Floats
    held: Floats
    lacking: Floats
    bound: float


@dataclass(frozen=True, eq=False)
class _End:
    """The end of a trade: portions make their machines whole, two side by side."""

    trade: Trade
    shares: Shares
    drawn: Sequence[Indices]
    options: SolveOptions
    clock: Clock

    def plan(self) -> tuple[Solution, float]:
        """A plan of all with what is offered, and a bound: infinite where time was too short for one, or where portions
        share what has no price of its own, such as the deviation from a cleared position.

        What a portion lacks, since all that it has is held and machines are whole, those after it hold too, and the
        first ones again. Raises SolverError where that is not enough, or the machines of a portion were not rounded.
        """
        matrix, drawn = self.shares.matrix, self.drawn
        turns = [range(one, min(one + AT_ONCE, len(drawn))) for one in range(0, len(drawn), AT_ONCE)]
        found: dict[int, _Ended] = {}
        lacking = np.zeros(len(self.shares.met_rows))
        for number, some in enumerate(turns * LAPS_COUNT):
            if number >= len(turns) and (np.abs(lacking) <= MOST_OFF_MW).all():
                break
            seconds = self.clock.left_seconds / max(1, len(turns) - number)
            asked = {one: lacking / len(some) + (found[one].held if one in found else 0.0) for one in some}
            for one, each in self._some(asked, seconds).items():
                found[one] = replace(each, bound=min(each.bound, found[one].bound if one in found else np.inf))
            lacking = np.sum([found[one].lacking for one in some], axis=0)
        x = np.zeros(len(matrix.money))
        for each in found.values():
            x[each.columns] += each.x
        x[self.shares.offers] = self.shares.x[self.shares.offers]
        return _whole(matrix, x), sum(each.bound - matrix.constant for each in found.values()) + matrix.constant

    def _some(self, asked: Mapping[int, Floats], seconds: float) -> dict[int, _Ended]:
        """Portions by number, within ``seconds`` each; what fails tries again, alone."""

        def once(number: int) -> _Ended | None:
            with suppress(SolverError):
                return self._one(self.drawn[number], asked[number], Clock(seconds))
            return None

        return {
            number: one or self._one(self.drawn[number], asked[number], Clock(min(seconds, self.clock.left_seconds)))
            for number, one in zip(asked, side_by_side(once, asked), strict=True)
        }

    def _one(self, chosen: Indices, lacking: Floats, clock: Clock) -> _Ended:
        """A portion that holds what others are ``lacking`` [met rows] too, where its sites can at all.

        Raises SolverError where its machines were not rounded.
        """
        shares = self.shares
        portion = self.trade.portion(chosen, Clock(SHARE_OF_TIME_TO_ROUND * clock.left_seconds), lacking)
        relaxation, rows, bound = portion.relaxation, portion.rows, np.inf
        matrix = relaxation.matrix
        lower, upper = matrix.lower[relaxation.columns], matrix.upper[relaxation.columns]
        is_offer = matrix.coarse[shares.is_shared[portion.columns]]
        x = _rounded(portion, shares.offered_by(chosen)[is_offer], self.options)
        is_equal = portion.is_common & (matrix.row_lower == matrix.row_upper)
        lacks = shares.gathered(np.where(is_equal, matrix.row_lower - matrix.matrix @ x, 0.0), rows)
        with suppress(SolverError):  # no time: a plan without a bound is one
            relaxation.clock = clock
            relaxation.limit(lower, upper)
            bound = _bound(portion, shares, self.trade.prices_of(rows)) - float(self.trade.prices @ portion.more)
        return _Ended(portion.columns, x, portion.more - lacks, lacks + lacking - portion.more, bound)


def _bound(portion: Portion, shares: Shares, prices: Floats) -> float:
    """What a portion earns at most at ``prices`` [rows]; infinite if a common row has none.

    That of a row which only its share of offers meets would be its own price, and the bound not one of all.
    """
    needed = shares.are_met(portion.chosen, portion.rows) & shares.is_common[portion.rows]
    if not np.isin(np.flatnonzero(needed), rows_of_markets(portion.relaxation.matrix)).all():
        return np.inf
    return portion.relaxation.bound_at(prices)


def _rounded(portion: Portion, offers: Floats, options: SolveOptions) -> Floats:
    """[columns] whole machines that hold ``offers`` [offers] in parts, or less where all is held.

    Raises SolverError where nothing fits, or not in time.
    """
    relaxation = portion.relaxation
    relaxation.limit(offers, offers)
    matrix, clock = relaxation.matrix, relaxation.clock
    found = relaxation.among_used()
    if found.money == -np.inf:  # more columns have to come into use
        relaxation.settle()
        found = relaxation.among_used()
    if found.money == -np.inf and not len(found.lacking):
        raise SolverError("some of the sites cannot hold what is offered")
    columns, rows = np.flatnonzero(relaxation.used), np.flatnonzero(rows_naming(matrix, relaxation.used))
    part = matrix.part(columns, rows)
    part = replace(part, integer=part.integer & ~part.coarse, coarse=np.zeros_like(part.coarse))
    near, best = found.x[columns], None
    if found.money > -np.inf:
        rounding = Rounding(part, near, options.seed)
        best = best_rounding(rounding, TRIES, found.money, options, clock, None, 0, SHARE_BY_MARGIN)
    if best is None:
        off = np.flatnonzero(portion.is_common[rows])
        elastic = _elastic(part, off, relaxation.dear)
        rounding = Rounding(elastic, np.append(near, np.zeros(2 * len(off))), options.seed)
        most = float(part.money @ near) + part.constant
        best = best_rounding(rounding, TRIES_WHERE_IT_LACKS, most, options, clock, None, 0, SHARE_BY_MARGIN)
    if best is None:
        raise SolverError("the machines of some sites were not rounded")
    return among(columns, best[0][: len(columns)], len(matrix.money))


def _elastic(matrix: Matrix, rows: Indices, dear: float) -> Matrix:
    """With columns of what some rows lack, or have too much, at a price."""
    count = len(rows)
    ends = (np.append(rows, rows), np.arange(2 * count))
    off = csc_array((np.repeat([1.0, -1.0], count), ends), shape=(matrix.matrix.shape[0], 2 * count))
    money = np.append(matrix.money, np.full(2 * count, -dear))
    return replace(with_columns(matrix, off, upper=np.inf), money=money)


def _most_offers(shares: Shares, clock: Clock) -> Floats:
    """[offers] the most whole ones of which no row takes more than what is offered; rows of offers alone hold."""
    matrix, offers = shares.matrix, shares.offers
    is_offer = np.zeros(len(matrix.money), dtype=bool)
    is_offer[offers] = True
    named, beside = rows_naming(matrix, is_offer), rows_naming(matrix, ~is_offer)
    solver = Solver(matrix.part(offers, np.flatnonzero(named & ~beside)))
    rows = np.flatnonzero(named & beside)
    sold = abs(csr_array(matrix.matrix[:, offers])[rows])
    solver.add_rows(sold, sold @ shares.x[offers] + PRECISION_MW)
    solver.set_costs(np.asarray(sold.sum(axis=0)).ravel(), maximise=True)
    found = solver.solve(rel_gap=0.0, abs_gap=PRECISION_MW, seconds=SHARE_OF_TIME_FOR_OFFERS * clock.left_seconds)
    if found.x is None:
        raise SolverError("no whole offers are below those of the portions")
    return np.rint(found.x)


def _whole(matrix: Matrix, x: Floats) -> Solution:
    """A plan of all from those of portions. Raises SolverError where rows of all do not hold."""
    whole = np.flatnonzero(matrix.integer)
    x[whole] = np.rint(x[whole])
    rows = matrix.matrix @ x
    if (matrix.row_lower - rows > MOST_OFF_MW).any() or (rows - matrix.row_upper > MOST_OFF_MW).any():
        raise SolverError("what portions hold is not what all of them sold")
    return x, float(matrix.money @ x) + matrix.constant
