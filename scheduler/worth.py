"""What energy is worth to the assets of a plan: what a desk bids for it, and what a call of reserve costs (facts E).

Two prices, and they differ. Energy that is bought before delivery is worth what it earns less the fees on its import
(E1, E2). A delivered MWh of reserve costs what the machines that move earn less or more, with the fee only where the
tariff puts it on activated energy, with what calls cost in wear and lost hashing spread over the energy expected of
them, and with the hash of the MWh that the meter does not show (E6; formulation 3, delivery_frac).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from scheduler.assets.battery import Battery
from scheduler.assets.generator import Generator
from scheduler.assets.machine import Mode
from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.errors import SchedulerError
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import Activation, ReserveMarket
from scheduler.model.component import AssetComponent
from scheduler.plan import Backing, Plan
from scheduler.problem import Counts, Direction, Floats, Problem, Site, Stage

W_PER_MW = 1e6


@dataclass(frozen=True, eq=False)
class Use:
    """MW that an asset would take, up to a price: machines that leave one mode for the next better paid one."""

    site_id: str
    asset_id: str
    from_mode_id: str
    to_mode_id: str
    mw: Floats  # [T]
    price_per_mwh: Floats  # [T] highest price of energy at which it pays, fees deducted where it is imported


@dataclass(frozen=True, eq=False)
class Demand:
    """What a market's sites would take at any price, and up to which price they would take more."""

    fixed_mw: Floats  # [T]
    uses: tuple[Use, ...]

    def mw_at(self, price_per_mwh: float) -> Floats:
        """[T] MW taken at a price; a use is taken at its own price."""
        mw = self.fixed_mw.copy()
        for use in self.uses:
            mw += np.where(use.price_per_mwh >= price_per_mwh, use.mw, 0.0)
        return mw


def demand_of(problem: Problem, plan: Plan, market: EnergyMarket, without: frozenset[str] = frozenset()) -> Demand:
    """What the sites of an open energy market would take, MW [T], less what they have bought in cleared ones.

    Machines behind the reserve that the plan sells stay in their modes at any price, so that what is sold can be held
    however the market clears; the others are free to follow the price. A price moves machines as if moves took no time
    and no wear: what starts do cost belongs in block bids, and for groups named in ``without``, those that are bid in
    blocks, the step from rest is left out. Assets that are no groups of miners take what the plan says; what a site
    would feed in otherwise is used without the fee on import, by those first that pay most.
    Raises SchedulerError for a market that is not open.
    """
    if market.stage is not Stage.OPEN:
        raise SchedulerError(f"market {market.id!r} is cleared: nothing is bid for it")
    fixed = np.zeros(problem.horizon.count)
    uses: list[Use] = []
    own_sites = problem.site_ids_of(market)
    for site, site_plan in zip(problem.sites, plan.sites, strict=True):
        if site.id not in own_sites:
            continue
        site_fixed, site_uses = np.zeros(problem.horizon.count), []
        for asset, asset_plan in zip(site.assets, site_plan.assets, strict=True):
            if isinstance(asset, MinerGroup) and isinstance(asset_plan, MinerGroupPlan):
                least_mw, more = _group_demand(problem, site, asset, held_count(plan, asset, asset_plan))
                site_fixed += least_mw
                resting = {mode.id for mode in asset.modes if mode.resting}
                site_uses += [use for use in more if asset.id not in without or use.from_mode_id not in resting]
            else:
                site_fixed += asset_plan.power_mw
        least_mw, more = _metered(site, site_fixed, site_uses, _held_mw(plan, site))
        fixed += least_mw
        uses += more
    for other in problem.markets:
        if isinstance(other, EnergyMarket) and other.position_mw is not None:
            fixed -= other.position_mw if problem.site_ids_of(other) == own_sites else 0.0
    return Demand(fixed, tuple(uses))


