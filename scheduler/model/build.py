"""Everybody declares, then everybody constrains, then everybody prices; afterwards everybody extracts.

Order never matters. What is declared and constrained is the physics of a problem: the problem without what changes from
day to day. So nothing of a day can get into the rows, and they are good for every day (docs/decisions/0017).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scheduler.model.heat import close_heat
from scheduler.model.ledger import Ledger, Values
from scheduler.plan import Backing, CashStream, Plan, SitePlan, Stream
from scheduler.problem import Floats, Mining, Problem, Site


@dataclass(frozen=True, eq=False)
class Build:
    """A ledger that is complete, and what each component declared: assets, tariffs by site, markets."""

    problem: Problem
    ledger: Ledger
    assets: dict[str, Any] = field(default_factory=dict)
    tariffs: dict[str, Any] = field(default_factory=dict)
    markets: dict[str, Any] = field(default_factory=dict)


def build(problem: Problem) -> Build:
    """The model of a validated problem, exactly as formulated."""
    return with_day(declare(physics_of(problem)), problem)


def physics_of(problem: Problem) -> Problem:
    """A problem without what changes from day to day: all days of the same physics have the same variables and rows."""
    sites = tuple(
        replace(site, tariff=site.tariff.physics(), assets=tuple(asset.physics(problem) for asset in site.assets))
        for site in problem.sites
    )
    return replace(
        problem,
        currency_code="",
        mining=Mining(np.zeros(problem.horizon.count)),
        sites=sites,
        markets=tuple(market.physics(problem) for market in problem.markets),
    )


def declare(physics: Problem) -> Build:
    """Variables and rows of the physics of a problem; good for every problem of the same physics."""
    made = Build(physics, Ledger(physics))
    for site in physics.sites:
        made.ledger.owner = (site.id, "")
        if site.connection is not None:
            site.connection.declare(made.ledger, site)
        for asset in site.assets:
            made.ledger.owner = (site.id, asset.id)
            made.assets[asset.id] = asset.declare(made.ledger, site)
    made.ledger.owner = ("", "")
    for market in physics.markets:
        made.markets[market.id] = market.declare(made.ledger)
    for site in physics.sites:
        made.ledger.owner = (site.id, "")
        if site.connection is not None:
            site.connection.constrain(made.ledger, site)
        else:
            _close_island(made.ledger, site)
        close_heat(made.ledger, site)
        made.tariffs[site.id] = site.tariff.constrain(made.ledger, site)
        for asset in site.assets:
            made.ledger.owner = (site.id, asset.id)
            asset.constrain(made.ledger, site, made.assets[asset.id])
    made.ledger.owner = ("", "")
    for market in physics.markets:
        market.constrain(made.ledger, made.markets[market.id])
    made.ledger.structure.closed = True
    return made


def with_day(made: Build, problem: Problem) -> Build:
    """The same variables and rows with the money, bounds and sides of a problem that has the same physics."""
    ledger = made.ledger.for_day(problem)
    for site in problem.sites:
        site.tariff.price(ledger, site, made.tariffs[site.id])
        for asset in site.assets:
            asset.price(ledger, site, made.assets[asset.id])
    for market in problem.markets:
        market.price(ledger, made.markets[market.id])
    return replace(made, problem=problem, ledger=ledger)


def _close_island(ledger: Ledger, site: Site) -> None:
    """What an island makes is what it takes (formulation 4)."""
    ledger.rows(f"island[{site.id}]", ledger.injections[site.id], lower=0.0, upper=0.0)


def extract(made: Build, values: Values, objective: float = 0.0) -> Plan:
    """The plan that a solution describes."""
    backing: dict[str, list[Backing]] = {market.id: [] for market in made.problem.markets}
    sites = []
    for site in made.problem.sites:
        plans = []
        for asset in site.assets:
            own = made.assets[asset.id]
            plans.append(asset.extract(values, own))
            for market_id, entry in asset.extract_backing(values, own):
                backing[market_id].append(entry)
        grid_mw = np.sum([plan.power_mw for plan in plans], axis=0) if plans else np.zeros(made.ledger.intervals)
        sites.append(SitePlan(site.id, grid_mw, tuple(plans)))
    markets = []
    for market in made.problem.markets:
        plan = market.extract(values, made.markets[market.id])
        markets.append(replace(plan, backing=tuple(backing[market.id])))
    return Plan(tuple(sites), tuple(markets), cash_of(made.ledger, values), objective)


def cash_of(ledger: Ledger, values: Values) -> tuple[CashStream, ...]:
    """Money by stream and interval; streams that are zero throughout are left out."""
    amounts: dict[Stream, Floats] = {stream: amount.copy() for stream, amount in ledger.constants.items()}
    for earning in ledger.earnings:
        money = earning.coefficients * values(earning.variables)
        amounts[earning.stream] = amounts.get(earning.stream, np.zeros(ledger.intervals)) + money
    return tuple(CashStream(stream, amount) for stream, amount in amounts.items() if amount.any())
