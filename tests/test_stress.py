"""Resilience: every point is what a cold solve at its price says, few are solved, break-evens are what facts say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scheduler import check
from scheduler.cli import main, work
from scheduler.errors import AuditError, InvalidRequestError, SolverError
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import compile_matrix
from scheduler.model.repricing import Money, Repricing
from scheduler.model.strategy.fast import fast
from scheduler.model.strategy.search import search
from scheduler.plan import CashKind, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Stage
from scheduler.resilience import Axis, StressOptions, Without
from scheduler.settings import SolveOptions
from scheduler.stress import SHARE_OF_PROFIT, stress
from scheduler.stress.curve import Envelope, Place, prove_points
from scheduler.stress.prices import money_of_axes, repriced
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb
from scheduler.wire.stress import stress_request_from_pb, stress_to_pb

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
OPTIONS = SolveOptions(counterfactuals=False)
COLD = replace(OPTIONS, rel_gap=1e-6, abs_gap=1e-3)
FEW = StressOptions(points_count=11)


def request_of(name):
    path = FIXTURES / name / "request.json"
    return schedule_request_from_json(path.read_bytes(), str(path))


def problem_of(name):
    return schedule_request_from_pb(request_of(name))[1]


NAMES = [
    "days/grid-integrated",
    "days/microgrid-heat",
    "days/island-flare-gas",
    "toy/capacity-or-margin",
    "pairs/award-missing-once-binding",
    "pairs/battery-energy-up-binding",
    "pairs/chance-binding",
    "pairs/max-deviation-binding",
    "pairs/position-beside-open-feasible",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_point_is_what_a_cold_solve_says(name):
    problem = problem_of(name)
    found = stress(problem, OPTIONS, FEW)
    assert found.complete and found.curves
    today = abs(make_schedule(problem, COLD).solve.objective)
    for curve in found.curves:
        assert [point.factor for point in curve.points] == sorted(point.factor for point in curve.points)
        for point in curve.points[::2]:
            cold = make_schedule(repriced(problem, curve.axis, point.factor), COLD).solve
            allowed = max(
                OPTIONS.abs_gap, FEW.rel_gap * abs(point.profit), 1.01 * FEW.rel_gap * SHARE_OF_PROFIT * today
            )
            assert point.proven and point.bound - point.profit <= allowed + 1e-9
            assert point.profit <= cold.bound + 1e-6 * max(1.0, abs(cold.bound))
            assert point.bound >= cold.objective - 1e-6 * max(1.0, abs(cold.objective))
            assert sum(amount for _, amount in point.cash) == pytest.approx(point.profit, abs=1e-6)


def test_few_points_are_solved():
    found = stress(problem_of("days/grid-integrated"), OPTIONS)
    for curve in found.curves:
        assert len(curve.points) == 51 and all(point.proven for point in curve.points)
        assert curve.solves_count <= 10
        assert len({point.plan for point in curve.points}) > 1 or curve.axis is Axis.RESERVE


def test_today_is_the_plan_of_today():
    problem = problem_of("days/microgrid-heat")
    today = make_schedule(problem, COLD).solve
    for curve in stress(problem, OPTIONS, FEW).curves:
        (point,) = (point for point in curve.points if point.factor == 1.0)
        assert point.profit == pytest.approx(today.objective, rel=1e-3)
        assert point.bound >= today.objective - 1e-6


def test_what_was_agreed_keeps_its_price():
    """Positions that are cleared and awards are paid as they were won, whatever prices do."""
    problem = problem_of("toy/capacity-or-margin")
    market = problem.markets[1]
    assert repriced(problem, Axis.RESERVE, 0.0).markets[1].blocks[0].price_per_mw_h == 0.0
    cleared = replace(market, stage=Stage.CLEARED)
    held = replace(problem, markets=(problem.markets[0], cleared, *problem.markets[2:]))
    assert repriced(held, Axis.RESERVE, 0.0).markets[1] is cleared
    assert repriced(problem, Axis.HASHPRICE, 0.5).markets == problem.markets


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", Axis)
def test_physics_do_not_know_prices(name, axis):
    """What a changed problem compiles to differs in money alone, and its money is the vector's."""
    problem = problem_of(name)
    matrix = compile_matrix(build(problem).ledger)
    rise = money_of_axes(matrix).get(axis)
    for factor in (0.0, 0.3, 1.7):
        other = compile_matrix(build(repriced(problem, axis, factor)).ledger)
        for part in ("lower", "upper", "row_lower", "row_upper", "integer"):
            assert np.array_equal(getattr(matrix, part), getattr(other, part)), part
        assert abs(matrix.matrix - other.matrix).nnz == 0
        money = Money(matrix.money, matrix.constant)
        money = money if rise is None else money + rise.times(factor - 1)
        assert other.money == pytest.approx(money.costs, abs=1e-9)
        assert other.constant == pytest.approx(money.constant, abs=1e-6)


