"""What a plan is made of: streams left out are what a cold solve says, marginal values what a changed problem says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scheduler import explain as explained
from scheduler.explain.margins import MORE_MW, margins
from scheduler.explain.streams import stream_worths
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import compile_matrix
from scheduler.model.repricing import Money, Repricing, parts_of_money
from scheduler.model.solve import Outcome, Solver
from scheduler.model.strategy.fast import fast
from scheduler.model.strategy.search import search
from scheduler.plan import CashKind, StopReason
from scheduler.planner import make_schedule
from scheduler.settings import SolveOptions
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb
from scheduler.wire.response import schedule_from_pb, schedule_to_pb

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
OPTIONS = SolveOptions(counterfactuals=False, explain=True)
B_NET = 80.8081  # EUR/MWh that the machines of capacity-or-margin earn; 20 EUR/MWh is the fee on import
MACHINE_MW = 3675e-6
UP, DOWN = "afrr-up", "afrr-down"


def toy(name="capacity-or-margin"):
    path = FIXTURES / "toy" / name / "request.json"
    return schedule_request_from_json(path.read_bytes(), str(path))


def problem_of(request):
    return schedule_request_from_pb(request)[1]


def solved(problem):
    matrix = compile_matrix(build(problem).ledger)
    return matrix, search(matrix, OPTIONS, fast).x


def money_with(problem, x):
    """The most money of a problem with its whole decisions as in a solution and machines in parts, from the beginning.

    Minus infinity: they do not fit.
    """
    matrix = compile_matrix(build(problem).ledger).without_shortfall()
    groups = {asset.id for site in problem.sites for asset in site.assets if asset.kind == "miner_group"}
    fixed = matrix.integer.copy()
    for declared in matrix.ledger.declared:
        if declared.owner[1] in groups:
            fixed[matrix.columns(declared.variables)] = False
    lower, upper = matrix.lower.copy(), matrix.upper.copy()
    lower[fixed] = upper[fixed] = np.rint(x[fixed])
    solver = Solver(replace(matrix, lower=lower, upper=upper), relaxed=True)
    solver.set_costs(matrix.money, matrix.constant, maximise=True)
    result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=60)
    assert result.outcome is not Outcome.LIMIT
    return -np.inf if result.objective is None else result.objective


def one(items, **fields):
    (found,) = (item for item in items if all(getattr(item, name) == value for name, value in fields.items()))
    return found


def test_blocks_and_machines_are_what_facts_say():
    """Facts E5: up is free while mining pays, down costs its margin; a machine earns what an hour that pays leaves."""
    schedule = make_schedule(problem_of(toy()), OPTIONS)
    assert schedule.solve.stop_reason is StopReason.PROVEN and schedule.solve.reproducible
    around = schedule.explanation.margins
    costs = {(block.market_id, block.block_id): block.cost for block in around.blocks}
    assert costs == {
        (UP, "00"): pytest.approx(0.0, abs=1e-3),
        (UP, "01"): pytest.approx(70 + 20 - B_NET, abs=1e-3),
        (UP, "02"): pytest.approx(120 + 20 - B_NET, abs=1e-3),
        (DOWN, "00"): pytest.approx(B_NET - 50 - 20, abs=1e-3),
        (DOWN, "01"): pytest.approx(0.0, abs=1e-3),
        (DOWN, "02"): pytest.approx(0.0, abs=1e-3),
    }
    assert one(around.blocks, market_id=UP, block_id="01").profit == pytest.approx(12 - (70 + 20 - B_NET), abs=1e-3)
    assert one(around.machines, asset_id="s21").worth == pytest.approx((B_NET - 70) * MACHINE_MW, abs=1e-6)
    # what it saves, fee included; but what is held up must not be exported, so then it is mined
    assert around.sites[0].power[:2] == pytest.approx([70, B_NET], abs=1e-3)
    assert around.sites[0].export_limit[:2] == pytest.approx([0, 70 + 20 - B_NET], abs=1e-3)


def test_a_machine_more_is_the_difference_of_two_problems():
    request = toy()
    matrix, x = solved(problem_of(request))
    group = request.problem.sites[0].assets[0].miner_group
    group.machine_count += 1
    group.initial_cohorts[0].count += 1
    difference = money_with(problem_of(request), x) - money_with(problem_of(toy()), x)
    assert difference > 0.01
    assert one(margins(matrix, x, 60.0).machines, asset_id="s21").worth == pytest.approx(difference, abs=1e-6)


@pytest.mark.parametrize(("market_id", "block_id"), [(UP, "01"), (DOWN, "00"), (DOWN, "02")])
def test_a_block_more_is_the_difference_of_two_problems(market_id, block_id):
    """An award that earns nothing in a block that is open as before."""
    request = toy()
    matrix, x = solved(problem_of(request))
    (market,) = (market for market in request.problem.markets if market.id == market_id)
    block = one(market.reserve.blocks, id=block_id)
    block.awards.add(id="more", kw=round(1000 * MORE_MW), price_per_mw_h=0.0)
    more = problem_of(request)
    with_award = compile_matrix(build(more).ledger)
    offers = np.zeros(len(with_award.money))
    offers[np.flatnonzero(with_award.coarse)] = x[np.flatnonzero(matrix.coarse)]
    difference = money_with(problem_of(toy()), x) - money_with(more, offers)
    cost = one(margins(matrix, x, 60.0).blocks, market_id=market_id, block_id=block_id).cost
    assert cost * MORE_MW == pytest.approx(difference, abs=1e-6)


def test_a_connection_is_worth_what_lies_between_more_and_less_of_it():
    request = toy("connection-binds")
    problem = problem_of(request)
    matrix, x = solved(problem)

    def money_at(limit_mw):
        request.problem.sites[0].connection.import_limit_mw.values[0] = limit_mw
        return money_with(problem_of(request), x)

    with_less, with_limit, with_more = (money_at(limit_mw) for limit_mw in (3.99, 4.0, 4.01))
    found = margins(matrix, x, 60.0).sites[0].import_limit
    more, less = (with_more - with_limit) / 0.01, (with_limit - with_less) / 0.01
    assert more > 100
    assert more - 1e-4 <= found.sum() <= less + 1e-4


LIMITED = sorted(
    path.parent.name
    for words in ("export", "import", "peak", "congest")
    for path in (FIXTURES / "pairs").glob(f"*{words}*/request.json")
)


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("limit", ["import_limit", "export_limit"])
def test_limits_are_worth_what_lies_between_more_and_less_of_them(name, limit):
    """Every limit of a site by as much, where it limits at all."""
    path = FIXTURES / "pairs" / name / "request.json"
    problem = problem_of(schedule_request_from_json(path.read_bytes(), str(path)))
    matrix, x = solved(problem)

    def money_at(more_mw):
        sites = []
        for site in problem.sites:
            old = site.connection and getattr(site.connection, f"{limit}_mw")
            connection = site.connection and replace(site.connection, **{f"{limit}_mw": np.maximum(0, old + more_mw)})
            sites.append(replace(site, connection=connection))
        return money_with(replace(problem, sites=tuple(sites)), x)

    found = sum(getattr(site, limit).sum() for site in margins(matrix, x, 60.0).sites if site.import_limit is not None)
    whole = money_at(0.0)
    more, less = (money_at(0.001) - whole) / 0.001, (whole - money_at(-0.001)) / 0.001
    if any(site.connection and not getattr(site.connection, f"{limit}_mw").all() for site in problem.sites):
        less = np.inf  # there is no less than nothing
    assert more - 1e-3 <= found <= less + 1e-3


def test_power_is_worth_what_lies_between_more_and_less_of_it():
    """A firm load of a megawatt that takes a little less, or more, in one interval."""

    def with_load(t=0, less_mw=0.0):
        request = toy()
        load = request.problem.sites[0].assets.add(id="village").firm_load.load_mw
        load.CopyFrom(request.problem.markets[0].energy.price_per_mwh)
        load.values[:] = [1.0 - (less_mw if t == other else 0.0) for other in range(3)]
        return problem_of(request)

    matrix, x = solved(with_load())
    found = margins(matrix, x, 60.0).sites[0].power
    whole = money_with(with_load(), x)
    for t, price in enumerate(found):
        more = (money_with(with_load(t, 0.01), x) - whole) / 0.01
        less = (whole - money_with(with_load(t, -0.01), x)) / 0.01
        assert more > 50
        assert more - 1e-3 <= price <= less + 1e-3


def test_streams_left_out_are_what_a_cold_solve_of_the_problem_without_their_prices_earns():
    request = toy()
    streams = make_schedule(problem_of(request), OPTIONS).explanation.streams
    assert {(s.kind, s.market_id) for s in streams} == {
        (CashKind.BTC, ""),
        (CashKind.ENERGY, "day-ahead"),
        (CashKind.FEES, ""),
        (CashKind.CAPACITY, UP),
        (CashKind.CAPACITY, DOWN),
    }

    def cold(change):
        changed = toy()
        change(changed.problem)
        return make_schedule(problem_of(changed), OPTIONS).solve

    def nothing_mined(problem):
        problem.mining.hashprice_per_ph_day.values[:] = [0.0]

    def energy_for_nothing(problem):
        problem.markets[0].energy.price_per_mwh.values[:] = [0.0] * 3

    def no_money_for_up(problem):
        for block in problem.markets[1].reserve.blocks:
            block.capacity_price_per_mw_h = 0.0

    for kind, market_id, change in (
        (CashKind.BTC, "", nothing_mined),
        (CashKind.ENERGY, "day-ahead", energy_for_nothing),
        (CashKind.CAPACITY, UP, no_money_for_up),
    ):
        worth, solve = one(streams, kind=kind, market_id=market_id), cold(change)
        assert worth.without <= solve.bound + 1e-6
        assert solve.objective <= worth.without_bound + 1e-6
        assert worth.without_bound - worth.without <= max(0.01, 1e-4 * abs(worth.without)) + 1e-9


def test_amounts_are_the_money_of_the_plan_and_worth_has_two_ends():
    schedule = make_schedule(problem_of(toy()), OPTIONS)
    for stream in schedule.explanation.streams:
        own = [c for c in schedule.plan.cash if (c.stream.kind, c.stream.market_id) == (stream.kind, stream.market_id)]
        assert stream.amount == pytest.approx(sum(cash.total for cash in own), abs=1e-6)
        least, most = stream.worth(schedule.solve.objective, schedule.solve.bound)
        assert least - 0.02 <= stream.amount + 0.02  # what others make up for cannot raise it
        assert least <= most + 1e-9


def test_parts_add_up_to_all_money():
    matrix, x = solved(problem_of(toy()))
    parts = parts_of_money(matrix, lambda stream: stream.kind)
    whole = sum(parts.values(), Money(np.zeros(len(x)), 0.0))
    assert whole.costs == pytest.approx(matrix.money)
    assert whole.of(x) == pytest.approx(matrix.money @ x + matrix.constant)


def test_a_plan_that_is_known_is_not_looked_for_again():
    matrix, x = solved(problem_of(toy("break-even")))
    known = Repricing(matrix, x, OPTIONS)
    money = Money(matrix.money, matrix.constant)
    first = known.solve(money, Clock(60))
    second = known.solve(money.times(1.01), Clock(60))
    assert first.outcome is second.outcome is Outcome.OPTIMAL
    assert second.objective == pytest.approx(1.01 * first.objective)
    assert known.solves_count == 0


def test_who_has_no_time_is_told_so():
    matrix, x = solved(problem_of(toy()))
    assert list(stream_worths(matrix, x, OPTIONS, 0.0)) == []
    told = explained.explain(matrix, x, OPTIONS, 0.0)
    assert (told.streams, told.margins, told.complete) == ((), None, False)


def test_only_who_asks_is_told():
    assert make_schedule(problem_of(toy()), SolveOptions()).explanation is None


def test_it_travels_both_ways():
    request = toy()
    problem = problem_of(request)
    schedule = make_schedule(problem, OPTIONS)
    pb = schedule_to_pb(schedule, "", request.problem)
    assert schedule_to_pb(schedule_from_pb(pb, problem), "", request.problem) == pb
    assert len(pb.explanation.streams) == 5 and pb.explanation.complete
    assert len(pb.explanation.margins.sites[0].power) == problem.horizon.count
