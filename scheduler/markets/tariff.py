"""Fees, levies and peak charge on metered import, never on a position (formulation 4 and 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.model.structure import NONE
from scheduler.plan import CashKind, Stream
from scheduler.problem import Direction, Floats, Site, finite, nonnegative

if TYPE_CHECKING:
    from scheduler.model.ledger import Claim, Ledger, Vars


@dataclass(frozen=True)
class PeakCharge:
    """Money per MW of interval-mean import above the peak that was reached before the horizon."""

    price_per_mw: float
    reached_mw: float = 0.0
    counts_calls: bool = True  # what is held down counts as if it were called

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.price_per_mw", self.price_per_mw)
        yield from nonnegative(f"{path}.reached_mw", self.reached_mw)


@dataclass(frozen=True, eq=False)
class Tariff:
    """Money per MWh of metered import; on activated energy only where the tariff says so."""

    import_fee_per_mwh: Floats  # [T]
    fee_on_activated_energy: bool = False
    peak_charge: PeakCharge | None = None

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from finite(f"{path}.import_fee_per_mwh", self.import_fee_per_mwh)
        if self.peak_charge is not None:
            yield from self.peak_charge.violations(f"{path}.peak_charge")

    def physics(self) -> Self:
        """Without prices; whether there is any fee stays, for then what is taken is told from what is fed in."""
        any_fee = np.full(len(self.import_fee_per_mwh), float(self.import_fee_per_mwh.any()))
        charge = self.peak_charge
        nothing = None if charge is None else replace(charge, price_per_mw=0.0, reached_mw=0.0)
        return replace(self, import_fee_per_mwh=any_fee, peak_charge=nothing)

    def constrain(self, ledger: Ledger, site: Site) -> TariffVars:
        """Declares what is taken, where it is told from what is fed in, and the peak."""
        if site.id not in ledger.grid_mw:
            return TariffVars(None, None)
        taken_mw = ledger.grid_mw[site.id]
        peak = None if self.peak_charge is None else _declare_peak(ledger, site, self.peak_charge)
        if site.may_export and self.import_fee_per_mwh.any():  # what is fed in pays no fee, and saves none
            taken_mw = _declare_taken(ledger, site)
        return TariffVars(taken_mw, peak)

    def price(self, ledger: Ledger, site: Site, own: TariffVars) -> None:
        """Charges metered import, and expected activated energy where the tariff says so: saved up, charged down."""
        if own.taken_mw is None:
            return
        if self.peak_charge is not None and own.peak is not None:
            _charge_peak(ledger, site, self.peak_charge, own.peak)
        fee = self.import_fee_per_mwh * ledger.hours
        ledger.earn(Stream(CashKind.FEES, site_id=site.id), own.taken_mw, -fee)
        if not self.fee_on_activated_energy:
            return
        for claim in ledger.claims:
            if claim.site_id == site.id:
                demand = claim.demand
                sign = 1 if demand.direction is Direction.UP else -1
                stream = Stream(CashKind.FEES, demand.market_id, site.id, claim.asset_id, demand.direction)
                ledger.earn(stream, claim.mw, sign * fee * demand.expected_frac * claim.tranche.chance)


@dataclass(frozen=True, eq=False)
class TariffVars:
    """What is taken, [T], and the peak, [1]; None where there is no meter, or no charge."""

    taken_mw: Vars | None
    peak: Vars | None


def _declare_taken(ledger: Ledger, site: Site) -> Vars:
    """[T] what is taken, 0 where something is fed in: fees are at least 0, so both at once would only cost."""
    assert site.connection is not None
    taken_mw = ledger.variables(f"taken[{site.id}]", ledger.intervals)
    fed_mw = ledger.variables(f"fed_in[{site.id}]", ledger.intervals, upper=site.connection.export_limit_mw)
    terms = [(1.0, taken_mw), (-1.0, fed_mw), (-1.0, ledger.grid_mw[site.id])]
    ledger.rows(f"meter[{site.id}]", terms, lower=0.0, upper=0.0)
    return taken_mw


def _declare_peak(ledger: Ledger, site: Site, charge: PeakCharge) -> Vars:
    """[1] the highest import of any interval."""
    peak = ledger.variables(f"peak[{site.id}]", 1)
    everywhere = np.full(ledger.intervals, peak[0])
    called = [(1.0, claim.mw) for claim in ledger.claims if _is_held_down(claim, site)] if charge.counts_calls else []
    terms = [(1.0, ledger.grid_mw[site.id]), *called, (-1.0, everywhere)]
    ledger.rows(f"peak_is_most[{site.id}]", terms, upper=0.0)
    return peak


def _charge_peak(ledger: Ledger, site: Site, charge: PeakCharge, peak: Vars) -> None:
    """Booked in the last interval, when it is known."""
    assert site.connection is not None
    most_mw = max(charge.reached_mw, float(site.connection.import_limit_mw.max()))  # calls keep within it too
    ledger.bound(peak, lower=charge.reached_mw, upper=most_mw)
    last = np.full(ledger.intervals, NONE)
    last[-1] = peak[0]
    stream = Stream(CashKind.PEAK, site_id=site.id)
    ledger.earn(stream, last, -charge.price_per_mw)
    reached = np.zeros(ledger.intervals)
    reached[-1] = charge.price_per_mw * charge.reached_mw
    ledger.earn_constant(stream, reached)


def _is_held_down(claim: Claim, site: Site) -> bool:
    return claim.site_id == site.id and claim.demand.direction is Direction.DOWN
