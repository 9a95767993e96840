"""The heat of a site: balanced in every interval, and with room for what calls take away or add (formulation 4).

Machines put a share of their power into a loop; what is in it is delivered, stored, rejected or, where nothing is
said of cooling, vented. Expected calls are in the balance (docs/decisions/0009); full calls must find

- down: cooling for all that they add, beside what is rejected as planned;
- up: the heat that must be delivered, for as long as they can last: from what is delivered beyond it, rejected or
  vented, from boilers that burn fuel, and from a store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scheduler.problem import Direction, Floats, Site

if TYPE_CHECKING:
    from scheduler.model.ledger import Claim, Ledger, Term


@dataclass(eq=False)
class HeatLoop:
    """What the assets of a site say of its heat, MW; constants are [T] or single numbers."""

    made: list[Term] = field(default_factory=list)  # below 0: taken
    must_deliver_mw: Floats | float = 0.0
    instead: list[Term] = field(default_factory=list)  # at hand in place of what calls take away, less `instead_mw`
    instead_mw: Floats | float = 0.0
    from_store: dict[int, list[Term]] = field(default_factory=dict)  # by position of the holding time
    rejected: list[Term] = field(default_factory=list)
    cooling_mw: Floats | None = None  # most that can be rejected; None: nothing is said of cooling

    def cool(self, rejected: Term, most_mw: Floats) -> None:
        """Adds a cooler."""
        self.rejected.append(rejected)
        self.cooling_mw = most_mw if self.cooling_mw is None else self.cooling_mw + most_mw


def holding_hours(ledger: Ledger, site: Site) -> list[float]:
    """How long full calls up at a site can last, each length once, rising; those of no length need no heat."""
    lengths = {demand.product.hold_minutes / 60 for demand in ledger.demands_at(site) if _is_up(demand.direction)}
    return sorted(lengths - {0.0})


def close_heat(ledger: Ledger, site: Site) -> None:
    """Balances the heat of a site that has any use for it, and keeps room for calls."""
    loop = ledger.heat.get(site.id)
    if loop is None:
        return
    claims = [claim for claim in ledger.claims if claim.site_id == site.id and claim.heat_per_mw]
    made = [*ledger.machine_heat[site.id], *loop.made]
    rejected, instead = list(loop.rejected), list(loop.instead)
    if loop.cooling_mw is None:
        vented = ledger.variables(f"vented[{site.id}]", ledger.intervals)
        made.append((-1.0, vented))
        instead.append((1.0, vented))
    expected: list[Term] = [(_sign(claim) * _expected(claim), claim.mw) for claim in claims]
    ledger.rows(f"heat[{site.id}]", [*made, *expected], lower=0.0, upper=0.0)
    if loop.cooling_mw is not None and claims:
        in_full: list[Term] = [
            ((0.0 if _is_up(c.demand.direction) else c.heat_per_mw) - _sign(c) * _expected(c), c.mw) for c in claims
        ]
        ledger.rows(f"heat_room[{site.id}]", [*rejected, *in_full], upper=loop.cooling_mw)
    _keep_floor(ledger, site, loop, claims, instead)


def _keep_floor(ledger: Ledger, site: Site, loop: HeatLoop, claims: Sequence[Claim], instead: Sequence[Term]) -> None:
    """What must be delivered is, while any full calls up last; those that can last shorter have ended by then."""
    must_mw = np.broadcast_to(np.asarray(loop.must_deliver_mw, dtype=float), (ledger.intervals,))
    if not must_mw.any() or not any(_is_up(claim.demand.direction) for claim in claims):
        return
    for j, hours in enumerate(holding_hours(ledger, site)):
        gone: list[Term] = []
        for claim in claims:
            lasts = _is_up(claim.demand.direction) and claim.demand.product.hold_minutes / 60 >= hours
            called = claim.heat_per_mw if lasts else 0.0
            gone.append((called + _sign(claim) * _expected(claim), claim.mw))
        at_hand = [*_minus(instead), *_minus(loop.from_store.get(j, ()))]
        most = np.where(must_mw > 0, loop.instead_mw - must_mw, np.inf)
        ledger.rows(f"heat_floor[{site.id},{j}]", [*gone, *at_hand], upper=most)


def _minus(terms: Sequence[Term]) -> list[Term]:
    return [(-np.asarray(coefficients, dtype=float), variables) for coefficients, variables in terms]


def _is_up(direction: Direction) -> bool:
    return direction is Direction.UP


def _sign(claim: Claim) -> float:
    """Calls up take heat away, calls down add some."""
    return -1.0 if _is_up(claim.demand.direction) else 1.0


def _expected(claim: Claim) -> Floats:
    """[T] heat per MW held that calls are expected to move."""
    moved: Floats = claim.heat_per_mw * claim.demand.expected_frac * claim.tranche.chance
    return moved
