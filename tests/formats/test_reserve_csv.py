"""Results of reserve markets and imbalance prices as CSV: Mimer, NESO, ERCOT, netztransparenz.de."""

from datetime import timedelta

import pytest
from samples import DAYS, ORDINARY, PRICE, file_of, first_utc, local_steps, named, starts, steps, values

from scheduler.errors import InvalidFileError
from scheduler.formats.series import Quantity
from scheduler.problem import Direction

EVERY_DAY = pytest.mark.parametrize("day", DAYS)


# ---- Mimer ----------------------------------------------------------------------------------------------------------


def mimer(day):
    header = "Datum;FCR-N Pris (EUR/MW);Total;SE3 FCRN;FCR-D upp Pris (EUR/MW);Total FCRD upp;SE3 FCRD upp;"
    header += "FCR-D ned Pris (EUR/MW);Total FCRD ned;SE3 FCRD ned;\r\n"
    rows = [
        f"{a:%Y-%m-%d %H:%M:%S};{9 + i},125;240;100;{3 + i},5;560;200,5;{1 + i},25;500;100\r\n"
        for i, (a, _) in enumerate(local_steps(day, 60, "Europe/Stockholm"))
    ]
    return header + "".join(rows)


@EVERY_DAY
def test_mimer(day):
    file = file_of(mimer(day))
    assert [column.label.name for column in file.columns] == ["SE FCR-N symmetric", "SE FCR-D up", "SE FCR-D down"]
    assert {column.currency_code for column in file.columns} == {"EUR"}
    for column, first in zip(file.columns, (9.125, 3.5, 1.25), strict=True):
        assert column.label.quantity is Quantity.CAPACITY_PRICE
        assert starts(column) == steps(first_utc(day), DAYS[day], 60)
        assert values(column) == [first + i for i in range(DAYS[day])]


def test_zeros_without_volume_are_no_prices():
    text = mimer(ORDINARY).replace(";5,5;560;", ";0;0;").replace(";6,5;560;", ";0;560;")
    column = named(file_of(text), "SE FCR-D up")
    assert values(column)[:3] == [3.5, 4.5, 0], "the third hour is missing, the fourth was bought at 0"
    with pytest.raises(InvalidFileError, match=r"sample:5: .*a gap"):
        column.between(first_utc(ORDINARY), first_utc(ORDINARY) + timedelta(hours=5))


# ---- NESO -----------------------------------------------------------------------------------------------------------


def neso(day=ORDINARY):
    rows = [
        "auctionID,auctionProduct,serviceType,deliveryStart,deliveryEnd,clearedVolume,clearingPrice,linkedServiceWindowID"
    ]
    first = first_utc(day, "Europe/London") - timedelta(hours=1)
    for i, start in enumerate(steps(first, 6, 240)):
        for product in ("DCL", "DCH"):
            end = start + timedelta(hours=4)
            rows.append(f"1,{product},Response,{start:%Y-%m-%dT%H:%M:%S},{end:%Y-%m-%dT%H:%M:%S},900,{i + 1}.5,")
    for i, start in enumerate(steps(first, 48, 30)):
        end, cleared = start + timedelta(minutes=30), "0,0" if i == 2 else f"196,{i}"
        rows.append(f"2,PBR,Reserve,{start:%Y-%m-%dT%H:%M:%S},{end:%Y-%m-%dT%H:%M:%S},{cleared},")
    return "\n".join(rows) + "\n"


@EVERY_DAY
def test_neso(day):
    file = file_of(neso(day))
    assert [column.label.name for column in file.columns] == ["GB DC up", "GB DC down", "GB BR up"]
    low, _, reserve = file.columns
    assert low.currency_code == "GBP" and low.label.direction is Direction.UP
    assert values(low) == [1.5, 2.5, 3.5, 4.5, 5.5, 6.5] and {row.minutes for row in low.rows} == {240}
    assert values(reserve) == [0, 1, *range(3, 48)], "what was not bought has no price"
    first = starts(low)[0]
    assert low.mean(first, first + timedelta(hours=8)) == 2
    with pytest.raises(InvalidFileError, match="no values that make up"):
        reserve.mean(first, first + timedelta(hours=2))