def held_count(plan: Plan, group: MinerGroup, group_plan: MinerGroupPlan) -> Counts:
    """[modes, T] machines that stay in each mode of the plan, for they are behind reserve that it sells.

    One that may back both directions is counted in both: too many are held rather than too few.
    """
    held = np.zeros_like(group_plan.mode_count)
    for market in plan.markets:
        for backing in market.backing:
            if backing.asset_id == group.id:
                held[group.mode_index[backing.from_mode_id]] += backing.machine_count
    return np.minimum(held, group_plan.mode_count)


def frontier(group: MinerGroup) -> list[Mode]:
    """The modes in which machines run at some price of energy, by rising power: the upper hull of hash over power.

    Of the modes that the machines can get to from where they start.
    """
    within = _reachable(group)
    best: dict[float, Mode] = {}
    for mode in group.modes:
        known = best.get(mode.power_w)
        if mode.id in within and (known is None or mode.hashrate_ths > known.hashrate_ths):
            best[mode.power_w] = mode
    hull: list[Mode] = []
    for _, mode in sorted(best.items()):
        while len(hull) > 1 and _ths_per_w(hull[-2], hull[-1]) <= _ths_per_w(hull[-1], mode):
            hull.pop()
        hull.append(mode)
    return hull


def call_cost_per_mwh(problem: Problem, site: Site, market: ReserveMarket, backing: Backing) -> Floats:
    """[T] what a delivered MWh costs, by backing: the lowest price to receive for it, in either direction.

    Up: hash lost, fuel, or what was stored, less the fee saved. Down: the fee paid, less what is gained of these: minus
    it is the highest price to pay. What is stored counts by its value at the end of the horizon: see
    `is_worth_stated`. Raises SchedulerError for an asset whose calls this does not know.
    """
    asset = next(asset for asset in site.assets if asset.id == backing.asset_id)
    is_up = backing.direction is Direction.UP
    if isinstance(asset, MinerGroup):
        cost = _miner_cost(problem, asset, _activation(problem, market, backing.direction), backing)
    elif isinstance(asset, Generator):
        cost = asset.fuel_per_mwh if is_up else -asset.fuel_per_mwh
    elif isinstance(asset, Battery):
        stored = asset.end_value_per_mwh
        per_mwh = stored / asset.discharge_frac + asset.wear_per_mwh if is_up else -stored * asset.charge_frac
        cost = np.full(problem.horizon.count, per_mwh)
    else:
        raise SchedulerError(f"asset {backing.asset_id!r}: what its calls cost is not known")
    if site.tariff.fee_on_activated_energy:
        cost = cost - (1 if is_up else -1) * site.tariff.import_fee_per_mwh
    return np.asarray(cost, dtype=np.float64)


def is_worth_stated(asset: AssetComponent) -> bool:
    """Whether the cost of its calls is all that they cost: what a battery must fill up again has no stated value."""
    return not (isinstance(asset, Battery) and asset.end_mwh is not None)


def asset_of(site: Site, asset_id: str) -> AssetComponent:
    """The asset of that id."""
    return next(asset for asset in site.assets if asset.id == asset_id)


def site_of_asset(problem: Problem, asset_id: str) -> Site:
    """The site behind whose meter an asset stands."""
    return next(site for site in problem.sites if any(asset.id == asset_id for asset in site.assets))


def _miner_cost(problem: Problem, group: MinerGroup, expected: Activation | None, backing: Backing) -> Floats:
    """Hash that the move loses, and what expected calls wear and lose on the way, over the energy expected of them."""
    here, there = (group.modes[group.mode_index[name]] for name in (backing.from_mode_id, backing.to_mode_id))
    moves = {(move.from_mode_id, move.to_mode_id): move for move in group.moves}
    move, back = moves[here.id, there.id], moves[there.id, here.id]
    machine_mw = abs(here.power_w - there.power_w) / W_PER_MW * group.delivery_frac
    income_per_ths_h = group.mining(problem).income_per_ths_h
    cost = (here.hashrate_ths - there.hashrate_ths) * income_per_ths_h / machine_mw
    if expected is None:
        return cost
    lost_ths_h = (there.hashrate_ths * move.seconds + here.hashrate_ths * back.seconds) / 3600
    per_call = (move.wear_cost + back.wear_cost + lost_ths_h * income_per_ths_h) / machine_mw
    calls_per_mwh = np.divide(  # calls of which no energy is expected leave nothing to spread their cost over
        expected.calls_per_hour,
        expected.expected_frac,
        out=np.zeros(problem.horizon.count),
        where=expected.expected_frac > 0,
    )
    return cost + calls_per_mwh * per_call


