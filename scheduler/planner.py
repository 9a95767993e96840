"""From a problem to an audited schedule: build, solve, extract, check. Every face of the service takes this path."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from scheduler import check
from scheduler.errors import AuditError, InvalidRequestError
from scheduler.incumbents import Incumbents, interim, sound_bound
from scheduler.plan import Plan, Schedule, Solve, StopReason
from scheduler.problem import Floats, Problem
from scheduler.settings import SolveOptions, Strategy

if TYPE_CHECKING:
    from scheduler.counterfactual.hold import Model

Progress = Callable[[str, Schedule | None], None]
"""Called with a phase when it begins, and then with each better schedule that is found and audited in it.

Phases are validate, build, solve, audit, explain. A schedule is what the answer would be if the work ended now.
"""

LEAST_SECONDS_TO_EXPLAIN = 30.0
SHARE_TO_SOLVE = 0.1
"""Of the time limit, what the solve has at least, however long the model took to build."""
SHARE_TO_ANSWER = 0.05
"""Of the time limit, what is kept for auditing the plan and for what is told of it."""
SHARE_FOR_BID_PRICES = 0.2
"""Of the time limit, what the lowest prices to ask may take at most."""
SHARE_TO_SOLVE_WHERE_EXPLAINED = 0.5
"""Of the time limit, what the solve may take where an explanation is to follow it."""


def make_schedule(problem: Problem, options: SolveOptions | None = None, progress: Progress | None = None) -> Schedule:
    """An audited schedule of a problem.

    Raises InvalidRequestError for a malformed problem and AuditError where a plan fails the checker.
    """
    from scheduler.model.clock import Clock

    acted_count = Clock.acted_count
    schedule = _scheduled(problem, options or SolveOptions(), progress)
    if Clock.acted_count == acted_count:
        return schedule
    return replace(schedule, solve=replace(schedule.solve, reproducible=False))


def _scheduled(problem: Problem, options: SolveOptions, progress: Progress | None) -> Schedule:
    """The same, not knowing whether a time limit has acted on the way."""
    from scheduler.ladder import with_ladders
    from scheduler.model.bid_prices import lowest_prices, with_lowest_prices
    from scheduler.model.build import extract
    from scheduler.model.compile import MANY_COLUMNS_COUNT, collector_paused, compile_matrix, give_memory_back
    from scheduler.model.kept import KEPT
    from scheduler.model.strategy.fast import fast
    from scheduler.model.strategy.plain import plain
    from scheduler.model.strategy.search import search

    started = time.monotonic()
    tell = progress or (lambda phase, incumbent: None)
    tell("validate", None)
    violations = (*problem.violations(), *options.violations())
    if violations:
        raise InvalidRequestError(violations)
    tell("build", None)
    with collector_paused():
        made = KEPT.build(problem)
        matrix = compile_matrix(made.ledger)
    if len(matrix.money) > MANY_COLUMNS_COUNT:
        give_memory_back()
    tell("solve", None)

    def plan_of(x: Floats) -> Plan:
        return with_ladders(problem, extract(made, matrix.values(np.where(matrix.integer, np.rint(x), x))))

    incumbents = Incumbents(problem, options, plan_of, partial(tell, "solve"), started)
    found = search(
        matrix,
        replace(options, time_limit_seconds=_seconds_to_solve(options, started)),
        plain if options.strategy is Strategy.PLAIN else fast,
        incumbents if progress else lambda x, objective, bound: None,
    )

    solve = Solve(
        found.stop_reason,
        bound=found.bound,
        wall_seconds=time.monotonic() - started,
        reproducible=found.stop_reason is not StopReason.TIME,
    )
    if found.x is None and incumbents.latest is not None:
        return incumbents.latest
    if found.x is None:
        return Schedule(problem, solve, no_plan_reason=_why_none(problem, found.infeasible, options, started))
    tell("audit", None)
    plan, solve = _audited(problem, plan_of(found.x), solve, options, started)
    tell("audit", interim(problem, plan, solve))
    budget = min(SHARE_FOR_BID_PRICES * options.time_limit_seconds, _seconds_left(options, started))
    prices = lowest_prices(matrix, found.x, budget)
    plan = with_lowest_prices(plan, prices)
    solve = replace(solve, reproducible=solve.reproducible and prices.complete)
    if options.counterfactuals:
        from scheduler.counterfactual.hold import Model

        plan, solve = _with_simpler_ways(problem, plan, solve, options, Model(made, matrix), started)
    explanation = None
    if options.explain:
        from scheduler.explain import explain

        tell("explain", None)
        explanation = explain(matrix, found.x, options, _seconds_left(options, started))
        solve = replace(solve, reproducible=solve.reproducible and explanation.complete)
    if solve.stop_reason is StopReason.PROVEN:
        solve = replace(solve, wall_seconds=time.monotonic() - started)
        return Schedule(problem, solve, plan, explanation=explanation)
    tell("explain", None)
    return replace(_explained(problem, plan, solve, options, started), explanation=explanation)


def _audited(problem: Problem, plan: Plan, solve: Solve, options: SolveOptions, started: float) -> tuple[Plan, Solve]:
    """The plan with the checker's own money, and what is proven of it. Raises AuditError."""
    audit = check.Audit(problem, plan)
    plan = replace(plan, objective=audit.objective)
    bound = sound_bound(solve.bound, plan.objective)
    solve = replace(solve, objective=plan.objective, bound=bound, wall_seconds=time.monotonic() - started)
    report = audit.report(plan.objective, solve, options)
    if report.violations:
        raise AuditError(report.violations)
    return plan, solve


