"""Plans and answers: to the wire and back, and refused where they have not the shape of their problem."""

import hashlib
import math
import platform
from importlib import metadata

import numpy as np
import pytest
from builders import rich_request_pb, stamp
from test_wire_problem import differences
from wire_paths import drop, put, value_at

from scheduler.assets.battery import BatteryPlan
from scheduler.assets.boiler import BoilerPlan
from scheduler.assets.dry_cooler import DryCoolerPlan
from scheduler.assets.firm_load import FirmLoadPlan
from scheduler.assets.generator import GeneratorPlan
from scheduler.assets.heat_demand import HeatDemandPlan
from scheduler.assets.heat_store import HeatStorePlan
from scheduler.assets.miner_group import MinerGroupPlan
from scheduler.assets.renewable import RenewablePlan
from scheduler.errors import InvalidRequestError, Violation
from scheduler.plan import (
    AuditReport,
    Backing,
    BlockPlan,
    CashKind,
    CashStream,
    Counterfactual,
    MarketPlan,
    Plan,
    Rung,
    Schedule,
    Shortfall,
    SitePlan,
    Solve,
    StopReason,
    Stream,
)
from scheduler.problem import Direction
from scheduler.settings import SolveOptions
from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.json import message_from_json, response_to_json
from scheduler.wire.options import solve_from_pb, solve_to_pb
from scheduler.wire.plan import plan_from_pb, plan_to_pb
from scheduler.wire.request import audit_request_from_pb, schedule_request_from_pb
from scheduler.wire.response import audit_to_pb, schedule_from_pb, schedule_to_pb, violations_to_pb

_, PROBLEM, _ = schedule_request_from_pb(rich_request_pb())
SHORTFALL = Shortfall(
    market_id="mfrr-down",
    block_id="cut",
    award_id="w1",
    start=1,
    end=3,
    missing_mw=0.5,
    cost=48.8,
    field="problem.markets[5].reserve.blocks[0].awards[0].kw",
    reason="too few machines",
    site_id="north",
    asset_id="flexible",
)


OTHER_PLANS = {
    "firm_load": lambda id, mw: FirmLoadPlan(id, mw(), mw()),
    "renewable": lambda id, mw: RenewablePlan(id, mw(), mw()),
    "generator": lambda id, mw: GeneratorPlan(id, mw(), np.array([0, 1] * 4)),
    "heat_demand": lambda id, mw: HeatDemandPlan(id, mw(), mw()),
    "heat_store": lambda id, mw: HeatStorePlan(id, mw(), mw(), mw()),
    "boiler": lambda id, mw: BoilerPlan(id, mw(), mw()),
    "dry_cooler": lambda id, mw: DryCoolerPlan(id, mw(), mw()),
    "battery": lambda id, mw: BatteryPlan(id, mw(), mw(), mw(), mw()),
}


def plan_of_the_right_shape(problem=PROBLEM, seed=7) -> Plan:
    """Random figures: nothing that a checker would like, everything that a plan can hold."""
    rng = np.random.default_rng(seed)
    intervals = problem.horizon.count

    def mw():
        return rng.normal(size=intervals)

    def count(*shape):
        return rng.integers(0, 1000, size=(*shape, intervals))

    def asset_plan(asset):
        return miner_plan(asset) if asset.kind == "miner_group" else OTHER_PLANS[asset.kind](asset.id, mw)

    def miner_plan(group):
        moves = count(len(group.moves))
        moves[::2] = 0
        return MinerGroupPlan(group.id, mw(), count(len(group.modes)), moves, mw())

    def block_plan(block):
        bids = {bid.id: int(rng.integers(0, 3000)) for bid in block.bids}
        missing = {award.id: mw() for award in block.awards[:1]}
        return BlockPlan(block.id, 5000, block.awarded_kw, bids, missing, 4.5 if bids else None)

    def market_plan(market):
        if market.kind == "energy":
            return MarketPlan(market.id, position_mw=mw())
        bids = {(block.id, bid.id): mw() for block in market.blocks for bid in block.bids}
        backing = (
            Backing("flexible", Direction.UP, "full", "eco", count(), mw(), bids),
            Backing("plain", Direction.DOWN, "off", "mine", count(), mw()),
            Backing("battery", Direction.UP, "", "", count(), mw()),
        )
        ladder = tuple(
            Rung(b.asset_id, b.direction, b.from_mode_id, b.to_mode_id, 7.5, 0.25, count(), mw(), mw(), mw())
            for b in backing
        )
        return MarketPlan(market.id, blocks=tuple(map(block_plan, market.blocks)), backing=backing, ladder=ladder)

    cash = (
        CashStream(Stream(CashKind.BTC, site_id="north", asset_id="flexible"), mw()),
        CashStream(Stream(CashKind.ACTIVATION, "afrr-up", "north", "flexible", Direction.UP), mw()),
        CashStream(Stream(CashKind.CAPACITY, "afrr-up"), mw()),
    )
    return Plan(
        sites=tuple(
            SitePlan(site.id, mw(), tuple(asset_plan(asset) for asset in site.assets)) for site in problem.sites
        ),
        markets=tuple(map(market_plan, problem.markets)),
        cash=cash,
        objective=123.25,
        counterfactuals=(
            Counterfactual("always-running", cash[:2], (SHORTFALL,)),
            Counterfactual("threshold", cash[2:]),
        ),
    )


