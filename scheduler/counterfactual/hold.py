"""From a dispatch to a plan: money by the checker alone, awards held as far as the dispatch allows (formulation 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scheduler.assets.miner_group import MinerGroupVars
from scheduler.conflict.loads import loads_of
from scheduler.counterfactual.awards import hold_most
from scheduler.counterfactual.fleet import CannotRunError, Fleet, NoTimeError, markets_of, position_of
from scheduler.counterfactual.simulate import Dispatch
from scheduler.markets.block import KW_PER_MW, Award, Block
from scheduler.markets.energy import EnergyMarket, EnergyVars
from scheduler.markets.reserve import ReserveMarket, ReserveVars
from scheduler.model.build import Build, build, extract
from scheduler.model.compile import Matrix, collector_paused, compile_matrix
from scheduler.model.ledger import Values, Vars
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import search
from scheduler.plan import Backing, MarketPlan, Plan, Shortfall, SitePlan
from scheduler.problem import Counts, Floats, Problem, Stage
from scheduler.settings import SolveOptions

MISSING_MW = 1e-5
"""Less than that is the solver's rounding, not a shortfall to list."""


@dataclass(frozen=True, eq=False)
class Model:
    """The whole model of a problem, as it is planned or, for counterfactuals alone, without offers."""

    made: Build
    matrix: Matrix


def model_without_offers(problem: Problem) -> Model:
    """The model with every reserve market closed: only awards are left to hold."""
    markets = tuple(
        replace(market, stage=Stage.CLEARED) if isinstance(market, ReserveMarket) else market
        for market in problem.markets
    )
    with collector_paused():
        made = build(replace(problem, markets=markets))
        return Model(made, compile_matrix(made.ledger))


@dataclass(frozen=True, eq=False)
class _Known(Values):
    """Values of variables that are arrays of figures: what is known needs no solver."""

    def __call__(self, variables: Vars) -> Floats:
        return np.asarray(variables, dtype=float)


def plan_of(fleet: Fleet, dispatch: Dispatch) -> Plan:
    """The plan of a dispatch that holds no reserve, so that all awards are missing; without its money."""
    problem = fleet.problem
    known = _Known(problem, np.zeros(1))
    plans = {
        group.id: group.extract(known, _vars(dispatch, g, len(group.modes), len(group.moves)))
        for g, group in enumerate(fleet.groups)
    }
    sites = []
    for site in problem.sites:
        assets = tuple(plans[asset.id] for asset in site.assets)
        grid_mw = np.sum([plan.power_mw for plan in assets], axis=0) if assets else np.zeros(fleet.horizon.count)
        sites.append(SitePlan(site.id, grid_mw, assets))
    taken_mw = {site.site_id: site.grid_mw for site in sites}
    markets = tuple(_market_plan(problem, market, taken_mw, known) for market in problem.markets)
    return Plan(tuple(sites), markets, (), 0.0)


def _vars(dispatch: Dispatch, g: int, modes: int, moves: int) -> MinerGroupVars:
    return MinerGroupVars(dispatch.mode_count[g, :modes], dispatch.move_count[g, :moves])


def _market_plan(problem: Problem, market: object, taken_mw: dict[str, Floats], known: Values) -> MarketPlan:
    """What a market has of it: what was bought; of reserve, that all is missing."""
    count = problem.horizon.count
    if isinstance(market, EnergyMarket):
        if market.stage is Stage.CLEARED:
            return market.extract(known, EnergyVars())
        sites = problem.sites_of(market)
        together = np.sum([taken_mw[site.id] for site in sites], axis=0) if sites else np.zeros(count)
        fixed_mw = position_of(markets_of(problem, sites[0]), count) if sites else np.zeros(count)
        return market.extract(known, EnergyVars(bought_mw=together - fixed_mw))
    if isinstance(market, ReserveMarket):
        missing = {
            (block.id, a): _inside(block, award.kw / KW_PER_MW, problem)
            for block in market.blocks
            for a, award in enumerate(block.awards)
        }
        return market.extract(known, ReserveVars(missing))
    raise CannotRunError(f"a market of type {type(market).__name__} is not known to simple rules")


def _inside(block: Block, mw: float, problem: Problem) -> Floats:
    """[T] some MW in the intervals of a block."""
    found = np.zeros(problem.horizon.count)
    found[list(block.intervals(problem.horizon))] = mw
    return found


def has_awards(problem: Problem) -> bool:
    """Whether anything is won in the horizon."""
    return any(_won(problem, market).any() for market in problem.markets if isinstance(market, ReserveMarket))


def hold_awards(fleet: Fleet, dispatch: Dispatch, plan: Plan, model: Model, options: SolveOptions) -> Plan:
    """The plan with the awards backed: least missing, then most money, machines and offers fixed (formulation 1 and
    7)."""
    made, matrix = model.made, model.matrix
    fixed, x = _what_is_known(fleet, dispatch, model)
    found = hold_most(matrix, fixed, x, options)
    if found is None:
        raise NoTimeError("what its machines can hold of the awards was not found in time")
    values = matrix.values(found)
    backing: dict[str, list[Backing]] = {market.id: [] for market in fleet.problem.markets}
    for group in fleet.groups:
        for market_id, entry in group.extract_backing(values, made.assets[group.id]):
            backing[market_id].append(entry)
    markets = []
    for market, before in zip(fleet.problem.markets, plan.markets, strict=True):
        held = market.extract(values, made.markets[market.id]) if isinstance(market, ReserveMarket) else before
        markets.append(replace(held, backing=tuple(backing[market.id])))
    return replace(plan, markets=tuple(markets))


