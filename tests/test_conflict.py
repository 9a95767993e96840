"""Obligations that clash: what is missing, the way out and the limit in the way, derived by hand.

The house is that of conflict_cases.py. Buying 2 of 5 MW back costs 2 x 4 x 6.10 = 48.80, as in formulation 8.
"""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from conflict_cases import (
    AWARD,
    CALLED,
    CONNECTION,
    DOWN,
    GROUP,
    HOURS,
    MINE,
    OFF,
    START,
    SYMMETRIC,
    UP,
    award,
    machines,
    position,
    problem,
    reserve,
    series,
    site,
)

from scheduler import conflict
from scheduler.assets.machine import Cohort, Move, Prequalification
from scheduler.conflict import way_out
from scheduler.markets.block import Bid, Block
from scheduler.model.build import build
from scheduler.model.compile import compile_matrix
from scheduler.model.solve import Outcome, Result
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import search
from scheduler.plan import Schedule, Shortfall, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Stage
from scheduler.settings import SolveOptions


def solved(*args: object, **more: object) -> Schedule:
    return make_schedule(problem(*args, **more))


def only(schedule: Schedule) -> Shortfall:
    """The one shortfall of an award."""
    (found,) = (shortfall for shortfall in schedule.shortfalls if shortfall.award_id)
    return found


def limits(schedule: Schedule) -> dict[str, str]:
    """Fields in the way, with the reasons."""
    return {shortfall.field: shortfall.reason for shortfall in schedule.shortfalls if not shortfall.award_id}


# ---- each kind of limit ----


def test_availability_that_falls():
    # 30 machines = 3 MW in the last two hours: 2 of 5 MW are missing for 2 h, penalty 2 x 2 x 100 = 400
    group = machines(available_count=np.array([100, 100, 30, 30]))
    schedule = solved(site(group), reserve("afrr-up", UP, award()))
    assert schedule.solve.stop_reason is StopReason.CONFLICT
    found = only(schedule)
    assert (found.market_id, found.block_id, found.award_id, found.field) == ("afrr-up", "block", "won", AWARD)
    assert (found.start, found.end) == (2, 4)
    assert (found.missing_mw, found.cost) == pytest.approx((2.0, 400.0))
    assert found.reason.startswith("2 MW of 5 MW missing, 4.0 MW h, penalty 400.00 EUR; way out: ")
    assert "buy back 2 MW afrr-up 08-12 at 6.10: 48.80 EUR; the penalty alone would be 400.00 EUR" in found.reason
    assert found.reason.endswith("solved anew: after it every award is held")
    assert schedule.cheapest_cost == pytest.approx(48.8)
    field = f"{GROUP}.available_count"
    assert limits(schedule) == {field: f"have more machines available, raise {field}: 4.0 of 4.0 MW h"}
    (limit,) = (shortfall for shortfall in schedule.shortfalls if not shortfall.award_id)
    assert (limit.site_id, limit.start, limit.end, limit.cost) == ("site", 2, 4, 0.0)
    assert limit.missing_mw == pytest.approx(2.0)


def test_two_runs_are_two_shortfalls_with_one_way_out():
    # 1 MW is missing in the first hour, 2 in the third: one buy-back of 2 MW for the block
    group = machines(available_count=np.array([40, 100, 30, 100]))
    schedule = solved(site(group), reserve("afrr-up", UP, award()))
    first, second = (shortfall for shortfall in schedule.shortfalls if shortfall.award_id)
    assert [(s.start, s.end, round(s.missing_mw, 6), round(s.cost, 6)) for s in (first, second)] == [
        (0, 1, 1.0, 100.0),
        (2, 3, 2.0, 200.0),
    ]
    assert "buy back 2 MW" in first.reason
    assert second.reason == "2 MW of 5 MW missing, 2.0 MW h, penalty 200.00 EUR; way out: as from 08-09"
    assert schedule.cheapest_cost == pytest.approx(48.8)


def test_import_limit_of_a_down_award():
    # at rest the site takes 0 MW and may go up to 3: 2 of 5 MW are missing for 4 h
    schedule = solved(site(machines(start="off"), import_mw=3), reserve("afrr-down", DOWN, award()))
    assert only(schedule).missing_mw == pytest.approx(2.0)
    assert schedule.cheapest_cost == pytest.approx(48.8)
    field = f"{CONNECTION}.import_limit_mw"
    assert limits(schedule) == {field: f"raise {field}: 8.0 of 8.0 MW h"}


