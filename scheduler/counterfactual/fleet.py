"""All groups of a problem as arrays, and the limits that they share.

G groups, M modes of the largest group (the others are padded with modes that nobody is in), T intervals. Groups stand
in the order of the problem, so those of a site are neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scheduler.assets.backing import W_PER_MW
from scheduler.assets.generator import Generator
from scheduler.assets.heat_demand import HeatDemand
from scheduler.assets.miner_group import MinerGroup
from scheduler.counterfactual.ways import Ways
from scheduler.markets.energy import EnergyMarket
from scheduler.problem import Counts, Floats, Problem, Site, Stage

Flags = NDArray[np.bool_]
NO_BUDGET = 2**40


class CannotRunError(Exception):
    """A rule cannot be run on a problem; the message says why."""


class NoTimeError(CannotRunError):
    """With more time it might be."""


@dataclass(frozen=True, eq=False)
class Family:
    """Sites whose energy is all cleared: together they may take ``lower_mw`` to ``upper_mw`` (formulation 6)."""

    site_ids: frozenset[str]
    lower_mw: Floats  # [T]
    upper_mw: Floats  # [T]


class Fleet:
    """What a rule needs to know of a problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.horizon = problem.horizon
        groups = {site.id: [each for each in site.assets if isinstance(each, MinerGroup)] for site in problem.sites}
        self.sites = tuple(site for site in problem.sites if groups[site.id])
        self.groups = tuple(group for site in self.sites for group in groups[site.id])
        if not self.groups:
            raise CannotRunError("there are no groups of miners")
        self.site_of = np.repeat(np.arange(len(self.sites)), [len(groups[site.id]) for site in self.sites])
        self.has_others = any(len(site.assets) > len(groups[site.id]) for site in problem.sites)
        self.ways = tuple(Ways(group, self.horizon) for group in self.groups)
        self.modes = max(len(group.modes) for group in self.groups)
        self.moves = max(len(group.moves) for group in self.groups)

    def _by_mode(self, value: str) -> Floats:
        """[G, M] a figure of each mode, 0 where there is none."""
        found = np.zeros((len(self.groups), self.modes))
        for g, group in enumerate(self.groups):
            found[g, : len(group.modes)] = [getattr(mode, value) for mode in group.modes]
        return found

    def _where(self, *, resting: bool) -> Flags:
        """[G, M] modes that rest, or those that do not; never the padding."""
        found = np.zeros((len(self.groups), self.modes), dtype=bool)
        for g, group in enumerate(self.groups):
            found[g, : len(group.modes)] = [mode.resting == resting for mode in group.modes]
        return found

    @cached_property
    def power_mw(self) -> Floats:
        """[G, M] of one machine."""
        return self._by_mode("power_w") / W_PER_MW

    @cached_property
    def hashrate_ths(self) -> Floats:
        """[G, M] of one machine."""
        return self._by_mode("hashrate_ths")

    @cached_property
    def mining(self) -> Flags:
        """[G, M]"""
        return self._where(resting=False)

    @cached_property
    def resting(self) -> Flags:
        """[G, M]"""
        return self._where(resting=True)

    @cached_property
    def reach(self) -> Flags:
        """[G, M, M] whether a machine can get from one mode to another; from each to itself, always."""
        return self._closure(starts=True)

    @cached_property
    def reach_resting(self) -> Flags:
        """The same without ever starting."""
        return self._closure(starts=False)

    def _closure(self, *, starts: bool) -> Flags:
        found = np.zeros((len(self.groups), self.modes, self.modes), dtype=bool)
        found[:] = np.eye(self.modes, dtype=bool)
        for g, ways in enumerate(self.ways):
            for a, ends in enumerate(zip(ways.source, ways.target, strict=True)):
                found[(g, *ends)] |= starts or not ways.is_start[a]
        length = 1
        while length < self.modes:
            found |= found @ found
            length *= 2
        return found

    @cached_property
    def income_per_ths_h(self) -> Floats:
        """[G, T]"""
        return np.stack([group.mining(self.problem).income_per_ths_h for group in self.groups])

    @cached_property
    def price_per_mwh(self) -> Floats:
        """[G, T] what a rule takes for the price of energy: fees included, less what the heat of a MWh is sold for."""
        by_site = [price_at(self.problem, site) + site.tariff.import_fee_per_mwh for site in self.sites]
        of_heat = np.stack([heat_price_at(site, self.horizon.count) for site in self.sites])[self.site_of]
        recovered = np.array([group.heat_frac for group in self.groups])
        return np.stack(by_site)[self.site_of] - recovered[:, None] * of_heat

    @cached_property
    def available(self) -> Floats:
        """[G, T] machines that need not be off; inf: all, always."""
        found = np.full((len(self.groups), self.horizon.count), np.inf)
        for g, group in enumerate(self.groups):
            if group.available_count is not None and (group.available_count < group.machine_count).any():
                found[g] = group.available_count
        return found

    def starts_left(self) -> Counts:
        """[G, days] starts that the budgets leave."""
        found = np.full((len(self.groups), int(self.horizon.civil_day[-1]) + 1), NO_BUDGET, dtype=np.int64)
        for g, group in enumerate(self.groups):
            if group.daily_start_budget_count is not None:
                found[g] = group.daily_start_budget_count
                found[g, 0] -= group.starts_used_today_count
        return found

    @cached_property
    def import_limit_mw(self) -> Floats:
        """[sites, T] for machines: what a site may import, with what else it surely makes, less what it must serve."""
        none = np.zeros(self.horizon.count)
        limits = [none if site.connection is None else site.connection.import_limit_mw for site in self.sites]
        made = [made_at(site, self.horizon.count)[1] for site in self.sites]
        return np.maximum(0.0, np.stack(limits) + np.stack(made))

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Sites that only have cleared energy."""
        found = {}
        for site in self.sites:
            markets = markets_of(self.problem, site)
            settling = next((market for market in markets if market.settles_deviation), None)
            if settling is None or any(market.stage is Stage.OPEN for market in markets):
                continue
            position_mw = position_of(markets, self.horizon.count)
            most_mw = settling.max_deviation_mw or 0.0
            ids = self.problem.site_ids_of(settling)
            made = [made_at(other, self.horizon.count) for other in self.problem.sites if other.id in ids]
            least_made, most_made = np.sum(made, axis=0)
            found[ids] = Family(ids, position_mw - most_mw + least_made, position_mw + most_mw + most_made)
        return tuple(found.values())


def made_at(site: Site, count: int) -> tuple[Floats, Floats]:
    """[T] least and most that what is not a machine makes at a site, below 0: takes; storage is not counted on."""
    least, most = np.zeros(count), np.zeros(count)
    for asset in site.assets:
        if not isinstance(asset, MinerGroup):
            one = asset.makes_mw(count)
            least, most = least + one[0], most + one[1]
    return least, most


def heat_price_at(site: Site, count: int) -> Floats:
    """[T] what the best of those who want heat then pays for it; 0 where nobody does."""
    prices = [
        np.where(asset.demand_mw > 0, asset.price_per_mwh, 0.0)
        for asset in site.assets
        if isinstance(asset, HeatDemand)
    ]
    return np.max(prices, axis=0) if prices else np.zeros(count)


def markets_of(problem: Problem, site: Site) -> list[EnergyMarket]:
    """The energy markets of a site."""
    markets = [market for market in problem.markets if isinstance(market, EnergyMarket)]
    return [market for market in markets if site.id in problem.site_ids_of(market)]


def position_of(markets: list[EnergyMarket], count: int) -> Floats:
    """[T] sum of the cleared positions."""
    fixed = [
        market.position_mw for market in markets if market.stage is Stage.CLEARED and market.position_mw is not None
    ]
    return np.sum(fixed, axis=0) if fixed else np.zeros(count)


def price_at(problem: Problem, site: Site) -> Floats:
    """[T] the price in the open market of a site; if none is open, in the cleared one that settles deviations; on an
    island the cheapest fuel, 0 where nothing burns any.

    With all cleared, the price that the desk has seen is the cleared one: long and short prices only settle what a rule
    does to it.
    """
    markets = markets_of(problem, site)
    for market in sorted(markets, key=lambda market: (market.stage is Stage.CLEARED, not market.settles_deviation)):
        return market.price_per_mwh
    fuels = [asset.fuel_per_mwh for asset in site.assets if isinstance(asset, Generator)]
    return np.min(fuels, axis=0) if fuels else np.zeros(problem.horizon.count)