# ---- lines and chords ----------------------------------------------------------------------------------------------


class Known:
    """Plans that are numbers, and what they earn: a line each."""

    def __init__(self, lines):
        self.plans = list(lines)


class Line:
    def __init__(self, part, scale=1.0):
        self.part, self.scale = part, scale

    def of(self, plan):
        return self.scale * plan[self.part]

    def times(self, factor):
        return Line(self.part, factor)


def test_bounds_between_points_are_chords_and_there_are_none_beyond():
    envelope = Envelope(Known([(0.0, 1.0)]), Line(0), Line(1))
    envelope.prove(1.0, 4.0)
    assert envelope.bound(0.5) == np.inf and envelope.bound(1.0) == 4.0
    envelope.prove(0.0, 2.0)
    assert envelope.bound(0.5) == pytest.approx(3.0)
    envelope.prove(0.5, 10.0)  # a bad bound never makes a good one worse
    assert envelope.bound(0.5) == pytest.approx(3.0) and envelope.bound(0.25) == pytest.approx(2.5)
    envelope.prove(0.5, 2.0)
    assert envelope.bound(0.25) == pytest.approx(2.0)


def test_the_best_plan_changes_with_the_factor():
    envelope = Envelope(Known([(3.0, 0.0), (0.0, 10.0)]), Line(0), Line(1))
    assert envelope.best(0.1) == (0, 3.0)
    assert envelope.best(0.5) == (1, 5.0)


def test_who_has_no_time_proves_nothing():
    problem = problem_of("days/microgrid-heat")
    matrix = compile_matrix(build(problem).ledger)
    x = search(matrix, OPTIONS, fast).x
    rise = money_of_axes(matrix)[Axis.HASHPRICE]
    known = Repricing(matrix, x, OPTIONS)
    envelope = Envelope(known, Money(matrix.money, matrix.constant) + rise.times(-1.0), rise)
    places = prove_points(known, envelope, [0.0, 0.5, 1.0], OPTIONS, Clock(-1.0))
    assert all(isinstance(place, Place) and not place.proven and place.bound == np.inf for place in places)


def test_time_that_is_over_is_said():
    found = stress(problem_of("days/microgrid-heat"), replace(OPTIONS, time_limit_seconds=0.05), FEW)
    assert not found.complete
    assert found.no_plan_reason or not all(point.proven for curve in found.curves for point in curve.points)


def test_a_plan_that_the_checker_refuses_is_no_answer(monkeypatch):
    money = check.money
    monkeypatch.setattr(check, "money", lambda problem, plan: money(problem, plan)[1:])
    with pytest.raises(AuditError, match="the plan earns"):
        stress(problem_of("toy/capacity-or-margin"), OPTIONS, FEW)


def test_money_that_the_checker_does_not_find_is_no_answer(monkeypatch):
    monkeypatch.setattr("scheduler.stress.repriced", lambda problem, axis, factor: problem)
    with pytest.raises(SolverError, match="the checker finds"):
        stress(problem_of("toy/capacity-or-margin"), OPTIONS, FEW)


# ---- break-evens ---------------------------------------------------------------------------------------------------


def break_evens(problem):
    return {(one.asset_id, one.without): one.hashprice_per_ph_day for one in stress(problem, OPTIONS, FEW).break_evens}


