"""Every reader meets files that are cut off or changed: a clear error, or values that the file still says.

A file that is cut off may give the values of its first rows, never another value and never another instant. A change
that makes a file say something else in a sound way, such as another price, is read as it says.
"""

import io
import os
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from random import Random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import Mutation, Table, TableSample, csv_table, json_mutations, table_mutations, xml_mutations
from oracles import energy_charts_says, entsoe_says
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
from test_own_tables import HEADER, columns_of, parquet, rows, workbook
from test_regelleistung import AFRR_HEADER, FCR_HEADER, afrr_rows, csv_of, fcr_rows, workbook_of, zipped
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
    "regelleistung-fcr-xlsx": lambda: workbook_of(FCR_HEADER, fcr_rows(MARCH)),
    "nordpool-xlsx": lambda: xlsx(nordpool_table(MARCH)),
    "tidy-parquet": lambda: parquet(columns_of(rows(MARCH, 60))),
    "zipped": lambda: zipped(a=tidy(MARCH)),
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


NAMES = st.sampled_from(sorted(TEXTS))
DAYS = st.sampled_from([MARCH, ORDINARY, OCTOBER])
MUTATIONS = settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def is_part(found: Values | None, whole: Values) -> bool:
    return found is None or all(
        label in whole and values.items() <= whole[label].items() for label, values in found.items()
    )


def test_every_reader_has_a_sample_that_it_alone_recognises():
    names = {reader_of(Content("sample", text_of(name, MARCH).encode())).NAME for name in TEXTS}
    names |= {reader_of(Content("sample", binary_of(name))).NAME for name in BINARIES if name != "zipped"}
    assert names | {entsoe_acknowledgement.NAME} == {reader.NAME for reader in READERS}


@pytest.mark.parametrize("name", TEXTS)
def test_cut_off_at_every_byte(name):
    data = text_of(name, MARCH).encode()
    whole = said(file_of(data))
    read = [end for end in range(len(data)) if (found := read_or_refused(data[:end])) and not is_part(found, whole)]
    assert read == [], f"cut off after {read[:5]} bytes it says something else"


def test_an_answer_without_data_is_refused_wherever_it_ends():
    reason = "<Reason><code>999</code><text>No matching data found</text></Reason>"
    data = f"<Acknowledgement_MarketDocument><mRID>1</mRID>{reason}</Acknowledgement_MarketDocument>".encode()
    assert all(read_or_refused(data[:end]) is None for end in range(len(data) + 1))


@pytest.mark.parametrize("name", BINARIES)
def test_binaries_cut_off_at_every_byte(name):
    data = binary_of(name)
    for end in range(len(data)):
        assert read_or_refused(data[:end]) is None, end


# ---- structural mutations: see `mutations` ----

DELIMITERS = {"tidy": ",", "old-export": ",", "new-export": ",", "neso": ",", "ercot-dam": ",", "ercot-mcpc": ","}
DOCUMENTS = {"a44": entsoe_says, "a84": entsoe_says, "energy-charts": energy_charts_says}
IN_ORDER = {"old-export", "smard", "smard-english", "smard-old", "nordpool", "nordpool-xlsx", "mimer"}
"""Formats that do not mark which of two hours they mean."""


def xlsx(table: Table) -> bytes:
    return workbook_of(table[0], table[1:])


def nordpool_table(day: str) -> Table:
    """With two rows of header, and instants as a workbook holds them."""
    form = "%d.%m.%Y %H:%M:%S"
    lines = [line.split(";")[:4] for line in nordpool(day, 60).splitlines()[1:]]
    rows = [[*(datetime.strptime(cell, form) for cell in line[:2]), *map(float, line[2:])] for line in lines]
    return [
        ["Delivery Start (CET)", "Delivery End (CET)", "SE3", "GER"],
        [None, None, "Price (EUR)", "Price (EUR)"],
        *rows,
    ]


