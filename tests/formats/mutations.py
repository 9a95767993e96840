"""Structural mutations of files: each spoils a sample in one way and knows what a reader may still say of it.

A reader may refuse the file. What it reads instead must be right, and that is held against the sample row by row:
rows that were not touched say what they said, each at its instant; a row that was touched holds its own value at an
instant that its text shows, or is left out. Of XML and JSON the right series is what `oracles` reads.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from scheduler.formats.series import Label, SeriesFile

Table = list[list[object]]
Value = tuple[datetime, int, float]  # start, minutes and what it is
Said = dict[Label, dict[Value, int]]  # with the row that says so


@dataclass(frozen=True)
class Mutation:
    """A spoilt file, and what may be said of it: raises AssertionError where a reader says anything else."""

    what: str
    data: bytes
    check: Callable[[SeriesFile], None]


def said(file: SeriesFile) -> Said:
    """All that a file says."""
    return {c.label: {(row.start_utc, row.minutes, row.value): row.number for row in c.rows} for c in file.columns}


# ---- tables: CSV, workbooks, Parquet ------------------------------------------------------------------------------


@dataclass(frozen=True)
class TableSample:
    """A table with its header in the first ``heads`` rows, what writes it, and what the whole file says.

    numbered_from: the number of its first row. by_order: the order of its rows tells an hour that comes twice apart.
    delimiter: of CSV; empty: cells have addresses, and a row whose cells have moved says something else by right.
    per_block: its prices are, and are divided by real hours.
    """

    name: str
    table: Table
    write: Callable[[Table], bytes]
    whole: SeriesFile
    heads: int = 1
    numbered_from: int = 1
    by_order: bool = False
    delimiter: str = ""
    per_block: bool = False


def csv_table(data: bytes, delimiter: str) -> tuple[Table, Callable[[Table], bytes]]:
    """A CSV file as a table, and what writes such a file again: with its mark, quotes and line ends."""
    text = data.decode()
    begin = "\ufeff" if text.startswith("\ufeff") else ""
    quoting = csv.QUOTE_ALL if text[len(begin)] == '"' else csv.QUOTE_MINIMAL
    line_end = "\r\n" if "\r\n" in text else "\n"

    def write(table: Table, delimiter: str = delimiter) -> bytes:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=line_end).writerows(table)
        return (begin + out.getvalue()).encode()

    rows = csv.reader(io.StringIO(text.removeprefix(begin), newline=""), delimiter=delimiter)
    return [list(row) for row in rows], write


TIMES = re.compile(r"\d\d?:\d\d(?::\d\d)?|\d\d[./]\d\d[./]\d{4}|\d{4}-\d\d-\d\d|_\d\d_\d\d|[A-Z][a-z]{2} \d+, \d{4}")
OTHER_TIMES = ["00:00", "02:30", "02:00", "03:15", "24:00", "_04_08", "_20_24", "x"]
OTHER_TIMES += ["31.02.2026", "28.03.2026", "2026-13-01", "2026-03-28", "10/25/2026"]
UNITS = ["EUR/MWh", "€/MWh", "EUR/MW", "(EUR/MW)/h", "EUR/kWh", "ct/kWh", "GBP/MWh", "eur", "USD", "[MW]", "MWH"]
UNIT = re.compile(r"\(EUR/MW\)/h|(?:EUR|€|GBP|price_eur_per)[/_](?:MWh|MW|mwh)|\((?:EUR|EUR/MW)\)|\bEUR\b|_eur_")
WORD = re.compile(r"\w+")


def table_mutations(sample: TableSample, random: Random) -> Iterator[Mutation]:
    """Without end."""
    kinds = [_time, _unit, _header, _columns, _fields, _row_out, _row_twice, _rows_in_another_order, _cut, _value]
    kinds += [_delimiter] if sample.delimiter else []
    whole = said(sample.whole)
    while True:
        mutation = random.choice(kinds)(sample, whole, [list(row) for row in sample.table], random)
        if mutation is not None:
            yield mutation


def _number(sample: TableSample, at: int) -> int:
    return at + sample.numbered_from


def _some_row(sample: TableSample, random: Random) -> int:
    return random.randrange(sample.heads, len(sample.table))


def _only_touched(
    sample: TableSample, whole: Said, touched: set[int], allowed: Callable[[Label, Value, list[Value]], bool]
) -> Callable[[SeriesFile], None]:
    """Rows that are not touched say what they said; what else is said must be allowed, beside what the touched said."""

    def check(file: SeriesFile) -> None:
        found = said(file)
        for label, values in whole.items():
            others = {value for value, number in values.items() if number not in touched}
            mine = [value for value, number in values.items() if number in touched]
            lost = others - set(found.get(label, {}))
            assert not lost, f"{label}: rows that were not touched are lost: {sorted(lost)[:3]}"
            more = set(found.get(label, {})) - others
            assert len(more) <= max(len(mine), 1 if not mine and touched else 0), f"{label}: more rows than there were"
            wrong = [value for value in more if not allowed(label, value, mine)]
            assert not wrong, f"{label}: nothing says {wrong[:3]}, of {mine[:3]}"
        mine = [value for values in whole.values() for value, number in values.items() if number in touched]
        for label in set(found) - set(whole):  # a row that was touched may name another column
            wrong = [value for value in found[label] if not allowed(label, value, mine)]
            assert not wrong and len(found[label]) <= len(touched), f"{label}: nothing says {wrong[:3]}"

    return check


def _same(sample: TableSample, whole: Said) -> Callable[[SeriesFile], None]:
    """All of it, no more and no less; the numbers of rows may differ."""
    return _only_touched(sample, whole, set(), lambda *_: False)


def _time(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation | None:
    at = _some_row(sample, random)
    places = [i for i, cell in enumerate(table[at]) if isinstance(cell, datetime) or TIMES.search(str(cell))]
    place = random.choice(places)
    cell, other = table[at][place], random.choice(OTHER_TIMES)
    if isinstance(cell, datetime):
        away = timedelta(minutes=random.choice([-1440, -60, -15, 7, 15, 60, 1440]))
        table[at][place] = random.choice([cell + away, f"{cell:%Y-%m-%dT%H:%M:%SZ}", other, None])
    else:
        found = random.choice(list(TIMES.finditer(str(cell))))
        table[at][place] = str(cell)[: found.start()] + other + str(cell)[found.end() :]
    line = " ".join(str(cell) for cell in table[at])

    def allowed(label: Label, value: Value, mine: list[Value]) -> bool:
        own = {own[2] for own in mine} | {own[2] * own[1] / value[1] for own in mine if sample.per_block}
        return value[2] in own and shows(line, value[0])

    name = f"row {at}, {cell!r} becomes {table[at][place]!r}"
    return Mutation(name, sample.write(table), _only_touched(sample, whole, {_number(sample, at)}, allowed))


ZONES = ["UTC", "Europe/Berlin", "Europe/Helsinki", "Europe/London", "Europe/Lisbon", "America/Chicago"]


def shows(line: str, start_utc: datetime) -> bool:
    """Whether the text of a row names an instant, in some zone and layout that files have."""
    for zone in ZONES:
        local = start_utc.astimezone(ZoneInfo(zone))
        hours = [f"{local:%H:%M}", f"{local.hour % 12 or 12}:{local:%M}", f"{local.hour + 1:02d}:00", f"_{local:%H}_"]
        days = [f"{local:%Y-%m-%d}", f"{local:%d.%m.%Y}", f"{local:%d/%m/%Y}", f"{local:%m/%d/%Y}"]
        days.append(f"{local:%b} {local.day}, {local:%Y}")
        if any(hour in line for hour in hours) and any(day in line for day in days):
            return True
    return False


def _value(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation | None:
    """A number becomes another one, or none: the row says it, or is left out, or the file is refused."""
    at = _some_row(sample, random)
    numbers = [i for i, cell in enumerate(table[at]) if re.fullmatch(r"\s*-?[\d.,]*\d", str(cell))]
    if not numbers:
        return None
    place = random.choice(numbers)
    cell, other = (
        table[at][place],
        random.choice(["7", "-7", "", "-", "nan", "1e999", "7 MW", "1.234,5", "1,234.5", "0"]),
    )
    table[at][place] = other if isinstance(cell, str) or other in ("", "-", "nan", "7 MW") else 7.0

    def allowed(label: Label, value: Value, mine: list[Value]) -> bool:
        spans = {own[:2] for own in mine}
        own = {own[2] for own in mine}
        sevens = {7.0, -7.0, 0.0, 1234.5, *(sign * 7.0 / h for sign in (1, -1) for h in (3, 4, 5)), 1234.5 / 4}
        return (value[:2] in spans or not spans) and value[2] in own | sevens

    name = f"row {at}, {cell!r} becomes {table[at][place]!r}"
    return Mutation(name, sample.write(table), _only_touched(sample, whole, {_number(sample, at)}, allowed))


def _unit(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation | None:
    """Only between the labels of capacity, per block and per hour, lies a factor: its real hours. All else is equal."""
    places = [(r, c) for r, row in enumerate(table) for c, cell in enumerate(row) if UNIT.search(str(cell))]
    if not places:
        return None
    r, c = random.choice(places)
    cell, other = str(table[r][c]), random.choice(UNITS)
    found = random.choice(list(UNIT.finditer(cell)))
    table[r][c] = cell[: found.start()] + other + cell[found.end() :]
    touched = {_number(sample, r)} if r >= sample.heads else set()
    per_block = r < sample.heads and {found[0], other} == {"(EUR/MW)/h", "EUR/MW"}

    def check(file: SeriesFile) -> None:
        if r >= sample.heads:
            _only_touched(sample, whole, touched, lambda label, value, mine: value in mine)(file)
            return
        known = [set(values) for values in whole.values()]
        factors = (1.0, *((1 / 3, 1 / 4, 1 / 5, 3.0, 4.0, 5.0) if per_block else ()))
        for label, values in said(file).items():
            if set(values) in known:
                continue
            before = {value[:2]: value[2] for value in whole.get(label, {})}
            assert set(before) == {value[:2] for value in values}, f"{label}: other instants"
            assert all(
                any(abs(value[2] - factor * before[value[:2]]) < 1e-9 for factor in factors) for value in values
            ), f"{label}: another unit changes figures"
        codes = {column.currency_code for column in file.columns} - {
            column.currency_code for column in sample.whole.columns
        }
        assert all(code in table[r][c].upper() for code in codes), "a currency that is not named"

    return Mutation(f"row {r}, {cell!r} becomes {table[r][c]!r}", sample.write(table), check)


def _header(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation | None:
    """A name that is changed names another column, or none: what the others say stays, and no figure changes."""
    row = table[random.randrange(sample.heads)]
    place = random.randrange(len(row))
    words = list(WORD.finditer(str(row[place] or "")))
    if not words:
        return None
    cell, word = str(row[place]), random.choice(words)
    new = random.choice(["", "x", word[0].lower(), word[0].upper(), word[0] * 2, word[0][:-1], str(random.choice(row))])
    row[place] = cell[: word.start()] + new + cell[word.end() :]
    known = [set(values) for values in whole.values()]

    def check(file: SeriesFile) -> None:
        assert all(set(values) in known for values in said(file).values()), "figures of nothing"
        assert len(file.columns) <= len(known)

    return Mutation(f"header {cell!r} becomes {row[place]!r}", sample.write(table), check)


def _columns(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation | None:
    """In another order they say the same; one that is left out takes its prices along, and none that counts may."""
    width = min(len(row) for row in table)
    places = random.sample(range(width), width)
    kept = places[: random.randint(max(1, width - 2), width)]
    changed = [[row[place] for place in kept] for row in table]

    def check(file: SeriesFile) -> None:
        found = said(file)
        assert all(set(values) == set(whole[label]) for label, values in found.items()), "a column says something else"
        assert len(kept) < width or set(found) == set(whole)

    return Mutation(f"columns {kept} of {width}", sample.write(changed), check)


def _fields(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation:
    """A row with a field too many, or too few."""
    at = random.randrange(len(table))
    place, row = random.randrange(len(table[at])), table[at]
    match random.choice(["out", "twice", "empty", "more"]):
        case "out":
            del row[place]
        case "twice":
            row.insert(place, row[place])
        case "empty":
            row.insert(place, "" if sample.delimiter else None)
        case _:
            row.append("7")
    if at < sample.heads:
        known = [set(values) for values in whole.values()]

        def check(file: SeriesFile) -> None:
            assert all(set(values) in known for values in said(file).values()), "figures under another name"
    else:
        numbers = {float(cell) for cell in row if isinstance(cell, (int, float)) and not sample.delimiter}
        numbers |= {number / hours for number in numbers for hours in (3, 4, 5) if sample.per_block}

        def allowed(label: Label, value: Value, mine: list[Value]) -> bool:
            spans = {own[:2] for own in mine}
            return value in mine or (value[2] in numbers and (value[:2] in spans or not spans))

        check = _only_touched(sample, whole, {_number(sample, at)}, allowed)
    return Mutation(f"row {at} has {len(row)} fields", sample.write(table), check)


def _row_out(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation:
    """A row that is not there is a gap."""
    at = _some_row(sample, random)
    del table[at]
    return Mutation(
        f"row {at} left out",
        sample.write(table),
        _only_touched(sample, whole, {_number(sample, at)}, lambda *_: False),
    )


def _row_twice(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation:
    at = _some_row(sample, random)
    table.insert(at, table[at])
    return Mutation(f"row {at} twice", sample.write(table), _same(sample, whole))


def _rows_in_another_order(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation:
    heads, rows = table[: sample.heads], table[sample.heads :]
    match random.choice(["swap", "reverse", "shuffle", "rotate"]):
        case "swap":
            a, b = random.randrange(len(rows)), random.randrange(len(rows))
            rows[a], rows[b] = rows[b], rows[a]
        case "reverse":
            rows.reverse()
        case "shuffle":
            random.shuffle(rows)
        case _:
            at = random.randrange(len(rows))
            rows = rows[at:] + rows[:at]
    if not sample.by_order:
        return Mutation("rows in another order", sample.write(heads + rows), _same(sample, whole))

    def check(file: SeriesFile) -> None:
        """In the hour that comes twice the order tells which is which: instants and figures are the same, not pairs."""
        for label, values in said(file).items():
            for part in (slice(0, 2), slice(2, 3)):
                assert sorted(value[part] for value in values) == sorted(value[part] for value in whole[label])

    return Mutation("rows in another order", sample.write(heads + rows), check)


def _cut(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation:
    """The end is missing, or a part in the middle, or begins once more."""
    at, end = sorted((_some_row(sample, random), _some_row(sample, random)))
    if random.random() < 0.5:
        gone = {_number(sample, i) for i in range(at, end)}
        changed = table[:at] + table[end:]
        return Mutation(
            f"rows {at} to {end} left out", sample.write(changed), _only_touched(sample, whole, gone, _never)
        )
    return Mutation(f"again from row {at}", sample.write(table + table[at:]), _same(sample, whole))


def _never(label: Label, value: Value, mine: list[Value]) -> bool:
    return False


def _delimiter(sample: TableSample, whole: Said, table: Table, random: Random) -> Mutation:
    """In all lines, or in one."""
    other = random.choice([mark for mark in ",;\t|" if mark != sample.delimiter])
    if random.random() < 0.5:
        changed = sample.write(table).decode().replace(sample.delimiter, other)
        return Mutation(f"{other!r} for {sample.delimiter!r}", changed.encode(), _same(sample, whole))
    lines = sample.write(table).decode().splitlines(keepends=True)
    at = random.randrange(len(lines))
    lines[at] = lines[at].replace(sample.delimiter, other)
    touched = {_number(sample, at)} if at >= sample.heads else set()
    check = _only_touched(sample, whole, touched, lambda label, value, mine: value in mine)
    return Mutation(f"{other!r} in line {at}", "".join(lines).encode(), check)


# ---- XML and JSON: lines mean nothing, and the right series is read by other code ------------------------------------


XML_EDITS: list[tuple[str, list[str]]] = [
    (r"<start>[^<]*", ["<start>2026-03-28T23:00Z", "<start>2026-03-29T00:15Z", "<start>2026-03-29", "<start>x"]),
    (r"<end>[^<]*", ["<end>2026-03-29T01:00Z", "<end>2026-03-30T00:00Z", "<end>2026-03-29T00:10Z", "<end>"]),
    (r"PT15M|PT60M", ["PT15M", "PT30M", "PT60M", "PT5M", "P1D"]),
    (r"<position>\d+", ["<position>1", "<position>2", "<position>3", "<position>7", "<position>0", "<position>x"]),
    (r"amount>-?[\d.]+", ["amount>7", "amount>-7.5", "amount>7,5", "amount>nan", "amount>1e999", "amount>"]),
    (r">MWH<", [">KWH<", ">MW<", ">mwh<"]),
    (r">EUR<", [">GBP<", ">euro<", "><"]),
    (r"<curveType>A0\d", ["<curveType>A01", "<curveType>A03", "<curveType>A02"]),
    (r"Agreement.type>A0\d", ["Agreement.type>A01", "Agreement.type>A07"]),
    (r"position>\d</classification", ["position>1</classification", "position>2</classification"]),
    (r"10Y1001A1001A82H", ["10YBE----------2", ""]),
    (r"direction>A0\d", ["direction>A01", "direction>A02", "direction>A09"]),
    (r"businessType>A\d\d", ["businessType>A96", "businessType>A97", "businessType>A62", "businessType>B99"]),
    (r"<(/?)(TimeSeries|Period|Point|position|price.amount|resolution)>", [r"<\1Other>", r"<\1\2"]),
]
PARTS = [r"<TimeSeries>.*?</TimeSeries>\s*", r"<Period>.*?</Period>\s*", r"<Point>.*?</Point>\s*", r"<(\w+)>[^<]*</\1>"]


def xml_mutations(
    text: str, oracle: Callable[[str], dict[object, dict[Value, int]]], random: Random
) -> Iterator[Mutation]:
    """Without end."""
    while True:
        if random.random() < 0.5:
            pattern, news = random.choice(XML_EDITS)
            places = list(re.finditer(pattern, text))
            if not places:
                continue
            place, new = random.choice(places), random.choice(news)
            changed = text[: place.start()] + place.expand(new) + text[place.end() :]
            what = f"{place[0]!r} becomes {new!r}"
        else:
            places = list(re.finditer(random.choice(PARTS), text, re.DOTALL))
            place, other = random.choice(places), random.choice(places)
            match random.choice(["out", "twice", "swap"]):
                case "out":
                    what, changed = f"{place[0][:40]!r} left out", text[: place.start()] + text[place.end() :]
                case "twice":
                    what, changed = f"{place[0][:40]!r} twice", text[: place.end()] + text[place.start() :]
                case _:
                    first, second = sorted((place, other), key=lambda found: found.start())
                    if second.start() < first.end():
                        continue
                    between = text[first.end() : second.start()]
                    changed = text[: first.start()] + second[0] + between + first[0] + text[second.end() :]
                    what = f"{first[0][:40]!r} and {second[0][:40]!r} swapped"
        yield Mutation(what, changed.encode(), _right(changed, oracle))


def json_mutations(
    text: str, oracle: Callable[[str], dict[object, dict[Value, int]]], random: Random
) -> Iterator[Mutation]:
    """Without end."""
    while True:
        answer = json.loads(text)
        names = [name for name in answer if isinstance(answer[name], list)]
        name = random.choice(names)
        at = random.randrange(len(answer[name]))
        other = random.randrange(len(answer[name]))
        match random.choice(["out", "all out", "twice", "swap", "swap all", "value", "time", "unit", "name", "type"]):
            case "out":
                del answer[name][at]
            case "all out":
                for each in names:
                    del answer[each][at]
            case "twice":
                for each in random.choice([names, [name]]):
                    answer[each].insert(at, answer[each][at])
            case "swap":
                answer[name][at], answer[name][other] = answer[name][other], answer[name][at]
            case "swap all":
                for each in names:
                    answer[each][at], answer[each][other] = answer[each][other], answer[each][at]
            case "value":
                answer["price"][at] = random.choice([None, 7, -7.5, "7", True, [7], 1e308])
            case "time":
                seconds = answer["unix_seconds"][at]
                answer["unix_seconds"][at] = random.choice(
                    [seconds + 900, seconds - 60, seconds + 1, 0, -1, 2**40, None]
                )
            case "unit":
                answer["unit"] = random.choice(["EUR/MWh", "EUR / kWh", "GBP / MWh", "", None, "eur/mwh"])
            case "name":
                key = random.choice(list(answer))
                answer[random.choice([key.upper(), f"{key}s", "price"])] = answer.pop(key)
            case _:
                answer[name] = random.choice([{}, [], None, "x", answer[name][0], [answer[name]]])
        changed = json.dumps(answer)
        yield Mutation(changed[:60], changed.encode(), _right(changed, oracle))


def _right(text: str, oracle: Callable[[str], dict[object, dict[Value, int]]]) -> Callable[[SeriesFile], None]:
    """What is read is what the oracle reads, each series of it in one column; what it cannot read is refused."""

    def check(file: SeriesFile) -> None:
        columns, series = [set(values) for values in said(file).values()], [set(v) for v in oracle(text).values()]
        assert set().union(*columns) == set().union(*series)
        assert sum(map(len, columns)) == sum(map(len, series)), "nothing is merged, nothing doubled"
        assert all(any(values <= column for column in columns) for values in series)

    return check
