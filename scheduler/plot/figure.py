"""The whole picture of a plan: headline, price, dispatch and reserve over one local clock, money beside them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scheduler.errors import SchedulerError
from scheduler.formats.whole_file import in_place_of
from scheduler.horizon import Horizon
from scheduler.plan import Schedule
from scheduler.plot import style
from scheduler.plot.panels import draw_dispatch, draw_money, draw_price, draw_reserve
from scheduler.problem import Floats

SIZE_INCHES = (11.7, 7.6)
DOTS_PER_INCH = 150
SUFFIXES = (".svg", ".png", ".pdf")
MOST_TICKS_COUNT = 13
TICK_HOURS = (1, 2, 3, 4, 6, 12, 24, 48, 168)


def draw(schedule: Schedule) -> Figure:
    """The picture. Raises SchedulerError where there is no plan to draw."""
    problem, plan = schedule.problem, schedule.plan
    if plan is None:
        raise SchedulerError(f"there is no plan to draw: {schedule.no_plan_reason}")
    horizon = problem.horizon
    edges = np.arange(horizon.count + 1, dtype=np.float64) * horizon.step_hours
    with matplotlib.rc_context(style.RC):
        figure = Figure(figsize=SIZE_INCHES)
        grid = figure.add_gridspec(
            3, 2, width_ratios=(3.3, 1.15), height_ratios=(2.1, 3.2, 2.3), hspace=0.3, wspace=0.46,
            left=0.05, right=0.985, top=0.885, bottom=0.055,
        )  # fmt: skip
        price, dispatch, reserve = (figure.add_subplot(grid[row, 0]) for row in range(3))
        money = figure.add_subplot(grid[:, 1])
        for name, axes in {"price": price, "dispatch": dispatch, "reserve": reserve, "money": money}.items():
            axes.set_gid(f"panel-{name}")
        draw_price(price, problem, plan, edges)
        draw_dispatch(dispatch, problem, plan, edges)
        draw_reserve(reserve, problem, plan, edges)
        draw_money(money, problem, plan)
        for axes in (price, dispatch, reserve):
            local_clock(axes, horizon, edges)
        headline, below = _headline(schedule)
        figure.text(0.05, 0.965, headline, fontsize=12, fontweight="bold", color=style.INK)
        figure.text(0.05, 0.935, below, fontsize=style.FONT_POINTS, color=style.INK)
    return figure


def write_picture(path: Path, schedule: Schedule) -> None:
    """Writes the picture as .svg, .png or .pdf. Raises SchedulerError for another name."""
    check_suffix(path)
    save(draw(schedule), path)


def check_suffix(path: Path) -> None:
    """Raises SchedulerError for a name that says nothing that can be drawn."""
    if path.suffix.lower() not in SUFFIXES:
        raise SchedulerError(f"{path}: must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")


def save(figure: Figure, path: Path) -> None:
    """Writes a figure. Raises SchedulerError for a name that says nothing that can be drawn."""
    check_suffix(path)
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}  # the same plan makes the same bytes
    with matplotlib.rc_context(style.RC), in_place_of(path) as beside:
        figure.savefig(beside, dpi=DOTS_PER_INCH, metadata=undated.get(path.suffix.lower()))


def _headline(schedule: Schedule) -> tuple[str, str]:
    """When and how much; how sure."""
    problem, plan, solve = schedule.problem, schedule.plan, schedule.solve
    assert plan is not None, "there is a plan"
    zone = ZoneInfo(problem.horizon.time_zone)
    start, end = (at.astimezone(zone) for at in (problem.horizon.start_utc, problem.horizon.end_utc))
    last = end - timedelta(minutes=1)
    days = f"{start:%a %Y-%m-%d}" if start.date() == last.date() else f"{start:%a %Y-%m-%d} to {last:%a %Y-%m-%d}"
    words = [f"{problem.horizon.count} x {problem.horizon.step_minutes} min, {problem.horizon.time_zone}"]
    if solve.bound is not None:
        words.append(f"no plan earns more than {solve.bound:,.2f}")
    if solve.gap is not None:
        words.append(f"gap {solve.gap:.4%}")
    words.append(solve.stop_reason.value)
    if any(short.asset_id for short in schedule.shortfalls):
        words.append("firm load is not served")
    if any(short.award_id for short in schedule.shortfalls):
        words.append("awards are missing")
    if plan.counterfactuals:
        ways = (f"{way.name} {way.total:,.2f}" for way in plan.counterfactuals)
        words.append("simpler ways earn: " + ", ".join(ways))
    return f"{days}    {plan.objective:,.2f} {problem.currency_code}", "   |   ".join(words)


def local_clock(axes: Axes, horizon: Horizon, edges: Floats, most_count: int = MOST_TICKS_COUNT) -> None:
    """Ticks at full hours of the local clock, on days that it changes too; days of longer horizons by their date."""
    zone = ZoneInfo(horizon.time_zone)
    hours = edges[-1]
    every = next((step for step in TICK_HOURS if hours / step <= most_count), TICK_HOURS[-1])
    places, names = [], []
    for t in range(horizon.count + 1):
        local = horizon.boundary_utc(t).astimezone(zone)
        if _is_tick(local, every):
            places.append(edges[t])
            names.append(f"{local:%a %d}" if every >= 24 or (hours > 36 and not local.hour) else f"{local:%H:%M}")
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", labelsize=style.SMALL_POINTS)
    axes.tick_params(axis="y", labelsize=style.SMALL_POINTS)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.3, alpha=0.5)
    axes.set_axisbelow(True)


def _is_tick(local: datetime, every_hours: int) -> bool:
    if local.minute or (local.fold and every_hours > 1):  # of an hour that the clock shows twice, one tick
        return False
    return local.hour % every_hours == 0 if every_hours < 24 else not local.hour and not local.day % (every_hours // 24)
