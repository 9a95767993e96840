"""Day-ahead demand curves: what to buy at which price, period by period (facts A2, A3; formulas E1, E2).

A miner is a buyer: its natural order falls with the price, a step for each efficiency class at its break-even price.
Volumes are positive when bought, negative when sold. Prices are rounded down to the tick, so that nothing is bought
above its worth; volumes to the nearest lot.

Exchanges read a curve in two ways: linear between its points (Nord Pool, EPEX-type books), where a step is two points a
tick apart and no two points share a price; or as steps, each volume up to its price.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from scheduler.errors import SchedulerError
from scheduler.formats.local_day import MARKET_ZONE, day_of, on_market_clock, period_name
from scheduler.horizon import Horizon
from scheduler.tables import Cell
from scheduler.worth import Demand

KW_PER_MW = 1000.0
PERIODS_MINUTES = (15, 30, 60)

Row = list[Cell]


@dataclass(frozen=True)
class CurveRules:
    """What an exchange takes. The limits were not confirmed for 2026 (facts A2): state those in force."""

    least_price_per_mwh: float = -500.0
    most_price_per_mwh: float = 4000.0
    ticks_per_unit_count: int = 100  # a tick of 0.01 per MWh
    lot_kw: int = 100
    most_points_count: int = 200
    linear: bool = True  # between points; False: steps

    def __post_init__(self) -> None:
        """Raises SchedulerError for rules that allow no curve."""
        if not (math.isfinite(self.least_price_per_mwh) and math.isfinite(self.most_price_per_mwh)):
            raise SchedulerError("the price limits of an exchange are finite")
        if not self.least_price_per_mwh < self.most_price_per_mwh:
            words = f"{self.least_price_per_mwh:g} to {self.most_price_per_mwh:g}"
            raise SchedulerError(f"the price limits must rise: {words} per MWh do not")
        if min(self.ticks_per_unit_count, self.lot_kw) < 1 or self.most_points_count < 4:
            raise SchedulerError("a tick and a lot are above 0, and a curve has at least 4 points")

    @property
    def limits_ticks(self) -> tuple[int, int]:
        """Lowest and highest price."""
        low, high = self.least_price_per_mwh, self.most_price_per_mwh
        return round(low * self.ticks_per_unit_count), round(high * self.ticks_per_unit_count)

    @property
    def most_steps_count(self) -> int:
        """Steps that its points make: two each when linear, besides the two at the limits."""
        return (self.most_points_count - 2) // (2 if self.linear else 1)


LINEAR = CurveRules()  # Nord Pool: 200 points; EPEX-type books: 256
STEPS = CurveRules(most_points_count=50, linear=False)  # ALPEX

Curve = dict[int, int]
"""Volume in lots at each price in ticks, by rising price."""


def curves_of(demand: Demand, periods: Iterable[int], rules: CurveRules) -> dict[int, Curve]:
    """A curve for each period, all on the same steps of price: the layout of Nord Pool has them across the sheet.

    Where there are more steps than the exchange takes, neighbours are put together at the lower price: those first
    that lose the least, MW times the difference. The whole of a use worth more than the highest price is price-
    independent; one worth less than the lowest is never bought.
    """
    periods = list(periods)
    low, high = rules.limits_ticks
    steps: dict[int, dict[int, float]] = defaultdict(lambda: dict.fromkeys(periods, 0.0))  # ticks -> period -> MW
    always = {t: float(demand.fixed_mw[t]) for t in periods}
    for use in demand.uses:
        for t in periods:
            ticks = math.floor(use.price_per_mwh[t] * rules.ticks_per_unit_count + 1e-6)
            mw = float(use.mw[t])
            if ticks >= high:
                always[t] += mw
            elif ticks >= low and mw > 0:
                steps[ticks][t] += mw
    kept = _put_together(steps, rules.most_steps_count)
    return {t: _curve(always[t], {ticks: mw[t] for ticks, mw in kept.items()}, rules) for t in periods}


def nord_pool_sheet(
    curves: dict[int, Curve],
    horizon: Horizon,
    currency_code: str,
    rules: CurveRules,
    *,
    exported_at: datetime,
    area: str = "",
    member: str = "",
    portfolio: str = "",
) -> list[Row]:
    """The template of Nord Pool: heading, then steps of price across, a row for each period (facts A3).

    Periods are named by the market's clock, the hour that it shows twice with A and B: no template with quarters is
    published that says otherwise. Raises SchedulerError for intervals that are no period of an auction.
    """
    check_periods(horizon)
    horizon = on_market_clock(horizon)
    first = min(curves)
    prices = list(curves[first])
    if any(list(curve) != prices for curve in curves.values()):
        raise ValueError("the periods of a sheet share their steps of price: make their curves together")
    rows: list[Row] = [
        ["Type", "Curve order"],
        ["Exported At", exported_at.strftime("%d/%m/%Y %H:%M:%S")],
        ["Date (DD/MM/YYYY)", day_of(horizon, first).strftime("%d/%m/%Y")],
        ["Time Zone", f"CET/CEST ({MARKET_ZONE})"],
        ["Member", member],
        ["Portfolio", portfolio],
        ["Area", area],
        ["Currency", currency_code],
        [],
        ["Period", *(ticks / rules.ticks_per_unit_count for ticks in prices)],
    ]
    for t, curve in sorted(curves.items()):
        rows.append([period_name(horizon, t), *(lots * rules.lot_kw / KW_PER_MW for lots in curve.values())])
    return rows


def book_rows(
    curves: dict[int, Curve], horizon: Horizon, currency_code: str, rules: CurveRules, area: str = ""
) -> list[Row]:
    """A row for each period and pair, as books of the EPEX type hold them; points on a line are left out.

    Raises SchedulerError for intervals that are no period of an auction.
    """
    check_periods(horizon)
    price = f"price_{currency_code.lower()}_per_mwh"
    rows: list[Row] = [["utc_start", "utc_end", "area", "period", price, "volume_mw_buy_positive"]]
    for t, curve in sorted(curves.items()):
        bounds = (horizon.boundary_utc(t), horizon.boundary_utc(t + 1))
        for ticks, lots in _corners(curve, rules.linear).items():
            volume_mw = lots * rules.lot_kw / KW_PER_MW
            rows.append([*bounds, area, period_name(horizon, t), ticks / rules.ticks_per_unit_count, volume_mw])
    return rows


def _put_together(steps: dict[int, dict[int, float]], most_count: int) -> dict[int, dict[int, float]]:
    """At most so many steps: a step goes to the one below it, the cheapest to move first."""
    prices = sorted(steps)
    kept = {ticks: dict(mw) for ticks, mw in steps.items()}
    below = dict(zip(prices[1:], prices[:-1], strict=True))
    above = {low: high for high, low in below.items()}

    def loss(ticks: int) -> float:
        return (ticks - below[ticks]) * sum(kept[ticks].values())

    queue = [(loss(ticks), ticks) for ticks in below]
    heapq.heapify(queue)
    while len(kept) > most_count:
        lost, ticks = heapq.heappop(queue)
        if ticks not in kept or lost != loss(ticks):
            continue  # it has gone, or another has come to it since
        lower, higher = below.pop(ticks), above.pop(ticks, None)
        for t, mw in kept.pop(ticks).items():
            kept[lower][t] += mw
        above.pop(lower)
        if higher is not None:
            below[higher], above[lower] = lower, higher
            heapq.heappush(queue, (loss(higher), higher))
        if lower in below:
            heapq.heappush(queue, (loss(lower), lower))
    return kept


def _curve(always_mw: float, step_mw: dict[int, float], rules: CurveRules) -> Curve:
    """Points from the lowest price to the highest."""
    low, high = rules.limits_ticks
    prices = sorted(step_mw)
    mw = [always_mw]
    for ticks in reversed(prices):
        mw.append(mw[-1] + step_mw[ticks])
    lots = [math.floor(value * KW_PER_MW / rules.lot_kw + 0.5) for value in reversed(mw)]  # at each step, then above
    curve: Curve = {low: lots[0]} if rules.linear else {}
    for ticks, taken, after in zip(prices, lots[:-1], lots[1:], strict=True):
        curve[ticks] = taken
        if rules.linear:
            curve[ticks + 1] = after
    curve[high] = lots[-1]
    return curve


def _corners(curve: Curve, linear: bool) -> Curve:
    """Without the points that say nothing: on a flat line between their neighbours, or a step without volume."""
    lots = [None, *curve.values(), None]
    return {
        ticks: here
        for before, (ticks, here), after in zip(lots, curve.items(), lots[2:], strict=False)
        if here != after or (linear and here != before)
    }


def check_periods(horizon: Horizon) -> None:
    """Raises SchedulerError for intervals that are no period of an auction."""
    if horizon.step_minutes not in PERIODS_MINUTES:
        raise SchedulerError(f"auctions have periods of 15, 30 or 60 minutes, the plan has {horizon.step_minutes}")
