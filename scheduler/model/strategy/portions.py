"""Hundreds of sites: portions of them, each with its share of what sites share, and offers that all of them hold.

A step of the simplex method looks at all columns, so small relaxations are solved in a fraction of the time of a large
one, and two of them side by side. Each portion offers by itself, in parts of MW; what all offer together is made whole,
and each holds its part of that; the machines of each are rounded around it.

The bound is that of all sites: any prices of what they share give one, as long as they are the same for all (Lagrangian
relaxation; Geoffrion 1974), and the mean of the portions' prices is nearly right. What is lost is what portions could
have traded from one hour of an offer to the next: a half of it with portions twice as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Result, Solver
from scheduler.model.strategy.apart import AT_ONCE, Indices, side_by_side
from scheduler.model.strategy.blocks import rows_naming, rows_of_markets, sites_of
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.rounding import Rounding, best_rounding
from scheduler.model.strategy.search import Solution, among, best_of
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SITES_PER_PORTION = 10
SITES_OF_FIRST_COUNT = 5
"""Whose prices are those that all portions begin with."""
GAP = 3e-4
SHARE_OF_TIME_TO_RELAX = 0.4
SHARE_OF_TIME_TO_ROUND = 0.8
TRIES = ((0.07, 0), (0.1, 0), (0.15, 0), (0.25, 0), (0.5, 0), (0.0, 1))
SHARE_BY_MARGIN = 0.5
"""Of the time that a portion has to be rounded, what each of these may take."""
PRECISION_MW = 1e-6
MOST_OFF_MW = 1e-5
"""What the solver leaves of each portion, 1e-7, added up."""
DUST_MW = 1e-9


def by_portions(matrix: Matrix, options: SolveOptions, clock: Clock, held: Floats | None = None) -> Result:
    """A plan of hundreds of sites with the bound of all, mostly not near enough for a proof.

    ``held`` [columns]: a safe plan, which says who can hold the awards; without it every site has the same share.

    Raises SolverError: there is one only, one has no solution, more than offers is to be decided for all, no time.
    """
    parts = _Shared(matrix, np.zeros(len(matrix.money)) if held is None else held)
    if not len(parts.offers) or (matrix.coarse & ~parts.is_shared).any():
        raise SolverError("nothing is offered together, or large machines are to be decided for all sites at once")
    sites = np.random.default_rng(options.seed).permutation(np.unique(parts.site[parts.site >= 0]))
    if len(sites) <= SITES_PER_PORTION:
        raise SolverError("there is one portion only")
    prices = _prices_of(_Portion(parts, sites[:SITES_OF_FIRST_COUNT]), clock)
    portions = [_Portion(parts, chosen) for chosen in np.array_split(sites, -(-len(sites) // SITES_PER_PORTION))]
    seconds = SHARE_OF_TIME_TO_RELAX * clock.left_seconds * AT_ONCE / len(portions)
    side_by_side(lambda portion: portion.relax(prices, clock, Clock(seconds)), portions)
    _share_whole_offers(parts, portions, clock)
    plan, bound = _together(parts, portions, _rounded(portions, options, clock)), np.inf
    with suppress(SolverError):  # no time: a plan without a bound is one
        bound = _bound(parts, portions, clock)
    return best_of(plan, bound, options)


class _Shared:
    """A matrix of many sites: which columns belong to no site, and whose they are together.

    Columns of no site hang together by rows, as the offers of a block do; ``sites_of`` [kinds, sites] are those whose
    columns meet some that hang together: an energy market of a country is that of its sites alone. What sites have in
    a plan ``held`` [columns] is theirs; what rows leave beyond it is shared. ``is_common`` [rows]: where sites meet
    what is shared, so that all portions must see one price.
    """

    def __init__(self, matrix: Matrix, held: Floats) -> None:
        self.matrix, self.site = matrix, sites_of(matrix)
        self.offers = np.flatnonzero(matrix.coarse & (self.site < 0))
        self.is_shared = self.site < 0
        rows_count, columns_count = matrix.matrix.shape
        shared = np.flatnonzero(self.is_shared)
        entries = coo_array(matrix.matrix[:, shared])
        both_count = rows_count + len(shared)
        links = coo_array(
            (np.ones(len(entries.row)), (entries.row, rows_count + entries.col)), shape=(both_count, both_count)
        )
        _, kind = connected_components(links, directed=False)
        named = np.unique(entries.row)
        kinds, numbers = np.unique(np.append(kind[named], kind[rows_count:]), return_inverse=True)
        self.kind_of_row = np.full(rows_count, -1, dtype=np.int64)
        self.kind_of_row[named] = numbers[: len(named)]
        self.kind_of_column = np.full(columns_count, -1, dtype=np.int64)
        self.kind_of_column[shared] = numbers[len(named) :]
        sites_count = int(self.site.max()) + 1
        here = np.isin(matrix.matrix.indices, named)
        site = np.repeat(self.site, np.diff(matrix.matrix.indptr))[here]
        of_kind = self.kind_of_row[matrix.matrix.indices[here]][site >= 0]
        self.sites_of = np.zeros((len(kinds), sites_count), dtype=bool)
        self.sites_of[of_kind, site[site >= 0]] = True
        meets_none = ~self.sites_of.any(axis=1)
        self.sites_of[meets_none] = np.isin(np.arange(sites_count), self.site)  # then it is everybody's
        self.is_common = (self.kind_of_row >= 0) & rows_naming(matrix, ~self.is_shared)
        self.is_common[_rows_of_free_columns(matrix, self.is_shared)] = False
        self._of_sites = np.where(self.is_shared, 0.0, held)
        self._held_by_sites = matrix.matrix @ self._of_sites  # [rows]

    def part(self, chosen: Indices) -> tuple[Indices, Indices, Matrix]:
        """Columns, rows and matrix of some sites with their share of what belongs to none: bounds and sides."""
        columns = np.flatnonzero(np.isin(self.site, chosen) | self.is_shared)
        rows = np.unique(self.matrix.matrix[:, columns].indices).astype(np.int64)
        part = self.matrix.part(columns, rows)
        share = np.append(self.sites_of[:, chosen].sum(axis=1) / self.sites_of.sum(axis=1), 1.0)
        of_columns, of_rows = share[self.kind_of_column[columns]], share[self.kind_of_row[rows]]
        own = part.matrix @ self._of_sites[columns]
        beyond = np.where(self.kind_of_row[rows] < 0, 0.0, self._held_by_sites[rows])  # rows of no kind are its own
        own = np.where(self.kind_of_row[rows] < 0, 0.0, own)
        lower, upper = _share(part.lower, of_columns), _share(part.upper, of_columns)
        row_lower, row_upper = (own + _share(side - beyond, of_rows) for side in (part.row_lower, part.row_upper))
        return columns, rows, replace(part, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper)


def _rows_of_free_columns(matrix: Matrix, is_shared: NDArray[np.bool_]) -> Indices:
    """Where a shared column without bounds, that nothing else names, takes up whatever is left, at the same price."""
    is_free = is_shared & np.isinf(matrix.lower) & np.isinf(matrix.upper) & (np.diff(matrix.matrix.indptr) == 1)
    rows: Indices = matrix.matrix.indices[matrix.matrix.indptr[:-1][is_free]].astype(np.int64)
    return rows


def _share(values: Floats, share: Floats) -> Floats:
    """Of nothing there is no share: 0 * infinity."""
    with np.errstate(invalid="ignore"):
        shared: Floats = np.where(share == 0, 0.0, values * share)
    return shared


class _Portion:
    """Some sites, with their share of what belongs to no site."""

    relaxation: Relaxation

    def __init__(self, parts: _Shared, chosen: Indices) -> None:
        self.columns, self.rows, self._matrix = parts.part(chosen)
        self.is_here: NDArray[np.bool_] = np.any(parts.sites_of[:, chosen], axis=1)
        self._rows_count = parts.matrix.matrix.shape[0]

    def relax(self, prices: Floats | None, clock: Clock, until: Clock | None = None) -> None:
        """By itself, from ``prices`` [all rows] of others; what of it there is when the time is over."""
        self.relaxation = Relaxation(self._matrix, clock, None if prices is None else prices[self.rows])
        self.relaxation.solve(GAP, until=until)
        if self.relaxation.money == -np.inf:  # no time
            self.relaxation.settle()
        self.relaxation.let_solvers_go()
        if self.relaxation.money == -np.inf:
            raise SolverError("some of the sites were not brought into balance")

    @property
    def prices(self) -> Floats:
        """[all rows] of markets; 0 for all others."""
        prices = np.zeros(self._rows_count)
        prices[self.rows] = self.relaxation.prices
        return prices

    def has_prices_of(self, parts: _Shared) -> bool:
        """Whether it can be told the price of every row that needs a common one."""
        is_needed = parts.is_common[self.rows] & self.is_here[parts.kind_of_row[self.rows]]
        return bool(np.isin(np.flatnonzero(is_needed), rows_of_markets(self._matrix)).all())

    def bound_at(self, prices: Floats, clock: Clock) -> float:
        """What it earns at most, whatever it offers, where ``prices`` [all rows] of markets are given."""
        relaxation = self.relaxation
        relaxation.clock = clock
        relaxation.limit(self._matrix.lower[relaxation.columns], self._matrix.upper[relaxation.columns])
        return relaxation.bound_at(prices[self.rows])

    @property
    def offered(self) -> Floats:
        """[offers] in parts: every portion has all of them, in the same order."""
        offered: Floats = self.relaxation.x[self.relaxation.columns]
        return offered

    def hold(self, values: Floats) -> None:
        """These offers from now on, [offers] in parts."""
        self.relaxation.limit(values, values)

    def rounded(self, options: SolveOptions, clock: Clock) -> Floats | None:
        """[its columns] Whole machines that hold what it was given; None where nothing fits, or not in time."""
        relaxation = self.relaxation
        relaxation.clock = clock
        with suppress(SolverError):  # out of time
            found = relaxation.among_used()
            x, money = found.x, found.money
            if money == -np.inf:  # more columns have to come into use
                relaxation.settle()
                x, money = relaxation.x, relaxation.money
            if money > -np.inf:
                columns = np.flatnonzero(relaxation.used)
                part = relaxation.matrix.part(columns, np.flatnonzero(rows_naming(relaxation.matrix, relaxation.used)))
                is_given = part.coarse
                part = replace(part, integer=part.integer & ~is_given, coarse=np.zeros_like(is_given))
                rounding = Rounding(part, x[columns], options.seed)
                best = best_rounding(rounding, TRIES, money, options, clock, None, 0, SHARE_BY_MARGIN)
                if best is not None:
                    return among(columns, best[0], len(self.columns))
        return None


def _prices_of(portion: _Portion, clock: Clock) -> Floats | None:
    """[all rows] those of a portion by itself; None where it has no solution."""
    with suppress(SolverError):
        portion.relax(None, clock)
        return portion.prices
    return None


def _bound(parts: _Shared, portions: Sequence[_Portion], clock: Clock) -> float:
    """On the money of all, by the mean of the prices of those that have any.

    Infinite where portions share what has no price of its own, such as the deviation from a cleared position.
    """
    if not all(portion.has_prices_of(parts) for portion in portions):
        return np.inf
    present = np.sum([portion.is_here for portion in portions], axis=0)
    count_of_row = np.where(parts.kind_of_row >= 0, present[parts.kind_of_row], 1)
    prices = np.sum([portion.prices for portion in portions], axis=0) / np.maximum(count_of_row, 1)
    bounds = side_by_side(lambda portion: portion.bound_at(prices, clock), portions)
    return float(sum(bounds)) - (len(portions) - 1) * parts.matrix.constant


def _share_whole_offers(parts: _Shared, portions: Sequence[_Portion], clock: Clock) -> None:
    """Each holds its part of the most whole offers that are no more than what all offer together."""
    own = [portion.offered for portion in portions]
    each = abs(csr_array(parts.matrix.matrix[:, parts.offers]))
    offered_mw = each @ np.sum(own, axis=0)
    whole = _nearest_below(parts, offered_mw, clock)
    weights = np.maximum(offered_mw, DUST_MW)
    for portion, values in zip(portions, own, strict=True):
        part = np.where(offered_mw > DUST_MW, each @ values / weights, 1.0 / len(portions))
        portion.hold(whole * ((each.T @ (part * weights)) / (each.T @ weights)))


def _rounded(portions: Sequence[_Portion], options: SolveOptions, clock: Clock) -> list[Floats | None]:
    """Whole machines of each portion; None where they were not found in the time that is left."""
    seconds = SHARE_OF_TIME_TO_ROUND * clock.left_seconds * AT_ONCE / len(portions)
    found = side_by_side(lambda portion: portion.rounded(options, Clock(seconds)), portions)
    for number, portion in enumerate(portions):
        if found[number] is None:  # alone, in all of the time
            found[number] = portion.rounded(options, Clock(SHARE_OF_TIME_TO_ROUND * clock.left_seconds))
    return found


def _nearest_below(parts: _Shared, offered_mw: Floats, clock: Clock) -> Floats:
    """[offers] whole, of which no row takes more than ``offered_mw`` [rows]; rows of offers alone hold."""
    matrix, offers = parts.matrix, parts.offers
    is_offer = np.zeros(len(matrix.money), dtype=bool)
    is_offer[offers] = True
    named, beside = rows_naming(matrix, is_offer), rows_naming(matrix, ~is_offer)
    solver = Solver(matrix.part(offers, np.flatnonzero(named & ~beside)))
    sold = abs(csr_array(matrix.matrix[:, offers])[np.flatnonzero(named & beside)])
    solver.add_rows(sold, offered_mw[named & beside] + PRECISION_MW)
    solver.set_costs(np.asarray(sold.sum(axis=0)).ravel(), maximise=True)
    found = solver.solve(rel_gap=0.0, abs_gap=PRECISION_MW, seconds=clock.left_seconds)
    if found.x is None:
        raise SolverError("no whole offers are below those of the portions")
    return np.rint(found.x)


def _together(parts: _Shared, portions: Sequence[_Portion], solved: Sequence[Floats | None]) -> Solution:
    """The plan of all. Raises SolverError where that of a portion is missing, or rows of all do not hold."""
    matrix, x = parts.matrix, np.zeros(len(parts.matrix.money))
    for portion, own in zip(portions, solved, strict=True):
        if own is None:
            raise SolverError("the machines of some sites were not rounded")
        x[portion.columns] += own
    whole = np.flatnonzero(matrix.integer)
    x[whole] = np.rint(x[whole])
    rows = matrix.matrix @ x
    if (matrix.row_lower - rows > MOST_OFF_MW).any() or (rows - matrix.row_upper > MOST_OFF_MW).any():
        raise SolverError("what portions hold is not what all of them sold")
    return x, float(matrix.money @ x) + matrix.constant