PLAN = plan_of_the_right_shape()
PLAN_PB = plan_to_pb(PLAN, PROBLEM)


def copy_of_plan():
    return type(PLAN_PB).FromString(PLAN_PB.SerializeToString())


def named(pb):
    with pytest.raises(InvalidRequestError) as refused:
        plan_from_pb(pb, PROBLEM)
    return [violation.field for violation in refused.value.violations]


def test_round_trip():
    again = plan_from_pb(PLAN_PB, PROBLEM)
    assert differences(PLAN, again, "plan") == []
    assert plan_to_pb(again, PROBLEM) == PLAN_PB


def test_moves_that_are_never_made_are_left_out():
    group = PLAN_PB.sites[0].assets[0].miner_group
    assert [(move.from_mode_id, move.to_mode_id) for move in group.moves] == [
        ("ready", "off"),
        ("full", "ready"),
        ("eco", "full"),
    ]


YARD = "sites[3].assets"
GROUP = "sites[0].assets[0].miner_group"
AFRR = "markets[4]"
CUT = "markets[5].blocks[0]"


# (what is set, to what, what is named; None: the same).
WRONG = [
    (f"{YARD}[0].firm_load.unserved_mw", [1.0] * 7, None),
    (f"{YARD}[0].firm_load.unserved_mw[2]", math.inf, None),
    (f"{YARD}[1].renewable.curtailed_mw", [1.0] * 9, None),
    (f"{YARD}[2].battery.charge_mw", [1.0] * 9, None),
    (f"{YARD}[2].battery.stored_mwh", [], None),
    (f"{YARD}[2].battery.discharge_mw[4]", math.nan, None),
    (f"{AFRR}.backing[2].from_mode_id", "full", None),
    (f"{YARD}[3].generator.running_count", [1] * 9, None),
    (f"{YARD}[4].heat_demand.delivered_mw", [1.0] * 9, None),
    (f"{YARD}[5].heat_store.stored_mwh[1]", math.nan, None),
    (f"{YARD}[6].boiler.heat_mw", [], None),
    (f"{YARD}[7].dry_cooler.rejected_mw", [1.0], None),
    ("objective", math.nan, None),
    ("horizon.count", 7, "horizon"),
    ("horizon.time_zone", "UTC", "horizon"),
    ("sites[0].site_id", "south", None),
    ("sites[0].grid_mw", [1.0] * 7, None),
    ("sites[0].grid_mw[3]", math.inf, None),
    ("sites[0].assets[1].asset_id", "gone", None),
    ("sites[0].assets[1].power_mw", [], None),
    (f"{GROUP}.modes[0].mode_id", "gone", None),
    (f"{GROUP}.modes[0].count", [1] * 9, None),
    (f"{GROUP}.moves[0].from_mode_id", "gone", f"{GROUP}.moves[0]"),
    (f"{GROUP}.moves[2].count", [1] * 9, None),
    (f"{GROUP}.hashrate_ths[7]", math.nan, None),
    ("markets[0].market_id", "gone", None),
    ("markets[0].position_mw", [], None),
    ("markets[0].blocks", [{"block_id": "x"}], None),
    ("markets[0].backing", [{"asset_id": "x"}], None),
    (f"{AFRR}.position_mw", [0.0] * 8, None),
    (f"{AFRR}.blocks[0].block_id", "second", None),
    (f"{AFRR}.blocks[0].bids[0].bid_id", "gone", None),
    (f"{AFRR}.blocks[0].bids[0].bid_id", "high", f"{AFRR}.blocks[0].bids[1].bid_id"),
    (f"{AFRR}.blocks[0].lowest_price_per_mw_h", math.inf, None),
    (f"{CUT}.shortfalls[0].award_id", "gone", None),
    (f"{CUT}.shortfalls[0].missing_mw", [0.0], None),
    (f"{AFRR}.backing[0].asset_id", "gone", None),
    (f"{AFRR}.backing[0].direction", 0, None),
    (f"{AFRR}.backing[0].direction", 9, None),
    (f"{AFRR}.backing[0].direction", 3, None),
    (f"{AFRR}.backing[0].from_mode_id", "gone", None),
    (f"{AFRR}.backing[0].to_mode_id", "mine", None),
    (f"{AFRR}.backing[0].machine_count", [1], None),
    (f"{AFRR}.backing[0].mw", [1.0], None),
    (f"{AFRR}.backing[0].bids[0].bid_id", "gone", None),
    (f"{AFRR}.backing[0].bids[1].bid_id", "low", None),
    (f"{AFRR}.backing[0].bids[0].mw", [1.0], None),
    ("markets[0].ladder", [{"asset_id": "x"}], None),
    (f"{AFRR}.ladder[0].asset_id", "gone", None),
    (f"{AFRR}.ladder[0].direction", 0, None),
    (f"{AFRR}.ladder[0].direction", 3, None),
    (f"{AFRR}.ladder[0].from_mode_id", "gone", None),
    (f"{AFRR}.ladder[1].to_mode_id", "eco", None),
    (f"{AFRR}.ladder[0].seconds", math.nan, None),
    (f"{AFRR}.ladder[0].machine_mw", math.inf, None),
    (f"{AFRR}.ladder[0].machine_count", [1], None),
    (f"{AFRR}.ladder[0].mw", [1.0], None),
    (f"{AFRR}.ladder[0].cumulated_mw", [1.0] * 9, None),
    (f"{AFRR}.ladder[0].cost_per_mwh[3]", math.nan, None),
    ("cash[0].kind", 0, None),
    ("cash[0].kind", 99, None),
    ("cash[1].direction", 3, None),
    ("cash[0].amount", [1.0], None),
    ("cash[0].total", 1e6, None),
    ("counterfactuals[0].total", 1e6, None),
    ("counterfactuals[0].cash[0].kind", 99, None),
    ("counterfactuals[0].shortfalls[0].start", stamp(0.1), None),
    ("counterfactuals[0].shortfalls[0].start", stamp(-1), None),
    ("counterfactuals[0].shortfalls[0].end", stamp(3), None),
    ("counterfactuals[0].shortfalls[0].end", stamp(0.25), None),
    ("counterfactuals[0].shortfalls[0].missing_mw", math.nan, None),
]


