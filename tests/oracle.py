"""Brute force over tiny problems, machine by machine, straight from the formulation and decision 0001.

Every machine takes every path of modes that its locks allow; for every set of offers and every interval,
every machine that could back a product takes every role in turn, and a small linear program deals out the MW.
Nothing here is shared with scheduler.model or scheduler.check, and nothing is clever: use it for a handful of
intervals and of machines.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from scheduler.assets.machine import Mode, ModeKind, Move
from scheduler.assets.miner_group import MinerGroup
from scheduler.markets.block import Bid, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.problem import Direction, Problem, Site, Stage
from scheduler.product import Pricing, Response

EPS = 1e-9
Pick = tuple[tuple[str, int], ...]  # of one block: (bid id, kW); the id is empty for an offer without bids


@dataclass(frozen=True)
class Best:
    """What the best plan misses of its awards, in MW hours, and what it earns."""

    missing_mw_h: float
    money: float
    offers_kw: dict[str, int]  # market/block: kW of one best plan


class NoPlanError(Exception):
    """No plan at all, or too many to try."""


class Machine(NamedTuple):
    """State of one machine in one interval."""

    site: int
    group: str
    mode: int
    move: int  # that led into the mode; -1: it has been there since before the horizon
    age: int  # intervals since that move, or since the start of the horizon
    cohort: int  # at the start; -1 once it has moved


@dataclass(frozen=True)
class Option:
    """One machine's way of delivering one product in one direction."""

    group: str
    market: int
    direction: Direction
    source: int
    target: int
    mw: float  # that one machine is counted for
    nameplate_mw: float  # step x delivery_frac, what one machine is worth in money
    slow: float  # longest dwell and move among those that the both-directions rule looks at
    full_activation_seconds: float


def best(problem: Problem, most_paths: int = 200_000, most_offers: int = 10_000) -> Best:
    """The optimum of a tiny problem; NoPlanError where more joint paths or sets of offers would have to be tried."""
    return _Search(problem, most_paths, most_offers).run()


