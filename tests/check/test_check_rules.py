"""A valid plan audits empty; each rule is broken once, and its slug is what the audit says."""

from dataclasses import replace

import numpy as np
import pytest
from check_cases import (
    DOWN,
    NOTHING,
    SYMMETRIC,
    UP,
    at,
    desk,
    desk_plan,
    edited,
    flat,
    whole,
    with_money,
)

from scheduler.assets.machine import ModeKind
from scheduler.check import audit
from scheduler.check.audit import MARKETS
from scheduler.check.catalog import ASSETS
from scheduler.markets.block import Award, Block
from scheduler.plan import AssetPlan, Plan, Solve, StopReason
from scheduler.problem import Stage
from scheduler.settings import SolveOptions

PROBLEM, PLAN = desk(), desk_plan()
ROWS = "sites[0].assets[0]"
FCR, AFRR, MFRR = "markets[2]", "markets[3]", "markets[4]"


def rules(problem, plan):
    return {violation.rule for violation in audit(problem, plan).violations}


def test_a_valid_plan_has_no_violations():
    report = audit(PROBLEM, PLAN, Solve(StopReason.CONFLICT, PLAN.objective, PLAN.objective))
    assert report.violations == ()
    assert report.objective == pytest.approx(PLAN.objective)


def test_the_checker_knows_every_kind():
    from scheduler import catalog

    assert set(ASSETS) == set(catalog.ASSETS)
    assert set(MARKETS) == set(catalog.MARKETS)


