"""What a terminal shows of an answer: a headline and tables that fit 100 columns.

Works on requests and answers as they are on the wire, so that `plan` and `call` show the same.
"""

from __future__ import annotations

import textwrap
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp

    from scheduler.server.workers import Progress as News
    from scheduler.v1 import plan_pb2, problem_pb2
    from scheduler.v1 import scheduler_pb2 as pb

WIDTH = 100
CELL_WIDTH = 24


def console_for(stream: TextIO) -> Console:
    """A console that never is wider than a report, and without colours where nobody looks."""
    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    return Console(
        file=stream,
        width=min(WIDTH, console.width) if console.is_terminal else WIDTH,
        no_color=not console.is_terminal,
        markup=False,
        emoji=False,
        highlight=False,
    )


def print_report(request: pb.ScheduleRequest, answer: pb.ScheduleResponse, stream: TextIO) -> None:
    """Prints an answer to a request."""
    console = console_for(stream)
    report = Report(request.problem, answer)
    for line in report.headline():
        for part in textwrap.wrap(line, console.width, subsequent_indent="    "):
            console.print(part)
    for table in report.tables():
        table.columns = [column for column in table.columns if any(column.cells)]
        if table.row_count:
            console.print()
            console.print(table)
    for line in report.footnotes():
        for part in textwrap.wrap(line, console.width, subsequent_indent="    ", break_on_hyphens=False) or [""]:
            console.print(part)


@contextmanager
def progress_on(stream: TextIO) -> Iterator[Callable[[News], None]]:
    """Tells of progress: in one line that changes on a terminal, else in a line per phase."""
    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]
    console = console_for(stream)
    start = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("start", total=None)

        def tell(news: News) -> None:
            if console.is_terminal:
                bar.update(task, description="  ".join(_news_words(news)))
            elif news.objective is None and news.bound is None:
                print(f"{time.monotonic() - start:6.1f} s  {news.phase}", file=stream, flush=True)

        yield tell


def _news_words(news: News) -> Iterator[str]:
    yield text(news.phase)
    if news.objective is not None:
        yield f"objective {money(news.objective)}"
    if news.bound is not None:
        yield f"bound {money(news.bound)}"
    if news.gap is not None:
        yield f"gap {percent(news.gap)}"


