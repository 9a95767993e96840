"""What the checker knows: the kind, and what checks it."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from scheduler.check.book import Book
from scheduler.check.energy import EnergyCheck
from scheduler.check.findings import Findings
from scheduler.check.reading import AssetView, MarketView
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


def _found() -> dict[str, Callable[[AssetView, Findings], AssetCheck]]:
    """The ``CHECKS`` of every module beside this one, by kind of asset: a new kind brings its own module, no more."""
    found: dict[str, Callable[[AssetView, Findings], AssetCheck]] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name not in {"audit", "catalog"}:  # these look here
            found |= getattr(import_module(f"scheduler.check.{module.name}"), "CHECKS", {})
    return found


ASSETS = _found()
MARKETS: dict[str, Callable[[MarketView, dict[str, Floats]], MarketCheck]] = {
    "energy": EnergyCheck,
    "reserve": ReserveCheck,
}