def parquet_of(table: Table) -> bytes:
    """Columns of one kind keep it, others become text; a row that is too short or too long does not fit."""
    columns = list(zip(*table, strict=True))
    kinds = [{type(cell) for cell in column[1:] if cell is not None} for column in columns]
    named = {
        str(column[0]): list(column[1:]) if len(kind) == 1 else [None if c is None else str(c) for c in column[1:]]
        for column, kind in zip(columns, kinds, strict=True)
    }
    return parquet(named)


TABLES: dict[str, tuple[Callable[[str], Table], Callable[[Table], bytes], int, int]] = {
    "tidy-xlsx": (lambda day: [HEADER, *rows(day, 60)], xlsx, 1, 1),
    "nordpool-xlsx": (nordpool_table, xlsx, 2, 1),
    "regelleistung-fcr-xlsx": (lambda day: [FCR_HEADER, *fcr_rows(day)], xlsx, 1, 1),
    "regelleistung-afrr-xlsx": (lambda day: [AFRR_HEADER, *afrr_rows(day, 8.25)], xlsx, 1, 1),
    "tidy-parquet": (lambda day: [HEADER, *rows(day, 60)], parquet_of, 1, 0),
}
"""What makes the table, what writes it, rows of header, and the number of its first row."""

MUTATED = [*TEXTS, *TABLES]


@cache
def table_sample(name: str, day: str) -> TableSample:
    delimiter = ""
    if name in TABLES:
        make, write, heads, first = TABLES[name]
        table = make(day)
    else:
        delimiter, heads, first = DELIMITERS.get(name, ";"), 1, 1
        table, write = csv_table(text_of(name, day).encode(), delimiter)
    whole = file_of(write(table))
    return TableSample(
        name, table, write, whole, heads, first, day == OCTOBER and name in IN_ORDER, delimiter, "fcr" in name
    )


def mutations(name: str, day: str, random: Random) -> Iterator[Mutation]:
    if name in DOCUMENTS:
        source = json_mutations if name == "energy-charts" else xml_mutations
        return source(text_of(name, day), DOCUMENTS[name], random)
    return table_mutations(table_sample(name, day), random)


def refused(mutation: Mutation) -> bool:
    """Whether it is; else what is read must be right."""
    try:
        file = file_of(mutation.data)
    except InvalidFileError as error:
        assert str(error).startswith("sample"), "the file is named"
        assert len(str(error)) < 1_500
        return True
    mutation.check(file)
    return False


def survives(name: str, seed: int, count: int) -> Counter[bool]:
    """How many of so many mutations were refused, and how many read; the sources are asked in turn for each day."""
    random = Random(f"{name} {seed}")
    sources = [mutations(name, day, random) for day in (MARCH, ORDINARY, OCTOBER)]
    outcomes: Counter[bool] = Counter()
    for i in range(count):
        try:
            mutation = next(sources[i % len(sources)])
        except (ValueError, OverflowError, pa.ArrowException):  # no file can be made of it
            sources = [mutations(name, day, random) for day in (MARCH, ORDINARY, OCTOBER)]
            continue
        try:
            outcomes[refused(mutation)] += 1
        except Exception as error:
            error.add_note(f"{name}, seed {seed}, the mutation numbered {i}: {mutation.what}")
            raise
    return outcomes


@pytest.mark.parametrize("name", MUTATED)
def test_structural_mutations_are_refused_or_read_right(name):
    """Delimiter, time, unit, header, order, length, value: the same ones every time."""
    outcomes = survives(name, 0, 250)
    assert outcomes[True] > 25 and outcomes[False] > 10, "both ways are tried"


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATED)
def test_a_minute_of_structural_mutations(name):
    """Of each reader, and other ones than above. HOSTILE_SECONDS: another time."""
    end = time.monotonic() + float(os.environ.get("HOSTILE_SECONDS", "60"))
    outcomes: Counter[bool] = Counter()
    seed = 1
    while time.monotonic() < end:
        outcomes += survives(name, seed, 200)
        seed += 1
    print(f"{name}: {outcomes[False]} read right, {outcomes[True]} refused")


# ---- bytes ----


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