PLANS = [
    # what is named
    ("sites", lambda sites: sites[:1], {"missing"}),
    ("sites", lambda sites: sites[::-1], {"order"}),
    ("sites", lambda sites: (*sites, sites[0]), {"duplicate"}),
    ("sites[1].site_id", "east", {"unknown", "missing"}),
    ("sites[0].assets[0].asset_id", "east", {"unknown", "missing"}),
    ("markets", lambda markets: markets[:4], {"missing"}),
    ("markets[1].market_id", "east", {"unknown", "missing"}),
    (f"{FCR}.blocks", lambda blocks: blocks[1:], {"missing"}),
    (f"{FCR}.blocks[0].block_id", "dawn", {"unknown", "missing"}),
    (f"{FCR}.position_mw", flat(1), {"unknown"}),
    ("markets[1].backing", PLAN.markets[2].backing, {"unknown"}),
    (f"{FCR}.blocks[1].bid_kw", {"bid": 0}, {"unknown"}),
    (f"{FCR}.blocks[1].missing_mw", {"won": NOTHING}, {"unknown"}),
    (f"{FCR}.backing[0].asset_id", "east", {"unknown", "held"}),
    (f"{AFRR}.backing[0].bid_mw", {}, {"held"}),
    (f"{AFRR}.backing[0].bid_mw{{evening/base}}", flat(0.01), {"unknown"}),
    (f"{FCR}.backing[1].direction", UP, {"held", "step_direction"}),
    (f"{AFRR}.backing[0].direction", DOWN, {"direction", "held"}),
    (f"{FCR}.backing", lambda backing: (*backing, backing[0]), {"duplicate"}),
    # series
    ("sites[0].grid_mw", np.zeros(3), {"length"}),
    ("sites[0].grid_mw[2]", np.nan, {"finite", "balance"}),
    (f"{ROWS}.mode_count", whole([1] * 8), {"length"}),
    (f"{ROWS}.move_count[0]", np.full(8, 0.5), {"integer"}),
    (f"{ROWS}.mode_count[0][3]", -1, {"negative", "machine_count", "mode_count"}),
    (f"{ROWS}.mode_count[0][3]", 2**50, {"range", "machine_count", "mode_count"}),
    (f"{FCR}.blocks[1].offered_kw", 50.0, {"integer"}),
    (f"{FCR}.blocks[1].offered_kw", -10, {"negative"}),
    (f"{MFRR}.backing[0].machine_count[0]", -1, {"negative"}),
    (f"{MFRR}.backing[0].mw[0]", -0.09, {"negative", "held"}),
    (f"{FCR}.blocks[1].lowest_price_per_mw_h", np.inf, {"finite"}),
    # miner groups
    ("sites[0].assets", lambda _: (AssetPlan("rows", flat(0)),), {"missing"}),
    (f"{ROWS}.mode_count[0][3]", lambda count: count + 1, {"mode_count", "machine_count"}),
    (f"{ROWS}.move_count[0][3]", 1, {"mode_count", "power", "hashrate", "balance", "position"}),
    (f"{ROWS}.power_mw[3]", lambda mw: mw + 2e-6, {"power"}),
    (f"{ROWS}.hashrate_ths[3]", lambda ths: ths + 1, {"hashrate"}),
    # sites and energy
    ("sites[0].grid_mw[3]", lambda mw: mw + 2e-6, {"balance"}),
    ("markets[0].position_mw[3]", 1.1, {"position"}),
    ("markets[1].position_mw[3]", 0, {"position"}),
    # reserve
    (f"{FCR}.backing[0].to_mode_id", "sleep", {"move"}),
    (f"{FCR}.backing[1].to_mode_id", "off", {"step_direction", "dwell", "way_back"}),
    (f"{FCR}.backing[0].machine_count[2]", 16, {"backed_mw"}),
    (f"{FCR}.backing[1].machine_count[2]", 21, {"assignment"}),
    (f"{MFRR}.backing[0].machine_count", np.zeros(8, np.int64), {"backed_mw"}),
    (f"{AFRR}.backing[0].bid_mw{{evening/risky}}[5]", 0.06, {"held", "tranche"}),
    (f"{AFRR}.backing[0].mw[1]", 1e-9, {"outside_block"}),
    (f"{FCR}.blocks[1].offered_kw", 60, {"held"}),
    (f"{FCR}.blocks[1].offered_kw", 45, {"bid_step", "held"}),
    (f"{FCR}.blocks[1].offered_kw", 5, {"bid_step", "held"}),
    (f"{FCR}.blocks[0].offered_kw", 50, {"block_limit", "held"}),
    (f"{FCR}.blocks[0].awarded_kw", 50, {"awarded"}),
    (f"{MFRR}.blocks[0].offered_kw", 20, {"closed", "held"}),
    (f"{AFRR}.blocks[0].offered_kw", 80, {"bid_sum"}),
    (f"{AFRR}.blocks[0].bid_kw{{base}}", 0, {"parent", "bid_sum", "held"}),
    (f"{AFRR}.blocks[0].bid_kw{{base}}", 25, {"bid_step", "bid_sum", "held"}),
    (f"{AFRR}.blocks[0].bid_kw{{base}}", 50, {"bid_limit", "bid_sum", "held"}),
    (f"{AFRR}.blocks[0].bid_kw{{lump}}", 10, {"indivisible", "bid_sum", "held"}),
    (f"{AFRR}.blocks[0].bid_kw{{other}}", 10, {"exclusive", "bid_sum", "held"}),
    (f"{MFRR}.blocks[0].missing_mw{{call}}[6]", 0.1, {"shortfall", "held"}),
    (f"{MFRR}.blocks[0].missing_mw{{call}}[1]", -0.01, {"shortfall", "held"}),
    (f"{MFRR}.backing[0].mw[2]", 0.08, {"held"}),
]


LADDER = {"ladder_pair", "ladder_unknown", "ladder_missing"}  # what of broken backing shows in its ladder, too


@pytest.mark.parametrize(("path", "value", "wanted"), PLANS, ids=[f"{p}-{sorted(w)[0]}" for p, _, w in PLANS])
def test_a_broken_plan_is_caught(path, value, wanted):
    found = rules(PROBLEM, with_money(PROBLEM, edited(PLAN, path, value)))
    assert wanted <= found
    # What a part that cannot be read drags along is no business of this test; otherwise nothing else is said.
    if not wanted & {"missing", "unknown", "length", "integer", "duplicate", "range", "negative", "move"}:
        assert found <= wanted | {"backed_mw", "prequalified", "assignment", "tranche"} | LADDER


