"""The hashprice at which mining earns no more than resting (docs/decisions/0016).

With machines and offers in parts, the most money f(h) at h times today's hashprice is the largest of many lines, and so
is r(h), the most money while no more is mined than obligations need. From a hashprice at which mining gains something,
the next to look at is where the best plan there would gain nothing (Newton's method; of a ratio: Dinkelbach 1967),
until none gains. Without flexibility there is nothing to optimise: it is what machines cost over what they earn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.assets.backing import W_PER_MW
from scheduler.assets.heat_demand import HeatDemand
from scheduler.assets.miner_group import MinerGroup
from scheduler.counterfactual.fleet import price_at
from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.repricing import Money, parts_of_money
from scheduler.model.solve import Outcome, Solver
from scheduler.plan import CashKind
from scheduler.problem import Floats, Problem, Site
from scheduler.resilience import MOST_FACTOR, BreakEven, Without

LEAST_GAIN = 1e-8
"""Of the money, where that is more than a cent: gaining less is the solver's arithmetic."""
LEAST_MONEY = 0.01
MOST_STEPS_COUNT = 60
MINED_ROOM = 1e-7
"""How much more than the least may be mined at rest, as a share of all that could be, for the solver's arithmetic."""


def break_evens(matrix: Matrix, clock: Clock) -> Iterator[BreakEven]:
    """The stack first, then every group; each with nothing left out, then without reserve, heat, flexibility.

    ``matrix`` holds obligations as well as they can be. Fewer where the time ends.
    """
    problem = matrix.ledger.problem
    groups = [asset for site in problem.sites for asset in site.assets if isinstance(asset, MinerGroup)]
    if not groups:
        return
    mining = {"": problem.mining, **{group.id: group.mining(problem) for group in groups}}
    for asset_id, own in mining.items():
        today = float(own.hashprice_per_ph_day.mean())
        try:
            choice = _Choice(matrix, asset_id, clock)
            for without in Without:
                if without is Without.FLEXIBILITY:
                    factor = _fixed(problem, [group for group in groups if asset_id in ("", group.id)])
                else:
                    factor = choice.break_even(without)
                yield BreakEven(asset_id, without, None if factor is None else factor * today, today)
        except SolverError:  # the time is over, or the solver failed: no curve is lost for their sake
            return


@dataclass(frozen=True)
class _Line:
    """Money of a plan with hashes for nothing, and what it gains with each times today's hashprice."""

    at_zero: float
    rise: float

    def at(self, factor: float) -> float:
        return self.at_zero + factor * self.rise


