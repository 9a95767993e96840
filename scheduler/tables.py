"""An answer as tables: the one source of the frames of a notebook and of the files of `--csv`.

Names of columns end in units, those of money carry the currency of the request; instants are UTC, and an interval is
named by its start. Offers and backing are MW; a symmetric product counts in full both up and down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import numpy as np

from scheduler.errors import SchedulerError
from scheduler.horizon import Horizon
from scheduler.markets.block import KW_PER_MW, Block
from scheduler.markets.reserve import ReserveMarket
from scheduler.plan import BlockPlan, CashStream, MarketPlan, Plan, Schedule
from scheduler.problem import Counts, Floats

Cell = datetime | str | float | int | None
Key = tuple[str, ...]

STREAM_LEVELS = ("kind", "market_id", "site_id", "asset_id", "direction")


@dataclass(frozen=True)
class Table:
    """Rows under named columns."""

    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True, eq=False)
class IntervalTable:
    """Series over the intervals of a horizon, each a quantity of something that is named level by level."""

    horizon: Horizon
    levels: tuple[str, ...]
    series: Mapping[Key, Mapping[str, Floats | Counts]]  # name by level -> quantity with its unit -> [T]
    quantities: tuple[str, ...]

    def long(self) -> Table:
        """A row for each interval and thing; a quantity that a thing does not have is None."""
        things = [
            (key, [own[name].tolist() if name in own else None for name in self.quantities])
            for key, own in self.series.items()
        ]
        rows: list[tuple[Cell, ...]] = []
        for t in range(self.horizon.count):
            start = self.horizon.boundary_utc(t)
            rows += [(start, *key, *(None if own is None else own[t] for own in values)) for key, values in things]
        return Table(("utc_start", *self.levels, *self.quantities), rows)


class Tables:
    """The tables of an answer that has a plan; of a conflict, those of its relaxed plan."""

    def __init__(self, schedule: Schedule) -> None:
        if schedule.plan is None:
            raise SchedulerError(f"there is no plan to show: {schedule.no_plan_reason}")
        self._problem = schedule.problem
        self._plan: Plan = schedule.plan
        self._currency = schedule.problem.currency_code.lower()

    def by_file(self) -> dict[str, Table]:
        """All of them, by the name of their file."""
        return {
            "dispatch.csv": self.dispatch().long(),
            "energy.csv": self.energy().long(),
            "reserve.csv": self.reserve().long(),
            "blocks.csv": self.blocks(),
            "bids.csv": self.bids(),
            "ladder.csv": self.ladder(),
            "cash.csv": self.cash().long(),
        }

    def dispatch(self) -> IntervalTable:
        """Grid power by site; power, and what else an asset tells, by asset and mode."""
        series: dict[Key, dict[str, Floats | Counts]] = {}
        for site, site_plan in zip(self._problem.sites, self._plan.sites, strict=True):
            series[site.id, "", ""] = {"grid_mw": site_plan.grid_mw}
            for asset, asset_plan in zip(site.assets, site_plan.assets, strict=True):
                series[site.id, asset.id, ""] = {"power_mw": asset_plan.power_mw}
                for mode_id, quantity, values in asset.quantities(asset_plan):
                    series.setdefault((site.id, asset.id, mode_id), {})[quantity] = values
        return self._over_intervals(("site_id", "asset_id", "mode_id"), series)

    def energy(self) -> IntervalTable:
        """Position by energy market: what to buy while it is open, what was bought once it is cleared."""
        series: dict[Key, dict[str, Floats]] = {
            (plan.market_id,): {"position_mw": plan.position_mw}
            for plan in self._plan.markets
            if plan.position_mw is not None
        }
        return self._over_intervals(("market_id",), series, "position_mw")

    def reserve(self) -> IntervalTable:
        """What is offered, awarded, missing of the awards and backed, by reserve market and direction."""
        series: dict[Key, dict[str, Floats]] = {}
        for market, plan in self._reserve():
            held = self._held(market, plan)
            for direction in market.product.direction.parts:
                backed = [item.mw for item in plan.backing if item.direction is direction]
                series[market.id, direction.value] = {**held, "backed_mw": self._sum(backed)}
        quantities = ("offered_mw", "awarded_mw", "missing_mw", "backed_mw")
        return self._over_intervals(("market_id", "direction"), series, *quantities)

    def blocks(self) -> Table:
        """What to offer in each block and what was won, with the price of its capacity and the lowest to ask."""
        prices = (f"price_{self._currency}_per_mw_h", f"lowest_price_{self._currency}_per_mw_h")
        columns = ("market_id", "block_id", "utc_start", "utc_end", "offered_mw", "awarded_mw", *prices)
        rows: list[tuple[Cell, ...]] = [
            (
                market.id,
                block.id,
                block.start_utc,
                block.end_utc,
                plan.offered_kw / KW_PER_MW,
                plan.awarded_kw / KW_PER_MW,
                block.price_per_mw_h,
                plan.lowest_price_per_mw_h,
            )
            for market, block, plan in self._blocks()
        ]
        return Table(columns, rows)

    def bids(self) -> Table:
        """What to submit of each bid, for blocks that have bids."""
        price = f"price_{self._currency}_per_mw_h"
        columns = ("market_id", "block_id", "bid_id", "offered_mw", price, "acceptance_prob")
        rows: list[tuple[Cell, ...]] = []
        for market, block, plan in self._blocks():
            for bid in block.bids:
                offered_mw = plan.bid_kw.get(bid.id, 0) / KW_PER_MW
                rows.append((market.id, block.id, bid.id, offered_mw, bid.price_per_mw_h, bid.acceptance_prob))
        return Table(columns, rows)

    def ladder(self) -> Table:
        """How calls are executed: the rungs of each interval, market and direction, cheapest first."""
        columns = ("utc_start", "market_id", "direction", "rung", "asset_id", "from_mode_id", "to_mode_id")
        cost = f"cost_{self._currency}_per_mwh"
        figures = ("machine_count", "mw", "cumulated_mw", "seconds", cost)
        rows: list[tuple[Cell, ...]] = []
        climbs = [
            (market.id, direction.value, [rung for rung in plan.ladder if rung.direction is direction])
            for market, plan in self._reserve()
            for direction in market.product.direction.parts
        ]
        for t in range(self._problem.horizon.count):
            start = self._problem.horizon.boundary_utc(t)
            for market_id, direction, rungs in climbs:
                held = sorted((rung for rung in rungs if rung.mw[t] > 0), key=lambda rung: float(rung.cumulated_mw[t]))
                for number, rung in enumerate(held, 1):
                    move = (rung.asset_id, rung.from_mode_id, rung.to_mode_id)
                    of_t = (int(rung.machine_count[t]), float(rung.mw[t]), float(rung.cumulated_mw[t]))
                    price = float(rung.cost_per_mwh[t])
                    rows.append((start, market_id, direction, number, *move, *of_t, rung.seconds, price))
        return Table((*columns, *figures), rows)

    def cash(self) -> IntervalTable:
        """Money by stream, positive when received."""
        quantity = f"amount_{self._currency}"
        series = {_stream_key(cash): {quantity: cash.amount} for cash in self._plan.cash}
        return self._over_intervals(STREAM_LEVELS, series, quantity)

    def cash_totals(self) -> Table:
        """Money of each stream over the horizon."""
        rows: list[tuple[Cell, ...]] = [(*_stream_key(cash), cash.total) for cash in self._plan.cash]
        return Table((*STREAM_LEVELS, f"total_{self._currency}"), rows)

    def _over_intervals(
        self, levels: tuple[str, ...], series: Mapping[Key, Mapping[str, Floats | Counts]], *quantities: str
    ) -> IntervalTable:
        """A table with the named quantities, or with those that there are, in the order in which they come."""
        found = dict.fromkeys(name for own in series.values() for name in own)
        return IntervalTable(self._problem.horizon, levels, series, quantities or tuple(found))

    def _reserve(self) -> Iterator[tuple[ReserveMarket, MarketPlan]]:
        for market, plan in zip(self._problem.markets, self._plan.markets, strict=True):
            if market.kind == ReserveMarket.kind:
                yield cast(ReserveMarket, market), plan

    def _blocks(self) -> Iterator[tuple[ReserveMarket, Block, BlockPlan]]:
        for market, plan in self._reserve():
            for block, block_plan in zip(market.blocks, plan.blocks, strict=True):
                yield market, block, block_plan

    def _held(self, market: ReserveMarket, plan: MarketPlan) -> dict[str, Floats]:
        """MW of a market's blocks in each interval."""
        offered, awarded = self._sum([]), self._sum([])
        for block, block_plan in zip(market.blocks, plan.blocks, strict=True):
            inside = block.intervals(self._problem.horizon)
            offered[inside.start : inside.stop] = block_plan.offered_kw / KW_PER_MW
            awarded[inside.start : inside.stop] = block_plan.awarded_kw / KW_PER_MW
        missing = self._sum([mw for block_plan in plan.blocks for mw in block_plan.missing_mw.values()])
        return {"offered_mw": offered, "awarded_mw": awarded, "missing_mw": missing}

    def _sum(self, values: list[Floats]) -> Floats:
        """[T] their sum, of nothing 0."""
        total = np.zeros(self._problem.horizon.count)
        for one in values:
            total += one
        return total


def _stream_key(cash: CashStream) -> Key:
    stream = cash.stream
    direction = "" if stream.direction is None else stream.direction.value
    return stream.kind.value, stream.market_id, stream.site_id, stream.asset_id, direction