GROUP, NORTH = "sites[0].assets[0]", "sites[0]"
PROBLEMS = [
    (f"{GROUP}.modes[1].dwell_minutes", 120, "locked"),
    (f"{GROUP}.initial_cohorts[3].minutes_since_move", 0, "locked"),
    (f"{GROUP}.initial_cohorts[3].seconds_until_settled", 60, "locked"),
    (f"{GROUP}.available_count", whole(*[100] * 4, *[89] * 4), "unavailable"),
    (f"{GROUP}.daily_start_budget_count", 14, "start_budget"),  # 10 planned, 2 of calls, 3 used
    (f"{GROUP}.starts_used_today_count", 5, "start_budget"),
    (f"{GROUP}.moves[4].power_w", 10_000, "power"),
    (f"{GROUP}.moves[4].seconds", 600, "hashrate"),
    (f"{GROUP}.initial_cohorts[1].seconds_until_settled", 0, "hashrate"),
    (f"{GROUP}.delivery_frac", 0.8, "backed_mw"),
    (f"{GROUP}.prequalified[0].max_mw", 0.055, "prequalified"),
    (f"{GROUP}.moves[0].seconds", 31, "speed"),
    (f"{GROUP}.moves[1].seconds", 31, "way_back"),
    (f"{GROUP}.moves", lambda moves: moves[:4], "way_back"),
    (f"{GROUP}.modes[0].dwell_minutes", 2, "dwell"),  # 120 s, and FCR takes 30 s
    (f"{GROUP}.modes[0].kind", ModeKind.STANDBY, "resting"),
    (f"{GROUP}.modes[1].power_w", 10_000, "step_direction"),
    (f"{NORTH}.connection.import_limit_mw", flat(0.92), "import_limit"),
    (f"{NORTH}.connection.import_limit_mw", flat(0.86), "import_limit"),
    (
        f"{NORTH}.connection.export_limit_mw",
        flat(-0.7),
        "export_limit",
    ),  # refused in a request, the quickest way here
    (f"{NORTH}.connection.ramp_mw_per_minute", 0.1, "ramp"),  # FCR: 0.06 MW in half a minute
    (f"{NORTH}.connection.ramp_mw_per_minute", 0.015, "ramp"),  # all: 0.21 MW in 12.5 minutes
    (f"{NORTH}.connection", None, "island"),
    (f"{FCR}.site_ids", ("south",), "site"),
    (f"{FCR}.product.max_step_mw", 0.0039, "max_step"),
    (f"{FCR}.product.direction", UP, "direction"),
    (f"{MFRR}.product.shortest_call_minutes", 17, "dwell"),  # 30 min of off, less 12.5 until it runs
    (f"{MFRR}.product.rest_minutes", 19, "rest"),
    (f"{FCR}.stage", Stage.CLEARED, "closed"),
    (f"{FCR}.blocks[1].end_utc", at(9), "closed"),
    (f"{FCR}.blocks[1].price_per_mw_h", None, "closed"),
    (f"{FCR}.blocks[1].max_kw", 40, "block_limit"),
    (f"{FCR}.blocks[1].start_utc", at(5), "outside_block"),
    ("markets[1].site_ids", ("south",), "position"),
]


@pytest.mark.parametrize(("path", "value", "wanted"), PROBLEMS, ids=[f"{p}-{w}" for p, _, w in PROBLEMS])
def test_a_plan_is_caught_when_its_problem_is_tighter(path, value, wanted):
    problem = edited(PROBLEM, path, value)
    assert wanted not in rules(PROBLEM, PLAN)
    plan = edited(PLAN, f"{ROWS}.move_count", lambda rows: rows[: len(problem.sites[0].assets[0].moves)])
    assert wanted in rules(problem, with_money(problem, plan))


