"""Results fold into a new request: awards and positions as the files say, or an error with file and row."""

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from builders import tiny_request_pb

from scheduler.errors import InvalidFileError, InvalidRequestError, SchedulerError
from scheduler.formats import bid_results, position
from scheduler.formats.content import Content
from scheduler.formats.plan_files import write_rows
from scheduler.gates import Terms, fold
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.request import schedule_request_from_pb
from tools import desk_day

DAY = date(2026, 6, 17)
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
FCR = "DATE_FROM,DATE_TO,TYPE_OF_RESERVES,PRODUCT,OFFERED_CAPACITY_PRICE_[EUR/MW],OFFERED_CAPACITY_[MW],BID,"
FCR += "ALLOCATED_CAPACITY_[MW],SETTLEMENTCAPACITY_PRICE_[EUR/MW]"
AFRR = "DATE_FROM,DATE_TO,TYPE_OF_RESERVES,PRODUCT,CAPACITY_PRICE_[(EUR/MW)/h],OFFERED_CAPACITY_[MW],BID,"
AFRR += "ALLOCATED_CAPACITY_[MW]"
OWN = "market,utc_start,utc_end,bid,offered_mw,accepted_mw,price_eur_per_mw_h"


@pytest.fixture
def request_pb():
    return roomy(DAY)


def roomy(day):
    """The day of the desk, with room for more than it would hold."""
    request = desk_day.request_of(day)
    for one in request.problem.markets:
        for block in one.reserve.blocks:
            block.max_kw = 10_000
    return request


def market(request, market_id):
    return next(market for market in request.problem.markets if market.id == market_id)


def written(tmp_path, header, *rows, name="result.csv"):
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def afrr(product="POS_08_12", price="12.5", offered="3", bid="", allocated="3", day=DAY):
    return f"{day},{day},aFRR,{product},{price},{offered},{bid},{allocated}"


def fcr(product="NEGPOS_00_04", asked="40", offered="2", bid="", allocated="2", settled="62.2", day=DAY):
    return f"{day},{day},FCR,{product},{asked},{offered},{bid},{allocated},{settled}"


def awards(request, market_id):
    return {
        block.id: [(award.id, award.kw, award.price_per_mw_h) for award in block.awards]
        for block in market(request, market_id).reserve.blocks
        if block.awards
    }


def test_awards_of_both_directions_at_their_own_price(request_pb, tmp_path):
    before = request_pb.SerializeToString()
    path = written(tmp_path, AFRR, afrr(), afrr("NEG_20_24", "7", "2", "x", "1"), afrr("POS_00_04", allocated="0"))
    folded = fold(request_pb, path, terms=Terms(penalty_per_mw_h=50))
    assert request_pb.SerializeToString() == before
    assert awards(folded.request, "afrr-up") == {"08-12": [("won", 3000, 12.5)]}
    assert awards(folded.request, "afrr-down") == {"20-24": [("x", 1000, 7.0)]}
    assert market(folded.request, "afrr-up").reserve.blocks[2].awards[0].penalty_per_mw_h == 50
    stages = {m.id: m.WhichOneof("stage") for m in folded.request.problem.markets}
    assert {id for id, stage in stages.items() if stage == "cleared"} == {"afrr-up", "afrr-down"}
    assert folded.said[0] == f"afrr-up: 3 MW won in 1 of 6 blocks, from {path}"
    assert folded.said[1] == "afrr-up: no row for 04-08, 12-16, 16-20, 20-24: nothing was won there"
    assert market(folded.request, "afrr-up").reserve.ref.name == "de/afrr-up", "rules stay named"
    schedule_request_from_pb(folded.request)


