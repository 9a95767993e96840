"""Plans the toys and pairs of fixtures/ and draws them into docs/plans/, many to a sheet.

python tools/draw_sheets.py                all of them, about a minute
python tools/draw_sheets.py pairs          the sheets of one folder

Each has price, power by group and mode, and the reserve held, as `scheduler plot` draws them, on the local clock.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import matplotlib  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure, SubFigure  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

from scheduler import make_plan  # noqa: E402
from scheduler.plan import Schedule  # noqa: E402
from scheduler.plot import style  # noqa: E402
from scheduler.plot.figure import local_clock  # noqa: E402
from scheduler.plot.panels import draw_dispatch, draw_price, draw_reserve  # noqa: E402
from scheduler.wire.json import schedule_request_from_json  # noqa: E402

FIXTURES = ROOT / "fixtures"
PLANS = ROOT / "docs" / "plans"
FOLDERS = ("toy", "pairs")
COLUMNS_COUNT, ROWS_COUNT = 3, 10
CELL_INCHES = (3.9, 2.55)
MOST_TICKS_COUNT = 5


def sheets(folder: str) -> dict[str, list[str]]:
    """Which fixtures stand on which sheet, by its name."""
    names = sorted(path.parent.name for path in (FIXTURES / folder).glob("*/request.json"))
    size = COLUMNS_COUNT * ROWS_COUNT
    return {f"{folder}-{i // size + 1}": names[i : i + size] for i in range(0, len(names), size)}


def sheet(schedules: dict[str, Schedule]) -> Figure:
    """One sheet; what it draws is named by fixture."""
    rows = -(-len(schedules) // COLUMNS_COUNT)
    with matplotlib.rc_context(style.RC):
        figure = Figure(figsize=(COLUMNS_COUNT * CELL_INCHES[0], rows * CELL_INCHES[1]))
        cells = figure.subfigures(rows, COLUMNS_COUNT, squeeze=False).flat
        for cell, (name, schedule) in zip(cells, schedules.items(), strict=False):
            _draw(cell, name, schedule)
    return figure


def _draw(cell: SubFigure, name: str, schedule: Schedule) -> None:
    problem, plan = schedule.problem, schedule.plan
    assert plan is not None, f"{name}: {schedule.no_plan_reason}"
    edges = np.arange(problem.horizon.count + 1, dtype=np.float64) * problem.horizon.step_hours
    has_reserve = any(market.blocks for market in plan.markets)
    heights = (1.0, 1.6, 1.2) if has_reserve else (1.0, 1.6)
    grid = cell.add_gridspec(
        len(heights), 1, height_ratios=heights, hspace=0.16, left=0.13, right=0.7, top=0.9, bottom=0.09
    )
    panels = [cell.add_subplot(grid[row, 0]) for row in range(len(heights))]
    for axes, draw, unit in zip(
        panels,
        (draw_price, draw_dispatch, draw_reserve),
        (f"{problem.currency_code}/MWh", "MW", "reserve"),
        strict=False,
    ):
        draw(axes, problem, plan, edges)
        axes.set_title("")
        axes.set_ylabel(unit, fontsize=style.SMALL_POINTS - 1)
        axes.yaxis.set_label_coords(-0.15, 0.5)
        local_clock(axes, problem.horizon, edges, MOST_TICKS_COUNT)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.tick_params(labelsize=style.SMALL_POINTS - 1, length=2)
        axes.tick_params(bottom=axes is panels[-1], labelbottom=axes is panels[-1])
        _name_parts(axes, name)
    outcome = "" if not schedule.shortfalls else ", in conflict"
    words = f"{name}   {plan.objective:,.2f} {problem.currency_code}{outcome}"
    cell.text(0.02, 0.95, words, fontsize=style.FONT_POINTS, fontweight="bold", color=style.INK, gid=f"plan-{name}")


def _name_parts(axes: Axes, name: str) -> None:
    """A sheet holds many plans: what is drawn is named by its fixture first, so that no name comes twice."""
    for part in axes.get_children():
        if gid := part.get_gid():
            part.set_gid(f"{name}:{gid}")


def write_sheet(path: Path, figure: Figure) -> None:
    """As SVG; the same plans make the same bytes."""
    with matplotlib.rc_context(style.RC):
        figure.savefig(path, metadata={"Date": None})


def planned(folder: str, names: list[str]) -> Iterator[tuple[str, Schedule]]:
    """Their plans; what simpler ways would earn is not drawn."""
    for name in names:
        path = FIXTURES / folder / name / "request.json"
        request = schedule_request_from_json(path.read_bytes(), str(path))
        request.options.counterfactuals = False
        yield name, make_plan(request).schedule


def main(folders: list[str]) -> None:
    """Draws the sheets of the named folders, or all."""
    for folder in folders or FOLDERS:
        for path in PLANS.glob(f"{folder}-*.svg"):
            path.unlink()
        for title, names in sheets(folder).items():
            write_sheet(PLANS / f"{title}.svg", sheet(dict(planned(folder, names))))
            print(f"{title}: {len(names)} plans")


if __name__ == "__main__":
    main(sys.argv[1:])
