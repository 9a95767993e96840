"""What simpler ways of running come to: small cases worked out by hand, and random ones against the bound of the model.

Unless said, a machine of 1 MW and 60,000 TH/s at a hashprice of 24 earns 60 an hour, so its break-even is 60 per MWh.
"""

import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from scheduler import counterfactual
from scheduler.assets.connection import Connection
from scheduler.assets.machine import Cohort, Mode, ModeKind, Move
from scheduler.assets.miner_group import MinerGroup
from scheduler.check import audit
from scheduler.counterfactual import (
    ALWAYS,
    THRESHOLD,
    Earned,
    LeftOut,
    better_total,
    counterfactuals,
    gap_of_uplift,
    simulated_plan,
    uplift,
    uplift_between,
)
from scheduler.counterfactual.fleet import CannotRunError, Fleet, NoTimeError
from scheduler.horizon import Horizon
from scheduler.markets.block import Award, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import Activation, ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.plan import CashKind, CashStream, Counterfactual, Plan, Stream
from scheduler.planner import make_schedule
from scheduler.problem import Direction, Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response
from scheduler.settings import SolveOptions, Strategy

START = datetime(2026, 1, 14, 23, 0, tzinfo=UTC)  # midnight in Berlin
OFF, STANDBY, MINING = ModeKind.OFF, ModeKind.STANDBY, ModeKind.MINING
BOTH_WAYS = (Move("off", "full"), Move("full", "off"))


# ---- builders ------------------------------------------------------------------------------------------------------


def off(power_w=0.0, dwell=0.0):
    return Mode("off", OFF, power_w, dwell_minutes=dwell)


def full(power_w=1e6, ths=60_000.0, dwell=0.0):
    return Mode("full", MINING, power_w, ths, dwell)


def group(id="group", count=10, modes=None, moves=BOTH_WAYS, start="full", **more):
    """Machines that have been in one mode for long; ``start`` may also be cohorts."""
    cohorts = (Cohort(start, count, minutes_since_move=10_000),) if isinstance(start, str) else tuple(start)
    available = more.pop("available", None)
    if available is not None:
        more["available_count"] = np.array(available, dtype=np.int64)
    return MinerGroup(id, count, tuple(modes or (off(), full())), tuple(moves), cohorts, **more)


def site(count, *groups, id="site", import_mw=np.inf, fee=0.0):
    every = np.ones(count)
    connection = Connection(import_mw * every, np.inf * every)
    return Site(id, connection, Tariff(fee * every), groups)


def problem(prices, *sites, markets=(), step=60, hashprice=24.0, pool_fee=0.0):
    """One open energy market for all sites, or the markets named instead of it."""
    horizon = Horizon(START, step, len(prices), "Europe/Berlin")
    energy = () if any(market.kind == "energy" for market in markets) else (spot(prices),)
    mining = Mining(np.full(len(prices), hashprice), pool_fee)
    return Problem(horizon, "EUR", mining, sites, (*energy, *markets)).validated()


def spot(prices):
    return EnergyMarket("spot", Stage.OPEN, np.array(prices, dtype=float))


def cleared(prices, position_mw, most_mw, spread=10.0):
    prices = np.array(prices, dtype=float)
    position = np.array(position_mw, dtype=float)
    return EnergyMarket("da", Stage.CLEARED, prices, (), position, prices - spread, prices + spread, most_mw)