@pytest.mark.parametrize(("day", "hours"), [(DAY, 4), (SPRING, 3), (AUTUMN, 5)])
def test_the_clearing_price_of_a_block_is_divided_by_its_real_hours(day, hours, tmp_path):
    path = written(tmp_path, FCR, fcr(day=day), fcr("NEGPOS_04_08", day=day))
    folded = fold(roomy(day), path)
    won = awards(folded.request, "fcr")
    assert won["00-04"] == [("won", 2000, pytest.approx(62.2 / hours))]
    assert won["04-08"] == [("won", 2000, pytest.approx(15.55))]
    first = market(folded.request, "fcr").reserve.blocks[0]
    assert first.end.ToDatetime() - first.start.ToDatetime() == timedelta(hours=hours)


def test_german_numbers_and_a_workbook(request_pb, tmp_path):
    from openpyxl import Workbook

    text = written(tmp_path, AFRR.replace(",", ";"), f"{DAY};{DAY};aFRR;POS_08_12;12,5;3,0;;3")
    assert awards(fold(request_pb, text).request, "afrr-up") == {"08-12": [("won", 3000, 12.5)]}
    book = Workbook()
    book.active.append(AFRR.split(","))
    book.active.append([str(DAY), str(DAY), "aFRR", "POS_08_12", 12.5, 3, None, 3])
    book.save(tmp_path / "result.xlsx")
    assert awards(fold(request_pb, tmp_path / "result.xlsx").request, "afrr-up") == {"08-12": [("won", 3000, 12.5)]}


def own_row(market_id="afrr-up", start="T06:00:00Z", end="T10:00:00Z", bid="", accepted="3", price="12.5"):
    return f"{market_id},{DAY}{start},{DAY}{end},{bid},3,{accepted},{price}"


def test_our_own_layout_names_the_market(request_pb, tmp_path):
    path = written(tmp_path, OWN, own_row(), own_row(start="T10:00:00Z", end="T14:00:00Z", accepted="0", price=""))
    assert awards(fold(request_pb, path).request, "afrr-up") == {"08-12": [("won", 3000, 12.5)]}


