"""Figures and spans as a trader reads them."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

from scheduler.horizon import Horizon


def number(value: float) -> str:
    """Up to three decimals, one at least: 6.0, 0.125; what is smaller keeps two digits: 0.00013."""
    decimals = 3 if abs(value) >= 0.01 else 1 - math.floor(math.log10(abs(value))) if value else 1
    whole, _, rest = f"{value:.{decimals}f}".partition(".")
    return f"{whole}.{rest.rstrip('0') or '0'}"


def mw(value: float) -> str:
    """Amount without needless decimals: 2 MW, 2.5 MW; 0.3 kW."""
    if abs(value) < 0.01:
        return f"{value * 1000:.1f}".removesuffix(".0") + " kW"
    return f"{value:.3f}".rstrip("0").rstrip(".") + " MW"


def money(value: float) -> str:
    """To the cent."""
    return f"{value + 0.0:.2f}"


def span(horizon: Horizon, start: int, end: int) -> str:
    """Local clock time of a run of intervals: 08-12, 08:15-12:00; with the date where the horizon has several."""
    zone = ZoneInfo(horizon.time_zone)
    first, last = (horizon.boundary_utc(t).astimezone(zone) for t in (start, end))
    pattern = "%H" if first.minute == last.minute == 0 else "%H:%M"
    until = last.strftime(pattern)
    if last.date() > first.date() and until in ("00", "00:00"):
        until = until.replace("00", "24", 1)
    elif last.date() > first.date():
        until = f"{last:%Y-%m-%d} {until}"
    date = f"{first:%Y-%m-%d} " if horizon.civil_day[-1] > 0 else ""
    return f"{date}{first.strftime(pattern)}-{until}"


def instants(horizon: Horizon, start: int, end: int) -> str:
    """UTC instants of a run of intervals."""
    return f"{horizon.boundary_utc(start):%Y-%m-%d %H:%M}Z to {horizon.boundary_utc(end):%Y-%m-%d %H:%M}Z"
