"""Fees and levies on metered import, never on a position (formulation 4 and 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.errors import Violation
from scheduler.plan import CashKind, Stream
from scheduler.problem import Direction, Floats, Site, finite

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger


@dataclass(frozen=True, eq=False)
class Tariff:
    """Money per MWh of metered import; on activated energy only where the tariff says so."""

    import_fee_per_mwh: Floats  # [T]
    fee_on_activated_energy: bool = False

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from finite(f"{path}.import_fee_per_mwh", self.import_fee_per_mwh)

    def constrain(self, ledger: Ledger, site: Site) -> None:
        """Charges metered import, and expected activated energy where the tariff says so: saved up, charged down."""
        if site.id not in ledger.grid_mw:
            return
        fee = self.import_fee_per_mwh * ledger.hours
        taken_mw = ledger.grid_mw[site.id]
        if site.may_export and fee.any():  # what is fed in pays no fee, and saves none
            taken_mw = ledger.variables(f"taken[{site.id}]", ledger.intervals)
            ledger.rows(f"pays_fee[{site.id}]", [(1.0, taken_mw), (-1.0, ledger.grid_mw[site.id])], lower=0.0)
        ledger.earn(Stream(CashKind.FEES, site_id=site.id), taken_mw, -fee)
        if not self.fee_on_activated_energy:
            return
        for claim in ledger.claims:
            if claim.site_id == site.id:
                demand = claim.demand
                sign = 1 if demand.direction is Direction.UP else -1
                stream = Stream(CashKind.FEES, demand.market_id, site.id, claim.asset_id, demand.direction)
                ledger.earn(stream, claim.mw, sign * fee * demand.expected_frac * claim.tranche.chance)
