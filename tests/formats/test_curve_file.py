"""Demand curves read back as files, and auction results held against them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from openpyxl import load_workbook

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content
from scheduler.formats.curve_file import CurveFile, PeriodCurve, read
from scheduler.formats.demand_curve import LINEAR, STEPS, CurveRules, book_rows, curves_of, nord_pool_sheet
from scheduler.formats.plan_files import write_rows
from scheduler.gates import Terms, fold
from scheduler.horizon import Horizon
from scheduler.wire.request import schedule_request_from_pb
from scheduler.worth import Demand, Use
from tools import desk_day

ORDINARY = Horizon(datetime(2026, 6, 16, 22, tzinfo=UTC), 15, 96, "Europe/Berlin")
AUTUMN = Horizon(datetime(2026, 10, 24, 22, tzinfo=UTC), 15, 100, "Europe/Berlin")
SPRING = Horizon(datetime(2026, 3, 28, 23, tzinfo=UTC), 15, 92, "Europe/Berlin")
HOURS = replace(AUTUMN, step_minutes=60, count=25)
EXPORTED = datetime(2026, 3, 28, 9, tzinfo=UTC)


def demand_on(horizon: Horizon) -> Demand:
    """Some that is sold, and five uses of other prices in each period."""
    draw = np.random.default_rng(5)
    uses = [
        Use("s", "g", "a", "b", draw.uniform(0.2, 3, horizon.count), np.round(draw.uniform(-40, 140, horizon.count), 2))
        for _ in range(5)
    ]
    return Demand(draw.uniform(-2, 2, horizon.count), tuple(uses))


def written(folder, layout: str, suffix: str, horizon: Horizon, rules: CurveRules):
    """The path of a curve, and what was written to it."""
    if layout == "book":
        curves = {t: curves_of(demand_on(horizon), [t], rules)[t] for t in range(horizon.count)}
        rows = book_rows(curves, horizon, "EUR", rules, "GER")
    else:
        curves = curves_of(demand_on(horizon), range(horizon.count), replace(rules, most_points_count=5000))
        rows = nord_pool_sheet(curves, horizon, "EUR", rules, exported_at=EXPORTED)
    path = folder / f"curve.{suffix}"
    write_rows(path, rows)
    return path, curves


def curve_in(path, horizon: Horizon = ORDINARY) -> CurveFile:
    return read(Content.of(path), horizon)


@pytest.mark.parametrize("layout", ["book", "sheet"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("rules", [LINEAR, STEPS], ids=["linear", "steps"])
@pytest.mark.parametrize("horizon", [ORDINARY, SPRING, AUTUMN, HOURS], ids=lambda h: f"{h.count}x{h.step_minutes}")
def test_what_was_written_reads_back(layout, suffix, rules, horizon, tmp_path):
    """Each period has its own curve: the hours of a clock change too. It buys the same at every step."""
    path, curves = written(tmp_path, layout, suffix, horizon, rules)
    found = curve_in(path, horizon)
    assert found.currency_code == "EUR"
    assert list(found.curves) == [horizon.boundary_utc(t) for t in range(horizon.count)]
    for t, curve in curves.items():
        mine = found.curves[horizon.boundary_utc(t)]
        steps = [(ticks / 100, lots / 10) for ticks, lots in curve.items()]
        if layout == "sheet":
            assert list(mine.points) == steps
        volumes = dict(steps)
        for price, mw in steps:
            least, most = mine.range_mw(price)
            assert least - 1e-9 <= mw <= most + 1e-9
        for (low, _), (high, mw) in pairwise(steps):
            if high - low > 0.05:
                least, most = mine.range_mw((low + high) / 2)
                assert least == most == volumes[high] == pytest.approx(mw), "between steps there is one volume"


def test_what_a_result_may_hold():
    curve = PeriodCurve(2, ((-500.0, 3.0), (40.0, 3.0), (40.01, 1.0), (4000.0, 1.0)))
    coarse = PeriodCurve(2, ((-500.0, 3.0), (40.0, 3.0), (40.1, 1.0), (4000.0, 1.0)))
    assert [coarse.range_mw(price) for price in (39.8, 40, 40.05, 40.1, 40.3)] == [
        (3, 3),
        (1, 3),
        (1, 3),
        (1, 3),
        (1, 1),
    ]
    assert [curve.range_mw(price) for price in (-500, 39.98, 40, 40.01, 40.03, 4000)] == [
        (3, 3), (3, 3), (1, 3), (1, 3), (1, 1), (1, 1),
    ]  # fmt: skip
    assert curve.range_mw(-500.5) is curve.range_mw(4000.01) is None
    steps = PeriodCurve(2, ((40.0, 3.0), (80.0, 2.0), (81.55, 2.0), (4000.0, 1.0)))
    assert [steps.range_mw(price) for price in (40, 41, 79, 80, 81.6)] == [(2, 3), (2, 2), (2, 2), (2, 2), (1, 1)]


@pytest.mark.parametrize(
    ("layout", "before", "after", "message"),
    [
        ("book", "utc_start", "start", "is no demand curve in the layout of"),
        ("book", "price_eur_per_mwh", "price", ":1: the header must name one price"),
        ("book", "volume_mw_buy_positive", "volume", ":1: the header must name a column 'volume_mw_buy_positive'"),
        ("book", "2026-06-16T22:15:00Z", "2026-06-16T22:10:00Z", r":2: 2026-06-16T22:00Z to its end is no interval"),
        ("book", "2026-06-16T22:00:00Z", "2026-06-18T22:00:00Z", r":2: 2026-06-18T22:00Z to its end is no interval"),
        ("book", "-500.0", "x", ":2: price_eur_per_mwh must be a finite number"),
        ("book", "-500.0", "5000", ":3: the prices of 2026-06-16T22:00Z must rise"),
        ("sheet", "Type", "Kind", "is no demand curve in the layout of"),
        ("sheet", "Period", "Periods", "has no row that begins with Period"),
        ("sheet", "Currency", "Money", "the heading lacks 'Currency'"),
        ("sheet", "17/06/2026", "18/06/2026", "Date .* is '18/06/2026': the plan runs from 2026-06-17"),
        ("sheet", "17/06/2026", "2026-06-17", "Date .* is '2026-06-17'"),
        ("sheet", "00:15-00:30", "00:00-00:15", ":12: '00:00-00:15' is given twice"),
        ("sheet", "00:15-00:30", "24:15-24:30", ":12: '24:15-24:30' is no period of 17/06/2026"),
        ("sheet", "-500.0,", "4000.0,", ":10: the steps of price must rise"),
        ("sheet", "-500.0,", "low,", ":10: 'low' is no number"),
    ],
)
def test_what_is_wrong_is_named(layout, before, after, message, tmp_path):
    path, _ = written(tmp_path, layout, "csv", ORDINARY, LINEAR)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    with pytest.raises(InvalidFileError, match=f"curve.csv{message}" if message[0] == ":" else message):
        curve_in(path)


def test_a_workbook_has_one_sheet(tmp_path):
    path, _ = written(tmp_path, "book", "xlsx", ORDINARY, LINEAR)
    book = load_workbook(path)
    book.create_sheet("more")
    book.save(path)
    with pytest.raises(InvalidFileError, match="has 2 sheets: a demand curve has one"):
        curve_in(path)


@pytest.mark.parametrize("layout", ["book", "sheet"])
def test_cut_off_anywhere_it_is_refused_or_says_the_same(layout, tmp_path):
    path, _ = written(tmp_path, layout, "csv", replace(ORDINARY, count=8), STEPS)
    horizon, data = replace(ORDINARY, count=8), path.read_bytes()
    whole = read(Content("c", data), horizon).curves
    for end in range(len(data)):
        try:
            found = read(Content("c", data[:end]), horizon).curves
        except InvalidFileError:
            continue
        for at, curve in found.items():
            assert curve.points == whole[at].points[: len(curve.points)]


@pytest.mark.parametrize("layout", ["book", "sheet"])
def test_bytes_that_are_changed_never_raise_anything_else(layout, tmp_path):
    path, _ = written(tmp_path, layout, "csv", replace(ORDINARY, count=8), STEPS)
    whole, random = path.read_bytes(), Random(3)
    for _ in range(300):
        data = bytearray(whole)
        at = random.randrange(len(data))
        data[at : at + random.choice([1, 1, 9])] = bytes(random.choice(b'019.,;-eE\n"aZ \xff\x00') for _ in range(2))
        try:
            read(Content("c", bytes(data)), replace(ORDINARY, count=8))
        except InvalidFileError as error:
            assert str(error).startswith("c:")


# ---- a result held against it ----


@pytest.fixture
def handed_in(tmp_path):
    """A request, the curve for its day and what an auction makes of it."""
    request = desk_day.request_of()
    _, problem, _ = schedule_request_from_pb(request)
    path, _ = written(tmp_path, "book", "csv", problem.horizon, LINEAR)
    result = tmp_path / "result.csv"
    result.write_text(desk_day.day_ahead_result(path.read_text(), desk_day.clearing_price()))
    return request, path, result


TERMS = Terms(max_deviation_mw=2, long_below_per_mwh=1, short_above_per_mwh=1)


def test_a_result_of_the_curve_is_folded_in(handed_in):
    request, curve, result = handed_in
    folded = fold(request, result, bids_path=curve, terms=TERMS)
    assert folded.said == fold(request, result, terms=TERMS).said


@pytest.mark.parametrize("away_mw", [0.2, -0.2, 5.0])
def test_a_result_that_is_not_on_the_curve_is_refused(handed_in, away_mw):
    request, curve, result = handed_in
    lines = result.read_text().splitlines()
    start, mw, price = lines[40].split(",")
    lines[40] = f"{start},{float(mw) + away_mw},{price}"
    result.write_text("\n".join(lines) + "\n")
    words = (
        rf"result.csv:41: .* MW were bought at {float(price):g} per MWh, and the curve in row \d+ of .*curve.csv buys"
    )
    with pytest.raises(InvalidFileError, match=words):
        fold(request, result, bids_path=curve, terms=TERMS)


def test_more_that_contradicts_the_curve(handed_in, tmp_path):
    request, curve, result = handed_in
    start, mw, _ = result.read_text().splitlines()[1].split(",")
    beyond = tmp_path / "beyond.csv"
    beyond.write_text(result.read_text().replace(result.read_text().splitlines()[1], f"{start},{mw},4500", 1))
    with pytest.raises(InvalidFileError, match=r"beyond.csv:2: .* at 4500 per MWh, .* does not reach that price"):
        fold(request, beyond, bids_path=curve, terms=TERMS)
    dollars = tmp_path / "dollars.csv"
    dollars.write_text(curve.read_text().replace("price_eur", "price_usd"))
    with pytest.raises(InvalidFileError, match=r"dollars.csv: is in USD, .*result.csv in EUR"):
        fold(request, result, bids_path=dollars, terms=TERMS)
    short = tmp_path / "short.csv"
    last = f"{schedule_request_from_pb(request)[1].horizon.end_utc - timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}"
    kept = [line for line in curve.read_text().splitlines() if not line.startswith(last)]
    short.write_text("\n".join(kept) + "\n")
    with pytest.raises(InvalidFileError, match=r"short.csv: has no curve of 2026-06-17T21:45Z"):
        fold(request, result, bids_path=short, terms=TERMS)
