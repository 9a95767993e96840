"""Both days on which the clock changes, through every reader, market, block, writer and picture.

What each of them says on such a day in detail stands in its own tests; here none may be missing.
"""

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from builders import miner_group, series
from openpyxl import load_workbook
from samples import DAYS, MARCH, OCTOBER, auction, file_of, first_utc, local_steps, period, points, publication
from test_day_ahead_csv import energy_charts, new_export, nordpool, old_export, smard, smard_english, smard_old
from test_own_tables import columns_of, parquet, rows, workbook
from test_regelleistung import AFRR_HEADER, FCR_HEADER, afrr_rows, csv_of, fcr_rows, workbook_of
from test_reserve_csv import AUTUMN, HOURS, SPRING, ercot_dam, ercot_mcpc, imbalance, mimer, neso, rebap

from scheduler import Result, cli, make_plan
from scheduler.formats import entsoe_acknowledgement
from scheduler.formats.registry import READERS
from scheduler.plan import CashKind
from scheduler.products import products
from scheduler.v1 import problem_pb2 as v1
from scheduler.v1 import scheduler_pb2
from scheduler.wire.json import response_to_json
from tools import desk_day

BOTH = pytest.mark.parametrize("day", [MARCH, OCTOBER])
CHICAGO, LONDON = "America/Chicago", "Europe/London"
CHANGES = {MARCH: SPRING, OCTOBER: AUTUMN}  # of Texas, by those of Europe
QUARTERS = {MARCH: 92, OCTOBER: 100}
FIRST_BLOCK_HOURS = {MARCH: 3, OCTOBER: 5}


def bounds(day: str, zone: str = "Europe/Berlin") -> tuple[datetime, datetime]:
    """First instant of a civil day, and the one after its last."""
    steps = local_steps(day, 60, zone)
    return steps[0][0].astimezone(UTC), steps[-1][1].astimezone(UTC)


# ---- readers -------------------------------------------------------------------------------------------------------


def entsoe(day: str, activated: bool = False) -> str:
    """Every quarter-hour of the day, each another price."""
    first, end = bounds(day)
    count = (end - first) // timedelta(minutes=15)
    marks = [(i + 1, i + 0.25) for i in range(count)]
    if not activated:
        return publication(
            auction(period(f"{first:%Y-%m-%dT%H:%MZ}", f"{end:%Y-%m-%dT%H:%MZ}", "PT15M", points(marks)))
        )
    from samples import activated as document
    from samples import activation_points

    inside = period(f"{first:%Y-%m-%dT%H:%MZ}", f"{end:%Y-%m-%dT%H:%MZ}", "PT15M", activation_points(marks))
    return document([("A96", "A01", inside)])


def tidy(day: str) -> str:
    lines = (f"{time:%Y-%m-%dT%H:%M:%SZ},{zone},{price}\n" for time, zone, price in rows(day, 60))
    return "utc_start,zone,price_eur_per_mwh\n" + "".join(lines)


FILES: dict[str, tuple[Callable[[str], str | bytes], int, str]] = {
    "tidy": (tidy, 60, "Europe/Berlin"),
    "tidy-xlsx": (lambda day: workbook(rows(day, 15)), 15, "Europe/Berlin"),
    "tidy-parquet": (lambda day: parquet(columns_of(rows(day, 15))), 15, "Europe/Berlin"),
    "entsoe-a44": (entsoe, 15, "Europe/Berlin"),
    "entsoe-a84": (lambda day: entsoe(day, activated=True), 15, "Europe/Berlin"),
    "entsoe-export-old": (old_export, 15, "Europe/Brussels"),
    "entsoe-export": (new_export, 15, "Europe/Brussels"),
    "smard": (smard, 15, "Europe/Berlin"),
    "smard-english": (smard_english, 60, "Europe/Berlin"),
    "smard-old": (smard_old, 60, "Europe/Berlin"),
    "nordpool": (nordpool, 15, "Europe/Oslo"),
    "energy-charts": (energy_charts, 15, "Europe/Berlin"),
    "regelleistung-fcr": (lambda day: csv_of(FCR_HEADER, fcr_rows(day)), 240, "Europe/Berlin"),
    "regelleistung-afrr": (lambda day: workbook_of(AFRR_HEADER, afrr_rows(day)), 240, "Europe/Berlin"),
    "mimer": (mimer, 60, "Europe/Stockholm"),
    "neso": (neso, 240, LONDON),
    "ercot-dam": (lambda day: ercot_dam(CHANGES[day]), 60, CHICAGO),
    "ercot-mcpc": (lambda day: ercot_mcpc(CHANGES[day]), 60, CHICAGO),
    "imbalance": (imbalance, 15, "Europe/Berlin"),
    "rebap": (rebap, 15, "Europe/Berlin"),
}
"""A file of a whole civil day, its step in minutes (240: blocks), and whose clock it goes by."""


