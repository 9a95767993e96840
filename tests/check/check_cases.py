"""Hand-made problems and plans for the tests of the checker: every figure is written out."""

import re
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from scheduler.assets.connection import Connection
from scheduler.assets.machine import Cohort, Mode, ModeKind, Move, Prequalification
from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.check import money
from scheduler.horizon import Horizon
from scheduler.ladder import with_ladders
from scheduler.markets.block import Award, Bid, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import Activation, ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.plan import Backing, BlockPlan, MarketPlan, Plan, SitePlan
from scheduler.problem import Direction, Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response

UP, DOWN, SYMMETRIC = Direction.UP, Direction.DOWN, Direction.SYMMETRIC
START = datetime(2026, 1, 5, 22, 0, tzinfo=UTC)  # 23:00 in Berlin: interval 4 is the next civil day
COUNT = 8
NOTHING = np.zeros(COUNT)


def flat(value, count=COUNT):
    return np.full(count, float(value))


def whole(*values):
    return np.array(values, dtype=np.int64)


def at(interval):
    return START + timedelta(minutes=15 * interval)


def horizon(count=COUNT):
    return Horizon(START, 15, count, "Europe/Berlin")


# The desk: two sites, a cleared and an open energy market, three reserve products, awards, bids, a shortfall.

HIGH, LOW, OFF = (
    Mode("high", ModeKind.MINING, 10_000, 600),
    Mode("low", ModeKind.MINING, 6_000, 400),
    Mode("off", ModeKind.OFF, 0, 0, dwell_minutes=30),
)
MOVES = (
    Move("high", "low", 10),
    Move("low", "high", 10),
    Move("high", "off", 5, wear_cost=0.1),
    Move("low", "off", 5),
    Move("off", "high", 1200, power_w=5_000, wear_cost=0.5),
)
ROWS = MinerGroup(
    "rows",
    100,
    (HIGH, LOW, OFF),
    MOVES,
    (
        Cohort("high", 60, 600),
        Cohort("high", 5, 10, seconds_until_settled=600),
        Cohort("low", 20, 30),
        Cohort("off", 15, 600),
    ),
    available_count=whole(100, 100, 100, 95, 95, 95, 95, 95),
    daily_start_budget_count=16,
    starts_used_today_count=3,
    delivery_frac=0.9,
    prequalified=(Prequalification("fcr", SYMMETRIC, 0.06), Prequalification("mfrr", UP, 0.09)),
)
HALL = MinerGroup(
    "hall",
    50,
    (Mode("on", ModeKind.MINING, 4_000, 200), Mode("off", ModeKind.OFF, 0)),
    (),
    (Cohort("on", 50),),
)
FCR = Product(SYMMETRIC, 30, 15, Response.SIGNAL, 10, 10, Pricing.AS_CLEARED)
AFRR = Product(UP, 300, 60, Response.SIGNAL, 10, 10, Pricing.AS_BID)
MFRR = Product(UP, 750, 60, Response.CALLED, 10, 1, Pricing.AS_BID, shortest_call_minutes=20, rest_minutes=60)


def desk():
    north = Site("north", Connection(flat(0.95), flat(0), 0.6), Tariff(flat(20), True), (ROWS,))
    south = Site("south", Connection(flat(np.inf), flat(0)), Tariff(flat(0)), (HALL,))
    day_ahead = EnergyMarket("day_ahead", Stage.CLEARED, flat(50), position_mw=flat(1))
    intraday = EnergyMarket("intraday", Stage.OPEN, flat(60))
    fcr = ReserveMarket(
        "fcr",
        Stage.OPEN,
        FCR,
        (
            Block("early", at(0), at(4), awards=(Award("won", 60, 10, 100),), price_per_mw_h=12, max_kw=100),
            Block("late", at(4), at(8), price_per_mw_h=12, max_kw=100),
        ),
        site_ids=("north",),
    )
    bids = (
        Bid("base", 40, 5),
        Bid("risky", 60, 8, acceptance_prob=0.5, parent_bid_id="base"),
        Bid("lump", 20, 9, acceptance_prob=0.25, exclusive_group="one", indivisible=True),
        Bid("other", 40, 9, acceptance_prob=0.25, exclusive_group="one"),
    )
    afrr = ReserveMarket(
        "afrr",
        Stage.OPEN,
        AFRR,
        (Block("evening", at(4), at(8), bids=bids, max_kw=90),),
        {UP: Activation(flat(0.1), flat(0), flat(80))},
        ("north",),
    )
    mfrr = ReserveMarket(
        "mfrr",
        Stage.CLEARED,
        MFRR,
        (Block("night", at(0), at(10), awards=(Award("call", 90, 3, 50),)),),
        {UP: Activation(flat(0.05), flat(0.2), flat(100))},
        ("north",),
    )
    mining = Mining(flat(24))  # 0.001 for a TH/s in an hour
    return Problem(horizon(), "EUR", mining, (north, south), (day_ahead, intraday, fcr, afrr, mfrr)).validated()


