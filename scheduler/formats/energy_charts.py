"""Day-ahead prices of the energy-charts API: JSON of two arrays side by side (facts C2).

The answer does not name its zone: it is the one that was asked for. Rows are places in the arrays, from 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler.errors import InvalidFileError
from scheduler.formats.content import Content, brief
from scheduler.formats.series import Label, Points, Quantity, Row, SeriesFile
from scheduler.formats.sheet import shown

NAME = "energy-charts, JSON"
TIMES, PRICES, UNIT = "unix_seconds", "price", "unit"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECONDS = 2**33


def recognises(content: Content) -> bool:
    """Whether it looks like one."""
    return content.begin.startswith("{") and f'"{TIMES}"' in content.text


def read(content: Content) -> SeriesFile:
    """The prices; null is a value that is missing."""
    answer = _parsed(content)
    unit = answer.get(UNIT)
    if not isinstance(unit, str) or unit.replace(" ", "") != "EUR/MWh":
        raise InvalidFileError(f"{content.name}: unit must be EUR / MWh, is {shown(str(unit))}")
    times, prices = (_list(content, answer, name) for name in (TIMES, PRICES))
    if len(times) != len(prices):
        raise InvalidFileError(f"{content.name}: has {len(times)} times and {len(prices)} prices")
    points = Points(content.source(NAME))
    label = Label(Quantity.DAY_AHEAD_PRICE, "")
    for number, (seconds, price) in enumerate(zip(times, prices, strict=True), 1):
        if type(seconds) is not int or not 0 <= seconds < LAST_SECONDS or seconds % 60:
            raise _wrong(content, number, TIMES, f"must be whole minutes since 1970 in seconds, is {seconds!r}")
        if price is None:
            continue
        if type(price) not in (int, float) or not abs(price) < float("inf"):
            raise _wrong(content, number, PRICES, f"must be a finite number, is {price!r}")
        points.add(label, "EUR", Row(EPOCH + timedelta(seconds=seconds), 0, float(price), number))
    return points.file(in_order=True)


def _parsed(content: Content) -> dict[str, Any]:
    def constant(name: str) -> float:
        raise InvalidFileError(f"{content.name}: {name} is no number of JSON")

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise InvalidFileError(f"{content.name}: gives a name twice in one object")
        return found

    try:
        answer = json.loads(content.text, parse_constant=constant, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise InvalidFileError(f"{content.name}:{error.lineno}: is not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise InvalidFileError(f"{content.name}: is not JSON that can be read: {brief(error)}") from None
    if not isinstance(answer, dict):
        raise InvalidFileError(f"{content.name}: must be a JSON object")
    return answer


def _list(content: Content, answer: dict[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    if not isinstance(found, list):
        raise InvalidFileError(f"{content.name}: must have a list {name}")
    return found


def _wrong(content: Content, number: int, name: str, message: str) -> InvalidFileError:
    return InvalidFileError(f"{content.name}:{number}: {name}[{number - 1}] {message[:200]}")
