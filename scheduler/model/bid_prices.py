"""The lowest price to ask for each block: the profit lost per MW and hour without its offer (formulation 7).

What a block's offer is worth is the money with it less the money without it, machines in parts and all other offers as
they are in the plan. What it is paid less that is what holding it costs.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.ledger import Offer
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy.apart import side_by_side
from scheduler.model.strategy.by_paths import MOST_WHOLE_COUNT
from scheduler.model.strategy.counts import with_counts
from scheduler.model.strategy.paths import Paths
from scheduler.model.strategy.paths_program import PathsProgram
from scheduler.plan import Plan
from scheduler.problem import Floats

MOST_COLUMNS_COUNT = 60_000
"""Larger problems are not asked: each block takes a solve, and there they take long."""

BlockKey = tuple[str, str]
"""Market and block."""


@dataclass(frozen=True)
class BidPrices:
    """Lowest prices by block; not complete where the time was too short for all."""

    per_mw_h: dict[BlockKey, float] = field(default_factory=dict)
    complete: bool = True


def lowest_prices(matrix: Matrix, x: Floats, seconds: float) -> BidPrices:
    """Lowest price of every block with an offer in ``x``, within about ``seconds``; none for large problems."""
    blocks = _blocks(matrix, x)
    if not blocks or len(x) > MOST_COLUMNS_COUNT:
        return BidPrices()
    if seconds <= 0:
        return BidPrices(complete=False)
    clock = Clock(seconds)
    answer = None
    if Paths.fits(matrix, MOST_WHOLE_COUNT):
        answer = _asked(lambda: _ByWays(matrix, x), blocks, clock)
    if answer is None:
        answer = _asked(lambda: _ByCounts(matrix, x), blocks, clock)
    if answer is None:
        return BidPrices(complete=False)
    with_all, without = answer
    found = {
        key: (block.paid - (with_all - without[key])) / block.expected_mw_h + 0.0  # never minus zero
        for key, block in blocks.items()
        if key in without
    }
    return BidPrices(found, complete=len(found) == len(blocks))


def _asked(
    made: Callable[[], _Asker], blocks: dict[BlockKey, _Block], clock: Clock
) -> tuple[float, dict[BlockKey, float]] | None:
    """The most money with all offers, and without those of each block; None where it cannot be said."""
    try:
        asker = made()
        with_all = asker.most_money(clock)
        if with_all is None:
            return None
        askers = asker.askers()
        shares = [list(blocks)[number :: len(askers)] for number in range(len(askers))]
        answers = side_by_side(
            lambda each: each[0].without_each([blocks[key].columns for key in each[1]], clock),
            list(zip(askers, shares, strict=True)),
        )
    except (SolverError, _InexactError):  # prices are good to have: no plan is lost for their sake
        return None
    without: dict[BlockKey, float] = {}
    for share, own in zip(shares, answers, strict=True):
        without.update(zip(share, own, strict=False))  # fewer where the time was too short
    return with_all, without


def with_lowest_prices(plan: Plan, prices: BidPrices) -> Plan:
    """The plan, telling what to ask."""
    markets = []
    for market in plan.markets:
        blocks = (
            replace(block, lowest_price_per_mw_h=prices.per_mw_h.get((market.market_id, block.block_id)))
            for block in market.blocks
        )
        markets.append(replace(market, blocks=tuple(blocks)))
    return replace(plan, markets=tuple(markets))


@dataclass(frozen=True, eq=False)
class _Block:
    """What a plan offers in a block, chances counted."""

    columns: NDArray[np.int64]
    expected_mw_h: float
    paid: float


def _blocks(matrix: Matrix, x: Floats) -> dict[BlockKey, _Block]:
    offers: dict[BlockKey, list[Offer]] = defaultdict(list)
    for offer in matrix.ledger.offers:
        offers[offer.market_id, offer.block_id].append(offer)
    found = {}
    for key, those in offers.items():
        mw_h = [_mw(matrix, x, offer) * offer.chance * len(offer.intervals) * matrix.ledger.hours for offer in those]
        if sum(mw_h) > 0:
            paid = sum(amount * offer.price_per_mw_h for amount, offer in zip(mw_h, those, strict=True))
            columns = np.concatenate([_columns(matrix, offer) for offer in those])
            found[key] = _Block(columns, sum(mw_h), paid)
    return found


def _mw(matrix: Matrix, x: Floats, offer: Offer) -> float:
    return sum(mw * float(np.rint(x[matrix.columns(variable)]).sum()) for mw, variable in offer.terms_mw)


def _columns(matrix: Matrix, offer: Offer) -> NDArray[np.int64]:
    return np.concatenate([matrix.columns(variable) for _, variable in offer.terms_mw])


def _as_in(matrix: Matrix, x: Floats) -> Matrix:
    """The problem with offers and shortfalls as in a solution."""
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    for offer in matrix.ledger.offers:
        at = _columns(matrix, offer)
        lower[at] = upper[at] = np.rint(x[at])
    upper[matrix.shortfall] = np.maximum(lower[matrix.shortfall], x[matrix.shortfall])
    return replace(matrix, lower=lower, upper=upper)


class _Asker(ABC):
    """A relaxation with offers and shortfalls as in a solution; warm from one question to the next."""

    def __init__(self, x: Floats) -> None:
        self._x = np.rint(x)

    @abstractmethod
    def most_money(self, clock: Clock) -> float | None:
        """None where the time is too short."""

    @abstractmethod
    def set(self, columns: NDArray[np.int64], values: Floats) -> None:
        """Offers of some columns."""

    @abstractmethod
    def askers(self) -> Sequence[_Asker]:
        """It, and others to be asked beside it."""

    def without_each(self, offers: Sequence[NDArray[np.int64]], clock: Clock) -> list[float]:
        """The most money without some offers at a time; ends where the time does, or where one is not solved."""
        found = []
        for columns in offers:
            self.set(columns, np.zeros(len(columns)))
            money = None
            with suppress(SolverError):
                money = self.most_money(clock) if clock.left_seconds > 0 else None
            self.set(columns, self._x[columns])
            if money is None:
                break
            found.append(money)
        return found


class _ByCounts(_Asker):
    """By counts and moves, from the basis that a strategy ended with."""

    def __init__(self, matrix: Matrix, x: Floats) -> None:
        super().__init__(x)
        self._solver = Solver(with_counts(_as_in(matrix, x)), relaxed=True)
        self._solver.set_costs(matrix.money, matrix.constant, maximise=True)
        if matrix.ledger.day.relaxed_basis is not None:
            self._solver.begin_from(matrix.ledger.day.relaxed_basis)

    def most_money(self, clock: Clock) -> float | None:
        result = self._solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds)
        return result.objective if result.outcome is Outcome.OPTIMAL else None

    def set(self, columns: NDArray[np.int64], values: Floats) -> None:
        self._solver.set_bounds(columns, values, values)

    def askers(self) -> Sequence[_Asker]:
        other = copy.copy(self)
        other._solver = self._solver.twin()
        return self, other


class _InexactError(Exception):
    """There is a bound, and no value."""


class _ByWays(_Asker):
    """By the ways of single machines, a tenth of the rows."""

    def __init__(self, matrix: Matrix, x: Floats) -> None:
        super().__init__(x)
        given = _as_in(matrix, x)
        self._program = PathsProgram(given)
        self._lower, self._upper = given.lower, given.upper

    def most_money(self, clock: Clock) -> float | None:
        if clock.left_seconds <= 0:
            return None
        self._program.limit((), self._lower[self._program.others], self._upper[self._program.others])
        money = self._program.relaxed(clock).bound
        if not self._program.is_exact:
            raise _InexactError("what is held was not paid at the best prices")
        return money

    def set(self, columns: NDArray[np.int64], values: Floats) -> None:
        self._lower[columns] = self._upper[columns] = values

    def askers(self) -> Sequence[_Asker]:
        return (self,)
