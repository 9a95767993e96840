"""Energy markets, to and from the wire."""

from __future__ import annotations

from scheduler.horizon import Horizon
from scheduler.markets.energy import EnergyMarket
from scheduler.problem import Floats, Stage
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import required_series, series_or, series_to_pb


def from_pb(
    read: Reader, pb: v1.EnergyMarket, path: str, *, market_id: str, stage: Stage, site_ids: tuple[str, ...]
) -> EnergyMarket:
    """A market for energy."""
    return EnergyMarket(
        id=market_id,
        stage=stage,
        site_ids=site_ids,
        price_per_mwh=required_series(read, pb, "price_per_mwh", path),
        position_mw=series_or(read, pb, "position_mw", path, None),
        long_price_per_mwh=series_or(read, pb, "long_price_per_mwh", path, None),
        short_price_per_mwh=series_or(read, pb, "short_price_per_mwh", path, None),
        max_deviation_mw=read.number_or(pb, "max_deviation_mw", path, None),
    )


def to_pb(market: EnergyMarket, horizon: Horizon) -> v1.EnergyMarket:
    """The inverse of `from_pb`."""

    def optional(values: Floats | None) -> v1.Series | None:
        return None if values is None else series_to_pb(values, horizon)

    return v1.EnergyMarket(
        price_per_mwh=series_to_pb(market.price_per_mwh, horizon),
        position_mw=optional(market.position_mw),
        long_price_per_mwh=optional(market.long_price_per_mwh),
        short_price_per_mwh=optional(market.short_price_per_mwh),
        max_deviation_mw=market.max_deviation_mw,
    )
