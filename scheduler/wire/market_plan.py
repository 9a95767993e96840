"""The part of a plan that belongs to a market, to and from the wire: positions, blocks and backing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from scheduler.markets.block import Block
from scheduler.markets.reserve import ReserveMarket
from scheduler.model.component import MarketComponent
from scheduler.plan import Backing, BlockPlan, MarketPlan, Rung
from scheduler.problem import Direction, Floats, Problem
from scheduler.v1 import plan_pb2 as v1
from scheduler.wire.prequalification import DIRECTIONS
from scheduler.wire.reader import Reader
from scheduler.wire.shape import counts_of_plan, floats_of_plan, same_ids


def market_plan_from_pb(
    read: Reader, pb: v1.MarketPlan, path: str, market: MarketComponent, problem: Problem
) -> MarketPlan:
    """A position or blocks with their backing, as the kind of the market has them."""
    if market.kind == "reserve":
        if pb.position_mw:
            read.refuse(f"{path}.position_mw", "kind", "a reserve market has no position")
        return _reserve_from_pb(read, pb, path, cast(ReserveMarket, market), problem)
    for name in ("blocks", "backing", "ladder"):
        if getattr(pb, name):
            read.refuse(f"{path}.{name}", "kind", f"an energy market has no {name}")
    return MarketPlan(market.id, position_mw=floats_of_plan(read, pb.position_mw, f"{path}.position_mw"))


def _reserve_from_pb(read: Reader, pb: v1.MarketPlan, path: str, market: ReserveMarket, problem: Problem) -> MarketPlan:
    blocks: tuple[BlockPlan, ...] = ()
    block_ids = [block.id for block in market.blocks]
    if same_ids(read, [block.block_id for block in pb.blocks], block_ids, f"{path}.blocks", "block_id"):
        blocks = tuple(
            _block_from_pb(read, block_pb, f"{path}.blocks[{b}]", block)
            for b, (block_pb, block) in enumerate(zip(pb.blocks, market.blocks, strict=True))
        )
    modes = {asset.id: _mode_ids(asset) for site in problem.sites for asset in site.assets}
    bids = {(block.id, bid.id) for block in market.blocks for bid in block.bids}
    backing = tuple(
        _backing_from_pb(read, item, f"{path}.backing[{i}]", modes, bids) for i, item in enumerate(pb.backing)
    )
    ladder = tuple(_rung_from_pb(read, rung, f"{path}.ladder[{i}]", modes) for i, rung in enumerate(pb.ladder))
    return MarketPlan(market.id, blocks=blocks, backing=backing, ladder=ladder)


def _mode_ids(asset: object) -> set[str]:
    """Ids of its modes; what has none leaves them empty."""
    return {mode.id for mode in getattr(asset, "modes", ())} or {""}


def _block_from_pb(read: Reader, pb: v1.BlockPlan, path: str, block: Block) -> BlockPlan:
    bid_ids, award_ids = {bid.id for bid in block.bids}, {award.id for award in block.awards}
    _are_known(read, [bid.bid_id for bid in pb.bids], bid_ids, f"{path}.bids", "bid_id")
    _are_known(read, [item.award_id for item in pb.shortfalls], award_ids, f"{path}.shortfalls", "award_id")
    missing: dict[str, Floats] = {
        item.award_id: floats_of_plan(read, item.missing_mw, f"{path}.shortfalls[{i}].missing_mw")
        for i, item in enumerate(pb.shortfalls)
    }
    return BlockPlan(
        block_id=block.id,
        offered_kw=pb.offered_kw,
        awarded_kw=pb.awarded_kw,
        bid_kw={bid.bid_id: bid.kw for bid in pb.bids},
        missing_mw=missing,
        lowest_price_per_mw_h=read.number_or(pb, "lowest_price_per_mw_h", path, None),
    )


def _are_known(read: Reader, ids: Sequence[str], known: set[str], path: str, name: str) -> None:
    seen: set[str] = set()
    for i, value in enumerate(ids):
        if value not in known:
            read.refuse(f"{path}[{i}].{name}", "reference", f"the block has none with the id {value[:200]!a}")
        elif value in seen:
            read.refuse(f"{path}[{i}].{name}", "unique", f"{value!a} is named twice")
        seen.add(value)


def _backing_from_pb(
    read: Reader, pb: v1.Backing, path: str, modes: dict[str, set[str]], bids: set[tuple[str, str]]
) -> Backing:
    direction = _move_from_pb(read, pb, path, modes)
    bid_mw: dict[tuple[str, str], Floats] = {}
    for i, bid in enumerate(pb.bids):
        key = (bid.block_id, bid.bid_id)
        if key not in bids:
            read.refuse(f"{path}.bids[{i}].bid_id", "reference", "the market has no such bid")
        elif key in bid_mw:
            read.refuse(f"{path}.bids[{i}].bid_id", "unique", "the bid is named twice")
        bid_mw[key] = floats_of_plan(read, bid.mw, f"{path}.bids[{i}].mw")
    return Backing(
        asset_id=pb.asset_id,
        direction=direction,
        from_mode_id=pb.from_mode_id,
        to_mode_id=pb.to_mode_id,
        machine_count=counts_of_plan(read, pb.machine_count, f"{path}.machine_count"),
        mw=floats_of_plan(read, pb.mw, f"{path}.mw"),
        bid_mw=bid_mw,
    )


def _rung_from_pb(read: Reader, pb: v1.LadderRung, path: str, modes: dict[str, set[str]]) -> Rung:
    return Rung(
        asset_id=pb.asset_id,
        direction=_move_from_pb(read, pb, path, modes),
        from_mode_id=pb.from_mode_id,
        to_mode_id=pb.to_mode_id,
        seconds=read.number(pb, "seconds", path),
        machine_mw=read.number(pb, "machine_mw", path),
        machine_count=counts_of_plan(read, pb.machine_count, f"{path}.machine_count"),
        mw=floats_of_plan(read, pb.mw, f"{path}.mw"),
        cumulated_mw=floats_of_plan(read, pb.cumulated_mw, f"{path}.cumulated_mw"),
        cost_per_mwh=floats_of_plan(read, pb.cost_per_mwh, f"{path}.cost_per_mwh"),
    )


def _move_from_pb(read: Reader, pb: v1.Backing | v1.LadderRung, path: str, modes: dict[str, set[str]]) -> Direction:
    """The direction of a move of known machines between known modes; up after it was refused."""
    direction = read.choice(pb, "direction", path, DIRECTIONS)
    if direction is Direction.SYMMETRIC:
        read.refuse(f"{path}.direction", "direction", "must be up or down")
    if pb.asset_id not in modes:
        read.refuse(f"{path}.asset_id", "reference", f"there is no asset {pb.asset_id[:200]!a}")
    for name in ("from_mode_id", "to_mode_id"):
        mode_id: str = getattr(pb, name)
        if mode_id not in modes.get(pb.asset_id, {mode_id}):
            read.refuse(f"{path}.{name}", "reference", f"the asset has no mode {mode_id[:200]!a}")
    return direction or Direction.UP


def market_plan_to_pb(plan: MarketPlan, market: MarketComponent) -> v1.MarketPlan:
    """The inverse of `market_plan_from_pb`."""
    pb = v1.MarketPlan(
        market_id=market.id,
        blocks=map(_block_to_pb, plan.blocks),
        backing=map(_backing_to_pb, plan.backing),
        ladder=map(_rung_to_pb, plan.ladder),
    )
    if plan.position_mw is not None:
        pb.position_mw.extend(plan.position_mw.tolist())
    return pb


def _block_to_pb(block: BlockPlan) -> v1.BlockPlan:
    return v1.BlockPlan(
        block_id=block.block_id,
        offered_kw=block.offered_kw,
        awarded_kw=block.awarded_kw,
        lowest_price_per_mw_h=block.lowest_price_per_mw_h,
        bids=(v1.BidVolume(bid_id=bid_id, kw=kw) for bid_id, kw in block.bid_kw.items()),
        shortfalls=(
            v1.AwardShortfall(award_id=award_id, missing_mw=mw.tolist()) for award_id, mw in block.missing_mw.items()
        ),
    )


def _backing_to_pb(backing: Backing) -> v1.Backing:
    return v1.Backing(
        asset_id=backing.asset_id,
        direction=DIRECTIONS.number[backing.direction],
        from_mode_id=backing.from_mode_id,
        to_mode_id=backing.to_mode_id,
        machine_count=backing.machine_count.tolist(),
        mw=backing.mw.tolist(),
        bids=(
            v1.BidBacking(block_id=block_id, bid_id=bid_id, mw=mw.tolist())
            for (block_id, bid_id), mw in backing.bid_mw.items()
        ),
    )


def _rung_to_pb(rung: Rung) -> v1.LadderRung:
    return v1.LadderRung(
        asset_id=rung.asset_id,
        direction=DIRECTIONS.number[rung.direction],
        from_mode_id=rung.from_mode_id,
        to_mode_id=rung.to_mode_id,
        seconds=rung.seconds,
        machine_mw=rung.machine_mw,
        machine_count=rung.machine_count.tolist(),
        mw=rung.mw.tolist(),
        cumulated_mw=rung.cumulated_mw.tolist(),
        cost_per_mwh=rung.cost_per_mwh.tolist(),
    )