class Report:
    """The tables of one answer."""

    def __init__(self, problem: problem_pb2.Problem, answer: pb.ScheduleResponse) -> None:
        self.problem = problem
        self.answer = answer
        self.outcome = answer.WhichOneof("outcome")
        conflict = self.outcome == "conflict"
        self.plan: plan_pb2.Plan | None = None
        if conflict and answer.conflict.HasField("relaxed_plan"):
            self.plan = answer.conflict.relaxed_plan
        elif self.outcome == "plan":
            self.plan = answer.plan
        self.currency = text(problem.currency_code)
        self.hours = problem.horizon.step_minutes / 60
        self.clock = Clock(problem.horizon)

    def headline(self) -> Iterator[str]:
        """What came out, in a few lines."""
        horizon = self.problem.horizon
        yield (f"{self.clock.whole()} {text(horizon.time_zone)}, {horizon.count} x {horizon.step_minutes} min")
        yield "   ".join(self._solve_words())
        if self.outcome == "conflict":
            shortfalls = self.answer.conflict.shortfalls
            of_loads = any(short.asset_id for short in shortfalls)
            if of_loads:
                yield "CONFLICT: firm load cannot be served in full"
            if not of_loads or any(short.award_id for short in shortfalls):
                cost = money(self.answer.conflict.cheapest_cost)
                yield f"CONFLICT: obligations clash; the cheapest way out costs {cost} {self.currency}"
            for short in shortfalls:
                yield "  " + self._shortfall_words(short)
        elif self.outcome == "no_plan":
            yield f"NO PLAN: {text(self.answer.no_plan.reason)}"

    def _solve_words(self) -> Iterator[str]:
        solve = self.answer.solve
        if solve.HasField("objective"):
            yield f"objective {money(solve.objective)} {self.currency}"
        if solve.HasField("bound"):
            yield f"bound {money(solve.bound)}"
        if solve.HasField("gap"):
            yield f"gap {percent(solve.gap)}"
        if solve.HasField("gap_of_uplift"):
            yield f"gap of uplift {percent(solve.gap_of_uplift)}"
        ends = {
            "proven": "proven",
            "time": "stopped by the clock: not proven",
            "cancelled": "cancelled: not proven",
            "conflict": "way out proven",
        }
        end = ends.get(name_of(solve, "stop_reason"), "not known why it ended")
        yield f"{end} in {solve.wall_seconds:.1f} s"

    def _shortfall_words(self, short: plan_pb2.Shortfall) -> str:
        where = " ".join(
            text(part)
            for part in (short.market_id, short.block_id, short.award_id, short.site_id, short.asset_id)
            if part
        )
        when = self.clock.span(instant(short.start), instant(short.end))
        words = f"{where}, {when}: {short.missing_mw:.3f} MW missing, {money(short.cost)} {self.currency}"
        return f"{words}: {text(short.reason)}" if short.reason else words

    def tables(self) -> Iterator[Table]:
        """Money, offers, hours, energy, counterfactuals; those without rows are not shown."""
        if self.plan is not None:
            yield self._money(self.plan)
            yield self._offers(self.plan)
            yield self._running(self.plan)
            yield self._beside(self.plan)
            yield self._energy(self.plan)
            yield self._counterfactuals(self.plan)
        if self.answer.HasField("explanation"):
            from scheduler.explained import explained  # it takes the tables' looks from here

            yield from explained(self.answer, self.currency)

    def footnotes(self) -> Iterator[str]:
        """Where data came from, and which figures of products no document was read for."""
        if self.answer.sources:
            yield ""
            yield "Data"
        for source in self.answer.sources:
            words = f" {text(source.field)}: {text(source.source)}"
            if source.unsourced:
                words += f"; NOT SOURCED, check them: {', '.join(map(text, source.unsourced))}"
            yield words

    def _money(self, plan: plan_pb2.Plan) -> Table:
        table = table_of(f"Money, {self.currency}", ["stream", "market"], ["amount"])
        totals: dict[tuple[int, str], float] = defaultdict(float)
        for stream in plan.cash:
            totals[stream.kind, stream.market_id] += stream.total
        kinds: dict[int, str] = {stream.kind: name_of(stream, "kind").replace("_", " ") for stream in plan.cash}
        for (kind, market_id), total in sorted(totals.items()):
            table.add_row(kinds[kind], text(market_id), money(total))
        if totals:
            table.add_section()
            table.add_row("total", "", money(plan.objective))
        return table

    def _offers(self, plan: plan_pb2.Plan) -> Table:
        """Blocks with something to offer or something won, and below each what to submit by bid."""
        figures = ["offer", f"{self.currency}/MW/h", "ask at least", "won", "missing"]
        table = table_of("Offers, MW", ["market", "block", "local time"], figures)
        asked = {(market.id, block.id): block for market in self.problem.markets for block in market.reserve.blocks}
        for market in plan.markets:
            for block in market.blocks:
                if not (block.offered_kw or block.awarded_kw):
                    continue
                wish = asked[market.market_id, block.block_id]
                missing = map(sum, zip(*(short.missing_mw for short in block.shortfalls), strict=True))
                lowest = block.HasField("lowest_price_per_mw_h")
                table.add_row(
                    text(market.market_id),
                    text(block.block_id),
                    self.clock.span(instant(wish.start), instant(wish.end)),
                    megawatts(block.offered_kw),
                    block_price(wish) if block.offered_kw and not wish.bids else "",
                    money(block.lowest_price_per_mw_h) if lowest else "",
                    megawatts(block.awarded_kw),
                    f"{max(missing):.3f}" if block.shortfalls else "",
                )
                prices = {bid.id: money(bid.price_per_mw_h) for bid in wish.bids}
                for bid in block.bids:
                    if bid.kw:
                        table.add_row("", f"- {text(bid.bid_id)}", "", megawatts(bid.kw), prices[bid.bid_id])
        return table

    def _running(self, plan: plan_pb2.Plan) -> Table:
        table = table_of("Hours run", ["site", "group", "mode"], ["machine-hours", "hours per machine", "share"])
        for site in plan.sites:
            for asset in site.assets:
                modes = asset.miner_group.modes
                all_hours = sum(sum(mode.count) for mode in modes) * self.hours
                machines = all_hours / self.hours / max(1, self.problem.horizon.count) if self.hours else 0
                for mode in modes:
                    hours = sum(mode.count) * self.hours
                    table.add_row(
                        text(site.site_id),
                        text(asset.asset_id),
                        text(mode.mode_id),
                        f"{hours:,.1f}",
                        f"{hours / machines:.2f}" if machines else "",
                        f"{hours / all_hours:.1%}" if all_hours else "",
                    )
        return table

    def _beside(self, plan: plan_pb2.Plan) -> Table:
        """What is not a machine: energy, what of it is not served or left, and heat in or out."""
        figures = ["MWh taken", "MWh made", "MWh not served", "MWh left", "MWh of heat"]
        table = table_of("Beside the machines", ["site", "asset", "kind"], figures)

        def energy(values: Iterable[float]) -> str:
            mwh = sum(values) * self.hours
            return f"{mwh:,.3f}" if abs(mwh) > 5e-4 else ""

        for site in plan.sites:
            for asset in site.assets:
                kind = asset.WhichOneof("kind") or ""
                if kind == "miner_group":
                    continue
                table.add_row(
                    text(site.site_id),
                    text(asset.asset_id),
                    kind.replace("_", " "),
                    energy(max(0.0, mw) for mw in asset.power_mw),
                    energy(max(0.0, -mw) for mw in asset.power_mw),
                    energy(asset.firm_load.unserved_mw),
                    energy(asset.renewable.curtailed_mw),
                    energy(abs(mw) for mw in _heat_of(asset)),
                )
        return table

    def _energy(self, plan: plan_pb2.Plan) -> Table:
        table = table_of("Energy", ["where"], ["MWh", f"mean price, {self.currency}/MWh"])
        paid: dict[str, float] = defaultdict(float)
        for stream in plan.cash:
            if name_of(stream, "kind") == "energy":
                paid[stream.market_id] -= stream.total
        for market in plan.markets:
            if market.position_mw:
                mwh = sum(market.position_mw) * self.hours
                mean = money(paid[market.market_id] / mwh) if abs(mwh) > 1e-9 else ""
                table.add_row(f"market {text(market.market_id)}", f"{mwh:,.3f}", mean)
        for site in plan.sites:
            table.add_row(f"site {text(site.site_id)}", f"{sum(site.grid_mw) * self.hours:,.3f}", "")
        return table

    def _counterfactuals(self, plan: plan_pb2.Plan) -> Table:
        table = table_of(
            f"Simpler ways, {self.currency}",
            ["way"],
            ["would earn", "this plan earns more", "of it not by penalties", "awards not held"],
        )
        for way in plan.counterfactuals:
            count = len(way.shortfalls)
            table.add_row(
                text(way.name),
                money(way.total),
                money(plan.objective - way.total),
                money((plan.objective - penalties(plan)) - (way.total - penalties(way))),
                str(count) if count else "",
            )
        return table


