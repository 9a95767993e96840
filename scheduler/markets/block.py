"""Blocks of a reserve market: what may be bid for them, and what is won (formulation 5)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from scheduler.errors import Violation
from scheduler.horizon import Horizon
from scheduler.problem import finite, nonnegative, unique_ids
from scheduler.product import Product

KW_PER_MW = 1000.0


@dataclass(frozen=True)
class Bid:
    """A bid that may be submitted for a block."""

    id: str
    max_kw: int
    price_per_mw_h: float
    acceptance_prob: float = 1.0
    exclusive_group: str = ""
    parent_bid_id: str = ""
    indivisible: bool = False


@dataclass(frozen=True)
class Award:
    """MW won for a block: an obligation, booked in full, less the penalty for what is missing."""

    id: str
    kw: int
    price_per_mw_h: float
    penalty_per_mw_h: float = 0.0
    buy_back_per_mw_h: float | None = None

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        if self.kw <= 0:
            yield Violation(f"{path}.kw", "range", f"must be above 0, is {self.kw}")
        yield from finite(f"{path}.price_per_mw_h", self.price_per_mw_h)
        yield from nonnegative(f"{path}.penalty_per_mw_h", self.penalty_per_mw_h)
        if self.buy_back_per_mw_h is not None:
            yield from finite(f"{path}.buy_back_per_mw_h", self.buy_back_per_mw_h)


@dataclass(frozen=True)
class Block:
    """A run of intervals that is bought as one, on the horizon's grid; it may reach beyond the horizon."""

    id: str
    start_utc: datetime
    end_utc: datetime
    price_per_mw_h: float | None = None  # money per MW and real hour; None: takes no offers without bids
    max_kw: int | None = None  # awards included; None: unlimited
    bids: tuple[Bid, ...] = ()
    awards: tuple[Award, ...] = ()

    @property
    def awarded_kw(self) -> int:
        """All awards together."""
        return sum(award.kw for award in self.awards)

    def intervals(self, horizon: Horizon) -> range:
        """The horizon's intervals inside the block."""
        start, end = horizon.index_of(self.start_utc), horizon.index_of(self.end_utc)
        assert start is not None and end is not None, "blocks off the grid are refused"
        return range(max(0, start), min(horizon.count, end))

    def is_cut(self, horizon: Horizon) -> bool:
        """Whether it reaches beyond the horizon: then it takes no offers."""
        return self.start_utc < horizon.start_utc or self.end_utc > horizon.end_utc

    def bid_violations(self, path: str, product: Product) -> Iterator[Violation]:
        """What is wrong with its bids."""
        yield from unique_ids(f"{path}.bids", [bid.id for bid in self.bids])
        ids = {bid.id: bid for bid in self.bids}
        smallest, step = product.smallest_bid_kw, product.step_kw
        for b, bid in enumerate(self.bids):
            at = f"{path}.bids[{b}]"
            if bid.max_kw < smallest:
                yield Violation(f"{at}.max_kw", "range", f"is below the smallest bid of {smallest} kW")
            elif bid.indivisible and step > 0 and (bid.max_kw - smallest) % step:
                yield Violation(f"{at}.max_kw", "step", f"an indivisible bid is {smallest} kW plus steps of {step} kW")
            yield from finite(f"{at}.price_per_mw_h", bid.price_per_mw_h)
            if not 0 <= bid.acceptance_prob <= 1:
                yield Violation(f"{at}.acceptance_prob", "range", f"must be in [0, 1], is {bid.acceptance_prob}")
            if bid.parent_bid_id:
                if bid.parent_bid_id not in ids:
                    yield Violation(f"{at}.parent_bid_id", "reference", f"the block has no bid {bid.parent_bid_id!r}")
                elif _has_loop(bid, ids):
                    yield Violation(f"{at}.parent_bid_id", "loop", "is its own parent in the end")
        known = ((b, bid) for b, bid in enumerate(self.bids) if math.isfinite(bid.price_per_mw_h + bid.acceptance_prob))
        ladder = sorted(known, key=lambda item: (item[1].price_per_mw_h, -item[1].acceptance_prob))
        for (_, cheaper), (b, dearer) in pairwise(ladder):
            if dearer.acceptance_prob > cheaper.acceptance_prob:
                yield Violation(
                    f"{path}.bids[{b}].acceptance_prob", "ladder", f"is above that of the cheaper bid {cheaper.id!r}"
                )


def _has_loop(bid: Bid, ids: dict[str, Bid]) -> bool:
    seen = {bid.id}
    while bid.parent_bid_id in ids:
        bid = ids[bid.parent_bid_id]
        if bid.id in seen:
            return True
        seen.add(bid.id)
    return False
