"""Fees on metered import and, where the tariff says so, on activated energy (decision 1, money: fees)."""

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
    if not tariff.fee_on_activated_energy:
        return
    for claim in view.claims:
        if claim.activation is not None:
            sign = 1 if claim.direction is Direction.UP else -1
            energy_mwh = claim.activation.expected_frac * claim.expected_mw * hours
            stream = Stream(CashKind.FEES, claim.market.id, view.site.id, claim.asset_id, claim.direction)
            book.earn(stream, sign * tariff.import_fee_per_mwh * energy_mwh)
