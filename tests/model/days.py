"""Another day for the same fleet: prices, hashprice, availability, awards and states anew, at random."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from scheduler.assets.battery import Battery
from scheduler.assets.boiler import Boiler
from scheduler.assets.firm_load import FirmLoad
from scheduler.assets.generator import Generator
from scheduler.assets.heat_demand import HeatDemand
from scheduler.assets.heat_store import HeatStore
from scheduler.assets.machine import Cohort
from scheduler.assets.miner_group import MinerGroup
from scheduler.assets.renewable import Renewable
from scheduler.markets.block import Award, Block
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.problem import Mining, Problem, Site


def another_day(problem: Problem, seed: int) -> Problem:
    """The same fleet, products and calendar on another day; it may be a day that nobody could plan."""
    day = _Day(problem, np.random.default_rng(seed))
    return replace(
        problem,
        mining=day.mining(),
        sites=tuple(day.site(site) for site in problem.sites),
        markets=tuple(CHANGES.get(type(market), _same)(day, market) for market in problem.markets),
    )


class _Day:
    def __init__(self, problem: Problem, random: np.random.Generator) -> None:
        self.problem, self.random = problem, random
        self.count = problem.horizon.count

    def prices(self) -> np.ndarray:
        """Below 0 too, and sometimes 0 throughout."""
        return self.random.normal(30, 60, self.count).round(2) * (self.random.random() > 0.1)

    def share(self) -> float:
        return round(float(self.random.random()), 3)

    def mining(self) -> Mining:
        return Mining(self.random.uniform(0, 90, self.count), 0.02 * self.share())

    def site(self, site: Site) -> Site:
        tariff = site.tariff
        if tariff.import_fee_per_mwh.any():
            tariff = replace(tariff, import_fee_per_mwh=self.random.uniform(1, 30, self.count))
        if tariff.peak_charge is not None:
            charge = replace(tariff.peak_charge, price_per_mw=90 * self.share(), reached_mw=4 * self.share())
            tariff = replace(tariff, peak_charge=charge)
        assets = tuple(CHANGES.get(type(asset), _same)(self, asset) for asset in site.assets)
        return replace(site, tariff=tariff, assets=assets)

    def group(self, group: MinerGroup) -> MinerGroup:
        mode = group.modes[int(self.random.integers(len(group.modes)))]
        settling = tuple(cohort for cohort in group.initial_cohorts if cohort.seconds_until_settled > 0)
        rest = group.machine_count - sum(cohort.count for cohort in settling)
        return replace(
            group,
            available_count=self.random.integers(0, group.machine_count, self.count),
            initial_cohorts=(*settling, *((Cohort(mode.id, rest, 90 * self.share()),) if rest else ())),
            starts_used_today_count=int(self.random.integers(0, (group.daily_start_budget_count or 0) + 1)),
            mining_override=None if self.random.random() < 0.5 else self.mining(),
        )

    def battery(self, battery: Battery) -> Battery:
        return replace(battery, initial_mwh=battery.capacity_mwh * self.share())

    def heat_store(self, store: HeatStore) -> HeatStore:
        return replace(store, initial_mwh=store.capacity_mwh * self.share())

    def generator(self, generator: Generator) -> Generator:
        runs = bool(self.random.random() < 0.5)
        return replace(generator, fuel_per_mwh=self.prices(), initially_running=runs, minutes_since_switch=40.0)

    def renewable(self, renewable: Renewable) -> Renewable:
        return replace(renewable, available_mw=self.random.uniform(0, 9, self.count))

    def firm_load(self, load: FirmLoad) -> FirmLoad:
        return replace(load, load_mw=self.random.uniform(0, 9, self.count) * (self.random.random(self.count) > 0.2))

    def heat_demand(self, demand: HeatDemand) -> HeatDemand:
        return replace(demand, price_per_mwh=self.prices())

    def boiler(self, boiler: Boiler) -> Boiler:
        return replace(boiler, fuel_per_mwh=self.prices())

    def energy(self, market: EnergyMarket) -> EnergyMarket:
        def anew(series: np.ndarray | None) -> np.ndarray | None:
            return None if series is None else self.prices()

        return replace(
            market,
            price_per_mwh=self.prices(),
            position_mw=anew(market.position_mw),
            long_price_per_mwh=anew(market.long_price_per_mwh),
            short_price_per_mwh=anew(market.short_price_per_mwh),
        )

    def reserve(self, market: ReserveMarket) -> ReserveMarket:
        activation = {key: replace(one, price_per_mwh=self.prices()) for key, one in market.activation.items()}
        return replace(
            market, activation=activation, blocks=tuple(self.block(market, block) for block in market.blocks)
        )

    def block(self, market: ReserveMarket, block: Block) -> Block:
        """As many awards as before, of other MW; where offers may bring the first, one more or none."""
        count = len(block.awards)
        if count <= 1 and market.takes_offers(block, self.problem.horizon) and not block.bids:
            count = int(self.random.integers(0, 2))
        awards = tuple(
            Award(f"won-{a}", int(self.random.integers(1, 3000)), 20 * self.share(), 90 * self.share())
            for a in range(count)
        )
        bids = tuple(replace(bid, price_per_mw_h=20 * self.share()) for bid in block.bids)
        price = None if block.price_per_mw_h is None else 20 * self.share()
        return replace(block, price_per_mw_h=price, awards=awards, bids=bids)


def _same(day: _Day, component: Any) -> Any:
    return component


CHANGES: dict[type, Callable[[_Day, Any], Any]] = {
    MinerGroup: _Day.group,
    Battery: _Day.battery,
    HeatStore: _Day.heat_store,
    Generator: _Day.generator,
    Renewable: _Day.renewable,
    FirmLoad: _Day.firm_load,
    HeatDemand: _Day.heat_demand,
    Boiler: _Day.boiler,
    EnergyMarket: _Day.energy,
    ReserveMarket: _Day.reserve,
}
