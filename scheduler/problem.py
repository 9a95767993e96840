"""The problem as frozen values (formulation 1 to 6): what `wire` reads, what `model` and `check` work on.

Power is positive when a site takes it from the grid, money is positive when we receive it. Arrays have one value per
interval, shape [T], and are read-only. A `Problem` that `validated` has returned needs no further checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import InvalidRequestError, Violation
from scheduler.horizon import Horizon

if TYPE_CHECKING:
    from scheduler.assets.connection import Connection
    from scheduler.markets.tariff import Tariff
    from scheduler.model.component import AssetComponent, MarketComponent

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Direction(Enum):
    """Direction of a reserve. Up: the site takes less. Down: the site takes more."""

    UP = "up"
    DOWN = "down"
    SYMMETRIC = "symmetric"

    @property
    def parts(self) -> tuple[Direction, ...]:
        """Up and down for symmetric, else itself alone."""
        return (Direction.UP, Direction.DOWN) if self is Direction.SYMMETRIC else (self,)


class Stage(Enum):
    """Stage of a market's day: open (we choose, prices are forecasts) or cleared (position and awards are fixed)."""

    OPEN = "open"
    CLEARED = "cleared"


@dataclass(frozen=True, eq=False)
class Mining:
    """What a hash earns: income per PH/s and day before the pool fee, and the pool's share of it (facts D1, E1)."""

    hashprice_per_ph_day: Floats  # [T]
    pool_fee_frac: float = 0.0

    @property
    def income_per_ths_h(self) -> Floats:
        """[T] income of 1 TH/s in one hour, after the pool fee."""
        return self.hashprice_per_ph_day * ((1 - self.pool_fee_frac) / 1000 / 24)

    def violations(self, path: str) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.hashprice_per_ph_day", self.hashprice_per_ph_day)
        if not 0 <= self.pool_fee_frac < 1:
            yield Violation(f"{path}.pool_fee_frac", "range", f"must be in [0, 1), is {self.pool_fee_frac}")


@dataclass(frozen=True, eq=False)
class Site:
    """Assets behind one meter. Without a connection it is an island."""

    id: str
    connection: Connection | None
    tariff: Tariff
    assets: tuple[AssetComponent, ...]
    zone_eic: str = ""

    @property
    def may_export(self) -> bool:
        """Whether its meter can ever show less than 0."""
        makes_power = any(asset.makes_power for asset in self.assets)
        return makes_power and self.connection is not None and bool(self.connection.export_limit_mw.any())


