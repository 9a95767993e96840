"""Checks an energy market: positions, deviations and their money (formulation 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import Findings
from scheduler.check.reading import MarketView, sites_of
from scheduler.plan import CashKind, Stream
from scheduler.problem import Floats, Stage

if TYPE_CHECKING:
    from scheduler.markets.energy import EnergyMarket


class EnergyCheck:
    """An energy market, with the grid power of its sites as the checker summed it."""

    def __init__(self, view: MarketView, grid_mw: dict[str, Floats]) -> None:
        self.view = view
        self.market: EnergyMarket = view.market
        problem = view.problem
        self.hours = problem.horizon.step_minutes / 60.0
        self.site_ids = [site.id for site in sites_of(problem, self.market)]
        self.grid_mw = {site_id: grid_mw[site_id] for site_id in self.site_ids}
        nothing = np.zeros(problem.horizon.count)
        self.taken_mw = sum(self.grid_mw.values(), nothing)
        beside = [
            market
            for market in problem.markets
            if market.kind == "energy" and {site.id for site in sites_of(problem, market)} == set(self.site_ids)
        ]
        self.all_cleared = all(market.stage is Stage.CLEARED for market in beside)
        positions = [getattr(market, "position_mw", None) for market in beside if market.stage is Stage.CLEARED]
        self.cleared_mw = sum((position for position in positions if position is not None), nothing)

    @property
    def deviation_mw(self) -> Floats | None:
        """[T] taken above the cleared positions, where this market settles it."""
        settles = self.market.long_price_per_mwh is not None and self.market.short_price_per_mwh is not None
        return self.taken_mw - self.cleared_mw if self.all_cleared and settles else None

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with the market's part of the plan."""
        field = f"{self.view.path}.position_mw"
        if self.market.stage is Stage.OPEN:
            findings.equal(self.view.position_mw, self.taken_mw - self.cleared_mw, field, "position", "MW to buy")
        elif self.market.position_mw is not None:
            findings.equal(self.view.position_mw, self.market.position_mw, field, "position", "the cleared position is")
        if self.deviation_mw is not None:
            limit = 0.0 if self.market.max_deviation_mw is None else self.market.max_deviation_mw
            what = f"sites {', '.join(self.site_ids)} deviate by"
            findings.limit(np.abs(self.deviation_mw), limit, field, "deviation", what)

    def earn(self, book: Book) -> None:
        """Pays for the position; settles deviations."""
        market, price = self.market, self.market.price_per_mwh * self.hours
        if market.stage is Stage.OPEN:
            for site_id, grid_mw in self.grid_mw.items():
                book.earn(Stream(CashKind.ENERGY, market.id, site_id), -price * grid_mw)
            book.earn(Stream(CashKind.ENERGY, market.id), price * self.cleared_mw)
        elif market.position_mw is not None:
            book.earn(Stream(CashKind.ENERGY, market.id), -price * market.position_mw)
        deviation = self.deviation_mw
        if deviation is not None and market.long_price_per_mwh is not None and market.short_price_per_mwh is not None:
            received = market.long_price_per_mwh * np.maximum(-deviation, 0)
            paid = market.short_price_per_mwh * np.maximum(deviation, 0)
            book.earn(Stream(CashKind.DEVIATION, market.id), (received - paid) * self.hours)