@pytest.mark.parametrize("index", range(len(PLAN.cash)))
def test_every_stream_of_money_is_compared(index):
    name = PLAN.cash[index].stream
    spread = edited(PLAN, f"cash[{index}].amount", lambda amount: amount + np.array([0.005, -0.005] * 4))
    assert rules(PROBLEM, spread) == {"cash_interval"}
    raised = edited(PLAN, f"cash[{index}].amount", lambda amount: amount + 0.002)
    assert rules(PROBLEM, raised) == {"cash_interval", "cash_total", "cash_sum"}
    left_out = edited(PLAN, "cash", lambda cash: cash[:index] + cash[index + 1 :])
    assert rules(PROBLEM, left_out) == {"cash_interval", "cash_total", "cash_sum"}
    twice = edited(PLAN, "cash", lambda cash: (*cash, cash[index]))
    assert rules(PROBLEM, twice) == {"duplicate"}
    strange = edited(PLAN, f"cash[{index}].stream", replace(name, asset_id="east"))
    assert rules(PROBLEM, strange) == {"cash_interval", "cash_total"}


def test_streams_add_up():
    """Each may be off by a little, all together not."""
    amounts = [replace(stream, amount=stream.amount + 0.9e-4) for stream in PLAN.cash]
    assert rules(PROBLEM, replace(PLAN, cash=tuple(amounts))) == {"cash_sum"}


def test_objective_is_the_checkers_sum():
    assert rules(PROBLEM, replace(PLAN, objective=PLAN.objective + 0.02)) == {"objective"}
    assert rules(PROBLEM, replace(PLAN, objective=float("nan"))) == {"finite"}


HELD = replace(PLAN, markets=PLAN.markets[:4], sites=PLAN.sites)


@pytest.mark.parametrize(
    ("solve", "wanted"),
    [
        (Solve(StopReason.PROVEN, 0, 0.009), set()),
        (Solve(StopReason.PROVEN, 0, 0.02), {"proof"}),
        (Solve(StopReason.TIME, 0, 50.0), set()),
        (Solve(StopReason.TIME), set()),
        (Solve(StopReason.PROVEN, 0, None), {"proof"}),
        (Solve(StopReason.PROVEN, None, 0), {"finite"}),
        (Solve(StopReason.TIME, 0.02, 1), {"solve_objective"}),
        (Solve(StopReason.TIME, 0, -0.1), {"bound"}),
        (Solve(StopReason.TIME, 0, float("nan")), {"finite"}),
        (Solve(StopReason.TIME, 0, 0, gap_of_uplift=-1.0), {"finite"}),
        (Solve(StopReason.TIME, 0, 0, gap_of_uplift=123.0), {"uplift"}),
    ],
)
def test_what_a_solve_claims(solve, wanted):
    problem = replace(PROBLEM, markets=PROBLEM.markets[:4])
    plan = with_money(problem, HELD)
    moved = replace(
        solve,
        objective=None if solve.objective is None else plan.objective + solve.objective,
        bound=None if solve.bound is None else plan.objective + solve.bound,
    )
    assert {violation.rule for violation in audit(problem, plan, moved).violations} == wanted


def test_a_wider_gap_may_be_asked_for():
    problem = replace(PROBLEM, markets=PROBLEM.markets[:4])
    plan = with_money(problem, HELD)
    solve = Solve(StopReason.PROVEN, plan.objective, plan.objective + 1)
    assert audit(problem, plan, solve, SolveOptions(abs_gap=1)).violations == ()
    assert audit(problem, plan, solve, SolveOptions(rel_gap=0.1)).violations == ()
    assert audit(problem, plan, solve).violations


def test_a_shortfall_is_a_conflict():
    report = audit(PROBLEM, PLAN, Solve(StopReason.PROVEN, PLAN.objective, PLAN.objective))
    assert [violation.rule for violation in report.violations] == ["conflict"]


def test_the_field_is_the_path_in_the_plan():
    found = audit(PROBLEM, edited(PLAN, f"{ROWS}.mode_count[0][3]", 71)).violations
    assert {violation.field for violation in found} == {
        "plan.sites[0].assets[0].miner_group.modes[3]",
        "plan.sites[0].assets[0].miner_group.modes[0].count[3]",
    }
    (found,) = audit(PROBLEM, with_money(PROBLEM, edited(PLAN, f"{MFRR}.backing[0].machine_count[5]", 9))).violations
    assert found.field == "plan.markets[4].backing[0].mw[5]"
    assert "0.09" in found.message and "0.081" in found.message