def test_import_limit_of_a_symmetric_award():
    # x up needs x MW running, x down room for x more: 2 x <= 7, so x = 3.5 of 4. Half a MW a step is 1 MW: 1 x 4 x 6.10
    schedule = solved(site(machines(), import_mw=7), reserve("fcr", SYMMETRIC, award(4000)))
    assert only(schedule).missing_mw == pytest.approx(0.5)
    assert only(schedule).cost == pytest.approx(0.5 * 4 * 100)  # once, not per direction
    assert schedule.cheapest_cost == pytest.approx(24.4)
    assert list(limits(schedule)) == [f"{CONNECTION}.import_limit_mw"]


def test_ramp():
    # 0.5 MW/min for 5 min: 2.5 of 5 MW, bought back in whole MW: 3 x 4 x 6.10 = 73.20
    schedule = solved(site(machines(), ramp=0.5), reserve("afrr-up", UP, award()))
    assert only(schedule).missing_mw == pytest.approx(2.5)
    assert schedule.cheapest_cost == pytest.approx(73.2)
    assert list(limits(schedule)) == [f"{CONNECTION}.ramp_mw_per_minute"]


def test_max_deviation_from_a_cleared_position():
    # 2 MW bought, 1 MW of deviation allowed: 3 MW may run, 2 of 5 are missing
    schedule = solved(site(machines()), reserve("afrr-up", UP, award()), energy=position(2.0, 1.0))
    assert only(schedule).missing_mw == pytest.approx(2.0)
    field = "problem.markets[0].energy.max_deviation_mw"
    assert limits(schedule) == {field: f"raise {field}: 8.0 of 8.0 MW h"}


def test_locks_of_the_start_state():
    # all have just gone off for two hours: nothing of 5 MW is held until 09:00Z, 10 MW h
    start = {"modes": (replace(OFF, dwell_minutes=120), MINE), "initial_cohorts": (Cohort("off", 100),)}
    schedule = solved(site(machines(**start)), reserve("mfrr-up", UP, award(), **CALLED))
    assert (only(schedule).start, only(schedule).end) == (0, 2)
    ((field, reason),) = limits(schedule).items()
    assert field == f"{GROUP}.initial_cohorts"
    assert "(100 in 'off' until 2026-01-15 09:00Z)" in reason
    assert reason.endswith(": 10.0 of 10.0 MW h")


def test_start_state_itself():
    # off, free to move, but 20 min on the way are more than the 5 of the product: 5 MW are missing for the first hour
    group = machines(start="off", moves=(Move("off", "mine", 1200), Move("mine", "off")))
    schedule = solved(site(group), reserve("mfrr-up", UP, award(), **CALLED))
    assert (only(schedule).start, only(schedule).end) == (0, 1)
    field = f"{GROUP}.initial_cohorts"
    advice = f"have the machines of 'group' in 'mine' before the start, see {field}"
    assert limits(schedule) == {field: f"{advice}: 5.0 of 5.0 MW h"}


def test_start_budget():
    # 20 starts wake 2 MW: 3 of 5 are missing
    schedule = solved(site(machines(start="off", daily_start_budget_count=20)), reserve("afrr-up", UP, award()))
    assert only(schedule).missing_mw == pytest.approx(3.0)
    assert list(limits(schedule)) == [f"{GROUP}.daily_start_budget_count"]


def test_prequalification():
    group = machines(prequalified=(Prequalification("other", UP, 1.0), Prequalification("afrr-up", UP, 3.5)))
    markets = (reserve("afrr-up", UP, award()), reserve("other", UP, award(1000)))
    schedule = solved(site(group), *markets)
    assert only(schedule).missing_mw == pytest.approx(1.5)
    assert "can never back more than 3.5 MW, 5 MW are awarded" in only(schedule).reason
    assert list(limits(schedule)) == [f"{GROUP}.prequalified[1].max_mw"]


def test_two_limits_that_help_only_together():
    group = machines(prequalified=(Prequalification("afrr-up", UP, 3.0),))
    schedule = solved(site(group, import_mw=3), reserve("afrr-up", UP, award()))
    room, cap = f"{CONNECTION}.import_limit_mw", f"{GROUP}.prequalified[0].max_mw"
    assert limits(schedule) == {
        room: f"raise {room}: 8.0 of 8.0 MW h, but only together with {cap}",
        cap: f"prequalify more, raise {cap}: 8.0 of 8.0 MW h, but only together with {room}",
    }


def test_groups_are_told_apart():
    # of two groups that are away for an hour, one is too slow for the product and would not help
    slow = (Move("off", "mine", 3600), Move("mine", "off", 3600))
    away = np.array([100, 100, 100, 0])
    groups = (machines(id="slow", moves=slow, available_count=away), machines(id="quick", available_count=away))
    schedule = solved(site(*groups), reserve("afrr-up", UP, award()))
    assert list(limits(schedule)) == ["problem.sites[0].assets[1].miner_group.available_count"]


