"""Small random problems: one or two sites and groups, 2 to 4 modes, 3 to 8 intervals, products of all kinds.

Every figure is round, so that borders are met exactly and often. The same seed gives the same problem.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import numpy as np

from scheduler.assets.connection import Connection
from scheduler.assets.miner_group import Cohort, MinerGroup, Mode, ModeKind, Move, Prequalification
from scheduler.horizon import Horizon
from scheduler.markets.block import Award, Bid, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import Activation, ReserveMarket
from scheduler.markets.tariff import Tariff
from scheduler.problem import Direction, Mining, Problem, Site, Stage
from scheduler.product import Pricing, Product, Response

START = datetime(2026, 6, 14, 21, 0, tzinfo=UTC)  # an hour before midnight in Berlin: some horizons have two civil days
HASHPRICE = 24.0  # 1 MW of full earns 60 an hour
T = TypeVar("T")


def small_problem(seed: int) -> Problem:
    """The first problem of a seed that is valid."""
    for attempt in itertools.count():
        problem = _Maker(seed * 1000 + attempt).problem()
        if not tuple(problem.violations()):
            return problem
    raise AssertionError


class _Maker:
    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.step = self.pick([15, 30, 60])
        self.count = self.rng.randint(3, 8)
        self.horizon = Horizon(START, self.step, self.count, "Europe/Berlin")

    def pick(self, items: Sequence[T]) -> T:
        return self.rng.choice(items)

    def maybe(self, chance: float) -> bool:
        return self.rng.random() < chance

    def series(self, low: int, high: int) -> np.ndarray:
        return np.array([float(self.rng.randint(low, high)) for _ in range(self.count)])

    def problem(self) -> Problem:
        markets = [self.reserve(f"reserve-{k}") for k in range(self.pick([0, 1, 1, 2, 2, 2, 3, 3]))]
        if len(markets) > 1 and self.maybe(0.3):  # capacity that brings the activation of its energy product
            product = replace(markets[0].product, energy_market_id=markets[1].id)
            markets[0] = replace(markets[0], product=product, activation={})
        groups = [self.group(f"group-{g}", [market.id for market in markets]) for g in range(self.pick([1, 2]))]
        split = len(groups) == 2 and self.maybe(0.6)
        assets = [groups[:1], groups[1:]] if split else [groups]
        sites = tuple(Site(f"site-{s}", self.connection(), self.tariff(), tuple(own)) for s, own in enumerate(assets))
        markets = [
            replace(market, site_ids=(self.pick(sites).id,)) if self.maybe(0.2) else market for market in markets
        ]
        energy = self.energies(sites)
        return Problem(self.horizon, "EUR", Mining(np.full(self.count, HASHPRICE)), sites, (*energy, *markets))

    # ---- machines ------------------------------------------------------------------------------------

    def group(self, id: str, markets: list[str]) -> MinerGroup:
        count, watt = self.pick([(1, 1e6), (3, 1e6), (4, 75e4), (12, 25e4), (90, 35e3), (700, 4e3)])
        quick = self.maybe(0.65)
        modes = self.modes(watt, quick)
        available = None
        if self.maybe(0.25):
            available = np.array([count - self.pick([0, 0, 1, count // 4]) for _ in range(self.count)], dtype=np.int64)
        prequalified = ()
        if markets and self.maybe(0.2):
            entry = (self.pick(markets), self.pick(list(Direction)), self.pick([0.5, 1.0, 2.0]))
            prequalified = (Prequalification(*entry),)
        used = self.pick([0, 0, 1])
        return MinerGroup(
            id=id,
            machine_count=count,
            modes=modes,
            moves=self.moves(modes, watt, quick),
            initial_cohorts=self.cohorts(modes, count),
            available_count=available,
            daily_start_budget_count=used + self.pick([count // 2, count, 2 * count]) if self.maybe(0.25) else None,
            starts_used_today_count=used,
            delivery_frac=self.pick([1.0, 1.0, 0.9]),
            prequalified=prequalified,
        )

    def modes(self, watt: float, quick: bool) -> tuple[Mode, ...]:
        def dwell() -> float:
            return self.pick([0.0, 5.0] if quick else [0.0, 5.0, 20.0, 45.0, 90.0])

        ths = watt * 0.06
        modes = [
            Mode("off", ModeKind.OFF, 0.0, 0.0, dwell()),
            Mode("full", ModeKind.MINING, watt, ths, dwell()),
        ]
        if self.maybe(0.3):
            modes.append(Mode("standby", ModeKind.STANDBY, 0.02 * watt, 0.0, dwell()))
        if self.maybe(0.4):
            modes.append(Mode("eco", ModeKind.MINING, 0.5 * watt, 0.6 * ths, dwell()))
        return tuple(modes)

    def moves(self, modes: tuple[Mode, ...], watt: float, quick: bool) -> tuple[Move, ...]:
        seconds = [0.0, 5.0, 20.0, 60.0, 300.0] if quick else [0.0, 60.0, 300.0, 1200.0, 2400.0]
        pairs = [(a, b) for a in modes for b in modes if a is not b and (len(modes) == 2 or self.maybe(0.85))]
        wear = watt / 1e6
        return tuple(
            Move(a.id, b.id, self.pick(seconds), self.pick([None, None, 0.3 * watt]), self.pick([0, 0, wear, 3 * wear]))
            for a, b in pairs
        )

    def cohorts(self, modes: tuple[Mode, ...], count: int) -> tuple[Cohort, ...]:
        parts = [count] if count == 1 or self.maybe(0.5) else [count // 3, count - count // 3]
        return tuple(
            Cohort(self.pick(modes).id, part, self.pick([0.0, 10.0, 600.0]), self.pick([0.0, 0.0, 0.0, 600.0]))
            for part in parts
        )

    # ---- sites and energy ----------------------------------------------------------------------------

    def connection(self) -> Connection:
        limit, export = self.pick([np.inf, np.inf, np.inf, 3.0, 1.5]), self.pick([0.0, 0.0, 0.5])
        ramp = self.pick([None, None, None, 0.1, 0.3])
        return Connection(np.full(self.count, limit), np.full(self.count, export), ramp)

    def tariff(self) -> Tariff:
        return Tariff(np.full(self.count, float(self.pick([0, 10]))), self.maybe(0.5))

    def energies(self, sites: tuple[Site, ...]) -> tuple[EnergyMarket, ...]:
        price = self.series(-20, 130)
        kind = self.pick(["open", "open", "open", "cleared", "both"])
        if kind == "open":
            return (EnergyMarket("day-ahead", Stage.OPEN, price),)
        if kind == "both":
            cleared = EnergyMarket("day-ahead", Stage.CLEARED, price, position_mw=self.series(0, 2))
            return (cleared, EnergyMarket("intraday", Stage.OPEN, price + self.series(-20, 20)))
        return (
            EnergyMarket(
                "day-ahead",
                Stage.CLEARED,
                price,
                position_mw=self.series(0, 2),
                long_price_per_mwh=price - self.series(-5, 30),
                short_price_per_mwh=price + self.series(-5, 30),
                max_deviation_mw=self.pick([2.0, 5.0]),
            ),
        )

    # ---- reserve -------------------------------------------------------------------------------------

    def reserve(self, id: str) -> ReserveMarket:
        called = self.maybe(0.5)
        product = Product(
            direction=self.pick(list(Direction)),
            full_activation_seconds=self.pick([30.0, 300.0, 300.0, 750.0]),
            hold_minutes=15.0,
            response=Response.CALLED if called else Response.SIGNAL,
            smallest_bid_kw=self.pick([100, 300, 500, 1000]),
            step_kw=self.pick([100, 250, 500, 1000]),
            pricing=self.pick(list(Pricing)),
            shortest_call_minutes=self.pick([0.0, 5.0, 15.0]) if called else 0.0,
            rest_minutes=self.pick([None, 5.0, 20.0]) if called else None,
            max_step_mw=self.pick([0.1, 5.0, 5.0, 5.0]),
            rotation_factor=None if called else self.pick([None, None, 2.0]),
        )
        stage = Stage.OPEN if self.maybe(0.8) else Stage.CLEARED
        inner = sorted(self.rng.sample(range(1, self.count), self.pick([0, 1, 2])))
        edges = [self.pick([0, 0, 0, -1]), *inner, self.count]  # -1: cut by the horizon, its awards hold
        blocks = tuple(self.block(f"{first}-{end}", first, end, stage) for first, end in itertools.pairwise(edges))
        activation = {
            part: Activation(
                expected_frac=np.full(self.count, self.pick([0.0, 0.1, 0.5])),
                calls_per_hour=np.full(self.count, self.pick([0.0, 0.5]) if called else 0.0),
                price_per_mwh=self.series(-40, 160),
            )
            for part in product.direction.parts
            if self.maybe(0.6)
        }
        return ReserveMarket(id, stage, product, blocks, activation)

    def block(self, id: str, first: int, end: int, stage: Stage) -> Block:
        awards: tuple[Award, ...] = ()
        if self.maybe(0.5 if stage is Stage.CLEARED else 0.06):
            awards = (Award("won", self.pick([250, 250, 500, 1000]), 10.0, float(self.pick([0, 50]))),)
        bids: tuple[Bid, ...] = ()
        if self.maybe(0.3):
            low, high = (
                Bid("a", 1000, 30.0, self.pick([1.0, 0.8])),
                Bid("b", self.pick([1000, 1500]), 90.0, self.pick([0.5, 0.8])),
            )
            kind = self.pick(["", "exclusive", "child", "indivisible"])
            if kind == "exclusive":
                low, high = replace(low, exclusive_group="x"), replace(high, exclusive_group="x")
            elif kind == "child":
                high = replace(high, parent_bid_id="a")
            elif kind == "indivisible":
                low = replace(low, indivisible=True)
            bids = (low, high)
        step = timedelta(minutes=self.step)
        return Block(
            id,
            START + first * step,
            START + end * step,
            price_per_mw_h=float(self.pick([20, 60, 120])),
            max_kw=self.pick([None, None, 1500, 2000]),
            bids=bids,
            awards=awards,
        )


# ---- the same problem, changed -------------------------------------------------------------------


def map_groups(problem: Problem, change) -> Problem:
    """Every miner group changed."""
    sites = tuple(replace(site, assets=tuple(change(group) for group in site.assets)) for site in problem.sites)
    return replace(problem, sites=sites)


def map_reserves(problem: Problem, change) -> Problem:
    """Every reserve market changed."""
    markets = tuple(change(market) if isinstance(market, ReserveMarket) else market for market in problem.markets)
    return replace(problem, markets=markets)


def map_blocks(problem: Problem, change) -> Problem:
    """Every block changed."""
    return map_reserves(problem, lambda market: replace(market, blocks=tuple(change(b) for b in market.blocks)))


def with_more_machines(problem: Problem) -> Problem:
    """More machines in off, which takes 0 W: they can stay there."""

    def grown(group: MinerGroup) -> MinerGroup:
        more = max(1, group.machine_count // 3)
        return replace(
            group,
            machine_count=group.machine_count + more,
            initial_cohorts=(*group.initial_cohorts, Cohort("off", more, 600.0)),
            available_count=None if group.available_count is None else group.available_count + more,
        )

    return map_groups(problem, grown)


def with_more_capacity(problem: Problem) -> Problem:
    """Higher limits: connection, ramp, prequalified MW, availability, largest offer, deviation."""

    def freed(group: MinerGroup) -> MinerGroup:
        caps = tuple(replace(cap, max_mw=1.5 * cap.max_mw) for cap in group.prequalified)
        available = group.available_count
        return replace(
            group,
            prequalified=caps,
            available_count=None if available is None else np.minimum(available + 1, group.machine_count),
        )

    def widened(site: Site) -> Site:
        own = site.connection
        assert own is not None
        ramp = None if own.ramp_mw_per_minute is None else 1.5 * own.ramp_mw_per_minute
        return replace(site, connection=Connection(own.import_limit_mw + 0.7, own.export_limit_mw + 0.3, ramp))

    markets = tuple(
        replace(market, max_deviation_mw=1.5 * market.max_deviation_mw)
        if isinstance(market, EnergyMarket) and market.max_deviation_mw is not None
        else market
        for market in problem.markets
    )
    wider = replace(problem, sites=tuple(widened(site) for site in problem.sites), markets=markets)
    wider = map_blocks(wider, lambda block: replace(block, max_kw=None if block.max_kw is None else block.max_kw + 700))
    return map_groups(wider, freed)


def with_hashprice(problem: Problem, factor: float) -> Problem:
    """Another hashprice."""
    return replace(
        problem, mining=replace(problem.mining, hashprice_per_ph_day=factor * problem.mining.hashprice_per_ph_day)
    )


def with_target_power_on_the_way(problem: Problem) -> Problem:
    """Moves draw the target's power from their start."""
    return map_groups(problem, lambda g: replace(g, moves=tuple(replace(move, power_w=None) for move in g.moves)))


