"""A cold store: the checker finds what is spoilt, plans beat chilling as heat comes in, what is wrong is refused."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from asset_cases import EXACT, problem_of

from scheduler.check import audit, money
from scheduler.plan import CashKind
from scheduler.planner import make_schedule
from scheduler.v1 import scheduler_pb2
from scheduler.wire.request import schedule_request_from_pb
from scheduler.wire.response import schedule_from_pb, schedule_to_pb
from tools.fixtures.build import energy, request, site
from tools.fixtures.cold_store import chilled_early, cold_store
from tools.fixtures.tiny import hourly, unit

GRID = hourly(6)


def toy():
    """The problem of the fixture with its plan."""
    _, problem, _ = schedule_request_from_pb(chilled_early())
    schedule = make_schedule(problem, EXACT)
    assert audit(problem, schedule.plan, schedule.solve, EXACT).violations == ()
    return problem, schedule


def spoilt(problem, plan, **changes):
    """Rules that the checker finds broken where the freezer's plan says something else."""
    (planned,) = plan.sites
    machines, freezer = planned.assets
    freezer = replace(freezer, **{name: change(getattr(freezer, name)) for name, change in changes.items()})
    grid_mw = machines.power_mw + freezer.power_mw
    market = replace(plan.markets[0], position_mw=grid_mw)
    other = replace(plan, sites=(replace(planned, grid_mw=grid_mw, assets=(machines, freezer)),), markets=(market,))
    cash = money(problem, other)
    other = replace(other, cash=cash, objective=sum(stream.total for stream in cash))
    return {violation.rule for violation in audit(problem, other).violations}


def at(t, by):
    return lambda values: values + np.where(np.arange(len(values)) == t, by, 0.0)


@pytest.mark.parametrize(
    ("power", "stored", "rules"),
    [
        (at(1, -0.05), None, {"stored", "stored_limit"}),  # too warm
        (at(2, 0.04), None, {"stored", "stored_limit"}),  # more than it holds
        (at(0, 0.05), None, {"stored", "stored_limit", "chiller"}),
        (at(3, -0.1), None, {"stored", "chiller"}),  # power of cold
        (None, at(2, -0.1), {"stored"}),
        (None, lambda values: values[:-1], {"length", "stored"}),
    ],
)
def test_checker_finds_what_is_spoilt(power, stored, rules):
    problem, schedule = toy()
    changes = {name: change for name, change in (("power_mw", power), ("stored_mwh", stored)) if change}
    assert spoilt(problem, schedule.plan, **changes) == rules


def test_checker_wants_the_level_of_the_end():
    problem, schedule = toy()
    (around,) = problem.sites
    machines, freezer = around.assets
    strict = replace(around, assets=(machines, replace(freezer, end_mwh=0.5, end_value_per_mwh=0.0)))
    found = audit(replace(problem, sites=(strict,)), schedule.plan).violations
    assert "end" in {violation.rule for violation in found}


def test_its_money_is_what_the_end_holds_more():
    problem, schedule = toy()
    (stored,) = (cash for cash in money(problem, schedule.plan) if cash.stream.kind is CashKind.STORED)
    assert stored.stream.asset_id == "freezer" and stored.amount.tolist() == pytest.approx([0, 0, 0, 4], abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_it_never_does_worse_than_chilling_as_heat_comes_in(seed):
    rng = np.random.default_rng(seed)
    load = rng.integers(0, 9, GRID.count) / 4
    price = rng.choice([-20.0, 10.0, 50.0, 120.0], GRID.count).tolist()
    chiller = float(load.max() / 2 + rng.integers(0, 3) / 4)
    freezer = partial(cold_store, GRID, load.tolist(), float(rng.integers(1, 4)), chiller, initial_mwh=0.5)
    problem = problem_of(GRID, [unit(2), freezer(end_mwh=0.5)], price, import_mw=float(2 + chiller))
    plan = make_schedule(problem, EXACT).plan
    assert audit(problem, plan).violations == ()
    as_it_comes = -float(np.array(price) @ load) / 2
    mined = sum(max(0.0, 2 * (60 - each)) for each in price)
    assert plan.objective >= as_it_comes + mined - 0.01
    if min(price) >= 0:  # all that comes in is chilled away, in the cheapest hour at best
        assert plan.objective <= mined - min(price) * load.sum() / 2 + 0.01


def test_a_chiller_that_is_too_weak_is_named():
    problem = problem_of(GRID, [unit(), cold_store(GRID, 2, 1, 0.5, initial_mwh=1, end_mwh=0)])
    schedule = make_schedule(problem, EXACT)
    assert schedule.plan is None
    assert "freezer" in schedule.no_plan_reason or "cold_store" in schedule.no_plan_reason
    assert "chiller_mw" in schedule.no_plan_reason


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("capacity_mwh", -1.0),
        ("chiller_mw", -0.1),
        ("cold_per_power_mw", 0.0),
        ("cold_per_power_mw", -2.0),
        ("initial_mwh", 1.1),
        ("initial_mwh", -0.1),
        ("end_mwh", 1.1),
        ("end_mwh", -0.1),
        ("load_mw.values[2]", -1.0),
    ],
)
def test_what_is_wrong_is_refused_with_its_path(field, value):
    asset = cold_store(GRID, [1.0] * 6, 1, 1, initial_mwh=0.5, end_mwh=0.5)
    if field.startswith("load"):
        asset.cold_store.load_mw.values[2] = value
    else:
        setattr(asset.cold_store, field, value)
    found = problem_violations(asset)
    assert found[0].field == f"problem.sites[0].assets[0].cold_store.{field}"


def problem_violations(asset):
    from scheduler.errors import InvalidRequestError

    message = request("cold", GRID, [site(GRID, [asset])], [energy(GRID, 20)], hashprice=24)
    with pytest.raises(InvalidRequestError) as refused:
        schedule_request_from_pb(message)
    return refused.value.violations


@pytest.mark.parametrize("name", ["capacity_mwh", "chiller_mw", "cold_per_power_mw", "load_mw", "initial_mwh", "end"])
def test_what_is_missing_is_asked_for(name):
    asset = cold_store(GRID, 1, 1, 1, initial_mwh=0.5, end_mwh=0.5)
    asset.cold_store.ClearField("end_mwh" if name == "end" else name)
    assert [violation.field for violation in problem_violations(asset)] == [
        f"problem.sites[0].assets[0].cold_store.{name}"
    ]


def test_a_series_of_another_length_is_refused():
    asset = cold_store(GRID, [1.0] * 6, 1, 1, initial_mwh=0.5, end_mwh=0.5)
    del asset.cold_store.load_mw.values[-1]
    (violation,) = problem_violations(asset)
    assert violation.field == "problem.sites[0].assets[0].cold_store.load_mw.values"


def test_it_travels_both_ways():
    message = chilled_early()
    problem, schedule = toy()
    answer = schedule_to_pb(schedule, "", message.problem)
    again = scheduler_pb2.ScheduleResponse.FromString(answer.SerializeToString())
    assert schedule_to_pb(schedule_from_pb(again, problem), "", message.problem) == answer
    stored = answer.plan.sites[0].assets[1].cold_store.stored_mwh
    assert list(stored) == pytest.approx([0.8, 0, 1, 0.4], abs=1e-6)