def test_no_limit_but_too_few_machines():
    # 12 MW were sold of 10, and mining more is not possible: no limit is named
    schedule = solved(site(machines(), import_mw=20), reserve("afrr-up", UP, award(12_000)))
    assert limits(schedule) == {}
    assert "its machines can never back more than 10 MW, 12 MW are awarded" in only(schedule).reason
    assert "8.0 MW h stay missing whatever limit is lifted" in only(schedule).reason


def test_start_states_that_are_impossible_are_no_probe():
    # had all been mining before the start, they would draw 10 MW for an hour on their way to off, and 6 are allowed
    slow = (Move("off", "mine", 1200), Move("mine", "off", 3600, 100_000.0))
    group = machines(start="off", moves=slow)
    schedule = solved(site(group, import_mw=6), reserve("mfrr-up", UP, award(), **CALLED))
    assert "no machine of its sites may back it" in only(schedule).reason
    assert "not every limit" not in only(schedule).reason
    assert limits(schedule) == {}


def test_machines_that_may_not_back_at_all():
    group = machines(moves=(Move("off", "mine", 600), Move("mine", "off")))  # the way back takes longer than 300 s
    assert "no machine of its sites may back it" in only(solved(site(group), reserve("x", UP, award()))).reason


# ---- ways out ----


def test_two_awards_for_the_same_machines():
    # 3 MW for 2 + 2 sold. Missing where the penalty is less: afrr-up. Cheaper to buy back: 1 MW of mfrr-up at 6.10
    markets = (reserve("afrr-up", UP, award(2000, 20.0)), reserve("mfrr-up", UP, award(2000, 6.1, penalty=150.0)))
    schedule = solved(site(machines(30)), *markets)
    missing, instead = (shortfall for shortfall in schedule.shortfalls if shortfall.award_id)
    other = AWARD.replace("[1]", "[2]")
    assert (missing.market_id, missing.missing_mw, missing.cost) == ("afrr-up", pytest.approx(1), pytest.approx(400))
    assert "keep it, it is cheaper to give up other awards" in missing.reason
    assert (instead.field, instead.missing_mw, instead.cost) == (other, pytest.approx(1), pytest.approx(24.4))
    assert "buy back 1 MW mfrr-up 08-12 at 6.10: 24.40 EUR" in instead.reason
    assert schedule.cheapest_cost == pytest.approx(24.4)
    assert limits(schedule)[other].startswith(f"give up {other}: 4.0 of 4.0 MW h")


def test_award_of_other_hours_does_not_clash():
    early, late = START + timedelta(hours=1), START + timedelta(hours=4)
    market = reserve("afrr-up", UP)
    blocks = (
        Block("early", START, early, awards=(award(12_000),)),
        Block("late", early, late, awards=(award(1000),)),
    )
    assert limits(solved(site(machines()), replace(market, blocks=blocks))) == {}


@pytest.mark.parametrize(
    ("available", "buy_back", "penalty", "cost", "words"),
    [
        # 4 + 3 x 0.2 = 4.6 MW h x 10 against 4 MW x 4 h x 6.10 = 97.60
        ((10, 48, 48, 48), 6.1, 10.0, 46.0, "pay the penalty on 4.6 MW h at 10.00: 46.00 EUR"),
        # missing 3, 1, 1, 1. All: 3 x 4 x 3 = 36; none: 60; 1 MW and the rest: 1 x 4 x 3 + 2 x 10 = 32
        (
            (20, 40, 40, 40),
            3.0,
            10.0,
            32.0,
            "buy back 1 MW afrr-up 08-12 at 3.00: 12.00 EUR and pay the penalty on 2.0 MW h at 10.00: 20.00 EUR",
        ),
        # a penalty of 0 says nothing: bought back
        ((30, 30, 30, 30), 6.1, 0.0, 48.8, "buy back 2 MW afrr-up 08-12 at 6.10: 48.80 EUR"),
        ((30, 30, 30, 30), None, 100.0, 800.0, "it has no buy_back_per_mw_h, so only the penalty is left"),
        ((30, 30, 30, 30), None, 0.0, 0.0, "it has neither buy_back_per_mw_h nor penalty_per_mw_h"),
    ],
)
def test_the_cheaper_of_buying_back_and_paying(available, buy_back, penalty, cost, words):
    group = machines(available_count=np.array(available))
    schedule = solved(site(group), reserve("afrr-up", UP, award(5000, buy_back, penalty)))
    assert schedule.cheapest_cost == pytest.approx(cost)
    assert words in only(schedule).reason


