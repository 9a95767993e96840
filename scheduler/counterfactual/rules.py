"""The rules: which mode a machine should be in (formulation 7).

A rule names a mode for every mode that a machine may be in, since not every mode can be reached from every other. How
and when it gets there is physics, and not said here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scheduler.assets.backing import W_PER_MW
from scheduler.counterfactual import ALWAYS, THRESHOLD
from scheduler.counterfactual.fleet import Fleet
from scheduler.problem import Counts, Floats


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a rule says."""

    mode: Counts  # [G, M, T] wanted for a machine in mode m
    joule_per_th: Floats  # [G, T] of the best mining mode: the worst is shed first


def always_running(fleet: Fleet) -> Wanted:
    """Every machine in the mining mode of the highest profit at the mean prices of its civil day, even at a loss.

    Machines that can never mine stay where they are.
    """
    groups, count = len(fleet.groups), fleet.horizon.count
    wanted = np.empty((groups, fleet.modes, count), dtype=np.int64)
    rank = np.empty((groups, count))
    for day in np.unique(fleet.horizon.civil_day):
        here = fleet.horizon.civil_day == day
        income, price = (values[:, here].mean(axis=1) for values in (fleet.income_per_ths_h, fleet.price_per_mwh))
        worth = np.where(fleet.mining, _profit(fleet, income, price), -np.inf)  # [G, M]
        for m in range(fleet.modes):
            reachable = np.where(fleet.reach[:, m], worth, -np.inf)
            best = np.where(np.isfinite(reachable.max(axis=1)), _best(reachable, m), m)
            wanted[:, m, here] = best[:, None]
        rank[:, here] = _joule_per_th(fleet)[np.arange(groups), worth.argmax(axis=1)][:, None]
    return Wanted(wanted, rank)


def threshold(fleet: Fleet) -> Wanted:
    """In each interval the mining mode of the highest profit if that is above 0, else the cheapest resting mode.

    That is to run where price plus fees is below the break-even (facts E1 and E2), with what heat is sold for. A
    machine that can neither mine nor rest goes to the mode that loses least.
    """
    profit = _profit(fleet, fleet.income_per_ths_h, fleet.price_per_mwh)  # [G, M, T]
    mining = np.where(fleet.mining[:, :, None], profit, -np.inf)
    resting = np.where(fleet.resting[:, :, None], profit, -np.inf)
    wanted = np.empty(profit.shape, dtype=np.int64)
    for m in range(fleet.modes):
        reach, rest = fleet.reach[:, m, :, None], fleet.reach_resting[:, m, :, None]
        run = np.where(reach, mining, -np.inf)
        idle = np.where(rest, resting, -np.inf)
        least = np.where(reach & (fleet.mining | fleet.resting)[:, :, None], profit, -np.inf)
        idle_or_least = np.where(np.isfinite(idle.max(axis=1)), _best(idle, m), _best(least, m))
        wanted[:, m] = np.where(run.max(axis=1) > 0, _best(run, m), idle_or_least)
    best = mining.argmax(axis=1)  # [G, T]
    rank = np.take_along_axis(_joule_per_th(fleet), best, axis=1)
    return Wanted(wanted, rank)


def _best(worth: Floats, m: int) -> Counts:
    """The mode of the highest worth along axis 1: mode ``m``, in which the machine is, if that is one of the best."""
    return np.where(worth[:, m] >= worth.max(axis=1), m, worth.argmax(axis=1))


def _profit(fleet: Fleet, income: Floats, price: Floats) -> Floats:
    """Per machine and hour in each mode; ``income`` and ``price`` are [G] or [G, T]."""
    if income.ndim == 1:
        return fleet.hashrate_ths * income[:, None] - fleet.power_mw * price[:, None]
    return fleet.hashrate_ths[:, :, None] * income[:, None, :] - fleet.power_mw[:, :, None] * price[:, None, :]


def _joule_per_th(fleet: Fleet) -> Floats:
    """[G, M] W per TH/s; inf where nothing is hashed."""
    hashes = fleet.hashrate_ths > 0
    found = np.full(hashes.shape, np.inf)
    found[hashes] = fleet.power_mw[hashes] * W_PER_MW / fleet.hashrate_ths[hashes]
    return found


RULES: dict[str, Callable[[Fleet], Wanted]] = {ALWAYS: always_running, THRESHOLD: threshold}
