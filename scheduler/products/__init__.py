"""The dated table of reserve products: rules as data, with the source of every figure (facts B).

Each ``*.toml`` beside this module holds products of some zones. A product is named ``zone/name``, such as
``de/afrr-up``; its rules hold from ``valid_from`` until the next entry of that name. A new product, or new rules of an
old one, is an entry in a file, and no code. Raises ProductTableError where a file is not sound: a fault of ours.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from enum import Enum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from scheduler.errors import SchedulerError
from scheduler.problem import Direction
from scheduler.product import Pricing, Product, Response

UNSOURCED = "unsourced"
# figures of `Product`, and how their values are written
RULES: Mapping[str, type] = MappingProxyType(
    {
        "full_activation_seconds": float,
        "hold_minutes": float,
        "response": Response,
        "smallest_bid_kw": int,
        "step_kw": int,
        "pricing": Pricing,
        "shortest_call_minutes": float,
        "rest_minutes": float,
        "max_step_mw": float,
        "rotation_factor": float,
    }
)
REQUIRED = ("full_activation_seconds", "hold_minutes", "response", "smallest_bid_kw", "step_kw", "pricing")
CALENDAR: Mapping[str, type] = MappingProxyType({"block_minutes": int, "gate_closure": str})
WORDS = ("zones", "names", "title", "result", "activated")


class ProductTableError(SchedulerError):
    """A file of the product table is not sound."""


class UnknownProductError(SchedulerError):
    """There is no product of that name, or no rules for that day; the message says what there is."""


@dataclass(frozen=True)
class DatedProduct:
    """A product and its rules from a day on.

    area, result, activated: how files name it (`scheduler.formats.series.Label`) that hold results of capacity, and
    prices of activated energy; empty: no file known does.
    block_minutes: what is bought as one, on a day without a clock change. gate_closure: local time, for the record.
    figures: value and source of every figure by its name, valid_from among them.
    """

    name: str
    title: str
    valid_from: date
    product: Product
    area: str
    result: str
    activated: str
    block_minutes: int
    gate_closure: str
    figures: Mapping[str, tuple[object, str]]

    @property
    def unsourced(self) -> tuple[str, ...]:
        """Figures that no document was read for: check them before money rests on them."""
        return tuple(name for name, (_, source) in self.figures.items() if source == UNSOURCED)

    def __str__(self) -> str:
        return f"{self.name}, rules from {self.valid_from}"


def product_of(name: str, day: date) -> DatedProduct:
    """The product of a name with the rules of a day of delivery. Raises UnknownProductError where there is none."""
    known = products()
    if name not in known:
        near = get_close_matches(name, known, n=3) or sorted(known)
        raise UnknownProductError(f"there is no product {name!r}: {', '.join(near)} are known")
    rows = [row for row in known[name] if row.valid_from <= day]
    if not rows:
        first = known[name][0].valid_from
        raise UnknownProductError(f"the rules of {name} begin on {first}: spell them out for {day}")
    return rows[-1]


@cache
def products() -> Mapping[str, tuple[DatedProduct, ...]]:
    """All products by name, the rules of each in the order of time."""
    found: dict[str, list[DatedProduct]] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            for row in rows_of(file.read_text("utf-8"), file.name):
                found.setdefault(row.name, []).append(row)
    for name, rows in found.items():
        rows.sort(key=lambda row: row.valid_from)
        if len({row.valid_from for row in rows}) < len(rows):
            raise ProductTableError(f"{name} has two entries of one day")
    return MappingProxyType({name: tuple(found[name]) for name in sorted(found)})


def rows_of(text: str, file: str) -> Iterator[DatedProduct]:
    """The products of a file."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProductTableError(f"{file}: {error}") from None
    sources = table.get("sources", {})
    if set(table) - {"sources", "product"}:
        raise ProductTableError(f"{file}: holds more than sources and product")
    used = {UNSOURCED}
    for number, entry in enumerate(table.get("product", []), 1):
        at = f"{file}: product {number}"
        if missing := {"zones", "names", "title", "valid_from", "block_minutes"} - set(entry):
            raise ProductTableError(f"{at}: lacks {', '.join(sorted(missing))}")
        figures = {name: _figure(name, value, sources, at) for name, value in entry.items() if name not in WORDS}
        used |= {entry[name][1] for name in figures}
        for zone in entry["zones"]:
            for direction, name in entry["names"].items():
                if direction not in (member.value for member in Direction):
                    raise ProductTableError(f"{at}: {direction!r} is no direction")
                yield _row(f"{zone}/{name}", zone.upper(), Direction(direction), entry, figures, at)
    if unused := set(sources) - used:
        raise ProductTableError(f"{file}: no figure names the sources {', '.join(sorted(unused))}")


def _figure(name: str, given: Any, sources: Mapping[str, str], at: str) -> tuple[object, str]:
    """Value and source in full."""
    kind = {**RULES, **CALENDAR, "valid_from": date}.get(name)
    if kind is None:
        raise ProductTableError(f"{at}: {name} is no figure of a product")
    if not (isinstance(given, list) and len(given) == 2 and (given[1] == UNSOURCED or given[1] in sources)):
        raise ProductTableError(f"{at}: {name} must be [value, source], a source of the file or {UNSOURCED!r}")
    value, source = given
    if issubclass(kind, Enum):
        if value not in (member.value for member in kind):
            raise ProductTableError(
                f"{at}: {name} must be one of {', '.join(str(m.value) for m in kind)}, is {value!r}"
            )
        value = kind(value)
    elif type(value) is not kind and not (kind is float and type(value) is int):
        raise ProductTableError(f"{at}: {name} must be {kind.__name__}, is {value!r}")
    return value, sources.get(source, UNSOURCED)


def _row(
    name: str, area: str, direction: Direction, entry: Mapping[str, Any], figures: Mapping[str, Any], at: str
) -> DatedProduct:
    rules = {rule: value for rule, (value, _) in figures.items() if rule in RULES}
    if missing := set(REQUIRED) - set(rules):
        raise ProductTableError(f"{at}: lacks {', '.join(sorted(missing))}")
    product = Product(direction=direction, **rules)
    if violations := tuple(product.violations(name)):
        raise ProductTableError(f"{at}: {violations[0]}")
    return DatedProduct(
        name=name,
        title=entry["title"],
        valid_from=figures["valid_from"][0],
        product=product,
        area=area,
        result=entry.get("result", ""),
        activated=entry.get("activated", ""),
        block_minutes=figures["block_minutes"][0],
        gate_closure=figures["gate_closure"][0] if "gate_closure" in figures else "",
        figures=MappingProxyType(dict(figures)),
    )