def desk_plan(problem=None):
    """10 machines wake at 0 for 20 minutes, 5 go off at 3, 4 speed up at 5."""
    problem = problem or desk()
    power_mw = np.array([0.82, 0.87 - 0.01 * 5 / 3, 0.87, 0.82, 0.82, 0.836, 0.836, 0.836])
    rows = MinerGroupPlan(
        "rows",
        power_mw,
        whole([75, 75, 75, 70, 70, 74, 74, 74], [20, 20, 20, 20, 20, 16, 16, 16], [5, 5, 5, 10, 10, 10, 10, 10]),
        whole(
            [0] * 8,
            [0, 0, 0, 0, 0, 4, 0, 0],
            [0, 0, 0, 5, 0, 0, 0, 0],
            [0] * 8,
            [10, 0, 0, 0, 0, 0, 0, 0],
        ),
        np.array([45_000, 51_000, 53_000, 50_000, 50_000, 50_800 - 80 / 3, 50_800, 50_800]),
    )
    hall = MinerGroupPlan("hall", flat(0.2), whole([50] * 8, [0] * 8), np.zeros((0, 8), np.int64), flat(10_000))
    early, late = np.repeat([1.0, 0.0], 4), np.repeat([0.0, 1.0], 4)
    fcr_mw, fcr_count = 0.06 * early + 0.05 * late, whole(*[17] * 4, *[14] * 4)
    called_mw = np.array([0.09] * 6 + [0.045, 0.09])
    markets = (
        MarketPlan("day_ahead", flat(1)),
        MarketPlan("intraday", power_mw - 0.8),
        MarketPlan(
            "fcr",
            None,
            (BlockPlan("early", 0, 60), BlockPlan("late", 50, 0)),
            (
                Backing("rows", UP, "high", "low", fcr_count, fcr_mw),
                Backing("rows", DOWN, "low", "high", fcr_count, fcr_mw),
            ),
        ),
        MarketPlan(
            "afrr",
            None,
            (BlockPlan("evening", 70, 0, {"base": 20, "risky": 30, "lump": 20}),),
            (
                Backing(
                    "rows",
                    UP,
                    "high",
                    "low",
                    whole(*[0] * 4, *[20] * 4),
                    0.07 * late,
                    {("evening", "risky"): 0.03 * late, ("evening", "lump"): 0.02 * late},
                ),
            ),
        ),
        MarketPlan(
            "mfrr",
            None,
            (BlockPlan("night", 0, 90, {}, {"call": 0.09 - called_mw}),),
            (Backing("rows", UP, "high", "off", whole(10, 10, 10, 10, 10, 10, 5, 10), called_mw),),
        ),
    )
    sites = (SitePlan("north", power_mw, (rows,)), SitePlan("south", flat(0.2), (hall,)))
    return with_money(problem, Plan(sites, markets, (), 0.0))


def with_money(problem, plan):
    """The plan with the checker's own figures, and the ladders of what it holds, where there can be any."""
    cash = money(problem, plan)
    with suppress(KeyError, ValueError, TypeError, AttributeError, StopIteration), np.errstate(all="ignore"):
        plan = with_ladders(problem, plan)
    return replace(plan, cash=cash, objective=sum(stream.total for stream in cash))


def edited(thing, path, value):
    """A copy with one part changed: ``sites[0].grid_mw[3]``, ``bid_kw{base}``; a function gets what was."""
    if not path:
        return value(thing) if callable(value) else value
    step, rest = re.fullmatch(r"\.?(\w+|\[\d+\]|\{[^}]*\})(.*)", path).groups()
    if step[0] == "[":
        index = int(step[1:-1])
        parts = list(thing)
        parts[index] = edited(thing[index], rest, value)
        if isinstance(thing, np.ndarray):
            return np.array(parts, dtype=np.result_type(thing, *parts))
        return tuple(parts)
    if step[0] == "{":
        key = tuple(step[1:-1].split("/")) if "/" in step else step[1:-1]
        return {**thing, key: edited(thing.get(key, NOTHING), rest, value)}
    assert is_dataclass(thing) and step in {field.name for field in fields(thing)}, step
    return replace(thing, **{step: edited(getattr(thing, step), rest, value)})
