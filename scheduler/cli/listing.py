"""scheduler formats, scheduler products: formats of files, and the product table with the source of every figure."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from enum import Enum

from scheduler.cli.arguments import OK, AddCommand
from scheduler.errors import InvalidFileError


def add(command: AddCommand) -> None:
    """The commands."""
    command("formats", _formats, "list the formats of files that --prices reads")
    products = command("products", _products, "list the reserve products that a request can name, and their rules")
    products.add_argument("names", metavar="NAME", nargs="*", help="show all figures of these, with their sources")


def _formats(args: argparse.Namespace) -> int:
    from scheduler.formats.registry import READERS

    for reader in READERS:
        print(reader.NAME)
    return OK


def _products(args: argparse.Namespace) -> int:
    for line in _figures_of(args.names) if args.names else _names():
        print(line)
    return OK


def _names() -> Iterator[str]:
    """A line for each product and the days from which its rules hold, with figures that are not sourced."""
    from scheduler.products import products

    for name, rows in products().items():
        for row in rows:
            doubt = f"  NOT SOURCED: {', '.join(row.unsourced)}" if row.unsourced else ""
            yield f"{name:20} from {row.valid_from}  {row.title}{doubt}"


def _figures_of(names: list[str]) -> Iterator[str]:
    """All rules of some products, a line for each figure. Raises InvalidFileError where one is not known."""
    from scheduler.products import UNSOURCED, products

    if unknown := [name for name in names if name not in products()]:
        raise InvalidFileError(f"{', '.join(unknown)}: no such product; `scheduler products` lists them")
    for name in names:
        for row in products()[name]:
            yield f"{name} from {row.valid_from}: {row.title}, {row.product.direction.value}"
            for figure, (value, source) in row.figures.items():
                shown = value.value if isinstance(value, Enum) else value
                yield f"  {figure:24} {shown!s:12} {'NOT SOURCED' if source == UNSOURCED else source}"
