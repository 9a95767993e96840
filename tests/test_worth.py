"""What energy is worth: the vectors of facts E1, E5 and E6, and machines that choose for themselves."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from scheduler import make_plan
from scheduler.assets.connection import Connection
from scheduler.assets.machine import Cohort, Mode, ModeKind, Move
from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.errors import SchedulerError
from scheduler.horizon import Horizon
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import Activation, ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.plan import AssetPlan, Backing, MarketPlan, Plan, SitePlan
from scheduler.problem import Direction, Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response
from scheduler.worth import call_cost_per_mwh, demand_of, frontier, held_count

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
COUNT = 4
NONE = np.zeros(COUNT)
UP, DOWN = Direction.UP, Direction.DOWN
OFF = Mode("off", ModeKind.OFF, 0.0)
ECO = Mode("eco", ModeKind.MINING, 2400.0, 160.0)
FULL = Mode("full", ModeKind.MINING, 3500.0, 200.0)
PRODUCT = Product(UP, 300, 0, Response.SIGNAL, 1000, 1000, Pricing.AS_BID)


def whole(value: float) -> np.ndarray:
    return np.full(COUNT, float(value))


OPEN = Connection(whole(np.inf), whole(np.inf))


def group(*modes: Mode, machines: int = 1000, seconds: float = 0.0, wear: float = 0.0, **more: object) -> MinerGroup:
    moves = tuple(Move(a.id, b.id, seconds, None, wear) for a in modes for b in modes if a is not b)
    return MinerGroup("g", machines, modes, moves, (Cohort(modes[0].id, machines),), **more)


def problem(
    asset: MinerGroup,
    *markets: object,
    hashprice: float = 40.0,
    fee: float = 0.0,
    pool_fee: float = 0.0,
    **more: object,
) -> Problem:
    horizon = Horizon(datetime(2026, 6, 1, tzinfo=UTC), 15, COUNT, "Europe/Berlin")
    site = Site(
        "site", more.pop("connection", OPEN), Tariff(whole(fee), bool(more.pop("fee_on_calls", False))), (asset,)
    )
    energy = EnergyMarket("da", Stage.OPEN, NONE, ("site",))
    return Problem(horizon, "EUR", Mining(whole(hashprice), pool_fee), (site,), (energy, *markets))


def plan_of(asset: MinerGroup, counts: dict[str, list[int]], *markets: MarketPlan) -> Plan:
    mode_count = np.array([counts.get(mode.id, [0] * COUNT) for mode in asset.modes])
    power_mw = np.array([mode.power_w for mode in asset.modes]) @ mode_count / 1e6
    assets = (MinerGroupPlan("g", power_mw, mode_count, np.zeros((len(asset.moves), COUNT), dtype=int), NONE),)
    return Plan((SitePlan("site", power_mw, assets),), (MarketPlan("da", power_mw), *markets), (), 0.0)


def backing(direction: Direction, here: Mode, there: Mode, machines: list[int], mw: list[float]) -> Backing:
    return Backing("g", direction, here.id, there.id, np.array(machines), np.array(mw))


def reserve(activation: dict[Direction, Activation] | None = None, direction: Direction = UP) -> ReserveMarket:
    return ReserveMarket("r", Stage.OPEN, replace(PRODUCT, direction=direction), (), activation or {})


@pytest.mark.parametrize(
    ("power_w", "hashrate_ths", "break_even"), [(1323, 13.5, 14.4300), (3050, 100, 46.3653), (3500, 200, 80.8081)]
)
def test_break_even_is_that_of_the_facts(power_w, hashrate_ths, break_even):
    """Facts E1: HP 40 USD, pool fee 2 %, PUE 1.05, 1.10 USD for a EUR; and 20 of fees on import."""
    asset = group(OFF, Mode("on", ModeKind.MINING, power_w * 1.05, hashrate_ths))
    asked = problem(asset, hashprice=40 / 1.1, pool_fee=0.02, fee=20.0)
    (use,) = demand_of(asked, plan_of(asset, {"off": [1000] * COUNT}), asked.markets[0]).uses
    assert use.price_per_mwh == pytest.approx(whole(break_even - 20), abs=5e-5)
    assert use.mw == pytest.approx(whole(power_w * 1.05 * 1000 / 1e6))
    assert (use.from_mode_id, use.to_mode_id) == ("off", "on")


def test_each_step_between_modes_has_a_price_of_its_own():
    """Formulation 7: 3500 W / 200 TH turned to 2400 W / 160 TH is worth 60.6 at 40 per PH and day, not 95.2."""
    asset = group(OFF, ECO, FULL)
    asked = problem(asset)
    eco, full = demand_of(asked, plan_of(asset, {"off": [1000] * COUNT}), asked.markets[0]).uses
    assert eco.price_per_mwh[0] == pytest.approx(160 / 2400 * 40 / 24 * 1000)
    assert full.price_per_mwh[0] == pytest.approx(60.6061, abs=1e-4)
    assert (eco.mw[0], full.mw[0]) == (pytest.approx(2.4), pytest.approx(1.1))


def test_modes_that_no_price_chooses_are_left_out():
    wasteful = Mode("wasteful", ModeKind.MINING, 3000.0, 161.0)
    turbo = Mode("turbo", ModeKind.MINING, 4000.0, 199.0)  # pays only where power is paid for
    twin = Mode("twin", ModeKind.MINING, 2400.0, 100.0)
    asset = group(FULL, OFF, wasteful, turbo, ECO, twin)
    assert [mode.id for mode in frontier(asset)] == ["off", "eco", "full", "turbo"]
    locked_out = replace(asset, moves=(Move("full", "off"), Move("off", "full")))
    assert [mode.id for mode in frontier(locked_out)] == ["off", "full"]


def test_machines_that_choose_for_themselves_take_the_same():
    """Every free machine takes the mode that earns most at a price; held and absent ones stay: by enumeration."""
    asset = group(
        OFF, ECO, FULL, Mode("turbo", ModeKind.MINING, 4100.0, 205.0), available_count=np.array([1000, 990] * 2)
    )
    held = backing(UP, ECO, OFF, [300, 0, 10, 0], [0.72, 0.0, 0.02, 0.0])
    asked = problem(asset, reserve(), fee=7.0)
    planned = plan_of(asset, {"off": [700, 1000, 990, 1000], "eco": [300, 0, 10, 0]}, MarketPlan("r", backing=(held,)))
    demand = demand_of(asked, planned, asked.markets[0])
    income = 40 / 1000 / 24
    for price in (-600.0, -8.0, 0.0, 10.1, 30.0, 53.0, 55.0, 70.0, 100.0, 110.0, 5000.0):
        for t in range(COUNT):
            best = max(asset.modes, key=lambda mode: mode.hashrate_ths * income - mode.power_w / 1e6 * (price + 7.0))
            absent = asset.machine_count - int(asset.available_count[t])
            held_here = int(held.machine_count[t])
            free = asset.machine_count - absent - held_here
            wanted = (free * best.power_w + held_here * ECO.power_w) / 1e6
            assert demand.mw_at(price)[t] == pytest.approx(wanted), (price, t)


def test_reserve_down_keeps_its_room_under_the_import_limit():
    asset = group(OFF, FULL)
    limited = Connection(whole(3.0), NONE)
    down = backing(DOWN, OFF, FULL, [200] * COUNT, [0.7] * COUNT)
    asked = problem(asset, reserve(direction=DOWN), connection=limited)
    planned = plan_of(asset, {"off": [1000] * COUNT}, MarketPlan("r", backing=(down,)))
    demand = demand_of(asked, planned, asked.markets[0])
    assert demand.mw_at(-100.0) == pytest.approx(whole(2.3)), "800 machines want 2.8 MW, 0.7 MW are kept for calls"


def test_the_best_paid_come_first_under_a_limit():
    asset = group(OFF, ECO, FULL)
    asked = problem(asset, connection=Connection(np.array([2.0, 2.4, 3.0, 9.0]), NONE))
    eco, full = demand_of(asked, plan_of(asset, {"off": [1000] * COUNT}), asked.markets[0]).uses
    assert eco.mw == pytest.approx([2.0, 2.4, 2.4, 2.4])
    assert full.mw == pytest.approx([0.0, 0.0, 0.6, 1.1])


def test_positions_are_bought_already_and_blocks_are_bid_elsewhere():
    asset = group(OFF, ECO, FULL)
    cleared = EnergyMarket("before", Stage.CLEARED, NONE, ("site",), whole(1.5))
    asked = problem(asset, cleared)
    planned = plan_of(asset, {"off": [1000] * COUNT}, MarketPlan("before", whole(1.5)))
    demand = demand_of(asked, planned, asked.markets[0])
    assert demand.mw_at(4000.0) == pytest.approx(whole(-1.5)), "what was bought is sold where power is dear"
    assert demand.mw_at(0.0) == pytest.approx(whole(2.0))
    (use,) = demand_of(asked, planned, asked.markets[0], frozenset({"g"})).uses
    assert (use.from_mode_id, use.to_mode_id) == ("eco", "full"), "the step from rest is what a start is"
    with pytest.raises(SchedulerError, match="cleared"):
        demand_of(asked, planned, cleared)


def test_other_assets_take_what_the_plan_says():
    asset = group(OFF, FULL)
    asked = problem(asset)
    planned = plan_of(asset, {"off": [1000] * COUNT})
    site = planned.sites[0]
    other = replace(planned, sites=(replace(site, assets=(AssetPlan("g", whole(1.25)),)),))
    demand = demand_of(asked, other, asked.markets[0])
    assert demand.mw_at(4000.0) == pytest.approx(whole(1.25)) and not demand.uses


SUN = np.array([0.0, 1.0, 2.5, 6.0])  # MW


@pytest.mark.parametrize("export_mw", [np.inf, 1.5, 0.0])
@pytest.mark.parametrize("held_mw", [0.0, 0.4])
def test_what_is_used_behind_the_meter_bears_no_fee_on_import(export_mw, held_mw):
    """A site with sun: at every price its meter shows what earns most, by enumeration of what its machines could do."""
    asset = group(OFF, ECO, FULL)
    calls = backing(UP, FULL, OFF, [0] * COUNT, [held_mw] * COUNT)
    asked = problem(asset, reserve(), fee=20.0, connection=Connection(whole(2.6), whole(export_mw)))
    planned = plan_of(asset, {"off": [1000] * COUNT}, MarketPlan("r", backing=(calls,)))
    site = planned.sites[0]
    sunny = replace(planned, sites=(replace(site, assets=(*site.assets, AssetPlan("sun", -SUN))),))
    asked = replace(asked, sites=(replace(asked.sites[0], assets=(asset, asset)),))  # the second stands for the sun
    demand = demand_of(asked, sunny, asked.markets[0])
    income = 40 / 1000 / 24
    best_first = [ECO] * 100 + [FULL] * 100  # ten machines at a time: all to eco, then all on to full
    for t in range(COUNT):
        taken_mw, earned = [0.0], [0.0]
        for i, mode in enumerate(best_first):
            before = ECO if i >= 100 else OFF
            taken_mw.append(taken_mw[-1] + 10 * (mode.power_w - before.power_w) / 1e6)
            earned.append(earned[-1] + 10 * (mode.hashrate_ths - before.hashrate_ths) * income)
        for price in (-60.0, 0.0, 30.0, 39.0, 42.0, 58.0, 62.0, 90.0, 93.0, 105.0, 115.0, 300.0):
            meter = [max(mw - SUN[t], held_mw - export_mw) for mw in taken_mw]  # what cannot be fed in is left
            money = [
                e - price * m - 20.0 * max(0.0, m) if m <= 2.6 else -np.inf for e, m in zip(earned, meter, strict=True)
            ]
            wanted = meter[int(np.argmax(money))]
            assert demand.mw_at(price)[t] == pytest.approx(wanted, abs=0.0241), (t, price)


def test_machines_behind_both_directions_are_held_once():
    asset = group(OFF, ECO, FULL)
    both = (backing(UP, ECO, OFF, [300] * COUNT, [0.7] * COUNT), backing(DOWN, ECO, FULL, [250] * COUNT, [0.2] * COUNT))
    planned = plan_of(asset, {"eco": [400] * COUNT, "off": [600] * COUNT}, MarketPlan("r", backing=both))
    assert held_count(planned, asset, planned.sites[0].assets[0])[1].tolist() == [400] * COUNT


@pytest.mark.parametrize(("fee_on_calls", "saved"), [(False, 0.0), (True, 20.0)])
def test_a_call_costs_the_hash_of_the_move(fee_on_calls, saved):
    """Facts E6: up B_net - f, down minus that; the fee only where the tariff puts it on calls; 1/frac of the hash."""
    asset = group(OFF, ECO, FULL, delivery_frac=0.9)
    asked = problem(asset, reserve(), fee=20.0, fee_on_calls=fee_on_calls)
    site, market = asked.sites[0], asked.markets[1]
    worth = (200 - 160) * 40 / 1000 / 24 / (1100 / 1e6) / 0.9
    up = call_cost_per_mwh(asked, site, market, backing(UP, FULL, ECO, [1] * COUNT, [0.001] * COUNT))
    assert up == pytest.approx(whole(worth - saved))
    down = call_cost_per_mwh(asked, site, market, backing(DOWN, ECO, FULL, [1] * COUNT, [0.001] * COUNT))
    assert down == pytest.approx(whole(saved - worth))


def test_calls_that_wear_and_wake_cost_that_as_well():
    """A call of a quarter of an hour: two moves at 0.1 each and two minutes to wake, over 0.25 h of 3.5 kW."""
    asset = group(OFF, FULL, seconds=120, wear=0.1)
    called = {UP: Activation(whole(0.05), whole(0.2), NONE)}
    asked = problem(asset, reserve(called))
    up = call_cost_per_mwh(
        asked, asked.sites[0], asked.markets[1], backing(UP, FULL, OFF, [1] * COUNT, [0.0035] * COUNT)
    )
    income = 40 / 1000 / 24
    mwh = 0.0035 * 0.05 / 0.2
    assert up == pytest.approx(whole(200 * income / 0.0035 + (0.2 + 200 * income * 120 / 3600) / mwh))
    other = replace(asked.markets[1], id="energy")
    named = replace(asked.markets[1], activation={}, product=replace(PRODUCT, energy_market_id="energy"))
    through = replace(asked, markets=(asked.markets[0], named, other))
    again = call_cost_per_mwh(through, asked.sites[0], named, backing(UP, FULL, OFF, [1] * COUNT, [0.0035] * COUNT))
    assert again == pytest.approx(up), "the calls of the market that its MW also serve"


@pytest.mark.parametrize(
    "name", ["pairs/energy-market-feasible", "pairs/fee-on-activated-feasible", "days/texas-day", "days/spike-day"]
)
def test_costs_are_those_of_the_money_in_plans(name):
    """What calls earn in a plan is expected MWh times the price received, less what a MWh costs."""
    result = make_plan(FIXTURES / name / "request.json")
    asked, planned = result.schedule.problem, result.plan
    checked = 0
    for market, market_plan in zip(asked.markets, planned.markets, strict=True):
        for held in market_plan.backing:
            site = next(site for site in asked.sites if any(asset.id == held.asset_id for asset in site.assets))
            activations = {m.id: m.activation for m in asked.markets if isinstance(m, ReserveMarket)}
            expected = activations[market.product.energy_market_id or market.id].get(held.direction)
            if expected is None or held.bid_mw:
                continue
            same = [b for b in market_plan.backing if (b.asset_id, b.direction) == (held.asset_id, held.direction)]
            mwh = [expected.expected_frac * b.mw * asked.horizon.step_hours for b in same]
            costs = [call_cost_per_mwh(asked, site, market, b) for b in same]
            if any(((expected.calls_per_hour > 0) & (expected.expected_frac == 0)).tolist()):
                continue  # calls without energy have no price per MWh
            paid = sum(
                cash.amount
                for cash in planned.cash
                if cash.stream.kind.value in ("activation_mining", "wear", "fees")
                and (cash.stream.market_id, cash.stream.asset_id, cash.stream.direction)
                == (market.id, held.asset_id, held.direction)
            )
            assert -sum(e * c for e, c in zip(mwh, costs, strict=True)) == pytest.approx(paid, abs=1e-9)
            checked += bool(np.abs(paid).max() > 0)
    assert checked