def test_only_the_first_few_of_a_rule_at_an_object_are_named():
    found = audit(PROBLEM, edited(PLAN, f"{ROWS}.power_mw", flat(0))).violations
    assert [violation.field[-3:] for violation in found if violation.rule == "power"] == ["[0]", "[1]", "[2]"]


def test_starts_are_counted_by_civil_day():
    """All in one day: 10 wake, 3 did before, a fifth of a call per hour wakes 75 for a quarter-hour."""
    problem = edited(PROBLEM, "horizon.time_zone", "UTC")
    for budget, wanted in ((17, set()), (16, {"start_budget"})):
        problem = edited(problem, f"{GROUP}.daily_start_budget_count", budget)
        assert rules(problem, PLAN) == wanted


def test_long_and_short_prices_say_nothing_while_a_market_is_open():
    problem = edited(PROBLEM, "markets[0].long_price_per_mwh", flat(10))
    problem = edited(problem, "markets[0].short_price_per_mwh", flat(90))
    problem = edited(problem, "markets[0].max_deviation_mw", 0.0)
    assert rules(problem, PLAN) == set()


def test_offers_are_the_smallest_plus_steps():
    problem = edited(edited(PROBLEM, f"{FCR}.product.smallest_bid_kw", 20), f"{FCR}.product.step_kw", 30)
    assert rules(problem, PLAN) == set()


def test_a_symmetric_award_is_short_in_both_directions():
    missing = {"won": np.array([0.01] * 4 + [0.0] * 4)}
    plan = edited(PLAN, f"{FCR}.blocks[0].missing_mw", missing)
    assert rules(PROBLEM, with_money(PROBLEM, plan)) == {"held"}
    for backing in (0, 1):
        assert "held" in rules(PROBLEM, with_money(PROBLEM, plan))
        plan = edited(plan, f"{FCR}.backing[{backing}].mw", lambda mw: mw - missing["won"])
    assert rules(PROBLEM, with_money(PROBLEM, plan)) == set()


def test_awards_above_the_block_limit_take_no_offer():
    problem = edited(PROBLEM, f"{FCR}.blocks[0].awards[0]", Award("won", 60, 10, 100))
    problem = edited(problem, f"{FCR}.blocks[0].max_kw", 50)
    assert rules(problem, with_money(problem, PLAN)) == set()


def test_a_block_that_begins_before_the_horizon_counts_inside_it():
    problem = edited(PROBLEM, f"{FCR}.blocks[0]", lambda block: replace(block, start_utc=at(-4)))
    assert isinstance(problem.markets[2].blocks[0], Block)
    assert rules(problem, with_money(problem, PLAN)) == set()
    assert problem.markets[2].product.direction is SYMMETRIC


BROKEN = [
    None,
    "text",
    np.nan,
    np.array(["a"] * 8),
    np.full(8, np.inf),
    np.full((2, 8), 1.0),
    [],
    -1,
    2**70,
    10**400,
    [[1], [1, 2]],
    1e308,
]
EVERYWHERE = [
    "sites[0].grid_mw",
    f"{ROWS}.power_mw",
    f"{ROWS}.mode_count",
    f"{ROWS}.move_count",
    f"{ROWS}.hashrate_ths",
    "markets[0].position_mw",
    f"{FCR}.blocks[0].offered_kw",
    f"{FCR}.blocks[0].awarded_kw",
    f"{AFRR}.blocks[0].bid_kw{{base}}",
    f"{MFRR}.blocks[0].missing_mw{{call}}",
    f"{FCR}.backing[0].machine_count",
    f"{FCR}.backing[0].mw",
    f"{AFRR}.backing[0].bid_mw{{evening/risky}}",
    "cash[0].amount",
    "objective",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_nothing_makes_it_raise(path):
    for value in BROKEN:
        assert audit(PROBLEM, edited(PLAN, path, lambda _, value=value: value)).violations
    assert audit(PROBLEM, Plan((), (), (), 0.0)).violations
