"""ENTSO-E documents: curves, Periods, auctions and what is refused."""

import pytest
from samples import (
    BE,
    DAYS,
    DE_LU,
    ES,
    PRICE,
    activated,
    activation_points,
    auction,
    file_of,
    first_utc,
    named,
    only,
    period,
    points,
    publication,
    starts,
    steps,
    utc,
    values,
)

from scheduler.errors import InvalidFileError
from scheduler.formats.series import Quantity
from scheduler.problem import Direction

START, END = "2026-02-16T23:00Z", "2026-02-17T00:00Z"


def quarter_hours(*given: tuple[int, float]) -> str:
    return period(START, END, "PT15M", points(given))


def test_curve_a03_repeats_what_is_left_out_up_to_the_end_of_the_period():
    column = only(file_of(publication(auction(quarter_hours((1, 10), (3, -5))))))
    assert column.label.name == "DE-LU" and column.label.quantity is PRICE
    assert values(column) == [10, 10, -5, -5]
    assert starts(column) == steps(utc(START), 4, 15)
    assert column.currency_code == "EUR"


def test_curve_a01_leaves_a_gap_a_gap():
    column = only(file_of(publication(auction(quarter_hours((1, 10), (3, -5)), curve="A01"))))
    assert values(column) == [10, -5]
    assert column.between(utc(START), utc("2026-02-16T23:15Z")).values == (10,)
    with pytest.raises(InvalidFileError, match=r"sample:\d+: zone DE-LU, 2026-02-16T23:30Z comes .* a gap"):
        column.between(utc(START), utc("2026-02-16T23:45Z"))


def test_without_a_curve_type_every_position_counts():
    text = publication(auction(quarter_hours((1, 10), (2, 20), (3, 30), (4, 40))))
    assert values(only(file_of(text.replace("<curveType>A03</curveType>", "")))) == [10, 20, 30, 40]


@pytest.mark.parametrize("day", DAYS)
def test_clock_changes(day):
    first, count = first_utc(day), DAYS[day] * 4
    end = steps(first, count + 1, 15)[-1]
    text = period(f"{first:%Y-%m-%dT%H:%MZ}", f"{end:%Y-%m-%dT%H:%MZ}", "PT15M", points([(1, 1), (count, 2)]))
    column = only(file_of(publication(auction(text))))
    assert starts(column) == steps(first, count, 15)
    assert values(column) == [1.0] * (count - 1) + [2.0]
    assert len(column.between(first, end).values) == count


def test_nothing_is_carried_from_one_period_into_the_next():
    second = period(END, "2026-02-17T01:00Z", "PT15M", points([(2, 7)]))
    with pytest.raises(InvalidFileError, match="its first position is 2"):
        file_of(publication(auction(quarter_hours((1, 10)) + second)))


def test_resolutions_may_mix():
    hour = period(END, "2026-02-17T01:00Z", "PT60M", points([(1, 7)]))
    column = only(file_of(publication(auction(quarter_hours((1, 10), (4, 20)) + hour))))
    assert [row.minutes for row in column.rows] == [15, 15, 15, 15, 60]
    both = column.between(utc(START), utc("2026-02-17T01:00Z"))
    assert (both.step_minutes, both.values) == (15, (10, 10, 10, 20, 7, 7, 7, 7))
    later = column.between(utc("2026-02-16T23:45Z"), utc("2026-02-17T00:30Z"))
    assert (later.start_utc, later.values) == (utc("2026-02-16T23:45Z"), (20, 7, 7))
    assert column.between(utc(END), utc("2026-02-17T01:00Z")).step_minutes == 60


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_auctions_and_contracts_are_told_apart_in_any_order(order):
    series = [
        auction(quarter_hours((1, 10)), sequence="1"),
        auction(quarter_hours((1, 99)), sequence="2"),
        auction(quarter_hours((1, 55)), contract="A07"),
    ]
    file = file_of(publication("".join(series[i] for i in order)))
    assert {column.label.name for column in file.columns} == {"DE-LU", "DE-LU sequence 2", "DE-LU intraday"}
    assert set(values(file.column(PRICE, "", {DE_LU}))) == {10}
    assert set(values(file.column(PRICE, "DE-LU sequence 2"))) == {99}
    with pytest.raises(InvalidFileError, match="name one of"):
        file.column(PRICE)


