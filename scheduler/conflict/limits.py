"""What can stand in the way of obligations: each limit with its field, what to do about it, and the problem without it.

An asset says itself what of it could be lifted (`HasLimits`); where that takes more than a field, `limits_of` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from scheduler.assets.battery import Battery
from scheduler.assets.boiler import Boiler
from scheduler.assets.firm_load import FirmLoad
from scheduler.assets.generator import Generator
from scheduler.assets.machine import Cohort, Prequalification
from scheduler.assets.miner_group import MinerGroup
from scheduler.assets.renewable import Renewable
from scheduler.horizon import Horizon
from scheduler.markets.energy import EnergyMarket
from scheduler.problem import Floats, Problem, Site

if TYPE_CHECKING:
    from scheduler.model.build import Build
    from scheduler.model.ledger import Vars

W_PER_MW = 1e6
LONG_AGO_MINUTES = 1e9
MOST_START_MODES = 4

Lift = Callable[[Problem], Problem]
Bounded = tuple[float, "Vars", Floats]
"""Sign, variables [T] and limit [T]: sign * variable <= limit."""


@dataclass(frozen=True, eq=False)
class Limit:
    """One limit of the request."""

    kind: str  # limits of one kind are tried together before they are told apart
    field: str  # path on the wire
    advice: str  # what to do: the reason reads "<advice>: 6.0 of 8.0 MW h"
    lift: Lift  # the problem without it
    bounded: Callable[[Build], list[Bounded]] | None = None  # MW that it bounds in the model of the lifted problem
    market_id: str = ""
    block_id: str = ""
    award_id: str = ""
    site_id: str = ""


@runtime_checkable
class HasLimits(Protocol):
    """An asset each of whose limits is one field."""

    kind: ClassVar[str]

    def limits_to_lift(self, more_mw: float) -> Iterator[tuple[str, str, Any]]:
        """Field, what to do about it, and a value that is none; ``more_mw``: more than its site can ever need."""


def lifted(problem: Problem, limits: Iterable[Limit]) -> Problem:
    """The problem without these limits."""
    for limit in limits:
        problem = limit.lift(problem)
    return problem


def by_kind(limits: Iterable[Limit]) -> dict[str, list[Limit]]:
    """Limits by their kind, in their order."""
    kinds: dict[str, list[Limit]] = defaultdict(list)
    for limit in limits:
        kinds[limit.kind].append(limit)
    return dict(kinds)


def limits_of(problem: Problem) -> list[Limit]:
    """Every limit of a problem that could be lifted, awards apart."""
    found: list[Limit] = []
    for s, site in enumerate(problem.sites):
        found += _connection_limits(site, s)
        for a, asset in enumerate(site.assets):
            if isinstance(asset, MinerGroup):
                found += _group_limits(asset, problem.horizon, site.id, s, a)
            elif isinstance(asset, Renewable):
                found += _renewable_limits(asset, site, s, a)
            elif isinstance(asset, Generator):
                found += _generator_limits(asset, site, s, a)
            elif isinstance(asset, Battery):
                found += _battery_limits(asset, site, problem.horizon, s, a)
            elif isinstance(asset, HasLimits):
                found += _own_limits(asset, site, s, a)
    for m, market in enumerate(problem.markets):
        if isinstance(market, EnergyMarket) and market.settles_deviation:
            found.append(_deviation_limit(problem, market, m))
    return found


def start_modes(problem: Problem) -> list[Limit]:
    """Other modes in which the machines of a group could have been at the start, free to move."""
    found = []
    for s, site in enumerate(problem.sites):
        for a, group in enumerate(site.assets):
            if not isinstance(group, MinerGroup):
                continue
            ranked = sorted(group.modes, key=lambda mode: mode.power_w)
            ranks = range(len(ranked)) if len(ranked) <= MOST_START_MODES else (0, len(ranked) - 1)
            field = f"problem.sites[{s}].assets[{a}].{group.kind}.initial_cohorts"
            for rank in ranks:
                start = (Cohort(ranked[rank].id, group.machine_count, LONG_AGO_MINUTES),)
                advice = f"have the machines of {group.id!r} in {ranked[rank].id!r} before the start, see {field}"
                lift = partial(_with_asset, s=s, a=a, initial_cohorts=start)
                kind = f"start in mode {rank}"
                found.append(Limit(kind, field, advice, lift, site_id=site.id))
    return found


def _connection_limits(site: Site, s: int) -> Iterator[Limit]:
    connection, at = site.connection, f"problem.sites[{s}].connection"
    if connection is None:
        return
    for name, sign in (("import_limit_mw", 1.0), ("export_limit_mw", -1.0)):
        limit_mw = getattr(connection, name)
        if np.isfinite(limit_mw).any():
            yield Limit(
                name,
                f"{at}.{name}",
                f"raise {at}.{name}",
                partial(_with_connection, s=s, **{name: np.full_like(limit_mw, np.inf)}),
                partial(_grid, site.id, sign, limit_mw),
                site_id=site.id,
            )
    if connection.ramp_mw_per_minute is not None:
        field = f"{at}.ramp_mw_per_minute"
        lift = partial(_with_connection, s=s, ramp_mw_per_minute=None)
        yield Limit("ramp", field, f"raise {field}", lift, site_id=site.id)


def _grid(site_id: str, sign: float, limit_mw: Floats, made: Build) -> list[Bounded]:
    return [(sign, made.ledger.grid_mw[site_id], limit_mw)]


def _group_limits(group: MinerGroup, horizon: Horizon, site_id: str, s: int, a: int) -> Iterator[Limit]:
    at = f"problem.sites[{s}].assets[{a}].{group.kind}"

    def limit(kind: str, name: str, advice: str, market_id: str = "", **changes: Any) -> Limit:
        lift = partial(_with_asset, s=s, a=a, **changes)
        return Limit(kind, f"{at}.{name}", f"{advice} {at}.{name}", lift, market_id=market_id, site_id=site_id)

    if group.available_count is not None and (group.available_count < group.machine_count).any():
        yield limit("availability", "available_count", "have more machines available, raise", available_count=None)
    if group.daily_start_budget_count is not None:
        yield limit("starts", "daily_start_budget_count", "raise", daily_start_budget_count=None)
    for p, entry in enumerate(group.prequalified):
        lift = partial(_with_prequalification, s=s, a=a, p=p)
        field = f"{at}.prequalified[{p}].max_mw"
        advice = f"prequalify more, raise {field}"
        yield Limit("prequalified", field, advice, lift, market_id=entry.market_id, site_id=site_id)
    locked = _locked(group, horizon)
    if locked:
        free = tuple(
            replace(c, minutes_since_move=LONG_AGO_MINUTES, seconds_until_settled=0.0) for c in group.initial_cohorts
        )
        advice = f"wait until the machines of {group.id!r} may move again ({locked}), or mend"
        yield limit("locks at the start", "initial_cohorts", advice, initial_cohorts=free)


def _renewable_limits(asset: Renewable, site: Site, s: int, a: int) -> Iterator[Limit]:
    at = f"problem.sites[{s}].assets[{a}].{asset.kind}"
    most_mw = asset.available_mw + _needed_mw(site)
    lift = partial(_with_asset, s=s, a=a, available_mw=most_mw, curtailable=True)
    advice = f"have more power of {asset.id!r}, raise {at}.available_mw"

    def made(made: Build) -> list[Bounded]:
        return [(1.0, made.assets[asset.id], asset.available_mw)]

    yield Limit("available power", f"{at}.available_mw", advice, lift, made, site_id=site.id)
    if not asset.curtailable:
        lift = partial(_with_asset, s=s, a=a, curtailable=True)
        advice = f"let {asset.id!r} be curtailed, see {at}.curtailable"
        yield Limit("curtailable", f"{at}.curtailable", advice, lift, site_id=site.id)


def _battery_limits(battery: Battery, site: Site, horizon: Horizon, s: int, a: int) -> Iterator[Limit]:
    """Lifted to what all that is at its site can take throughout."""
    at = f"problem.sites[{s}].assets[{a}].{battery.kind}"
    more_mw = _needed_mw(site)
    more_mwh = more_mw * horizon.count * horizon.step_hours / battery.discharge_frac

    def limit(name: str, advice: str, **changes: Any) -> Limit:
        lift = partial(_with_asset, s=s, a=a, **changes)
        return Limit(f"battery {name}", f"{at}.{name}", f"{advice} {at}.{name}", lift, site_id=site.id)

    if battery.initial_mwh < battery.capacity_mwh:
        advice = f"have more stored in {battery.id!r} at the start, raise"
        yield limit("initial_mwh", advice, initial_mwh=battery.capacity_mwh)
    if battery.end_mwh:
        yield limit("end_mwh", f"let {battery.id!r} end with less, lower", end_mwh=0.0)
    yield limit("discharge_mw", "raise", discharge_mw=battery.discharge_mw + more_mw)
    yield limit("charge_mw", "raise", charge_mw=battery.charge_mw + more_mw)
    yield limit("capacity_mwh", "raise", capacity_mwh=battery.capacity_mwh + more_mwh)
    yield from _prequalified_limits(battery.prequalified, at, site, s, a)


def _generator_limits(generator: Generator, site: Site, s: int, a: int) -> Iterator[Limit]:
    at = f"problem.sites[{s}].assets[{a}].{generator.kind}"

    def limit(name: str, advice: str, **changes: Any) -> Limit:
        lift = partial(_with_asset, s=s, a=a, **changes)
        return Limit(f"generator {name}", f"{at}.{name}", f"{advice} {at}.{name}", lift, site_id=site.id)

    more_mw = generator.max_mw + _needed_mw(site)
    if generator.available_mw is not None and (generator.available_mw < generator.max_mw).any():
        yield limit("available_mw", "raise", available_mw=None)
    yield limit("max_mw", "raise", max_mw=more_mw, available_mw=None)
    if generator.min_mw:
        yield limit("min_mw", "lower", min_mw=0.0)
    for name in ("min_run_minutes", "min_rest_minutes"):
        if getattr(generator, name):
            yield limit(name, "lower", **{name: 0.0})
    yield from _prequalified_limits(generator.prequalified, at, site, s, a)


def _own_limits(asset: HasLimits, site: Site, s: int, a: int) -> Iterator[Limit]:
    """What an asset says of itself."""
    at = f"problem.sites[{s}].assets[{a}].{asset.kind}"
    for name, advice, value in asset.limits_to_lift(_needed_mw(site)):
        lift = partial(_with_asset, s=s, a=a, **{name: value})
        yield Limit(f"{asset.kind} {name}", f"{at}.{name}", f"{advice} {at}.{name}", lift, site_id=site.id)


def _prequalified_limits(entries: Iterable[Prequalification], at: str, site: Site, s: int, a: int) -> Iterator[Limit]:
    for p, entry in enumerate(entries):
        field = f"{at}.prequalified[{p}].max_mw"
        lift = partial(_with_prequalification, s=s, a=a, p=p)
        advice = f"prequalify more, raise {field}"
        yield Limit("prequalified", field, advice, lift, market_id=entry.market_id, site_id=site.id)


def _needed_mw(site: Site) -> float:
    """What all that is at a site can ever take."""
    groups = (asset for asset in site.assets if isinstance(asset, MinerGroup))
    most_mw = sum(g.machine_count * max(mode.power_w for mode in g.modes) for g in groups) / W_PER_MW
    most_mw += sum(float(asset.load_mw.max()) for asset in site.assets if isinstance(asset, FirmLoad))
    most_mw += sum(asset.charge_mw for asset in site.assets if isinstance(asset, Battery))
    boilers = (asset for asset in site.assets if isinstance(asset, Boiler))
    return most_mw + sum(asset.max_mw * max(1.0, asset.power_per_heat_mw) for asset in boilers)


def _locked(group: MinerGroup, horizon: Horizon) -> str:
    """Which machines cannot move at the start, and until when."""
    locks = [(cohort, group.initial_lock(cohort, horizon.step_minutes)) for cohort in group.initial_cohorts]
    return ", ".join(
        f"{cohort.count} in {cohort.mode_id!r} until {horizon.boundary_utc(lock):%Y-%m-%d %H:%M}Z"
        for cohort, lock in locks
        if lock and cohort.count
    )


def _deviation_limit(problem: Problem, market: EnergyMarket, m: int) -> Limit:
    """Lifted to what its sites and its positions can ever come to, so that the model's rows stay of their size."""
    most_mw = 1.0
    for other in problem.markets:
        if isinstance(other, EnergyMarket) and other.position_mw is not None:
            most_mw += float(np.abs(other.position_mw).max())
    for site in problem.sites_of(market):
        most_mw += _needed_mw(site)
        most_mw += sum(float(asset.available_mw.max()) for asset in site.assets if isinstance(asset, Renewable))
        most_mw += sum(asset.discharge_mw for asset in site.assets if isinstance(asset, Battery))
        most_mw += sum(asset.max_mw for asset in site.assets if isinstance(asset, Generator))
    limit_mw = market.max_deviation_mw or 0.0

    def deviation(made: Build) -> list[Bounded]:
        own = made.markets[market.id]
        if own.short_mw is None:
            return []
        limits = np.full(made.ledger.intervals, limit_mw)
        return [(1.0, own.short_mw, limits), (1.0, own.long_mw, limits)]

    field = f"problem.markets[{m}].{market.kind}.max_deviation_mw"
    lift = partial(_with_market, m=m, max_deviation_mw=limit_mw + most_mw)
    return Limit("max_deviation_mw", field, f"raise {field}", lift, deviation, market_id=market.id)


