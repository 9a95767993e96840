"""A single machine as paths: what it may do from interval to interval, and what each way is worth.

A machine is in one mode at a time, and a move locks it where it went. So for any worth of its variables the best that
it can do is a longest path, and the best that leads through a mode in an interval is as soon known: from the front and
from the back. A strategy learns from it where a machine is never worth to be (`model/strategy/lone.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scheduler.assets.backing import barred_at_start, barred_intervals
from scheduler.model.component import LoneEntry, LoneHold
from scheduler.model.structure import NONE, Vars
from scheduler.problem import Floats

if TYPE_CHECKING:
    from scheduler.assets.miner_group import MinerGroup, MinerGroupVars
    from scheduler.model.ledger import Ledger

NEVER = -1e15
"""Worth of what cannot be: finite, so that sums over intervals stay numbers."""
HARDLY = NEVER / 2


@dataclass(frozen=True, eq=False)
class LonePath:
    """All that one machine may do. It is generous, never strict: budgets of starts and limits of a market are left out,
    and of rivals that back up and down from a mode it holds the best of each."""

    count: Vars  # [modes, T] whether it is there
    entries: tuple[LoneEntry, ...]
    holds: tuple[LoneHold, ...]
    mode_at_start: int
    lock_at_start: int

    def through(self, worth: Floats, lower: Floats, upper: Floats) -> Floats:
        """[modes, T] the most that the machine earns if it is in a mode in an interval; minus infinity: it cannot be.

        ``worth``, ``lower`` and ``upper``: of all variables, zero at the end for where there is none. The largest value
        of any interval is the most that it earns at all.
        """
        must = lower[self.count] > 0.5
        barred = (upper[self.count] < 0.5) | (must.any(axis=0) & ~must)
        there = np.where(barred, NEVER, worth[self.count])
        held = [self._worth_of(hold, worth) for hold in self.holds]
        ready = np.array([mine + self._held(m, held, None) for m, mine in enumerate(there)])
        entering = [worth[e.variables] + self._locked(a, there[e.target], held) for a, e in enumerate(self.entries)]
        for entry, value in zip(self.entries, entering, strict=True):
            value[(entry.variables == NONE) | (upper[entry.variables] < 0.5)] = NEVER
        return self._longest(ready, entering, self._at_start(there[self.mode_at_start], held))

    def _worth_of(self, hold: LoneHold, worth: Floats) -> Floats:
        """[T] per machine; 0 where it holds nothing."""
        per_mw = np.where(hold.held_mw == NONE, 0.0, worth[hold.held_mw]).max(axis=0, initial=0.0)
        return np.where(hold.back == NONE, 0.0, worth[hold.back] + hold.counted_mw * per_mw)

    def _held(self, mode: int, held: Sequence[Floats], allowed: Sequence[bool] | None) -> Floats:
        """[T] the most that holding from a mode is worth: the best of each direction."""
        best: dict[str, Floats] = {}
        for i, hold in enumerate(self.holds):
            if hold.mode == mode and (allowed is None or allowed[i]):
                best[hold.direction] = np.maximum(best.get(hold.direction, 0.0), held[i])
        total: Floats = np.sum([np.zeros(self.count.shape[1]), *best.values()], axis=0)
        return total

    def _locked(self, a: int, there: Floats, held: Sequence[Floats]) -> Floats:
        """[T] what the intervals are worth that a move locks the machine for, from each interval on."""
        entry = self.entries[a]
        barred = [hold.barred[a] for hold in self.holds]
        ages = sorted({0, *(b for b, hold in zip(barred, self.holds, strict=True) if hold.mode == entry.target)})
        ages = [age for age in ages if age < entry.lock]
        count = len(there)
        total, at = np.zeros(count), np.arange(count)
        for age, end in zip(ages, [*ages[1:], entry.lock], strict=True):
            worth = there + self._held(entry.target, held, [b <= age for b in barred])
            sums = np.append(0.0, np.cumsum(worth))
            total += sums[np.minimum(at + end, count)] - sums[np.minimum(at + age, count)]
        return total

    def _at_start(self, there: Floats, held: Sequence[Floats]) -> float:
        """What the intervals are worth that the start locks the machine for."""
        total = 0.0
        for t in range(min(self.lock_at_start, len(there))):
            total += there[t]
            best: dict[str, float] = {}
            for i, hold in enumerate(self.holds):
                if hold.mode == self.mode_at_start and hold.barred_at_start <= t:
                    best[hold.direction] = max(best.get(hold.direction, 0.0), float(held[i][t]))
            total += sum(best.values())
        return total

    def _longest(self, ready: Floats, entering: Sequence[Floats], at_start: float) -> Floats:
        """Longest paths through all, from the front and from the back."""
        modes, count = ready.shape
        stay, enter = ready.tolist(), [value.tolist() for value in entering]
        ends = [[min(t + entry.lock, count) for t in range(count)] for entry in self.entries]
        after = [[0.0] * (count + 1) for _ in range(modes)]  # the most from there on, free to move
        for t in range(count - 1, -1, -1):
            for m in range(modes):
                after[m][t] = stay[m][t] + after[m][t + 1]
            for a, entry in enumerate(self.entries):
                value = enter[a][t] + after[entry.target][ends[a][t]]
                after[entry.mode][t] = max(after[entry.mode][t], value)
        before = [[2 * NEVER] * (count + 1) for _ in range(modes)]
        first = min(self.lock_at_start, count)
        before[self.mode_at_start][first] = at_start
        through = np.full((modes, count), 2 * NEVER)
        through[self.mode_at_start, :first] = at_start + after[self.mode_at_start][first]
        for t in range(count):
            for m in range(modes):
                value = before[m][t] + stay[m][t]
                before[m][t + 1] = max(before[m][t + 1], value)
                through[m, t] = max(through[m, t], value + after[m][t + 1])
            for a, entry in enumerate(self.entries):
                value, end = before[entry.mode][t] + enter[a][t], ends[a][t]
                before[entry.target][end] = max(before[entry.target][end], value)
                whole = value + after[entry.target][end]
                part = through[entry.target, t:end]
                part[part < whole] = whole
        return np.where(through > HARDLY, through, -np.inf)


def path_of(group: MinerGroup, own: MinerGroupVars, ledger: Ledger) -> LonePath:
    """The paths of a group of one machine."""
    (cohort,) = group.initial_cohorts
    locks = group.locks(ledger.problem.horizon.step_minutes)
    mode_of = group.mode_index
    holds = []
    for backed in own.backed:
        option = backed.option
        slack = option.slack_seconds
        barred = tuple(barred_intervals(group, ledger, option.mode, a, slack) for a in range(len(group.moves)))
        start = int(np.count_nonzero(barred_at_start(group, ledger, option.mode, slack)))
        held_mw = np.stack([mw for _, mw in backed.held_mw])
        direction = option.demand.direction.value
        holds.append(LoneHold(option.mode, direction, backed.count, held_mw, option.counted_mw, barred, start))
    entries = tuple(
        LoneEntry(mode_of[move.from_mode_id], mode_of[move.to_mode_id], own.move[a], locks[a])
        for a, move in enumerate(group.moves)
    )
    step_minutes = ledger.problem.horizon.step_minutes
    return LonePath(own.count, entries, tuple(holds), mode_of[cohort.mode_id], group.initial_lock(cohort, step_minutes))