@dataclass(frozen=True, eq=False)
class Problem:
    """A whole problem. Markets that are absent are not traded."""

    horizon: Horizon
    currency_code: str
    mining: Mining
    sites: tuple[Site, ...]
    markets: tuple[MarketComponent, ...]

    def sites_of(self, market: MarketComponent) -> tuple[Site, ...]:
        """Sites that deliver to or are billed by a market: those it names, or all connected ones."""
        if market.site_ids:
            named = set(market.site_ids)
            return tuple(site for site in self.sites if site.id in named)
        return tuple(site for site in self.sites if site.connection is not None)

    def site_ids_of(self, market: MarketComponent) -> frozenset[str]:
        """Ids of `sites_of`. Equal sets are one object, so that many markets are compared fast."""
        if id(market) not in self._site_ids:
            ids = frozenset(site.id for site in self.sites_of(market))
            self._site_ids[id(market)] = self._same_site_ids.setdefault(ids, ids)
        return self._site_ids[id(market)]

    def open_price_at(self, site: Site) -> Floats | None:
        """[T] price of the open energy market of a site; None where none is open."""
        for market in self.markets:
            if market.kind == "energy" and market.stage is Stage.OPEN and site.id in self.site_ids_of(market):
                price: Floats = getattr(market, "price_per_mwh")  # noqa: B009 - only energy markets have one
                return price
        return None

    @cached_property
    def _site_ids(self) -> dict[int, frozenset[str]]:
        return {}

    @cached_property
    def _same_site_ids(self) -> dict[frozenset[str], frozenset[str]]:
        return {}

    def validated(self) -> Problem:
        """Itself. Raises InvalidRequestError with everything that is wrong with it."""
        violations = tuple(self.violations())
        if violations:
            raise InvalidRequestError(violations)
        return self

    def violations(self, path: str = "problem") -> Iterator[Violation]:
        """Everything that is wrong with it, cross-field rules included."""
        found = tuple(self.horizon.violations(f"{path}.horizon"))
        yield from found
        if any(violation.field != f"{path}.horizon.time_zone" for violation in found):
            return  # nothing else can be held against a horizon that is none
        if not (len(self.currency_code) == 3 and self.currency_code.isascii() and self.currency_code.isupper()):
            yield Violation(
                f"{path}.currency_code", "currency", f"must be an ISO 4217 code such as EUR, is {self.currency_code!r}"
            )
        yield from self.mining.violations(f"{path}.mining")
        if not self.sites:
            yield Violation(f"{path}.sites", "required", "name at least one site")
        yield from unique_ids(f"{path}.sites", [site.id for site in self.sites])
        yield from unique_ids(f"{path}.markets", [market.id for market in self.markets])
        traded = {site_id for market in self.markets if market.kind == "energy" for site_id in self.site_ids_of(market)}
        owner: dict[str, str] = {}
        for s, site in enumerate(self.sites):
            at = f"{path}.sites[{s}]"
            if site.zone_eic and len(site.zone_eic) != 16:
                yield Violation(
                    f"{at}.zone_eic", "length", f"an EIC has 16 characters, {site.zone_eic!r} has {len(site.zone_eic)}"
                )
            if site.connection is not None:
                yield from site.connection.violations(f"{at}.connection")
                if site.id not in traded:
                    yield Violation(
                        f"{at}.connection", "market", "no energy market covers this connected site: name one"
                    )
            yield from site.tariff.violations(f"{at}.tariff")
            if site.connection is None and site.tariff.peak_charge is not None:
                message = "an island imports nothing: leave it out"
                yield Violation(f"{at}.tariff.peak_charge", "island", message)
            if site.may_export and (site.tariff.import_fee_per_mwh < 0).any():
                message = "must be at least 0 at a site that can export: it would pay for doing both at once"
                yield Violation(f"{at}.tariff.import_fee_per_mwh", "range", message)
            for a, asset in enumerate(site.assets):
                asset_at = f"{at}.assets[{a}]"
                if not asset.id:
                    yield Violation(f"{asset_at}.id", "required", "give the asset an id")
                elif asset.id in owner:
                    yield Violation(f"{asset_at}.id", "unique", f"{asset.id!r} is also the id of {owner[asset.id]}")
                owner.setdefault(asset.id, asset_at)
                yield from asset.violations(f"{asset_at}.{asset.kind}", self)
        sites = {site.id: site for site in self.sites}
        for m, market in enumerate(self.markets):
            at = f"{path}.markets[{m}]"
            for i, site_id in enumerate(market.site_ids):
                named = sites.get(site_id)
                if named is None:
                    yield Violation(f"{at}.site_ids[{i}]", "reference", f"there is no site {site_id!r}")
                elif named.connection is None:
                    yield Violation(
                        f"{at}.site_ids[{i}]", "island", f"site {site_id!r} has no connection to trade through"
                    )
            if len(set(market.site_ids)) < len(market.site_ids):
                yield Violation(f"{at}.site_ids", "unique", "a site is named twice")
            yield from market.violations(f"{at}.{market.kind}", self)


def finite(path: str, values: Floats | float) -> Iterator[Violation]:
    """NaN and infinities, each value named."""
    if isinstance(values, int | float) and math.isfinite(values):  # a single figure, and they are many
        return
    for index in np.flatnonzero(~np.isfinite(np.atleast_1d(values))):
        where = path if np.ndim(values) == 0 else f"{path}.values[{index}]"
        yield Violation(where, "finite", f"must be a finite number, is {np.atleast_1d(values)[index]}")


def nonnegative(path: str, values: Floats | float) -> Iterator[Violation]:
    """Values that are not finite or below 0, each named."""
    if isinstance(values, int | float) and 0 <= values < math.inf:
        return
    yield from finite(path, values)
    for index in np.flatnonzero(np.atleast_1d(values) < 0):
        where = path if np.ndim(values) == 0 else f"{path}.values[{index}]"
        yield Violation(where, "range", f"must be at least 0, is {np.atleast_1d(values)[index]}")


def unique_ids(path: str, ids: list[str]) -> Iterator[Violation]:
    """Ids that are empty or used twice."""
    seen: set[str] = set()
    for index, value in enumerate(ids):
        if not value:
            yield Violation(f"{path}[{index}].id", "required", "give it an id")
        elif value in seen:
            yield Violation(f"{path}[{index}].id", "unique", f"{value!r} is used twice")
        seen.add(value)


def intervals_of(minutes: float, step_minutes: float) -> int:
    """Whole intervals that cover ``minutes``: ceil, forgiving the rounding of binary fractions."""
    return max(0, math.ceil(minutes / step_minutes - 1e-9))
