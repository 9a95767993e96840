"""What holds of every conflict, by brute force; the search for the least shortfall when time is short; words."""

import random
from dataclasses import replace
from datetime import timedelta

import numpy as np
import oracle
import pytest
from conflict_cases import DOWN, MOVES, OFF, START, SYMMETRIC, UP, award, machines, problem, reserve, site

from scheduler.assets.connection import Connection
from scheduler.assets.machine import Cohort, Mode, ModeKind
from scheduler.assets.miner_group import MinerGroup
from scheduler.conflict.lots import lots_of, reduced
from scheduler.conflict.way_out import cheapest_way_out
from scheduler.conflict.words import mw, number, span
from scheduler.horizon import Horizon
from scheduler.markets.block import Award, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.model.build import build
from scheduler.model.clock import Clock
from scheduler.model.compile import compile_matrix
from scheduler.model.solve import Outcome, Result
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import search
from scheduler.plan import StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response
from scheduler.settings import SolveOptions


def random_problem(seed: int) -> Problem:
    """Few large machines, two hours, awards up and down with prices of all sorts."""
    rng = random.Random(seed)
    count = rng.randint(2, 3)
    dwell = rng.choice([0.0, 0.0, 60.0])
    modes = (OFF, Mode("mine", ModeKind.MINING, 1e6, 5e4, dwell))
    running = rng.randint(0, count)
    start = (Cohort("off", count - running, 600.0), Cohort("mine", running, rng.choice([0.0, 600.0])))
    more = {"modes": modes, "initial_cohorts": tuple(cohort for cohort in start if cohort.count)}
    if rng.random() < 0.5:
        more["daily_start_budget_count"] = rng.randint(0, 2)
    group = MinerGroup("group", count, moves=MOVES, **more)
    markets = []
    for id, direction in (("up", UP), ("down", DOWN), ("both", SYMMETRIC)):
        if rng.random() < 0.7:
            step = rng.choice([500, 1000])
            awards = [
                Award(str(a), rng.randint(1, 5) * 500, 5.0, rng.choice([0.0, 3.0, 40.0]), rng.choice([None, 1.0, 9.0]))
                for a in range(rng.randint(1, 2))
            ]
            spec = Product(direction, 300.0, 15.0, Response.CALLED, step, step, Pricing.AS_CLEARED, 60.0)
            blocks = (Block("all", START, START + timedelta(hours=2), awards=tuple(awards)),)
            markets.append(ReserveMarket(id, Stage.CLEARED, spec, blocks))
    connection = Connection(np.full(2, rng.choice([2.0, np.inf])), np.zeros(2), rng.choice([None, 0.4]))
    place = Site("site", connection, Tariff(np.zeros(2)), (group,))
    prices = np.array([rng.uniform(0, 200), rng.uniform(0, 200)])
    energy = EnergyMarket("da", Stage.OPEN, prices)
    return Problem(
        Horizon(START, 60, 2, "Europe/Berlin"), "EUR", Mining(np.full(2, 40.0)), (place,), (energy, *markets)
    )


@pytest.mark.parametrize("seed", range(30))
def test_what_is_bought_back_is_enough(seed):
    made = random_problem(seed)
    schedule = make_schedule(made)
    least = oracle.best(made).missing_mw_h
    if schedule.plan is None or not schedule.shortfalls:
        assert (least, schedule.cheapest_cost) == (pytest.approx(0, abs=1e-6), 0.0)
        return
    lots = lots_of(made, schedule.plan)
    assert sum(lot.missing_mw_h for lot in lots) == pytest.approx(least, abs=1e-5)
    way = cheapest_way_out(made, lots, Clock(60), 0)
    assert way.checked
    assert way.cost == pytest.approx(schedule.cheapest_cost, abs=0.01)
    assert oracle.best(reduced(made, way.bought_kw)).missing_mw_h <= way.unpaid_mw_h + 1e-5
    assert way.unpaid_mw_h <= least + 1e-3
    for release in way.releases.values():
        step = release.lot.market.product.step_kw
        assert release.bought_kw % step == 0 or release.bought_kw == release.lot.award.kw
    if way.traded is not None:
        assert way.traded.cost >= way.cost - 0.01
        assert oracle.best(reduced(made, way.traded.bought_kw)).missing_mw_h <= way.traded.unpaid_mw_h + 1e-5
    for shortfall in schedule.shortfalls:
        assert shortfall.reason
        assert shortfall.field.startswith("problem.")
        assert 0 <= shortfall.start < shortfall.end <= 2


# ---- the search behind it, when the clock is faster ----


def test_a_shortfall_that_is_not_proven_least_is_still_a_plan():
    made = problem(site(machines(30)), reserve("afrr-up", UP, award()))
    matrix = compile_matrix(build(made).ledger)

    def hasty(matrix, options, clock, on_incumbent=None):
        found = plain(matrix, options, clock, on_incumbent)
        if found.outcome is Outcome.INFEASIBLE:
            return found
        is_least = matrix.constant == 0.0  # the search for the least shortfall, else for the most money
        return replace(found, outcome=Outcome.LIMIT, bound=-1.0) if is_least else Result(Outcome.LIMIT, None, None, 9e9)

    found = search(matrix, SolveOptions(), hasty)
    assert found.stop_reason is StopReason.TIME
    assert found.bound == 9e9
    assert found.x[matrix.shortfall].sum() == pytest.approx(4 * 2.0, abs=1e-5)


def test_without_a_least_shortfall_in_time_both_are_sought_at_once():
    matrix = compile_matrix(build(problem(site(machines(30)), reserve("afrr-up", UP, award()))).ledger)

    def late(matrix, options, clock, on_incumbent=None):
        found = plain(matrix, options, clock, on_incumbent)
        is_least = matrix.constant == 0.0 and found.outcome is not Outcome.INFEASIBLE
        return Result(Outcome.LIMIT, None, None, None) if is_least else found

    found = search(matrix, SolveOptions(), late)
    assert (found.stop_reason, found.bound) == (StopReason.TIME, None)
    assert found.x[matrix.shortfall].sum() == pytest.approx(4 * 2.0, abs=1e-5)


# ---- words ----


def test_figures_and_spans():
    assert [number(value) for value in (6.0, 0.125, 4.6, 0.000132, 0.0)] == ["6.0", "0.125", "4.6", "0.00013", "0.0"]
    assert [mw(value) for value in (2.0, 2.5, 1.8531, 0.0003)] == ["2 MW", "2.5 MW", "1.853 MW", "0.3 kW"]
    quarters = Horizon(START, 15, 96, "Europe/Berlin")  # 08:00 to 08:00 on the next day
    assert span(quarters, 0, 16) == "2026-01-15 08-12"
    assert span(quarters, 1, 16) == "2026-01-15 08:15-12:00"
    assert span(quarters, 48, 64) == "2026-01-15 20-24"
    assert span(quarters, 63, 65) == "2026-01-15 23:45-2026-01-16 00:15"
    assert span(Horizon(START, 60, 4, "Europe/Berlin"), 0, 4) == "08-12"