class _Search:
    def __init__(self, problem: Problem, most_paths: int, most_offers: int) -> None:
        self.problem = problem
        self.horizon = problem.horizon
        self.hours = problem.horizon.step_hours
        self.seconds = problem.horizon.step_seconds
        self.groups: dict[str, MinerGroup] = {}
        self.site_of: dict[str, int] = {}
        for s, site in enumerate(problem.sites):
            for asset in site.assets:
                assert isinstance(asset, MinerGroup)
                self.groups[asset.id] = asset
                self.site_of[asset.id] = s
        self.reserves = [market for market in problem.markets if isinstance(market, ReserveMarket)]
        self.energies = [market for market in problem.markets if isinstance(market, EnergyMarket)]
        self.most_paths = most_paths
        self.most_offers = most_offers
        self.value = lru_cache(maxsize=None)(self._value)

    # ---- machines ----

    def lock_of_move(self, group: MinerGroup, move: Move) -> int:
        dwell = group.modes[group.mode_index[move.to_mode_id]].dwell_minutes * 60
        return max(1, _ceil(dwell / self.seconds), _ceil(move.seconds / self.seconds))

    def paths_of_cohort(self, group: MinerGroup, number: int) -> list[tuple[Machine, ...]]:
        """All paths of one machine of a cohort."""
        start = group.initial_cohorts[number]
        mode = group.mode_index[start.mode_id]
        dwell = group.modes[mode].dwell_minutes - start.minutes_since_move
        locked = max(0, _ceil(dwell * 60 / self.seconds), _ceil(start.seconds_until_settled / self.seconds))
        site = self.site_of[group.id]
        found: list[tuple[Machine, ...]] = []

        def walk(path: tuple[Machine, ...], last: Machine, free_from: int) -> None:
            t = len(path)
            if t == self.horizon.count:
                found.append(path)
                return
            stay = last._replace(age=last.age + 1)
            walk((*path, stay), stay, free_from)
            if t < free_from:
                return
            for a, move in enumerate(group.moves):
                if group.mode_index[move.from_mode_id] == last.mode:
                    moved = Machine(site, group.id, group.mode_index[move.to_mode_id], a, 0, -1)
                    walk((*path, moved), moved, t + self.lock_of_move(group, move))

        walk((), Machine(site, group.id, mode, -1, -1, number), locked)
        return found

    def fleets(self) -> list[tuple[tuple[Machine, ...], ...]]:
        """All joint paths: per interval, the sorted states. Identical machines are counted once."""
        parts = []
        count = 1
        for group in self.groups.values():
            for number, start in enumerate(group.initial_cohorts):
                paths = self.paths_of_cohort(group, number)
                count *= math.comb(len(paths) + start.count - 1, start.count)
                if count > self.most_paths:
                    raise NoPlanError(f"too large for brute force: more than {self.most_paths} joint paths")
                parts.append(list(itertools.combinations_with_replacement(paths, start.count)))
        fleets = []
        for choice in itertools.product(*parts):
            machines = [path for part in choice for path in part]
            fleet = tuple(tuple(sorted(states)) for states in zip(*machines, strict=True))
            if self.enough_off(fleet):
                fleets.append(fleet)
        return fleets

    def enough_off(self, fleet: tuple[tuple[Machine, ...], ...]) -> bool:
        for group in self.groups.values():
            if group.available_count is None:
                continue
            for t, states in enumerate(fleet):
                missing = group.machine_count - int(group.available_count[t])
                if sum(m.group == group.id and self.mode(m).kind is ModeKind.OFF for m in states) < missing:
                    return False
        return True

    def mode(self, machine: Machine) -> Mode:
        return self.groups[machine.group].modes[machine.mode]

    def way(self, machine: Machine) -> float:
        """Share of the interval that the machine is on its way."""
        return min(1.0, self.remaining(machine) / self.seconds)

    def remaining(self, machine: Machine) -> float:
        """Seconds of its move that are left at the start of the interval."""
        group = self.groups[machine.group]
        if machine.move >= 0:
            total = group.moves[machine.move].seconds
        else:
            total = group.initial_cohorts[machine.cohort].seconds_until_settled
        return max(0.0, total - machine.age * self.seconds)

    def power_w(self, machine: Machine) -> float:
        mode = self.mode(machine)
        way_w = mode.power_w
        if machine.move >= 0:
            given = self.groups[machine.group].moves[machine.move].power_w
            way_w = mode.power_w if given is None else given
        share = self.way(machine)
        return share * way_w + (1 - share) * mode.power_w

    def dwell_runs(self, machine: Machine) -> bool:
        elapsed = machine.age * self.seconds
        if machine.move < 0:
            elapsed += self.groups[machine.group].initial_cohorts[machine.cohort].minutes_since_move * 60
        return elapsed < self.mode(machine).dwell_minutes * 60 - EPS

    def starts(self, fleet: tuple[tuple[Machine, ...], ...]) -> dict[tuple[str, int], float]:
        """Planned starts by group and civil day."""
        found: Counter[tuple[str, int]] = Counter()
        for t, states in enumerate(fleet):
            for machine in states:
                if machine.move >= 0 and machine.age == 0:
                    group = self.groups[machine.group]
                    source = group.modes[group.mode_index[group.moves[machine.move].from_mode_id]]
                    if source.resting and not self.mode(machine).resting:
                        found[machine.group, int(self.horizon.civil_day[t])] += 1
        return dict(found)

    # ---- offers ----

    def picks_of_block(self, market: ReserveMarket, block: Block) -> list[Pick]:
        """Everything that may be submitted for a block."""
        if not market.takes_offers(block, self.horizon):
            return [()]
        room = self.most_kw(market)
        if block.max_kw is not None:
            room = min(room, block.max_kw - block.awarded_kw)
        product = market.product

        def levels(most: int) -> list[int]:
            return [0, *range(product.smallest_bid_kw, most + 1, product.step_kw)]

        if not block.bids:
            return [(("", kw),) for kw in levels(room)]
        per_bid = [[0, bid.max_kw] if bid.indivisible else levels(min(bid.max_kw, max(room, 0))) for bid in block.bids]
        picks = []
        for kws in itertools.product(*per_bid):
            taken = {bid.id for bid, kw in zip(block.bids, kws, strict=True) if kw}
            groups = [bid.exclusive_group for bid in block.bids if bid.id in taken and bid.exclusive_group]
            orphans = [bid for bid in block.bids if bid.id in taken and bid.parent_bid_id not in {"", *taken}]
            if sum(kws) <= max(room, 0) and len(set(groups)) == len(groups) and not orphans:
                picks.append(tuple((bid.id, kw) for bid, kw in zip(block.bids, kws, strict=True)))
        return picks

    def most_kw(self, market: ReserveMarket) -> int:
        """More than all machines together could ever be counted for."""
        total = 0.0
        for site in self.problem.sites_of(market):
            for group in site.assets:
                assert isinstance(group, MinerGroup)
                powers = [mode.power_w for mode in group.modes]
                total += group.machine_count * (max(powers) - min(powers)) / 1000
        return math.floor(total + EPS)

    def capacity(self, market: ReserveMarket, block: Block, pick: Pick) -> float:
        """Money for capacity: awards in full, offers with their chance."""
        hours = len(block.intervals(self.horizon)) * self.hours
        money = sum(award.price_per_mw_h * award.kw / 1000 * hours for award in block.awards)
        for id, kw in pick:
            bid = self.bid(block, id)
            price = bid.price_per_mw_h if bid and market.product.pricing is Pricing.AS_BID else block.price_per_mw_h
            if kw:
                assert price is not None
                money += (bid.acceptance_prob if bid else 1.0) * price * kw / 1000 * hours
        return money

    @staticmethod
    def bid(block: Block, id: str) -> Bid | None:
        return next((bid for bid in block.bids if bid.id == id), None)

    # ---- one interval ----

    def _value(
        self, t: int, states: tuple[Machine, ...], wanted: tuple[Pick | None, ...]
    ) -> tuple[float, float, tuple[tuple[str, float], ...]] | None:
        """Least missing MW hours, most money, expected starts by calls of an interval; None: impossible."""
        grid = [0.0] * len(self.problem.sites)
        money = 0.0
        for machine in states:
            group = self.groups[machine.group]
            grid[machine.site] += self.power_w(machine) / 1e6
            hash_ths = self.mode(machine).hashrate_ths * (1 - self.way(machine))
            money += hash_ths * group.mining(self.problem).income_per_ths_h[t] * self.hours
            if machine.move >= 0 and machine.age == 0:
                money -= group.moves[machine.move].wear_cost
        for site, mw in zip(self.problem.sites, grid, strict=True):
            if site.connection is not None:
                if mw > site.connection.import_limit_mw[t] + EPS or mw < -site.connection.export_limit_mw[t] - EPS:
                    return None
                money -= site.tariff.import_fee_per_mwh[t] * max(mw, 0.0) * self.hours
        settled = self.energy_money(t, grid)
        if settled is None:
            return None
        backed = self.back(t, states, grid, wanted)
        if backed is None:
            return None
        missing, earned, starts = backed
        return missing, money + settled + earned, starts

    def energy_money(self, t: int, grid: list[float]) -> float | None:
        """Energy and deviation; None where the deviation is too large."""
        money = 0.0
        seen: set[tuple[str, ...]] = set()
        for market in self.energies:
            ids = tuple(sorted(site.id for site in self.problem.sites_of(market)))
            if ids in seen:
                continue
            seen.add(ids)
            family = [
                other
                for other in self.energies
                if tuple(sorted(site.id for site in self.problem.sites_of(other))) == ids
            ]
            taken = sum(mw for site, mw in zip(self.problem.sites, grid, strict=True) if site.id in ids)
            cleared = [other for other in family if other.stage is Stage.CLEARED]
            position = sum(float(other.position_mw[t]) for other in cleared if other.position_mw is not None)
            for other in cleared:
                assert other.position_mw is not None
                money -= other.price_per_mwh[t] * other.position_mw[t] * self.hours
            opened = [other for other in family if other.stage is Stage.OPEN]
            if opened:
                money -= opened[0].price_per_mwh[t] * (taken - position) * self.hours
                continue
            (settles,) = [other for other in family if other.settles_deviation]
            assert settles.long_price_per_mwh is not None and settles.short_price_per_mwh is not None
            assert settles.max_deviation_mw is not None
            more = taken - position
            if abs(more) > settles.max_deviation_mw + EPS:
                return None
            price = settles.short_price_per_mwh[t] if more > 0 else settles.long_price_per_mwh[t]
            money -= price * more * self.hours
        return money

    def options(self, machine: Machine, t: int, wanted: tuple[Pick | None, ...]) -> list[Option]:
        """All that one machine could back in one interval."""
        if self.dwell_runs(machine):
            return []
        group = self.groups[machine.group]
        here = self.mode(machine)
        found = []
        for k, market in enumerate(self.reserves):
            if wanted[k] is None or self.problem.sites[machine.site] not in self.problem.sites_of(market):
                continue
            product = market.product
            most_seconds = product.full_activation_seconds
            for a, move in enumerate(group.moves):
                if group.mode_index[move.from_mode_id] != machine.mode:
                    continue
                target = group.mode_index[move.to_mode_id]
                there = group.modes[target]
                back = next(
                    (
                        other
                        for other in group.moves
                        if other.from_mode_id == move.to_mode_id and other.to_mode_id == move.from_mode_id
                    ),
                    None,
                )
                step_mw = abs(here.power_w - there.power_w) / 1e6
                direction = Direction.UP if there.power_w < here.power_w else Direction.DOWN
                if step_mw == 0 or direction not in product.direction.parts or (here.resting and there.resting):
                    continue
                if back is None or self.remaining(machine) + move.seconds > most_seconds + EPS:
                    continue
                counted = step_mw * group.delivery_frac
                slow_dwell = max(here.dwell_minutes, there.dwell_minutes) * 60
                if product.response is Response.SIGNAL:
                    if back.seconds > most_seconds + EPS or step_mw > product.max_step_mw + EPS:
                        continue
                    if slow_dwell > most_seconds + EPS:
                        if product.rotation_factor is None:
                            continue
                        counted /= product.rotation_factor
                else:
                    if there.dwell_minutes * 60 > product.shortest_call_minutes * 60 + most_seconds + EPS:
                        continue
                    rest = product.rest_minutes
                    if rest is not None and max(back.seconds, here.dwell_minutes * 60) > rest * 60 + EPS:
                        continue
                slow = max(slow_dwell, move.seconds, back.seconds)
                found.append(
                    Option(
                        group.id, k, direction, machine.mode, target, counted,
                        step_mw * group.delivery_frac, slow, most_seconds,
                    )
                )  # fmt: skip
                assert a >= 0
        return found

    def roles(self, options: list[Option]) -> list[tuple[Option, ...]]:
        """What one machine can take on: one option per direction at most, both only where the rule allows."""
        ups = [option for option in options if option.direction is Direction.UP]
        downs = [option for option in options if option.direction is Direction.DOWN]
        both = [
            (up, down)
            for up in ups
            for down in downs
            if max(up.slow, down.slow) <= min(up.full_activation_seconds, down.full_activation_seconds) + EPS
        ]
        paired = {option for pair in both for option in pair}
        return [*both, *((option,) for option in options if option not in paired)] or [()]

    def back(
        self, t: int, states: tuple[Machine, ...], grid: list[float], wanted: tuple[Pick | None, ...]
    ) -> tuple[float, float, tuple[tuple[str, float], ...]] | None:
        """Deals roles and MW: least missing, then most money, and the starts that the calls would use."""
        if all(pick is None for pick in wanted):
            return 0.0, 0.0, ()
        kinds: Counter[tuple[tuple[Option, ...], ...]] = Counter()
        for machine in self.ready(t, states):
            kinds[tuple(self.roles(self.options(machine, t, wanted)))] += 1
        deals = [
            list(itertools.combinations_with_replacement(roles, count))
            for roles, count in kinds.items()
            if roles != ((),)
        ]
        found = None
        tried: set[tuple[tuple[Option, int], ...]] = set()
        for deal in itertools.product(*deals):
            held = Counter(option for part in deal for role in part for option in role)
            key = tuple(sorted(held.items(), key=repr))
            if key in tried:
                continue
            tried.add(key)
            result = self.share_out(t, grid, wanted, held)
            if result is not None and (
                found is None or result[0] < found[0] - EPS or (result[0] < found[0] + EPS and result[1] > found[1])
            ):
                found = result
        return found

    def ready(self, t: int, states: tuple[Machine, ...]) -> list[Machine]:
        """Machines that may back something. Those not available are the ones in off that could back least."""
        ready = []
        for group in self.groups.values():
            mine = [machine for machine in states if machine.group == group.id]
            resting = [machine for machine in mine if self.mode(machine).kind is ModeKind.OFF]
            resting.sort(key=lambda machine: (self.dwell_runs(machine), self.remaining(machine)))
            missing = 0 if group.available_count is None else group.machine_count - int(group.available_count[t])
            ready += [machine for machine in mine if self.mode(machine).kind is not ModeKind.OFF]
            ready += resting[: len(resting) - missing]
        return ready

    def share_out(
        self, t: int, grid: list[float], wanted: tuple[Pick | None, ...], held: Counter[Option]
    ) -> tuple[float, float, tuple[tuple[str, float], ...]] | None:
        """A linear program: MW per option and tranche, and what is missing of each award."""
        costs: list[float] = []  # of money
        missing: list[float] = []
        names: list[tuple[Option, str]] = []
        most: list[float | None] = []
        rows: dict[tuple[object, ...], tuple[float, dict[int, float]]] = {}  # at most
        equal: dict[tuple[object, ...], tuple[float, dict[int, float]]] = {}
        starts: dict[int, tuple[str, float]] = {}
        for option, count in held.items():
            market = self.reserves[option.market]
            block = self.block_at(market, t)
            assert block is not None
            tranches = {"": 1.0} | {bid.id: bid.acceptance_prob for bid in block.bids if bid.acceptance_prob != 1}
            for tranche, chance in tranches.items():
                column = len(costs)
                names.append((option, tranche))
                unit, used = self.unit_money(t, market, option)
                costs.append(unit * chance)
                missing.append(0.0)
                most.append(None)
                starts[column] = (option.group, used * chance)
                site = self.problem.sites[self.site_of[option.group]]
                self.limit_rows(t, rows, column, site, grid[self.site_of[option.group]], market, option)
                rows.setdefault(("held", option), (count * option.mw, {}))[1][column] = 1.0
                equal.setdefault(("sold", option.market, option.direction, tranche), (0.0, {}))[1][column] = 1.0
        for k, market in enumerate(self.reserves):
            block, pick = self.block_at(market, t), wanted[k]
            if block is None or pick is None:
                continue
            sold = {"": float(block.awarded_kw)}
            for id, kw in pick:
                bid = self.bid(block, id)
                tranche = id if bid and bid.acceptance_prob != 1 else ""
                sold[tranche] = sold.get(tranche, 0.0) + kw
            shorts = []
            for award in block.awards:
                shorts.append(len(costs))
                costs.append(-award.penalty_per_mw_h * self.hours)
                missing.append(self.hours)
                most.append(award.kw / 1000)
            for direction in market.product.direction.parts:
                for tranche, kw in sold.items():
                    terms = equal.get(("sold", k, direction, tranche), (0.0, {}))[1]
                    if tranche == "":
                        terms = terms | dict.fromkeys(shorts, 1.0)
                    equal["sold", k, direction, tranche] = (kw / 1000, terms)
        if any(not terms and target > EPS for target, terms in equal.values()):
            return None
        for k, market in enumerate(self.reserves):  # saves the linear program where machines are too few
            for direction in market.product.direction.parts:
                sold = [row for (_, *key, _), row in equal.items() if key == [k, direction]]
                short = sum(most[column] or 0.0 for _, terms in sold for column in terms)
                ready = sum(n * o.mw for o, n in held.items() if (o.market, o.direction) == (k, direction))
                if sum(target for target, _ in sold) > ready + short + EPS:
                    return None
        solved = _lexicographic(costs, missing, most, list(rows.values()), [e for e in equal.values() if e[1]])
        if solved is None:
            return None
        gone, money, x = solved
        used: Counter[str] = Counter()
        for column, (group, per_mw) in starts.items():
            used[group] += per_mw * x[column]
        return gone, money, tuple(sorted((group, count) for group, count in used.items() if count > EPS))

    def limit_rows(
        self,
        t: int,
        rows: dict[tuple[object, ...], tuple[float, dict[int, float]]],
        column: int,
        site: Site,
        grid_mw: float,
        market: ReserveMarket,
        option: Option,
    ) -> None:
        """Connection, ramp and prequalification."""
        assert site.connection is not None
        up = option.direction is Direction.UP
        room = site.connection.export_limit_mw[t] + grid_mw if up else site.connection.import_limit_mw[t] - grid_mw
        if math.isfinite(room):
            rows.setdefault(("meter", site.id, up), (room, {}))[1][column] = 1.0
        ramp = site.connection.ramp_mw_per_minute
        if ramp is not None:
            for seconds in {other.product.full_activation_seconds for other in self.reserves}:
                if market.product.full_activation_seconds <= seconds:
                    rows.setdefault(("ramp", site.id, up, seconds), (ramp * seconds / 60, {}))[1][column] = 1.0
        group = self.groups[option.group]
        for number, entry in enumerate(group.prequalified):
            if entry.market_id == market.id and option.direction in entry.direction.parts:
                rows.setdefault(("prequalified", group.id, number, up), (entry.max_mw, {}))[1][column] = 1.0

    def unit_money(self, t: int, market: ReserveMarket, option: Option) -> tuple[float, float]:
        """Expected money of one MW held over the interval, and the starts that its calls use."""
        expected = market.activation.get(option.direction)
        group = self.groups[option.group]
        if market.product.energy_market_id:
            other = next(other for other in self.reserves if other.id == market.product.energy_market_id)
            expected = other.activation.get(option.direction)
        if expected is None:
            return 0.0, 0.0
        site = self.problem.sites[self.site_of[option.group]]
        share, calls = expected.expected_frac[t] * self.hours, expected.calls_per_hour[t] * self.hours
        income = group.mining(self.problem).income_per_ths_h[t]
        here, there = group.modes[option.source], group.modes[option.target]
        go = group.moves[group.move_index[option.source, option.target]]
        back = group.moves[group.move_index[option.target, option.source]]
        machines = 1 / option.nameplate_mw
        money = share * expected.price_per_mwh[t]
        money += share * machines * (there.hashrate_ths - here.hashrate_ths) * income
        lost = there.hashrate_ths * go.seconds / 3600 if not there.resting else 0.0
        lost += here.hashrate_ths * back.seconds / 3600 if not here.resting else 0.0
        money -= calls * machines * (lost * income + go.wear_cost + back.wear_cost)
        if site.tariff.fee_on_activated_energy:
            sign = 1 if option.direction is Direction.UP else -1
            money += sign * site.tariff.import_fee_per_mwh[t] * share
        return money, calls * machines if here.resting != there.resting else 0.0

    def block_at(self, market: ReserveMarket, t: int) -> Block | None:
        return next((block for block in market.blocks if t in block.intervals(self.horizon)), None)

    # ---- all together ----

    def run(self) -> Best:
        """Every set of offers against every joint path."""
        fleets = self.fleets()
        if not fleets:
            raise NoPlanError("no joint path keeps enough machines off")
        states = [sorted({fleet[t] for fleet in fleets}) for t in range(self.horizon.count)]
        where = [{state: i for i, state in enumerate(listed)} for listed in states]
        index = np.array([[where[t][fleet[t]] for fleet in fleets] for t in range(self.horizon.count)])
        planned = [self.starts(fleet) for fleet in fleets]
        blocks = [(k, block) for k, market in enumerate(self.reserves) for block in market.blocks]
        found: Best | None = None
        choices = [self.picks_of_block(self.reserves[k], block) for k, block in blocks]
        if math.prod(map(len, choices)) > self.most_offers:
            raise NoPlanError(f"too large for brute force: more than {self.most_offers} sets of offers")
        for picks in itertools.product(*choices):
            chosen = {(k, block.id): pick for (k, block), pick in zip(blocks, picks, strict=True)}
            capacity = sum(
                self.capacity(self.reserves[k], block, pick) for (k, block), pick in zip(blocks, picks, strict=True)
            )
            missing, money = np.zeros(len(fleets)), np.full(len(fleets), float(capacity))
            calls: list[list[dict[str, float]]] = []
            for t in range(self.horizon.count):
                wanted = tuple(self.wanted(k, t, chosen) for k in range(len(self.reserves)))
                values = [self.value(t, state, wanted) for state in states[t]]
                missing += np.array([np.inf if v is None else v[0] for v in values])[index[t]]
                money += np.array([-np.inf if v is None else v[1] for v in values])[index[t]]
                calls.append([{} if v is None else dict(v[2]) for v in values])
            fits = self.within_budget(planned, calls, index)
            missing[~fits] = np.inf
            least = missing.min()
            if not math.isfinite(least):
                continue
            most = money[missing < least + 1e-7].max()
            if (
                found is None
                or least < found.missing_mw_h - 1e-7
                or (least < found.missing_mw_h + 1e-7 and most > found.money)
            ):
                offers = {
                    f"{self.reserves[k].id}/{block.id}": sum(kw for _, kw in pick)
                    for (k, block), pick in zip(blocks, picks, strict=True)
                }
                found = Best(float(least), float(most), offers)
        if found is None:
            raise NoPlanError("no plan at all")
        return found

    def wanted(self, k: int, t: int, chosen: dict[tuple[int, str], Pick]) -> Pick | None:
        """What is to be backed of a market in an interval; None: nothing."""
        block = self.block_at(self.reserves[k], t)
        if block is None:
            return None
        pick = tuple((id, kw) for id, kw in chosen[k, block.id] if kw)
        return pick if pick or block.awards else None

    def within_budget(
        self,
        planned: list[dict[tuple[str, int], float]],
        calls: list[list[dict[str, float]]],
        index: np.ndarray,
    ) -> np.ndarray:
        """Whether planned starts and those by calls stay within each group's budget of each civil day.

        The starts by calls are those of the backing that earns most; where a group with a budget could be
        backed otherwise, this could be too strict, so keep such cases to one option.
        """
        fits = np.ones(index.shape[1], dtype=bool)
        for group in self.groups.values():
            if group.daily_start_budget_count is None:
                continue
            for day in sorted(set(self.horizon.civil_day.tolist())):
                used = np.array([starts.get((group.id, day), 0.0) for starts in planned])
                used += group.starts_used_today_count if day == 0 else 0
                for t in np.flatnonzero(self.horizon.civil_day == day):
                    used += np.array([by_group.get(group.id, 0.0) for by_group in calls[t]])[index[t]]
                fits &= used <= group.daily_start_budget_count + 1e-7
        return fits


