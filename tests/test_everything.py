"""A site with every asset at once over a day of quarters is proven (issue: grid, island, microgrid).

How soon is a figure of `python -m bench.everything`: beside other work the same search takes four times as long.
"""

from scheduler.catalog import ASSETS
from scheduler.check import audit
from scheduler.plan import CashKind, StopReason
from scheduler.planner import make_schedule
from scheduler.problem import Direction
from scheduler.settings import SolveOptions
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.everything import everything

OPTIONS = SolveOptions(time_limit_seconds=300, counterfactuals=False)
NOT_BOOKED_HERE = {CashKind.DEVIATION, CashKind.PENALTY, CashKind.STORED}
"""Of cleared markets, awards, and stores without an end level."""


def test_a_site_with_every_asset_is_proven():
    _, problem, _ = schedule_request_from_pb(everything())
    assert problem.horizon.count == 96 and len(problem.sites) == 1
    assert {asset.kind for asset in problem.sites[0].assets} == set(ASSETS), "put every kind of asset into it"
    schedule = make_schedule(problem, OPTIONS)
    assert schedule.solve.stop_reason is StopReason.PROVEN
    assert audit(problem, schedule.plan, schedule.solve, OPTIONS).violations == ()
    kinds = {cash.stream.kind for cash in schedule.plan.cash}
    assert kinds >= set(CashKind) - NOT_BOOKED_HERE - {CashKind.CURTAILMENT, CashKind.PEAK}
    backs = {entry.direction for market in schedule.plan.markets for entry in market.backing}
    assert backs == {Direction.UP, Direction.DOWN}
