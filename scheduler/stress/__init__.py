"""Resilience: profit against hashprice, power price and reserve price, and break-even hashprices.

problem -> build and compile once -> plan of today -> curves (curve.py) -> audited points; break-evens (breakeven.py)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scheduler import check
from scheduler.errors import AuditError, InvalidRequestError, SolverError
from scheduler.incumbents import sound_bound
from scheduler.ladder import with_ladders
from scheduler.model.build import Build, extract
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, collector_paused, compile_matrix
from scheduler.model.kept import KEPT
from scheduler.model.repricing import Money, Repricing, holding
from scheduler.model.strategy.fast import fast
from scheduler.model.strategy.search import SHORTFALL_PRECISION_MW_H, search
from scheduler.plan import CashKind, CashStream, Plan
from scheduler.problem import Floats, Problem
from scheduler.resilience import Axis, Resilience, StressCurve, StressOptions, StressPoint, Without
from scheduler.settings import SolveOptions
from scheduler.stress.breakeven import break_evens
from scheduler.stress.curve import SHARE_OF_GAP, Envelope, Place, prove_points
from scheduler.stress.prices import money_of_axes, price_today, repriced

SHARE_FOR_TODAY = 0.3
"""Of the time limit, what the plan of today may take."""
SHARE_FOR_BREAK_EVENS = 0.2
"""Of the time limit, what is kept for break-evens."""
SHARE_OF_PROFIT = 0.25
"""Of today's profit: where a point has less, its gap is measured against so much."""
MONEY_NOISE = 1e-6
"""By how much, relative to the money, the checker's own sum may differ from the solver's, beyond a cent."""


def stress(
    problem: Problem,
    options: SolveOptions | None = None,
    how: StressOptions | None = None,
    tell: Callable[[str], None] = lambda phase: None,
) -> Resilience:
    """How a problem holds up when prices change, within about the time limit of ``options``.

    A point is proven to the gap of ``how``, of its profit or of a quarter of today's: near a profit of zero no share
    of it could be told from the solver's arithmetic.

    ``tell`` is told of phases: validate, build, solve, the axes, break-even. Raises InvalidRequestError for a malformed
    problem and AuditError where a plan fails the checker.
    """
    started = time.monotonic()
    options, how = options or SolveOptions(), how or StressOptions()
    tell("validate")
    violations = (*problem.violations(), *options.violations(), *how.violations())
    if violations:
        raise InvalidRequestError(violations)
    clock = Clock(options.time_limit_seconds)
    tell("build")
    with collector_paused():
        made = KEPT.build(problem)
        matrix = compile_matrix(made.ledger)
    tell("solve")
    seconds = SHARE_FOR_TODAY * options.time_limit_seconds
    today = search(matrix, replace(options, rel_gap=SHARE_OF_GAP * how.rel_gap, time_limit_seconds=seconds), fast)
    if today.x is None:
        words = "no plan meets its limits" if today.infeasible else "none was found within the time"
        reason = f"there is no plan for today's prices, {words}: plan the request by itself to see more"
        return Resilience(problem, rel_gap=how.rel_gap, complete=False, no_plan_reason=reason)
    missing = float(today.x[matrix.shortfall].sum()) * made.ledger.hours
    least_gap = how.rel_gap * SHARE_OF_PROFIT * abs(float(matrix.money @ today.x) + matrix.constant)
    points = replace(options, rel_gap=how.rel_gap, abs_gap=max(options.abs_gap, least_gap))
    solves = replace(points, rel_gap=SHARE_OF_GAP * points.rel_gap, abs_gap=SHARE_OF_GAP * points.abs_gap)
    known = Repricing(matrix, today.x, solves)
    audit = _Audit(made, matrix, known, points)
    axes = {axis: rise for axis, rise in money_of_axes(matrix).items() if axis in how.axes}
    curves = []
    for i, (axis, rise) in enumerate(axes.items()):
        tell(axis.value)
        left = clock.left_seconds - SHARE_FOR_BREAK_EVENS * options.time_limit_seconds
        base = Money(matrix.money, matrix.constant) + rise.times(-1.0)
        envelope = Envelope(known, base, rise)
        if today.bound is not None:
            envelope.prove(1.0, today.bound)
        before = (len(known.plans), known.solves_count)
        places = prove_points(known, envelope, _factors(axis, how), points, Clock(left / (len(axes) - i)))
        found, solved = len(known.plans) - before[0], known.solves_count - before[1]
        curves.append(StressCurve(axis, price_today(problem, axis), audit.points(axis, places), found, solved))
    tell("break-even")
    may_ask = how.break_evens and clock.left_seconds > 0
    even = tuple(break_evens(holding(matrix, today.x), clock)) if may_ask else ()
    groups_count = sum(asset.kind == "miner_group" for site in problem.sites for asset in site.assets)
    return Resilience(
        problem,
        tuple(curves),
        even,
        how.rel_gap,
        wall_seconds=time.monotonic() - started,
        complete=all(point.proven for curve in curves for point in curve.points)
        and (len(even) == len(Without) * (groups_count + 1) * bool(groups_count) or not how.break_evens),
        obligations_missing=missing > SHORTFALL_PRECISION_MW_H,
    )


