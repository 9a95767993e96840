"""The picture of a plan: what is drawn is what the plan says, labels keep apart, and the drawn days are up to date."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from builders import rich_request_pb, stamp, tiny_request_pb
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from scheduler import Result, make_plan
from scheduler.errors import SchedulerError
from scheduler.plan import Schedule, Solve, StopReason
from scheduler.plot import draw, style, write_picture
from scheduler.plot.labels import spread
from scheduler.plot.panels import MOST_BARS_COUNT, MOST_LAYERS_COUNT
from scheduler.problem import Problem
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.request import schedule_request_from_pb
from tools import draw_days, draw_sheets

ROOT = Path(__file__).resolve().parents[2]
DAYS = ROOT / "fixtures" / "days"
PLANS = ROOT / "docs" / "plans"
NAMES = sorted(path.parent.name for path in DAYS.glob("*/request.json"))
QUICK = ("absorber", "awards-clash", "clock-autumn", "spike-day")  # planned within a second or two
SVG = "{http://www.w3.org/2000/svg}"
OWN = (
    "panel-",
    "price-",
    "worth-",
    "dispatch-",
    "made-",
    "reserve-",
    "missing-",
    "money-",
    "grid",
    "import-limit",
    "other",
)


@cache
def planned(name: str) -> Result:
    return make_plan(DAYS / name / "request.json")


def gids(tree: ET.ElementTree) -> set[str]:
    """What is drawn, by the names that the panels give."""
    found = {element.get("id", "") for element in tree.iter(f"{SVG}g")}
    return {name for name in found if name.startswith(OWN)}


def words(tree: ET.ElementTree) -> set[str]:
    return {"".join(element.itertext()).strip() for element in tree.iter(f"{SVG}text")}


def drawn(schedule: Schedule, path: Path) -> ET.ElementTree:
    write_picture(path, schedule)
    return ET.parse(path)


def committed(name: str) -> ET.ElementTree:
    return ET.parse(PLANS / f"{name}.svg")


# ---- the days that are drawn into docs/ ----


def test_every_plan_of_the_fixtures_is_drawn_and_nothing_else():
    """Days and the large fleet alone, toys and pairs on sheets: whatever folder of fixtures/ holds a request."""
    alone = {path.name for path in draw_days.pictures().values()}
    on_sheets = {
        name for folder in draw_sheets.FOLDERS for names in draw_sheets.sheets(folder).values() for name in names
    }
    assert alone | on_sheets == {path.parent.name for path in (ROOT / "fixtures").rglob("request.json")}
    wanted = set(draw_days.pictures()) | {name for folder in draw_sheets.FOLDERS for name in draw_sheets.sheets(folder)}
    assert {path.stem for path in PLANS.glob("*.svg")} == wanted
    assert set(NAMES) <= set(draw_days.pictures())
    for path in PLANS.glob("*.svg"):
        assert path.stat().st_size < (160_000 if path.stem in draw_days.pictures() else 450_000)


def test_the_page_shows_every_picture():
    index = draw_days.index()
    assert (PLANS / "README.md").read_text("utf-8") == index
    assert all(f"({path.name})" in index for path in PLANS.glob("*.svg"))


SHEETS = [(folder, title) for folder in draw_sheets.FOLDERS for title in draw_sheets.sheets(folder)]


@pytest.mark.parametrize(("folder", "title"), SHEETS)
def test_a_sheet_shows_each_of_its_plans_with_its_money(folder, title):
    """What was derived by hand stands beside the name; each has its price or island, its power, its reserve."""
    tree = committed(title)
    found, said = {e.get("id", "") for e in tree.iter(f"{SVG}g")}, words(tree)
    for name in draw_sheets.sheets(folder)[title]:
        (headline,) = (text for text in said if text.startswith(f"{name} "))
        expected = json.loads((ROOT / "fixtures" / folder / name / "expected.json").read_text())
        earned = float(headline.split()[1].replace(",", ""))
        if expected["objective"] is not None:
            assert earned == pytest.approx(expected["objective"], rel=2e-4, abs=max(0.02, expected["tolerance"])), name
        assert {f"plan-{name}", f"{name}:grid"} <= found
        facts = expected.get("facts", {})
        conflict = bool(facts.get("shortfall_mw_h")) or bool(facts.get("unserved_mwh"))
        assert ("in conflict" in headline) == conflict, name
    assert len({e.get("id") for e in tree.iter() if e.get("id")}) == sum(1 for e in tree.iter() if e.get("id"))


def test_a_drawn_sheet_has_the_structure_of_a_fresh_drawing(tmp_path):
    """Same panels and layers, of every toy; run tools/draw_sheets.py where this fails."""
    names = draw_sheets.sheets("toy")["toy-1"]
    draw_sheets.write_sheet(tmp_path / "fresh.svg", draw_sheets.sheet(dict(draw_sheets.planned("toy", names))))
    own = re.compile(rf"({'|'.join(names)}):|plan-")

    def named(tree):
        return {e.get("id") for e in tree.iter() if own.match(e.get("id", ""))}

    fresh = ET.parse(tmp_path / "fresh.svg")
    assert named(fresh) == named(committed("toy-1")) and len(named(fresh)) > 4 * len(names)


@pytest.mark.parametrize("name", NAMES)
def test_a_drawn_day_tells_what_its_fixture_holds(name):
    """Without planning it: its markets and groups are there, its panels are those of the code, its money is right."""
    problem: Problem = schedule_request_from_pb(planned_request(name))[1]
    tree = committed(name)
    found, said = gids(tree), words(tree)
    assert {"panel-price", "panel-dispatch", "panel-reserve", "panel-money", "grid", "money-total-"} <= found
    title = next(text for text in said if text.startswith("Reserve held"))
    for market in problem.markets:
        if market.kind == "energy":
            assert f"price-{market.id}" in found
        else:
            held = {f"reserve-{market.id}-{direction}" for direction in ("up", "down")}
            assert (found & held) or market.id in title, f"{market.id} is neither held nor said not to be"
    assert any(f"{problem.horizon.count} x {problem.horizon.step_minutes} min" in text for text in said)
    expected = json.loads((DAYS / name / "expected.json").read_text())
    headline = next(text for text in said if re.match(r"\w{3} \d{4}-\d\d-\d\d", text))
    if expected["objective"] is not None:
        earned = float(headline.split()[-2].replace(",", ""))
        assert earned == pytest.approx(expected["objective"], rel=2e-4, abs=0.02)
    assert any(element.startswith("dispatch-") for element in found)


def planned_request(name: str):
    from scheduler.wire.json import schedule_request_from_json

    return schedule_request_from_json((DAYS / name / "request.json").read_bytes(), name)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NAMES]
)
def test_a_drawn_day_has_the_structure_of_a_fresh_drawing(name, tmp_path):
    """Same panels, layers, bars; run tools/draw_days.py where this fails."""
    fresh = drawn(planned(name).schedule, tmp_path / "fresh.svg")
    assert gids(fresh) == gids(committed(name))
    titles = ("Price", "Power", "Reserve", "Money")
    assert {w for w in words(fresh) if w.startswith(titles)} == {
        w for w in words(committed(name)) if w.startswith(titles)
    }


# ---- what a picture says ----


def test_layers_add_up_to_the_meter():
    """Stacked MW are those of the grid, in every interval, wakes and all that rests included."""
    made = [f"../pairs/{name}" for name in ("battery-power-up-binding", "generator-up-binding", "island-feasible")]
    for name in (*QUICK, *made):
        result = planned(name)
        axes = draw(result.schedule).axes[1]
        assert ("below 0: made" in axes.get_title(loc="left")) == (name in made)
        hours = np.arange(result.schedule.problem.horizon.count) * result.schedule.problem.horizon.step_hours
        total = np.zeros(len(hours))
        for patch in axes.patches:
            if str(patch.get_gid()).startswith(("dispatch-", "made-", "other")):
                values, edges, base = patch.get_data()
                at = np.searchsorted(edges, hours + 1e-9) - 1
                total += values[at] - base[at]
        grid = np.sum([site.grid_mw for site in result.plan.sites], axis=0)
        assert total == pytest.approx(grid, abs=1e-9)


def test_reserve_is_what_the_plan_holds():
    result = planned("awards-clash")
    reserve = result.reserve()
    axes = draw(result.schedule).axes[2]
    hours = np.arange(96) / 4
    for patch in axes.patches:
        what, rest = str(patch.get_gid()).split("-", 1)
        market_id, direction = rest.rsplit("-", 1)
        values, edges, base = patch.get_data()
        at = np.searchsorted(edges, hours + 1e-9) - 1
        quantity = {"reserve": "backed_mw", "missing": "missing_mw"}[what]
        wanted = reserve[market_id, direction, quantity].to_numpy()
        assert np.abs(values[at] - base[at]) == pytest.approx(wanted, abs=1e-9)
        assert (values <= 0).all() if direction == "down" else (values >= 0).all()
    assert {str(patch.get_gid()) for patch in axes.patches} >= {"missing-afrr-up-up", "missing-afrr-down-down"}


def test_what_is_missing_is_drawn_on_its_side_even_where_nothing_is_held():
    """An award down, and no machine that may take more."""
    request = tiny_request_pb()
    group = request.problem.sites[0].assets[0].miner_group
    del group.moves[0]
    market = request.problem.markets.add(id="down", cleared={})
    market.reserve.spec.CopyFrom(rich_request_pb().problem.markets[5].reserve.spec)
    market.reserve.spec.ClearField("energy_market_id")
    assert market.reserve.spec.direction == v1.DIRECTION_DOWN
    block = market.reserve.blocks.add(id="block", start=stamp(), end=stamp(4))
    block.awards.add(id="won", kw=1000, price_per_mw_h=5.0, penalty_per_mw_h=50.0)
    axes = draw(make_plan(request).schedule).axes[2]
    missing = {str(patch.get_gid()): patch.get_data().values for patch in axes.patches}
    assert (missing["missing-down-down"] == -1.0).all() and "missing-down-up" not in missing


def test_money_adds_up():
    result = planned("spike-day")
    bars = {str(bar.get_gid()): bar.get_width() for bar in draw(result.schedule).axes[3].patches}
    total = bars.pop("money-total-")
    assert total == pytest.approx(result.objective)
    assert sum(bars.values()) == pytest.approx(result.objective, abs=0.05), "streams below half a cent are left out"
    totals = result.cash_totals().groupby(["kind", "market_id"])["total_eur"].sum()
    for (kind, market_id), amount in totals.items():
        if abs(amount) >= 0.005:
            assert bars[f"money-{kind}-{market_id}"] == pytest.approx(amount)


@pytest.mark.parametrize("name", QUICK)
def test_no_label_lies_on_another(name):
    figure = draw(planned(name).schedule)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axes in figure.axes:
        texts = [text for text in axes.texts if text.get_text()]
        boxes = [Text.get_window_extent(text, renderer) for text in texts]  # without the lines to their points
        for i, box in enumerate(boxes):
            for other in boxes[:i]:
                overlap = min(box.y1, other.y1) - max(box.y0, other.y0)
                beside = min(box.x1, other.x1) - max(box.x0, other.x0)
                assert overlap <= 1 or beside <= 1, (name, texts[i].get_text())
            assert box.x1 <= figure.bbox.x1 and box.x0 >= 0, f"{texts[i].get_text()} leaves the page"
    clock = [label.get_window_extent(renderer) for label in figure.axes[2].get_xticklabels() if label.get_text()]
    assert all(a.x1 <= b.x0 + 1 for a, b in pairwise(clock)), "hours of the clock run together"


def test_the_clock_is_local_and_changes():
    axes = draw(planned("clock-autumn").schedule).axes[0]
    ticks = dict(zip(axes.get_xticks(), (label.get_text() for label in axes.get_xticklabels()), strict=True))
    assert ticks[0.0] == "00:00" and ticks[5.0] == "04:00" and ticks[25.0] == "00:00"
    assert list(ticks.values()).count("02:00") == 1


def test_fills_differ_in_black_and_white():
    """Neighbours in a stack have another hatch, and the colours of their fills another lightness."""
    assert all(a != b for a, b in pairwise(style.HATCHES))
    for colours in (style.GROUP_COLOURS, style.RESERVE_COLOURS):
        light = [sum(w * c for w, c in zip((0.3, 0.59, 0.11), to_rgb(colour), strict=True)) for colour in colours]
        assert all(abs(a - b) > 0.1 for a, b in pairwise(light))
    for name in QUICK:
        for axes in draw(planned(name).schedule).axes[1:3]:
            stack = [p for p in axes.patches if str(p.get_gid()).startswith(("dispatch-", "reserve-"))]
            fills = [(patch.get_facecolor(), patch.get_hatch()) for patch in stack]
            names = [str(patch.get_gid()).removesuffix("-up").removesuffix("-down") for patch in stack]
            assert len(set(fills)) == len(set(names))


def test_the_same_plan_makes_the_same_bytes(tmp_path):
    schedule = planned("clock-autumn").schedule
    for suffix in ("svg", "pdf"):
        one, two = tmp_path / f"one.{suffix}", tmp_path / f"two.{suffix}"
        write_picture(one, schedule)
        write_picture(two, schedule)
        assert one.read_bytes() == two.read_bytes()


def test_png(tmp_path):
    write_picture(tmp_path / "plan.png", planned("clock-autumn").schedule)
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["plan", "plan.jpg", "plan.svg.txt"])
def test_other_names_are_refused(name, tmp_path):
    with pytest.raises(SchedulerError, match=r"must end in \.svg, \.png or \.pdf"):
        write_picture(tmp_path / name, planned("clock-autumn").schedule)
    assert not list(tmp_path.iterdir())


def test_without_a_plan_nothing_is_drawn(tmp_path):
    schedule = Schedule(planned("clock-autumn").schedule.problem, Solve(StopReason.TIME), no_plan_reason="no time")
    with pytest.raises(SchedulerError, match="no time"):
        write_picture(tmp_path / "plan.svg", schedule)


def test_ids_of_all_sorts_and_no_reserve(tmp_path):
    request = tiny_request_pb()
    asset = request.problem.sites[0].assets[0]
    asset.id = 'g"<&>$x_{1}$ ü'
    request.problem.markets[0].id = "$"
    tree = drawn(make_plan(request).schedule, tmp_path / "plan.svg")
    assert asset.id in words(tree), "no formula, no markup"
    assert f"dispatch-{asset.id}-mine" in {e.get("id") for e in tree.iter(f"{SVG}g")}


def test_several_sites_and_markets_and_very_many_groups(tmp_path):
    assert gids(drawn(make_plan(rich_request_pb()).schedule, tmp_path / "rich.svg")) >= {
        "price-da", "price-id", "price-east-da", "grid", "panel-reserve",
    }  # fmt: skip
    request = tiny_request_pb()
    first = request.problem.sites[0].assets[0]
    for i in range(30):
        more = request.problem.sites[0].assets.add()
        more.CopyFrom(first)
        more.id = f"group-{i}"
    figure = draw(make_plan(request).schedule)
    layers = [p for p in figure.axes[1].patches if str(p.get_gid()).startswith(("dispatch-", "other"))]
    assert len(layers) == MOST_LAYERS_COUNT
    assert "23 others" in {text.get_text() for text in figure.axes[1].texts}
    assert len(figure.axes[3].patches) <= MOST_BARS_COUNT + 1


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([1.0, 9.0], [1.0, 9.0]),
        ([5.0, 5.0], [4.5, 5.5]),
        ([5.0, 5.2, 5.4], [4.2, 5.2, 6.2]),
        ([0.0, 0.0], [0.0, 1.0]),
        ([10.0, 10.0, 10.0], [8.0, 9.0, 10.0]),
        ([4.0, 5.5, 5.6, 9.9], [4.0, 5.05, 6.05, 9.9]),
    ],
)
def test_labels_keep_apart_and_near(wanted, places):
    assert spread(wanted, 1.0, 0.0, 10.0) == pytest.approx(places)


def test_the_package_works_without_matplotlib():
    """Only scheduler.plot needs it."""
    import subprocess

    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import scheduler.cli, scheduler.planner, scheduler.result, scheduler.formats.plan_files\n"
        "sys.exit(scheduler.cli.main(['plot', 'x.json', 'y.json', '-o', 'z.svg']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "gridflex-scheduler[plot]" in done.stderr