@pytest.mark.parametrize(("path", "value", "wanted"), WRONG)
def test_plan_that_does_not_fit_its_problem(path, value, wanted):
    pb = copy_of_plan()
    put(pb, path, value)
    assert f"plan.{wanted or path}" in named(pb)


LISTS = ["sites", "sites[0].assets", f"{GROUP}.modes", "markets", f"{AFRR}.blocks"]


@pytest.mark.parametrize("path", LISTS)
def test_plan_that_leaves_something_out_or_has_more(path):
    pb = copy_of_plan()
    drop(pb, f"{path}[0]")
    assert f"plan.{path}" in named(pb)
    pb = copy_of_plan()
    value_at(pb, path).add()
    assert f"plan.{path}" in named(pb)


def test_plan_without_what_an_asset_does():
    pb = copy_of_plan()
    drop(pb, GROUP)
    assert named(pb) == [f"plan.{GROUP}"]


def test_moves_are_named_once_and_in_order():
    pb = copy_of_plan()
    moves = pb.sites[0].assets[0].miner_group.moves
    moves.append(moves[1])
    assert named(pb) == [f"plan.{GROUP}.moves[3]"]


def test_stream_that_is_named_twice():
    pb = copy_of_plan()
    pb.cash.append(pb.cash[0])
    assert named(pb) == ["plan.cash[3]"]


SOLVE = Solve(StopReason.PROVEN, 100.0, 100.5, 0.01, 1.25, True)


def test_solve_round_trip():
    for solve in (SOLVE, Solve(StopReason.TIME), Solve(StopReason.CANCELLED, 0.0, 1.0, reproducible=False)):
        assert solve_from_pb(solve_to_pb(solve)) == solve
    pb = solve_to_pb(Solve(StopReason.TIME))
    assert not any(pb.HasField(name) for name in ("objective", "bound", "gap", "gap_of_uplift"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("gap", 0.5), ("bound", math.nan), ("objective", math.inf), ("stop_reason", 0), ("stop_reason", 9)],
)
def test_solve_that_is_wrong(name, value):
    pb = v1.AuditRequest(problem=rich_request_pb().problem, plan=PLAN_PB, solve=solve_to_pb(SOLVE))
    setattr(pb.solve, name, value)
    with pytest.raises(InvalidRequestError) as refused:
        audit_request_from_pb(pb)
    assert f"solve.{name}" in [violation.field for violation in refused.value.violations]


