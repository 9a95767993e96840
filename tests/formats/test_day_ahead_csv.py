"""Day-ahead prices of web pages and APIs: ENTSO-E's export, SMARD, Nord Pool, energy-charts."""

import json
from datetime import datetime, timedelta

import pytest
from samples import (
    DAYS,
    MARCH,
    OCTOBER,
    ORDINARY,
    PRICE,
    file_of,
    first_utc,
    local_steps,
    named,
    only,
    starts,
    steps,
    utc,
    values,
)
from test_regelleistung import workbook_of

from scheduler.errors import InvalidFileError

STEPS = pytest.mark.parametrize("minutes", [15, 60])
EVERY_DAY = pytest.mark.parametrize("day", DAYS)


def price(i):
    return round(50 - i * 0.75, 2)


def expected(day, minutes):
    count = DAYS[day] * 60 // minutes
    return steps(first_utc(day), count, minutes), [price(i) for i in range(count)]


# ---- ENTSO-E export -------------------------------------------------------------------------------------------------


def old_export(day, minutes=15):
    """The end of a row is by the clock of its start: 02:45 to 03:00 both times in autumn."""
    length = timedelta(minutes=minutes)
    rows = []
    for i, (a, _) in enumerate(local_steps(day, minutes, "Europe/Brussels")):
        b = a.replace(tzinfo=None) + length
        rows.append(f'"{a:%d.%m.%Y %H:%M} - {b:%d.%m.%Y %H:%M}","{price(i):.2f}","EUR"\n')
    return '"MTU (CET/CEST)","Day-ahead Price [EUR/MWh]","Currency","BZN|DE-LU"\n' + "".join(rows)


def new_export(day, minutes=15, sequences=("Sequence 1", "Sequence 2"), area="BZN|DE-LU", marked=True):
    """Rows of a clock change are marked; the second auction is dearer by 100."""
    form = "%d/%m/%Y %H:%M:%S"
    change = DAYS[day] != 24 and marked
    rows = []
    for k, sequence in enumerate(sequences):
        for i, (a, b) in enumerate(local_steps(day, minutes, "Europe/Brussels")):
            begin, end = (f"{t.strftime(form)} ({t.tzname()})" if change else t.strftime(form) for t in (a, b))
            rows.append(f'"{begin} - {end}","{area}","{sequence}","{price(i) + 100 * k:.2f}","","",""\n')
    header = ["MTU (CET/CEST)", "Area", "Sequence", "Day-ahead Price (EUR/MWh)", "Intraday Period (CET/CEST)"]
    header += ["Intraday Price (EUR/MWh)", "Note"]
    return ",".join(f'"{name}"' for name in header) + "\n" + "".join(rows)


@EVERY_DAY
@STEPS
def test_old_export(day, minutes):
    column = only(file_of(old_export(day, minutes)))
    assert (starts(column), values(column)) == expected(day, minutes)
    assert column.label.name == "DE-LU" and {row.minutes for row in column.rows} == {minutes}


@EVERY_DAY
@STEPS
@pytest.mark.parametrize("marked", [True, False])
def test_new_export(day, minutes, marked):
    file = file_of(new_export(day, minutes, marked=marked))
    assert [column.label.name for column in file.columns] == ["DE-LU", "DE-LU sequence 2"]
    column = file.column(PRICE, "DE-LU")
    assert (starts(column), values(column)) == expected(day, minutes)


def test_one_auction_needs_no_number():
    column = only(file_of(new_export(ORDINARY, sequences=("Without Sequence",), area="BZN|SE3")))
    assert column.label.name == "SE3" and column.between(*span(ORDINARY)).values[0] == 50


def span(day):
    begin = first_utc(day)
    return begin, steps(begin, 2, DAYS[day] * 60)[1]


def test_export_in_utc_and_in_pounds():
    text = (
        '"MTU (UTC)","Area","Sequence","Day-ahead Price (GBP/MWh)"\n'
        '"25/10/2026 00:00:00 - 25/10/2026 00:30:00","BZN|GB","Without Sequence","10.5"\n'
        '"25/10/2026 00:30:00 - 25/10/2026 01:00:00","BZN|GB","Without Sequence","-"\n'
    )
    column = only(file_of(text))
    assert (starts(column), values(column), column.currency_code) == ([utc("2026-10-25T00:00Z")], [10.5], "GBP")


