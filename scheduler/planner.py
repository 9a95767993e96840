"""From a problem to an audited schedule: build, solve, extract, check. The one path that every face of the service takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from scheduler import check
from scheduler.errors import AuditError, InvalidRequestError
from scheduler.plan import Schedule, Solve, StopReason
from scheduler.problem import Problem
from scheduler.settings import SolveOptions, Strategy

Progress = Callable[[str, float | None, float | None], None]
"""Called with (phase, objective, bound): phase is validate, build, solve, audit; figures are None where not known."""


def make_schedule(problem: Problem, options: SolveOptions | None = None, progress: Progress | None = None) -> Schedule:
    """An audited schedule of a problem.

    Raises InvalidRequestError for a malformed problem and AuditError where a plan fails the checker.
    """
    from scheduler.model.build import build, extract  # noqa: PLC0415 - pyomo takes 0.3 s, needed only here
    from scheduler.model.compile import collector_paused, compile_matrix  # noqa: PLC0415
    from scheduler.model.strategy.fast import fast  # noqa: PLC0415
    from scheduler.model.strategy.plain import plain  # noqa: PLC0415
    from scheduler.model.strategy.search import search  # noqa: PLC0415

    started = time.monotonic()
    options = options or SolveOptions()
    tell = progress or (lambda phase, objective, bound: None)
    tell("validate", None, None)
    violations = (*problem.violations(), *options.violations())
    if violations:
        raise InvalidRequestError(violations)
    tell("build", None, None)
    with collector_paused():
        made = build(problem)
        matrix = compile_matrix(made.ledger)
    tell("solve", None, None)
    most_money = plain if options.strategy is Strategy.PLAIN else fast
    found = search(matrix, options, most_money, lambda objective, bound: tell("solve", objective, bound))
    solve = Solve(
        found.stop_reason,
        bound=found.bound,
        wall_seconds=time.monotonic() - started,
        reproducible=found.stop_reason is not StopReason.TIME,
    )
    if found.x is None:
        return Schedule(problem, solve, no_plan_reason=_why_none(found.infeasible, options))
    plan = extract(made, matrix.values(found.x))
    tell("audit", None, found.bound)
    plan = replace(plan, objective=sum(stream.total for stream in check.money(problem, plan)))
    solve = replace(solve, objective=plan.objective, wall_seconds=time.monotonic() - started)
    report = check.audit(problem, plan, solve, options)
    if report.violations:
        raise AuditError(report.violations)
    return Schedule(problem, solve, plan)


def _why_none(infeasible: bool, options: SolveOptions) -> str:
    if infeasible:
        return (
            "no plan exists even with every award given up: the limits of a connection or the availability of a group cannot be met "
            "from where the machines are at the start; raise import_limit_mw or mend initial_cohorts"
        )
    return f"no plan was found within {options.time_limit_seconds} s: raise time_limit_seconds"
