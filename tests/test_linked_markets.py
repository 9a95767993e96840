"""Reserve markets that name each other: one may serve another's energy bids, a loop or a chain is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.problem import Direction
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb

DAY = Path(__file__).resolve().parents[1] / "fixtures" / "days" / "grid-integrated" / "request.json"


def linked(*names: str):
    """Markets A, B, C ... of which each names another, or none."""
    problem = schedule_request_from_pb(schedule_request_from_json(DAY.read_bytes()))[1]
    energy, reserve = problem.markets
    markets = [
        replace(reserve, id=id, activation={}, product=replace(reserve.product, energy_market_id=name))
        for id, name in zip("ABC", names, strict=False)
    ]
    return replace(problem, markets=(energy, *markets))


def faults(problem):
    return {violation.field: (violation.rule, violation.message) for violation in problem.violations()}


def test_one_may_serve_another():
    assert faults(linked("B", "")) == {}


@pytest.mark.parametrize("names", [("B", "A"), ("B", "C", "A")])
def test_loops_are_refused_at_each_of_them(names):
    found = faults(linked(*names))
    assert [*found] == [f"problem.markets[{m}].reserve.spec.energy_market_id" for m in range(1, len(names) + 1)]
    assert {rule for rule, _ in found.values()} == {"loop"}
    assert all("in turn" in message for _, message in found.values())


def test_a_market_that_names_itself_is_refused():
    assert {rule for rule, _ in faults(linked("A", "")).values()} == {"reference"}


def test_a_chain_is_refused():
    found = faults(linked("B", "C", ""))
    assert [*found] == ["problem.markets[1].reserve.spec.energy_market_id"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"full_activation_seconds": 30.0}, "activation"),
        ({"direction": Direction.DOWN}, "direction"),
    ],
)
def test_a_market_whose_calls_do_not_fit_is_refused(changes, rule):
    """What backs the one may be too slow for the other, or moves the other way."""
    problem = linked("B", "")
    energy, first, second = problem.markets
    opposite = {Direction.DOWN: Direction.UP}.get(first.product.direction, Direction.DOWN)
    changes = {name: opposite if name == "direction" else value for name, value in changes.items()}
    other = replace(second, product=replace(second.product, **changes))
    found = faults(replace(problem, markets=(energy, first, other)))
    assert (found["problem.markets[1].reserve.spec.energy_market_id"][0]) == rule


def test_a_market_of_other_sites_is_refused():
    problem = linked("B", "")
    (site,), (energy, first, second) = problem.sites, problem.markets
    sites = (site, replace(site, id="elsewhere", assets=()))
    markets = (energy, replace(first, site_ids=(site.id,)), replace(second, site_ids=("elsewhere",)))
    found = faults(replace(problem, sites=sites, markets=markets))
    assert found["problem.markets[1].reserve.spec.energy_market_id"][0] == "sites"