# ---- ERCOT ----------------------------------------------------------------------------------------------------------

SPRING, AUTUMN = "2026-03-08", "2026-11-01"
HOURS = {SPRING: 23, ORDINARY: 24, AUTUMN: 25}
CENTRAL = "America/Chicago"


def ercot_hours(day):
    """Day, hour that ends and flag, as ERCOT names them."""
    for a, _ in local_steps(day, 60, CENTRAL):
        yield f"{a:%m/%d/%Y}", f"{a.hour + 1:02d}:00", "Y" if a.fold else "N"


def ercot_dam(day, flagged=True):
    rows = ["DeliveryDate,HourEnding,SettlementPoint,SettlementPointPrice" + ",DSTFlag" * flagged]
    for i, (on, ending, flag) in enumerate(ercot_hours(day)):
        for point, price in (("HB_NORTH", 20 + i), ("LZ_WEST", 30 - i)):
            rows.append(f"{on},{ending},{point}, {price}.25" + f",{flag}" * flagged)
    return "\n".join(rows) + "\n"


def ercot_mcpc(day):
    rows = ["DeliveryDate,HourEnding,AncillaryType,MCPC,DSTFlag"]
    for i, (on, ending, flag) in enumerate(ercot_hours(day)):
        rows += [
            f"{on},{ending},{name},{i + k},{flag}" for k, name in enumerate(("REGUP", "REGDN", "RRS", "ECRS", "NSPIN"))
        ]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("day", HOURS)
@pytest.mark.parametrize("flagged", [True, False])
def test_ercot_prices(day, flagged):
    file = file_of(ercot_dam(day, flagged))
    column = file.column(PRICE, "HB_NORTH")
    assert column.currency_code == "USD"
    assert starts(column) == steps(first_utc(day, CENTRAL), HOURS[day], 60)
    assert values(column) == [20.25 + i for i in range(HOURS[day])]
    with pytest.raises(InvalidFileError, match="name one of HB_NORTH, LZ_WEST"):
        file.column(PRICE)


@pytest.mark.parametrize("day", HOURS)
def test_ercot_services(day):
    file = file_of(ercot_mcpc(day))
    names = ["ERCOT Reg up", "ERCOT Reg down", "ERCOT RRS up", "ERCOT ECRS up", "ERCOT NSPIN up"]
    assert [column.label.name for column in file.columns] == names
    for k, column in enumerate(file.columns):
        assert starts(column) == steps(first_utc(day, CENTRAL), HOURS[day], 60)
        assert values(column) == [float(i + k) for i in range(HOURS[day])]


def test_ercot_half_of_the_hour_that_comes_twice_is_not_guessed():
    lines = ercot_dam(AUTUMN, flagged=False).splitlines(keepends=True)
    with pytest.raises(InvalidFileError, match="comes twice in America/Chicago and 1 times"):
        file_of("".join(lines[:3] + lines[5:]))


# ---- imbalance ------------------------------------------------------------------------------------------------------


def imbalance(day):
    rows = ["\ufeffDatum;Zeitzone;von;bis;Einheit;AEP Modul 1;AEP Modul 2;AEP Modul 3\r\n"]
    for i, start in enumerate(steps(first_utc(day), DAYS[day] * 4, 15)):
        end = start + timedelta(minutes=15)
        rows.append(f"{start:%d.%m.%Y};UTC;{start:%H:%M};{end:%H:%M};EUR/MWh;{100 - i},5;{i},25;N.E.\r\n")
    return "".join(rows)


def rebap(day):
    rows = ["Datum;von;Zeitzone von;bis;Zeitzone bis;Einheit;reBAP unterdeckt;reBAP überdeckt\n"]
    for i, (a, b) in enumerate(local_steps(day, 15)):
        rows.append(f"{a:%Y-%m-%d};{a:%H:%M};{a.tzname()};{b:%H:%M};{b.tzname()};EUR/MWh;{i},5;-{i},5\n")
    return "".join(rows)