@BOTH
@pytest.mark.parametrize("name", FILES)
def test_readers(name, day):
    """Every instant of the day once, in every column, no two of them apart by more or less than the step."""
    write, minutes, zone = FILES[name]
    file = file_of(write(day))
    first, end = bounds(CHANGES[day] if zone == CHICAGO else day, zone)
    if name == "neso":  # windows begin at 23:00; those of half an hour are sparse
        first, end = first - timedelta(hours=1), first + timedelta(hours=23)
        columns = [column for column in file.columns if column.label.product == "DC"]
    else:
        columns = file.columns
    assert columns
    for column in columns:
        starts = [row.start_utc for row in column.rows]
        if minutes < 240:
            count = (end - first) // timedelta(minutes=minutes)
            assert starts == [first + timedelta(minutes=minutes * i) for i in range(count)]
            assert column.between(first, end).values == tuple(row.value for row in column.rows)
        else:
            assert (starts[0], column.rows[-1].end_utc, len(starts)) == (first, end, 6)
            assert column.slices(first, end) == column.rows, "blocks tile the day by real hours"
            if name != "neso":
                assert column.rows[0].minutes == 60 * FIRST_BLOCK_HOURS[day]


def test_no_reader_is_missing():
    names = {file_of(write(MARCH)).source.format for write, _, _ in FILES.values()}
    assert names | {entsoe_acknowledgement.NAME} == {reader.NAME for reader in READERS}
    assert (DAYS[MARCH], DAYS[OCTOBER], HOURS[SPRING], HOURS[AUTUMN]) == (23, 25, 23, 25)


# ---- markets and blocks --------------------------------------------------------------------------------------------


AREAS = {
    "de": "Europe/Berlin", "at": "Europe/Vienna", "se": "Europe/Stockholm", "fi": "Europe/Helsinki",
    "no": "Europe/Oslo", "dk2": "Europe/Copenhagen", "gb": LONDON, "ercot": CHICAGO,
}  # fmt: skip


def blocks_of(first: datetime, end: datetime, zone: str, minutes: int) -> list[tuple[datetime, datetime]]:
    """Products of hours and less by real time, longer ones by the local clock: 3 or 5 hours where it changes."""
    place = ZoneInfo(zone)
    marks = [first]
    while marks[-1] < end:
        if minutes <= 60:
            marks.append(marks[-1] + timedelta(minutes=minutes))
        else:
            local = marks[-1].astimezone(place).replace(tzinfo=None) + timedelta(minutes=minutes)
            marks.append(local.replace(tzinfo=place).astimezone(UTC))
    return list(pairwise(marks))


def request_of(area: str, day: str) -> scheduler_pb2.ScheduleRequest:
    """4 MW of machines that switch at once, an energy market, and every product of an area, each a little dearer."""
    zone = AREAS[area]
    first, end = bounds(CHANGES[day] if zone == CHICAGO else day, zone)
    if area == "gb":  # its windows of four hours begin at 23:00
        first, end = first - timedelta(hours=1), end - timedelta(hours=1)
    count = (end - first) // timedelta(minutes=15)

    def held(value: float):
        found = series([value] * count, 15)
        found.start.FromDatetime(first)
        return found

    horizon = v1.Horizon(step_minutes=15, count=count, time_zone=zone)
    horizon.start.FromDatetime(first)
    markets = [v1.Market(id="da", energy={"price_per_mwh": held(60.0)}, open={})]
    for name in sorted(products()):
        if not name.startswith(f"{area}/"):
            continue
        row = products()[name][-1]
        market = v1.Market(id=name.partition("/")[2], open={})
        market.reserve.ref.name, market.reserve.ref.delivery_date = name, CHANGES[day] if zone == CHICAGO else day
        for i, (start, until) in enumerate(blocks_of(first, end, zone, row.block_minutes)):
            block = market.reserve.blocks.add(id=f"b{i}", capacity_price_per_mw_h=4.0 + i % 7, max_kw=1000)
            block.start.FromDatetime(start)
            block.end.FromDatetime(until)
        markets.append(market)
    group = miner_group(1200)
    problem = v1.Problem(
        horizon=horizon,
        currency_code="EUR",
        mining={"hashprice_per_ph_day": held(40.0)},
        sites=[{"id": "site", "connection": {}, "assets": [{"id": "group", "miner_group": group}]}],
        markets=markets,
    )
    return scheduler_pb2.ScheduleRequest(problem=problem, options={"rel_gap": 0.02, "counterfactuals": False})


