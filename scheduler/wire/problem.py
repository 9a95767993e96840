"""A whole problem, to and from the wire.

A new kind of asset is one module beside this one, of its name; a new kind of market also a line in the table below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from scheduler import catalog
from scheduler.errors import Violation
from scheduler.horizon import Horizon
from scheduler.model.component import AssetComponent, MarketComponent
from scheduler.plan import AssetPlan
from scheduler.problem import Problem, Site, Stage
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire import energy, reserve
from scheduler.wire.mining import mining_from_pb, mining_to_pb
from scheduler.wire.reader import EPOCH, Reader, stamp
from scheduler.wire.site import connection_from_pb, connection_to_pb, tariff_from_pb, tariff_to_pb


class AssetCodec(Protocol):
    """What the module of a kind of asset offers."""

    def from_pb(self, read: Reader, pb: Any, path: str, asset_id: str) -> Any: ...
    def to_pb(self, asset: Any, horizon: Horizon) -> Any: ...
    def plan_from_pb(self, read: Reader, pb: Any, path: str, plan: AssetPlan, asset: Any) -> Any: ...
    def plan_to_pb(self, plan: Any, asset: Any) -> Any: ...


class MarketCodec(Protocol):
    """What the module of a kind of market offers."""

    def from_pb(
        self, read: Reader, pb: Any, path: str, *, market_id: str, stage: Stage, site_ids: tuple[str, ...]
    ) -> Any: ...
    def to_pb(self, market: Any, horizon: Horizon) -> Any: ...


# Field of the wire's oneof -> module: of an asset the one of its kind's name.
ASSETS: dict[str, AssetCodec] = {
    kind: cast(AssetCodec, import_module(f"scheduler.wire.{kind}")) for kind in catalog.ASSETS
}
MARKETS: dict[str, MarketCodec] = {
    "energy": cast(MarketCodec, energy),
    "reserve": cast(MarketCodec, reserve),
}
STAGES = {"open": Stage.OPEN, "cleared": Stage.CLEARED}
MAX_SITES_COUNT = 10_000
MAX_ASSETS_COUNT = 10_000  # at one site
MAX_MARKETS_COUNT = 500


@dataclass(frozen=True)
class Unreadable:
    """Stands for an asset or a market that was refused, so that its neighbours keep their numbers."""

    id: str
    kind: str
    makes_power: bool = False
    stage: Stage = Stage.OPEN
    site_ids: tuple[str, ...] = ()

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """What is wrong with it was said already."""
        return iter(())


def problem_from_pb(pb: v1.Problem, path: str = "problem") -> Problem:
    """The problem, validated. Raises InvalidRequestError with everything that is wrong with it."""
    read = Reader()
    problem = read_problem(read, pb, path)
    read.raise_if_any(problem.violations(path))
    return problem


def read_problem(read: Reader, pb: v1.Problem, path: str) -> Problem:
    """The problem, not yet validated; what cannot be read is noted."""
    horizon_from_pb(read, pb, path)
    if not pb.HasField("mining"):
        read.refuse(f"{path}.mining", "required", "say what mining earns")
    return Problem(
        horizon=read.known_horizon,
        currency_code=read.text(pb, "currency_code", path),
        mining=mining_from_pb(read, pb.mining, f"{path}.mining"),
        sites=read.each(pb.sites, f"{path}.sites", _site, MAX_SITES_COUNT),
        markets=read.each(pb.markets, f"{path}.markets", _market, MAX_MARKETS_COUNT),
    )


def horizon_from_pb(read: Reader, pb: v1.Problem, path: str) -> None:
    """Gives the reader its horizon, if that is sound: no series is read before."""
    at = f"{path}.horizon"
    if not pb.HasField("horizon"):
        read.refuse(at, "required", "say when: start, step_minutes, count and time_zone")
        return
    start = read.instant(pb.horizon, "start", at)
    time_zone = read.text(pb.horizon, "time_zone", at)
    horizon = Horizon(start or EPOCH, pb.horizon.step_minutes, pb.horizon.count, time_zone)
    found = tuple(horizon.violations(at))
    read.violations.extend(found)
    if start is not None and all(violation.field == f"{at}.time_zone" for violation in found):
        read.horizon = horizon


def _site(read: Reader, pb: v1.Site, path: str) -> Site:
    return Site(
        id=read.text(pb, "id", path),
        zone_eic=read.text(pb, "zone_eic", path),
        connection=connection_from_pb(read, pb, path),
        tariff=tariff_from_pb(read, pb.tariff, f"{path}.tariff"),
        assets=read.each(pb.assets, f"{path}.assets", _asset, MAX_ASSETS_COUNT),
    )


def _asset(read: Reader, pb: v1.Asset, path: str) -> AssetComponent:
    asset_id = read.text(pb, "id", path)
    kind = pb.WhichOneof("kind")
    if kind is None:
        read.refuse(f"{path}.kind", "required", f"say what it is: {' or '.join(ASSETS)}")
    elif kind not in ASSETS:
        read.refuse(f"{path}.{kind}", "unsupported", f"{kind} is not supported yet")
    else:
        return cast(AssetComponent, ASSETS[kind].from_pb(read, getattr(pb, kind), f"{path}.{kind}", asset_id))
    return cast(AssetComponent, Unreadable(asset_id, kind or ""))


def _market(read: Reader, pb: v1.Market, path: str) -> MarketComponent:
    market_id = read.text(pb, "id", path)
    site_ids = read.each(pb.site_ids, f"{path}.site_ids", Reader.checked_text, MAX_SITES_COUNT)
    stage = _stage(read, pb, path)
    kind = pb.WhichOneof("kind")
    market = None
    if kind is None:
        read.refuse(f"{path}.kind", "required", f"say what is traded: {' or '.join(MARKETS)}")
    elif kind not in MARKETS:
        read.refuse(f"{path}.{kind}", "unsupported", f"{kind} is not supported yet")
    else:
        codec, at = MARKETS[kind], f"{path}.{kind}"
        market = codec.from_pb(
            read, getattr(pb, kind), at, market_id=market_id, stage=stage or Stage.OPEN, site_ids=site_ids
        )
    if market is None or stage is None:
        market = Unreadable(market_id, kind or "energy", stage=stage or Stage.OPEN, site_ids=site_ids)
    return cast(MarketComponent, market)


def _stage(read: Reader, pb: v1.Market, path: str) -> Stage | None:
    stage = pb.WhichOneof("stage")
    read.optional_instant(pb.open, "gate", f"{path}.open")
    read.optional_instant(pb.cleared, "published", f"{path}.cleared")
    if stage is None:
        read.refuse(f"{path}.stage", "required", f"state the stage of its day: {' or '.join(STAGES)}")
        return None
    return STAGES[stage]


def problem_to_pb(problem: Problem) -> v1.Problem:
    """The inverse of `problem_from_pb`; series have the horizon's step."""
    pb = v1.Problem(
        horizon=horizon_to_pb(problem.horizon),
        currency_code=problem.currency_code,
        mining=mining_to_pb(problem.mining, problem.horizon),
    )
    for site in problem.sites:
        _site_to_pb(site, problem.horizon, pb.sites.add())
    for market in problem.markets:
        market_pb = pb.markets.add(id=market.id, site_ids=market.site_ids)
        getattr(market_pb, market.kind).CopyFrom(MARKETS[market.kind].to_pb(market, problem.horizon))
        getattr(market_pb, market.stage.value).SetInParent()
    return pb


def horizon_to_pb(horizon: Horizon) -> v1.Horizon:
    """The intervals of a problem or a plan."""
    return v1.Horizon(
        start=stamp(horizon.start_utc),
        step_minutes=horizon.step_minutes,
        count=horizon.count,
        time_zone=horizon.time_zone,
    )


def _site_to_pb(site: Site, horizon: Horizon, pb: v1.Site) -> None:
    pb.id, pb.zone_eic = site.id, site.zone_eic
    if site.connection is not None:
        pb.connection.CopyFrom(connection_to_pb(site.connection, horizon))
    tariff = tariff_to_pb(site.tariff, horizon)
    if tariff is not None:
        pb.tariff.CopyFrom(tariff)
    for asset in site.assets:
        asset_pb = pb.assets.add(id=asset.id)
        getattr(asset_pb, asset.kind).CopyFrom(ASSETS[asset.kind].to_pb(asset, horizon))
