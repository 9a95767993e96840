"""Awards one by one: where each stands, what of it is missing in a plan, and the same problem with less of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from scheduler.markets.block import KW_PER_MW, Award, Block
from scheduler.markets.reserve import ReserveMarket
from scheduler.plan import MarketPlan, Plan
from scheduler.problem import Floats, Problem, Stage

if TYPE_CHECKING:
    from scheduler.model.component import MarketComponent

MISSING_MW = 1e-4
"""Less is the solver's dust: awards are whole kW, and obligations are solved to 1e-6 MW h."""

Key = tuple[str, str, str]
"""Market, block and award."""


@dataclass(frozen=True, eq=False)
class Lot:
    """An award with its place in the problem and what is missing of it."""

    market: ReserveMarket
    block: Block
    award: Award
    field: str  # path on the wire
    intervals: range  # of the block, inside the horizon
    hours: float  # of those intervals
    missing_mw: Floats  # [T], without dust
    missing_mw_h: float

    @property
    def key(self) -> Key:
        """Its ids."""
        return self.market.id, self.block.id, self.award.id

    @property
    def award_mw(self) -> float:
        """Amount won."""
        return self.award.kw / KW_PER_MW

    @property
    def penalty_cost(self) -> float:
        """What the plan pays for what is missing."""
        return self.award.penalty_per_mw_h * self.missing_mw_h

    def steps_kw(self, missing_mw: float) -> int:
        """Amount that must be bought back so that ``missing_mw`` are not owed: whole steps, at most the award."""
        step_kw = self.market.product.step_kw
        return min(self.award.kw, step_kw * math.ceil((missing_mw - MISSING_MW) * KW_PER_MW / step_kw))

    def runs(self) -> Iterator[tuple[int, int]]:
        """Runs of intervals in which something is missing: first, and the one after the last."""
        return runs_of(self.missing_mw)


def runs_of(missing_mw: Floats) -> Iterator[tuple[int, int]]:
    """Runs of intervals in which something is missing: first, and the one after the last."""
    short = np.concatenate([[0], missing_mw > 0, [0]]).astype(int)
    yield from zip(
        np.flatnonzero(np.diff(short) > 0).tolist(),
        np.flatnonzero(np.diff(short) < 0).tolist(),
        strict=True,
    )


def lots_of(problem: Problem, plan: Plan) -> list[Lot]:
    """Every award of a problem, in its order, with what a plan misses of it."""
    found: list[Lot] = []
    for m, (market, market_plan) in enumerate(zip(problem.markets, plan.markets, strict=True)):
        if isinstance(market, ReserveMarket):
            found += _lots_of_market(problem, market, market_plan, f"problem.markets[{m}].{market.kind}")
    return found


def _lots_of_market(problem: Problem, market: ReserveMarket, plan: MarketPlan, path: str) -> Iterator[Lot]:
    step_hours = problem.horizon.step_hours
    missing = {block.block_id: block.missing_mw for block in plan.blocks}
    nothing = np.zeros(problem.horizon.count)
    for b, block in enumerate(market.blocks):
        intervals = block.intervals(problem.horizon)
        for a, award in enumerate(block.awards):
            mw = missing.get(block.id, {}).get(award.id, nothing)
            mw = np.where(mw > MISSING_MW, mw, 0.0)
            field = f"{path}.blocks[{b}].awards[{a}]"
            hours = len(intervals) * step_hours
            yield Lot(market, block, award, field, intervals, hours, mw, float(mw.sum()) * step_hours)


def reduced(problem: Problem, bought_kw: Mapping[Key, int]) -> Problem:
    """The same problem after so much of each award was bought back; nothing is left of an award: it is gone."""

    def rest(market: ReserveMarket, block: Block) -> Iterator[Award]:
        for award in block.awards:
            kw = award.kw - bought_kw.get((market.id, block.id, award.id), 0)
            if kw > 0:
                yield replace(award, kw=kw)

    return _with_blocks(problem, lambda market, block: replace(block, awards=tuple(rest(market, block))))


def without_awards(problem: Problem, keys: Iterable[Key]) -> Problem:
    """The same problem, had these awards not been won."""
    gone = set(keys)
    return _with_blocks(
        problem,
        lambda market, block: replace(
            block, awards=tuple(a for a in block.awards if (market.id, block.id, a.id) not in gone)
        ),
    )


def without_offers(problem: Problem, *, awards: bool = True) -> Problem:
    """The same problem without offers, which can only compete with obligations; ``awards`` False: without those too."""

    def markets() -> Iterator[MarketComponent]:
        for market in problem.markets:
            if isinstance(market, ReserveMarket):
                kept = tuple(block for block in market.blocks if block.awards) if awards else ()
                yield replace(market, stage=Stage.CLEARED, blocks=kept)
            else:
                yield market

    return replace(problem, markets=tuple(markets()))


def _with_blocks(problem: Problem, changed: Callable[[ReserveMarket, Block], Block]) -> Problem:
    return replace(
        problem,
        markets=tuple(
            replace(market, blocks=tuple(changed(market, block) for block in market.blocks))
            if isinstance(market, ReserveMarket)
            else market
            for market in problem.markets
        ),
    )