def with_finer_step(problem: Problem, parts: int) -> Problem:
    """Each interval cut into parts, with all that was given held."""

    def held(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.repeat(values, parts)

    def site(given: Site) -> Site:
        own, tariff = given.connection, given.tariff
        assert own is not None
        return replace(
            given,
            connection=replace(
                own, import_limit_mw=held(own.import_limit_mw), export_limit_mw=held(own.export_limit_mw)
            ),
            tariff=replace(tariff, import_fee_per_mwh=held(tariff.import_fee_per_mwh)),
            assets=tuple(replace(group, available_count=held(group.available_count)) for group in given.assets),
        )

    def market(given: EnergyMarket | ReserveMarket) -> EnergyMarket | ReserveMarket:
        if isinstance(given, ReserveMarket):
            expected = {
                part: Activation(held(a.expected_frac), held(a.calls_per_hour), held(a.price_per_mwh))
                for part, a in given.activation.items()
            }
            return replace(given, activation=expected)
        names = ("price_per_mwh", "position_mw", "long_price_per_mwh", "short_price_per_mwh")
        return replace(given, **{name: held(getattr(given, name)) for name in names})

    horizon = problem.horizon
    return replace(
        problem,
        horizon=replace(horizon, step_minutes=horizon.step_minutes // parts, count=horizon.count * parts),
        mining=replace(problem.mining, hashprice_per_ph_day=held(problem.mining.hashprice_per_ph_day)),
        sites=tuple(site(given) for given in problem.sites),
        markets=tuple(market(given) for given in problem.markets),
    )


def shifted_in_time(problem: Problem, by: timedelta) -> Problem:
    """Everything later by the same time."""
    horizon = replace(problem.horizon, start_utc=problem.horizon.start_utc + by)
    moved = map_blocks(
        problem, lambda block: replace(block, start_utc=block.start_utc + by, end_utc=block.end_utc + by)
    )
    return replace(moved, horizon=horizon)


def shuffled(problem: Problem, seed: int) -> Problem:
    """Everything that is listed, in another order."""
    rng = random.Random(seed)

    def mixed(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(rng.sample(items, len(items)))

    def group(given: MinerGroup) -> MinerGroup:
        return replace(
            given,
            modes=mixed(given.modes),
            moves=mixed(given.moves),
            initial_cohorts=mixed(given.initial_cohorts),
            prequalified=mixed(given.prequalified),
        )

    def reserve(given: ReserveMarket) -> ReserveMarket:
        blocks = (replace(block, bids=mixed(block.bids), awards=mixed(block.awards)) for block in given.blocks)
        activation = dict(mixed(tuple(given.activation.items())))
        return replace(given, blocks=mixed(tuple(blocks)), activation=activation)

    changed = map_reserves(map_groups(problem, group), reserve)
    sites = tuple(replace(site, assets=mixed(site.assets)) for site in changed.sites)
    return replace(changed, sites=mixed(sites), markets=mixed(changed.markets))