def plan_around(fleet: Fleet, dispatch: Dispatch, model: Model, options: SolveOptions) -> Plan:
    """The best plan with the machines of a dispatch and without offers: obligations first, then money.

    Raises CannotRunError where what stands beside the machines cannot be run around them.
    """
    matrix = model.matrix
    fixed, x = _what_is_known(fleet, dispatch, model)
    lower, upper = np.where(fixed, x, matrix.lower), np.where(fixed, x, matrix.upper)
    found = search(replace(matrix, lower=lower, upper=upper), options, plain)
    if found.x is None:
        if not found.infeasible:
            raise NoTimeError("no plan was found in time for what stands beside machines that are run by this rule")
        words = "no plan keeps within the limits for what stands beside them"
        raise CannotRunError(f"with its machines run by this rule, {words}")
    return extract(model.made, matrix.values(np.where(matrix.integer, np.rint(found.x), found.x)))


def _what_is_known(fleet: Fleet, dispatch: Dispatch, model: Model) -> tuple[NDArray[np.bool_], Floats]:
    """Columns that are fixed, and a solution with their values: machines, no offers, and nothing held where nothing is
    won."""
    made, matrix = model.made, model.matrix
    fixed, x = np.zeros(len(matrix.money), dtype=bool), np.zeros(len(matrix.money))
    for offer in matrix.ledger.offers:
        for variables in (offer.submitted, *(variables for _, variables in offer.terms_mw)):
            _fix(matrix, variables, np.zeros(variables.shape), fixed, x)
    won = {
        market.id: _won(fleet.problem, market) for market in fleet.problem.markets if isinstance(market, ReserveMarket)
    }
    for g, group in enumerate(fleet.groups):
        own: MinerGroupVars = made.assets[group.id]
        known = _vars(dispatch, g, len(group.modes), len(group.moves))
        _fix(matrix, own.count, known.count, fixed, x)
        _fix(matrix, own.move, known.move, fixed, x)
        for backed in own.backed:
            nothing = ~won[backed.option.demand.market_id]
            for variables in (backed.count, *(variables for _, variables in backed.held_mw)):
                _fix(matrix, variables[nothing], np.zeros(int(nothing.sum())), fixed, x)
    return fixed, x


def _won(problem: Problem, market: ReserveMarket) -> NDArray[np.bool_]:
    """[T] where a market has awards."""
    found = np.zeros(problem.horizon.count, dtype=bool)
    for block in market.blocks:
        if block.awarded_kw:
            found[list(block.intervals(problem.horizon))] = True
    return found


def _fix(matrix: Matrix, variables: Vars, figures: Counts | Floats, fixed: NDArray[np.bool_], x: Floats) -> None:
    columns = matrix.column_of[variables.ravel()]
    known = columns >= 0
    fixed[columns[known]] = True
    x[columns[known]] = figures.ravel()[known]


def shortfalls_of(problem: Problem, plan: Plan, name: str) -> tuple[Shortfall, ...]:
    """Firm loads that are not served and awards that are not held in full, by runs with the same MW missing."""
    found = list(_not_served(problem, plan, name))
    for m, (market, planned) in enumerate(zip(problem.markets, plan.markets, strict=True)):
        if not isinstance(market, ReserveMarket):
            continue
        for b, (block, block_plan) in enumerate(zip(market.blocks, planned.blocks, strict=True)):
            for a, award in enumerate(block.awards):
                missing_mw = block_plan.missing_mw.get(award.id)
                if missing_mw is not None:
                    at = f"problem.markets[{m}].{market.kind}.blocks[{b}].awards[{a}]"
                    found += list(_runs(problem, market, block, award, missing_mw, at, name))
    return tuple(found)


def _not_served(problem: Problem, plan: Plan, name: str) -> Iterator[Shortfall]:
    for load in loads_of(problem, plan):
        for start, end, mw in _levels(load.missing_mw):
            ids = (load.site_id, load.asset.id)
            reason = f"as {name} has them, {mw:.3f} MW are not served"
            yield Shortfall("", "", "", start, end, mw, 0.0, load.field, reason, *ids)


def _runs(
    problem: Problem, market: ReserveMarket, block: Block, award: Award, missing_mw: Floats, at: str, name: str
) -> Iterator[Shortfall]:
    for start, end, mw in _levels(missing_mw):
        cost = mw * award.penalty_per_mw_h * (end - start) * problem.horizon.step_hours
        won_mw = award.kw / KW_PER_MW
        reason = f"as {name} has them, the machines hold {max(0.0, won_mw - mw):.3f} of {won_mw:.3f} MW"
        yield Shortfall(market.id, block.id, award.id, start, end, mw, cost, at, reason)


def _levels(missing_mw: Floats) -> Iterator[tuple[int, int, float]]:
    """Runs of intervals with the same MW missing: first, the one after the last, and the MW."""
    ends = [t for t in range(1, len(missing_mw)) if abs(missing_mw[t] - missing_mw[t - 1]) > MISSING_MW]
    for start, end in zip([0, *ends], [*ends, len(missing_mw)], strict=True):
        mw = float(missing_mw[start:end].mean())
        if mw > MISSING_MW:
            yield start, end, mw
