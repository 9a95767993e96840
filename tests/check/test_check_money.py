"""The checker's own sum of money against figures worked out by hand (facts E, decision 1)."""

from dataclasses import replace

import numpy as np
import pytest
from check_cases import COUNT, DOWN, UP, at, desk, desk_plan, edited, flat, horizon, whole, with_money

from scheduler.assets.connection import Connection
from scheduler.assets.machine import Cohort, Mode, ModeKind, Move
from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.check import Audit, audit, money
from scheduler.check.findings import Findings
from scheduler.check.reading import MOST_COUNT, Reader
from scheduler.markets.block import Award, Bid, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import Activation, ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.plan import Backing, BlockPlan, MarketPlan, Plan, SitePlan
from scheduler.problem import Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response

PROBLEM, PLAN = desk(), desk_plan()


def sums(problem, plan):
    """Total of each stream by its name, in words."""
    return {
        " ".join(
            word
            for word in (
                s.stream.kind.value,
                s.stream.market_id,
                s.stream.site_id,
                s.stream.asset_id,
                s.stream.direction.value if s.stream.direction else "",
            )
            if word
        ): s.total
        for s in money(problem, plan)
    }


def test_the_desk():
    """0.001 for a TH/s hour; half a risky and a quarter of a lumpy bid; 10 machines behind the call."""
    third = 1 / 3
    ths_hours = (45 + 51 + 53 + 50 + 50 + 50.8 - 0.08 * third + 50.8 + 50.8) * 1000 / 4
    mwh = (0.82 * 3 + 0.87 * 2 - 0.05 * third + 0.836 * 3) / 4
    called = 1.9 / 2 * 10 * 4 / 10  # of 10 machines a fifth of a call per hour, 5 of them in one of 8 quarters
    called = 0.2 * (7 * 10 + 5) / 4
    held_mwh = (7 * 0.09 + 0.045) / 4
    wanted = {
        "btc north rows": ths_hours / 1000,
        "btc south hall": 10_000 * 2 / 1000,
        "energy day_ahead": -50 * 2,
        "energy intraday": 60 * 2,
        "energy intraday north": -60 * mwh,
        "energy intraday south": -60 * 0.4,
        "fees north": -20 * mwh,
        "fees afrr north rows up": 20 * 0.1 * 0.04,
        "fees mfrr north rows up": 20 * 0.05 * held_mwh,
        "capacity fcr": 0.06 * 10 + 0.05 * 12,
        "capacity afrr": 0.02 * 5 + 0.5 * 0.03 * 8 + 0.25 * 0.02 * 9,
        "capacity mfrr": 0.09 * 3 * 2,
        "activation afrr north rows up": 80 * 0.1 * 0.04,
        "activation mfrr north rows up": 100 * 0.05 * held_mwh,
        "activation_mining afrr north rows up": -0.1 * 0.04 / 0.0036 * 200 / 1000,
        "activation_mining mfrr north rows up": -(0.05 * held_mwh / 0.009 * 600 + called * 600 * third) / 1000,
        "wear north rows": -(10 * 0.5 + 5 * 0.1),
        "wear mfrr north rows up": -called * 0.6,
        "penalty mfrr": -50 * 0.045 / 4,
    }
    found = sums(PROBLEM, PLAN)
    assert found == pytest.approx(wanted, abs=1e-9)
    assert audit(PROBLEM, PLAN).objective == pytest.approx(sum(wanted.values()), abs=1e-9)


def running(
    power_w,
    ths,
    price,
    hashprice,
    pool_fee=0.0,
    fee=0.0,
    extra_modes=(),
    moves=(),
    count=1,
    machines=1,
    **kinds,
):
    """Machines that run all day, on an open market."""
    modes = (Mode("on", ModeKind.MINING, power_w, ths), *extra_modes)
    group = MinerGroup("g", machines, modes, moves, (Cohort("on", machines, 600),))
    tariff = Tariff(flat(fee, count), kinds.get("on_activated", False))
    site = Site("s", Connection(flat(np.inf, count), flat(np.inf, count)), tariff, (group,))
    market = EnergyMarket("power", Stage.OPEN, flat(price, count))
    mining = Mining(flat(hashprice, count), pool_fee)
    markets = (market, *kinds.get("reserve", ()))
    problem = Problem(replace(horizon(count), step_minutes=kinds.get("step", 15)), "EUR", mining, (site,), markets)
    mw = flat(power_w * machines / 1e6, count)
    counts = np.zeros((len(modes), count), np.int64)
    counts[0] = machines
    own = MinerGroupPlan("g", mw, counts, np.zeros((len(moves), count), np.int64), flat(ths * machines, count))
    plans = (MarketPlan("power", mw), *kinds.get("reserve_plans", ()))
    return problem.validated(), Plan((SitePlan("s", mw, (own,)),), plans, (), 0.0)


