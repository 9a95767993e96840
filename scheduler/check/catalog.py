"""What the checker knows, one line each: the kind and what checks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from scheduler.check.battery import BatteryCheck
from scheduler.check.book import Book
from scheduler.check.energy import EnergyCheck
from scheduler.check.findings import Findings
from scheduler.check.firm_load import FirmLoadCheck
from scheduler.check.generator import GeneratorCheck
from scheduler.check.heat import BoilerCheck, DryCoolerCheck, HeatDemandCheck, HeatStoreCheck
from scheduler.check.miner_group import MinerGroupCheck
from scheduler.check.reading import AssetView, MarketView
from scheduler.check.renewable import RenewableCheck
from scheduler.check.reserve import ReserveCheck
from scheduler.problem import Floats


class MarketCheck(Protocol):
    """A market's part of a plan, worked out anew."""

    def check(self, findings: Findings) -> None:
        """Finds everything that is wrong with it."""

    def earn(self, book: Book) -> None:
        """Books its money."""


class AssetCheck(MarketCheck, Protocol):
    """An asset's part of a plan, worked out anew."""

    power_mw: Floats  # [T] mean power that it takes


ASSETS: dict[str, Callable[[AssetView, Findings], AssetCheck]] = {
    "miner_group": MinerGroupCheck,
    "firm_load": FirmLoadCheck,
    "renewable": RenewableCheck,
    "battery": BatteryCheck,
    "generator": GeneratorCheck,
    "heat_demand": HeatDemandCheck,
    "heat_store": HeatStoreCheck,
    "boiler": BoilerCheck,
    "dry_cooler": DryCoolerCheck,
}
MARKETS: dict[str, Callable[[MarketView, dict[str, Floats]], MarketCheck]] = {
    "energy": EnergyCheck,
    "reserve": ReserveCheck,
}
