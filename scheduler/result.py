"""What a plan looks like from Python: values to read, frames to work with.

from scheduler import make_plan

result = make_plan("request.json")
result.objective, result.solve.gap
result.dispatch()["north", "flexible"]  # pandas, one row for each interval, UTC
"""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.planner import Progress, make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions
from scheduler.tables import IntervalTable, Table, Tables

if TYPE_CHECKING:
    import pandas

    from scheduler.plan import Plan, Schedule, Shortfall, Solve
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.wire.given import Given


def make_plan(
    request: Given | Problem, options: SolveOptions | None = None, *, progress: Progress | None = None
) -> Result:
    """Plans a request here: a ScheduleRequest, a path, JSON text or a dict of one, or a Problem.

    options: instead of those of the request. progress: told of phases and better plans, see scheduler.planner.
    Raises InvalidRequestError with everything that is wrong with a malformed request.
    """
    if isinstance(request, Problem):
        return Result(schedule=make_schedule(request, options, progress))
    from scheduler.wire.given import request_of
    from scheduler.wire.request import schedule_request_from_pb

    message = request_of(request)
    _, problem, own_options = schedule_request_from_pb(message)
    return Result(message, schedule=make_schedule(problem, options or own_options, progress))


class Result:
    """The answer to a request. Frames need pandas and a plan; without one they raise SchedulerError with the reason.

    Columns of frames over intervals have levels, the last of which is the quantity with its unit: take one quantity of
    all with ``frame.xs("power_mw", axis="columns", level="quantity")``.
    """

    def __init__(
        self,
        request: pb.ScheduleRequest | None = None,
        *,
        response: pb.ScheduleResponse | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        """From a request with its response, or from a schedule; what is not given is made when it is asked for."""
        self._request = request
        if response is not None:
            self.response = response
        if schedule is not None:
            self.schedule = schedule

    @cached_property
    def schedule(self) -> Schedule:
        """The whole answer as frozen values."""
        from scheduler.wire.request import schedule_request_from_pb
        from scheduler.wire.response import schedule_from_pb

        assert self._request is not None, "a response comes with its request"
        _, problem, _ = schedule_request_from_pb(self._request)
        return schedule_from_pb(self.response, problem)

    @cached_property
    def response(self) -> pb.ScheduleResponse:
        """The whole answer as the message of the wire."""
        from scheduler.wire.response import schedule_to_pb

        if self._request is None:
            return schedule_to_pb(self.schedule)
        return schedule_to_pb(self.schedule, self._request.request_id, self._request.problem)

    @property
    def outcome(self) -> str:
        """plan; conflict: obligations clash, and ``plan`` is the relaxed one; or no_plan."""
        if self.plan is None:
            return "no_plan"
        return "conflict" if self.shortfalls else "plan"

    @property
    def solve(self) -> Solve:
        """How it was solved: stop reason, bound, gap, seconds; None where not known."""
        return self.schedule.solve

    @property
    def objective(self) -> float | None:
        """Expected money of the plan, the checker's own sum."""
        return self.solve.objective

    @property
    def plan(self) -> Plan | None:
        """The plan as frozen values, arrays of numpy."""
        return self.schedule.plan

    @property
    def shortfalls(self) -> tuple[Shortfall, ...]:
        """What cannot be held of the obligations; empty when everything is."""
        return self.schedule.shortfalls

    def dispatch(self) -> pandas.DataFrame:
        """(site_id, asset_id, mode_id, quantity): grid_mw by site, power_mw, hashrate_ths, machine_count by asset."""
        return _frame(self._tables.dispatch())

    def energy(self) -> pandas.DataFrame:
        """(market_id, quantity): position_mw of energy markets."""
        return _frame(self._tables.energy())

    def reserve(self) -> pandas.DataFrame:
        """(market_id, direction, quantity): offered_mw, awarded_mw, missing_mw and backed_mw, up and down."""
        return _frame(self._tables.reserve())

    def blocks(self) -> pandas.DataFrame:
        """A row for each block: what to offer, what was won, its price, the lowest price to ask."""
        return _frame(self._tables.blocks())

    def bids(self) -> pandas.DataFrame:
        """A row for each bid: what to submit of it."""
        return _frame(self._tables.bids())

    def ladder(self) -> pandas.DataFrame:
        """A row for each interval and rung of the activation ladders, cheapest first: how calls are executed."""
        return _frame(self._tables.ladder())

    def cash(self) -> pandas.DataFrame:
        """(kind, market_id, site_id, asset_id, direction, quantity): money of each stream, positive when received."""
        return _frame(self._tables.cash())

    def cash_totals(self) -> pandas.DataFrame:
        """A row for each stream of money: its sum over the horizon."""
        return _frame(self._tables.cash_totals())

    def to_csv(self, directory: str | PathLike[str], *, force: bool = False) -> list[Path]:
        """Writes all tables as CSV files. Raises SchedulerError where the directory holds anything, unless forced."""
        from scheduler.formats.csv_tables import prepare_directory, write_tables

        return write_tables(prepare_directory(directory, force), self._tables.by_file())

    def to_xlsx(self, path: str | PathLike[str]) -> None:
        """Writes all tables to one workbook, a sheet each."""
        from scheduler.formats.plan_files import write_plan_workbook

        write_plan_workbook(Path(path), self._tables.by_file())

    def to_parquet(self, directory: str | PathLike[str], *, force: bool = False) -> list[Path]:
        """Writes all tables as Parquet files; needs pyarrow. Raises SchedulerError like `to_csv`."""
        from scheduler.formats.csv_tables import prepare_directory
        from scheduler.formats.plan_files import write_parquet

        return write_parquet(prepare_directory(directory, force), self._tables.by_file())

    def plot(self, path: str | PathLike[str]) -> None:
        """Draws the plan to a .svg, .png or .pdf file; needs matplotlib."""
        from scheduler.plot import write_picture

        write_picture(Path(path), self.schedule)

    @property
    def _tables(self) -> Tables:
        return Tables(self.schedule)

    def __repr__(self) -> str:
        solve, horizon = self.solve, self.schedule.problem.horizon
        words = [f"{self.outcome}, {solve.stop_reason.value}"]
        if solve.objective is not None:
            words.append(f"objective {solve.objective:.2f} {self.schedule.problem.currency_code}")
        if solve.gap is not None:
            words.append(f"gap {solve.gap:.2e}")
        words.append(f"{horizon.count} x {horizon.step_minutes} min from {horizon.start_utc:%Y-%m-%d %H:%M}Z")
        return f"<Result: {', '.join(words)}>"


def _frame(table: IntervalTable | Table) -> pandas.DataFrame:
    from scheduler.frames import frame_of

    return frame_of(table)