def test_export_of_which_each_line_is_quoted():
    text = old_export(MARCH).splitlines()
    wrapped = "".join('"' + line.replace('"', '""') + '"\n' for line in text)
    column = only(file_of(wrapped))
    assert (starts(column), values(column)) == expected(MARCH, 15)


def test_a_missing_price_in_the_hour_that_comes_twice():
    lines = old_export(OCTOBER).splitlines(keepends=True)
    at = 1 + 10
    lines[at] = lines[at].replace(f'"{price(10):.2f}"', '"-"')
    column = only(file_of("".join(lines)))
    times, prices = expected(OCTOBER, 15)
    assert (starts(column), values(column)) == (times[:10] + times[11:], prices[:10] + prices[11:])


# ---- SMARD ----------------------------------------------------------------------------------------------------------


def german(value):
    whole = f"{value:,.2f}"
    return whole.replace(",", " ").replace(".", ",").replace(" ", ".")


def smard(day, minutes=15, resolution="Originalauflösungen"):
    rows = [
        f"{a:%d.%m.%Y %H:%M};{b:%d.%m.%Y %H:%M};{german(price(i))};-;{german(price(i) - 1234.5)}\n"
        for i, (a, b) in enumerate(local_steps(day, minutes))
    ]
    names = [f"{name} [€/MWh] {resolution}" for name in ("Deutschland/Luxemburg", "Polen", "∅ Anrainer DE/LU")]
    return "\ufeffDatum von;Datum bis;" + ";".join(names) + "\n" + "".join(rows)


def smard_english(day, minutes=60):
    def time(t):
        return f"{t:%b} {t.day}, {t:%Y} {t.hour % 12 or 12}:{t:%M} {t:%p}"

    rows = [f"{time(a)};{time(b)};{price(i) + 1000:,.2f}\n" for i, (a, b) in enumerate(local_steps(day, minutes))]
    return "Start date;End date;Germany/Luxembourg [€/MWh] Original resolutions\n" + "".join(rows)


def smard_old(day, minutes=60):
    rows = [
        f"{a:%d.%m.%Y};{a:%H:%M};{b:%H:%M};{german(price(i))}\n" for i, (a, b) in enumerate(local_steps(day, minutes))
    ]
    return "Datum;Anfang;Ende;Deutschland/Luxemburg [€/MWh] Berechnete Auflösungen\n" + "".join(rows)


@EVERY_DAY
@STEPS
@pytest.mark.parametrize("resolution", ["Originalauflösungen", "Berechnete Auflösungen"])
def test_smard(day, minutes, resolution):
    file = file_of(smard(day, minutes, resolution))
    assert [column.label.name for column in file.columns] == ["DE-LU", "∅ Anrainer DE/LU"], "Poland has dashes alone"
    times, prices = expected(day, minutes)
    assert (starts(file.columns[0]), values(file.columns[0])) == (times, prices)
    assert values(file.columns[1]) == pytest.approx([value - 1234.5 for value in prices])


@EVERY_DAY
def test_smard_in_english(day):
    times, prices = expected(day, 60)
    column = only(file_of(smard_english(day)))
    assert (starts(column), values(column)) == (times, [round(value + 1000, 2) for value in prices])


@EVERY_DAY
@STEPS
def test_smard_of_old(day, minutes):
    column = only(file_of(smard_old(day, minutes)))
    assert (starts(column), values(column)) == expected(day, minutes)


# ---- Nord Pool ------------------------------------------------------------------------------------------------------


def nordpool(day, minutes=15, mark="."):
    rows = []
    for i, (a, b) in enumerate(local_steps(day, minutes, "Europe/Oslo")):
        prices = f"{price(i)};{price(i) + 5};".replace(".", mark)
        rows.append(f"{a:%d.%m.%Y %H:%M:%S};{b:%d.%m.%Y %H:%M:%S};{prices}\n")
    return "Delivery Start (CET);Delivery End (CET);SE3 Price (EUR);GER Price (EUR);\n" + "".join(rows)


