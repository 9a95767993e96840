"""MW that an asset without machines holds for reserve: a figure per product, direction and tranche (formulation 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scheduler.assets.machine import Prequalification, prequalified_mw
from scheduler.model.component import Demand, Tranche
from scheduler.plan import Backing
from scheduler.problem import Direction, Floats, Site

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Term, Values, Vars


@dataclass(frozen=True, eq=False)
class Held:
    """What is held for a demand, by tranche."""

    demand: Demand
    held_mw: tuple[tuple[Tranche, Vars], ...]  # [T] each

    @property
    def terms(self) -> list[Term]:
        """All tranches, which are held in full."""
        return [(1.0, mw) for _, mw in self.held_mw]

    @property
    def hold_hours(self) -> float:
        """How long a full call can last."""
        return self.demand.product.hold_minutes / 60

    def expected(self, factor: float) -> Iterator[Term]:
        """Terms for what calls are expected to move of it: factor * share * chance * MW."""
        for tranche, mw in self.held_mw:
            yield factor * self.demand.expected_frac * tranche.chance, mw


def declare_held(
    ledger: Ledger,
    site: Site,
    asset_id: str,
    prequalified: Sequence[Prequalification],
    response_seconds: float,
    most_mw: Callable[[Demand], float],
) -> list[Held]:
    """Variables and claims for every demand at the site that an asset is fast enough for."""
    found = []
    for demand in ledger.demands_at(site):
        if response_seconds > demand.product.full_activation_seconds:
            continue
        most = min(most_mw(demand), prequalified_mw(prequalified, demand.market_id, demand.direction))
        held = []
        for i, tranche in enumerate(demand.tranches):
            name = f"holds[{asset_id},{demand.market_id},{demand.direction.value},{i}]"
            mw = ledger.variables(name, ledger.intervals, where=tranche.active)
            ledger.claim(demand, tranche, site.id, asset_id, mw, most)
            held.append((tranche, mw))
        found.append(Held(demand, tuple(held)))
    return found


def limit_prequalified(
    ledger: Ledger, asset_id: str, prequalified: Sequence[Prequalification], held: Iterable[Held]
) -> None:
    """What is held for a market in a direction is at most what is prequalified."""
    for one in held:
        market_id, direction = one.demand.market_id, one.demand.direction
        cap_mw = prequalified_mw(prequalified, market_id, direction)
        if cap_mw < float("inf"):
            ledger.rows(f"prequalified[{asset_id},{market_id},{direction.value}]", one.terms, upper=cap_mw)


def of_direction(held: Iterable[Held], direction: Direction) -> list[Held]:
    """What is held up, or down."""
    return [one for one in held if one.demand.direction is direction]


def extract_held(asset_id: str, values: Values, held: Iterable[Held]) -> list[tuple[str, Backing]]:
    """What backs each market: (market, backing), without what is never used."""
    found = []
    for one in held:
        by_tranche = {tranche.key: values(mw) for tranche, mw in one.held_mw}
        mw: Floats = np.sum(list(by_tranche.values()), axis=0)
        if mw.any():
            bid_mw = {key: own for key, own in by_tranche.items() if key != ("", "") and own.any()}
            nobody = np.zeros(len(mw), dtype=np.int64)
            backing = Backing(asset_id, one.demand.direction, "", "", nobody, mw, bid_mw)
            found.append((one.demand.market_id, backing))
    return found
