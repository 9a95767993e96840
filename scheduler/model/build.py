"""Everybody declares, then everybody constrains; afterwards everybody extracts. Order never matters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scheduler.model.heat import close_heat
from scheduler.model.ledger import Ledger, Values
from scheduler.plan import Backing, CashStream, Plan, SitePlan, Stream
from scheduler.problem import Floats, Problem, Site


@dataclass(frozen=True, eq=False)
class Build:
    """A ledger that is complete, and what each component declared."""

    problem: Problem
    ledger: Ledger
    assets: dict[str, Any] = field(default_factory=dict)
    markets: dict[str, Any] = field(default_factory=dict)


def build(problem: Problem) -> Build:
    """The model of a validated problem, exactly as formulated."""
    made = Build(problem, Ledger(problem))
    for site in problem.sites:
        made.ledger.owner = (site.id, "")
        if site.connection is not None:
            site.connection.declare(made.ledger, site)
        for asset in site.assets:
            made.ledger.owner = (site.id, asset.id)
            made.assets[asset.id] = asset.declare(made.ledger, site)
    made.ledger.owner = ("", "")
    for market in problem.markets:
        made.markets[market.id] = market.declare(made.ledger)
    for site in problem.sites:
        made.ledger.owner = (site.id, "")
        if site.connection is not None:
            site.connection.constrain(made.ledger, site)
        else:
            _close_island(made.ledger, site)
        close_heat(made.ledger, site)
        site.tariff.constrain(made.ledger, site)
        for asset in site.assets:
            made.ledger.owner = (site.id, asset.id)
            asset.constrain(made.ledger, site, made.assets[asset.id])
    made.ledger.owner = ("", "")
    for market in problem.markets:
        market.constrain(made.ledger, made.markets[market.id])
    return made


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
