"""What a plan is made of, to and from the wire."""

from __future__ import annotations

from scheduler.explanation import BlockMargin, Explanation, MachineMargin, Margins, SiteMargin, StreamWorth
from scheduler.plan import CashKind
from scheduler.v1 import explanation_pb2 as v1
from scheduler.wire.plan import CASH_KINDS
from scheduler.wire.reader import Reader
from scheduler.wire.shape import floats_of_plan


def read_explanation(read: Reader, pb: v1.Explanation, path: str) -> Explanation:
    """The explanation; series of another length than the horizon are refused."""
    streams = tuple(_stream_from_pb(read, stream, f"{path}.streams[{i}]") for i, stream in enumerate(pb.streams))
    margins = _margins_from_pb(read, pb.margins, f"{path}.margins") if pb.HasField("margins") else None
    return Explanation(streams, margins, pb.complete)


def _stream_from_pb(read: Reader, pb: v1.StreamWorth, path: str) -> StreamWorth:
    return StreamWorth(
        kind=read.choice(pb, "kind", path, CASH_KINDS) or CashKind.BTC,
        market_id=read.text(pb, "market_id", path),
        amount=read.number(pb, "amount", path),
        without=read.number(pb, "without", path),
        without_bound=read.number(pb, "without_bound", path),
    )


def _margins_from_pb(read: Reader, pb: v1.Margins, path: str) -> Margins:
    return Margins(
        sites=tuple(_site_from_pb(read, site, f"{path}.sites[{i}]") for i, site in enumerate(pb.sites)),
        blocks=tuple(
            BlockMargin(
                market_id=read.text(block, "market_id", f"{path}.blocks[{i}]"),
                block_id=read.text(block, "block_id", f"{path}.blocks[{i}]"),
                cost=read.number_or(block, "cost", f"{path}.blocks[{i}]", None),
                profit=read.number_or(block, "profit", f"{path}.blocks[{i}]", None),
            )
            for i, block in enumerate(pb.blocks)
        ),
        machines=tuple(
            MachineMargin(
                read.text(group, "asset_id", f"{path}.machines[{i}]"),
                read.number(group, "worth", f"{path}.machines[{i}]"),
            )
            for i, group in enumerate(pb.machines)
        ),
    )


def _site_from_pb(read: Reader, pb: v1.SiteMargin, path: str) -> SiteMargin:
    import_limit, export_limit = (
        floats_of_plan(read, values, f"{path}.{name}") if len(values) else None
        for name, values in (("import_limit", pb.import_limit), ("export_limit", pb.export_limit))
    )
    power = floats_of_plan(read, pb.power, f"{path}.power")
    return SiteMargin(read.text(pb, "site_id", path), power, import_limit, export_limit)


def explanation_to_pb(explanation: Explanation) -> v1.Explanation:
    """The inverse of `read_explanation`."""
    pb = v1.Explanation(complete=explanation.complete)
    for worth in explanation.streams:
        pb.streams.add(
            kind=CASH_KINDS.number[worth.kind],
            market_id=worth.market_id,
            amount=worth.amount,
            without=worth.without,
            without_bound=worth.without_bound,
        )
    if explanation.margins is not None:
        pb.margins.SetInParent()
        for site in explanation.margins.sites:
            pb.margins.sites.add(
                site_id=site.site_id,
                power=site.power.tolist(),
                import_limit=() if site.import_limit is None else site.import_limit.tolist(),
                export_limit=() if site.export_limit is None else site.export_limit.tolist(),
            )
        for block in explanation.margins.blocks:
            pb.margins.blocks.add(
                market_id=block.market_id, block_id=block.block_id, cost=block.cost, profit=block.profit
            )
        for group in explanation.margins.machines:
            pb.margins.machines.add(asset_id=group.asset_id, worth=group.worth)
    return pb
