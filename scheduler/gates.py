"""The gates of a day (formulation 6): results of auctions fold into a new request, and the old one stays as it is.

Before its gate a market is open. After its result a reserve market is cleared and holds awards, an energy market is
cleared and has a position at the clearing price. What contradicts the request, or the bids that were handed in, is
refused with file and row: nothing is filled in, and no result is folded in twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import InvalidFileError, SchedulerError
from scheduler.formats import bid_results, curve_file, position
from scheduler.formats.bid_results import BidFile, BidRow
from scheduler.formats.content import Content
from scheduler.formats.curve_file import CurveFile
from scheduler.formats.into_request import named_product
from scheduler.formats.position import PositionFile
from scheduler.formats.series import MINUTE_FORMAT, Series, Source
from scheduler.horizon import Horizon
from scheduler.markets.block import KW_PER_MW, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.problem import Problem, Stage
from scheduler.product import Pricing
from scheduler.wire.request import schedule_request_from_pb

if TYPE_CHECKING:
    from scheduler.v1 import problem_pb2
    from scheduler.v1 import scheduler_pb2 as pb

CENT = 0.01 + 1e-9  # bids are written rounded up to it
HALF_LOT_MW = 0.05 + 1e-6  # volumes are published in lots of 0.1 MW (facts A2)
WHOLE_AWARD = "won"  # id of the award for a bid that has none


@dataclass(frozen=True)
class Terms:
    """What no result says, and the desk has to: penalty of awards, and how a deviation from a position is settled.

    long_below, short_above: the long price is so much below the clearing price, the short price so much above it. None
    of both: prices are to come from elsewhere, or another energy market of the sites is open.
    """

    penalty_per_mw_h: float | None = None
    max_deviation_mw: float | None = None
    long_below_per_mwh: float | None = None
    short_above_per_mwh: float | None = None

    @property
    def of_deviation(self) -> bool:
        """Whether anything is said of deviations."""
        return any(x is not None for x in (self.max_deviation_mw, self.long_below_per_mwh, self.short_above_per_mwh))


NO_TERMS = Terms()


@dataclass(frozen=True, eq=False)
class Folded:
    """A new request, and what was done, line by line."""

    request: pb.ScheduleRequest
    said: tuple[str, ...]


def fold(
    request: pb.ScheduleRequest,
    path: Path | None,
    *,
    market_ids: Collection[str] = (),
    bids_path: Path | None = None,
    nothing_won: Sequence[str] = (),
    terms: Terms = NO_TERMS,
) -> Folded:
    """A request with a result in it: awards (`formats.bid_results`) or a position (`formats.position`).

    market_ids: the markets that it may be of; none: those whose product the file names, or the one open energy market.
    bids_path: the bids that were handed in; then each must have its result, and no other. Of a position it is the
    demand curve, and what was bought must lie on it. nothing_won: markets whose gate has closed without a bid or award.
    Raises InvalidRequestError for a malformed request, InvalidFileError, with the row, for a result that does not fit
    it. The new request is not checked as a whole: long and short prices may be still to come.
    """
    _, problem, _ = schedule_request_from_pb(request)
    ids = [market.id for market in problem.markets]
    for market_id in (*market_ids, *nothing_won):
        if market_id not in ids:
            raise SchedulerError(f"there is no market {market_id!r}: the request has {', '.join(ids)}")
    new = type(request)()
    new.CopyFrom(request)
    said: list[str] = []
    content = None if path is None else Content.of(path)
    if content is not None and position.recognises(content):
        if terms.penalty_per_mw_h is not None:
            raise SchedulerError("penalties go with results of capacity, not with a position")
        curve = None if bids_path is None else curve_file.read(Content.of(bids_path), problem.horizon)
        said += _fold_position(new.problem, problem, content, market_ids, terms, curve)
    elif terms.of_deviation:
        raise SchedulerError("how a deviation is settled goes with the result of an energy market")
    elif content is not None and bid_results.recognises(content):
        file = bid_results.read(content)
        if bids_path is not None:
            _compare(file, bid_results.read(Content.of(bids_path)))
        said += _fold_awards(new.problem, problem, file, market_ids, terms.penalty_per_mw_h or 0.0)
    elif content is not None:
        words = f"{bid_results.LIST_NAME}, {bid_results.OWN_NAME}, {position.NAME}"
        raise InvalidFileError(f"{content.name}: is no result of a known format. Known are: {words}")
    for market_id in nothing_won:
        said.append(_close(new.problem.markets[ids.index(market_id)]))
    return Folded(new, tuple(said))


# ---- energy -----------------------------------------------------------------------------------------------------


def _fold_position(
    new: problem_pb2.Problem,
    problem: Problem,
    content: Content,
    market_ids: Collection[str],
    terms: Terms,
    curve: CurveFile | None,
) -> Iterator[str]:
    file = position.read(content)
    _check_currency(file.source, file.currency_code, problem)
    found = [
        m
        for m, market in enumerate(problem.markets)
        if isinstance(market, EnergyMarket) and (market.id in market_ids if market_ids else _is_open(market))
    ]
    if len(found) != 1:
        markets = [market.id for market in problem.markets if isinstance(market, EnergyMarket) and _is_open(market)]
        words = f"of those that are open: {', '.join(markets) or 'none is'}"
        raise InvalidFileError(f"{file.source.file}: is the result of one energy market: name it, {words}")
    market = new.markets[found[0]]
    if not _is_open(problem.markets[found[0]]):
        raise InvalidFileError(f"{file.source.file}: market {market.id!r} is cleared: its result is in the request")
    bought, price = file.over(problem.horizon)
    if curve is not None:
        _compare_with_curve(file, curve, problem.horizon)
    _put(market.energy.position_mw, bought)
    _put(market.energy.price_per_mwh, price)
    market.cleared.SetInParent()
    if terms.max_deviation_mw is not None:
        market.energy.max_deviation_mw = terms.max_deviation_mw
    if (terms.long_below_per_mwh is None) != (terms.short_above_per_mwh is None):
        raise SchedulerError("the long price and the short price go together: state both")
    if terms.long_below_per_mwh is not None and terms.short_above_per_mwh is not None:
        for series, away in (
            (market.energy.long_price_per_mwh, -terms.long_below_per_mwh),
            (market.energy.short_price_per_mwh, terms.short_above_per_mwh),
        ):
            _put(series, price)
            series.values[:] = [value + away for value in price.values]
            series.source = f"assumed: {away:+g} from {price.provenance}"[:200]
    mwh = sum(bought.values) * bought.step_minutes / 60
    yield f"{market.id}: {len(bought.values)} periods, {mwh:g} MWh bought net, from {file.source.file}"


def _compare_with_curve(file: PositionFile, curve: CurveFile, horizon: Horizon) -> None:
    """What was bought at the price of each interval lies on the curve that was handed in for it."""
    name = curve.source.file
    if curve.currency_code != file.currency_code:
        raise InvalidFileError(f"{name}: is in {curve.currency_code}, {file.source.file} in {file.currency_code}")
    for t in range(horizon.count):
        start = horizon.boundary_utc(t)
        at = bisect_right(file.price.starts_utc, start) - 1
        row, mw = file.price.rows[at], file.position.rows[at].value
        mine = curve.curves.get(start)
        if mine is None:
            raise InvalidFileError(f"{name}: has no curve of {start:{MINUTE_FORMAT}}")
        found = mine.range_mw(row.value)
        if found is None or not found[0] - HALF_LOT_MW <= mw <= found[1] + HALF_LOT_MW:
            buys = "does not reach that price"
            if found is not None:
                buys = "buys " + " to ".join(f"{end:g}" for end in dict.fromkeys(found)) + " MW there"
            words = (
                f"{mw:g} MW were bought at {row.value:g} per MWh, and the curve in row {mine.number} of {name} {buys}"
            )
            hint = "is it the result of another curve? Where blocks were taken besides, leave the curve out"
            raise InvalidFileError(f"{file.source.file}:{row.number}: {words}: {hint}")


def _put(series: problem_pb2.Series, found: Series) -> None:
    series.Clear()
    series.start.FromDatetime(found.start_utc)
    series.step_minutes = found.step_minutes
    series.values.extend(found.values)
    series.source = found.provenance


# ---- capacity ---------------------------------------------------------------------------------------------------


def _fold_awards(
    new: problem_pb2.Problem, problem: Problem, file: BidFile, market_ids: Collection[str], penalty_per_mw_h: float
) -> Iterator[str]:
    _check_currency(file.source, file.currency_code, problem)
    by_block: dict[tuple[int, int], list[BidRow]] = {}
    for row in file.rows:
        if row.accepted_kw is None:
            words = f"is a file of bids: a result has a column {bid_results.ALLOCATED}"
            raise InvalidFileError(f"{file.source.file}: {words}")
        m = _market_of(file, row, new, problem, market_ids)
        by_block.setdefault((m, _block_of(file, row, problem, m)), []).append(row)
    cleared = sorted({m for m, _ in by_block})
    if missing := set(market_ids) - {new.markets[m].id for m in cleared}:
        words = "where nothing was bid or won, say so"
        raise InvalidFileError(f"{file.source.file}: has no row of market {', '.join(sorted(missing))}: {words}")
    for (m, b), rows in by_block.items():
        market = problem.markets[m]
        assert isinstance(market, ReserveMarket)
        for row, price_per_mw_h in _accepted(file, rows, market, market.blocks[b]):
            award = new.markets[m].reserve.blocks[b].awards.add(id=row.bid_id or WHOLE_AWARD)
            award.kw, award.price_per_mw_h = row.accepted_kw or 0, price_per_mw_h
            award.penalty_per_mw_h = penalty_per_mw_h
    for m in cleared:
        new.markets[m].cleared.SetInParent()
        market = problem.markets[m]
        assert isinstance(market, ReserveMarket)
        won_kw = [sum(row.accepted_kw or 0 for row in by_block.get((m, b), ())) for b in range(len(market.blocks))]
        blocks = sum(kw > 0 for kw in won_kw)
        yield (
            f"{market.id}: {sum(won_kw) / KW_PER_MW:g} MW won in {blocks} of {len(won_kw)} blocks, "
            f"from {file.source.file}"
        )
        untold = [block.id for b, block in enumerate(market.blocks) if (m, b) not in by_block]
        if untold:
            yield f"{market.id}: no row for {', '.join(untold)}: nothing was won there"


def _market_of(
    file: BidFile, row: BidRow, new: problem_pb2.Problem, problem: Problem, market_ids: Collection[str]
) -> int:
    """The reserve market that a row is of: by its id, or by direction and, where it names its product, type."""
    found = []
    for m, market in enumerate(problem.markets):
        if not isinstance(market, ReserveMarket) or (market_ids and market.id not in market_ids):
            continue
        product = named_product(new.markets[m])
        if row.market_id:
            fits = market.id == row.market_id
        elif product is None:
            fits = market.id in market_ids and market.product.direction is row.direction
        else:
            fits = (product.result, market.product.direction) == (row.reserve_type, row.direction)
        if fits:
            found.append(m)
    if len(found) != 1:
        assert row.market_id or row.direction is not None, "a row names its market, or type and direction"
        what = row.market_id or f"{row.reserve_type} {row.direction.value if row.direction else ''}"
        count = "no reserve market" if not found else f"{len(found)} reserve markets"
        words = "name the market; those that name their product (ref) are found by themselves"
        raise file.wrong(row, f"the request has {count} for {what}: {words}")
    if not _is_open(problem.markets[found[0]]):
        words = "is cleared: its result is in the request already"
        raise file.wrong(row, f"market {problem.markets[found[0]].id!r} {words}")
    return found[0]


def _block_of(file: BidFile, row: BidRow, problem: Problem, m: int) -> int:
    market, horizon = problem.markets[m], problem.horizon
    assert isinstance(market, ReserveMarket)
    for b, block in enumerate(market.blocks):
        if (block.start_utc, block.end_utc) == (row.start_utc, row.end_utc):
            return b
    span = _span(row.start_utc, row.end_utc)
    if row.end_utc <= horizon.start_utc or row.start_utc >= horizon.end_utc:
        over = _span(horizon.start_utc, horizon.end_utc)
        raise file.wrong(row, f"{span} lies outside the horizon, {over}: is it another day's?")
    raise file.wrong(row, f"market {market.id!r} has no block {span}")


def _accepted(file: BidFile, rows: list[BidRow], market: ReserveMarket, block: Block) -> Iterator[tuple[BidRow, float]]:
    """The rows of a block that won, with the price that is paid. Refuses what cannot come of the request's bids."""
    bids = {bid.id: bid for bid in block.bids}
    won = {row.bid_id for row in rows if row.accepted_kw}
    held = {award.id for award in block.awards}
    groups: set[str] = set()
    for row in rows:
        bid = bids.get(row.bid_id)
        kw = row.accepted_kw or 0
        if bids and bid is None:
            raise file.wrong(row, f"block {block.id!r} has no bid {row.bid_id!r}: it has {', '.join(bids)}")
        if bid is not None and row.offered_kw > bid.max_kw:
            raise file.wrong(row, f"{row.offered_kw} kW were offered, and the request's bid is {bid.max_kw} kW")
        if kw > row.offered_kw:
            raise file.wrong(row, f"{kw} kW were accepted, more than the {row.offered_kw} kW that were offered")
        if (row.bid_id or WHOLE_AWARD) in held:
            raise file.wrong(row, f"block {block.id!r} has an award {row.bid_id or WHOLE_AWARD!r} already")
        if not kw:
            continue
        price_per_mw_h = _paid(file, row, market)
        if bid is not None:
            if bid.indivisible and kw != row.offered_kw:
                raise file.wrong(row, f"{kw} of {row.offered_kw} kW were accepted of a bid that is indivisible")
            if bid.parent_bid_id and bid.parent_bid_id not in won:
                raise file.wrong(row, f"was accepted, and its parent {bid.parent_bid_id!r} was not")
            if bid.exclusive_group and bid.exclusive_group in groups:
                raise file.wrong(row, f"is the second that was accepted of the group {bid.exclusive_group!r}")
            groups.add(bid.exclusive_group)
            _check_price(file, row, market, bid.price_per_mw_h, price_per_mw_h)
        yield row, price_per_mw_h
    total_kw = block.awarded_kw + sum(row.accepted_kw or 0 for row in rows)
    if block.max_kw is not None and total_kw > block.max_kw:
        words = f"more than the {block.max_kw} kW that the request would hold"
        raise file.wrong(rows[-1], f"brings the awards of block {block.id!r} to {total_kw} kW, {words}")


