"""The reader of tidy price files: what it takes, and that it says by file and row what it does not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content
from scheduler.formats.registry import read_series
from scheduler.formats.series import Quantity
from scheduler.formats.tidy import read
from scheduler.formats.zones import ZONES
from scheduler.horizon import Horizon

HEADER = "utc_start,zone,price_eur_per_mwh\n"
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
START = datetime(2025, 3, 1, tzinfo=UTC)


def rows(*prices: float, step_minutes: int = 60, zone: str = "AT", start: datetime = START) -> str:
    times = (start + timedelta(minutes=step_minutes * i) for i in range(len(prices)))
    return "".join(f"{at:%Y-%m-%dT%H:%M:%SZ},{zone},{price}\n" for at, price in zip(times, prices, strict=True))


def file_of(text: str):
    return read(Content("prices.csv", text.encode()))


def parsed(text: str, zone: str = "AT"):
    return file_of(HEADER + text).column(Quantity.DAY_AHEAD_PRICE, zone)


def horizon(step_minutes: int, count: int, minutes: int = 0) -> Horizon:
    return Horizon(START + timedelta(minutes=minutes), step_minutes, count, "Europe/Vienna")


def test_reads_the_rows_of_the_horizon():
    found = parsed(rows(1, 2, -3.5, 4)).over(horizon(60, 2, minutes=60))
    assert (found.start_utc, found.step_minutes) == (START + timedelta(hours=1), 60)
    assert found.values == (2, -3.5)


def test_holds_coarser_prices():
    found = parsed(rows(1, 2)).over(horizon(30, 3, minutes=30))
    assert (found.start_utc, found.step_minutes) == (START + timedelta(minutes=30), 30)
    assert found.values == (1, 2, 2)


def test_the_first_price_may_have_begun_before():
    assert parsed(rows(1, 2, 3)).over(horizon(15, 1, minutes=75)).values == (2,)


def test_takes_finer_prices_only_where_their_mean_is_asked_for():
    file = parsed(rows(1, 2, 3, 4, 5, 6, 7, 8, step_minutes=15))
    with pytest.raises(InvalidFileError, match="mean_of_finer"):
        file.over(horizon(60, 2))
    found = file.over(horizon(60, 1, minutes=60), mean_of_finer=True)
    assert (found.step_minutes, found.values) == (15, (5, 6, 7, 8))


def test_the_step_may_change_outside_the_horizon():
    file = parsed(rows(1, 2) + rows(3, 4, 5, step_minutes=15, start=START + timedelta(hours=2)))
    assert file.over(horizon(60, 2)).values == (1, 2)
    assert file.over(horizon(15, 3, minutes=120)).values == (3, 4, 5)
    with pytest.raises(InvalidFileError, match="gap, or a change of step"):
        file.over(horizon(15, 11))


@pytest.mark.parametrize(
    ("count", "minutes", "message"),
    [
        (2, -60, r"prices\.csv:2: .*is its first price"),
        (4, 0, r"prices\.csv:4: .*is its last price"),
        (1, 60 * 24, r"prices\.csv:4: .*is its last price"),
    ],
)
def test_the_horizon_must_be_covered(count, minutes, message):
    with pytest.raises(InvalidFileError, match=message):
        parsed(rows(1, 2, 3)).over(horizon(60, count, minutes))


def test_an_hour_between_quarters_is_a_gap_and_one_beside_them_a_change_of_step():
    before, first = rows(1, 2, step_minutes=15, start=START - timedelta(minutes=30)), rows(3, start=START)
    after = rows(4, 5, step_minutes=15, start=START + timedelta(hours=1))
    with pytest.raises(InvalidFileError, match="are 0:15:00 apart, those here 1:00:00: a gap, or a change of step"):
        parsed(before + first + after).over(horizon(15, 4))
    for text in (first + after, before + first + after.splitlines(keepends=True)[0]):
        assert parsed(text).over(horizon(15, 4)).values == (3, 3, 3, 3)


def test_a_gap_is_named():
    file = parsed(rows(1, 2) + rows(4, 5, start=START + timedelta(hours=3)))
    with pytest.raises(InvalidFileError, match=r"prices\.csv:4: zone AT, 2025-03-01T03:00Z .* a gap"):
        file.over(horizon(60, 5))
    assert file.over(horizon(60, 2)).values == (1, 2), "a gap elsewhere does no harm"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(1, 2, step_minutes=30), "15 or 60 minutes, is 0:30:00"),
        (rows(1, 2, start=START + timedelta(minutes=-7)), "no multiple of the step"),
        (rows(1), "not known from one row"),
    ],
)
def test_wrong_steps(text, message):
    with pytest.raises(InvalidFileError, match=message):
        parsed(text).over(horizon(15, 1))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2025-03-01T01:00:00Z,AT\n", "has 2 fields"),
        ("2025-03-01T01:00:00Z,AT,1,2\n", "has 4 fields"),
        ("2025-03-01T01:00:00,AT,1\n", "utc_start must be"),
        ("2025-03-01T01:00:00+01:00,AT,1\n", "utc_start must be"),
        ("2025-02-29T01:00:00Z,AT,1\n", "utc_start: day is out of range"),
        ("2025-03-01T01:00:00Z,,1\n", "names no zone"),
        ("2025-03-01T01:00:00Z, AT,1\n", "spaces around the zone"),
        ("2025-03-01T01:00:00Z,AT,\n", "finite number, is ''"),
        ("2025-03-01T01:00:00Z,AT,nan\n", "finite number"),
        ("2025-03-01T01:00:00Z,AT,inf\n", "finite number"),
        ("2025-03-01T01:00:00Z,AT,1e999\n", "finite number"),
        ('2025-03-01T01:00:00Z,AT,"1,5"\n', "finite number"),
        ("2025-03-01T01:00:00Z,AT,1_0\n", "finite number"),
        ("2025-03-01T01:00:00Z,AT,N.E.\n", "finite number"),
        ("2025-03-01T00:00:00Z,AT,1\n", "is given twice"),
        ("2025-02-28T23:00:00Z,AT,1\n", "is out of order"),
        ('2025-03-01T01:00:00Z,"AT,1\n', "unexpected end of data"),
    ],
)
def test_wrong_rows_are_named(line, message):
    with pytest.raises(InvalidFileError, match=rf"prices\.csv:3: .*{message}"):
        parsed(rows(1) + line)


@pytest.mark.parametrize(
    "header", ["", "utc_start;zone;price_eur_per_mwh", "zone,utc_start,price_eur_per_mwh", "a,b,c"]
)
def test_wrong_headers(header):
    with pytest.raises(InvalidFileError, match=r"prices\.csv:1: the header must be"):
        file_of(header + "\n" + rows(1))


def test_no_prices():
    with pytest.raises(InvalidFileError, match="has no prices"):
        parsed("")


def test_byte_order_mark_line_ends_and_blank_lines(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + rows(1, 2) + "\n").replace("\n", "\r\n").encode())
    file = read_series(path).column(Quantity.DAY_AHEAD_PRICE)
    assert file.over(horizon(60, 2)).values == (1, 2)
    assert file.currency_code == "EUR"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00u", HEADER.encode() + b"2025-03-01T00:00:00Z,\xe4,1\n"])
def test_not_utf_8(tmp_path, content):
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidFileError, match="is not UTF-8"):
        read_series(path)


def test_zones():
    both = file_of(HEADER + rows(1, zone="AT") + rows(2, zone="SE3"))
    eic = {name: code for code, name in ZONES.items()}

    def chosen(file, wanted="", eics=()):
        return file.column(Quantity.DAY_AHEAD_PRICE, wanted, eics).label.area

    assert chosen(both, "SE3") == "SE3"
    assert chosen(both, "", {eic["SE3"]}) == "SE3"
    assert chosen(both, "AT", {eic["SE3"]}) == "AT", "who names a zone gets it"
    for wanted, eics in [
        ("", set()),
        ("", {""}),
        ("", {eic["AT"], eic["SE3"]}),
        ("FR", set()),
        ("", {eic["FR"]}),
    ]:
        with pytest.raises(InvalidFileError, match="name one of AT, SE3"):
            chosen(both, wanted, eics)
    one = file_of(HEADER + rows(1))
    assert chosen(one, "", {""}) == chosen(one, "", {"10Y-NOT-KNOWN--X"}) == "AT"
    with pytest.raises(InvalidFileError, match="no zone FR"):
        chosen(one, "", {eic["FR"]})


def check_character(eic: str) -> str:
    """The 16th character of an EIC, from the 15 before it (ENTSO-E's EIC reference manual, annex)."""
    marks = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"
    total = sum(marks.index(mark) * (16 - at) for at, mark in enumerate(eic[:15]))
    return marks[36 - (total - 1) % 37]


@pytest.mark.parametrize("eic", ZONES)
def test_every_eic_holds_its_check_character(eic):
    assert len(eic) == 16
    assert eic[15] == check_character(eic)


@pytest.mark.parametrize(
    ("name", "start", "step_minutes", "count", "zone", "time_zone"),
    [
        ("day_ahead_de_lu_60min_2021_2023.csv", "2022-10-29T22:00Z", 60, 25, "DE-LU", "Europe/Berlin"),
        ("day_ahead_de_lu_60min_2021_2023.csv", "2022-03-26T23:00Z", 60, 23, "DE-LU", "Europe/Berlin"),
        ("day_ahead_de_lu_15min_2025q4.csv", "2025-10-25T22:00Z", 15, 100, "DE-LU", "Europe/Berlin"),
        ("day_ahead_se3_15min_2025q4.csv", "2025-11-30T23:00Z", 15, 96, "SE3", "Europe/Stockholm"),
        ("day_ahead_at_fr_nl_no2_60min_2023h1.csv", "2023-05-01T22:00Z", 60, 24, "NO2", "Europe/Oslo"),
    ],
)
def test_real_files(name, start, step_minutes, count, zone, time_zone):
    if not (DATA / name).exists():
        pytest.skip("the real market data lie beside the project, in ../shared/data, and are not committed")
    day = Horizon(datetime.fromisoformat(start), step_minutes, count, time_zone)
    assert set(day.civil_day) == {0}, "one civil day"
    found = read_series(DATA / name).column(Quantity.DAY_AHEAD_PRICE, zone).over(day)
    assert len(found.values) == count
    assert min(found.values) < max(found.values)