def _heat_of(asset: plan_pb2.AssetPlan) -> Sequence[float]:
    """Heat in each interval; none where an asset has nothing to do with it."""
    delivered, rejected = asset.heat_demand.delivered_mw, asset.dry_cooler.rejected_mw
    return [*delivered, *rejected, *asset.boiler.heat_mw, *(max(0.0, mw) for mw in asset.heat_store.heat_mw)]


def penalties(way: plan_pb2.Plan | plan_pb2.Counterfactual) -> float:
    """What is charged for awards that are not held, at most 0."""
    return sum(stream.total for stream in way.cash if name_of(stream, "kind") == "penalty")


def block_price(block: problem_pb2.Block) -> str:
    """The price per MW and real hour of a block without bids."""
    hours = (instant(block.end) - instant(block.start)) / timedelta(hours=1)
    if block.HasField("capacity_price_per_mw_block"):
        return money(block.capacity_price_per_mw_block / hours)
    return money(block.capacity_price_per_mw_h)


class Clock:
    """Local times, with the day where there are several, with zone letters where the clock changes."""

    def __init__(self, horizon: problem_pb2.Horizon) -> None:
        self._zone = ZoneInfo(horizon.time_zone)
        self.start = instant(horizon.start)
        self.end = self.start + timedelta(minutes=horizon.step_minutes * horizon.count)
        first, last = (at.astimezone(self._zone) for at in (self.start, self.end))
        self._changes = first.utcoffset() != last.utcoffset()
        self._days = (last - timedelta(microseconds=1)).date() != first.date()

    def whole(self) -> str:
        """The horizon."""
        first, last = (at.astimezone(self._zone) for at in (self.start, self.end))
        return f"{first:%a %Y-%m-%d %H:%M} to {last:%a %Y-%m-%d %H:%M}"

    def span(self, start: datetime, end: datetime) -> str:
        """A part of it."""
        first, last = start.astimezone(self._zone), end.astimezone(self._zone)
        day = "%m-%d " if self._days else ""
        letters = " %Z" if self._changes else ""
        return f"{first:{day}%H:%M{letters}}-{last:%H:%M{letters}}"


def table_of(title: str, words: Sequence[str], figures: Sequence[str]) -> Table:
    """An empty table with columns for words on the left and for figures on the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_edge=False)
    for word in words:
        table.add_column(word, overflow="fold", max_width=CELL_WIDTH)
    for figure in figures:
        table.add_column(figure, justify="right")
    return table


def text(value: str) -> str:
    """Free text without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in value)


def lines_of(items: Iterable[object], prefix: str) -> str:
    """One line for each item, which may bring its prefix along."""
    lines = (text(" ".join(str(item).splitlines())) for item in items)
    return "".join(f"{line}\n" if line.startswith(prefix) else f"{prefix}: {line}\n" for line in lines)


def money(value: float) -> str:
    """An amount or a price; never minus zero."""
    return f"{round(value, 2) + 0.0:,.2f}"


def percent(frac: float) -> str:
    """A gap: small ones keep their digits."""
    return f"{frac:.4%}" if frac < 0.01 else f"{frac:.2%}"


def megawatts(kw: int) -> str:
    """Whole kW as MW; nothing for 0."""
    return f"{kw / 1000:,.3f}".rstrip("0").rstrip(".") if kw else ""


def instant(stamp: Timestamp) -> datetime:
    """An instant in UTC."""
    return stamp.ToDatetime(UTC)


def name_of(message: Message, field: str) -> str:
    """The value of an enum field in plain words, such as btc for CASH_KIND_BTC."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert enum is not None, "asked of enum fields alone"
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    value = enum.values_by_number.get(getattr(message, field))
    return value.name.removeprefix(prefix).lower() if value is not None else "unknown"
