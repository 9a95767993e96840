"""Puts the prices of a file into the energy markets of a request."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import InvalidFileError
from scheduler.formats.registry import read_series
from scheduler.formats.series import Quantity
from scheduler.horizon import Horizon

if TYPE_CHECKING:
    from scheduler.v1 import scheduler_pb2 as pb


def put_prices(request: pb.ScheduleRequest, path: Path, wanted_zone: str = "") -> list[str]:
    """Puts them there and says, market by market, what it did. The horizon of the request says which are needed."""
    problem = request.problem
    wire = problem.horizon
    try:
        horizon = Horizon(wire.start.ToDatetime(UTC), wire.step_minutes, wire.count, wire.time_zone)
    except (ValueError, OverflowError):
        return []  # who validates the request says what is wrong with its horizon
    if not problem.HasField("horizon") or any(horizon.violations("")):
        return []
    file = read_series(path)
    if not any(market.HasField("energy") for market in problem.markets):
        raise InvalidFileError(f"{file.name}: the request has no energy market to put prices in")
    done = []
    for m, market in enumerate(problem.markets):
        if not market.HasField("energy"):
            continue
        named = market.site_ids or [site.id for site in problem.sites if site.HasField("connection")]
        eics = {site.zone_eic for site in problem.sites if site.id in named}
        column = file.column(Quantity.DAY_AHEAD_PRICE, wanted_zone, eics)
        if column.currency_code != problem.currency_code:
            words = f"is in {column.currency_code}, the request in {problem.currency_code}"
            raise InvalidFileError(f"{file.name}: {words}")
        series = market.energy.price_per_mwh
        found = column.over(horizon, series.mean_of_finer)
        del series.values[:]
        series.values.extend(found.values)
        series.start.FromDatetime(found.start_utc)
        series.step_minutes = found.step_minutes
        series.source = found.provenance
        field = f"problem.markets[{m}].energy.price_per_mwh"
        done.append(f"{field}: {len(series.values)} prices of {column.label.name or wanted_zone} from {file.name}")
    return done
