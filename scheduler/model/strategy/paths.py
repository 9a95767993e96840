"""The ways of all single machines at once: the best of each at given prices, and the columns that it uses.

A machine is in one mode at a time, a move locks it where it went, and what it may hold follows from where it is and
since when. So at given prices its best way is a longest path (`assets/lone_machine.py`): for all machines together some
hundred steps of a few array operations. A way is known by its moves; all else follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from scheduler.model.compile import Matrix
from scheduler.model.component import LoneMachine
from scheduler.model.strategy.apart import Indices
from scheduler.problem import Floats

MORE = 1e-9
"""Money by which a move must be better than staying."""

Moves = tuple[tuple[int, int], ...]
"""Number of the entry and interval of each move of a machine, in order."""


@dataclass(frozen=True)
class Demanded:
    """Of a machine: to be in a mode in an interval, or not; with ``holds`` to be ready to hold from it, or not."""

    machine: int
    mode: int
    interval: int
    holds: bool
    wanted: bool


def numbers_of_machines(matrix: Matrix) -> Indices:
    """Of each single machine the number of its asset."""
    return np.array([matrix.asset[matrix.columns(machine.count)[0]] for machine in matrix.ledger.lone_machines])


class Paths:
    """Single machines of a matrix, of which each holds at most one thing from a mode."""

    @staticmethod
    def fits(matrix: Matrix, most_whole_count: int) -> bool:
        """Whether there are such machines, all they have is known, and beside them few columns must be whole."""
        machines = matrix.ledger.lone_machines
        if not machines or any(len(hold.held_mw) > 1 for machine in machines for hold in machine.holds):
            return False
        if any(len({hold.mode for hold in machine.holds}) < len(machine.holds) for machine in machines):
            return False
        known = np.zeros(len(matrix.money), dtype=bool)
        for machine in machines:
            entries, holds = machine.entries, machine.holds
            variables = [
                machine.count,
                *(e.variables for e in entries),
                *(v for h in holds for v in (h.back, h.held_mw)),
            ]
            for each in variables:
                known[matrix.columns(each)] = True
        of_machines = np.isin(matrix.asset, numbers_of_machines(matrix))
        beside = matrix.integer & ~of_machines & (matrix.upper > matrix.lower)
        return bool((known == of_machines).all()) and int(np.count_nonzero(beside)) <= most_whole_count

    def __init__(self, matrix: Matrix, machines: Sequence[LoneMachine]) -> None:
        self.machines = machines
        self.columns_count = len(matrix.money)
        self.intervals: int = machines[0].count.shape[1]
        count = self.intervals
        self.modes = modes = max(len(machine.count) for machine in machines)
        units = len(machines)
        of_mode = [[[a for a, e in enumerate(m.entries) if e.mode == k] for k in range(modes)] for m in machines]
        entries = max(len(own) for each in of_mode for own in each)
        none = np.full((count, modes, units), -1, dtype=np.int64)
        self.count, self.back, self.held = none.copy(), none.copy(), none.copy()
        self.mw, self.absent = np.zeros((modes, units)), np.ones((modes, units), dtype=bool)
        self._move = np.full((count, modes, entries, units), -1, dtype=np.int64)
        self._is_move = np.zeros((count, modes, entries, units), dtype=bool)
        self.number = np.zeros((modes, entries, units), dtype=np.int64)
        lock, barred, target = (np.zeros((modes, entries, units), dtype=np.int64) for _ in range(3))
        for u, machine in enumerate(machines):
            self.absent[: len(machine.count), u] = False
            self.count[:, : len(machine.count), u] = matrix.column_of[machine.count].T
            for hold in machine.holds:
                back, held = matrix.column_of[hold.back], matrix.column_of[hold.held_mw[0]]
                may = (back >= 0) & (held >= 0) & (np.append(matrix.upper, 0.0)[back] > 0.5)
                self.back[:, hold.mode, u], self.held[:, hold.mode, u] = np.where(may, (back, held), -1)
                self.mw[hold.mode, u] = hold.counted_mw
            for mode, own in enumerate(of_mode[u]):
                for k, a in enumerate(own):
                    entry = machine.entries[a]
                    self.number[mode, k, u], lock[mode, k, u], target[mode, k, u] = a, entry.lock, entry.target
                    self._move[:, mode, k, u] = matrix.column_of[entry.variables]
                    self._is_move[:, mode, k, u] = entry.variables >= 0
                    holds = [hold.barred[a] for hold in machine.holds if hold.mode == entry.target]
                    barred[mode, k, u] = holds[0] if holds else 0
        self._allowed = self._allowed_by(matrix)
        self._is_move &= (self._move < 0) | (np.append(matrix.upper, 1.0)[self._move] > 0.5)
        self.first = np.array([min(machine.lock_at_start, count) for machine in machines])
        self.mode_at_start = np.array([machine.mode_at_start for machine in machines])
        held_from = [
            next((hold.barred_at_start for hold in m.holds if hold.mode == m.mode_at_start), 0) for m in machines
        ]
        self._held_at_start = np.minimum(held_from, count)
        time = np.arange(count)[:, None, None, None]
        end = np.minimum(time + lock, count)
        unit = np.arange(units)

        def flat(at: Indices) -> Indices:
            return (at * modes + target) * units + unit

        self._end, self._begin = flat(end), flat(np.broadcast_to(time, end.shape))
        self._hold_from = flat(np.minimum(time + np.minimum(barred, lock), count))

    def _allowed_by(self, matrix: Matrix) -> NDArray[np.bool_]:
        """[T, modes, machines] by the bounds of the counts."""
        lower, upper = (np.append(v, side)[self.count] for v, side in ((matrix.lower, 0.0), (matrix.upper, 1.0)))
        must = lower > 0.5
        allowed: NDArray[np.bool_] = (upper > 0.5) & ~(must.any(axis=1, keepdims=True) & ~must) & ~self.absent
        return allowed

    def best(self, worth: Floats, demanded: Sequence[Demanded] = ()) -> Best:
        """The most that each machine earns at the worth [columns] of a unit of its columns; one that may hold does."""
        of = np.append(worth, 0.0)
        there = np.where(self.absent, 0.0, of[self.count])
        holding = of[self.back] + self.mw * of[self.held]
        never = 8.0 * (1.0 + np.abs(there).sum(axis=(0, 1)) + np.abs(holding).sum(axis=(0, 1)) + np.abs(of).max())
        there = np.where(self._allowed, there, -never)
        bonus = np.zeros(len(never))
        for each in demanded:
            u, t = each.machine, each.interval
            if each.holds:
                holding[t, each.mode, u] += never[u] if each.wanted else -never[u]
                bonus[u] += never[u] if each.wanted else 0.0
            else:
                barred = (np.arange(self.modes) == each.mode) != each.wanted
                there[t, barred, u] -= never[u]
        most, take, which = self._longest(there, holding, of, never)
        most -= bonus
        most[most < -never / 2] = -np.inf
        return Best(self, most, take, which)

    def _longest(
        self, there: Floats, holding: Floats, of: Floats, never: Floats
    ) -> tuple[Floats, NDArray[np.bool_], Indices]:
        """What each earns, and by interval, mode and machine whether it moves there, and by which entry."""
        count, modes, units = there.shape
        nothing = np.zeros((1, modes, units))
        sums = np.concatenate([nothing, np.cumsum(there, axis=0)]).ravel()
        held = np.concatenate([nothing, np.cumsum(holding, axis=0)]).ravel()
        entering = of[self._move] + sums[self._end] - sums[self._begin] + held[self._end] - held[self._hold_from]
        entering = np.where(self._is_move, entering, -never)
        ready = there + holding
        after = np.zeros((count + 1, modes, units))
        flat = after.ravel()
        moving = np.empty((count, modes, units))
        which = np.zeros((count, modes, units), dtype=np.int64)
        staying = np.empty((count, modes, units))
        several = entering.shape[2] > 1
        for t in range(count - 1, -1, -1):
            each = entering[t] + flat[self._end[t]]
            if several:
                which[t] = each.argmax(axis=1)
                moving[t] = each.max(axis=1)
            else:
                moving[t] = each[:, 0]
            np.add(ready[t], after[t + 1], out=staying[t])
            np.maximum(moving[t], staying[t], out=after[t])
        unit = np.arange(units)
        until = after[self.first, self.mode_at_start, unit]
        at_start = (self.first * modes + self.mode_at_start) * units + unit
        from_start = self.mode_at_start * units + unit
        held_from = (np.minimum(self._held_at_start, self.first) * modes + self.mode_at_start) * units + unit
        most: Floats = until + sums[at_start] - sums[from_start] + held[at_start] - held[held_from]
        return most, moving > staying + MORE, which

    def columns(self, ways: Sequence[tuple[int, Moves]]) -> tuple[csc_array, NDArray[np.bool_]]:
        """Of some machines' ways [columns, ways] what they are in, move, back and hold at most; and their features.

        Features: [ways, 2 * T * modes] whether it is in a mode in an interval, and whether it is ready to hold.
        """
        rows, values, lengths = list[Indices](), list[Floats](), list[int]()
        is_there = np.zeros((len(ways), self.intervals, self.modes), dtype=bool)
        is_held = np.zeros_like(is_there)
        for w, (u, moves) in enumerate(ways):
            machine = self.machines[u]
            mode, begin, ready = int(self.mode_at_start[u]), 0, int(self._held_at_start[u])
            own, own_values = list[Indices](), list[Floats]()
            for a, t in (*moves, (-1, self.intervals)):
                ready = min(max(ready, begin), t)
                is_there[w, begin:t, mode] = True
                is_held[w, ready:t, mode] = self.back[ready:t, mode, u] >= 0
                for columns, value in (
                    (self.count[begin:t, mode, u], 1.0),
                    (self.back[ready:t, mode, u], 1.0),
                    (self.held[ready:t, mode, u], self.mw[mode, u]),
                ):
                    named = columns[columns >= 0]
                    own.append(named)
                    own_values.append(np.full(len(named), value))
                if a < 0:
                    break
                entry = machine.entries[a]
                k = int(np.flatnonzero(self.number[mode, :, u] == a)[0])
                column = self._move[t, mode, k, u]
                own.append(np.array([column] if column >= 0 else [], dtype=np.int64))
                own_values.append(np.ones(len(own[-1])))
                barred = next((hold.barred[a] for hold in machine.holds if hold.mode == entry.target), 0)
                mode, begin, ready = entry.target, t, t + barred
            rows.append(np.concatenate(own))
            values.append(np.concatenate(own_values))
            lengths.append(len(rows[-1]))
        starts = np.append(0, np.cumsum(lengths))
        entries = (np.concatenate(values), np.concatenate(rows), starts) if ways else (np.zeros(0), [], [0])
        return csc_array(entries, shape=(self.columns_count, len(ways))), np.concatenate(
            [is_there.reshape(len(ways), -1), is_held.reshape(len(ways), -1)], axis=1
        )


@dataclass(frozen=True, eq=False)
class Best:
    """What the machines earn at most at some prices, and how."""

    paths: Paths
    most: Floats  # [machines]; minus infinity: it has no way
    _take: NDArray[np.bool_]  # [T, modes, machines] whether it moves there
    _which: Indices  # by which of the entries from there

    def way(self, u: int) -> tuple[int, Moves]:
        """The best way of a machine."""
        paths, machine = self.paths, self.paths.machines[u]
        mode, t, moves = int(paths.mode_at_start[u]), int(paths.first[u]), list[tuple[int, int]]()
        while t < paths.intervals and (moving := self._take[t:, mode, u]).any():
            t += int(moving.argmax())
            a = int(paths.number[mode, self._which[t, mode, u], u])
            moves.append((a, t))
            mode, t = machine.entries[a].target, min(t + machine.entries[a].lock, paths.intervals)
        return u, tuple(moves)
