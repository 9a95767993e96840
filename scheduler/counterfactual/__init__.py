"""Counterfactuals: what simpler ways of running the same fleet on the same data would earn (formulation 7).

*always-running*: every available machine in the mode of the highest profit at the mean price, even at a loss.
*threshold*: a group runs where price plus fees is below its break-even. Neither makes offers; both keep what is won as
far as their dispatch allows, are paid for it in full and charged for what is missing. A rule is simulated, not
optimised, and what comes out is a real plan: the checker works out its money and must find nothing wrong with it. A
rule for which no such plan is found is left out, with the reason, rather than given a figure that nobody could earn.
What is not a machine is run as well as it can be around the machines (docs/decisions/0008), so that what the plan earns
more comes from the machines alone.

    scheduler.problem -> fleet -> rules -> actions -> simulate -> hold -> Counterfactual
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduler import check
from scheduler.counterfactual.uplift import Earned, better, better_total, gap_of_uplift, uplift, uplift_between
from scheduler.errors import SolverError
from scheduler.plan import Counterfactual, Plan
from scheduler.problem import Problem
from scheduler.settings import SolveOptions

if TYPE_CHECKING:
    from scheduler.counterfactual.fleet import Fleet
    from scheduler.counterfactual.hold import Model

__all__ = [
    "ALWAYS",
    "THRESHOLD",
    "Earned",
    "LeftOut",
    "better",
    "better_total",
    "counterfactuals",
    "gap_of_uplift",
    "simulated_plan",
    "uplift",
    "uplift_between",
]

ALWAYS = "always-running"
THRESHOLD = "threshold"
AWARDS_SECONDS = 60.0
"""Most time that the awards of one rule may take."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeftOut:
    """A counterfactual that could not be worked out, and why."""

    name: str
    reason: str
    for_want_of_time: bool = False


def counterfactuals(
    problem: Problem,
    options: SolveOptions | None = None,
    *,
    model: Model | None = None,
    on_left_out: Callable[[LeftOut], None] | None = None,
) -> tuple[Counterfactual, ...]:
    """What each rule earns on a validated problem; those that could not be worked out are left out.

    ``model``: the problem's own, if there is one already; it spares building one where there are awards.
    ``on_left_out`` is told what is left out, besides the log.
    """
    from scheduler.counterfactual.fleet import CannotRunError, Fleet, NoTimeError
    from scheduler.counterfactual.hold import has_awards, model_without_offers, shortfalls_of
    from scheduler.model.compile import collector_paused

    def tell(name: str, error: Exception) -> None:
        left = LeftOut(name, str(error), isinstance(error, NoTimeError | SolverError))
        _log.warning("no counterfactual %s: %s", left.name, left.reason)
        if on_left_out is not None:
            on_left_out(left)

    found: list[Counterfactual] = []
    with collector_paused():
        try:
            fleet = Fleet(problem)
            if model is None and (fleet.has_others or has_awards(problem)):
                model = model_without_offers(problem)
        except (CannotRunError, SolverError) as error:
            for name in (ALWAYS, THRESHOLD):
                tell(name, error)
            return ()
        for name in (ALWAYS, THRESHOLD):
            try:
                plan = simulated_plan(fleet, name, options, model)
            except (CannotRunError, SolverError) as error:
                tell(name, error)
            else:
                found.append(Counterfactual(name, plan.cash, shortfalls_of(problem, plan, name)))
    return tuple(found)


def simulated_plan(fleet: Fleet, name: str, options: SolveOptions | None = None, model: Model | None = None) -> Plan:
    """The plan that a rule comes to, with the checker's own money, and found faultless by it.

    Raises CannotRunError where there is none.
    """
    from scheduler.counterfactual.hold import has_awards, hold_awards, model_without_offers, plan_around, plan_of
    from scheduler.counterfactual.rules import RULES
    from scheduler.counterfactual.simulate import simulate

    problem, options = fleet.problem, options or SolveOptions()
    dispatch = simulate(fleet, RULES[name](fleet), options.time_limit_seconds)
    if fleet.has_others:
        soon = replace(options, time_limit_seconds=min(options.time_limit_seconds, AWARDS_SECONDS))
        return _audited(problem, plan_around(fleet, dispatch, model or model_without_offers(problem), soon))
    plan = _audited(problem, plan_of(fleet, dispatch))
    if not has_awards(problem):
        return plan
    options = replace(options, time_limit_seconds=min(options.time_limit_seconds, AWARDS_SECONDS))
    return _audited(problem, hold_awards(fleet, dispatch, plan, model or model_without_offers(problem), options))


def _audited(problem: Problem, plan: Plan) -> Plan:
    """The plan with its ladders and the checker's own money. Raises CannotRunError where the checker finds anything."""
    from scheduler.counterfactual.fleet import CannotRunError
    from scheduler.ladder import with_ladders

    cash = check.money(problem, plan)
    plan = with_ladders(problem, replace(plan, cash=cash, objective=sum(stream.total for stream in cash)))
    faults = check.audit(problem, plan).violations
    if faults:
        raise CannotRunError(f"run by this rule, the fleet cannot keep within its limits: {faults[0]}")
    return plan
