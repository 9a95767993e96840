"""Small problems for tests of conflicts.

The house: 100 machines of 0.1 MW, off or mining, that move at once: 10 MW. Four hours, 08-12 in Berlin. Awards of 5 MW
over them, won at 10, penalty 100, buy back at 6.10, steps of 1 MW, unless said.
"""

from datetime import UTC, datetime, timedelta

import numpy as np

from scheduler.assets.connection import Connection
from scheduler.assets.machine import Cohort, Mode, ModeKind, Move
from scheduler.assets.miner_group import MinerGroup
from scheduler.horizon import Horizon
from scheduler.markets.block import Award, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.problem import Direction, Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response

START = datetime(2026, 1, 15, 7, tzinfo=UTC)  # 08:00 in Berlin
HOURS = 4
UP, DOWN, SYMMETRIC = Direction.UP, Direction.DOWN, Direction.SYMMETRIC
CONNECTION = "problem.sites[0].connection"
GROUP = "problem.sites[0].assets[0].miner_group"
AWARD = "problem.markets[1].reserve.blocks[0].awards[0]"
OFF, MINE = Mode("off", ModeKind.OFF, 0.0), Mode("mine", ModeKind.MINING, 100_000.0, 5000.0)
MOVES = (Move("off", "mine"), Move("mine", "off"))
CALLED = {"response": Response.CALLED, "shortest_call_minutes": 120.0}


def series(*values: float) -> np.ndarray:
    return np.array(values, dtype=float) if len(values) > 1 else np.full(HOURS, float(values[0]))


def machines(count: int = 100, start: str = "mine", **more: object) -> MinerGroup:
    known = {"modes": (OFF, MINE), "moves": MOVES, "initial_cohorts": (Cohort(start, count),)}
    return MinerGroup(more.pop("id", "group"), count, **(known | more))


def award(kw: int = 5000, buy_back: float | None = 6.1, penalty: float = 100.0, id: str = "won") -> Award:
    return Award(id, kw, 10.0, penalty, buy_back)


def reserve(id: str, direction: Direction, *awards: Award, first_hour: int = 0, **more: object) -> ReserveMarket:
    known = {"response": Response.SIGNAL, "pricing": Pricing.AS_CLEARED, "smallest_bid_kw": 1000, "step_kw": 1000}
    product = Product(direction, 300.0, 15.0, **(known | more))
    block = Block("block", START + timedelta(hours=first_hour), START + timedelta(hours=HOURS), awards=awards)
    return ReserveMarket(id, Stage.CLEARED, product, (block,))


def position(mw: float, max_deviation_mw: float) -> EnergyMarket:
    prices = {"long_price_per_mwh": series(40), "short_price_per_mwh": series(60)}
    more = {"position_mw": series(mw), "max_deviation_mw": max_deviation_mw}
    return EnergyMarket("da", Stage.CLEARED, series(50), **prices, **more)


def site(*groups: MinerGroup, import_mw: float = np.inf, ramp: float | None = None, id: str = "site") -> Site:
    return Site(id, Connection(series(import_mw), series(0), ramp), Tariff(series(0)), groups)


def problem(sites: Site | tuple[Site, ...], *markets: ReserveMarket, energy: EnergyMarket | None = None) -> Problem:
    horizon = Horizon(START, 60, HOURS, "Europe/Berlin")
    energy = energy or EnergyMarket("da", Stage.OPEN, series(50))
    sites = sites if isinstance(sites, tuple) else (sites,)
    return Problem(horizon, "EUR", Mining(series(40)), sites, (energy, *markets)).validated()