@EVERY_DAY
@STEPS
@pytest.mark.parametrize("mark", [".", ","])
def test_nordpool(day, minutes, mark):
    file = file_of(nordpool(day, minutes, mark))
    assert [column.label.name for column in file.columns] == ["SE3", "DE-LU"]
    assert (starts(named(file, "SE3")), values(named(file, "SE3"))) == expected(day, minutes)


@EVERY_DAY
@pytest.mark.parametrize("as_text", [True, False])
def test_nordpool_with_two_rows_of_header(day, as_text):
    lines = [line.split(";")[:4] for line in nordpool(day).splitlines()]
    lines[:1] = [["Delivery Start (CET)", "Delivery End (CET)", "SE3", "GER"], ["", "", "Price (EUR)", "Price (EUR)"]]
    csv_text = "".join(";".join(line) + "\n" for line in lines)
    rows = [[cell or None for cell in line[:2]] + line[2:] for line in lines]
    if not as_text:
        form = "%d.%m.%Y %H:%M:%S"
        rows[2:] = [[*(datetime.strptime(t, form) for t in line[:2]), *map(float, line[2:])] for line in lines[2:]]
    for data in (csv_text, workbook_of(rows[0], rows[1:])):
        file = file_of(data)
        assert [column.label.name for column in file.columns] == ["SE3", "DE-LU"]
        assert (starts(named(file, "SE3")), values(named(file, "SE3"))) == expected(day, 15)


# ---- energy-charts --------------------------------------------------------------------------------------------------


def energy_charts(day, minutes=15, **changes):
    times, prices = expected(day, minutes)
    seconds = [int(time.timestamp()) for time in times]
    answer = {
        "license_info": "ours",
        "unix_seconds": seconds,
        "price": prices,
        "unit": "EUR / MWh",
        "deprecated": False,
    }
    return json.dumps({**answer, **changes})


@EVERY_DAY
@STEPS
def test_energy_charts(day, minutes):
    file = file_of(energy_charts(day, minutes))
    column = file.column(PRICE, "DE-LU")
    assert column.label.name == "", "the file does not say whose prices they are"
    assert (starts(column), values(column)) == expected(day, minutes)
    found = column.between(*span(day))
    assert found.step_minutes == minutes and found.provenance.startswith("day-ahead price of sample (energy-charts")


def test_a_null_is_a_gap():
    text = energy_charts(ORDINARY, 60).replace(f"{price(3)}", "null", 1)
    column = only(file_of(text))
    assert len(column.rows) == 23
    with pytest.raises(InvalidFileError, match=r"sample:5: .*a gap"):
        column.between(*span(ORDINARY))


# ---- what is refused ------------------------------------------------------------------------------------------------

