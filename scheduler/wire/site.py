"""Sites with their connection and tariff, to and from the wire."""

from __future__ import annotations

import math

import numpy as np

from scheduler.assets.connection import Connection
from scheduler.horizon import Horizon
from scheduler.markets.tariff import PeakCharge, Tariff
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import Reader
from scheduler.wire.series import series_or, series_to_pb


def connection_from_pb(read: Reader, pb: v1.Site, path: str) -> Connection | None:
    """The connection of a site; without one it is an island."""
    if not pb.HasField("connection"):
        return None
    at = f"{path}.connection"
    return Connection(
        import_limit_mw=series_or(read, pb.connection, "import_limit_mw", at, read.constant(math.inf)),
        export_limit_mw=series_or(read, pb.connection, "export_limit_mw", at, read.constant(0.0)),
        ramp_mw_per_minute=read.number_or(pb.connection, "ramp_mw_per_minute", at, None),
    )


def tariff_from_pb(read: Reader, pb: v1.Tariff, path: str) -> Tariff:
    """The tariff of a site; without one there are no fees."""
    return Tariff(
        import_fee_per_mwh=series_or(read, pb, "import_fee_per_mwh", path, read.constant(0.0)),
        fee_on_activated_energy=pb.fee_on_activated_energy,
        peak_charge=_peak_from_pb(read, pb.peak_charge, f"{path}.peak_charge") if pb.HasField("peak_charge") else None,
    )


def _peak_from_pb(read: Reader, pb: v1.PeakCharge, path: str) -> PeakCharge:
    return PeakCharge(
        price_per_mw=read.required_number(pb, "price_per_mw", path),
        reached_mw=read.number(pb, "reached_mw", path),
        counts_calls=pb.counts_calls if pb.HasField("counts_calls") else True,
    )


def connection_to_pb(connection: Connection, horizon: Horizon) -> v1.Connection:
    """The inverse of `connection_from_pb`. A limit is unlimited throughout or not at all on the wire."""
    pb = v1.Connection(ramp_mw_per_minute=connection.ramp_mw_per_minute)
    if not np.isposinf(connection.import_limit_mw).all():
        pb.import_limit_mw.CopyFrom(series_to_pb(connection.import_limit_mw, horizon))
    if connection.export_limit_mw.any():
        pb.export_limit_mw.CopyFrom(series_to_pb(connection.export_limit_mw, horizon))
    return pb


def tariff_to_pb(tariff: Tariff, horizon: Horizon) -> v1.Tariff | None:
    """The inverse of `tariff_from_pb`."""
    pb = v1.Tariff(fee_on_activated_energy=tariff.fee_on_activated_energy)
    if tariff.import_fee_per_mwh.any():
        pb.import_fee_per_mwh.CopyFrom(series_to_pb(tariff.import_fee_per_mwh, horizon))
    if tariff.peak_charge is not None:
        charge = tariff.peak_charge
        pb.peak_charge.CopyFrom(
            v1.PeakCharge(
                price_per_mw=charge.price_per_mw,
                reached_mw=charge.reached_mw,
                counts_calls=None if charge.counts_calls else False,
            )
        )
    return pb if pb.ListFields() else None
