"""Ladders: one of a sound plan is sound, and whatever is changed in one is found, malformed figures included."""

import math
from dataclasses import replace

import numpy as np
import pytest
from check_cases import DOWN, UP, desk, desk_plan, edited, flat, whole, with_money

from scheduler.check import audit
from scheduler.plan import Rung

PROBLEM, PLAN = desk(), desk_plan()
FCR, AFRR, MFRR = "markets[2].ladder", "markets[3].ladder", "markets[4].ladder"


def found(plan, problem=PROBLEM):
    return {(violation.rule, violation.field) for violation in audit(problem, plan).violations}


def rules(plan, problem=PROBLEM):
    return {rule for rule, _ in found(plan, problem)}


def test_ladders_of_the_desk_by_hand():
    """rows: high 10 kW and 600 TH/s, low 6 kW and 400, off; 0.001 per TH and hour, 90 % of a step is seen, fee 20."""
    up, down = PLAN.markets[2].ladder
    assert (up.direction, up.seconds, up.machine_count[0]) == (UP, 10, 17)  # 0.06 / 0.0036 = 16.7
    assert (down.direction, down.machine_count[7]) == (DOWN, 14)  # 0.05 / 0.0036 = 13.9
    assert up.cost_per_mwh[0] == pytest.approx(0.2 / 0.0036 - 20)
    assert down.cost_per_mwh[0] == pytest.approx(20 - 0.2 / 0.0036)
    (called,) = PLAN.markets[4].ladder  # high to off: 9 kW; four calls an MWh
    per_call = 0.1 + 0.5 + 0.6 * 1200 / 3600
    assert called.cost_per_mwh[0] == pytest.approx((0.6 + 4 * per_call) / 0.009 - 20)
    assert called.machine_count.tolist() == [10, 10, 10, 10, 10, 10, 5, 10]
    assert rules(PLAN) == set()


MUTATIONS = [
    (f"{MFRR}", (), {"ladder_missing"}),
    (f"{FCR}", lambda rungs: rungs[:1], {"ladder_missing"}),
    (f"{FCR}", lambda rungs: (*rungs, rungs[0]), {"ladder_twice"}),
    (f"{MFRR}[0].asset_id", "hall", {"ladder_unknown", "ladder_missing"}),
    (f"{MFRR}[0].asset_id", "nobody", {"ladder_unknown", "ladder_missing"}),
    (f"{MFRR}[0].to_mode_id", "low", {"ladder_unknown", "ladder_missing"}),
    (f"{MFRR}[0].direction", DOWN, {"ladder_unknown", "ladder_missing"}),
    (f"{MFRR}[0].machine_count[1]", 9, {"ladder_short"}),
    (f"{MFRR}[0].machine_count[6]", 6, {"ladder_machines"}),  # 5 deliver its 0.045 MW to the watt
    (f"{MFRR}[0].machine_count[6]", 7, {"ladder_machines", "ladder_over"}),
    (f"{MFRR}[0].machine_mw", 0.008, {"ladder_machine_mw"}),
    (f"{MFRR}[0].machine_mw", math.nan, {"finite", "ladder_machine_mw"}),
    (f"{FCR}[0].machine_count[6]", 15, {"ladder_machines", "ladder_over"}),
    (f"{MFRR}[0].machine_count[1]", 0, {"ladder_short"}),
    (f"{MFRR}[0].mw[3]", 0.08, {"ladder_mw", "ladder_sum", "ladder_over"}),
    (f"{MFRR}[0].mw[3]", 0.0, {"ladder_mw", "ladder_sum", "ladder_over"}),
    (f"{MFRR}[0].cumulated_mw[3]", 0.1, {"ladder_sum"}),
    (f"{AFRR}[0].cumulated_mw[0]", 0.1, {"ladder_sum"}),  # holds nothing there
    (f"{MFRR}[0].cumulated_mw", flat(0), {"ladder_sum"}),
    (f"{MFRR}[0].seconds", 6.0, {"ladder_seconds"}),
    (f"{MFRR}[0].seconds", 800.0, {"ladder_seconds", "ladder_late"}),
    (f"{MFRR}[0].cost_per_mwh[2]", lambda cost: cost + 0.001, {"ladder_cost"}),
    (f"{FCR}[1].cost_per_mwh", lambda cost: -cost, {"ladder_cost"}),  # the sign of down
    # what cannot be read
    (f"{MFRR}[0].seconds", math.nan, {"finite", "ladder_seconds"}),
    (f"{MFRR}[0].seconds", math.inf, {"finite", "ladder_seconds"}),
    (f"{MFRR}[0].seconds", -5.0, {"finite", "ladder_seconds"}),
    (f"{MFRR}[0].seconds", "5", {"finite", "ladder_seconds"}),
    (f"{MFRR}[0].seconds", None, {"finite", "ladder_seconds"}),
    (f"{MFRR}[0].mw", np.zeros(3), {"length", "ladder_mw", "ladder_sum", "ladder_over"}),
    (f"{MFRR}[0].mw[2]", math.nan, {"finite", "ladder_mw", "ladder_sum", "ladder_over"}),
    (f"{MFRR}[0].mw[2]", -1.0, {"negative", "ladder_mw", "ladder_sum", "ladder_over"}),
    (f"{MFRR}[0].machine_count", None, {"length", "ladder_short"}),
    (f"{MFRR}[0].machine_count[2]", 9.5, {"integer"}),
    (f"{MFRR}[0].machine_count[2]", 2**50, {"range", "ladder_short"}),
    (f"{MFRR}[0].machine_count[2]", -3, {"negative", "ladder_short"}),
    (f"{MFRR}[0].cumulated_mw", "x", {"length", "ladder_sum"}),
    (f"{MFRR}[0].cost_per_mwh[1]", math.inf, {"finite", "ladder_cost"}),
    (f"{MFRR}[0].from_mode_id", None, {"ladder_unknown", "ladder_missing"}),
]