class _Choice:
    """To mine or not: a group by itself, or all of them. The others mine what obligations need, and no more."""

    def __init__(self, matrix: Matrix, asset_id: str, clock: Clock) -> None:
        self._matrix, self._clock = matrix, clock
        parts = parts_of_money(matrix, lambda stream: (stream.kind, stream.asset_id))
        nothing = Money(np.zeros(len(matrix.money)), 0.0)

        def together(chosen: Callable[[CashKind, str], bool]) -> Money:
            return sum((money for key, money in parts.items() if chosen(*key)), nothing)

        self._hash = together(lambda kind, _: kind in HASH)
        self._heat = together(lambda kind, _: kind is CashKind.HEAT)
        self._else = together(lambda kind, _: kind is not CashKind.HEAT and kind not in HASH)
        self._free, self._resting = (Solver(matrix, relaxed=True) for _ in range(2))
        others = together(lambda kind, id_: kind is CashKind.BTC and asset_id not in ("", id_))
        own = together(lambda kind, id_: kind is CashKind.BTC and asset_id in ("", id_))
        for mined, solvers in ((others, (self._free, self._resting)), (own, (self._resting,))):
            if mined.costs.any():
                self._mine_least(mined.costs, solvers)

    def _mine_least(self, costs: Floats, solvers: Sequence[Solver]) -> None:
        """What was mined in all of the solvers alike is no more from now on than obligations need."""
        solvers[0].set_costs(-costs, maximise=True)
        least = -self._solved(solvers[0])[1]
        most = float(np.maximum(costs, 0.0) @ np.where(np.isfinite(self._matrix.upper), self._matrix.upper, 0.0))
        columns = np.flatnonzero(costs)
        for solver in solvers:
            solver.add_row(columns, costs[columns], upper=least + MINED_ROOM * most)

    def break_even(self, without: Without) -> float | None:
        """Times today's hashprice; None where mining gains nothing at any that is looked at."""
        self._offer(without is not Without.RESERVE)
        base = self._else if without is Without.HEAT else self._else + self._heat
        factor = 1.0
        while self._gain(base, factor) is None:
            factor *= 2
            if factor > MOST_FACTOR:
                return None
        for _ in range(MOST_STEPS_COUNT):
            lines = self._gain(base, factor)
            if lines is None:
                return factor
            mines, rests = lines
            if mines.rise <= rests.rise:  # it gains by other things than hashes
                return 0.0
            lower = max(0.0, (rests.at_zero - mines.at_zero) / (mines.rise - rests.rise))
            if not factor or factor - lower <= 1e-9 * factor:
                return lower
            factor = lower
        return factor

    def _offer(self, may: bool) -> None:
        """Lets offers be made, or not."""
        at = self._matrix.offers
        upper = self._matrix.upper[at] if may else np.zeros(len(at))
        for solver in (self._free, self._resting):
            solver.set_bounds(at, self._matrix.lower[at], upper)

    def _gain(self, base: Money, factor: float) -> tuple[_Line, _Line] | None:
        """The best that mines and the best that rests at a hashprice; None where mining gains nothing."""
        money = base + self._hash.times(factor)
        lines = []
        for solver in (self._free, self._resting):
            solver.set_costs(money.costs, money.constant, maximise=True)
            x, _ = self._solved(solver)
            lines.append(_Line(base.of(x), self._hash.of(x)))
        mines, rests = lines
        least = max(LEAST_MONEY, LEAST_GAIN * abs(mines.at(factor)))
        return None if mines.at(factor) - rests.at(factor) <= least else (mines, rests)

    def _solved(self, solver: Solver) -> tuple[Floats, float]:
        """Raises SolverError where the time is over."""
        result = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=self._clock.left_seconds)
        if result.outcome is not Outcome.OPTIMAL or result.x is None or result.objective is None:
            raise SolverError("a break-even was not found in time")
        return result.x, result.objective


HASH = (CashKind.BTC, CashKind.ACTIVATION_MINING)
"""Money that is in proportion to the hashprice."""


def _fixed(problem: Problem, groups: Sequence[MinerGroup]) -> float | None:
    """Times today's hashprice at which groups earn what they cost, each always running in its cheapest mode.

    Energy costs its price in the site's market and fees, whoever makes it; an island pays its cheapest fuel (as the
    simple rules of counterfactuals do). Heat is sold as far as it is wanted.
    """
    cost = income = 0.0
    hours = problem.horizon.step_hours
    for site in problem.sites:
        heat_mw = np.zeros(problem.horizon.count)
        price = price_at(problem, site) + site.tariff.import_fee_per_mwh
        for group in (asset for asset in site.assets if isinstance(asset, MinerGroup)):
            if group not in groups:
                continue
            available = np.full(len(price), group.machine_count)
            available = available if group.available_count is None else group.available_count
            hashed = float(available @ group.mining(problem).income_per_ths_h) * hours
            modes = [mode for mode in group.modes if mode.hashrate_ths > 0]
            if not modes or hashed <= 0:
                continue
            best = min(modes, key=lambda mode: mode.power_w / mode.hashrate_ths)
            mw = available * best.power_w / W_PER_MW
            cost += float(mw @ price) * hours
            income += best.hashrate_ths * hashed
            heat_mw = heat_mw + group.heat_frac * mw
        cost -= _heat_money(site, heat_mw) * hours
    return max(0.0, cost / income) if income > 0 else None


def _heat_money(site: Site, heat_mw: Floats) -> float:
    """What those who want heat pay per hour for it, summed over intervals; the best payers first."""
    money, left = 0.0, heat_mw
    demands = [asset for asset in site.assets if isinstance(asset, HeatDemand)]
    for demand in sorted(demands, key=lambda demand: -float(demand.price_per_mwh.mean())):
        sold = np.where(demand.price_per_mwh > 0, np.minimum(left, demand.demand_mw), 0.0)
        money += float(sold @ demand.price_per_mwh)
        left = left - sold
    return money
