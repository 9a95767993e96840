"""Where the data of a problem came from: what its series say of themselves, and the rows of the product table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from google.protobuf.message import Message

from scheduler.products import product_of
from scheduler.v1 import problem_pb2
from scheduler.v1 import scheduler_pb2 as v1


def sources_of(problem: problem_pb2.Problem) -> list[v1.DataSource]:
    """One for each series with a source and each product that is named, in the order of the problem.

    The problem is sound: it was read before.
    """
    return list(_below(problem, "problem"))


def _below(pb: Message, path: str) -> Iterator[v1.DataSource]:
    if isinstance(pb, problem_pb2.Series):
        if pb.source:
            yield v1.DataSource(field=path, source=pb.source)
    elif isinstance(pb, problem_pb2.ProductRef):
        row = product_of(pb.name, date.fromisoformat(pb.delivery_date))
        yield v1.DataSource(field=path, source=str(row), unsourced=row.unsourced)
    else:
        if isinstance(pb, problem_pb2.ReserveMarket) and pb.price_source:
            yield v1.DataSource(field=f"{path}.blocks", source=pb.price_source)
        for field, value in pb.ListFields():
            if field.message_type is None:
                continue
            if field.is_repeated:
                for index, item in enumerate(value):
                    yield from _below(item, f"{path}.{field.name}[{index}]")
            else:
                yield from _below(value, f"{path}.{field.name}")