def _with_connection(problem: Problem, *, s: int, **changes: Any) -> Problem:
    connection = problem.sites[s].connection
    assert connection is not None
    return _with_site(problem, s, connection=replace(connection, **changes))


def _with_prequalification(problem: Problem, *, s: int, a: int, p: int) -> Problem:
    """Caps keep their places, so that several can be lifted one after the other."""
    asset: Any = problem.sites[s].assets[a]
    caps = tuple(replace(c, max_mw=np.inf) if i == p else c for i, c in enumerate(asset.prequalified))
    return _with_asset(problem, s=s, a=a, prequalified=caps)


def _with_asset(problem: Problem, *, s: int, a: int, **changes: Any) -> Problem:
    asset: Any = problem.sites[s].assets[a]
    assets = tuple(replace(asset, **changes) if i == a else other for i, other in enumerate(problem.sites[s].assets))
    return _with_site(problem, s, assets=assets)


def _with_site(problem: Problem, s: int, **changes: Any) -> Problem:
    return replace(
        problem,
        sites=tuple(replace(site, **changes) if i == s else site for i, site in enumerate(problem.sites)),
    )


def _with_market(problem: Problem, *, m: int, **changes: Any) -> Problem:
    market: Any = problem.markets[m]
    markets = tuple(replace(market, **changes) if i == m else other for i, other in enumerate(problem.markets))
    return replace(problem, markets=markets)
