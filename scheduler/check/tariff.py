"""Fees on metered import and, where the tariff says so, on activated energy (decision 1, money: fees); peak charge."""

from __future__ import annotations

import numpy as np

from scheduler.check.book import Book
from scheduler.check.reading import SiteView
from scheduler.plan import CashKind, Stream
from scheduler.problem import Direction, Floats


def earn_fees(view: SiteView, grid_mw: Floats, hours: float, book: Book) -> None:
    """Pays the fees of a site; ``grid_mw`` is the checker's own sum."""
    tariff = view.site.tariff
    paid = tariff.import_fee_per_mwh * np.maximum(grid_mw, 0) * hours
    book.earn(Stream(CashKind.FEES, "", view.site.id), -paid)
    _pay_peak(view, grid_mw, book)
    if not tariff.fee_on_activated_energy:
        return
    for claim in view.claims:
        if claim.activation is not None:
            sign = 1 if claim.direction is Direction.UP else -1
            energy_mwh = claim.activation.expected_frac * claim.expected_mw * hours
            stream = Stream(CashKind.FEES, claim.market.id, view.site.id, claim.asset_id, claim.direction)
            book.earn(stream, sign * tariff.import_fee_per_mwh * energy_mwh)


def _pay_peak(view: SiteView, grid_mw: Floats, book: Book) -> None:
    """Pays for what the highest import, down calls included where they count, exceeds the peak already reached by."""
    charge = view.site.tariff.peak_charge
    if charge is None or view.site.connection is None:
        return
    highest_mw = charge.reached_mw
    for t, mw in enumerate(grid_mw):
        held = [float(claim.mw[t]) for claim in view.claims if claim.direction is Direction.DOWN]
        highest_mw = max(highest_mw, float(mw) + (sum(held) if charge.counts_calls else 0.0))
    paid = np.zeros_like(grid_mw)
    paid[-1] = charge.price_per_mw * (highest_mw - charge.reached_mw)
    book.earn(Stream(CashKind.PEAK, "", view.site.id), -paid)