def _factors(axis: Axis, how: StressOptions) -> list[float]:
    """Today's hashprice to none of it; other prices from none to as much as is asked for. Rising."""
    most = {Axis.HASHPRICE: 1.0, Axis.POWER: how.power_to, Axis.RESERVE: how.reserve_to}[axis]
    return [most * i / (how.points_count - 1) for i in range(how.points_count)]


@dataclass(frozen=True, eq=False)
class _Audit:
    """Makes points of what a solver says, with the checker's own money at their prices."""

    made: Build
    matrix: Matrix
    known: Repricing
    options: SolveOptions

    def points(self, axis: Axis, places: Sequence[Place]) -> tuple[StressPoint, ...]:
        """Audited points. Raises AuditError, and SolverError where the checker's money is other than the solver's."""
        plans: dict[int, Plan] = {}
        found = []
        for place in places:
            problem = repriced(self.made.problem, axis, place.factor)
            if place.plan not in plans:
                plans[place.plan] = self._plan(self.known.plans[place.plan])
                self._check(problem, plans[place.plan])
            plan = plans[place.plan]
            cash = check.money(problem, plan)
            profit = sum((stream.total for stream in cash), 0.0)
            if abs(profit - place.money) > 0.01 + MONEY_NOISE * max(abs(profit), _gross(cash)):
                words = f"{axis.value} times {place.factor}: the checker finds {profit}, the solver {place.money}"
                raise SolverError(words)
            found.append(self._point(place, plan, cash, profit))
        return tuple(found)

    def _plan(self, x: Floats) -> Plan:
        return extract(self.made, self.matrix.values(np.where(self.matrix.integer, np.rint(x), x)))

    def _check(self, problem: Problem, plan: Plan) -> None:
        """All that does not depend on prices is checked at the first price that a plan is best at, and so its money."""
        cash = check.money(problem, plan)
        objective = sum((stream.total for stream in cash), 0.0)
        plan = with_ladders(problem, replace(plan, cash=cash, objective=objective))
        violations = check.audit(problem, plan).violations
        if violations:
            raise AuditError(violations)

    def _point(self, place: Place, plan: Plan, cash: Sequence[CashStream], profit: float) -> StressPoint:
        hours = self.made.ledger.hours
        bound = sound_bound(place.bound if np.isfinite(place.bound) else None, profit)
        allowed = max(self.options.abs_gap, self.options.rel_gap * abs(profit))
        hashed = [getattr(asset, "hashrate_ths", None) for site in plan.sites for asset in site.assets]
        by_kind = {kind: sum((s.total for s in cash if s.stream.kind is kind), 0.0) for kind in CashKind}
        return StressPoint(
            place.factor,
            profit,
            bound,
            bound is not None and bound - profit <= allowed,
            place.plan,
            mined_ph_days=sum((float(ths.sum()) for ths in hashed if ths is not None), 0.0) * hours / 24 / 1000,
            grid_mwh=sum((float(site.grid_mw.sum()) for site in plan.sites), 0.0) * hours,
            cash=tuple((kind, money) for kind, money in by_kind.items() if money),
        )


def _gross(cash: Sequence[CashStream]) -> float:
    """Money of all streams without signs."""
    return sum((abs(stream.total) for stream in cash), 0.0)