@BOTH
@pytest.mark.parametrize("area", AREAS)
def test_markets_and_blocks(area, day):
    """Every product of the table is sold over the whole day, sound by the checker, at its price by real hours."""
    result = make_plan(request_of(area, day))
    problem, plan = result.schedule.problem, result.plan
    assert problem.horizon.count == QUARTERS[day] and len(problem.markets) > 5
    earned = {cash.stream.market_id: cash.total for cash in plan.cash if cash.stream.kind is CashKind.CAPACITY}
    sold = 0
    for market, market_plan in zip(problem.markets[1:], plan.markets[1:], strict=True):
        wanted = 0.0
        for block, block_plan in zip(market.blocks, market_plan.blocks, strict=True):
            hours = (block.end_utc - block.start_utc) / timedelta(hours=1)
            wanted += block_plan.offered_kw / 1000 * block.price_per_mw_h * hours
            sold += block_plan.offered_kw > 0
        assert earned.get(market.id, 0.0) == pytest.approx(wanted, abs=1e-6)
        lengths = {(block.end_utc - block.start_utc) / timedelta(hours=1) for block in market.blocks}
        if max(lengths) > 1:
            assert lengths == {4.0, float(FIRST_BLOCK_HOURS[day])}
        assert (
            sum((block.end_utc - block.start_utc) / timedelta(hours=1) for block in market.blocks) == QUARTERS[day] / 4
        )
    assert sold > 20


def test_no_market_is_missing():
    assert {name.partition("/")[0] for name in products()} == set(AREAS)


# ---- writers and pictures ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planned(tmp_path_factory) -> Callable[[str], tuple[Result, list[str]]]:
    """The day of the desk on such a day: its plan, and the paths of request and plan."""
    known: dict[str, tuple[Result, list[str]]] = {}

    def of(day: str) -> tuple[Result, list[str]]:
        if day not in known:
            request = desk_day.request_of(date.fromisoformat(day))
            request.options.rel_gap = 1e-3
            result = make_plan(request)
            folder = tmp_path_factory.mktemp("day")
            paths = [folder / "request.json", folder / "plan.json"]
            for path, message in zip(paths, (request, result.response), strict=True):
                path.write_text(response_to_json(message))
            known[day] = result, [str(path) for path in paths]
        return known[day]

    return of


def table_in(path: Path) -> list[list[object]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))
    (sheet,) = load_workbook(path, read_only=True).worksheets
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def instant(cell: object) -> datetime:
    return cell.replace(tzinfo=UTC) if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))


BY_INTERVAL = {  # WHAT with its options, and the column that says when, or None where the order does
    "demand-curve-book": (["demand-curve", "--layout", "book"], 0),
    "demand-curve-sheet": (["demand-curve"], None),
    "energy-bids": (["energy-bids", "--market", "afrr-up", "--type", "aFRR"], 1),
    "schedule": (["schedule"], 0),
}


@BOTH
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize("what", BY_INTERVAL)
def test_writers_by_interval(planned, day, what, suffix, tmp_path):
    """Each quarter-hour of the day has its own place, none twice and none left out that has anything to say."""
    result, paths = planned(day)
    words, when = BY_INTERVAL[what]
    out = tmp_path / f"out.{suffix}"
    assert cli.main(["write", words[0], *paths, "-o", str(out), *words[1:]]) == 0
    table = table_in(out)
    horizon = result.schedule.problem.horizon
    wanted = [horizon.boundary_utc(t) for t in range(horizon.count)]
    if when is None:
        first = next(i for i, row in enumerate(table) if row and row[0] == "Period")
        names = [row[0] for row in table[first + 1 :]]
        assert len(set(names)) == len(names) == QUARTERS[day]
        assert ("02:00A-02:15" in names) == ("02:00B-02:15" in names) == (day == OCTOBER)
        assert ("02:00-02:15" in names) is False
        return
    found = list(dict.fromkeys(instant(row[when]) for row in table[1:]))
    if what == "energy-bids":
        held = sum(b.mw for m in result.plan.markets if m.market_id == "afrr-up" for b in m.backing)
        wanted = [at for at, mw in zip(wanted, held, strict=True) if mw > 0]
        numbers = [int(str(row[3]).split("_")[1]) for row in table[1:]]
        assert numbers == sorted(numbers) and set(numbers) <= set(range(1, QUARTERS[day] + 1))
    assert found == wanted