def flat(price=50.0, fee=10.0, heat_price=None, heat_frac=0.9, capacity_price=None):
    """A group of 30 J/TH at a price that never changes, with who buys all of its heat, and reserve up by demand."""
    request = request_of("toy/capacity-or-margin")
    site = request.problem.sites[0]
    group = site.assets[0].miner_group
    for mode in group.modes:
        if mode.hashrate_ths:
            mode.power_w, mode.hashrate_ths = 3000.0, 100.0
    request.problem.markets[0].energy.price_per_mwh.values[:] = [price] * 3
    site.tariff.import_fee_per_mwh.values[:] = [fee] * len(site.tariff.import_fee_per_mwh.values)
    del request.problem.markets[2:]
    for block in request.problem.markets[1].reserve.blocks:
        block.capacity_price_per_mw_h = capacity_price or 0.0
    if heat_price is not None:
        group.heat_frac = heat_frac
        demand = site.assets.add(id="network").heat_demand
        for field, value in ((demand.demand_mw, 1000.0), (demand.price_per_mwh, heat_price)):
            field.CopyFrom(request.problem.markets[0].energy.price_per_mwh)
            field.values[:] = [value] * 3
    return schedule_request_from_pb(request)[1]


PER_EUR = 30 * 24 / 1000
"""Hashprice per PH and day that pays for 1 EUR/MWh at 30 J/TH: 30 kW for a PH/s, all day."""


def pool(problem):
    return 1 - problem.mining.pool_fee_frac


def test_at_a_price_that_never_changes_it_is_what_energy_costs():
    problem = flat()
    wanted = 60 * PER_EUR / pool(problem)
    found = break_evens(problem)
    assert list(found.values()) == [pytest.approx(wanted, rel=1e-6)] * 8


def test_heat_lowers_it_by_what_heat_is_sold_for():
    problem = flat(heat_price=20.0)
    found = break_evens(problem)
    with_heat, plain = ((60 - 18) * PER_EUR / pool(problem), 60 * PER_EUR / pool(problem))
    assert found["", Without.NOTHING] == pytest.approx(with_heat, rel=1e-6)
    assert found["", Without.HEAT] == pytest.approx(plain, rel=1e-6)
    assert found["", Without.FLEXIBILITY] == pytest.approx(with_heat, rel=1e-6)


def test_flexibility_waits_for_the_cheapest_interval():
    problem = flat()
    prices = np.array([50.0, 20.0, 80.0])
    market = replace(problem.markets[0], price_per_mwh=prices)
    found = break_evens(replace(problem, markets=(market, *problem.markets[1:])))
    assert found["", Without.NOTHING] == pytest.approx(30 * PER_EUR / pool(problem), rel=1e-6)
    assert found["", Without.FLEXIBILITY] == pytest.approx(60 * PER_EUR / pool(problem), rel=1e-6)


def test_reserve_pays_for_a_part_of_the_energy():
    """Machines that mine back reserve up, MW for MW."""
    problem = flat(capacity_price=15.0)
    found = break_evens(problem)
    assert found["", Without.RESERVE] == pytest.approx(60 * PER_EUR / pool(problem), rel=1e-6)
    assert found["", Without.NOTHING] < found["", Without.RESERVE] - 5


def test_who_is_paid_for_taking_power_mines_for_nothing():
    found = break_evens(flat(price=-80.0))
    assert found["", Without.NOTHING] == 0.0 and found["", Without.FLEXIBILITY] == 0.0


def test_a_hashprice_of_nothing_breaks_even_nowhere():
    problem = flat()
    mining = replace(problem.mining, hashprice_per_ph_day=0.0 * problem.mining.hashprice_per_ph_day)
    found = stress(replace(problem, mining=mining), OPTIONS, FEW)
    assert {one.hashprice_per_ph_day for one in found.break_evens} == {None}
    assert Axis.HASHPRICE not in {curve.axis for curve in found.curves}


def test_groups_break_even_each_by_itself():
    problem = flat()
    site = problem.sites[0]
    group = site.assets[0]
    better = replace(
        group,
        id="better",
        modes=tuple(replace(mode, hashrate_ths=2 * mode.hashrate_ths) for mode in group.modes),
    )
    found = break_evens(replace(problem, sites=(replace(site, assets=(group, better)),)))
    wanted = 60 * PER_EUR / pool(problem)
    assert found[group.id, Without.RESERVE] == pytest.approx(wanted, rel=1e-6)
    assert found["better", Without.RESERVE] == pytest.approx(wanted / 2, rel=1e-6)
    assert found["", Without.RESERVE] == pytest.approx(wanted / 2, rel=1e-6)
    assert found["", Without.FLEXIBILITY] == pytest.approx(wanted * 2 / 3, rel=1e-6)


