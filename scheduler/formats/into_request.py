"""Puts the prices of a file, of whatever format, into the markets of a request, and notes in it where they are from.

Day-ahead prices go to the energy markets, prices of capacity and of activated energy to the reserve markets whose
product is named, prices of imbalance to the energy markets that settle a deviation. What is put there is said; a file
of which nothing fits is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.errors import InvalidFileError
from scheduler.formats.registry import read_series
from scheduler.formats.series import Column, Label, Quantity, Row, SeriesFile
from scheduler.formats.zones import zone_name
from scheduler.horizon import Horizon
from scheduler.problem import Direction
from scheduler.product import Pricing
from scheduler.products import DatedProduct, UnknownProductError, product_of

if TYPE_CHECKING:
    from scheduler.v1 import problem_pb2
    from scheduler.v1 import scheduler_pb2 as pb

IMBALANCE_FIELDS = {"reBAP unterdeckt": "short_price_per_mwh", "reBAP überdeckt": "long_price_per_mwh"}


def put_prices(request: pb.ScheduleRequest, path: Path, wanted_zone: str = "") -> list[str]:
    """Puts them there and says, field by field, what it did. The horizon of the request says which are needed."""
    problem = request.problem
    wire = problem.horizon
    try:
        horizon = Horizon(wire.start.ToDatetime(UTC), wire.step_minutes, wire.count, wire.time_zone)
    except (ValueError, OverflowError):
        return []  # who validates the request says what is wrong with its horizon
    if not problem.HasField("horizon") or any(horizon.violations("")):
        return []
    file = read_series(path)
    done: list[str] = []
    for quantity, put in PUTS.items():
        if file.of(quantity):
            done += put(problem, horizon, file, wanted_zone)
    if not done:
        held = ", ".join(str(column.label) for column in file.columns[:10])
        words = "no market of the request takes what it holds. Reserve markets do where they name their product (ref)"
        raise InvalidFileError(f"{file.name}: {words}. It holds {held}")
    return done


def _put_day_ahead(problem: problem_pb2.Problem, horizon: Horizon, file: SeriesFile, wanted_zone: str) -> Iterator[str]:
    """Into every energy market by the zone that is wanted or that of its sites; what is cleared has its price."""
    if not any(market.HasField("energy") for market in problem.markets):
        raise InvalidFileError(f"{file.name}: the request has no energy market to put prices in")
    for m, market in enumerate(problem.markets):
        if not market.HasField("energy"):
            continue
        field = f"problem.markets[{m}].energy.price_per_mwh"
        if market.HasField("cleared") and market.energy.HasField("price_per_mwh"):
            yield f"{field}: stays as it is, for {market.id!r} is cleared"
            continue
        column = file.column(Quantity.DAY_AHEAD_PRICE, wanted_zone, _eics(problem, market))
        yield _put_series(problem, market.energy.price_per_mwh, field, column, horizon, wanted_zone)


def _put_imbalance(problem: problem_pb2.Problem, horizon: Horizon, file: SeriesFile, wanted_zone: str) -> Iterator[str]:
    """Into the energy markets of German sites that settle a deviation: the price of those who are short, and long."""
    for m, market in enumerate(problem.markets):
        german = {zone_name(eic) for eic in _eics(problem, market)} <= {"DE-LU", ""}
        if not (market.HasField("energy") and market.energy.HasField("max_deviation_mw") and german):
            continue
        for column in file.of(Quantity.IMBALANCE_PRICE):
            if name := IMBALANCE_FIELDS.get(column.label.detail):
                field = f"problem.markets[{m}].energy.{name}"
                yield _put_series(problem, getattr(market.energy, name), field, column, horizon)


def _put_series(
    problem: problem_pb2.Problem,
    series: problem_pb2.Series,
    field: str,
    column: Column,
    horizon: Horizon,
    wanted_zone: str = "",
) -> str:
    _check_currency(problem, column)
    found = column.over(horizon, series.mean_of_finer)
    del series.values[:]
    series.values.extend(found.values)
    series.start.FromDatetime(found.start_utc)
    series.step_minutes = found.step_minutes
    series.source = found.provenance
    name = column.label.name or wanted_zone or "a zone that the file does not name"
    return f"{field}: {len(series.values)} prices of {name} from {column.source.file}"


def _put_capacity(problem: problem_pb2.Problem, horizon: Horizon, file: SeriesFile, wanted_zone: str) -> Iterator[str]:
    """Into the blocks of reserve markets whose product is named; a market that is open without blocks gets them."""
    for m, market in enumerate(problem.markets):
        row = named_product(market)
        column = None if row is None else _column_of(file, row)
        if column is None:
            continue
        _check_currency(problem, column)
        if not market.reserve.blocks and market.HasField("open"):
            _add_blocks(market.reserve, column, horizon)
        count = _put_block_prices(market.reserve, column, horizon)
        if count:
            market.reserve.price_source = column.provenance
            yield f"problem.markets[{m}].reserve.blocks: {count} prices of {column.label.name} from {file.name}"


def _put_activated(problem: problem_pb2.Problem, horizon: Horizon, file: SeriesFile, wanted_zone: str) -> Iterator[str]:
    """Into what reserve markets expect of calls. The request counts money received: a price down changes its sign."""
    for m, market in enumerate(problem.markets):
        row = named_product(market)
        for direction in () if row is None else row.product.direction.parts:
            assert row is not None
            columns = [
                column
                for column in file.of(Quantity.ACTIVATED_PRICE)
                if (column.label.product, column.label.direction) == (row.activated, direction)
                and (column.label.area == row.area or column.label.area.startswith(f"{row.area}-"))
                and wanted_zone in ("", column.label.area, column.label.name)
            ]
            is_up = direction is Direction.UP
            if not columns or not market.reserve.HasField("up" if is_up else "down"):
                continue
            if len(columns) > 1:
                names = ", ".join(column.label.name for column in columns)
                raise InvalidFileError(f"{file.name}: holds several prices for {row.name}: name one of {names}")
            series = (market.reserve.up if is_up else market.reserve.down).price_per_mwh
            field = f"problem.markets[{m}].reserve.{direction.value}.price_per_mwh"
            said = _put_series(problem, series, field, columns[0], horizon)
            if not is_up:
                series.values[:] = [-value for value in series.values]
            yield said


def named_product(market: problem_pb2.Market) -> DatedProduct | None:
    """The product that a market names; None where it names none that is known: who validates says so."""
    ref = market.reserve.ref
    if not (market.HasField("reserve") and market.reserve.HasField("ref")):
        return None
    try:
        return product_of(ref.name, date.fromisoformat(ref.delivery_date))
    except (UnknownProductError, ValueError):
        return None


def _column_of(file: SeriesFile, row: DatedProduct) -> Column | None:
    """The prices of a product: the mean of what was accepted where bids are paid as bid, else the clearing price."""
    detail = "average" if row.product.pricing is Pricing.AS_BID else ""
    wanted = Label(Quantity.CAPACITY_PRICE, row.area, row.result, row.product.direction, detail)
    return next((column for column in file.columns if column.label == wanted), None)


def _put_block_prices(market: problem_pb2.ReserveMarket, column: Column, horizon: Horizon) -> int:
    """How many blocks were priced. A block that the horizon cuts takes no offers, and needs no price."""
    count = 0
    for block in market.blocks:
        start, end = block.start.ToDatetime(UTC), block.end.ToDatetime(UTC)
        if start < horizon.start_utc or end > horizon.end_utc:
            continue
        block.capacity_price_per_mw_h = column.mean(start, end)
        count += 1
    return count


def _add_blocks(market: problem_pb2.ReserveMarket, column: Column, horizon: Horizon) -> None:
    """A block for each result that lies in the horizon, named by its local start."""
    zone = ZoneInfo(horizon.time_zone)
    for row in _inside(column, horizon):
        block = market.blocks.add(id=f"{row.start_utc.astimezone(zone):%Y-%m-%dT%H:%M%z}")
        block.start.FromDatetime(row.start_utc)
        block.end.FromDatetime(row.end_utc)


def _inside(column: Column, horizon: Horizon) -> list[Row]:
    rows = [row for row in column.rows if row.start_utc >= horizon.start_utc and row.end_utc <= horizon.end_utc]
    if not rows:
        raise InvalidFileError(f"{column.source.file}: {column.label} has no block inside the horizon")
    return rows


def _eics(problem: problem_pb2.Problem, market: problem_pb2.Market) -> set[str]:
    """Zones of the sites of a market."""
    named = market.site_ids or [site.id for site in problem.sites if site.HasField("connection")]
    return {site.zone_eic for site in problem.sites if site.id in named}


def _check_currency(problem: problem_pb2.Problem, column: Column) -> None:
    if column.currency_code != problem.currency_code:
        words = f"is in {column.currency_code}, the request in {problem.currency_code}"
        raise InvalidFileError(f"{column.source.file}: {words}")


PUTS: dict[Quantity, Callable[[problem_pb2.Problem, Horizon, SeriesFile, str], Iterator[str]]] = {
    Quantity.DAY_AHEAD_PRICE: _put_day_ahead,
    Quantity.CAPACITY_PRICE: _put_capacity,
    Quantity.ACTIVATED_PRICE: _put_activated,
    Quantity.IMBALANCE_PRICE: _put_imbalance,
}