def _paid(file: BidFile, row: BidRow, market: ReserveMarket) -> float:
    """What an accepted bid is paid, per MW and hour."""
    if market.product.pricing is Pricing.AS_BID:
        price = row.paid_per_mw_h if row.asked_per_mw_h is None else row.asked_per_mw_h
    else:
        price = row.paid_per_mw_h
        if price is not None and row.asked_per_mw_h is not None and price < row.asked_per_mw_h - CENT:
            words = f"clears at {price:g}, below the {row.asked_per_mw_h:g} per MW and hour that the bid asks"
            raise file.wrong(row, f"was accepted, and the block {words}")
    if price is None:
        column = f"{bid_results.SETTLED[0]}[...]"
        raise file.wrong(row, f"market {market.id!r} pays the clearing price, and the row has none ({column})")
    return price


def _check_price(file: BidFile, row: BidRow, market: ReserveMarket, bid_price: float, paid: float) -> None:
    """A bid is paid, and was handed in, at its own price, rounded up to the cent; none is paid less than it asks."""
    as_bid = market.product.pricing is Pricing.AS_BID
    handed_in = row.asked_per_mw_h if row.asked_per_mw_h is not None else paid if as_bid else None
    if handed_in is not None and abs(handed_in - bid_price) > CENT:
        words = f"the request's bid asks {bid_price:g} per MW and hour, the file says {handed_in:g}"
        raise file.wrong(row, words)
    if paid < bid_price - CENT:
        raise file.wrong(row, f"is paid {paid:g} per MW and hour, and the request's bid asks {bid_price:g}")


