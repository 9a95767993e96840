"""How a day holds up when prices change: profit against each of them, and hashprices at which mining pays no more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from scheduler.errors import Violation
from scheduler.plan import CashKind
from scheduler.problem import Problem


class Axis(Enum):
    """A price that is changed while all else stays as it is."""

    HASHPRICE = "hashprice"  # of the request and of groups that have their own
    POWER = "power"  # of open energy markets; where none is open, of deviations from what is cleared
    RESERVE = "reserve"  # of capacity that is still to be offered; awards are paid what was agreed


MOST_POINTS_COUNT = 1001
MOST_TIMES = 100.0


@dataclass(frozen=True)
class StressOptions:
    """Points of each curve, evenly from one end to the other; prices are told as multiples of today's."""

    points_count: int = 51
    power_to: float = 2.0  # from 0
    reserve_to: float = 2.0  # from 0
    rel_gap: float = 1e-3  # of a point's profit, or of a quarter of today's where that is more
    axes: tuple[Axis, ...] = tuple(Axis)
    break_evens: bool = True

    def violations(self) -> Iterator[Violation]:
        """Everything that is wrong with them, by the names of their fields."""
        if not 2 <= self.points_count <= MOST_POINTS_COUNT:
            message = f"must be 2 to {MOST_POINTS_COUNT}, is {self.points_count}"
            yield Violation("points_count", "range", message)
        if not (math.isfinite(self.rel_gap) and 0 < self.rel_gap < 1):
            yield Violation("rel_gap", "range", f"must be in (0, 1), is {self.rel_gap}")
        for name in ("power_to", "reserve_to"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 < value <= MOST_TIMES):
                yield Violation(name, "range", f"must be above 0 and at most {MOST_TIMES:g}, is {value}")


@dataclass(frozen=True)
class StressPoint:
    """The best that is known at a price, and how much better any plan at all could be.

    ``profit`` is the checker's own sum for a plan that it found faultless at this price.
    """

    factor: float  # times today's price
    profit: float
    bound: float | None  # None: not known
    proven: bool  # to the gap that was asked for
    plan: int  # number of the plan; neighbours often share one
    mined_ph_days: float  # planned, before what calls change
    grid_mwh: float  # over all sites, less what is fed in
    cash: tuple[tuple[CashKind, float], ...]  # in the order of kinds, without those that are zero

    @property
    def gap(self) -> float | None:
        """(bound - profit) / |profit|, at least 0."""
        if self.bound is None:
            return None
        missing = max(0.0, self.bound - self.profit)
        return missing / abs(self.profit) if self.profit else (0.0 if missing == 0 else None)


@dataclass(frozen=True)
class StressCurve:
    """Profit against one price, in the order of factors from today's end to the other, or rising."""

    axis: Axis
    price_today: float  # mean of the horizon: per PH and day, per MWh, or per MW and hour of the blocks on offer
    points: tuple[StressPoint, ...]
    plans_count: int  # found for this curve; all others were known, and proven by convexity
    solves_count: int


class Without(Enum):
    """What is left out for a break-even."""

    NOTHING = "nothing"
    RESERVE = "reserve"  # nothing is offered; awards are held
    HEAT = "heat"  # heat is sold for nothing
    FLEXIBILITY = "flexibility"  # runs whenever it is available, and offers nothing


@dataclass(frozen=True)
class BreakEven:
    """The lowest hashprice, per PH and day, at which mining earns more than resting would.

    Of a group: other groups rest as far as obligations allow. Of the stack: all groups together. Machines and offers
    are counted in parts, as for marginal values; without flexibility it is the price of energy that machines take.
    None: at no hashprice that was looked at, up to ``MOST_FACTOR`` times today's, or nothing could be worked out.
    """

    asset_id: str  # empty: of the stack
    without: Without
    hashprice_per_ph_day: float | None
    today_per_ph_day: float  # mean of the horizon


MOST_FACTOR = 64.0
"""Times today's hashprice: beyond it no break-even is looked for."""


@dataclass(frozen=True, eq=False)
class Resilience:
    """The answer. Without curves, there is no plan for today's prices, and ``no_plan_reason`` says why."""

    problem: Problem
    curves: tuple[StressCurve, ...] = ()  # of the prices that money depends on
    break_evens: tuple[BreakEven, ...] = ()  # the stack first, then groups in the order of the problem
    rel_gap: float = 0.0  # to which points are proven
    wall_seconds: float = 0.0
    complete: bool = True  # False: the time was too short for every proof and every break-even
    obligations_missing: bool = False  # some of them cannot be met at any price; the rest is planned around it
    no_plan_reason: str = ""