def test_penalty_that_is_cheaper_comes_with_the_trade_that_breaches_nothing():
    # 2 MW up and 2 MW down on 3 MW: 1 MW is missing of down, 4 MW h x 5 = 20; buying it back: 1 x 4 x 6.10 = 24.40
    markets = (reserve("up", UP, award(2000, 30.0)), reserve("down", DOWN, award(2000, 6.1, penalty=5.0)))
    schedule = solved(site(machines(30)), *markets)
    assert only(schedule).market_id == "down"
    assert schedule.cheapest_cost == pytest.approx(20.0)
    assert "to hold every award instead: buy back 1 MW down 08-12 at 6.10: 24.40 EUR" in only(schedule).reason


def test_a_penalty_that_is_cheaper_than_any_step_is_paid_in_full():
    """2 MW lack: a penalty of 1 costs 8, a step at 100 costs 400."""
    schedule = solved(site(machines(30)), reserve("afrr-up", UP, award(buy_back=100.0, penalty=1.0)))
    assert schedule.cheapest_cost == pytest.approx(8.0)
    assert "way out: pay the penalty on 8.0 MW h at 1.00: 8.00 EUR" in only(schedule).reason


def test_what_is_bought_back_is_whole_steps_or_the_award():
    """4.5 MW are won in steps of 1 MW, 1.5 MW lack in two hours and 4.5 in the others: 4 MW or 4.5, never 3.5."""
    available = machines(45, available_count=np.array([30, 30, 0, 0]))
    schedule = solved(site(available), reserve("afrr-up", UP, award(4500, buy_back=30.0, penalty=130.0)))
    (release, *_) = [word for word in only(schedule).reason.split("; ") if word.startswith("way out: buy back")]
    assert release.startswith(("way out: buy back 4 MW", "way out: buy back 4.5 MW")), release


def test_a_way_out_that_the_clock_cut_is_no_worse_than_penalties_and_says_so(monkeypatch):
    """What is found on the way to the least shortfall is none: no more is given up for its sake."""
    made = problem(site(machines(30)), reserve("afrr-up", UP, award()), reserve("afrr-down", DOWN, award()))
    sure = make_schedule(made)
    least = way_out.least

    def cut(*args, **more):
        found = least(*args, **more)
        return replace(found, of_awards_mw_h=found.of_awards_mw_h + 5.0, is_proven=False)

    monkeypatch.setattr(way_out, "least", cut)
    schedule = make_schedule(made)
    assert sure.solve.reproducible and sure.solve.stop_reason is StopReason.CONFLICT
    assert not schedule.solve.reproducible and schedule.solve.stop_reason is StopReason.TIME
    own = sum(shortfall.cost for shortfall in schedule.shortfalls if shortfall.award_id)
    assert schedule.cheapest_cost <= max(own, sure.cheapest_cost) + 1e-6
    assert any("there was no time to look for all that may be cheaper" in each.reason for each in schedule.shortfalls)


def test_no_more_is_bought_back_than_was_won():
    schedule = solved(site(machines(available_count=np.zeros(HOURS, int))), reserve("afrr-up", UP, award(1500)))
    assert schedule.cheapest_cost == pytest.approx(1.5 * 4 * 6.1)
    assert "buy back 1.5 MW" in only(schedule).reason


def test_block_cut_by_the_horizon():
    # the block runs from 06 to 12, four hours of it inside
    market = reserve("afrr-up", UP, award(), first_hour=-2)
    schedule = solved(site(machines(30)), market)
    assert schedule.cheapest_cost == pytest.approx(48.8)
    assert "buy back 2 MW afrr-up 08-12 at 6.10: 48.80 EUR for the 4.0 h inside the horizon" in only(schedule).reason


def test_without_time_the_relaxed_plan_still_speaks():
    made = problem(site(machines(30)), reserve("afrr-up", UP, award()))
    plan = make_schedule(made).plan
    found = conflict.explain(made, plan, seconds=0.0)
    assert found.cheapest_cost == pytest.approx(48.8)
    (shortfall,) = found.shortfalls
    assert "after it every award is held, as the relaxed plan shows" in shortfall.reason
    assert "not every limit that may clash was tried: raise time_limit_seconds" in shortfall.reason