@pytest.mark.parametrize(("path", "value", "wanted"), MUTATIONS, ids=[f"{p}-{sorted(w)[0]}" for p, _, w in MUTATIONS])
def test_a_broken_ladder_is_caught(path, value, wanted):
    caught = rules(edited(PLAN, path, value))
    assert wanted == caught or (wanted & caught == wanted and caught - wanted <= {"ladder_short", "ladder_over"})


def test_energy_markets_have_no_ladder():
    stranger = PLAN.markets[4].ladder
    assert found(edited(PLAN, "markets[0].ladder", stranger)) == {("unknown", "plan.markets[0].ladder")}


def two_rungs():
    """The desk with the mFRR award backed by two moves: high to off for 5, low to off for 8 machines."""
    more = edited(PROBLEM, "sites[0].assets[0].moves", lambda moves: (*moves, replace(moves[4], to_mode_id="low")))
    plan = edited(PLAN, "sites[0].assets[0].move_count", lambda rows: np.vstack([rows, np.zeros((1, 8), np.int64)]))
    first = replace(plan.markets[4].backing[0], machine_count=whole(*[5] * 8), mw=flat(0.045))
    held_mw = np.array([0.045] * 6 + [0, 0.045])
    second = replace(first, from_mode_id="low", machine_count=whole(*[9] * 6, 0, 9), mw=held_mw)
    plan = edited(plan, "markets[4].backing", (first, second))
    return more, with_money(more, plan)


def test_order_and_ends_of_two_rungs():
    problem, plan = two_rungs()
    others = {"assignment", "dwell", "rest", "ladder_pair"}  # low is short of machines beside FCR: no business of this
    assert rules(plan, problem) <= others
    high, low = plan.markets[4].ladder
    dear, cheap = (high, low) if high.cost_per_mwh[0] > low.cost_per_mwh[0] else (low, high)
    assert dear.cumulated_mw[0] == pytest.approx(0.09) and cheap.cumulated_mw[0] == pytest.approx(0.045)
    both = dear.mw * cheap.mw > 0  # by ends that add up, and the wrong one first
    ends = {id(dear): np.where(both, 0.045, dear.cumulated_mw), id(cheap): np.where(both, 0.09, cheap.cumulated_mw)}
    swapped = tuple(replace(rung, cumulated_mw=ends[id(rung)]) for rung in (high, low))
    caught = rules(edited(plan, "markets[4].ladder", swapped), problem)
    assert "ladder_order" in caught and "ladder_sum" not in caught
    both_first = tuple(replace(rung, cumulated_mw=rung.mw) for rung in (high, low))
    assert "ladder_sum" in rules(edited(plan, "markets[4].ladder", both_first), problem)
    turned = edited(plan, "markets[4].ladder", (low, high))
    assert rules(turned, problem) == rules(plan, problem), "the order of the list says nothing"


def test_products_that_clash_are_named():
    """60 machines of high back FCR and 20 aFRR up: 65 are there, some of them asleep until their move is over."""
    greedy = edited(PLAN, "markets[2].backing[0].machine_count", whole(*[56] * 8))
    violations = audit(PROBLEM, with_money(PROBLEM, greedy)).violations
    pairs = [v.message for v in violations if v.rule == "ladder_pair"]
    assert any("fcr and afrr" in message and "'high'" in message for message in pairs)
    assert not any("mfrr" in message and "afrr" in message for message in pairs), "those two fit"
    assert "assignment" in {v.rule for v in violations}


def test_machines_that_wait_to_rotate_count_in_pairs_and_do_not_move():
    """With a factor of 2 twice as many stand behind FCR; its ladder moves half of them."""
    fast = edited(PROBLEM, "sites[0].assets[0].modes[0].dwell_minutes", 1.0)  # longer than the 30 s of FCR
    rotating = edited(fast, "markets[2].product.rotation_factor", 2.0)
    plan = edited(PLAN, "markets[2].backing[0].machine_count", whole(*[34] * 4, *[28] * 4))
    plan = edited(plan, "markets[2].backing[1].machine_count", whole(*[20] * 8))
    plan = with_money(rotating, plan)
    up = plan.markets[2].ladder[0]
    assert up.machine_count.tolist() == [17] * 4 + [14] * 4
    assert not {rule for rule in rules(plan, rotating) if rule.startswith("ladder")} - {"ladder_pair"}
    all_move = edited(plan, f"{FCR}[0].machine_count", whole(*[34] * 4, *[28] * 4))
    assert "ladder_over" in rules(all_move, rotating)


def test_nothing_that_stands_for_a_ladder_is_raised():
    rung = PLAN.markets[4].ladder[0]
    for field in Rung.__dataclass_fields__:
        for value in (None, math.nan, "x", -1, [], np.zeros((2, 2)), {}, object()):
            broken = edited(PLAN, f"{MFRR}[0]", replace(rung, **{field: value}))
            assert audit(PROBLEM, broken).violations, (field, value)


def test_what_an_asset_does_not_tell_is_not_proven(monkeypatch):
    from scheduler.check.miner_group import MinerGroupCheck

    monkeypatch.delattr(MinerGroupCheck, "deliveries")
    assert rules(PLAN) == {"ladder_unproven"}
