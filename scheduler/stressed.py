"""How a problem holds up when prices change, as tables for people and for files.

Works on answers as they are on the wire, so that what a server says and what is worked out here look the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TextIO

from rich.table import Table

from scheduler.report import console_for, money, name_of, percent, table_of, text
from scheduler.tables import Cell
from scheduler.tables import Table as FileTable

if TYPE_CHECKING:
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.v1 import stress_pb2

SHOWN_POINTS_COUNT = 11
UNITS = {"hashprice": "PH/s and day", "power": "MWh", "reserve": "MW and hour"}
WITHOUT = ("nothing", "reserve", "heat", "flexibility")


def print_stress(answer: pb.StressResponse, currency: str, stream: TextIO) -> None:
    """Prints an answer: every so many points of each curve, and all break-evens."""
    console = console_for(stream)
    for line in headline(answer):
        console.print(line)
    tables = [*(_curve(curve, currency) for curve in answer.curves), _break_evens(answer.break_evens, currency)]
    for table in tables:
        if table.row_count:
            console.print()
            console.print(table)


def headline(answer: pb.StressResponse) -> Iterator[str]:
    """What came out, in a few lines."""
    if answer.HasField("no_plan"):
        yield f"NO PLAN: {text(answer.no_plan.reason)}"
        return
    points = [point for curve in answer.curves for point in curve.points]
    proven = sum(point.proven for point in points)
    solves = sum(curve.solves_count for curve in answer.curves)
    words = f"{len(points)} points, {proven} proven to {percent(answer.rel_gap)} (where profit is small, "
    words += f"of a quarter of today's) by {solves} solves"
    yield f"{words} in {answer.wall_seconds:.1f} s"
    if not answer.complete:
        yield "not complete: the time was too short for every proof and every break-even"
    if answer.obligations_missing:
        yield "some obligations cannot be met: profit is that of plans that miss the least of them"
    for curve in answer.curves:
        for price in zeros(curve):
            axis = name_of(curve, "axis")
            yield f"profit passes zero at a {axis} of about {money(price)} per {UNITS.get(axis, '')}"


def zeros(curve: stress_pb2.StressCurve) -> Iterator[float]:
    """Prices at which profit passes zero, read off the straight line between neighbouring points."""
    for low, high in pairwise(curve.points):
        if (low.profit < 0) != (high.profit < 0):
            part = low.profit / (low.profit - high.profit)
            yield curve.price_today * (low.factor + part * (high.factor - low.factor))


def _curve(curve: stress_pb2.StressCurve, currency: str) -> Table:
    axis = name_of(curve, "axis")
    title = f"Profit against {axis}, {currency} ({currency} per {UNITS.get(axis, '')})"
    table = table_of(title, [], ["price", "of today's", "profit", "no plan above", "gap", "PH/s days", "grid MWh"])
    count = len(curve.points)
    every = max(1, (count - 1) // (SHOWN_POINTS_COUNT - 1))
    for i in sorted({*range(0, count, every), count - 1}):
        point = curve.points[i]
        gap = percent(point.gap) if point.HasField("gap") else ""
        table.add_row(
            money(point.factor * curve.price_today),
            f"{point.factor:.0%}",
            money(point.profit),
            money(point.bound) if point.HasField("bound") else "",
            gap if point.proven else f"{gap} not proven",
            f"{point.mined_ph_days:,.1f}",
            f"{point.grid_mwh:,.1f}",
        )
    return table


def _break_evens(found: Sequence[stress_pb2.BreakEven], currency: str) -> Table:
    """A row for all groups together and one for each; empty where nothing was found in time."""
    title = f"Break-even hashprice, {currency} per PH/s and day (machines and offers in parts)"
    table = table_of(title, ["of"], ["today's", "break-even", *(f"without {name}" for name in WITHOUT[1:])])
    rows: dict[str, list[str]] = {}
    for one in found:
        price = money(one.hashprice_per_ph_day) if one.HasField("hashprice_per_ph_day") else "never"
        rows.setdefault(one.asset_id, [money(one.today_per_ph_day)]).append(price)
    for asset_id, cells in rows.items():
        table.add_row(text(asset_id) or "all groups", *cells)
    return table


def files_of(answer: pb.StressResponse, currency: str) -> dict[str, FileTable]:
    """Tables by the names of their CSV files; money in columns that name the currency."""
    kinds = sorted({cash.kind for curve in answer.curves for point in curve.points for cash in point.cash})
    names = {cash.kind: name_of(cash, "kind") for c in answer.curves for point in c.points for cash in point.cash}
    unit = currency.lower()
    columns = ("axis", "factor", "price", f"profit_{unit}", f"bound_{unit}", "gap", "proven", "plan")
    rows: list[tuple[Cell, ...]] = []
    for curve in answer.curves:
        for point in curve.points:
            cash = {one.kind: one.amount for one in point.cash}
            rows.append(
                (
                    name_of(curve, "axis"),
                    point.factor,
                    point.factor * curve.price_today,
                    point.profit,
                    point.bound if point.HasField("bound") else None,
                    point.gap if point.HasField("gap") else None,
                    int(point.proven),
                    point.plan,
                    point.mined_ph_days,
                    point.grid_mwh,
                    *(cash.get(kind, 0.0) for kind in kinds),
                )
            )
    more = ("mined_ph_days", "grid_mwh", *(f"{names[kind]}_{unit}" for kind in kinds))
    break_evens: list[tuple[Cell, ...]] = [
        (
            one.asset_id,
            name_of(one, "without"),
            one.hashprice_per_ph_day if one.HasField("hashprice_per_ph_day") else None,
            one.today_per_ph_day,
        )
        for one in answer.break_evens
    ]
    hashprice = (f"hashprice_{unit}_per_ph_day", f"today_{unit}_per_ph_day")
    return {
        "stress.csv": FileTable((*columns, *more), rows),
        "break_even.csv": FileTable(("asset_id", "without", *hashprice), break_evens),
    }