def _with_simpler_ways(
    problem: Problem, plan: Plan, solve: Solve, options: SolveOptions, model: Model, started: float
) -> tuple[Plan, Solve]:
    """The plan with what simpler ways would have earned, and the gap as a share of what it earns more.

    Where the time was too short for one of them there is no such gap, and another run may tell of more.
    """
    from scheduler.counterfactual import LeftOut, counterfactuals, gap_of_uplift

    seconds, left_out = _seconds_left(options, started), list[LeftOut]()
    if seconds <= 0:
        return plan, replace(solve, reproducible=False)
    rest = replace(options, time_limit_seconds=seconds)
    plan = replace(plan, counterfactuals=counterfactuals(problem, rest, model=model, on_left_out=left_out.append))
    if any(left.for_want_of_time for left in left_out):
        return plan, replace(solve, reproducible=False)
    return plan, replace(solve, gap_of_uplift=gap_of_uplift(plan, solve.bound))


def _explained(problem: Problem, plan: Plan, solve: Solve, options: SolveOptions, started: float) -> Schedule:
    """The answer with what is missing of awards, if anything is, and the cheapest way out."""
    from scheduler import conflict

    found = conflict.explain(problem, plan, _seconds_to_explain(options, started), options.seed)
    if not found.shortfalls and solve.stop_reason is StopReason.CONFLICT:
        solve = replace(solve, stop_reason=StopReason.PROVEN)  # what seemed missing is the solver's dust
    if not found.is_cheapest and solve.stop_reason is StopReason.CONFLICT:
        solve = replace(solve, stop_reason=StopReason.TIME)
    reproducible = solve.reproducible and found.complete
    solve = replace(solve, wall_seconds=time.monotonic() - started, reproducible=reproducible)
    return Schedule(problem, solve, plan, found.shortfalls, found.cheapest_cost)


def _seconds_left(options: SolveOptions, started: float) -> float:
    """What is left of the time limit."""
    return options.time_limit_seconds - (time.monotonic() - started)


def _seconds_to_solve(options: SolveOptions, started: float) -> float:
    """What is left of it for the solve."""
    limit = options.time_limit_seconds
    left = _seconds_left(options, started) - SHARE_TO_ANSWER * limit
    return max(SHARE_TO_SOLVE * limit, min(left, SHARE_TO_SOLVE_WHERE_EXPLAINED * limit) if options.explain else left)


def _seconds_to_explain(options: SolveOptions, started: float) -> float:
    """What is left of the time limit, but not much more than the plan itself took."""
    gone = time.monotonic() - started
    return min(options.time_limit_seconds - gone, max(LEAST_SECONDS_TO_EXPLAIN, 2 * gone))


def _why_none(problem: Problem, infeasible: bool, options: SolveOptions, started: float) -> str:
    if infeasible:
        from scheduler import conflict

        return conflict.why_no_plan(problem, _seconds_to_explain(options, started), options.seed)
    limit = f"{options.time_limit_seconds:.3g} s"
    return f"no plan was found within {limit}: raise time_limit_seconds, or the deadline of the call"