def test_markets_that_do_not_name_their_product_are_named(request_pb, tmp_path):
    reserve = market(request_pb, "afrr-up").reserve
    spec = v1.ProductSpec(direction=1, response=1, pricing=1, full_activation_seconds=300)
    spec.smallest_bid_kw = spec.step_kw = 1000
    reserve.spec.CopyFrom(spec)
    path = written(tmp_path, AFRR, afrr())
    with pytest.raises(InvalidFileError, match=r"result.csv:2: the request has no reserve market for aFRR up: name"):
        fold(request_pb, path)
    assert awards(fold(request_pb, path, market_ids=["afrr-up"]).request, "afrr-up")


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (
            AFRR,
            afrr(day=date(2026, 6, 18)),
            r":2: from 2026-06-18T06:00Z to .* lies outside the horizon, .*another day",
        ),
        (AFRR, afrr("POS_08_16"), r":2: market 'afrr-up' has no block from 2026-06-17T06:00Z to 2026-06-17T14:00Z"),
        (AFRR, afrr("POS_08-12"), r":2: PRODUCT must be a block as POS_00_04, is 'POS_08-12'"),
        (AFRR, afrr(allocated="4"), r":2: 4000 kW were accepted, more than the 3000 kW that were offered"),
        (
            AFRR,
            afrr(allocated="-1"),
            r":2: ALLOCATED_CAPACITY_\[MW\] must be whole kW from 0 to 1000000 MW, is -1",
        ),
        (AFRR, afrr(allocated="0.0005"), r":2: ALLOCATED_CAPACITY_\[MW\] must be whole kW from 0 to"),
        (AFRR, afrr(offered="1e308"), r":2: OFFERED_CAPACITY_\[MW\] must be whole kW from 0 to 1000000 MW"),
        (AFRR, afrr("POS_20_24", day="9999-12-31"), r":2: 9999-12-31 is no day of ours"),
        (AFRR, afrr("POS_00_04", day="0001-01-01"), r":2: 0001-01-01 is no day of ours"),
        (AFRR, afrr(allocated=""), r":2: ALLOCATED_CAPACITY_\[MW\] must be a finite number"),
        (AFRR, afrr(price="nan"), r":2: CAPACITY_PRICE_\[\(EUR/MW\)/h\] must be a finite number"),
        (AFRR, afrr().replace("aFRR", "RR"), r":2: TYPE_OF_RESERVES must be one of FCR, aFRR, mFRR, is 'RR'"),
        (AFRR, afrr().replace("aFRR", "FCR"), r":2: the request has no reserve market for FCR up"),
        (AFRR, afrr().replace(f"{DAY},{DAY}", f"{DAY},2026-06-18"), r":2: DATE_TO is another day than DATE_FROM"),
        (AFRR, afrr(offered="30", allocated="20"), r":2: brings the awards of block '08-12' to 20000 kW, more than"),
        (AFRR, f"{afrr()}\n{afrr()}", r":3: the block's bid without an id is given twice, in row 2 too"),
        (AFRR, f"{afrr(bid='a')}\n{afrr(bid='a')}", r":3: bid 'a' is given twice"),
        (AFRR.replace("EUR", "USD"), afrr(), r"is in USD, the request in EUR"),
        (AFRR.replace(",BID", ",NOTE"), afrr(), r":1: has no column BID with ids of our own"),
        (AFRR.replace(",ALLOCATED_CAPACITY_[MW]", ",X"), afrr(), r"is a file of bids: a result has a column ALLOCATED"),
        (AFRR.replace("CAPACITY_PRICE", "PRICE"), afrr(), r":1: has no price such as CAPACITY_PRICE"),
        (FCR, fcr(settled="30"), r":2: was accepted, and the block clears at 7.5, below the 10 per MW and hour that"),
        (FCR, fcr(settled=""), r":2: market 'fcr' pays the clearing price, and the row has none"),
        (OWN, own_row("fcr-x"), r":2: the request has no reserve market for fcr-x"),
        (OWN, own_row(accepted="5"), r":2: 5000 kW were accepted, more than the 3000 kW"),
        (OWN, own_row(end="T06:00:00Z"), r":2: utc_end must lie after utc_start"),
        (OWN, own_row(start="T06:00Z"), r":2: utc_start must be as 2025-10-26T00:15:00Z"),
        (OWN, own_row(price=""), r":2: price_eur_per_mw_h must be a finite number"),
        (OWN, own_row(""), r":2: names no market"),
        (OWN.replace("bid,", ""), own_row(), r":1: the header must be market,utc_start"),
        (OWN, None, r"has no bids"),
        ("DATE,X", "1,2", r"is no result of a known format"),
    ],
)
def test_awards_that_do_not_fit_are_refused(request_pb, tmp_path, header, row, message):
    path = written(tmp_path, header, *([] if row is None else [row]))
    with pytest.raises(InvalidFileError, match=message) as caught:
        fold(request_pb, path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([afrr(bid="none")], "block '08-12' has no bid 'none': it has low, high, child"),
        ([afrr(bid="low", offered="9")], "9000 kW were offered, and the request's bid is 3000 kW"),
        ([afrr(bid="low", price="5")], "the request's bid asks 12.5 per MW and hour, the file says 5"),
        ([afrr(bid="child", price="14", offered="1", allocated="1")], "was accepted, and its parent 'low' was not"),
        ([afrr(bid="low"), afrr(bid="high", price="20")], "is the second that was accepted of the group 'g'"),
        ([afrr(bid="high", price="20", allocated="2")], "2000 of 3000 kW were accepted of a bid that is indivisible"),
    ],
)
def test_what_cannot_come_of_the_bids_is_refused(request_pb, tmp_path, rows, message):
    block = market(request_pb, "afrr-up").reserve.blocks[2]
    block.bids.add(id="low", max_kw=3000, price_per_mw_h=12.5, exclusive_group="g")
    block.bids.add(id="high", max_kw=3000, price_per_mw_h=20, exclusive_group="g", indivisible=True)
    block.bids.add(id="child", max_kw=1000, price_per_mw_h=14, parent_bid_id="low")
    path = written(tmp_path, AFRR, *rows)
    with pytest.raises(InvalidFileError, match=message):
        fold(request_pb, path)
    good = written(
        tmp_path, AFRR, afrr(bid="low", allocated="2"), afrr(bid="child", price="14", offered="1", allocated="1")
    )
    assert awards(fold(request_pb, good).request, "afrr-up") == {"08-12": [("low", 2000, 12.5), ("child", 1000, 14.0)]}