@EVERY_DAY
def test_imbalance_modules(day):
    file = file_of(imbalance(day))
    assert [column.label.name for column in file.columns] == ["DE AEP Modul 1", "DE AEP Modul 2"]
    column = file.columns[0]
    assert starts(column) == steps(first_utc(day), DAYS[day] * 4, 15)
    assert values(column) == [100.5 - i for i in range(DAYS[day] * 4)]
    assert column.between(starts(column)[0], column.rows[-1].end_utc).step_minutes == 15


@EVERY_DAY
def test_imbalance_prices_in_local_time(day):
    file = file_of(rebap(day))
    assert [column.label.detail for column in file.columns] == ["reBAP unterdeckt", "reBAP überdeckt"]
    assert starts(file.columns[0]) == steps(first_utc(day), DAYS[day] * 4, 15)
    assert values(file.columns[1])[:3] == [-0.5, -1.5, -2.5]


# ---- what is refused ------------------------------------------------------------------------------------------------

WRONG = [
    (mimer, "2026-06-14 01:00:00", "2026-06-14 01:30:00", ":3: Datum must be as"),
    (mimer, "2026-06-14 01:00:00", "2026-06-14 00:00:00", ":2: .*comes twice|:3: .*is given twice"),
    (mimer, "2026-06-14 01:00:00", "2026-06-16 01:00:00", ":4: .*is out of order"),
    (mimer, ";10,125;", ";10.125;", ":3: FCR-N Pris .* must be a finite number"),
    (mimer, "FCR-N Pris", "FCR-X Pris", ":1: the product of 'FCR-X Pris"),
    (mimer, "Total FCRD upp", "Summa FCRD upp", ":1: the header must name a column 'Total FCRD upp'"),
    (mimer, ";240;100;4,5", ";100;4,5", ":3: has 9 fields, not 10"),
    (neso, "DCL", "DCX", ":2: auctionProduct must be one of"),
    (neso, "900,1.5", "900,-", ":2: clearingPrice must be a finite number"),
    (neso, "T22:00:00,", "T22:00:00+01:00,", ":2: deliveryStart must be as"),
    (
        neso,
        "2026-06-13T22:00:00,2026-06-14T02:00:00",
        "2026-06-14T02:00:00,2026-06-13T22:00:00",
        ":2: .*must come after",
    ),
    (neso, "2026-06-13T22:00:00,2026-06-14T02:00:00", "2026-06-13T22:00:00,2026-06-14T03:00:00", ":4: .*overlaps"),
    (ercot_dam, "06/14/2026,01:00", "14/06/2026,01:00", ":2: DeliveryDate and HourEnding must be as"),
    (ercot_dam, "06/14/2026,01:00", "06/14/2026,25:00", ":2: DeliveryDate and HourEnding must be as"),
    (ercot_dam, "06/14/2026,02:00", "06/14/2026,01:00", ":4: .*is given twice"),
    (ercot_dam, " 20.25,N", " 20.25,X", ":2: DSTFlag must be Y or N"),
    (ercot_dam, " 20.25,N", ",N", ":2: SettlementPointPrice must be a finite number"),
    (ercot_dam, "HB_NORTH", "", ":2: SettlementPoint is empty"),
    (ercot_mcpc, "REGUP", "REGXX", ":2: AncillaryType must be one of"),
    (imbalance, "EUR/MWh", "EUR/kWh", ":2: Einheit must be EUR/MWh"),
    (imbalance, ";UTC;", ";EST;", ":2: Zeitzone must be one of"),
    (imbalance, "22:00;22:15", "22:00;22:20", ":2: from von to bis is no interval"),
    (imbalance, "22:15;22:30", "22:00;22:15", ":3: .*is given twice"),
    (imbalance, "13.06.2026", "31.06.2026", ":2: Datum and von must be as"),
    (imbalance, "100,5", "100.5", ":2: AEP Modul 1 must be a finite number"),
    (imbalance, "100,5", "", ":2: AEP Modul 1 must be a finite number"),
    (imbalance, "Einheit", "Unit", ":1: the header must name a column 'Einheit'"),
]


@pytest.mark.parametrize(("sample", "before", "after", "message"), WRONG)
def test_what_is_wrong_is_named(sample, before, after, message):
    text = sample(ORDINARY)
    assert before in text
    with pytest.raises(InvalidFileError, match=f"sample({message})"):
        file_of(text.replace(before, after, 1))
