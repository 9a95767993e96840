"""scheduler write, scheduler plot: what a desk hands on from a plan: curves, bids, schedules, tables, a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.cli.arguments import CONFLICT, OK, AddCommand, add_plan, count, tick
from scheduler.cli.inputs import audited_plan_of, request_of
from scheduler.errors import SchedulerError

if TYPE_CHECKING:
    from scheduler.markets.energy import EnergyMarket
    from scheduler.markets.reserve import ReserveMarket
    from scheduler.plan import Plan, Schedule
    from scheduler.problem import Problem
    from scheduler.v1 import scheduler_pb2 as pb

Run = Callable[[argparse.Namespace, "Schedule", "Plan"], None]

CLASH = "obligations clash, and more of them would clash more: see `scheduler plan`"
"""Why no orders come from a conflict."""


def add(command: AddCommand) -> None:
    """The commands."""
    write = command("write", _write, "write orders, bids, schedules and tables from a plan")
    kinds = write.add_subparsers(title="what", required=True, metavar="WHAT")

    def kind(name: str, run: Run, words: str, *, is_order: bool = True) -> argparse.ArgumentParser:
        added = kinds.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        add_plan(added)
        added.add_argument("-o", "--output", required=True, metavar="FILE", help=".csv or .xlsx")
        added.set_defaults(write=run, is_order=is_order)
        return added

    curve = kind("demand-curve", demand_curve, "what to buy at which price, period by period")
    _add_market(curve)
    add_curve(curve)

    blocks = kind("block-bids", _block_bids, "runs of a group that are taken whole or not, with minimum acceptance")
    blocks.add_argument("--group", action="append", required=True, metavar="GROUP", help="may be named several times")
    _add_rules(blocks)

    for name, run, words in (
        ("capacity-bids", _capacity_bids, "reserve capacity to offer, block by block"),
        ("energy-bids", _energy_bids, "reserve energy to offer, interval by interval"),
    ):
        bids = kind(name, run, words)
        _add_market(bids)
        bids.add_argument("--type", required=True, choices=["FCR", "aFRR", "mFRR"], help="of the reserve")

    kind("schedule", _schedule, "what each site takes, and how far calls may move it", is_order=False)
    words = "the tables of plan --csv: a workbook FILE.xlsx, or a directory of files"
    tables = kind("tables", _tables, words, is_order=False)
    tables.add_argument(
        "--as", dest="kind", choices=["csv", "parquet"], default="csv", help="of the files in a directory"
    )
    tables.add_argument("--force", action="store_true", help="write also where the directory is not empty")
    add_plot(command)


def add_plot(command: AddCommand) -> None:
    """The command."""
    plot = command("plot", _plot, "draw a plan: price, dispatch, reserve and money")
    add_plan(plot)
    plot.add_argument("-o", "--output", required=True, metavar="FILE", help=".svg, .png or .pdf")


def _add_market(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--market", metavar="ID", default="", help="market of the request (default: the only one)")


def add_curve(parser: argparse._ActionsContainer) -> None:
    """How a demand curve is written."""
    add = parser.add_argument
    _add_rules(parser)
    add("--layout", choices=["nord-pool", "book"], default="nord-pool", help="(default: %(default)s)")
    add("--step-curve", action="store_true", help="volumes hold up to their price: nothing is linear")
    add("--most-points", type=count, default=200, metavar="N", help="of a curve (default: %(default)s)")
    for name in ("area", "member", "portfolio"):
        add(f"--{name}", default="", help="for the heading")
    add("--without", action="append", default=[], metavar="GROUP", help="leave out its starts: they are bid in blocks")


def _add_rules(parser: argparse._ActionsContainer) -> None:
    add = parser.add_argument
    add("--least-price", type=float, default=-500.0, metavar="P", help="limit of the exchange (default: %(default)s)")
    add("--most-price", type=float, default=4000.0, metavar="P", help="limit of the exchange (default: %(default)s)")
    add("--tick", type=tick, default=0.01, metavar="P", help="prices are multiples of it (default: %(default)s)")
    add("--lot-kw", type=count, default=100, metavar="N", help="volumes are multiples of it (default: %(default)s)")
    add("--date", type=date.fromisoformat, metavar="D", help="day of delivery, where the plan has several")


def _write(args: argparse.Namespace) -> int:
    request = request_of(args)
    schedule, plan = audited_plan_of(args, request)
    if args.is_order and schedule.shortfalls:
        print(f"{args.output}: is not written: {CLASH}", file=sys.stderr)
        return CONFLICT
    if "type" in args:
        _check_type(request, _reserve_market(schedule.problem, args.market), args.type)
    args.write(args, schedule, plan)
    print(f"{args.output}: written")
    return OK


def _plot(args: argparse.Namespace) -> int:
    try:
        from scheduler.plot import write_picture
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        words = "pictures need matplotlib, which is not installed: pip install 'gridflex-scheduler[plot]'"
        raise SchedulerError(words) from None
    schedule, _ = audited_plan_of(args)
    write_picture(Path(args.output), schedule)
    print(f"{args.output}: written")
    return OK


def demand_curve(args: argparse.Namespace, schedule: Schedule, plan: Plan) -> None:
    """Writes the curve of the market that is named, or of the only open one."""
    from scheduler.formats.demand_curve import CurveRules, book_rows, curves_of, nord_pool_sheet
    from scheduler.formats.plan_files import write_rows
    from scheduler.worth import demand_of

    problem = schedule.problem
    market = _energy_market(problem, args.market)
    rules = CurveRules(
        args.least_price,
        args.most_price,
        round(1 / args.tick),
        lot_kw=args.lot_kw,
        most_points_count=args.most_points,
        linear=not args.step_curve,
    )
    is_book = args.layout == "book"
    periods = check_curve(problem, args)
    demand = demand_of(problem, plan, market, frozenset(args.without))
    if is_book:
        curves = {t: curves_of(demand, [t], rules)[t] for t in periods}
        rows = book_rows(curves, problem.horizon, problem.currency_code, rules, args.area)
    else:
        rows = nord_pool_sheet(
            curves_of(demand, periods, rules),
            problem.horizon,
            problem.currency_code,
            rules,
            exported_at=datetime.now(UTC),
            area=args.area,
            member=args.member,
            portfolio=args.portfolio,
        )
    write_rows(Path(args.output), rows)


def check_curve(problem: Problem, args: argparse.Namespace) -> range:
    """The intervals of the day of a curve. Raises SchedulerError for a day or groups that the request does not have."""
    from scheduler.formats.local_day import intervals_of_day, on_market_clock

    _check_groups(problem, args.without)
    is_book = args.layout == "book"
    return intervals_of_day(problem.horizon if is_book else on_market_clock(problem.horizon), args.date)


def _block_bids(args: argparse.Namespace, schedule: Schedule, plan: Plan) -> None:
    from scheduler.formats.block_bids import block_bids_of, nord_pool_block_rows
    from scheduler.formats.demand_curve import CurveRules
    from scheduler.formats.local_day import intervals_of_day, on_market_clock
    from scheduler.formats.plan_files import write_rows

    problem = schedule.problem
    rules = CurveRules(args.least_price, args.most_price, round(1 / args.tick), args.lot_kw)
    periods = intervals_of_day(on_market_clock(problem.horizon), args.date)
    _check_groups(problem, args.group)
    bids = [bid for group in args.group for bid in block_bids_of(problem, plan, group, rules, periods)]
    write_rows(Path(args.output), nord_pool_block_rows(bids, problem, periods))


def _capacity_bids(args: argparse.Namespace, schedule: Schedule, plan: Plan) -> None:
    from scheduler.formats.capacity_bids import capacity_bids
    from scheduler.formats.plan_files import write_rows

    market = _reserve_market(schedule.problem, args.market)
    write_rows(Path(args.output), capacity_bids(schedule.problem, plan, market, args.type))


def _energy_bids(args: argparse.Namespace, schedule: Schedule, plan: Plan) -> None:
    from scheduler.formats.energy_bids import energy_bids
    from scheduler.formats.plan_files import write_rows

    market = _reserve_market(schedule.problem, args.market)
    write_rows(Path(args.output), energy_bids(schedule.problem, plan, market, args.type))


def _schedule(args: argparse.Namespace, schedule: Schedule, plan: Plan) -> None:
    from scheduler.formats.plan_files import write_rows
    from scheduler.formats.schedule import schedule_rows

    write_rows(Path(args.output), schedule_rows(schedule.problem, plan))


def _tables(args: argparse.Namespace, schedule: Schedule, plan: Plan) -> None:
    from scheduler.formats.csv_tables import prepare_directory, write_tables
    from scheduler.formats.plan_files import write_parquet, write_plan_workbook
    from scheduler.tables import Tables

    tables = Tables(schedule).by_file()
    if Path(args.output).suffix.lower() == ".xlsx":
        write_plan_workbook(Path(args.output), tables)
        return
    directory = prepare_directory(args.output, args.force)
    (write_tables if args.kind == "csv" else write_parquet)(directory, tables)


def _check_type(request: pb.ScheduleRequest, market: ReserveMarket, reserve_type: str) -> None:
    """Raises SchedulerError where the market names a product of another type."""
    from scheduler.formats.into_request import named_product

    found = named_product(next(one for one in request.problem.markets if one.id == market.id))
    if found is not None and found.result not in ("", reserve_type):
        words = f"is {found.result} by its product ({found.name})"
        raise SchedulerError(f"market {market.id!r} {words}: it is not {reserve_type}")


def _check_groups(problem: Problem, named: list[str]) -> None:
    """Raises SchedulerError where a group is named twice, or one that the request does not have."""
    from scheduler.assets.miner_group import MinerGroup

    groups = [asset.id for site in problem.sites for asset in site.assets if isinstance(asset, MinerGroup)]
    for group in named:
        if group not in groups:
            words = f"the request has {', '.join(groups) or 'none'}"
            raise SchedulerError(f"there is no group of mining machines {group!r}: {words}")
        if named.count(group) > 1:
            raise SchedulerError(f"group {group!r} is named twice")


def _energy_market(problem: Problem, market_id: str) -> EnergyMarket:
    """The market of that id, or the only open one."""
    from scheduler.markets.energy import EnergyMarket
    from scheduler.problem import Stage

    markets = [market for market in problem.markets if isinstance(market, EnergyMarket)]
    found = [m for m in markets if m.id == market_id or (not market_id and m.stage is Stage.OPEN)]
    if len(found) != 1:
        raise SchedulerError(f"name one energy market with --market, of {', '.join(m.id for m in markets) or 'none'}")
    return found[0]


def _reserve_market(problem: Problem, market_id: str) -> ReserveMarket:
    """The market of that id, or the only one."""
    from scheduler.markets.reserve import ReserveMarket

    markets = [market for market in problem.markets if isinstance(market, ReserveMarket)]
    found = [market for market in markets if market_id in ("", market.id)]
    if len(found) != 1:
        raise SchedulerError(f"name one reserve market with --market, of {', '.join(m.id for m in markets) or 'none'}")
    return found[0]