def reserve(direction, awards, *, id="reserve", hours=None, expected=0.0, price=0.0, **more):
    """Called within 15 minutes in blocks of the whole horizon, with offers open at a price that all would like."""
    product = Product(direction, 900, 60, Response.CALLED, 1000, 1000, Pricing.AS_BID, shortest_call_minutes=60)
    end = datetime(2026, 1, 14 + (23 + hours) // 24, (23 + hours) % 24, tzinfo=UTC)
    block = Block("block", START, end, price_per_mw_h=1000.0, awards=tuple(awards))
    calls = Activation(np.full(hours, expected), np.zeros(hours), np.full(hours, price))
    return ReserveMarket(id, Stage.OPEN, product, (block,), dict.fromkeys(direction.parts, calls), **more)


def run(of, name):
    """The plan of a rule, audited anew."""
    plan = simulated_plan(Fleet(of), name)
    assert audit(of, plan).violations == ()
    return plan


def machines(plan, mode, *, asset=0):
    """Machines in a mode, by interval, of an asset of the first site."""
    return plan.sites[0].assets[asset].mode_count[mode].tolist()


def money(plan, kind):
    return sum(stream.total for stream in plan.cash if stream.stream.kind is kind)


# ---- the rules -----------------------------------------------------------------------------------------------------

PUE, POOL_FEE, USD_PER_EUR = 1.05, 0.02, 1.10
BREAK_EVEN = [("s9", 1323, 13.5, 14.4300), ("s19j", 3050, 100.0, 46.3653), ("s21", 3500, 200.0, 80.8081)]


@pytest.mark.parametrize(("id", "watt", "ths", "break_even"), BREAK_EVEN)
def test_threshold_runs_below_the_net_break_even(id, watt, ths, break_even):
    """Facts E1: B_net at a hashprice of 40 USD, pool fee 2 %, overhead 1.05, 1.10 USD per EUR; fee f = 20."""
    fee = 20.0
    prices = [break_even - fee - 0.001, break_even - fee + 0.001, -50.0, 200.0]
    miners = group(id, 100, (off(), full(watt * PUE, ths)), start="off")
    of = problem(prices, site(4, miners, fee=fee), hashprice=40 / USD_PER_EUR, pool_fee=POOL_FEE)
    plan = run(of, THRESHOLD)
    assert machines(plan, 1) == [100, 0, 100, 0]
    mw = 100 * watt * PUE / 1e6
    assert plan.objective == pytest.approx(mw * (0.001 + break_even - fee + 50), abs=2e-4 * mw)


def test_threshold_takes_the_mode_of_the_highest_profit_in_each_interval():
    """From 3500 W at 200 TH/s to 2400 W at 160 breaks even at 60.6, hashprice 40 (formulation 7)."""
    modes = (off(), Mode("eco", MINING, 2400, 160), full(3500, 200))
    ways = [Move(a, b) for a in ("off", "eco", "full") for b in ("off", "eco", "full") if a != b]
    of = problem([60.5, 60.7, 111.0, 111.2], site(4, group(modes=modes, moves=ways)), hashprice=40.0)
    plan = run(of, THRESHOLD)  # break-even of eco: 160 * 40 / 24 / 2400 * 1000 = 111.1
    assert (machines(plan, 2), machines(plan, 1), machines(plan, 0)) == ([10, 0, 0, 0], [0, 10, 10, 0], [0, 0, 0, 10])


@pytest.mark.parametrize(("prices", "mode"), [([20, 100], 2), ([20, 102], 1), ([300, 500], 1), ([60.5, 60.5], 2)])
def test_always_keeps_the_mode_that_is_best_at_the_mean_price_even_at_a_loss(prices, mode):
    modes = (off(), Mode("eco", MINING, 2400, 160), full(3500, 200))
    ways = [Move(a, b) for a in ("off", "eco", "full") for b in ("off", "eco", "full") if a != b]
    of = problem(prices, site(2, group(modes=modes, moves=ways, start="off")), hashprice=40.0)
    plan = run(of, ALWAYS)
    assert machines(plan, mode) == [10, 10]
    power_mw, ths = 10 * modes[mode].power_w / 1e6, 10 * modes[mode].hashrate_ths
    assert plan.objective == pytest.approx(2 * ths * 40 / 24_000 - power_mw * sum(prices))


def test_threshold_rests_where_it_costs_least():
    modes = (Mode("standby", STANDBY, 20_000), off(15_000), full())
    ways = [Move(a, b) for a in ("standby", "off", "full") for b in ("standby", "off", "full") if a != b]
    plan = run(problem([100.0], site(1, group(modes=modes, moves=ways))), THRESHOLD)
    assert machines(plan, 1) == [10]
    assert plan.objective == pytest.approx(-10 * 0.015 * 100)


def test_the_way_to_a_mode_without_a_direct_move_is_the_one_of_least_wear():
    modes = (off(), Mode("standby", STANDBY, 1000), Mode("warm", STANDBY, 500), full())
    ways = [Move("off", "standby", wear_cost=3), Move("standby", "full"), Move("full", "off")]
    ways += [
        Move("off", "warm", wear_cost=1),
        Move("warm", "full", wear_cost=1),
        Move("standby", "off"),
        Move("warm", "off"),
    ]
    plan = run(problem([0, 0, 0], site(3, group(modes=modes, moves=ways, start="off"))), ALWAYS)
    assert [machines(plan, m) for m in range(4)] == [[0, 0, 0], [0, 0, 0], [10, 0, 0], [0, 10, 10]]
    assert money(plan, CashKind.WEAR) == pytest.approx(-20)


def test_machines_that_can_never_mine_or_rest_stay():
    stuck = group(moves=(), start=[Cohort("off", 4), Cohort("full", 6)])
    of = problem([100.0, 10.0], site(2, stuck))
    for name in (ALWAYS, THRESHOLD):
        assert machines(run(of, name), 1) == [6, 6]


# ---- physics -------------------------------------------------------------------------------------------------------


def test_dwell_holds_machines_after_a_spike():
    """Off for at least 45 minutes: one quarter-hour too dear costs two good ones."""
    miners = group(modes=(off(dwell=45), full()))
    plan = run(problem([10, 100, 10, 10, 10], site(5, miners), step=15), THRESHOLD)
    assert machines(plan, 1) == [10, 0, 0, 0, 10]


def test_dwell_holds_machines_that_run():
    """Mining for at least 45 minutes, 10 of them gone for the cohort of 4."""
    start = [Cohort("full", 4, minutes_since_move=10), Cohort("full", 6, minutes_since_move=45)]
    plan = run(
        problem([100, 100, 100, 100], site(4, group(modes=(off(), full(dwell=45)), start=start)), step=15), THRESHOLD
    )
    assert machines(plan, 1) == [4, 4, 4, 0]


def test_a_long_wake_draws_power_and_hashes_nothing():
    """20 minutes to wake at half the power: of the first quarter-hour all, of the second a third."""
    miners = group(moves=(Move("off", "full", 1200, 5e5), Move("full", "off")), start="off")
    plan = run(problem([0, 0, 0], site(3, miners), step=15), ALWAYS)
    assert plan.sites[0].grid_mw == pytest.approx([5, 10 - 5 / 3, 10])
    assert money(plan, CashKind.BTC) == pytest.approx(10 * 15 * (0 + 2 / 3 + 1))


@pytest.mark.parametrize(("dwell", "running"), [(180, [10, 10, 10, 4, 4, 10]), (181, [4, 4, 4, 4, 4, 10])])
def test_no_machine_enters_a_lock_that_runs_when_it_must_be_off(dwell, running):
    miners = group(modes=(off(), full(dwell=dwell)), start="off", available=[10, 10, 10, 4, 4, 10])
    assert machines(run(problem([0] * 6, site(6, miners)), ALWAYS), 1) == running


def test_machines_leave_in_time_for_maintenance_over_standby():
    """Full to off leads over standby, an hour each: those that must be off in interval 2 leave in interval 1."""
    modes = (off(), Mode("standby", STANDBY, 0), full())
    ways = [Move("full", "standby"), Move("standby", "off"), Move("off", "standby"), Move("standby", "full")]
    miners = group(modes=modes, moves=ways, available=[10, 10, 7, 7, 10, 10, 10])
    plan = run(problem([0] * 7, site(7, miners)), ALWAYS)
    assert machines(plan, 2) == [10, 7, 7, 7, 7, 10, 10]
    assert machines(plan, 0) == [0, 0, 3, 3, 0, 0, 0]


def test_no_machine_sets_out_for_a_mode_that_it_could_not_leave_in_time():
    """Standby is an hour on the way to three hours of mining, and from interval 3 on 7 must be off."""
    modes = (off(), Mode("standby", STANDBY, 25), full(dwell=180))
    ways = [Move(*ends) for ends in (("off", "standby"), ("standby", "off"), ("standby", "full"), ("full", "off"))]
    miners = group(modes=modes, moves=ways, start="off", available=[10, 10, 10, 3, 3])
    plan = run(problem([0] * 5, site(5, miners)), ALWAYS)
    assert [machines(plan, m) for m in range(3)] == [[7] * 5, [3, 0, 0, 0, 0], [0, 3, 3, 3, 3]]


def test_no_more_starts_than_the_budget_of_the_civil_day():
    """Budget 6, 2 used; midnight in Berlin is at the start of interval 24."""
    miners = group(start="off", daily_start_budget_count=6, starts_used_today_count=2)
    running = machines(run(problem([0] * 26, site(26, miners)), ALWAYS), 1)
    assert running == [4] * 24 + [10] * 2


def test_no_machine_waits_in_standby_for_a_start_that_the_budget_does_not_have():
    modes = (off(), Mode("standby", STANDBY, 25), full())
    ways = [Move(*ends) for ends in (("off", "standby"), ("standby", "off"), ("standby", "full"), ("full", "standby"))]
    miners = group(modes=modes, moves=ways, start="off", daily_start_budget_count=3)
    plan = run(problem([0] * 4, site(4, miners)), ALWAYS)
    assert [machines(plan, m) for m in range(3)] == [[7] * 4, [3, 0, 0, 0], [0, 3, 3, 3]]


def test_where_starts_are_out_machines_go_on_as_they_mine():
    """From eco to full leads over standby: that is a start, and there is none."""
    modes = (off(), Mode("standby", STANDBY, 0), Mode("eco", MINING, 5e5, 25_000), full())
    ways = [Move("eco", "standby"), Move("standby", "full"), Move("standby", "off"), Move("full", "off")]
    miners = group(modes=modes, moves=ways, start="eco", daily_start_budget_count=0)
    assert machines(run(problem([0, 0], site(2, miners)), ALWAYS), 2) == [10, 10]


def test_the_worst_joule_per_th_is_shed_first_and_comes_back_last():
    """Good 17.5 J/TH and bad 30.5, 4 MW each; limits in whole machines and in between."""
    good = group("good", 4, (off(), full(1e6, 1e6 / 17.5)))
    bad = group("bad", 4, (off(), full(1e6, 1e6 / 30.5)))
    limits = np.array([9, 8, 6.5, 3.999, 2, 5, 7, 8])
    of = problem([0] * 8, site(8, bad, good, import_mw=limits))
    for name in (ALWAYS, THRESHOLD):
        plan = run(of, name)
        assert machines(plan, 1, asset=1) == [4, 4, 4, 3, 2, 4, 4, 4]
        assert machines(plan, 1, asset=0) == [4, 4, 2, 0, 0, 1, 3, 4]


def test_no_machine_is_started_where_the_limit_falls_before_its_lock_ends():
    """Good machines may stop at any time, bad ones run for three hours: in interval 2 there is room for three."""
    good = group("good", 2, (off(), full(1e6, 1e6 / 17.5)))
    bad = group("bad", 4, (off(), full(1e6, 1e6 / 30.5, dwell=180)), start="off")
    plan = run(problem([0] * 6, site(6, good, bad, import_mw=np.array([6, 6, 3, 3, 3, 6]))), ALWAYS)
    assert machines(plan, 1, asset=0) == [2, 2, 2, 2, 2, 2]
    assert machines(plan, 1, asset=1) == [1, 1, 1, 1, 1, 4]


def test_better_machines_take_the_place_of_worse_ones_as_they_wake():
    """The good ones rest for two hours more; the bad ones fill the connection meanwhile."""
    good = group("good", 2, (off(dwell=180), full(1e6, 1e6 / 17.5)), start=[Cohort("off", 2, minutes_since_move=60)])
    bad = group("bad", 3, (off(), full(1e6, 1e6 / 30.5)))
    plan = run(problem([0] * 4, site(4, bad, good, import_mw=3.0)), ALWAYS)
    assert machines(plan, 1, asset=1) == [0, 0, 2, 2]
    assert machines(plan, 1, asset=0) == [3, 3, 1, 1]


def test_no_machine_goes_to_and_fro_where_it_finds_no_room():
    modes = (off(), Mode("standby", STANDBY, 25), full())
    ways = [Move(*ends) for ends in (("off", "standby"), ("standby", "off"), ("standby", "full"), ("full", "standby"))]
    plan = run(problem([0] * 5, site(5, group(modes=modes, moves=ways, start="off"), import_mw=4.5)), ALWAYS)
    assert machines(plan, 1) == [4, 0, 0, 0, 0]
    assert machines(plan, 2) == [0, 4, 4, 4, 4]


def test_machines_without_room_for_the_better_mode_go_on_in_theirs():
    """4 run at 0.5 MW and would at 1 MW; 2.5 MW are room for two of these and one of those."""
    modes = (off(), Mode("eco", MINING, 5e5, 25_000), full())
    ways = [Move(a, b) for a in ("off", "eco", "full") for b in ("off", "eco", "full") if a != b]
    plan = run(problem([0, 0], site(2, group(count=4, modes=modes, moves=ways, start="eco"), import_mw=2.5)), ALWAYS)
    assert [machines(plan, m) for m in range(3)] == [[1, 1], [1, 1], [2, 2]]


def test_an_island_takes_nothing():
    island = Site("island", None, Tariff(np.zeros(2)), (group("other"),))
    of = problem([0, 0], site(2, group()), island)
    plan = run(of, ALWAYS)
    assert plan.sites[0].grid_mw.tolist() == [10, 10]
    assert plan.sites[1].grid_mw.tolist() == [0, 0]


def test_two_sites_are_shed_each_by_its_own_connection():
    first = site(2, group("a"), id="a", import_mw=4.0)
    plan = run(problem([0, 0], first, site(2, group("b"), id="b", import_mw=7.0)), ALWAYS)
    assert [each.grid_mw.tolist() for each in plan.sites] == [[4, 4], [7, 7]]


# ---- the day after the result --------------------------------------------------------------------------------------


def test_on_a_cleared_day_always_takes_what_the_deviation_allows():
    """Position 4, 4, 9 MW and 1.5 MW more: 5, 5 and 10 whole machines, settled at 10 above the price."""
    prices = [20.0, 100.0, 30.0]
    of = problem(prices, site(3, group()), markets=(cleared(prices, [4, 4, 9], 1.5),))
    plan = run(of, ALWAYS)
    assert machines(plan, 1) == [5, 5, 10]
    assert money(plan, CashKind.ENERGY) == pytest.approx(-(4 * 20 + 4 * 100 + 9 * 30))
    assert money(plan, CashKind.DEVIATION) == pytest.approx(-(30 + 110 + 40))
    assert plan.objective == pytest.approx(20 * 60 - 750 - 180)


def test_on_a_cleared_day_threshold_keeps_the_best_machines_for_what_must_be_taken():
    """At 100 all would rest; 3.5 MW must be taken: both of 10 J/TH, then two of three others (break-even 60)."""
    best = group("best", 2, (off(), full(1e6, 1e5)))
    others = group("others", 3)
    prices = [20.0, 200.0, 20.0]
    of = problem(prices, site(3, others, best), markets=(cleared(prices, [5, 5, 5], 1.5),))
    plan = run(of, THRESHOLD)
    assert machines(plan, 1, asset=1) == [2, 2, 2]
    assert machines(plan, 1, asset=0) == [3, 2, 3]
    assert money(plan, CashKind.DEVIATION) == pytest.approx(190)  # long price: 200 - 10


def test_machines_are_ready_for_a_position_that_jumps():
    """Full is an hour away, over standby: those that will be needed wait there, though the price says off."""
    modes = (off(), Mode("standby", STANDBY, 1000), full())
    ways = [Move(*ends) for ends in (("off", "standby"), ("standby", "off"), ("standby", "full"), ("full", "standby"))]
    prices = [100.0, 100.0, 100.0]
    of = problem(
        prices,
        site(3, group(modes=modes, moves=ways, start="off")),
        markets=(cleared(prices, [0, 0, 8], 0.7),),
    )
    plan = run(of, THRESHOLD)
    assert machines(plan, 1) == [0, 8, 0]
    assert machines(plan, 2) == [0, 0, 8]


def test_worse_machines_wait_in_standby_before_better_ones_fill_what_may_be_taken():
    """1 kW each in standby; then 6 to 8 MW. Better ones that stop are gone for two hours; 2.0035 MW may be taken now.

    Two of them would leave room for three to wait, and five were too few; one leaves room for all six: seven will do.
    """
    better = group("better", 4, (off(dwell=120), full(1e6, 1e6 / 17.5)))
    modes = (off(), Mode("standby", STANDBY, 1000), full(1e6, 1e6 / 30.5))
    ways = [Move(*ends) for ends in (("off", "standby"), ("standby", "off"), ("standby", "full"), ("full", "standby"))]
    worse = group("worse", 6, modes, ways, start="off")
    prices = [500.0, 500.0]
    of = problem(prices, site(2, better, worse), markets=(cleared(prices, [1.0035, 7.0], 1.0),))
    plan = run(of, THRESHOLD)
    assert machines(plan, 1, asset=0) == [1, 1]
    assert (machines(plan, 1, asset=1), machines(plan, 2, asset=1)) == ([6, 0], [0, 6])


# ---- awards --------------------------------------------------------------------------------------------------------


def test_always_running_cannot_hold_an_award_down_and_pays_for_it():
    """All 10 machines run, 2 hours at 20: mining 1200, energy 400; 3 MW won at 5, all missing at a penalty of 50."""
    award = Award("won", 3000, 5.0, penalty_per_mw_h=50.0)
    of = problem([20, 20], site(2, group()), markets=(reserve(Direction.DOWN, [award], hours=2),))
    (always, threshold) = counterfactuals(of)
    assert (always.name, threshold.name) == (ALWAYS, THRESHOLD)
    assert always.total == pytest.approx(1200 - 400 + 3 * 5 * 2 - 3 * 50 * 2)
    (short,) = always.shortfalls
    assert (short.market_id, short.block_id, short.award_id) == ("reserve", "block", "won")
    assert (short.start, short.end, short.missing_mw, short.cost) == (0, 2, pytest.approx(3), pytest.approx(300))
    assert short.field == "problem.markets[1].reserve.blocks[0].awards[0]"
    assert "0.000 of 3.000 MW" in short.reason


def test_an_award_is_held_by_the_machines_that_can_and_activation_counts():
    """10 machines run in the first hour alone: 3 MW up are held there, a tenth activated at 80, not mined at 60."""
    award = Award("won", 3000, 5.0, penalty_per_mw_h=50.0)
    market = reserve(Direction.UP, [award], hours=2, expected=0.1, price=80.0)
    of = problem([20, 100], site(2, group()), markets=(market,))
    (always, threshold) = counterfactuals(of)
    assert always.shortfalls == ()
    assert always.total == pytest.approx(1200 - 200 - 1000 + 30 + 2 * 0.3 * (80 - 60))
    assert threshold.total == pytest.approx(600 - 200 + 30 - 150 + 0.3 * (80 - 60))
    (short,) = threshold.shortfalls
    assert (short.start, short.end, short.missing_mw) == (1, 2, pytest.approx(3))


def test_what_is_missing_is_least_first_and_cheapest_then():
    """4 machines can go up for 6 MW won: 2 MW are missing, of the award that costs less."""
    awards = [Award("dear", 3000, 5.0, 90.0), Award("cheap", 3000, 5.0, 10.0)]
    of = problem([20], site(1, group(count=4)), markets=(reserve(Direction.UP, awards, hours=1),))
    always = counterfactuals(of)[0]
    assert [(short.award_id, short.missing_mw) for short in always.shortfalls] == [("cheap", pytest.approx(2))]
    assert always.total == pytest.approx(4 * 40 + 30 - 20)


def test_as_much_is_held_as_can_be_even_where_less_would_earn_more():
    """4 MW of 6 can be held, and each costs 60 in hashes that calls take: more than the penalty of 1."""
    market = reserve(Direction.UP, [Award("won", 6000, 0.0, 1.0)], hours=1, expected=1.0, price=0.0)
    always = counterfactuals(problem([20], site(1, group(count=4)), markets=(market,)))[0]
    assert [short.missing_mw for short in always.shortfalls] == [pytest.approx(2)]
    assert always.total == pytest.approx(4 * 40 - 4 * 60 - 2)


def test_a_rule_that_earns_more_by_letting_an_award_go_still_holds_it():
    """Up is activated all the time for nothing: it costs more than the penalty, and is held all the same."""
    award = Award("won", 3000, 0.0, penalty_per_mw_h=1.0)
    market = reserve(Direction.UP, [award], hours=1, expected=1.0, price=0.0)
    always = counterfactuals(problem([20], site(1, group()), markets=(market,)))[0]
    assert always.shortfalls == ()
    assert always.total == pytest.approx(10 * 40 - 3 * 60)


def test_nothing_is_offered_and_a_model_at_hand_is_as_good_as_one_of_our_own():
    """The market would pay 1000 per MW and hour: only what is won counts, whether or not offers are in the model."""
    award = Award("won", 1000, 5.0, penalty_per_mw_h=50.0)
    of = problem([20, 100], site(2, group()), markets=(reserve(Direction.UP, [award], hours=2),))
    alone = counterfactuals(of)
    planned = make_schedule(of, SolveOptions(counterfactuals=True)).plan
    assert planned is not None
    assert [way.total for way in planned.counterfactuals] == pytest.approx([way.total for way in alone])
    assert alone[0].total == pytest.approx(1200 - 200 - 1000 + 10)
    assert planned.objective > alone[0].total + 1000


# ---- what cannot be worked out -------------------------------------------------------------------------------------


def test_a_rule_that_cannot_keep_a_limit_is_left_out_with_its_reason():
    """All 10 are locked in full above the limit."""
    locked = group(modes=(off(), full(dwell=60)), start=[Cohort("full", 10)])
    of = problem([20], site(1, locked, import_mw=5.0))
    left: list[LeftOut] = []
    assert counterfactuals(of, on_left_out=left.append) == ()
    assert [each.name for each in left] == [ALWAYS, THRESHOLD]
    assert all("takes 10 MW, at most 5 MW" in each.reason for each in left)


def test_without_machines_all_are_left_out(caplog):
    of = problem([20], site(1, group()))
    strange = replace(of, sites=(replace(of.sites[0], assets=(object_with_kind(),)),))
    assert counterfactuals(strange) == ()
    assert "there are no groups of miners" in caplog.text


def object_with_kind():
    class Turbine:
        kind = "turbine"
        id = "t1"

    return Turbine()


def test_time_that_is_over_leaves_out():
    fleet = Fleet(problem([20] * 4, site(4, group())))
    with pytest.raises(CannotRunError, match="interval 0 of 4"):
        simulated_plan(fleet, ALWAYS, replace(SolveOptions(), time_limit_seconds=-1.0))


def test_always_running_takes_the_mean_of_each_day():
    """The sum of two one-day problems, each with its own best mode: 1 MW for 60, or 0.6 MW for 48, an hour."""
    modes = (off(), Mode("eco", MINING, 6e5, 48_000.0), full())
    moves = [Move(a.id, b.id) for a in modes for b in modes if a is not b]
    two = run(problem([10] * 24 + [50] * 24, site(48, group(modes=modes, moves=moves))), ALWAYS)
    assert two.sites[0].assets[0].mode_count[1].tolist() == [0] * 24 + [10] * 24
    one, other = (run(problem([p] * 24, site(24, group(modes=modes, moves=moves))), ALWAYS) for p in (10, 50))
    assert two.objective == pytest.approx(one.objective + other.objective)


def test_a_plan_without_a_way_for_want_of_time_says_that_it_may_be_another(monkeypatch):
    """And no gap of an uplift over whichever way is left."""
    worn = (Move("off", "full", wear_cost=5.0), Move("full", "off"))
    of = problem([20, 61, 20, 200], site(4, group(moves=worn)))
    whole = make_schedule(of)
    assert whole.solve.reproducible and whole.solve.gap_of_uplift is not None

    def too_slow(fleet, name, options=None, model=None):
        if name == ALWAYS:
            raise NoTimeError("it was simulated up to interval 1 of 4 when the time was over")
        return simulated(fleet, name, options, model)

    simulated = counterfactual.simulated_plan
    monkeypatch.setattr(counterfactual, "simulated_plan", too_slow)
    cut = make_schedule(of)
    assert [way.name for way in cut.plan.counterfactuals] == [THRESHOLD]
    assert not cut.solve.reproducible and cut.solve.gap_of_uplift is None


# ---- uplift --------------------------------------------------------------------------------------------------------


def cash(**totals):
    return tuple(CashStream(Stream(CashKind[kind.upper()]), np.array([total])) for kind, total in totals.items())


def plan_with(*ways, objective=100.0, penalty=0.0):
    """Both sides have 30 for the capacity of awards."""
    streams = cash(btc=objective - penalty - 30, capacity=30.0, penalty=penalty)
    return Plan((), (), streams, objective, tuple(ways))


def test_uplift_with_and_without_awards():
    """The first is better by 80 to 70; without penalties the second is: 90 to 80."""
    first = Counterfactual("first", cash(btc=50.0, capacity=30.0))
    second = Counterfactual("second", cash(btc=60.0, capacity=30.0, penalty=-20.0))
    plan = plan_with(first, second)
    assert (better_total(plan.counterfactuals), better_total(plan.counterfactuals, awards=False)) == (80, 90)
    assert (uplift(plan), uplift(plan, awards=False)) == (20, 10)
    assert uplift(plan_with(first, objective=100.0, penalty=-5.0), awards=False) == 25
    assert uplift_between(Earned(100.0), [Earned(80.0), Earned(70.0, -20.0)], awards=False) == 10
    assert gap_of_uplift(plan, 101.0) == pytest.approx(1 / 20)
    assert gap_of_uplift(plan, 99.0) == 0


def test_uplift_where_there_is_none():
    equal = Counterfactual("equal", cash(btc=100.0))
    assert uplift(plan_with()) is None
    assert gap_of_uplift(plan_with(), 101.0) is None
    assert gap_of_uplift(plan_with(equal), 101.0) is None
    assert gap_of_uplift(plan_with(replace(equal, cash=cash(btc=90.0))), None) is None


@pytest.mark.parametrize("asked", [False, True])
def test_a_plan_has_its_counterfactuals_where_asked(asked):
    of = problem([20, 100], site(2, group()))
    schedule = make_schedule(of, SolveOptions(counterfactuals=asked))
    assert schedule.plan is not None
    ways = schedule.plan.counterfactuals
    assert [way.name for way in ways] == ([ALWAYS, THRESHOLD] if asked else [])
    if asked:
        assert [way.total for way in ways] == pytest.approx([0, 400])
        assert schedule.solve.gap_of_uplift is None  # the threshold is the optimum: no uplift


# ---- never better than the optimum ---------------------------------------------------------------------------------


def random_problem(seed):
    """One or two sites, one to three groups of a few large machines, and whatever else a day may bring."""
    rng = np.random.default_rng(seed)
    count, step = int(rng.integers(3, 10)), int(rng.choice([15, 30, 60]))
    every = np.ones(count)
    sites, total_mw = [], 0.0
    for s in range(int(rng.integers(1, 3))):
        groups = [random_group(rng, f"{s}-{g}", count) for g in range(int(rng.integers(1, 3)))]
        nameplate_mw = sum(each.machine_count * each.modes[-1].power_w for each in groups) / 1e6
        limit = nameplate_mw * (rng.uniform(0.4, 1.1) * rng.uniform(0.6, 1, count) if rng.random() < 0.6 else np.inf)
        total_mw += nameplate_mw
        connection = Connection(limit * every, np.inf * every)
        sites.append(Site(f"site-{s}", connection, Tariff(float(rng.choice([0, 10])) * every), tuple(groups)))
    prices = rng.normal(60, 45, count)
    markets: list = [spot(prices)]
    if rng.random() < 0.4:
        position = total_mw * np.repeat(rng.uniform(0.2, 0.8, count), 3)[:count]
        markets = [cleared(prices, position, float(total_mw * rng.uniform(0.2, 0.5)))]
    if rng.random() < 0.6:
        markets.append(random_reserve(rng, count, step))
    horizon = Horizon(START, step, count, "Europe/Berlin")
    return Problem(horizon, "EUR", Mining(np.full(count, 40.0)), tuple(sites), tuple(markets))


def random_group(rng, id, count):
    machine_count, watt = int(rng.integers(1, 6)), float(rng.integers(2, 10)) * 1e5
    ths = watt / float(rng.uniform(14, 32))

    def dwell():
        return float(rng.choice([0, 0, 15, 60]))

    modes = [off(dwell=dwell()), Mode("standby", STANDBY, 5000.0), full(watt, ths, dwell())]
    if rng.random() < 0.5:
        modes.insert(2, Mode("eco", MINING, 0.7 * watt, 0.78 * ths, dwell()))
    ids = [mode.id for mode in modes]
    ends = [(a, b) for a in ids for b in ids if a != b]
    ends = [pair for pair in ends if pair[1] in ("off", "standby") or rng.random() < 0.8]
    way_mw = [None, None, 0.6 * watt]
    ways = [Move(*pair, float(rng.choice([0, 30, 300, 1200])), rng.choice(way_mw), 0.5) for pair in ends]
    first = int(rng.integers(0, machine_count + 1))
    parts = ((str(rng.choice(ids)), first), (str(rng.choice(ids)), machine_count - first))
    start = [Cohort(mode, n, float(rng.choice([0, 10, 600]))) for mode, n in parts if n]
    available = np.full(count, machine_count)
    if rng.random() < 0.4:
        available[int(rng.integers(1, count)) :] -= int(rng.integers(0, machine_count + 1))
    budget = int(rng.integers(0, 2 * machine_count)) if rng.random() < 0.3 else None
    return group(id, machine_count, modes, ways, start, available=available, daily_start_budget_count=budget)


def random_reserve(rng, count, step):
    direction = Direction(str(rng.choice(["up", "down", "symmetric"])))
    seconds = float(rng.choice([30, 300, 900]))
    response = Response(str(rng.choice(["signal", "called"])))
    product = Product(
        direction, seconds, 15, response, 100, 100, Pricing.AS_BID, shortest_call_minutes=15, max_step_mw=1
    )
    awards = (Award("won", int(rng.integers(1, 9)) * 100, 5.0, 100.0),) if rng.random() < 0.6 else ()
    horizon = Horizon(START, step, count, "Europe/Berlin")
    block = Block("block", START, horizon.boundary_utc(int(rng.integers(1, count + 1))), 8.0, awards=awards)
    calls = np.full(count, 0.05 if response is Response.CALLED else 0.0)
    activation = Activation(np.full(count, 0.1), calls, np.full(count, 50.0))
    return ReserveMarket("reserve", Stage.OPEN, product, (block,), dict.fromkeys(direction.parts, activation))


def test_no_counterfactual_that_holds_its_awards_earns_more_than_the_bound():
    """Every counterfactual passed its audit to be here; those that miss awards have let an obligation go for it."""
    options = SolveOptions(rel_gap=1e-6, abs_gap=1e-4, strategy=Strategy.PLAIN, counterfactuals=False)
    compared, with_shortfall = 0, 0
    for seed in range(60):
        of = random_problem(seed)
        if tuple(of.violations()):
            continue
        schedule = make_schedule(of, options)
        ways = counterfactuals(of, on_left_out=lambda left: None)
        if schedule.plan is None:
            assert not ways, f"seed {seed}: there is no plan, and yet {ways[0].name} has one"
            continue
        for way in ways:
            with_shortfall += bool(way.shortfalls)
            if not way.shortfalls:
                compared += 1
                assert schedule.solve.bound is not None
                assert way.total <= schedule.solve.bound + 0.01, f"seed {seed}: {way.name}"
    assert compared > 50
    assert with_shortfall > 5


def test_the_order_of_groups_changes_nothing():
    for seed in range(30):
        of = random_problem(seed)
        if tuple(of.violations()):
            continue
        turned = replace(of, sites=tuple(replace(each, assets=each.assets[::-1]) for each in of.sites[::-1]))
        one, other = (counterfactuals(each, on_left_out=lambda left: None) for each in (of, turned))
        assert [way.total for way in one] == pytest.approx([way.total for way in other], abs=1e-3)


# ---- fast ----------------------------------------------------------------------------------------------------------


def test_240_groups_of_4_modes_over_a_day_in_quarter_hours_take_less_than_two_seconds():
    """Of the processor, for both rules with their audits; half of the sites are short of power all day."""
    rng = np.random.default_rng(1)
    ends = (
        ("off", "standby"),
        ("standby", "off"),
        ("standby", "eco"),
        ("standby", "full"),
        ("eco", "full"),
        ("full", "eco"),
    )
    ends += ("eco", "standby"), ("full", "standby")
    sites = []
    for s in range(40):
        groups = []
        for g in range(6):
            watt, joule_per_th, dwell = float(rng.uniform(3000, 3700)), float(rng.uniform(15, 35)), 15.0 * (g % 3)
            ths = watt / joule_per_th
            modes = (off(dwell=dwell), Mode("standby", STANDBY, 25), Mode("eco", MINING, 0.7 * watt, 0.78 * ths, dwell))
            moves = [Move(*pair, 60.0 * g) for pair in ends]
            available = [1600] * 40 + [1560] * 30 + [1600] * 26
            own = group(f"{s}-{g}", 1600, (*modes, full(watt, ths, dwell)), moves, available=available)
            groups.append(own)
        nameplate_mw = sum(own.machine_count * own.modes[-1].power_w for own in groups) / 1e6
        sites.append(site(96, *groups, id=str(s), import_mw=nameplate_mw * (0.9 if s % 2 else 1.1)))
    of = problem(rng.normal(60, 30, 96), *sites, step=15, hashprice=40.0)
    counterfactuals(problem([20], site(1, group())))  # imports
    started = time.process_time()
    assert len(counterfactuals(of)) == 2
    assert time.process_time() - started < 2.0
