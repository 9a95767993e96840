"""Checks a group of miners (formulation 3): a move is booked when made and when it sets machines free.

Machines of a group are identical, so counts are those of real machines exactly when no interval takes more
unlocked machines out of a mode than there are: releases less departures never fall below zero. The same
ledger, with other ages, tells how many machines are ready to back a move.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import ABS_STARTS, REL, Findings
from scheduler.check.ladder import Delivery
from scheduler.check.miner_backing import backed_moves, check_backing, delivery_of, earn_calls
from scheduler.check.reading import AssetView, Claim, Reader
from scheduler.plan import CashKind, Stream
from scheduler.problem import Counts, Floats

if TYPE_CHECKING:
    from scheduler.assets.miner_group import MinerGroup

W_PER_MW = 1e6


@dataclass(frozen=True, eq=False)
class Entry:
    """Machines that enter a mode alike; those of the start state enter at 0 with what is left to them."""

    mode: int
    count: Counts  # [T] by interval of entry
    dwell_seconds: float
    transit_seconds: float
    power_w: float  # on the way
    least_lock: int  # intervals that they stay at least


class MinerGroupCheck:
    """A group of miners, simulated from its moves and its state at the start alone."""

    def __init__(self, view: AssetView, findings: Findings) -> None:
        self.view = view
        self.group: MinerGroup = view.asset
        horizon = view.problem.horizon
        self.count, self.step_seconds, self.hours = (
            horizon.count,
            horizon.step_minutes * 60.0,
            horizon.step_minutes / 60.0,
        )
        self.path = f"{view.path}.{self.group.kind}"
        self._read(findings)
        self.backed = backed_moves(view, findings)
        self.entries = self._entries()
        self._simulate()

    def _read(self, findings: Findings) -> None:
        """The plan's own figures; zero where it says nothing."""
        modes, moves = len(self.group.modes), len(self.group.moves)
        plan, reader = self.view.plan, Reader(self.count, findings)
        if plan is not None and not hasattr(plan, "move_count"):
            findings.add(self.path, "missing", "the plan says nothing about modes and moves")
            plan = None
        self.stated_count = reader.rows(
            [f"{self.path}.modes[{m}].count" for m in range(modes)],
            getattr(plan, "mode_count", np.zeros((modes, self.count))),
        )
        self.moved = reader.rows(
            [f"{self.path}.moves[{a}].count" for a in range(moves)],
            getattr(plan, "move_count", np.zeros((moves, self.count))),
        )
        self.stated_ths = reader.floats(
            f"{self.path}.hashrate_ths", getattr(plan, "hashrate_ths", np.zeros(self.count))
        )

    # Simulation

    def _entries(self) -> list[Entry]:
        group, entries = self.group, []
        self.index = {mode.id: m for m, mode in enumerate(group.modes)}
        for cohort in group.initial_cohorts:
            m = self.index[cohort.mode_id]
            first = np.zeros(self.count, dtype=np.int64)
            first[0] = cohort.count
            dwell_seconds = 60 * (group.modes[m].dwell_minutes - cohort.minutes_since_move)
            # In transit at the start, a machine draws its mode's power (formulation 3).
            entries.append(Entry(m, first, dwell_seconds, cohort.seconds_until_settled, group.modes[m].power_w, 0))
        for move, moved in zip(group.moves, self.moved, strict=True):
            m = self.index[move.to_mode_id]
            power_w = group.modes[m].power_w if move.power_w is None else move.power_w
            entries.append(Entry(m, moved, 60 * group.modes[m].dwell_minutes, move.seconds, power_w, 1))
        return entries

    def _simulate(self) -> None:
        """Machines present, their mean power and hash rate."""
        group = self.group
        self.left = np.zeros((len(group.modes), self.count), dtype=np.int64)
        for move, moved in zip(group.moves, self.moved, strict=True):
            self.left[self.index[move.from_mode_id]] += moved
        self.departed = self.left.cumsum(axis=1)
        self.present = np.array([self._released(m, [0] * len(self.entries)) for m in range(len(group.modes))])
        power_w: Floats = np.zeros(self.count)
        hashrate_ths: Floats = np.zeros(self.count)
        for mode, present in zip(group.modes, self.present, strict=True):
            power_w = power_w + mode.power_w * present
            hashrate_ths = hashrate_ths + mode.hashrate_ths * present
        for entry in self.entries:
            mode, on_the_way = group.modes[entry.mode], self._on_the_way(entry)
            power_w = power_w + (entry.power_w - mode.power_w) * on_the_way
            hashrate_ths = hashrate_ths - mode.hashrate_ths * on_the_way
        self.power_mw, self.hashrate_ths = power_w / W_PER_MW, hashrate_ths

    def _on_the_way(self, entry: Entry) -> Floats:
        """[T] machines on the way, each for the share of the interval before it settles."""
        machines = np.zeros(self.count)
        rest, age = entry.transit_seconds / self.step_seconds, 0
        while rest > 0 and age < self.count:
            machines[age:] += min(1.0, rest) * entry.count[: self.count - age]
            rest, age = rest - 1, age + 1
        return machines

    def _age(self, seconds: float) -> int:
        """Intervals after which this many seconds are over."""
        full, rest = divmod(max(0.0, seconds), self.step_seconds)
        return int(full) + int(rest > REL * self.step_seconds)

    def _released(self, m: int, ages: list[int]) -> Counts:
        """[T] machines of a mode that have reached an age, less those that left; one age per entry."""
        released = np.zeros(self.count, dtype=np.int64)
        for entry, age in zip(self.entries, ages, strict=True):
            if entry.mode == m and age < self.count:
                released[age:] += entry.count[: self.count - age]
        stock: Counts = released.cumsum() - self.departed[m]
        return stock

    @cached_property
    def unavailable(self) -> Counts:
        """[T] machines that must sit in off."""
        if self.group.available_count is None:
            return np.zeros(self.count, dtype=np.int64)
        return np.asarray(self.group.machine_count - self.group.available_count, dtype=np.int64)

    def ready(self, mode_id: str, slack_seconds: float) -> Counts:
        """[T] machines that may back a move of that slack: dwell over, the rest of their own move within it.

        Those not available are in off, and machines are identical: they are those that could back least.
        """
        m = self.index[mode_id]
        ready = self._released(
            m,
            [max(self._age(e.dwell_seconds), self._age(e.transit_seconds - slack_seconds)) for e in self.entries],
        )
        if self.group.modes[m].kind.value == "off":
            ready = np.minimum(ready, self.present[m] - self.unavailable)
        return ready

    # Rules

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with the group's part of the plan."""
        self._check_counts(findings)
        self._check_starts(findings)
        power, rate = f"{self.view.path}.power_mw", f"{self.path}.hashrate_ths"
        findings.equal(self.view.power_mw, self.power_mw, power, "power", "MW, mean of modes and moves")
        findings.equal(self.stated_ths, self.hashrate_ths, rate, "hashrate", "TH/s, mean of settled machines")
        check_backing(self.view, self.backed, self.ready, findings)

    def _check_counts(self, findings: Findings) -> None:
        count, total = self.group.machine_count, self.stated_count.sum(axis=0)
        findings.each(
            total != count,
            f"{self.path}.modes",
            "machine_count",
            lambda t: f"interval {t}: the modes hold {total[t]} machines, the group has {count}",
        )
        locks = [max(e.least_lock, self._age(e.dwell_seconds), self._age(e.transit_seconds)) for e in self.entries]
        for m, mode in enumerate(self.group.modes):
            field, stated, present = f"{self.path}.modes[{m}].count", self.stated_count[m], self.present[m]
            wrong = np.flatnonzero(stated != present)
            for t in wrong:
                message = f"interval {t}: {stated[t]} machines in {mode.id!r}, the moves lead to {present[t]}"
                findings.add(f"{field}[{t}]", "mode_count", message, abs(stated[t] - present[t]), of=field)
            unlocked = self._released(m, locks)
            for t in np.flatnonzero(unlocked < 0):
                message = f"interval {t}: {-unlocked[t]} machines leave {mode.id!r} before they may"
                findings.add(f"{field}[{t}]", "locked", message, -unlocked[t], of=field)
            if mode.kind.value == "off":
                for t in np.flatnonzero(present < self.unavailable):
                    message = f"interval {t}: {self.unavailable[t]} machines must be off, {present[t]} are"
                    findings.add(f"{field}[{t}]", "unavailable", message, self.unavailable[t] - present[t], of=field)

    def _check_starts(self, findings: Findings) -> None:
        """Planned starts and the wakes of expected calls, by civil day, against the budget."""
        budget = self.group.daily_start_budget_count
        if budget is None:
            return
        mines = {mode.id: mode.kind.value == "mining" for mode in self.group.modes}
        starts: Floats = np.zeros(self.count)
        for move, moved in zip(self.group.moves, self.moved, strict=True):
            if mines[move.to_mode_id] and not mines[move.from_mode_id]:
                starts = starts + moved
        for backed in self.backed:
            if mines[backed.here.id] != mines[backed.there.id]:  # either the call or the way back is a wake
                starts = starts + backed.called_machines
        days = self.view.problem.horizon.civil_day
        for day in range(int(days[-1]) + 1):
            used = self.group.starts_used_today_count if day == 0 else 0
            over = float(starts[days == day].sum()) + used - budget
            if over > ABS_STARTS:
                message = f"day {day} has {over + budget:.6g} starts, expected calls included: at most {budget}"
                findings.add(f"{self.path}.moves", "start_budget", message, over)

    def deliveries(self) -> Iterator[tuple[Claim, Delivery]]:
        """How its machines deliver all that they hold."""
        for backed in self.backed:
            yield backed.claim, delivery_of(backed, self.income_per_ths_h)

    # Money

    @property
    def income_per_ths_h(self) -> Floats:
        """[T] what a TH/s earns in an hour."""
        mining = self.group.mining_override or self.view.problem.mining
        return mining.hashprice_per_ph_day * (1 - mining.pool_fee_frac) / 24_000

    def earn(self, book: Book) -> None:
        """Its hashes and wear at plan, and what calls cost or bring."""
        site_id, group, income = self.view.site.id, self.group, self.income_per_ths_h
        book.earn(Stream(CashKind.BTC, "", site_id, group.id), self.hashrate_ths * income * self.hours)
        for move, moved in zip(group.moves, self.moved, strict=True):
            book.earn(Stream(CashKind.WEAR, "", site_id, group.id), -move.wear_cost * moved)
        for backed in self.backed:
            earn_calls(backed, income, book)


CHECKS = {"miner_group": MinerGroupCheck}