def test_awards_that_are_held_are_no_conflict():
    schedule = solved(site(machines(50)), reserve("afrr-up", UP, award()))
    assert schedule.solve.stop_reason is StopReason.PROVEN
    assert (schedule.shortfalls, schedule.cheapest_cost) == ((), 0.0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_more_than_may_be_offered_is_won_and_held(count):
    """Whatever bids there are besides: nothing more is offered, and nothing clashes."""
    market = reserve("afrr-up", UP, award(5000))
    bids = tuple(Bid(f"bid-{number}", 1000, 5.0 + number) for number in range(count))
    (block,) = market.blocks
    block = replace(block, max_kw=1000, price_per_mw_h=5.0, bids=bids)
    schedule = solved(site(machines(80)), replace(market, stage=Stage.OPEN, blocks=(block,)))
    assert schedule.solve.stop_reason is StopReason.PROVEN
    assert schedule.plan is not None
    (found,) = schedule.plan.markets[1].blocks
    assert (found.offered_kw, found.awarded_kw) == (0, 5000)


def test_a_least_that_a_solver_cannot_hold_to_its_own_tolerance_is_given_more_room():
    """It is no clock that ends there, and the plan is that of most money."""
    made = problem(site(machines(30)), reserve("afrr-up", UP, award()))
    matrix = compile_matrix(build(made).ledger)
    calls = []

    def most_money(given, options, clock, on_incumbent=None):
        calls.append(given)
        is_first_for_money = (given.money == matrix.money).all() and sum(
            (c.money == matrix.money).all() for c in calls
        ) == 2
        return Result(Outcome.INFEASIBLE, None, None, None) if is_first_for_money else plain(given, options, clock)

    found = search(matrix, SolveOptions(), most_money)
    whole = search(matrix, SolveOptions(), plain)
    assert found.stop_reason is whole.stop_reason is StopReason.CONFLICT
    assert matrix.money @ found.x == pytest.approx(matrix.money @ whole.x, abs=0.01)


# ---- no plan at all ----


def test_import_limit_below_machines_that_cannot_stop():
    # 10 MW run for another hour, 3 MW are allowed
    group = machines(modes=(OFF, replace(MINE, dwell_minutes=60)), initial_cohorts=(Cohort("mine", 100),))
    schedule = solved(site(group, import_mw=3), reserve("afrr-up", UP, award()))
    assert (schedule.plan, schedule.shortfalls) == (None, ())
    assert schedule.solve.stop_reason is StopReason.CONFLICT
    assert schedule.no_plan_reason == (
        "no plan exists, even with every award given up: any one of these lets a plan exist: "
        f"raise {CONNECTION}.import_limit_mw by 7 MW from 2026-01-15 07:00Z to 2026-01-15 08:00Z; or "
        "wait until the machines of 'group' may move again (100 in 'mine' until 2026-01-15 08:00Z), "
        f"or mend {GROUP}.initial_cohorts"
    )


def test_position_that_whole_machines_cannot_meet():
    # 2.05 MW with 0.02 of deviation: 2.0 and 2.1 are 0.05 away
    schedule = solved(site(machines()), energy=position(2.05, 0.02))
    field = "problem.markets[0].energy.max_deviation_mw"
    wanted = f"raise {field} by 0.03 MW from 2026-01-15 07:00Z to 2026-01-15 11:00Z"
    assert schedule.no_plan_reason == f"no plan exists, even with every award given up: {wanted}"


def test_limits_that_must_be_raised_together():
    # 12 MW bought, 1 of deviation: 11 must be taken, the start budget allows 5 and the connection 6
    group = machines(150, start="off", daily_start_budget_count=50)
    energy = replace(position(12.0, 1.0), short_price_per_mwh=series(60))
    reason = solved(site(group, import_mw=6.0), energy=energy).no_plan_reason
    assert "raise problem.markets[0].energy.max_deviation_mw by 6 MW" in reason  # enough by itself
    two = (site(machines(), import_mw=3.0), site(machines(id="other"), import_mw=2.0, id="second"))
    locked = {"modes": (OFF, replace(MINE, dwell_minutes=60)), "initial_cohorts": (Cohort("mine", 100),)}
    two = tuple(replace(s, assets=(replace(s.assets[0], **locked),)) for s in two)
    reason = solved(two).no_plan_reason
    assert "raise problem.sites[0].connection.import_limit_mw by 7 MW" in reason
    assert "; and raise problem.sites[1].connection.import_limit_mw by 8 MW" in reason
    assert "mend problem.sites[0].assets[0].miner_group.initial_cohorts; and wait" in reason


def test_no_plan_without_time_says_what_to_do():
    made = problem(site(machines()), energy=position(2.05, 0.02))
    assert "raise time_limit_seconds" in conflict.why_no_plan(made, seconds=0.0)
