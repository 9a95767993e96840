"""The picture of how a day holds up: profit against each price, and the hashprice at which mining pays no more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scheduler.plot import style
from scheduler.plot.figure import save
from scheduler.report import money, name_of, percent
from scheduler.stressed import UNITS, WITHOUT, zeros

if TYPE_CHECKING:
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.v1 import stress_pb2

SIZE_INCHES = (11.7, 7.6)
MOST_ROWS_COUNT = 12
MARKERS = ("o", "s", "^", "D")
"""Of break-evens: with everything, then without reserve, heat, flexibility."""


def draw_stress(answer: pb.StressResponse, currency: str) -> Figure:
    """A panel for each price, and one for break-evens."""
    with matplotlib.rc_context(style.RC):
        figure = Figure(figsize=SIZE_INCHES)
        grid = figure.add_gridspec(2, 2, hspace=0.38, wspace=0.22, left=0.08, right=0.975, top=0.885, bottom=0.07)
        places = [(0, 0), (0, 1), (1, 0)]
        for place, curve in zip(places, answer.curves, strict=False):
            _draw_curve(figure.add_subplot(grid[place]), curve, currency)
        if answer.break_evens:
            _draw_break_evens(figure.add_subplot(grid[1, 1]), answer, currency)
        points = [point for curve in answer.curves for point in curve.points]
        below = f"{len(points)} points, {sum(point.proven for point in points)} proven to {percent(answer.rel_gap)}"
        headline = f"Profit when prices change, {currency}"
        figure.text(0.05, 0.965, headline, fontsize=12, fontweight="bold", color=style.INK)
        words = f"{below}   |   shaded: how much better any plan could be   |   dashed: today"
        figure.text(0.05, 0.935, words, fontsize=style.FONT_POINTS, color=style.INK)
    return figure


def write_curves(path: Path, answer: pb.StressResponse, currency: str) -> None:
    """Writes the picture as .svg, .png or .pdf. Raises SchedulerError for another name."""
    save(draw_stress(answer, currency), path)


def _draw_curve(axes: Axes, curve: stress_pb2.StressCurve, currency: str) -> None:
    axis = name_of(curve, "axis")
    prices = [point.factor * curve.price_today for point in curve.points]
    profit = [point.profit for point in curve.points]
    bounds = [point.bound if point.HasField("bound") else point.profit for point in curve.points]
    axes.set_gid(f"panel-{axis}")
    shade = axes.fill_between(prices, profit, bounds, color=style.OTHER_COLOUR, linewidth=0)
    shade.set_gid(f"gap-{axis}")
    (line,) = axes.plot(prices, profit, color=style.INK, linewidth=1.3)
    line.set_gid(f"profit-{axis}")
    open_points = [(p, point.profit) for p, point in zip(prices, curve.points, strict=True) if not point.proven]
    if open_points:
        axes.plot(*zip(*open_points, strict=True), "x", color=style.INK, markersize=3)
    axes.axvline(curve.price_today, color=style.FAINT, linewidth=0.8, linestyle=(0, (5, 1.5)))
    if min(profit) < 0 < max(profit):
        axes.axhline(0, color=style.INK, linewidth=0.5)
    for price in zeros(curve):
        axes.plot([price], [0], "o", color=style.INK, markersize=3.5)
        axes.annotate(money(price), (price, 0), xytext=(3, 4), textcoords="offset points", fontsize=style.SMALL_POINTS)
    axes.set_title(f"{axis.capitalize()}: {currency} per {UNITS.get(axis, '')}")
    axes.tick_params(labelsize=style.SMALL_POINTS)
    axes.margins(x=0)


def _draw_break_evens(axes: Axes, answer: pb.StressResponse, currency: str) -> None:
    """A row for all groups together and one for each of the first; a mark for each way of asking."""
    axes.set_gid("panel-break-even")
    names = list(dict.fromkeys(one.asset_id for one in answer.break_evens))[:MOST_ROWS_COUNT]
    for w, without in enumerate(WITHOUT):
        found = [
            (one.hashprice_per_ph_day, names.index(one.asset_id))
            for one in answer.break_evens
            if name_of(one, "without") == without and one.asset_id in names and one.HasField("hashprice_per_ph_day")
        ]
        if not found:
            continue
        label = "with everything" if not w else f"without {without}"
        filled = style.INK if not w else "none"
        (marks,) = axes.plot(
            *zip(*found, strict=True), MARKERS[w], color=style.INK, markerfacecolor=filled, markersize=5, label=label
        )
        marks.set_gid(f"break-even-{without}")
    axes.axvline(answer.break_evens[0].today_per_ph_day, color=style.FAINT, linewidth=0.8, linestyle=(0, (5, 1.5)))
    axes.set_yticks(range(len(names)), [name or "all groups" for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=-0.03 * max(axes.get_xlim()[1], 1e-9))
    axes.grid(axis="y", color=style.FAINT, linewidth=0.3, alpha=0.5)
    axes.tick_params(labelsize=style.SMALL_POINTS)
    axes.set_title(f"Break-even hashprice: {currency} per PH/s and day")
    axes.legend(fontsize=style.SMALL_POINTS, frameon=False, loc="lower right")
