"""Solutions on the way to the best: each becomes an audited schedule, or nothing is said of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from scheduler import check
from scheduler.errors import SolverError
from scheduler.plan import Plan, Schedule, Shortfall, Solve, StopReason
from scheduler.problem import Floats, Problem
from scheduler.settings import SolveOptions

SHARE_OF_TIME = 0.1
"""Of the time since the solve began, what auditing and telling may take."""
NOISE = 1e-4
"""By how much, relative to the money, a bound may lie below a plan through the solver's arithmetic."""
LEAST_BETTER = 1e-9
"""By how much, relative to the money, a plan must be better to be told."""
UNEXPLAINED = "the time ended before causes and a way out could be worked out: raise time_limit_seconds"


class Incumbents:
    """Is told solutions, and tells audited schedules, each better than the one before."""

    def __init__(
        self,
        problem: Problem,
        options: SolveOptions,
        plan_of: Callable[[Floats], Plan],
        tell: Callable[[Schedule], None],
        started: float,
    ) -> None:
        """``plan_of`` extracts the plan of a solution; ``started``: when the work on the problem began."""
        self.latest: Schedule | None = None
        self._problem = problem
        self._options = options
        self._plan_of = plan_of
        self._tell = tell
        self._started = started
        self._solve_began = time.monotonic()
        self._spent_seconds = 0.0
        self._last_seconds = 0.0

    def __call__(self, x: Floats, objective: float, bound: float | None) -> bool:
        """Tells of a solution if it is better. True: it came too soon after another, and is not looked at."""
        if not self._is_better(objective):
            return False
        began = time.monotonic()
        if self._spent_seconds + self._last_seconds > SHARE_OF_TIME * (began - self._solve_began):
            return True
        schedule = self._audited(x, bound)
        if schedule is not None and self._is_better(schedule.solve.objective):
            self.latest = schedule
            self._tell(schedule)
        self._last_seconds = time.monotonic() - began
        self._spent_seconds += self._last_seconds
        return False

    def _is_better(self, objective: float | None) -> bool:
        best = None if self.latest is None else self.latest.solve.objective
        if best is None or objective is None:
            return objective is not None
        return objective > best + LEAST_BETTER * max(1.0, abs(best))

    def _audited(self, x: Floats, bound: float | None) -> Schedule | None:
        """The schedule of a solution; None where the solver's tolerances show in it."""
        plan = self._plan_of(x)
        plan = replace(plan, objective=sum((stream.total for stream in plan.cash), 0.0))
        report = check.audit(self._problem, plan)
        if report.violations:
            return None
        plan = replace(plan, objective=float(report.objective))
        try:
            bound = sound_bound(bound, plan.objective)
        except SolverError:  # who has the last word on the bound raises it again
            bound = None
        return interim(
            self._problem,
            plan,
            Solve(StopReason.TIME, plan.objective, bound, wall_seconds=time.monotonic() - self._started),
        )


def interim(problem: Problem, plan: Plan, solve: Solve) -> Schedule:
    """An audited plan as the answer, should there be no time for a better one or for explanations."""
    shortfalls = tuple(_unexplained(problem, plan))
    if not shortfalls and solve.stop_reason is StopReason.CONFLICT:
        solve = replace(solve, stop_reason=StopReason.PROVEN)  # what seemed missing is the solver's dust
    cost = sum((short.cost for short in shortfalls), 0.0)
    return Schedule(problem, replace(solve, reproducible=False), plan, shortfalls, cost)


def sound_bound(bound: float | None, objective: float) -> float | None:
    """The bound, lifted to what an audited plan earns where it lies below by the solver's noise.

    Raises SolverError where it lies further below: then it was none.
    """
    if bound is None or bound >= objective:
        return bound
    if objective - bound > NOISE * max(1.0, abs(objective)):
        raise SolverError(f"the solver's bound {bound} lies below the plan's {objective}")
    return objective


def _unexplained(problem: Problem, plan: Plan) -> Iterator[Shortfall]:
    """What is missing of firm loads, which has no price, and of awards, at its penalty."""
    blocks = (block for market in plan.markets for block in market.blocks)
    assets = (asset for site in plan.sites for asset in site.assets)
    if not any(block.missing_mw for block in blocks) and not any(hasattr(asset, "unserved_mw") for asset in assets):
        return
    from scheduler.conflict.loads import loads_of
    from scheduler.conflict.lots import lots_of

    for load in loads_of(problem, plan):
        for start, end in load.runs():
            missing_mw = float(load.missing_mw[start:end].max())
            ids = (load.site_id, load.asset.id)
            yield Shortfall("", "", "", start, end, missing_mw, 0.0, load.field, UNEXPLAINED, *ids)
    for lot in lots_of(problem, plan):
        for start, end in lot.runs():
            gone_mw = lot.missing_mw[start:end]
            cost = lot.award.penalty_per_mw_h * float(gone_mw.sum()) * problem.horizon.step_hours
            yield Shortfall(*lot.key, start, end, float(gone_mw.max()), cost, lot.field, UNEXPLAINED)