def _compare(file: BidFile, bids: BidFile) -> None:
    """Every bid that was handed in has its result, and no other has one."""
    if file.currency_code != bids.currency_code:
        raise InvalidFileError(
            f"{file.source.file}: is in {file.currency_code}, {bids.source.file} in {bids.currency_code}"
        )
    handed_in = {_key(row): row for row in bids.rows}
    for row in file.rows:
        bid = handed_in.pop(_key(row), None)
        if bid is None:
            raise file.wrong(row, f"no such bid was handed in: {bids.source.file} has none of that block and id")
        if row.offered_kw != bid.offered_kw:
            words = (
                f"says that {row.offered_kw} kW were offered, row {bid.number} of {bids.source.file} {bid.offered_kw}"
            )
            raise file.wrong(row, words)
        asked, theirs = row.asked_per_mw_h, bid.asked_per_mw_h
        if asked is not None and theirs is not None and abs(asked - theirs) > CENT:
            words = (
                f"says that the bid asks {asked:g} per MW and hour, row {bid.number} of {bids.source.file} {theirs:g}"
            )
            raise file.wrong(row, words)
        paid = row.paid_per_mw_h if row.accepted_kw else None
        if paid is not None and theirs is not None and paid < theirs - CENT:
            words = f"is paid {paid:g} per MW and hour, row {bid.number} of {bids.source.file} asks {theirs:g}"
            raise file.wrong(row, words)
    for bid in handed_in.values():
        raise bids.wrong(bid, f"this bid has no result in {file.source.file}")


def _key(row: BidRow) -> tuple[object, ...]:
    return row.market_id, row.reserve_type, row.direction, row.start_utc, row.end_utc, row.bid_id


def _close(market: problem_pb2.Market) -> str:
    """A gate that has passed with nothing won."""
    if not market.HasField("reserve"):
        raise SchedulerError(f"market {market.id!r} is for energy: its result is a position, be it 0")
    if market.HasField("cleared"):
        raise SchedulerError(f"market {market.id!r} is cleared already")
    market.cleared.SetInParent()
    return f"{market.id}: cleared, nothing was won"


# ---- both -------------------------------------------------------------------------------------------------------


def _is_open(market: object) -> bool:
    return getattr(market, "stage", None) is Stage.OPEN


def _check_currency(source: Source, currency_code: str, problem: Problem) -> None:
    if currency_code != problem.currency_code:
        raise InvalidFileError(f"{source.file}: is in {currency_code}, the request in {problem.currency_code}")


def _span(start_utc: datetime, end_utc: datetime) -> str:
    return f"from {start_utc:{MINUTE_FORMAT}} to {end_utc:{MINUTE_FORMAT}}"
