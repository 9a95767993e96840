"""Plans, to and from the wire. What is read has the shape of its problem; the checker says if it is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler.plan import (
    AssetPlan,
    CashKind,
    CashStream,
    Counterfactual,
    MarketPlan,
    Plan,
    Shortfall,
    SitePlan,
    Stream,
)
from scheduler.problem import Direction, Problem, Site
from scheduler.v1 import plan_pb2 as v1
from scheduler.wire.market_plan import market_plan_from_pb, market_plan_to_pb
from scheduler.wire.prequalification import DIRECTIONS
from scheduler.wire.problem import ASSETS, horizon_to_pb
from scheduler.wire.reader import Numbers, Reader, stamp
from scheduler.wire.shape import floats_of_plan, same_ids

CASH_KINDS = Numbers(v1.CashKind, CashKind)


def plan_from_pb(pb: v1.Plan, problem: Problem, path: str = "plan") -> Plan:
    """The plan. Raises InvalidRequestError where it has not the shape of the problem."""
    read = Reader()
    plan = read_plan(read, pb, problem, path)
    read.raise_if_any()
    return plan


def read_plan(read: Reader, pb: v1.Plan, problem: Problem, path: str) -> Plan:
    """The plan; where it has not the shape of the problem, that is noted."""
    read.horizon = problem.horizon
    if pb.horizon != horizon_to_pb(problem.horizon):
        read.refuse(f"{path}.horizon", "reference", "must be the horizon of the problem")
    sites: tuple[SitePlan, ...] = ()
    site_ids = [site.id for site in problem.sites]
    if same_ids(read, [site.site_id for site in pb.sites], site_ids, f"{path}.sites", "site_id"):
        sites = tuple(
            _site_from_pb(read, site_pb, f"{path}.sites[{s}]", site)
            for s, (site_pb, site) in enumerate(zip(pb.sites, problem.sites, strict=True))
        )
    markets: tuple[MarketPlan, ...] = ()
    market_ids = [market.id for market in problem.markets]
    if same_ids(read, [market.market_id for market in pb.markets], market_ids, f"{path}.markets", "market_id"):
        markets = tuple(
            market_plan_from_pb(read, market_pb, f"{path}.markets[{m}]", market, problem)
            for m, (market_pb, market) in enumerate(zip(pb.markets, problem.markets, strict=True))
        )
    return Plan(
        sites=sites,
        markets=markets,
        cash=_cash_from_pb(read, pb.cash, f"{path}.cash"),
        objective=read.number(pb, "objective", path),
        counterfactuals=tuple(
            _counterfactual_from_pb(read, item, f"{path}.counterfactuals[{i}]")
            for i, item in enumerate(pb.counterfactuals)
        ),
    )


def _site_from_pb(read: Reader, pb: v1.SitePlan, path: str, site: Site) -> SitePlan:
    assets: list[AssetPlan] = []
    asset_ids = [asset.id for asset in site.assets]
    if same_ids(read, [asset.asset_id for asset in pb.assets], asset_ids, f"{path}.assets", "asset_id"):
        for a, (asset_pb, asset) in enumerate(zip(pb.assets, site.assets, strict=True)):
            at = f"{path}.assets[{a}]"
            kind = asset_pb.WhichOneof("kind")
            plan = AssetPlan(asset.id, floats_of_plan(read, asset_pb.power_mw, f"{at}.power_mw"))
            if kind != asset.kind:
                message = f"the asset is a {asset.kind}, its plan is {kind or 'missing'}"
                read.refuse(f"{at}.{asset.kind}", "required", message)
            else:
                plan = ASSETS[kind].plan_from_pb(read, getattr(asset_pb, kind), f"{at}.{kind}", plan, asset)
            assets.append(plan)
    return SitePlan(site.id, floats_of_plan(read, pb.grid_mw, f"{path}.grid_mw"), tuple(assets))


def _cash_from_pb(read: Reader, cash: Sequence[v1.CashStream], path: str) -> tuple[CashStream, ...]:
    streams = []
    seen: set[Stream] = set()
    for i, pb in enumerate(cash):
        at = f"{path}[{i}]"
        direction = read.choice(pb, "direction", at, DIRECTIONS) if pb.direction else None
        if direction is Direction.SYMMETRIC:
            read.refuse(f"{at}.direction", "direction", "must be up, down or absent")
        kind = read.choice(pb, "kind", at, CASH_KINDS)
        market_id, site_id, asset_id = (read.text(pb, f"{name}_id", at) for name in ("market", "site", "asset"))
        stream = Stream(kind or CashKind.BTC, market_id, site_id, asset_id, direction)
        if stream in seen:
            read.refuse(at, "unique", "the stream is named twice")
        seen.add(stream)
        streams.append(CashStream(stream, floats_of_plan(read, pb.amount, f"{at}.amount")))
        _has_total(read, pb, at, streams[-1].total)
    return tuple(streams)


def _has_total(read: Reader, pb: v1.CashStream | v1.Counterfactual, path: str, total: float) -> None:
    stated = read.number(pb, "total", path)
    if abs(stated - total) > 1e-6 + 1e-9 * abs(total):
        message = f"is {stated}, the amounts add up to {total}"
        read.refuse(f"{path}.total", "sum", message, abs(stated - total))


def _counterfactual_from_pb(read: Reader, pb: v1.Counterfactual, path: str) -> Counterfactual:
    found = Counterfactual(
        name=read.text(pb, "name", path),
        cash=_cash_from_pb(read, pb.cash, f"{path}.cash"),
        shortfalls=shortfalls_from_pb(read, pb.shortfalls, f"{path}.shortfalls"),
    )
    _has_total(read, pb, path, found.total)
    return found


def shortfalls_from_pb(read: Reader, shortfalls: Sequence[v1.Shortfall], path: str) -> tuple[Shortfall, ...]:
    """What cannot be held, with numbers of intervals for the instants."""
    found = (_shortfall_from_pb(read, item, f"{path}[{i}]") for i, item in enumerate(shortfalls))
    return tuple(shortfall for shortfall in found if shortfall is not None)


def _shortfall_from_pb(read: Reader, pb: v1.Shortfall, path: str) -> Shortfall | None:
    indexes = []
    for name in ("start", "end"):
        instant = read.instant(pb, name, path)
        index = None if instant is None else read.known_horizon.index_of(instant)
        if instant is not None and (index is None or not 0 <= index <= read.known_horizon.count):
            read.refuse(f"{path}.{name}", "grid", "must be a boundary of the horizon")
        indexes.append(index)
    start, end = indexes
    if start is None or end is None:
        return None
    if end <= start:
        read.refuse(f"{path}.end", "range", "must lie after the start")
    return Shortfall(
        market_id=read.text(pb, "market_id", path),
        block_id=read.text(pb, "block_id", path),
        award_id=read.text(pb, "award_id", path),
        start=start,
        end=end,
        missing_mw=read.number(pb, "missing_mw", path),
        cost=read.number(pb, "cost", path),
        field=pb.field,
        reason=pb.reason,
        site_id=read.text(pb, "site_id", path),
        asset_id=read.text(pb, "asset_id", path),
    )


def plan_to_pb(plan: Plan, problem: Problem) -> v1.Plan:
    """The inverse of `plan_from_pb`."""
    pb = v1.Plan(horizon=horizon_to_pb(problem.horizon), cash=map(_stream_to_pb, plan.cash), objective=plan.objective)
    for site_plan, site in zip(plan.sites, problem.sites, strict=True):
        site_pb = pb.sites.add(site_id=site.id)
        site_pb.grid_mw.extend(site_plan.grid_mw.tolist())
        for asset_plan, asset in zip(site_plan.assets, site.assets, strict=True):
            asset_pb = site_pb.assets.add(asset_id=asset.id)
            asset_pb.power_mw.extend(asset_plan.power_mw.tolist())
            getattr(asset_pb, asset.kind).CopyFrom(ASSETS[asset.kind].plan_to_pb(asset_plan, asset))
    pb.markets.extend(
        market_plan_to_pb(market_plan, market)
        for market_plan, market in zip(plan.markets, problem.markets, strict=True)
    )
    for item in plan.counterfactuals:
        pb.counterfactuals.add(
            name=item.name,
            cash=map(_stream_to_pb, item.cash),
            total=item.total,
            shortfalls=shortfalls_to_pb(item.shortfalls, problem),
        )
    return pb


def _stream_to_pb(cash: CashStream) -> v1.CashStream:
    name = cash.stream
    pb = v1.CashStream(
        kind=CASH_KINDS.number[name.kind],
        market_id=name.market_id,
        site_id=name.site_id,
        asset_id=name.asset_id,
        total=cash.total,
    )
    if name.direction is not None:
        pb.direction = DIRECTIONS.number[name.direction]
    pb.amount.extend(cash.amount.tolist())
    return pb


def shortfalls_to_pb(shortfalls: Iterable[Shortfall], problem: Problem) -> list[v1.Shortfall]:
    """What cannot be held, with instants for the numbers of intervals."""
    return [
        v1.Shortfall(
            market_id=shortfall.market_id,
            block_id=shortfall.block_id,
            award_id=shortfall.award_id,
            site_id=shortfall.site_id,
            start=stamp(problem.horizon.boundary_utc(shortfall.start)),
            end=stamp(problem.horizon.boundary_utc(shortfall.end)),
            missing_mw=shortfall.missing_mw,
            cost=shortfall.cost,
            field=shortfall.field,
            reason=shortfall.reason,
            asset_id=shortfall.asset_id,
        )
        for shortfall in shortfalls
    ]
