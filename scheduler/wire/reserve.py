"""Reserve markets: product, blocks, bids, awards and expected activation, to and from the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from scheduler.horizon import Horizon
from scheduler.markets.block import Award, Bid, Block
from scheduler.markets.reserve import Activation, ReserveMarket
from scheduler.problem import Direction, Floats, Stage
from scheduler.product import Pricing, Product, Response
from scheduler.products import UnknownProductError, product_of
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.prequalification import DIRECTIONS
from scheduler.wire.reader import EPOCH, Numbers, Reader, stamp
from scheduler.wire.series import series_or, series_to_pb

RESPONSES = Numbers(v1.Response, Response)
PRICINGS = Numbers(v1.Pricing, Pricing)
MAX_BLOCKS_COUNT = 20_000
MAX_BIDS_COUNT = 200
MAX_AWARDS_COUNT = 1_000


def from_pb(
    read: Reader, pb: v1.ReserveMarket, path: str, *, market_id: str, stage: Stage, site_ids: tuple[str, ...]
) -> ReserveMarket | None:
    """A market for a reserve product; None after its product was refused."""
    product = _product(read, pb, path)
    read.text(pb, "price_source", path)
    blocks = read.each(pb.blocks, f"{path}.blocks", _block, MAX_BLOCKS_COUNT)
    activation = {
        direction: _activation(read, getattr(pb, direction.value), f"{path}.{direction.value}")
        for direction in (Direction.UP, Direction.DOWN)
        if pb.HasField(direction.value)
    }
    if product is None:
        return None
    return ReserveMarket(market_id, stage, product, blocks, activation, site_ids)


def _product(read: Reader, pb: v1.ReserveMarket, path: str) -> Product | None:
    match pb.WhichOneof("product"):
        case "spec":
            return _spec(read, pb.spec, f"{path}.spec")
        case "ref":
            return _ref(read, pb.ref, f"{path}.ref")
        case _:
            read.refuse(f"{path}.product", "required", "name the product in ref, or state its rules in spec")
    return None


def _ref(read: Reader, pb: v1.ProductRef, path: str) -> Product | None:
    """The rules of a product by its name, as they are on its day of delivery."""
    name = read.text(pb, "name", path)
    if not name:
        read.refuse(f"{path}.name", "required", "name a product, such as de/afrr-up")
    day = read.day(pb, "delivery_date", path)
    energy_market_id = read.text(pb, "energy_market_id", path)
    if day is not None and read.horizon is not None and not any(read.horizon.violations("")):
        first, last = read.horizon.civil_span
        if not first <= day <= last:
            message = f"must be a day of the horizon, {first} to {last}, is {day}"
            read.refuse(f"{path}.delivery_date", "coverage", message)
            return None
    if not name or day is None:
        return None
    try:
        rules = product_of(name, day).product
    except UnknownProductError as error:
        read.refuse(f"{path}.name", "reference", str(error))
        return None
    read.aliases[f"{path.removesuffix('.ref')}.spec.energy_market_id"] = f"{path}.energy_market_id"
    return replace(rules, energy_market_id=energy_market_id)


def _spec(read: Reader, pb: v1.ProductSpec, path: str) -> Product | None:
    direction = read.choice(pb, "direction", path, DIRECTIONS)
    response = read.choice(pb, "response", path, RESPONSES)
    pricing = read.choice(pb, "pricing", path, PRICINGS)
    full_activation_seconds = read.number(pb, "full_activation_seconds", path)
    hold_minutes = read.number(pb, "hold_minutes", path)
    shortest_call_minutes = read.number(pb, "shortest_call_minutes", path)
    rest_minutes = read.number_or(pb, "rest_minutes", path, None)
    max_step_mw = read.number_or(pb, "max_step_mw", path, 0.1)
    rotation_factor = read.number_or(pb, "rotation_factor", path, None)
    energy_market_id = read.text(pb, "energy_market_id", path)
    if direction is None or response is None or pricing is None:
        return None
    return Product(
        direction=direction,
        full_activation_seconds=full_activation_seconds,
        hold_minutes=hold_minutes,
        response=response,
        smallest_bid_kw=read.whole(pb, "smallest_bid_kw", path),
        step_kw=read.whole(pb, "step_kw", path),
        pricing=pricing,
        shortest_call_minutes=shortest_call_minutes,
        rest_minutes=rest_minutes,
        max_step_mw=max_step_mw,
        rotation_factor=rotation_factor,
        energy_market_id=energy_market_id,
    )


def _block(read: Reader, pb: v1.Block, path: str) -> Block:
    start = read.instant(pb, "start", path)
    end = read.instant(pb, "end", path)
    if read.horizon is None:
        read.muted |= {f"{path}.start", f"{path}.end"}  # no grid to compare them with
    hours = (end - start) / timedelta(hours=1) if start is not None and end is not None else 0.0
    return Block(
        id=read.text(pb, "id", path),
        start_utc=start or EPOCH,
        end_utc=end or EPOCH,
        price_per_mw_h=_block_price(read, pb, path, hours),
        max_kw=read.whole_or_none(pb, "max_kw", path),
        bids=read.each(pb.bids, f"{path}.bids", _bid, MAX_BIDS_COUNT),
        awards=read.each(pb.awards, f"{path}.awards", _award, MAX_AWARDS_COUNT),
    )


def _block_price(read: Reader, pb: v1.Block, path: str, hours: float) -> float | None:
    """Money per MW and real hour, however it is stated."""
    match pb.WhichOneof("price"):
        case "capacity_price_per_mw_h":
            return read.number(pb, "capacity_price_per_mw_h", path)
        case "capacity_price_per_mw_block":
            price = read.number(pb, "capacity_price_per_mw_block", path)
            read.aliases[f"{path}.capacity_price_per_mw_h"] = f"{path}.capacity_price_per_mw_block"
            return price / hours if hours > 0 else 0.0
        case _:
            return None


def _bid(read: Reader, pb: v1.Bid, path: str) -> Bid:
    return Bid(
        id=read.text(pb, "id", path),
        max_kw=read.whole(pb, "max_kw", path),
        price_per_mw_h=read.required_number(pb, "price_per_mw_h", path),
        acceptance_prob=read.number_or(pb, "acceptance_prob", path, 1.0),
        exclusive_group=read.text(pb, "exclusive_group", path),
        parent_bid_id=read.text(pb, "parent_bid_id", path),
        indivisible=pb.indivisible,
    )


def _award(read: Reader, pb: v1.Award, path: str) -> Award:
    return Award(
        id=read.text(pb, "id", path),
        kw=read.whole(pb, "kw", path),
        price_per_mw_h=read.required_number(pb, "price_per_mw_h", path),
        penalty_per_mw_h=read.number(pb, "penalty_per_mw_h", path),
        buy_back_per_mw_h=read.number_or(pb, "buy_back_per_mw_h", path, None),
    )


def _activation(read: Reader, pb: v1.Activation, path: str) -> Activation:
    none = read.constant(0.0)
    return Activation(
        expected_frac=series_or(read, pb, "expected_frac", path, none),
        calls_per_hour=series_or(read, pb, "calls_per_hour", path, none),
        price_per_mwh=series_or(read, pb, "price_per_mwh", path, none),
    )


def to_pb(market: ReserveMarket, horizon: Horizon) -> v1.ReserveMarket:
    """The inverse of `from_pb`; prices of blocks are stated per hour."""
    pb = v1.ReserveMarket(spec=_spec_to_pb(market.product), blocks=map(_block_to_pb, market.blocks))
    for direction, activation in market.activation.items():
        getattr(pb, direction.value).CopyFrom(_activation_to_pb(activation, horizon))
    return pb


def _spec_to_pb(product: Product) -> v1.ProductSpec:
    return v1.ProductSpec(
        direction=DIRECTIONS.number[product.direction],
        full_activation_seconds=product.full_activation_seconds,
        hold_minutes=product.hold_minutes,
        response=RESPONSES.number[product.response],
        shortest_call_minutes=product.shortest_call_minutes,
        rest_minutes=product.rest_minutes,
        smallest_bid_kw=product.smallest_bid_kw,
        step_kw=product.step_kw,
        pricing=PRICINGS.number[product.pricing],
        max_step_mw=product.max_step_mw,
        rotation_factor=product.rotation_factor,
        energy_market_id=product.energy_market_id,
    )


def _block_to_pb(block: Block) -> v1.Block:
    pb = v1.Block(
        id=block.id,
        start=stamp(block.start_utc),
        end=stamp(block.end_utc),
        max_kw=block.max_kw,
        bids=(
            v1.Bid(
                id=bid.id,
                max_kw=bid.max_kw,
                price_per_mw_h=bid.price_per_mw_h,
                acceptance_prob=bid.acceptance_prob,
                exclusive_group=bid.exclusive_group,
                parent_bid_id=bid.parent_bid_id,
                indivisible=bid.indivisible,
            )
            for bid in block.bids
        ),
        awards=(
            v1.Award(
                id=award.id,
                kw=award.kw,
                price_per_mw_h=award.price_per_mw_h,
                penalty_per_mw_h=award.penalty_per_mw_h,
                buy_back_per_mw_h=award.buy_back_per_mw_h,
            )
            for award in block.awards
        ),
    )
    if block.price_per_mw_h is not None:
        pb.capacity_price_per_mw_h = block.price_per_mw_h
    return pb


def _activation_to_pb(activation: Activation, horizon: Horizon) -> v1.Activation:
    def unless_zero(values: Floats) -> v1.Series | None:
        return series_to_pb(values, horizon) if values.any() else None

    return v1.Activation(
        expected_frac=unless_zero(activation.expected_frac),
        calls_per_hour=unless_zero(activation.calls_per_hour),
        price_per_mwh=unless_zero(activation.price_per_mwh),
    )
