"""The plan as frozen values: what `model` extracts, what `check` audits and `wire` sends.

Arrays have one value per interval, [T].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from scheduler.errors import Violation
from scheduler.problem import Counts, Direction, Floats, Problem

if TYPE_CHECKING:
    from scheduler.explanation import Explanation


class CashKind(Enum):
    """The named streams of money (formulation 7)."""

    BTC = "btc"
    ENERGY = "energy"
    FEES = "fees"
    CAPACITY = "capacity"
    ACTIVATION = "activation"
    ACTIVATION_MINING = "activation_mining"
    WEAR = "wear"
    DEVIATION = "deviation"
    PENALTY = "penalty"
    HEAT = "heat"
    FUEL = "fuel"
    PEAK = "peak"
    CURTAILMENT = "curtailment"
    STORED = "stored"


@dataclass(frozen=True)
class Stream:
    """Name of a stream of money; ids that do not apply are empty."""

    kind: CashKind
    market_id: str = ""
    site_id: str = ""
    asset_id: str = ""
    direction: Direction | None = None


@dataclass(frozen=True, eq=False)
class CashStream:
    """Money of one stream, positive when received."""

    stream: Stream
    amount: Floats  # [T]

    @property
    def total(self) -> float:
        """Sum over the horizon."""
        return float(self.amount.sum())


@dataclass(frozen=True, eq=False)
class AssetPlan:
    """Mean power that an asset takes; what else it does is added by the asset's own type."""

    asset_id: str
    power_mw: Floats  # [T]


@dataclass(frozen=True, eq=False)
class SitePlan:
    """Mean power that a site takes from the grid, and its assets in the order of the problem."""

    site_id: str
    grid_mw: Floats  # [T]
    assets: tuple[AssetPlan, ...]


@dataclass(frozen=True, eq=False)
class Backing:
    """Machines in one mode that would move to another to deliver a product, and the MW that they are counted for."""

    asset_id: str
    direction: Direction  # up or down
    from_mode_id: str
    to_mode_id: str
    machine_count: Counts  # [T]
    mw: Floats  # [T], all bids together
    bid_mw: dict[tuple[str, str], Floats] = field(default_factory=dict)  # by block and bid: those whose chance is not 1


@dataclass(frozen=True, eq=False)
class Rung:
    """A step of an activation ladder: machines in one mode that move to another when a product is called.

    To deliver x MW, go through the rungs of the product and direction that hold anything, in the order of
    ``cumulated_mw``: whole rungs while x reaches their end, then of the next the machines that make up the rest: what
    is left of x above the end of the rung before, by ``machine_mw``, rounded up.
    """

    asset_id: str
    direction: Direction  # up or down
    from_mode_id: str
    to_mode_id: str
    seconds: float  # until delivered
    machine_mw: float  # that one machine delivers; 0 where the asset has none and delivers any MW
    machine_count: Counts  # [T] that move; more may stand behind it where they rotate
    mw: Floats  # [T]
    cumulated_mw: Floats  # [T] with all that comes before it; 0 where it holds nothing
    cost_per_mwh: Floats  # [T] of a delivered MWh, the lowest price to receive for it; rungs come by rising cost


@dataclass(frozen=True, eq=False)
class BlockPlan:
    """What to offer in a block, all bids together and by bid, and what is missing of its awards."""

    block_id: str
    offered_kw: int
    awarded_kw: int
    bid_kw: dict[str, int] = field(default_factory=dict)
    missing_mw: dict[str, Floats] = field(default_factory=dict)  # award -> [T]; only awards with something missing
    lowest_price_per_mw_h: float | None = None


@dataclass(frozen=True, eq=False)
class MarketPlan:
    """Energy markets have a position, reserve markets blocks and backing."""

    market_id: str
    position_mw: Floats | None = None  # [T]
    blocks: tuple[BlockPlan, ...] = ()
    backing: tuple[Backing, ...] = ()
    ladder: tuple[Rung, ...] = ()  # how calls are executed: a rung for each entry of backing


@dataclass(frozen=True, eq=False)
class Shortfall:
    """MW of an award that cannot be held over a run of intervals, with what it costs, its field and why.

    With an asset: MW of a firm load that cannot be served. Without either: a limit that clashes with obligations, with
    the MW more of them that could be held without it.
    """

    market_id: str
    block_id: str
    award_id: str
    start: int  # first interval
    end: int  # interval after the last
    missing_mw: float
    cost: float
    field: str
    reason: str
    site_id: str = ""
    asset_id: str = ""


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A simpler way of running the same fleet: its money, and the awards that it could not hold."""

    name: str
    cash: tuple[CashStream, ...]
    shortfalls: tuple[Shortfall, ...] = ()

    @property
    def total(self) -> float:
        """Sum of its money."""
        return sum(stream.total for stream in self.cash)


@dataclass(frozen=True, eq=False)
class Plan:
    """A dispatch plan; sites and markets in the order of the problem."""

    sites: tuple[SitePlan, ...]
    markets: tuple[MarketPlan, ...]
    cash: tuple[CashStream, ...]
    objective: float  # the checker's own sum
    counterfactuals: tuple[Counterfactual, ...] = ()


class StopReason(Enum):
    """Why a solve ended."""

    PROVEN = "proven"
    TIME = "time"
    CANCELLED = "cancelled"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Solve:
    """How a problem was solved; None where not known.

    Proven: bound - objective <= max(abs_gap, rel_gap * |objective|).
    """

    stop_reason: StopReason
    objective: float | None = None
    bound: float | None = None
    gap_of_uplift: float | None = None
    wall_seconds: float = 0.0
    reproducible: bool = True

    @property
    def gap(self) -> float | None:
        """(bound - objective) / |objective|, at least 0."""
        if self.objective is None or self.bound is None:
            return None
        missing = max(0.0, self.bound - self.objective)
        return missing / abs(self.objective) if self.objective else (0.0 if missing == 0 else None)


@dataclass(frozen=True)
class AuditReport:
    """What the independent checker found: empty violations, and its own sum of the money, by stream."""

    violations: tuple[Violation, ...]
    objective: float
    cash: tuple[CashStream, ...]


@dataclass(frozen=True, eq=False)
class Schedule:
    """The answer: a plan; or, where obligations clash, the shortfalls with the relaxed plan; or why there is none."""

    problem: Problem
    solve: Solve
    plan: Plan | None = None  # with shortfalls: the relaxed plan
    shortfalls: tuple[Shortfall, ...] = ()
    cheapest_cost: float = 0.0  # of the way out of the shortfalls, buy-backs and penalties
    no_plan_reason: str = ""
    explanation: Explanation | None = None  # only where it is asked for
