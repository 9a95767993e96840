"""Every reader meets files that are cut off or changed: a clear error, or values that the file still says.

A file that is cut off may give the values of its first rows, never another value and never another instant. A change
that makes a file say something else in a sound way, such as another price, is read as it says.
"""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import datetime
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import (
    MARCH,
    OCTOBER,
    ORDINARY,
    activated,
    activation_points,
    auction,
    file_of,
    period,
    points,
    publication,
)
from test_day_ahead_csv import energy_charts, new_export, nordpool, old_export, smard, smard_english, smard_old
from test_own_tables import columns_of, parquet, rows, workbook
from test_regelleistung import AFRR_HEADER, FCR_HEADER, afrr_rows, csv_of, fcr_rows, workbook_of
from test_reserve_csv import ercot_dam, ercot_mcpc, imbalance, mimer, neso, rebap

from scheduler.errors import InvalidFileError
from scheduler.formats import entsoe_acknowledgement
from scheduler.formats.content import Content
from scheduler.formats.registry import READERS, reader_of
from scheduler.formats.series import Label, SeriesFile

Values = dict[Label, dict[datetime, tuple[int, float]]]


def tidy(day):
    return "utc_start,zone,price_eur_per_mwh\n" + "".join(
        f"{time:%Y-%m-%dT%H:%M:%SZ},{zone},{price}\n" for time, zone, price in rows(day, 60)
    )


def a44(day):
    marks = [(i + 1, 10.25 + i) for i in range(0, 24, 2)]
    auctions = [
        auction(period(f"{day}T00:00Z", f"{day}T06:00Z", "PT15M", points(marks)), sequence=sequence)
        for sequence in ("2", "1")
    ]
    return publication("".join(auctions))


def a84(day):
    up = period(f"{day}T00:00Z", f"{day}T01:00Z", "PT15M", activation_points([(1, 101.5), (3, 90.25)]))
    down = period(f"{day}T00:15Z", f"{day}T00:45Z", "PT15M", activation_points([(1, -40.5), (2, -41.5)]))
    return activated([("A96", "A01", up), ("A96", "A02", down)])


TEXTS: dict[str, Callable[[str], str]] = {
    "tidy": tidy,
    "a44": a44,
    "a84": a84,
    "old-export": lambda day: old_export(day, 60),
    "new-export": lambda day: new_export(day, 60),
    "smard": lambda day: smard(day, 60),
    "smard-english": smard_english,
    "smard-old": smard_old,
    "nordpool": lambda day: nordpool(day, 60),
    "energy-charts": lambda day: energy_charts(day, 60),
    "regelleistung-fcr": lambda day: csv_of(FCR_HEADER, fcr_rows(day)),
    "regelleistung-afrr": lambda day: csv_of(AFRR_HEADER, afrr_rows(day, 8.25)),
    "mimer": mimer,
    "neso": neso,
    "ercot-dam": ercot_dam,
    "ercot-mcpc": ercot_mcpc,
    "imbalance": lambda day: "\n".join(imbalance(day).splitlines()[:30]) + "\n",
    "rebap": lambda day: "\n".join(rebap(day).splitlines()[:30]) + "\n",
}
BINARIES: dict[str, Callable[[], bytes]] = {
    "tidy-xlsx": lambda: workbook(rows(MARCH, 60)),
    "regelleistung-xlsx": lambda: workbook_of(AFRR_HEADER, afrr_rows(MARCH)),
    "tidy-parquet": lambda: parquet(columns_of(rows(MARCH, 60))),
}


@cache
def text_of(name: str, day: str) -> str:
    return TEXTS[name](day)


@cache
def binary_of(name: str) -> bytes:
    return BINARIES[name]()


def said(file: SeriesFile) -> Values:
    return {column.label: {row.start_utc: (row.minutes, row.value) for row in column.rows} for column in file.columns}


def read_or_refused(data: bytes) -> Values | None:
    """What a file says; None after a clear error. Anything else fails the test."""
    try:
        return said(file_of(data))
    except InvalidFileError as error:
        assert str(error).startswith("sample"), "the file is named"
        assert len(str(error)) < 1_500
        return None


def is_part(found: Values | None, whole: Values) -> bool:
    return found is None or all(
        label in whole and values.items() <= whole[label].items() for label, values in found.items()
    )