@pytest.mark.parametrize(
    ("bids", "message"),
    [
        ([afrr(offered="2")], r"result.csv:2: says that 3000 kW were offered, row 2 of .*bids.csv 2000"),
        ([afrr(price="13")], r"result.csv:2: says that the bid asks 12.5 per MW and hour, row 2 of .*bids.csv 13"),
        ([afrr("POS_12_16")], r"result.csv:2: no such bid was handed in: .*bids.csv has none of that block and id"),
        ([afrr(), afrr("NEG_12_16")], r"bids.csv:3: this bid has no result in .*result.csv"),
    ],
)
def test_every_bid_that_was_handed_in_has_its_result(request_pb, tmp_path, bids, message):
    path = written(tmp_path, AFRR, afrr())
    with pytest.raises(InvalidFileError, match=message):
        fold(request_pb, path, bids_path=written(tmp_path, AFRR, *bids, name="bids.csv"))
    fold(request_pb, path, bids_path=written(tmp_path, AFRR, afrr(), name="bids.csv"))


def test_a_result_is_folded_in_once(request_pb, tmp_path):
    path = written(tmp_path, AFRR, afrr())
    with pytest.raises(
        InvalidFileError, match=r":2: market 'afrr-up' is cleared: its result is in the request already"
    ):
        fold(fold(request_pb, path).request, path)


def test_a_gate_that_passes_with_nothing_won(request_pb, tmp_path):
    folded = fold(request_pb, None, nothing_won=["fcr"])
    assert market(folded.request, "fcr").WhichOneof("stage") == "cleared"
    assert folded.said == ("fcr: cleared, nothing was won",)
    with pytest.raises(SchedulerError, match="market 'fcr' is cleared already"):
        fold(folded.request, None, nothing_won=["fcr"])
    with pytest.raises(SchedulerError, match="market 'day-ahead' is for energy"):
        fold(request_pb, None, nothing_won=["day-ahead"])
    with pytest.raises(SchedulerError, match="there is no market 'x': the request has day-ahead, fcr"):
        fold(request_pb, None, nothing_won=["x"])
    with pytest.raises(InvalidFileError, match="has no row of market afrr-down: where nothing was bid or won, say so"):
        fold(request_pb, written(tmp_path, AFRR, afrr()), market_ids=["afrr-up", "afrr-down"])


# ---- a position --------------------------------------------------------------------------------------------------

POSITION = "utc_start,position_mw,price_eur_per_mwh"


def periods(day, minutes=15, mw=2.5, price=50.0):
    grid = desk_day.grid_of(day)
    start = datetime.fromisoformat(grid.start).replace(tzinfo=UTC)
    count = grid.count * 15 // minutes
    return [f"{start + timedelta(minutes=minutes * t):%Y-%m-%dT%H:%M:%SZ},{mw},{price}" for t in range(count)]