def _lexicographic(
    money: list[float],
    missing: list[float],
    most: list[float | None],
    rows: list[tuple[float, dict[int, float]]],
    equal: list[tuple[float, dict[int, float]]],
) -> tuple[float, float, np.ndarray] | None:
    """Least missing, then most money; None where the rows cannot be met."""
    columns = len(money)
    if not columns:
        return 0.0, 0.0, np.zeros(0)

    def matrix(part: list[tuple[float, dict[int, float]]]) -> tuple[np.ndarray, np.ndarray]:
        table = np.zeros((len(part), columns))
        for r, (_, terms) in enumerate(part):
            for column, factor in terms.items():
                table[r, column] = factor
        return table, np.array([bound for bound, _ in part])

    upper, at_most = matrix(rows)
    if (at_most < 0).any():
        return None
    a_eq, b_eq = matrix(equal)
    bounds = [(0, limit) for limit in most]
    gone = 0.0
    if any(missing):
        first = linprog(missing, A_ub=upper, b_ub=at_most, A_eq=a_eq, b_eq=b_eq, bounds=bounds, method="highs")
        if first.status != 0:
            return None
        gone = float(first.fun)
        upper = np.vstack([upper, missing])
        at_most = np.append(at_most, gone + 1e-10)
    second = linprog(
        [-unit for unit in money],
        A_ub=upper,
        b_ub=at_most,
        A_eq=a_eq,
        b_eq=b_eq,
        bounds=bounds,
        method="highs",
    )
    if second.status != 0:
        return None
    return gone, float(-second.fun), second.x


def _ceil(number: float) -> int:
    return math.ceil(number - EPS)