WRONG = [
    (old_export, "Day-ahead Price [EUR/MWh]", "Day-ahead Price [EUR/kWh]", "must have one column of day-ahead prices"),
    (old_export, "MTU (CET/CEST)", "MTU (XYZ)", "must begin with a column such as"),
    (old_export, "BZN|DE-LU", "CTY|DE", "has 3 fields, not 4"),
    (old_export, '"50.00","EUR"', '"50.00","GBP"', ":2: the currency is 'GBP'"),
    (old_export, '"50.00"', '"50,00"', ":2: .* must be a finite number"),
    (old_export, '"50.00",', "", ":2: has 2 fields, not 4"),
    (old_export, "14.06.2026 00:00 - 14.06.2026 00:15", "14.06.2026 00:00 - 14.06.2026 00:20", "is no interval of"),
    (old_export, "14.06.2026 00:00 - 14.06.2026 00:15", "14.06.2026 00:00", "must be as 29.10.2023"),
    (old_export, "14.06.2026 00:00 - 14.06.2026 00:15", "31.06.2026 00:00 - 31.06.2026 00:15", "must be as 29.10.2023"),
    (old_export, "14.06.2026 00:15 - 14.06.2026 00:30", "14.06.2026 00:00 - 14.06.2026 00:15", ":3: .*is given twice"),
    (old_export, "14.06.2026 00:15 - 14.06.2026 00:30", "14.06.2025 00:15 - 14.06.2025 00:30", ":3: .*is out of order"),
    (new_export, "BZN|DE-LU", "", ":2: the area must be a bidding zone"),
    (new_export, "Sequence 2", "Sequence two", "Sequence must be as"),
    (new_export, "Sequence 2", "Sequence 1", "is given twice"),
    (smard, "[€/MWh]", "[MWh]", ":1: a column of prices in €/MWh is expected"),
    (smard, "Polen", "Germany/Luxembourg", ":1: .* are both prices of DE-LU"),
    (smard, ";50,00;", ";50.00;", ":2: .* must be a finite number, is '50.00'"),
    (smard, ";50,00;", ";;", ":2: .* must be a finite number, is ''"),
    (smard, "14.06.2026 00:15;14.06.2026 00:30", "14.06.2026 00:15;14.06.2026 00:35", ":3: from .* is no interval"),
    (smard, "14.06.2026 00:15;14.06.2026 00:30", "06/14/2026 00:15;14.06.2026 00:30", ":3: a time must be as"),
    (smard_english, "Jun 14, 2026 1:00 AM", "Jun 14, 2026 13:00 AM", "a time must be as Oct 1, 2025 12:15 AM"),
    (nordpool, "SE3 Price (EUR)", "SE3 Volume (MWh)", ":1: a column such as SE3 Price"),
    (nordpool, "SE3 Price (EUR);GER Price (EUR);", "", "has 5 fields, not 2"),
    (nordpool, ";50.0;", ";50,0;", "must be a finite number"),
    (nordpool, ";50.0;", ";fifty;", ":2: SE3 Price .* must be a finite number, is 'fifty'"),
    (nordpool, "14.06.2026 00:15:00;14", "14.06.2026 00:15:30;14", "Delivery Start .* must be as"),
    (nordpool, "14.06.2026 00:15:00;14.06.2026 00:30:00", "14.06.2026 00:15:00;14.06.2026 00:15:00", "is no interval"),
    (energy_charts, "EUR / MWh", "ct / kWh", "unit must be EUR / MWh"),
    (energy_charts, '"price": [50.0, ', '"price": [', "has 96 times and 95 prices"),
    (energy_charts, '"price": [50.0, ', '"price": [NaN, ', "NaN is no number of JSON"),
    (energy_charts, '"price": [50.0, ', '"price": [1e999, ', ":1: price\\[0\\] must be a finite number"),
    (energy_charts, '"price": [50.0, ', '"price": ["50", ', ":1: price\\[0\\] must be a finite number"),
    (energy_charts, '"price": [50.0, ', '"price": [true, ', ":1: price\\[0\\] must be a finite number"),
    (energy_charts, '"unix_seconds": [1', '"unix_seconds": [1e3, 1', "has 97 times and 96 prices"),
    (energy_charts, '"unix_seconds": [1', '"unix_seconds": [7', ":2: .*is out of order"),
    (energy_charts, "1781388000", "1781388001", ":1: .*must be whole minutes since 1970"),
    (energy_charts, "1781388000", "1781388000.0", ":1: .*must be whole minutes since 1970"),
    (energy_charts, '"price": [', '"price": [], "price": [', "gives a name twice"),
    (energy_charts, '"price"', '"prices"', "must have a list price"),
]


@pytest.mark.parametrize(("sample", "before", "after", "message"), WRONG)
def test_what_is_wrong_is_named(sample, before, after, message):
    text = sample(ORDINARY)
    assert before in text
    count = -1 if before.startswith(("Sequence", "BZN")) else 1
    with pytest.raises(InvalidFileError, match=f"sample.*{message}"):
        file_of(text.replace(before, after, count))


@pytest.mark.parametrize("sample", [old_export, smard, nordpool])
def test_half_of_the_hour_that_comes_twice_is_not_guessed(sample):
    lines = sample(OCTOBER, 60).splitlines(keepends=True)
    for at in (3, 4):  # the header, 00, 01, then 02 and 02
        with pytest.raises(InvalidFileError, match=r"comes twice in .* and 1 times in the file"):
            file_of("".join(lines[:at] + lines[at + 1 :]))


@pytest.mark.parametrize("sample", [old_export, smard, nordpool])
def test_an_hour_that_does_not_exist_is_refused(sample):
    with pytest.raises(InvalidFileError, match="the clock skips it"):
        file_of(sample(MARCH, 60).replace("2026 03:00", "2026 02:00"))