@pytest.mark.parametrize(
    ("ths", "watt", "at_30", "at_40", "net"),
    [
        (13.5, 1323, 12.7551, 17.0068, 14.4300),
        (100, 3050, 40.9836, 54.6448, 46.3653),
        (200, 3500, 71.4286, 95.2381, 80.8081),
    ],
)
def test_break_even(ths, watt, at_30, at_40, net):
    """Facts E1: at its break-even price a machine earns nothing."""
    for price, hashprice, fee, overhead in (
        (at_30, 30, 0, 1),
        (at_40, 40, 0, 1),
        (net, 40 / 1.10, 0.02, 1.05),
    ):
        problem, plan = running(watt * overhead, ths, price, hashprice, fee)
        mwh = watt * overhead / 1e6 / 4
        assert sum(sums(problem, plan).values()) == pytest.approx(0, abs=1e-4 * mwh)


def test_s21_earns_eight_dollars_a_day():
    problem, plan = running(3500, 200, 0, 40, count=24, step=60)
    assert sums(problem, plan) == pytest.approx({"btc s g": 8.0})


def up_market(product, price, award_kw, activation, count, step=15):
    end = at(count * step // 15)
    block = Block("b", at(0), end, awards=(Award("a", award_kw, price),))
    return ReserveMarket("r", Stage.CLEARED, product, (block,), {UP: activation})


SIGNAL = Product(UP, 300, 15, Response.SIGNAL, 1000, 1000, Pricing.AS_BID)


def test_five_megawatts_up_for_a_quarter_hour():
    """Facts E6: income 187.50, mining value lost 76.01 with fees of 20 that are saved, net 111.49."""
    off, moves = Mode("off", ModeKind.OFF, 0), (Move("on", "off"), Move("off", "on"))
    market = up_market(SIGNAL, 0, 5000, Activation(flat(1, 1), flat(0, 1), flat(150, 1)), 1)
    backing = Backing("g", UP, "on", "off", whole(1361), flat(5, 1))
    own = MarketPlan("r", None, (BlockPlan("b", 0, 5000),), (backing,))
    problem, plan = running(
        3675,
        200,
        50,
        40 / 1.1,
        0.02,
        20,
        (off,),
        moves,
        1,
        1361,
        reserve=(market,),
        reserve_plans=(own,),
        on_activated=True,
    )
    found = sums(problem, plan)
    assert audit(problem, with_money(problem, plan)).violations == ()
    assert found["activation r s g up"] == pytest.approx(187.50)
    lost = found["activation_mining r s g up"] + found["fees r s g up"]
    assert lost == pytest.approx(-76.01, abs=0.005)
    assert found["activation r s g up"] + lost == pytest.approx(111.49, abs=0.005)


def test_four_hours_of_capacity():
    """Facts E3: 5 MW at 12.50 for 4 hours are 250.00; 3 MW at 62.20 for a block of 4 hours are 186.60."""
    off, moves = Mode("off", ModeKind.OFF, 0), (Move("on", "off"), Move("off", "on"))
    for mw, price, income in ((5, 12.50, 250.00), (3, 62.20 / 4, 186.60)):
        activation = Activation(flat(0, 16), flat(0, 16), flat(0, 16))
        market = up_market(SIGNAL, price, 1000 * mw, activation, 16)
        backing = Backing("g", UP, "on", "off", np.full(16, 2000), flat(mw, 16))
        own = MarketPlan("r", None, (BlockPlan("b", 0, 1000 * mw),), (backing,))
        problem, plan = running(
            3500,
            200,
            0,
            0,
            extra_modes=(off,),
            moves=moves,
            count=16,
            machines=2000,
            reserve=(market,),
            reserve_plans=(own,),
        )
        assert sums(problem, plan) == pytest.approx({"capacity r": income})
        assert audit(problem, with_money(problem, plan)).violations == ()


@pytest.mark.parametrize("frac", [1.0, 0.8])
def test_the_value_lost_is_that_of_the_move(frac):
    """Formulation 7: 3500 W / 200 TH turned to 2400 W / 160 TH loses 60.6 per MWh delivered."""
    low = Mode("low", ModeKind.MINING, 2400, 160)
    moves = (Move("on", "low"), Move("low", "on"))
    market = up_market(SIGNAL, 0, 1000, Activation(flat(1, 1), flat(0, 1), flat(0, 1)), 1)
    own = MarketPlan("r", None, (BlockPlan("b", 0, 1000),), (Backing("g", UP, "on", "low", whole(2000), flat(1, 1)),))
    problem, plan = running(
        3500,
        200,
        0,
        40,
        extra_modes=(low,),
        moves=moves,
        machines=2000,
        reserve=(market,),
        reserve_plans=(own,),
    )
    problem = edited(problem, "sites[0].assets[0].delivery_frac", frac)
    lost_mwh = -sums(problem, plan)["activation_mining r s g up"] / 0.25
    assert lost_mwh == pytest.approx(60.606 / frac, abs=1e-3)


def test_rotation_counts_more_machines_but_loses_the_same():
    """With r = 2, 2000 machines of 1.1 kW carry 1.1 MW; the hash lost stays that of the step."""
    low = Mode("low", ModeKind.MINING, 2400, 160, dwell_minutes=30)
    moves = (Move("on", "low"), Move("low", "on"))
    market = up_market(replace(SIGNAL, rotation_factor=2.0), 0, 1000, Activation(flat(1, 1), flat(0, 1), flat(0, 1)), 1)
    own = MarketPlan("r", None, (BlockPlan("b", 0, 1000),), (Backing("g", UP, "on", "low", whole(1819), flat(1, 1)),))
    problem, plan = running(
        3500,
        200,
        0,
        40,
        extra_modes=(low,),
        moves=moves,
        machines=2000,
        reserve=(market,),
        reserve_plans=(own,),
    )
    assert audit(problem, with_money(problem, plan)).violations == ()
    assert sums(problem, plan)["activation_mining r s g up"] == pytest.approx(-60.606 / 4, abs=1e-3)
    short = edited(plan, "markets[1].backing[0].machine_count", whole(1818))
    assert {v.rule for v in audit(problem, with_money(problem, short)).violations} == {"backed_mw"}
    still = edited(problem, "markets[1].product.rotation_factor", None)
    assert {v.rule for v in audit(still, with_money(still, plan)).violations} == {"dwell"}


def test_deviation_is_settled_at_the_worse_side():
    """Position 0.1 MW flat; 0.2 taken in the first half, 0.05 in the second."""
    on, off = Mode("on", ModeKind.MINING, 50_000, 0), Mode("off", ModeKind.OFF, 0)
    group = MinerGroup("g", 4, (on, off), (Move("on", "off"),), (Cohort("on", 4, 600),))
    site = Site("s", Connection(flat(1), flat(0)), Tariff(flat(0)), (group,))
    market = EnergyMarket("power", Stage.CLEARED, flat(50), (), flat(0.1), flat(30), flat(70), 0.1)
    problem = Problem(horizon(), "EUR", Mining(flat(0)), (site,), (market,)).validated()
    count = whole(*[4] * 4, *[1] * 4)
    own = MinerGroupPlan("g", 0.05 * count, np.array([count, 4 - count]), whole([0, 0, 0, 0, 3, 0, 0, 0]), flat(0))
    plan = with_money(problem, Plan((SitePlan("s", 0.05 * count, (own,)),), (MarketPlan("power", flat(0.1)),), (), 0.0))
    assert audit(problem, plan).violations == ()
    wanted = {"energy power": -50 * 0.2, "deviation power": -70 * 0.1 + 30 * 0.05}
    assert sums(problem, plan) == pytest.approx(wanted)
    tight = edited(problem, "markets[0].max_deviation_mw", 0.09)
    assert {violation.rule for violation in audit(tight, plan).violations} == {"deviation"}
    for index in range(len(plan.cash)):
        wrong = edited(plan, f"cash[{index}].amount", lambda amount: amount * 1.01)
        found = {violation.rule for violation in audit(problem, wrong).violations}
        assert found == {"cash_interval", "cash_total", "cash_sum"}


def test_a_negative_fee_and_feeding_in():
    """Fees are paid on import, never on a position or on feeding in: the site takes nothing here."""
    problem, plan = running(0, 0, 50, 0, fee=20)
    assert sums(problem, plan) == {}


def test_a_capacity_market_earns_the_activation_of_its_energy_market():
    energy = ReserveMarket(
        "energy",
        Stage.OPEN,
        replace(SIGNAL, direction=DOWN),
        (),
        {UP: Activation(flat(0.5), flat(0), flat(200))},
    )
    named = edited(PROBLEM, "markets[3].product.energy_market_id", "energy")
    named = edited(named, "markets", lambda markets: (*markets, energy))
    plan = edited(PLAN, "markets", lambda markets: (*markets, MarketPlan("energy")))
    assert sums(named, plan)["activation afrr north rows up"] == pytest.approx(200 * 0.5 * 0.04)


def test_bids_at_the_price_of_the_block():
    problem = edited(PROBLEM, "markets[3].product.pricing", Pricing.AS_CLEARED)
    problem = edited(problem, "markets[3].blocks[0].price_per_mw_h", 4.0)
    assert sums(problem, PLAN)["capacity afrr"] == pytest.approx((0.02 + 0.5 * 0.03 + 0.25 * 0.02) * 4)


def test_a_bid_that_will_not_be_accepted_is_held_and_earns_nothing():
    problem = edited(PROBLEM, "markets[3].blocks[0].bids[1]", Bid("risky", 60, 8, 0.0, parent_bid_id="base"))
    assert audit(problem, with_money(problem, PLAN)).violations == ()
    assert sums(problem, PLAN)["capacity afrr"] == pytest.approx(0.02 * 5 + 0.25 * 0.02 * 9)


def test_a_group_may_have_its_own_hashprice():
    problem = edited(PROBLEM, "sites[1].assets[0].mining_override", Mining(flat(48), 0.25))
    assert sums(problem, PLAN)["btc south hall"] == pytest.approx(20 * 2 * 0.75)


def test_streams_are_sorted_and_never_zero_throughout():
    cash = money(PROBLEM, PLAN)
    assert cash == () or all(stream.amount.any() and stream.amount.shape == (COUNT,) for stream in cash)
    assert [s.stream for s in cash] == [s.stream for s in money(PROBLEM, replace(PLAN, cash=()))]
    kinds = [s.stream.kind.value for s in cash]
    assert kinds.index("btc") < kinds.index("energy") < kinds.index("fees") < kinds.index("capacity")


def test_an_audit_judges_what_is_stated_each_time_anew():
    read = Audit(PROBLEM, PLAN)
    assert [found.rule for found in read.report(read.objective + 1).violations] == ["objective"]
    assert read.report(read.objective).violations == ()
    assert read.report(None).violations[0].rule == "finite"
    assert read.objective == audit(PROBLEM, PLAN).objective == pytest.approx(sum(s.total for s in money(PROBLEM, PLAN)))


@pytest.mark.parametrize("value", [0, 7, MOST_COUNT, -1, MOST_COUNT + 1])
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float64])
def test_whole_arrays_are_read_like_lists(value, kind):
    if kind is np.int32 and abs(value) > 2**31 - 1:
        return
    given = np.zeros((2, 3), dtype=kind)
    given[1, 2] = value
    as_array, as_list = Findings(), Findings()
    rows = Reader(3, as_array).rows(["a[0]", "a[1]"], given)
    assert (rows == Reader(3, as_list).rows(["a[0]", "a[1]"], given.tolist())).all()
    assert as_array.violations == as_list.violations
    assert bool(as_array.violations) == (value < 0 or value > MOST_COUNT)