def test_every_reader_has_a_sample_that_it_alone_recognises():
    names = {reader_of(Content("sample", text_of(name, MARCH).encode())).NAME for name in TEXTS}
    names |= {reader_of(Content("sample", binary_of(name))).NAME for name in BINARIES}
    assert names | {entsoe_acknowledgement.NAME} == {reader.NAME for reader in READERS}


@pytest.mark.parametrize("name", TEXTS)
def test_cut_off_at_every_byte(name):
    data = text_of(name, MARCH).encode()
    whole = said(file_of(data))
    read = [end for end in range(len(data)) if (found := read_or_refused(data[:end])) and not is_part(found, whole)]
    assert read == [], f"cut off after {read[:5]} bytes it says something else"


@pytest.mark.parametrize("name", BINARIES)
def test_binaries_cut_off_at_every_byte(name):
    data = binary_of(name)
    for end in range(len(data)):
        assert read_or_refused(data[:end]) is None, end


def lines_of(name: str, day: str) -> list[str]:
    return text_of(name, day).splitlines(keepends=True)


NAMES = st.sampled_from(sorted(TEXTS))
DAYS = st.sampled_from([MARCH, ORDINARY, OCTOBER])
MUTATIONS = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@MUTATIONS
@given(NAMES, DAYS, st.data())
def test_lines_left_out_doubled_or_swapped(name, day, data):
    """A line less is a gap or is refused; one twice is refused, or holds nothing; another order says the same or is."""
    if name in ("a44", "a84", "energy-charts"):
        return  # lines mean nothing there; the next tests change what does
    whole = said(file_of(text_of(name, day).encode()))
    lines = lines_of(name, day)
    at = data.draw(st.integers(1, len(lines) - 1))
    match data.draw(st.sampled_from(["out", "twice", "swap", "reverse"])):
        case "out":
            changed = [*lines[:at], *lines[at + 1 :]]
        case "twice":
            changed = [*lines[: at + 1], *lines[at:]]
            assert read_or_refused("".join(changed).encode()) in (None, whole)
        case "swap":
            other = data.draw(st.integers(1, len(lines) - 1))
            changed = list(lines)
            changed[at], changed[other] = lines[other], lines[at]
        case _:
            changed = [lines[0], *lines[:0:-1]]
    found = read_or_refused("".join(changed).encode())
    if day != OCTOBER:
        assert is_part(found, whole)
    elif found is not None:  # in the hour that comes twice, the order is what tells the two apart
        assert all(values.keys() <= whole[label].keys() for label, values in found.items())


@MUTATIONS
@given(NAMES, DAYS, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from([",", ";", "\t", "|"]))
def test_another_delimiter(name, day, before, after):
    text = text_of(name, day)
    assert is_part(read_or_refused(text.replace(before, after).encode()), said(file_of(text.encode())))


@MUTATIONS
@given(NAMES, DAYS, st.data())
def test_a_field_less_or_more_in_one_line(name, day, data):
    lines = lines_of(name, day)
    at = data.draw(st.integers(0, len(lines) - 1))
    mark = next((mark for mark in ";,>" if mark in lines[at]), None)
    if mark is None:
        return
    parts = lines[at].split(mark)
    place = data.draw(st.integers(0, len(parts) - 1))
    fields = data.draw(st.sampled_from([[], [parts[place], parts[place]], ["7"], [""]]))
    changed = "".join([*lines[:at], mark.join([*parts[:place], *fields, *parts[place + 1 :]]), *lines[at + 1 :]])
    read_or_refused(changed.encode())


DELIMITERS = {
    "tidy": ",",
    "smard": ";",
    "smard-old": ";",
    "nordpool": ";",
    "regelleistung-fcr": ";",
    "regelleistung-afrr": ";",
    "mimer": ";",
    "neso": ",",
    "ercot-dam": ",",
    "ercot-mcpc": ",",
    "imbalance": ";",
    "rebap": ";",
}


@MUTATIONS
@given(st.sampled_from(sorted(DELIMITERS)), DAYS, st.data())
def test_columns_in_another_order_or_left_out(name, day, data):
    """Columns are known by their names: in another order they say the same, and none that counts may be missing."""
    table = [line.rstrip("\r\n").split(DELIMITERS[name]) for line in lines_of(name, day)]
    width = min(map(len, table))
    places = data.draw(st.permutations(range(width)))
    kept = places[: data.draw(st.integers(1, width))]
    changed = "".join(DELIMITERS[name].join(line[place] for place in kept) + "\n" for line in table)
    assert is_part(read_or_refused(changed.encode()), said(file_of(text_of(name, day).encode())))