# ---- faces ---------------------------------------------------------------------------------------------------------


def test_it_travels():
    request = request_of("days/grid-integrated")
    question = pb.StressRequest(request=request, points_count=5)
    request_id, problem, options, how = stress_request_from_pb(question)
    found = stress(problem, options, how)
    answer = stress_to_pb(found, request_id, request.problem)
    assert len(answer.curves) == 3 and {len(curve.points) for curve in answer.curves} == {5}
    assert answer.complete and answer.problem_digest and answer.rel_gap == 1e-3
    for curve, own in zip(answer.curves, found.curves, strict=True):
        assert [point.profit for point in curve.points] == [point.profit for point in own.points]
    assert len(answer.break_evens) == 8


@pytest.mark.parametrize(
    ("field", "value"),
    [("points_count", 1), ("points_count", 1002), ("power_to", 0.0), ("reserve_to", -1.0), ("rel_gap", 0.0)],
)
def test_options_beyond_reason_are_refused(field, value):
    question = pb.StressRequest(request=request_of("days/grid-integrated"), **{field: value})
    with pytest.raises(InvalidRequestError) as refused:
        stress_request_from_pb(question)
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize("field", ["power_to", "rel_gap"])
def test_numbers_that_are_none_are_refused(field):
    question = pb.StressRequest(request=request_of("days/grid-integrated"), **{field: float("nan")})
    with pytest.raises(InvalidRequestError, match=field):
        stress_request_from_pb(question)


def test_command_writes_table_files_and_picture(tmp_path, capsys):
    path = str(FIXTURES / "days" / "grid-integrated" / "request.json")
    out = [*("-o", str(tmp_path / "s.json")), *("--csv", str(tmp_path / "csv")), *("--plot", str(tmp_path / "s.svg"))]
    assert main(["stress", path, "--points", "11", "--quiet", *out]) == 0
    shown = capsys.readouterr().out
    assert "33 points, 33 proven" in shown and "Break-even hashprice" in shown and "profit passes zero" in shown
    rows = (tmp_path / "csv" / "stress.csv").read_text().splitlines()
    assert len(rows) == 34 and rows[0].startswith("axis,factor,price,profit_eur,bound_eur,gap,proven,plan")
    assert len((tmp_path / "csv" / "break_even.csv").read_text().splitlines()) == 9
    picture = (tmp_path / "s.svg").read_text()
    for gid in ("profit-hashprice", "profit-power", "profit-reserve", "panel-break-even"):
        assert f'id="{gid}"' in picture
    written = json.loads((tmp_path / "s.json").read_text())
    assert written["complete"] and len(written["curves"]) == 3


def test_obligations_that_cannot_be_met_are_a_conflict_for_whoever_calls(monkeypatch, capsys):
    path = str(FIXTURES / "days" / "grid-integrated" / "request.json")
    answer = pb.StressResponse(obligations_missing=True).SerializeToString()
    monkeypatch.setattr(work, "answered", lambda verb, payload, progress=None: answer)
    assert main(["stress", path, "--quiet"]) == 3
    assert "some obligations cannot be met" in capsys.readouterr().out


def test_command_refuses_before_it_works(tmp_path, capsys):
    path = str(FIXTURES / "days" / "grid-integrated" / "request.json")
    assert main(["stress", path, "--quiet", "--plot", str(tmp_path / "s.gif")]) == 1
    assert "must end in" in capsys.readouterr().err
    assert main(["stress", path, "--quiet", "--points", "1"]) == 2
    assert "points_count: must be 2 to 1001" in capsys.readouterr().err


def test_an_island_has_no_price_of_power():
    axes = {curve.axis for curve in stress(problem_of("days/island-flare-gas"), OPTIONS, FEW).curves}
    assert axes == {Axis.HASHPRICE}


def test_what_is_missing_is_said():
    name = "days/awards-clash"
    found = stress(problem_of(name), OPTIONS, StressOptions(points_count=3))
    assert found.obligations_missing
    assert make_schedule(problem_of(name), OPTIONS).solve.stop_reason is StopReason.CONFLICT
    assert any(kind is CashKind.PENALTY for curve in found.curves for point in curve.points for kind, _ in point.cash)