@pytest.mark.parametrize(("day", "count"), [(DAY, 96), (SPRING, 92), (AUTUMN, 100)])
@pytest.mark.parametrize("minutes", [15, 60])
def test_a_position_of_each_period(day, count, minutes, tmp_path):
    terms = Terms(max_deviation_mw=4, long_below_per_mwh=10, short_above_per_mwh=20)
    path = written(tmp_path, POSITION, *periods(day, minutes))
    folded = fold(desk_day.request_of(day), path, terms=terms)
    assert folded.said == (f"day-ahead: {count} periods, {2.5 * count / 4:g} MWh bought net, from {path}",)
    _, problem, _ = schedule_request_from_pb(folded.request)
    energy = problem.markets[0]
    assert energy.position_mw.tolist() == [2.5] * count
    assert (set(energy.long_price_per_mwh), set(energy.short_price_per_mwh)) == ({40.0}, {70.0})
    wire = market(folded.request, "day-ahead").energy
    assert wire.position_mw.source.startswith("position of result.csv (own CSV of a day-ahead result, sha256 ")
    assert wire.long_price_per_mwh.source.startswith("assumed: -10 from day-ahead price of result.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], r":96: 2026-06-17T21:30Z is its last price"),
        (lambda rows: rows[1:], r":2: 2026-06-16T22:15Z is its first price"),
        (lambda rows: [*rows[:9], *rows[10:]], r":11: 2026-06-17T00:30Z comes 0:30:00 after the price before it"),
        (lambda rows: [*rows[:9], rows[8], *rows[9:]], r":11: 2026-06-17T00:00:00Z is given twice"),
        (lambda rows: [*rows, *periods(date(2026, 6, 18))[:1]], r":98: 2026-06-17T22:00Z lies outside the horizon"),
        (lambda rows: periods(date(2026, 6, 18)), r":2: 2026-06-17T22:00Z lies outside the horizon, .*another day's"),
        (lambda rows: periods(date(2026, 6, 16)), r":2: 2026-06-15T22:00Z lies outside the horizon"),
        (lambda rows: [rows[0].replace("2.5", "x"), *rows[1:]], r":2: position_mw must be a finite number, is 'x'"),
        (lambda rows: [rows[0].replace("50.0", ""), *rows[1:]], r":2: price_eur_per_mwh must be a finite number"),
        (lambda rows: [rows[0].replace("Z", ""), *rows[1:]], r":2: utc_start must be as 2025-10-26T00:15:00Z"),
        (lambda rows: [], r"has no prices"),
    ],
)
def test_a_position_that_does_not_fit_is_refused(request_pb, tmp_path, change, message):
    path = written(tmp_path, POSITION, *change(periods(DAY)))
    with pytest.raises(InvalidFileError, match=message):
        fold(request_pb, path)


def test_more_that_is_refused_of_a_position(request_pb, tmp_path):
    path = written(tmp_path, POSITION.replace("eur", "usd"), *periods(DAY))
    with pytest.raises(InvalidFileError, match="is in USD, the request in EUR"):
        fold(request_pb, path)
    with pytest.raises(InvalidFileError, match=":1: the header must be utc_start,position_mw,price_eur_per_mwh"):
        fold(request_pb, written(tmp_path, "utc_start,position_mw", *periods(DAY)))
    path = written(tmp_path, POSITION, *periods(DAY))
    with pytest.raises(SchedulerError, match="go with results of capacity"):
        fold(request_pb, path, terms=Terms(penalty_per_mw_h=5))
    with pytest.raises(SchedulerError, match="the long price and the short price go together"):
        fold(request_pb, path, terms=Terms(long_below_per_mwh=5))
    with pytest.raises(SchedulerError, match="goes with the result of an energy market"):
        fold(request_pb, written(tmp_path, AFRR, afrr()), terms=Terms(max_deviation_mw=5))


def test_a_position_is_of_one_open_market(request_pb, tmp_path):
    path = written(tmp_path, POSITION, *periods(DAY))
    once = fold(request_pb, path, terms=Terms(None, 4, 10, 10)).request
    with pytest.raises(
        InvalidFileError, match="is the result of one energy market: name it, of those that are open: none"
    ):
        fold(once, path)
    with pytest.raises(InvalidFileError, match="market 'day-ahead' is cleared: its result is in the request"):
        fold(once, path, market_ids=["day-ahead"])
    with pytest.raises(InvalidFileError, match="name it, of those that are open: day-ahead"):
        fold(request_pb, path, market_ids=["fcr"])