@pytest.mark.parametrize("other", [{"sequence": "2"}, {"contract": "A07"}])
def test_what_is_not_the_day_ahead_price_must_be_named(other):
    file = file_of(publication(auction(quarter_hours((1, 10)), **other)))
    for eics in (set(), {DE_LU}):
        with pytest.raises(InvalidFileError, match="name one of DE-LU "):
            file.column(PRICE, "", eics)


def test_two_zones_and_periods_in_any_order():
    late = period(END, "2026-02-17T01:00Z", "PT60M", points([(1, 7)]))
    early = period(START, END, "PT60M", points([(1, 5)]))
    file = file_of(publication(auction(late + early, eic=BE) + auction(early, eic=ES), version="7:0"))
    assert values(named(file, "BE")) == [5, 7]
    assert values(named(file, "ES")) == [5]


def test_prefixed_names_will_do():
    text = publication(auction(quarter_hours((1, 10))))
    prefixed = text.replace("<Publication_", "<ns0:Publication_").replace("</Publication_", "</ns0:Publication_")
    assert values(only(file_of(prefixed.replace("xmlns=", "xmlns:ns0=")))) == [10] * 4


def test_the_same_time_twice_is_refused():
    twice = auction(quarter_hours((1, 10))) + auction(quarter_hours((1, 11)), sequence="1")
    with pytest.raises(InvalidFileError, match=r"sample:\d+: zone DE-LU, 2026-02-16T23:00:00Z is given twice"):
        file_of(publication(twice))
    hour = period("2026-02-16T22:30Z", "2026-02-16T23:30Z", "PT60M", points([(1, 7)]))
    with pytest.raises(InvalidFileError, match="overlaps the value of row"):
        file_of(publication(auction(quarter_hours((1, 10)) + hour)))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("<type>A44</type>", "<type>A80</type>", "is a document of type 'A80', not A44"),
        ("<type>A44</type>", "", "must have one type"),
        ("A03</curveType>", "A05</curveType>", "curveType must be A01 or A03"),
        (">MWH<", ">KWH<", "price_Measure_Unit.name must be MWH"),
        (">EUR<", ">euro<", "currency_Unit.name must be an ISO 4217 code"),
        (">EUR<", "><", "must have one currency_Unit.name"),
        ("PT15M", "P1D", "resolution must be one of"),
        ("PT15M", "PT25M", "resolution must be one of"),
        (f"<end>{END}", "<end>2026-02-17T00:10Z", "is no run of PT15M"),
        (f"<end>{END}", "<end>2026-02-16T23:00Z", "is no run of PT15M"),
        (f"<end>{END}", "<end>2026-02-30T00:00Z", "end must be as"),
        (f"<end>{END}", "<end>2026-02-17T00:00+01:00", "end must be as"),
        ("<position>3<", "<position>1<", "position 1 comes after 1"),
        ("<position>3<", "<position>5<", "position must be 1 to 4"),
        ("<position>3<", "<position>x<", "position must be 1 to 4"),
        ("<price.amount>20<", "<price.amount>2,0<", "price.amount must be a finite number"),
        ("<price.amount>20<", "<price.amount>nan<", "price.amount must be a finite number"),
        ("<price.amount>20<", "<price.amount>1e999<", "price.amount must be a finite number"),
        ("<price.amount>20</price.amount>", "", "must have one price.amount"),
        ("<out_Domain.mRID>10Y1001A1001A82H", "<out_Domain.mRID>10YBE----------2", "out_Domain.mRID must be"),
    ],
)
def test_wrong_documents_are_named_by_line(before, after, message):
    text = publication(auction(quarter_hours((1, 10), (3, 20))))
    assert before in text
    with pytest.raises(InvalidFileError, match=rf"sample:\d+: .*{message}"):
        file_of(text.replace(before, after))


