"""A plan as the checker reads it: matched with its problem, all series of the right length and finite.

What cannot be read is a finding and counts as zero from here on, so that no later step can stumble over it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scheduler.check.findings import ABS_MW, Findings
from scheduler.plan import AssetPlan, Backing, BlockPlan, MarketPlan, Plan, Rung
from scheduler.problem import Counts, Direction, Floats, Problem, Site, Stage

if TYPE_CHECKING:
    from scheduler.markets.block import Block
    from scheduler.markets.reserve import Activation, ReserveMarket

MOST_COUNT = 2**40  # counts above it would not add up exactly


@dataclass(frozen=True, eq=False)
class Claim:
    """One entry of backing: what an asset holds for a market, by tranche (decision 1, backing)."""

    path: str
    market: ReserveMarket
    site: Site
    asset_id: str
    direction: Direction
    from_mode_id: str
    to_mode_id: str
    machine_count: Counts  # [T]
    mw: Floats  # [T], all tranches
    bid_mw: dict[tuple[str, str], Floats]  # (block, bid) -> [T]: tranches of bids whose chance is not 1
    expected_mw: Floats  # [T], each tranche times its chance
    activation: Activation | None  # what is expected of its calls

    @property
    def firm_mw(self) -> Floats:
        """[T] the tranche of awards and of all that has chance 1."""
        return self.mw - sum(self.bid_mw.values(), np.zeros_like(self.mw))


@dataclass(frozen=True, eq=False)
class AssetView:
    """An asset with its part of the plan and what it holds for markets."""

    path: str
    problem: Problem
    site: Site
    asset: Any
    plan: AssetPlan | None
    power_mw: Floats  # [T], as stated
    claims: tuple[Claim, ...]


@dataclass(frozen=True, eq=False)
class SiteView:
    """A site with its part of the plan."""

    path: str
    site: Site
    grid_mw: Floats  # [T], as stated
    assets: tuple[AssetView, ...]

    @property
    def claims(self) -> list[Claim]:
        """All that its assets hold."""
        return [claim for asset in self.assets for claim in asset.claims]


@dataclass(frozen=True, eq=False)
class BlockView:
    """A block with its part of the plan."""

    path: str
    block: Block
    plan: BlockPlan
    span: slice  # its intervals inside the horizon


@dataclass(frozen=True, eq=False)
class MarketView:
    """A market with its part of the plan."""

    path: str
    problem: Problem
    market: Any
    position_mw: Floats  # [T], as stated
    blocks: tuple[BlockView, ...]
    claims: tuple[Claim, ...]
    ladder: tuple[Rung, ...]  # as stated, not read yet


@dataclass(frozen=True, eq=False)
class PlanView:
    """A plan matched with its problem."""

    sites: tuple[SiteView, ...]
    markets: tuple[MarketView, ...]


def sites_of(problem: Problem, market: Any) -> list[Site]:
    """Sites that a market deals with: those that it names, or all connected ones."""
    named = set(market.site_ids)
    return [site for site in problem.sites if (site.id in named if named else site.connection is not None)]


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


class Reader:
    """Reads series of one length."""

    def __init__(self, count: int, findings: Findings) -> None:
        self.count = count
        self.findings = findings

    def floats(self, path: str, value: object, negative: bool = True) -> Floats:
        """[T] finite values, at least 0 unless ``negative``."""
        try:
            values = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            values = np.empty(0)
        if values.shape != (self.count,):
            self.findings.add(
                path, "length", f"must be {self.count} numbers, one per interval, has shape {values.shape}"
            )
            return np.zeros(self.count)
        fine = np.isfinite(values)
        if not fine.all():
            self.findings.each(~fine, path, "finite", lambda t: f"must be a finite number, is {values[t]}")
            values = np.where(fine, values, 0.0)
        if not negative and (values < -ABS_MW).any():
            self.findings.each(
                values < -ABS_MW,
                path,
                "negative",
                lambda t: f"must be at least 0, is {values[t]:.9g}",
                -values,
            )
        return values

    def counts(self, path: str, value: object) -> Counts:
        """[T] whole numbers, at least 0."""
        values = self.floats(path, value, negative=False)
        whole = values == np.floor(values)
        if not whole.all():
            self.findings.each(~whole, path, "integer", lambda t: f"must be a whole number, is {values[t]}")
        huge = np.abs(values) > MOST_COUNT
        if huge.any():
            self.findings.each(huge, path, "range", lambda t: f"must be at most {MOST_COUNT}, is {values[t]}")
        return np.where(huge, 0.0, np.rint(values)).astype(np.int64)

    def rows(self, path: Sequence[str], value: object) -> Counts:
        """[len(path), T] whole numbers, one row per path."""
        shape = (len(path), self.count)
        if isinstance(value, np.ndarray) and value.dtype == np.int64 and value.shape == shape:
            fine = not value.size or bool(value.min() >= 0 and value.max() <= MOST_COUNT)
            if fine:  # whole and finite because of its kind
                return value
        rows: list[Any] = []
        if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim):
            rows = list(value)
        if len(rows) != len(path):
            where = path[0].rpartition("[")[0] if path else "plan"
            self.findings.add(where, "length", f"must have {len(path)} rows, has {len(rows)}")
            return np.zeros((len(path), self.count), dtype=np.int64)
        read = [self.counts(at, row) for at, row in zip(path, rows, strict=True)]
        return np.array(read, dtype=np.int64).reshape(len(path), self.count)

    def whole(self, path: str, value: object) -> int:
        """A whole number of at least 0."""
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            self.findings.add(path, "integer", f"must be a whole number, is {value!r}")
            return 0
        if value < 0:
            self.findings.add(path, "negative", f"must be at least 0, is {value}")
        elif value > MOST_COUNT:
            self.findings.add(path, "range", f"must be at most {MOST_COUNT}, is {value}")
        return int(value) if 0 <= value <= MOST_COUNT else 0


def read_plan(problem: Problem, plan: Plan, findings: Findings) -> PlanView:
    """The plan as the checker reads it."""
    reader = Reader(problem.horizon.count, findings)
    market_plans = _matched(findings, "plan.markets", "market_id", [m.id for m in problem.markets], plan.markets)
    site_plans = _matched(findings, "plan.sites", "site_id", [site.id for site in problem.sites], plan.sites)
    homes = {asset.id: site for site in problem.sites for asset in site.assets}
    markets = tuple(_read_market(reader, problem, m, market_plans[m]) for m in range(len(problem.markets)))
    claims: dict[str, list[Claim]] = {asset_id: [] for asset_id in homes}
    for market in markets:
        for claim in market.claims:
            claims[claim.asset_id].append(claim)
    sites = []
    for s, site in enumerate(problem.sites):
        path, site_plan = f"plan.sites[{s}]", site_plans[s]
        assets = _matched(
            findings,
            f"{path}.assets",
            "asset_id",
            [a.id for a in site.assets],
            site_plan.assets if site_plan else (),
        )
        views = []
        for a, (asset, own) in enumerate(zip(site.assets, assets, strict=True)):
            at = f"{path}.assets[{a}]"
            power_mw = reader.floats(f"{at}.power_mw", own.power_mw) if own else np.zeros(reader.count)
            views.append(AssetView(at, problem, site, asset, own, power_mw, tuple(claims[asset.id])))
        grid_mw = reader.floats(f"{path}.grid_mw", site_plan.grid_mw) if site_plan else np.zeros(reader.count)
        sites.append(SiteView(path, site, grid_mw, tuple(views)))
    return PlanView(tuple(sites), markets)


def _matched(findings: Findings, path: str, key: str, ids: Sequence[str], items: Iterable[Any]) -> list[Any]:
    """Items of the plan in the order of the problem, None where missing; strangers are findings."""
    found: dict[str, Any] = {}
    given = [getattr(item, key) for item in items]
    for i, (name, item) in enumerate(zip(given, items, strict=True)):
        if not isinstance(name, str) or name not in ids:
            findings.add(f"{path}[{i}].{key}", "unknown", f"the problem has no {name!r} here", of=path)
        elif name in found:
            findings.add(f"{path}[{i}].{key}", "duplicate", f"{name!r} is named twice", of=path)
        else:
            found[name] = item
    for i, name in enumerate(ids):
        if name not in found:
            findings.add(f"{path}[{i}]", "missing", f"{name!r} of the problem is missing", of=path)
    if len(found) == len(ids) == len(given) and given != list(ids):
        findings.add(path, "order", f"must be in the order of the problem: {', '.join(ids)}")
    return [found.get(name) for name in ids]


def _read_market(reader: Reader, problem: Problem, index: int, plan: MarketPlan | None) -> MarketView:
    market, path, findings = cast(Any, problem.markets[index]), f"plan.markets[{index}]", reader.findings
    trades_energy = market.kind == "energy"
    plan = plan or MarketPlan(market.id, np.zeros(reader.count) if trades_energy else None)
    position_mw = np.zeros(reader.count)
    if trades_energy:
        position_mw = reader.floats(f"{path}.position_mw", plan.position_mw)
        if plan.backing:
            findings.add(f"{path}.backing", "unknown", "energy markets need no backing")
    elif not (plan.position_mw is None or (isinstance(plan.position_mw, np.ndarray) and not plan.position_mw.size)):
        findings.add(f"{path}.position_mw", "unknown", "only energy markets have a position")
    blocks: Sequence[Block] = () if trades_energy else market.blocks
    plans = _matched(findings, f"{path}.blocks", "block_id", [block.id for block in blocks], plan.blocks)
    views = tuple(
        _read_block(reader, problem, f"{path}.blocks[{b}]", block, own)
        for b, (block, own) in enumerate(zip(blocks, plans, strict=True))
    )
    claims = () if trades_energy else _read_claims(reader, problem, market, plan.backing, path)
    return MarketView(path, problem, market, position_mw, views, claims, plan.ladder)


def _read_block(reader: Reader, problem: Problem, path: str, block: Block, plan: BlockPlan | None) -> BlockView:
    first = max(0, problem.horizon.index_of(block.start_utc) or 0)
    end = min(reader.count, problem.horizon.index_of(block.end_utc) or 0)
    plan = plan or BlockPlan(block.id, 0, block.awarded_kw)
    offered_kw = reader.whole(f"{path}.offered_kw", plan.offered_kw)
    awarded_kw = reader.whole(f"{path}.awarded_kw", plan.awarded_kw)
    bid_kw, missing_mw = {}, {}
    bids, awards = {bid.id for bid in block.bids}, {award.id for award in block.awards}
    for i, (bid_id, kw) in enumerate(plan.bid_kw.items()):
        if bid_id not in bids:
            reader.findings.add(f"{path}.bids[{i}].bid_id", "unknown", f"the block has no bid {bid_id!r}", of=path)
        else:
            bid_kw[bid_id] = reader.whole(f"{path}.bids[{i}].kw", kw)
    for i, (award_id, series) in enumerate(plan.missing_mw.items()):
        if award_id not in awards:
            at = f"{path}.shortfalls[{i}].award_id"
            reader.findings.add(at, "unknown", f"the block has no award {award_id!r}", of=path)
        else:
            missing_mw[award_id] = reader.floats(f"{path}.shortfalls[{i}].missing_mw", series)
    price = plan.lowest_price_per_mw_h
    if price is not None and not is_number(price):
        reader.findings.add(f"{path}.lowest_price_per_mw_h", "finite", f"must be a finite number, is {price}")
    clean = BlockPlan(block.id, offered_kw, awarded_kw, bid_kw, missing_mw, price)
    return BlockView(path, block, clean, slice(first, max(first, end)))


def _read_claims(
    reader: Reader, problem: Problem, market: Any, backing: Sequence[Backing], path: str
) -> tuple[Claim, ...]:
    homes = {asset.id: site for site in problem.sites for asset in site.assets}
    findings, claims, seen = reader.findings, [], set()
    allowed = {site.id for site in sites_of(problem, market)}
    chances = {
        (block.id, bid.id): bid.acceptance_prob
        for block in getattr(market, "blocks", ())
        for bid in block.bids
        if bid.acceptance_prob != 1
    }
    expected = _activation_of(problem, market)
    for i, entry in enumerate(backing):
        at = f"{path}.backing[{i}]"
        site = homes.get(entry.asset_id)
        if site is None:
            findings.add(f"{at}.asset_id", "unknown", f"there is no asset {entry.asset_id!r}", of=path)
            continue
        if site.id not in allowed:
            message = f"site {site.id!r} of {entry.asset_id!r} may not deliver to {market.id!r}"
            findings.add(f"{at}.asset_id", "site", message, of=path)
        if entry.direction not in market.product.direction.parts:
            message = f"{market.id!r} is {market.product.direction.value}, this says {entry.direction}"
            findings.add(f"{at}.direction", "direction", message, of=path)
            continue
        name = (entry.asset_id, entry.direction, entry.from_mode_id, entry.to_mode_id)
        if name in seen:
            findings.add(at, "duplicate", f"{name[0]!r}, {name[2]!r} to {name[3]!r} is named twice", of=path)
        seen.add(name)
        mw = reader.floats(f"{at}.mw", entry.mw, negative=False)
        bid_mw: dict[tuple[str, str], Floats] = {}
        expected_mw = mw
        for j, (key, series) in enumerate(entry.bid_mw.items()):
            if key not in chances:
                message = f"the market has no block and bid {key!r} with a chance other than 1"
                findings.add(f"{at}.bids[{j}].bid_id", "unknown", message, of=at)
                continue
            bid_mw[key] = reader.floats(f"{at}.bids[{j}].mw", series, negative=False)
            expected_mw = expected_mw - (1 - chances[key]) * bid_mw[key]
        claims.append(
            Claim(
                at,
                market,
                site,
                *name,
                reader.counts(f"{at}.machine_count", entry.machine_count),
                mw,
                bid_mw,
                expected_mw,
                expected.get(entry.direction),
            )
        )
    return tuple(claims)


def _activation_of(problem: Problem, market: Any) -> dict[Direction, Activation]:
    """What is expected of a market's calls: its own figures, or those of the energy market that it names."""
    if getattr(market, "product", None) is not None and market.product.energy_market_id:
        named = (other for other in problem.markets if other.id == market.product.energy_market_id)
        return getattr(next(named, None), "activation", {})
    return getattr(market, "activation", {})


def no_backing(view: AssetView, findings: Findings) -> None:
    """Notes what is held on an asset that cannot move."""
    for claim in view.claims:
        findings.add(claim.path, "backing", f"{view.asset.id!r} is a {view.asset.kind}, which backs no reserve")


def takes_offers(view: BlockView, problem: Problem, market: Any) -> bool:
    """Whether a block may be offered at all: open market, wholly inside the horizon, with a price or bids."""
    block, horizon = view.block, problem.horizon
    inside = horizon.start_utc <= block.start_utc and block.end_utc <= horizon.boundary_utc(horizon.count)
    return market.stage is Stage.OPEN and inside and (block.price_per_mw_h is not None or bool(block.bids))
