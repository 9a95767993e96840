"""What a plan is made of: what each stream of money is worth to it, and what a little more of anything would earn."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.plan import CashKind
from scheduler.problem import Floats


@dataclass(frozen=True)
class StreamWorth:
    """The most money with a stream left out, all decided anew: offers, machines, everything.

    Left out: its money counts for nothing, in the plan as in what may be earned. ``without`` is earned by a plan that
    was found, and no plan earns more than ``without_bound``.
    """

    kind: CashKind
    market_id: str  # empty: of no market
    amount: float  # in the plan
    without: float
    without_bound: float

    def worth(self, objective: float, bound: float) -> tuple[float, float]:
        """Least and most that the stream can be worth, of a plan whose money and bound these are."""
        return objective - self.without_bound, bound - self.without


@dataclass(frozen=True, eq=False)
class SiteMargin:
    """What one MW more is worth at a site in each interval, per MW and interval: [T] each."""

    site_id: str
    power: Floats  # of power that comes from nowhere
    import_limit: Floats | None = None  # None: an island
    export_limit: Floats | None = None


@dataclass(frozen=True)
class BlockMargin:
    """What it costs to hold one MW more over a block, both ways for a symmetric product; money per MW and block.

    ``cost`` None: nothing more can be held beside the offers of the plan. ``profit`` is the block's price less the
    cost, where it takes one divisible offer; None elsewhere.
    """

    market_id: str
    block_id: str
    cost: float | None  # expected calls included: below 0, they pay for it
    profit: float | None = None


@dataclass(frozen=True)
class MachineMargin:
    """What one more machine earns over the horizon, at rest when it begins."""

    asset_id: str
    worth: float


@dataclass(frozen=True, eq=False)
class Margins:
    """Marginal values, with offers and all other whole decisions as in the plan, but machines counted in parts.

    Those of sites are prices: each lies between what the next MW would earn and what the last one earns. Those of
    blocks are what the next 0.01 MW would change, told per MW, those of machines what the next machine would.
    """

    sites: tuple[SiteMargin, ...]
    blocks: tuple[BlockMargin, ...]
    machines: tuple[MachineMargin, ...]


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is told of a plan where it is asked for; None: the time was too short, or the solver failed."""

    streams: tuple[StreamWorth, ...]
    margins: Margins | None
    complete: bool  # False: the time was too short for every stream