def test_a_document_without_series_is_refused():
    with pytest.raises(InvalidFileError, match="has no TimeSeries"):
        file_of(publication(""))
    with pytest.raises(InvalidFileError, match="has no Period"):
        file_of(publication(auction("")))


def test_no_data_is_said_in_the_words_of_the_platform():
    text = (
        '<?xml version="1.0"?><Acknowledgement_MarketDocument><mRID>1</mRID><Reason><code>999</code>'
        "<text>No matching data found for 10YBE----------2</text></Reason></Acknowledgement_MarketDocument>"
    )
    with pytest.raises(InvalidFileError, match="sent no data: No matching data found for 10YBE"):
        file_of(text)


LAUGHS = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>
<Publication_MarketDocument><type>&b;</type></Publication_MarketDocument>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>
<Publication_MarketDocument><type>&f;</type></Publication_MarketDocument>"""
DTD = """<?xml version="1.0"?><!DOCTYPE Publication_MarketDocument SYSTEM "x.dtd"><Publication_MarketDocument/>"""


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, DTD])
def test_entities_and_dtds_are_refused(text):
    with pytest.raises(InvalidFileError, match="declares a DTD or entities, which is refused"):
        file_of(text)


def test_depth_is_limited():
    deep = "<Publication_MarketDocument>" + "<x>" * 5_000 + "</x>" * 5_000 + "</Publication_MarketDocument>"
    with pytest.raises(InvalidFileError, match="more than 32 deep"):
        file_of(deep)


def test_activated_prices_are_sparse_and_keep_the_sign_of_the_market():
    up = period("2026-01-05T00:00Z", "2026-01-05T00:30Z", "PT15M", activation_points([(1, 100), (2, 90)]))
    later = period("2026-01-05T02:00Z", "2026-01-05T02:30Z", "PT15M", activation_points([(1, 80)]))
    down = period("2026-01-05T00:15Z", "2026-01-05T00:30Z", "PT15M", activation_points([(1, -40)]))
    series = [("A96", "A01", up), ("A96", "A02", down), ("A96", "A01", later), ("A97", "A01", up)]
    file = file_of(activated(series))
    assert [column.label.name for column in file.columns] == [
        "DE-50Hertz aFRR up average",
        "DE-50Hertz aFRR down average",
        "DE-50Hertz mFRR up average",
    ]
    upward, downward, _ = file.columns
    assert upward.label.quantity is Quantity.ACTIVATED_PRICE and upward.label.direction is Direction.UP
    assert values(upward) == [100, 90, 80, 80] and values(downward) == [-40]
    assert upward.between(utc("2026-01-05T02:00Z"), utc("2026-01-05T02:30Z")).values == (80, 80)
    with pytest.raises(InvalidFileError, match="a gap"):
        upward.between(utc("2026-01-05T00:00Z"), utc("2026-01-05T02:30Z"))
    with pytest.raises(InvalidFileError, match="holds no day-ahead price, but activated energy price"):
        file.column(PRICE)


def test_kinds_of_activated_prices_are_told_apart():
    def one(category: str) -> str:
        return period(START, END, "PT60M", activation_points([(1, 5)], category))

    file = file_of(activated([("A97", "A01", one("A06")), ("A97", "A01", one("A07")), ("A97", "A01", one("A08"))]))
    assert [column.label.detail for column in file.columns] == ["average", "marginal", "cross-border marginal"]
    with pytest.raises(InvalidFileError, match="businessType must be one of"):
        file_of(activated([("A01", "A01", one("A06"))]))
    with pytest.raises(InvalidFileError, match="mixes prices of several kinds: A06, A07"):
        file_of(activated([("A97", "A01", one("A06") + one("A07"))]))