def test_audit_request():
    pb = v1.AuditRequest(problem=rich_request_pb().problem, plan=PLAN_PB)
    problem, plan, solve, options = audit_request_from_pb(pb)
    assert solve is None
    assert options == SolveOptions()
    assert differences(PROBLEM, problem) == []
    assert differences(PLAN, plan, "plan") == []
    pb.solve.CopyFrom(solve_to_pb(SOLVE))
    assert audit_request_from_pb(pb)[2] == SOLVE
    pb.options.rel_gap = 0.02
    assert audit_request_from_pb(pb)[3] == SolveOptions(rel_gap=0.02)
    pb.options.rel_gap = -1
    with pytest.raises(InvalidRequestError) as refused:
        audit_request_from_pb(pb)
    assert [violation.field for violation in refused.value.violations] == ["options.rel_gap"]
    with pytest.raises(InvalidRequestError) as refused:
        audit_request_from_pb(v1.AuditRequest())
    assert [violation.field for violation in refused.value.violations] == ["problem", "plan"]


def test_answer_with_a_plan():
    pb = schedule_to_pb(Schedule(PROBLEM, SOLVE, PLAN), "mine", rich_request_pb().problem)
    assert pb.request_id == "mine"
    assert pb.WhichOneof("outcome") == "plan"
    assert pb.plan == PLAN_PB
    assert pb.plan_digest == hashlib.sha256(pb.plan.SerializeToString(deterministic=True)).hexdigest()
    problem_bytes = rich_request_pb().problem.SerializeToString(deterministic=True)
    assert pb.problem_digest == hashlib.sha256(problem_bytes).hexdigest()
    versions = {version.name: version.version for version in pb.versions}
    assert versions.keys() == {"gridflex-scheduler", "numpy", "highspy", "python"}
    assert versions["python"] == platform.python_version()
    assert versions["highspy"] == metadata.version("highspy")
    assert solve_from_pb(pb.solve) == SOLVE
    assert message_from_json(v1.ScheduleResponse, response_to_json(pb), "answer") == pb


def test_answer_with_a_conflict():
    solve = Solve(StopReason.CONFLICT, 100.0)
    pb = schedule_to_pb(Schedule(PROBLEM, solve, PLAN, (SHORTFALL, SHORTFALL), cheapest_cost=97.6))
    assert pb.WhichOneof("outcome") == "conflict"
    assert pb.conflict.cheapest_cost == pytest.approx(97.6)
    assert pb.conflict.relaxed_plan == PLAN_PB
    assert pb.conflict.shortfalls[0].start == stamp(0.25)
    assert pb.conflict.shortfalls[0].end == stamp(0.75)
    assert pb.conflict.shortfalls[0].field == SHORTFALL.field
    assert pb.conflict.shortfalls[0].site_id == "north"
    assert pb.plan_digest


def test_answer_without_a_plan():
    pb = schedule_to_pb(Schedule(PROBLEM, Solve(StopReason.TIME), no_plan_reason="no time"))
    assert pb.WhichOneof("outcome") == "no_plan"
    assert pb.no_plan.reason == "no time"
    assert pb.plan_digest == ""


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(PROBLEM, SOLVE, PLAN),
        Schedule(PROBLEM, Solve(StopReason.CONFLICT, 100.0), PLAN, (SHORTFALL, SHORTFALL), cheapest_cost=97.6),
        Schedule(PROBLEM, Solve(StopReason.TIME), no_plan_reason="no time"),
    ],
    ids=["plan", "conflict", "no-plan"],
)
def test_answers_are_read_back(schedule):
    pb = schedule_to_pb(schedule, problem=rich_request_pb().problem)
    assert differences(schedule, schedule_from_pb(pb, PROBLEM), "schedule") == []


def test_answer_that_is_none():
    pb = schedule_to_pb(Schedule(PROBLEM, SOLVE, PLAN))
    pb.plan.sites[0].grid_mw.append(1.0)
    pb.solve.stop_reason = 99
    with pytest.raises(InvalidRequestError) as refused:
        schedule_from_pb(pb, PROBLEM)
    assert {violation.field for violation in refused.value.violations} == {"solve.stop_reason", "plan.sites[0].grid_mw"}


def test_violations_and_audits():
    violation = Violation("plan.objective", "sum", "is off", 0.5)
    (pb,) = violations_to_pb([violation])
    assert (pb.field, pb.rule, pb.message, pb.amount) == ("plan.objective", "sum", "is off", 0.5)
    report = audit_to_pb(AuditReport((violation,), 12.5, ()))
    assert report.recomputed_objective == 12.5
    assert list(report.violations) == [pb]