def test_a_malformed_request_is_refused_first(tmp_path):
    request = tiny_request_pb()
    request.problem.currency_code = "EURO"
    with pytest.raises(InvalidRequestError):
        fold(request, written(tmp_path, AFRR, afrr()))


@pytest.mark.parametrize("name", ["fcr-result.csv", "afrr-result.csv", "day-ahead-result.csv"])
def test_a_spoilt_file_is_refused_or_read_never_more(request_pb, tmp_path, name):
    """Bytes that are changed, left out or doubled: an error of ours, or a request that is still well-formed."""
    whole, random = (desk_day.PAGE / name).read_bytes(), Random(7)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        at, length = random.randrange(len(data)), random.choice([1, 1, 8, 200])
        piece = bytes(random.choice(b'0123456789.,;-eE\n"aZ \xff\x00') for _ in range(random.choice([0, 1, 3])))
        data[at : at + length] = random.choice([piece, bytes(data[at : at + length]) * 2])
        path = tmp_path / name
        path.write_bytes(data)
        try:
            folded = fold(request_pb, path)
        except InvalidFileError as error:
            refused += 1
            assert str(error).startswith(str(path))
            continue
        if name != "day-ahead-result.csv":  # long and short prices are still to come
            schedule_request_from_pb(folded.request)
    assert refused > 30


def workbook_bytes(path):
    from openpyxl import Workbook

    book = Workbook()
    for line in path.read_text().splitlines():
        book.active.append(line.split(","))
    book.save(path.with_suffix(".xlsx"))
    return path.with_suffix(".xlsx").read_bytes()


@pytest.mark.parametrize("kind", ["list", "own", "workbook", "position"])
def test_a_result_that_is_cut_off_anywhere_is_refused_or_says_less(kind, tmp_path):
    """At every byte: never another figure, and never another block."""
    whole_path = {"own": written(tmp_path, OWN, own_row(), own_row(start="T10:00:00Z", end="T14:00:00Z"))}
    path = whole_path.get(kind, desk_day.PAGE / ("day-ahead-result.csv" if kind == "position" else "afrr-result.csv"))
    data = path.read_bytes()
    if kind == "workbook":
        data = workbook_bytes(written(tmp_path, *path.read_text().splitlines()))

    def rows(part: bytes):
        content = Content("sample", part)
        if kind == "position":
            file = position.read(content)
            return [*file.position.rows, *file.price.rows]
        return list(bid_results.read(content).rows)

    whole = set(rows(data))
    assert whole
    for end in range(len(data)):
        try:
            found = rows(data[:end])
        except InvalidFileError as error:
            assert str(error).startswith("sample")
            continue
        assert kind != "workbook" and set(found) <= whole, end


def test_bids_in_a_workbook_are_compared_too(request_pb, tmp_path):
    rows = [line.split(",") for line in (AFRR.replace(",ALLOCATED_CAPACITY_[MW]", ""), afrr().rpartition(",")[0])]
    bids = tmp_path / "bids.xlsx"
    write_rows(bids, [list(rows[0]), [*rows[1][:4], 12.5, 3.0, None]])
    path = written(tmp_path, AFRR, afrr())
    assert awards(fold(request_pb, path, bids_path=bids).request, "afrr-up") == {"08-12": [("won", 3000, 12.5)]}
    other = written(tmp_path, AFRR, afrr("NEG_20_24"))
    with pytest.raises(InvalidFileError, match=r"result.csv:2: no such bid was handed in: .*bids.xlsx has none"):
        fold(request_pb, other, bids_path=bids)
