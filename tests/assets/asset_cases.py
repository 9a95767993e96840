"""Small problems around one site, and plans of them, for the tests of assets."""

from collections.abc import Iterable

import numpy as np

from scheduler.check import audit
from scheduler.plan import CashKind, Plan, Schedule
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions
from scheduler.v1 import problem_pb2 as pb
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.build import Grid, Values, energy, request, site
from tools.fixtures.tiny import hourly

EXACT = SolveOptions(rel_gap=1e-7, abs_gap=1e-4, time_limit_seconds=60, counterfactuals=False)


def problem_of(
    grid: Grid,
    assets: Iterable[pb.Asset],
    price: Values = 20.0,
    *markets: pb.Market,
    hashprice: Values = 24.0,
    **connection: object,
) -> Problem:
    """One connected site with an open energy market."""
    made = request(
        "test", grid, [site(grid, assets, **connection)], [energy(grid, price), *markets], hashprice=hashprice
    )
    return schedule_request_from_pb(made)[1]


def island_of(grid: Grid, assets: Iterable[pb.Asset]) -> Problem:
    """One island."""
    made = request("test", grid, [pb.Site(id="island", assets=assets)], [], hashprice=24)
    return schedule_request_from_pb(made)[1]


def planned(problem: Problem, options: SolveOptions = EXACT) -> Schedule:
    """The schedule of a problem, audited once more."""
    schedule = make_schedule(problem, options)
    assert schedule.plan is not None, schedule.no_plan_reason
    assert audit(problem, schedule.plan, schedule.solve, options).violations == ()
    return schedule


def asset_of(plan: Plan | None, id: str):
    """The plan of an asset."""
    assert plan is not None
    (found,) = (asset for site in plan.sites for asset in site.assets if asset.asset_id == id)
    return found


def total(plan: Plan | None, kind: CashKind) -> float:
    """Money of a kind."""
    assert plan is not None
    return sum(stream.total for stream in plan.cash if stream.stream.kind is kind)


def rules(problem: Problem, plan: Plan) -> set[str]:
    """What the checker finds wrong with a plan."""
    return {violation.rule for violation in audit(problem, plan).violations}


__all__ = ["EXACT", "asset_of", "hourly", "island_of", "np", "planned", "problem_of", "rules", "total"]
