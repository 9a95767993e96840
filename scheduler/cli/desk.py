"""scheduler bid, scheduler award: the gates of a day: bids before each, and its result in a new request after it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.cli import work, writing
from scheduler.cli.arguments import CONFLICT, NO_PLAN, OK, AddCommand, add_options, add_request
from scheduler.cli.inputs import audited_plan_of, name_of, request_of
from scheduler.cli.outputs import json_of
from scheduler.errors import InvalidFileError, InvalidRequestError, SchedulerError

if TYPE_CHECKING:
    from scheduler.model.component import MarketComponent
    from scheduler.plan import Schedule
    from scheduler.problem import Problem
    from scheduler.tables import Cell
    from scheduler.v1 import scheduler_pb2 as pb

RESERVE_TYPES = ("FCR", "aFRR", "mFRR")
AREAS = ("DE", "AT")  # whose capacity is tendered on regelleistung.net


def add(command: AddCommand) -> None:
    """The commands."""
    bid = command("bid", _bid, "plan a request and write the bids for the next gate")
    add_request(bid)
    bid.add_argument(
        "markets", metavar="MARKET", nargs="+", help="open; several reserve markets of one gate go together"
    )
    bid.add_argument("-o", "--output", required=True, metavar="FILE", help="of the bids, .csv or .xlsx")
    bid.add_argument("--plan", metavar="PLAN.json", help="bid by this plan of the request; it is audited first")
    bid.add_argument("--save-plan", metavar="PLAN.json", help="write the plan that the bids follow from, as JSON")
    bid.add_argument("--type", choices=RESERVE_TYPES, help="of the reserve, where its market does not name its product")
    words = "bids as our own CSV: so they are where the product is neither of DE nor of AT"
    bid.add_argument("--own", action="store_true", help=words)
    bid.add_argument("--quiet", action="store_true", help="no progress on standard error")
    add_options(bid)
    writing.add_curve(bid.add_argument_group("demand curves of energy markets"))

    award = command("award", _award, "fold the result of a gate into a new request")
    add_request(award)
    add = award.add_argument
    add("result", metavar="RESULT", nargs="?", help="bids with what was accepted of them, or a day-ahead position")
    add("-o", "--output", required=True, metavar="REQUEST2.json", help="the new request; the old one stays as it is")
    add("--market", action="append", default=[], metavar="ID", help="that the result is of, where it does not say")
    add("--bids", metavar="FILE", help="bids that were handed in: the result must be theirs; of day-ahead, the curve")
    add("--nothing", action="append", default=[], metavar="ID", help="reserve market in which nothing was bid or won")
    add("--penalty", type=float, metavar="P", help="of the awards, per missing MW and hour (default: 0)")
    add("--max-deviation", type=float, metavar="MW", help="most deviation from the position")
    add("--long-below", type=float, metavar="D", help="taking less is paid so much below the clearing price, per MWh")
    add("--short-above", type=float, metavar="D", help="taking more costs so much above the clearing price, per MWh")
    words = "long and short prices, of any known format, instead of the two before"
    add("--deviation-prices", metavar="FILE", action="append", default=[], help=words)


# ---- bid --------------------------------------------------------------------------------------------------------


def _bid(args: argparse.Namespace) -> int:
    if args.plan and args.save_plan:
        raise SchedulerError("--save-plan is for a plan that is made here, --plan for one that is there")
    request = request_of(args)
    if not args.plan:
        _check_markets(request, args)  # before the solve rather than after it
    schedule = audited_plan_of(args, request)[0] if args.plan else _planned(request, args)
    if schedule.plan is None:
        print(f"no bids are written, for there is no plan: {schedule.no_plan_reason}", file=sys.stderr)
        return NO_PLAN
    if schedule.shortfalls:
        print(f"no bids are written: {writing.CLASH}", file=sys.stderr)
        return CONFLICT
    markets = _open_markets(schedule.problem, args)
    if markets[0].kind == "energy":
        args.market = markets[0].id
        writing.demand_curve(args, schedule, schedule.plan)
        print(f"{args.output}: {args.market}, demand curve written")
        return OK
    _write_capacity_bids(request, schedule, args)
    return OK


def _planned(request: pb.ScheduleRequest, args: argparse.Namespace) -> Schedule:
    """The audited plan of the request."""
    from scheduler.formats.whole_file import write_text
    from scheduler.v1 import scheduler_pb2 as pb
    from scheduler.wire.request import schedule_request_from_pb
    from scheduler.wire.response import schedule_from_pb

    with work.progress(args) as progress:
        answer = pb.ScheduleResponse.FromString(work.answered("schedule", request.SerializeToString(), progress))
    if args.save_plan:
        write_text(Path(args.save_plan), json_of(answer))
    _, problem, _ = schedule_request_from_pb(request)
    return schedule_from_pb(answer, problem)


def _check_markets(request: pb.ScheduleRequest, args: argparse.Namespace) -> None:
    from scheduler.wire.request import schedule_request_from_pb

    _, problem, _ = schedule_request_from_pb(request)
    if _open_markets(problem, args)[0].kind == "energy":
        writing.check_curve(problem, args)
    else:
        _reserve_type(request, args)


def _open_markets(problem: Problem, args: argparse.Namespace) -> list[MarketComponent]:
    """Those that are named, all open: one energy market, or reserve markets."""
    from scheduler.problem import Stage

    by_id = {market.id: market for market in problem.markets}
    for market_id in args.markets:
        if market_id not in by_id:
            raise SchedulerError(f"there is no market {market_id!r}: the request has {', '.join(by_id)}")
        if by_id[market_id].stage is not Stage.OPEN:
            raise SchedulerError(f"market {market_id!r} is cleared: its gate has passed")
    if len(set(args.markets)) < len(args.markets):
        raise SchedulerError("a market is named twice")
    markets = [by_id[market_id] for market_id in args.markets]
    if len(markets) > 1 and any(market.kind == "energy" for market in markets):
        raise SchedulerError("a demand curve is a file of its own: name its market alone")
    return markets


def _write_capacity_bids(request: pb.ScheduleRequest, schedule: Schedule, args: argparse.Namespace) -> None:
    from scheduler.formats.capacity_bids import at_expected_price_count, capacity_bids, own_capacity_bids
    from scheduler.formats.plan_files import write_rows
    from scheduler.markets.reserve import ReserveMarket

    reserve_type = _reserve_type(request, args)
    rows: list[list[Cell]] = []
    said = []
    for market in _open_markets(schedule.problem, args):
        assert isinstance(market, ReserveMarket) and schedule.plan is not None
        if reserve_type:
            own = capacity_bids(schedule.problem, schedule.plan, market, reserve_type)
        else:
            own = own_capacity_bids(schedule.problem, schedule.plan, market)
        rows += own[1:] if rows else own
        said.append(f"{args.output}: {market.id}, {len(own) - 1} bids written")
        if count := at_expected_price_count(schedule.plan, market):
            words = f"{market.id}, {count} of them at the price that is expected: the lowest to ask was not computed"
            print(words, file=sys.stderr)
    write_rows(Path(args.output), rows)
    print("\n".join(said))


def _reserve_type(request: pb.ScheduleRequest, args: argparse.Namespace) -> str:
    """FCR, aFRR or mFRR, as the markets name it or the command line does; empty: our own layout, which needs none."""
    from scheduler.formats.into_request import named_product

    markets = {market.id: market for market in request.problem.markets}
    products = [named_product(markets[market_id]) for market_id in args.markets]
    known = [product for product in products if product is not None]
    elsewhere = {product.area not in AREAS for product in known}
    if args.own or elsewhere == {True}:
        if args.type:
            raise SchedulerError("--type is for the layout of regelleistung.net: our own names the market")
        if Path(args.output).suffix.lower() != ".csv":
            raise SchedulerError(f"{args.output}: bids in our own layout are a .csv file")
        return ""
    types = {product.result for product in known}
    if args.type:
        types.add(args.type)
    if len(types) != 1 or len(elsewhere) > 1 or (len(known) < len(products) and not args.type):
        names = f", of {', '.join(sorted(types))}" if types else ""
        raise SchedulerError(f"name the one type of these bids with --type{names}: each type has a file of its own")
    (found,) = types
    if found not in RESERVE_TYPES:
        raise SchedulerError(
            f"bids are written for {', '.join(RESERVE_TYPES)}, for {found or 'this product'} with --own"
        )
    return found


# ---- award ------------------------------------------------------------------------------------------------------


def _award(args: argparse.Namespace) -> int:
    from scheduler.formats.into_request import put_prices
    from scheduler.formats.whole_file import write_text
    from scheduler.gates import Terms, fold
    from scheduler.wire.request import schedule_request_from_pb

    if not (args.result or args.nothing):
        raise SchedulerError("name a result, or markets in which nothing was won with --nothing")
    if args.bids and not args.result:
        raise SchedulerError("--bids goes with a result")
    request = request_of(args)
    folded = fold(
        request,
        Path(args.result) if args.result else None,
        market_ids=args.market,
        bids_path=Path(args.bids) if args.bids else None,
        nothing_won=args.nothing,
        terms=Terms(args.penalty, args.max_deviation, args.long_below, args.short_above),
    )
    said = list(folded.said)
    for path in args.deviation_prices:
        said += put_prices(folded.request, Path(path), args.zone)
    try:
        schedule_request_from_pb(folded.request)
    except InvalidRequestError as error:
        words = "\n".join(f"{args.output}: is not written: {violation}" for violation in error.violations)
        raise InvalidFileError(words) from None
    write_text(Path(args.output), json_of(folded.request))
    for line in said:
        print(line)
    stages: dict[str, list[str]] = {"open": [], "cleared": []}
    for market in folded.request.problem.markets:
        stages[str(market.WhichOneof("stage"))].append(market.id)
    counts = "; ".join(f"{stage}: {', '.join(ids) or 'none'}" for stage, ids in stages.items())
    print(f"{args.output}: written from {name_of(args.request)}; {counts}")
    return OK
