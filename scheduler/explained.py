"""The tables of an explanation, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from scheduler.report import money, name_of, table_of, text

if TYPE_CHECKING:
    from scheduler.v1 import explanation_pb2, scheduler_pb2


def explained(answer: scheduler_pb2.ScheduleResponse, currency: str) -> Iterator[Table]:
    """Worth of streams; marginal values of sites, blocks and machines."""
    explanation = answer.explanation
    yield _streams(answer, currency)
    yield _blocks(explanation.margins, currency)
    words = f"One more, {currency} over the horizon (offers as they are, machines in parts)"
    table = table_of(words, ["what", "where"], ["worth"])
    for group in explanation.margins.machines:
        table.add_row("machine", text(group.asset_id), money(group.worth))
    for site in explanation.margins.sites:
        rows = (("power", site.power), ("import limit", site.import_limit), ("export limit", site.export_limit))
        for what, values in rows:
            if len(values):
                table.add_row(f"MW of {what}", text(site.site_id), money(sum(values)))
    yield table


def _streams(answer: scheduler_pb2.ScheduleResponse, currency: str) -> Table:
    """Without each stream of the plan, everything decided anew."""
    solve = answer.solve
    bound = solve.bound if solve.HasField("bound") else float("inf")
    missing = "" if answer.explanation.complete else "; the time was too short for all"
    figures = ["in the plan", "profit without", "at most", "so worth at least", "at most "]
    table = table_of(f"Worth of streams, {currency} (all decided anew{missing})", ["stream", "market"], figures)
    for worth in answer.explanation.streams:
        least, most = solve.objective - worth.without_bound, bound - worth.without
        table.add_row(
            name_of(worth, "kind").replace("_", " "),
            text(worth.market_id),
            money(worth.amount),
            money(worth.without),
            money(worth.without_bound),
            money(least),
            money(most),
        )
    return table


def _blocks(margins: explanation_pb2.Margins, currency: str) -> Table:
    title = f"One more MW held, {currency} per MW and block (offers as they are, machines in parts)"
    table = table_of(title, ["market", "block"], ["costs", "price less that"])
    for block in margins.blocks:
        costs = money(block.cost) if block.HasField("cost") else "no room"
        profit = money(block.profit) if block.HasField("profit") else ""
        table.add_row(text(block.market_id), text(block.block_id), costs, profit)
    return table
