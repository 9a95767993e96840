"""Simpler ways of running on worked markets: figures by hand, and never better than the optimum."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scheduler.counterfactual import counterfactuals, uplift
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb

FIXTURES = Path(__file__).parents[1] / "fixtures"
TOYS = sorted(path.parent.name for path in FIXTURES.glob("toy/*/request.json"))


def problem_of(case: str) -> Problem:
    path = FIXTURES / case / "request.json"
    return schedule_request_from_pb(schedule_request_from_json(path.read_text(), str(path)))[1]


def totals(problem: Problem) -> dict[str, float]:
    return {way.name: way.total for way in counterfactuals(problem)}


def test_without_reserve_and_locks_the_threshold_is_the_optimum() -> None:
    """Facts E1: a group runs exactly where price plus fee is below its break-even, so the rule can lose nothing."""
    expected = json.loads((FIXTURES / "toy/break-even/expected.json").read_text())
    found = totals(problem_of("toy/break-even"))
    assert found["threshold"] == pytest.approx(expected["objective"], abs=0.01)
    assert found["always-running"] < found["threshold"] - 1


def test_the_absorber_lives_on_calls_alone() -> None:
    """At a hashprice of zero a machine that mines only buys energy, and one that rests in off earns nothing."""
    found = totals(problem_of("days/absorber"))
    assert found["threshold"] == pytest.approx(0.0, abs=1e-9)
    assert found["always-running"] < 0


@pytest.mark.parametrize("toy", TOYS)
def test_no_simpler_way_beats_the_bound(toy: str) -> None:
    schedule = make_schedule(problem_of(f"toy/{toy}"))
    assert schedule.plan is not None and schedule.solve.bound is not None
    ways = schedule.plan.counterfactuals
    assert {way.name for way in ways} == {"always-running", "threshold"}
    for way in ways:
        assert way.shortfalls or way.total <= schedule.solve.bound + 0.01
    gained = uplift(schedule.plan)
    assert gained is not None
    if gained > 0 and schedule.solve.gap_of_uplift is not None:
        missing = schedule.solve.bound - schedule.plan.objective
        assert schedule.solve.gap_of_uplift == pytest.approx(max(0.0, missing) / gained, abs=1e-9)