def _activation(problem: Problem, market: ReserveMarket, direction: Direction) -> Activation | None:
    """What is expected of its calls, or of those of the energy product that its MW also serve."""
    for other in problem.markets:
        if isinstance(other, ReserveMarket) and other.id == market.product.energy_market_id:
            return other.activation.get(direction)
    return market.activation.get(direction)


def _reachable(group: MinerGroup) -> set[str]:
    within = {cohort.mode_id for cohort in group.initial_cohorts}
    for _ in group.modes:
        within |= {move.to_mode_id for move in group.moves if move.from_mode_id in within}
    return within


def _ths_per_w(low: Mode, high: Mode) -> float:
    return (high.hashrate_ths - low.hashrate_ths) / (high.power_w - low.power_w)


def _group_demand(problem: Problem, site: Site, group: MinerGroup, held: Counts) -> tuple[Floats, list[Use]]:
    """What the machines of a group take at any price, and what free ones would take more, by mode; no fee deducted."""
    absent = group.least_count(problem.horizon.count)
    free = np.maximum(0, group.machine_count - absent.sum(axis=0) - held.sum(axis=0))
    modes = frontier(group)
    power_mw = np.array([mode.power_w for mode in group.modes]) / W_PER_MW
    fixed = power_mw @ (absent + held) + free * modes[0].power_w / W_PER_MW
    income_per_ths_h = group.mining(problem).income_per_ths_h
    uses = []
    for low, high in pairwise(modes):
        price = _ths_per_w(low, high) * W_PER_MW * income_per_ths_h
        mw = free * (high.power_w - low.power_w) / W_PER_MW
        uses.append(Use(site.id, group.id, low.id, high.id, mw, price))
    return fixed, uses


def _held_mw(plan: Plan, site: Site) -> dict[Direction, Floats | float]:
    """[T] MW of export that calls up may take on top, and of import that calls down may."""
    assets = {asset.id for asset in site.assets}
    backings = [one for market in plan.markets for one in market.backing if one.asset_id in assets]
    return {
        d: sum((one.mw for one in backings if one.direction is d), np.float64(0.0)) for d in Direction.SYMMETRIC.parts
    }


def _metered(
    site: Site, fixed_mw: Floats, uses: list[Use], held_mw: dict[Direction, Floats | float]
) -> tuple[Floats, list[Use]]:
    """What the meter shows at any price, and the uses that it shows on top, the best paid first.

    Import and export keep within their limits, with room for calls: what cannot be fed in is used, or left, at any
    price. The fee comes off the price of what is imported; what only makes the site feed in less bears none.
    """
    assert site.connection is not None, "a site without a connection is in no energy market"
    most_mw = np.maximum(fixed_mw, site.connection.import_limit_mw - held_mw[Direction.DOWN])
    least_mw = np.maximum(fixed_mw, held_mw[Direction.UP] - site.connection.export_limit_mw)
    better = np.zeros((len(uses), len(fixed_mw)))
    for i, use in enumerate(uses):
        for j, other in enumerate(uses):
            first = (other.price_per_mwh > use.price_per_mwh) | ((other.price_per_mwh == use.price_per_mwh) & (j < i))
            better[i] += np.where(first, other.mw, 0.0)
    metered = []
    for use, before in zip(uses, better, strict=True):
        start, end = (np.clip(fixed_mw + mw, least_mw, most_mw) for mw in (before, before + use.mw))
        own_mw = np.minimum(end, 0.0) - np.minimum(start, 0.0)
        if own_mw.any():
            metered.append(replace(use, mw=own_mw))
        price = use.price_per_mwh - site.tariff.import_fee_per_mwh
        metered.append(replace(use, mw=end - start - own_mw, price_per_mwh=price))
    return least_mw, metered