@BOTH
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize(("market_id", "kind"), [("fcr", "FCR"), ("afrr-up", "aFRR"), ("mfrr-up", "mFRR")])
def test_capacity_bids(planned, day, suffix, market_id, kind, tmp_path):
    """Blocks by their local hours; FCR's price is that of its real hours."""
    result, paths = planned(day)
    out = tmp_path / f"out.{suffix}"
    assert cli.main(["write", "capacity-bids", *paths, "-o", str(out), "--market", market_id, "--type", kind]) == 0
    header, *lines = table_in(out)
    block_plans = next(m for m in result.plan.markets if m.market_id == market_id).blocks
    offered = {block.block_id: block.offered_kw for block in block_plans if block.offered_kw}
    assert {str(row[3])[-5:].replace("_", "-") for row in lines} == set(offered)
    assert {str(row[0])[:10] for row in lines} <= {day}
    assert sum(float(row[header.index("OFFERED_CAPACITY_[MW]")]) for row in lines) * 1000 == sum(offered.values())


@BOTH
def test_block_bids(planned, day, tmp_path):
    _, paths = planned(day)
    out = tmp_path / "blocks.csv"
    assert cli.main(["write", "block-bids", *paths, "-o", str(out), "--group", "s21"]) == 0
    header = table_in(out)[0]
    assert len(header) == 7 + QUARTERS[day] and len(set(header)) == len(header)


@BOTH
@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx"])
def test_tables(planned, day, kind, tmp_path):
    result, paths = planned(day)
    out = tmp_path / ("plan.xlsx" if kind == "xlsx" else "plan")
    assert cli.main(["write", "tables", *paths, "-o", str(out), *(["--as", kind] if kind != "xlsx" else [])]) == 0
    if kind == "csv":
        starts = [instant(row[0]) for row in table_in(out / "dispatch.csv")[1:]]
    elif kind == "parquet":
        starts = pq.read_table(out / "dispatch.parquet")["utc_start"].to_pylist()
    else:
        sheet = load_workbook(out, read_only=True)["dispatch"]
        starts = [instant(row[0]) for row in sheet.iter_rows(min_row=2, values_only=True)]
    horizon = result.schedule.problem.horizon
    assert list(dict.fromkeys(starts)) == [horizon.boundary_utc(t) for t in range(horizon.count)]


@BOTH
@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_pictures(planned, day, suffix, tmp_path):
    """23 or 25 hours wide, and the hour that is skipped or comes twice has one tick or none."""
    _, paths = planned(day)
    out = tmp_path / f"plan.{suffix}"
    assert cli.main(["plot", *paths, "-o", str(out)]) == 0
    begin = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix]
    assert out.read_bytes().startswith(begin) and out.stat().st_size > 10_000
    if suffix == "svg":
        assert f"{QUARTERS[day]} x 15 min" in out.read_text("utf-8")


@BOTH
def test_bids_of_gates_and_the_request_itself(planned, day, tmp_path, capsys):
    """`bid` for each market; `validate` and `audit` of what was planned. Results: see test_gates and test_day."""
    _, paths = planned(day)
    assert cli.main(["validate", paths[0]]) == 0 and cli.main(["audit", *paths]) == 0
    for market_id in ("fcr", "afrr-up", "mfrr-up", "day-ahead"):
        out = tmp_path / f"{market_id}.csv"
        assert cli.main(["bid", paths[0], market_id, "--plan", paths[1], "-o", str(out)]) == 0
        assert len(table_in(out)) > 1
    assert json.loads(Path(paths[1]).read_text())["solve"]["stop_reason"] == "STOP_REASON_PROVEN"
    assert first_utc(day) == bounds(day)[0]