@MUTATIONS
@given(NAMES, DAYS, st.data())
def test_another_name_in_the_header(name, day, data):
    """A name that is changed is refused or says something else; what the other names say stays."""
    header, *others = lines_of(name, day)
    words = list(re.finditer(r"\w+", header))
    if name in ("a44", "a84", "energy-charts") or not words:
        return
    word = data.draw(st.sampled_from(words))
    new = data.draw(st.sampled_from(["", "x", word[0].lower(), word[0].upper(), word[0] * 2, word[0][:-1]]))
    found = read_or_refused((header[: word.start()] + new + header[word.end() :] + "".join(others)).encode())
    whole = said(file_of(text_of(name, day).encode()))
    if found is not None and not name.startswith("regelleistung"):
        assert all(values in whole.values() for values in found.values())


UNITS = ["EUR/MWh", "€/MWh", "EUR/MW", "(EUR/MW)/h", "EUR/kWh", "MWH", "ct/kWh", "GBP/MWh", "eur", "EUR / MWh", "[MW]"]


@MUTATIONS
@given(NAMES, DAYS, st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_another_unit_is_refused_or_taken_at_its_word(name, day, before, after):
    """Between the labels of capacity, per block and per hour, a factor lies: everything else keeps its figures."""
    text = text_of(name, day)
    found = read_or_refused(text.replace(before, after).encode())
    if name.startswith("regelleistung") and {before, after} <= {"EUR/MW", "(EUR/MW)/h"}:
        return
    whole = said(file_of(text.encode()))
    assert found is None or list(found.values()) == list(whole.values())


TIMES = re.compile(r"\d\d:\d\d|\d\d[./]\d\d[./]\d{4}|\d{4}-\d\d-\d\d")


OTHER_TIMES = ["00:00", "02:30", "02:00", "24:00", "31.02.2026", "2026-13-01", "10/25/2026", "x"]


@MUTATIONS
@given(NAMES, DAYS, st.data())
def test_another_time_in_one_place(name, day, data):
    """A time that is changed is refused, or is where it now says, with the values of its row: others stay."""
    text = text_of(name, day)
    places = list(TIMES.finditer(text))
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    other = data.draw(
        st.sampled_from(["00:00", "02:30", "02:00", "24:00", "31.02.2026", "2026-13-01", "10/25/2026", "x"])
    )
    found = read_or_refused((text[: place.start()] + other + text[place.end() :]).encode())
    if found is not None:
        whole = said(file_of(text.encode()))
        known = {value for values in whole.values() for _, value in values.values()}
        assert name.startswith("regelleistung") or all(
            value in known for values in found.values() for _, value in values.values()
        ), "no value is made up"


@MUTATIONS
@given(NAMES, DAYS, st.data())
def test_any_bytes_changed(name, day, data):
    """Whatever a byte becomes, the answer is values or a clear error."""
    raw = bytearray(text_of(name, day).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    read_or_refused(bytes(raw))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(["tidy-xlsx", "regelleistung-xlsx"]), st.data())
def test_any_bytes_of_a_workbook_changed(name, data):
    raw = bytearray(binary_of(name))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert is_part(read_or_refused(bytes(raw)), said(file_of(binary_of(name))))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(["tidy-xlsx", "regelleistung-xlsx"]), st.data())
def test_any_part_of_a_workbook_changed(name, data):
    """Below the checksums of the archive: XML that is broken, cut off or left out."""
    with zipfile.ZipFile(io.BytesIO(binary_of(name))) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    part = data.draw(st.sampled_from(sorted(parts)))
    raw = bytearray(parts[part])
    match data.draw(st.sampled_from(["byte", "cut", "out"])):
        case "byte" if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        case "cut":
            raw = raw[: data.draw(st.integers(0, len(raw)))]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for other, content in parts.items():
            archive.writestr(other, bytes(raw) if other == part else content)
    read_or_refused(packed.getvalue())


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\xef\xbb\xbf", b"<", b"{", b"PK\x03\x04", b"PAR1", b"\xff\xfe"])
)
def test_anything_else_is_no_file_of_prices(data, begin):
    assert read_or_refused(begin + data) is None
