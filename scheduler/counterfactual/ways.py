"""From mode to mode: which move a machine makes next, and what it draws until it has come to rest (formulation 3).

A machine that is told nothing else goes *down*: to off as soon as its locks allow, or where off cannot be reached to
the lowest power. So every moment has a way out that is known in advance, and a rule may use no more of a limit than
this way out leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from scheduler.assets.backing import W_PER_MW
from scheduler.assets.machine import ModeKind
from scheduler.assets.miner_group import MinerGroup
from scheduler.horizon import Horizon
from scheduler.model.idioms import in_transit_frac

Cost = tuple[float, float, float]
Lane = tuple[list[float], list[float], int]
"""One machine from now on: its mean MW and whether it is not in off, per interval, until it stays in a mode; and that
mode."""


class Ways:
    """The moves of a group as a graph."""

    def __init__(self, group: MinerGroup, horizon: Horizon) -> None:
        at = group.mode_index
        self.group = group
        self.power_mw = [mode.power_w / W_PER_MW for mode in group.modes]
        self.source = [at[move.from_mode_id] for move in group.moves]
        self.target = [at[move.to_mode_id] for move in group.moves]
        self.locks = [min(lock, horizon.count) for lock in group.locks(horizon.step_minutes)]
        self.is_start = [group.is_start(move) for move in group.moves]
        self.off = next((m for m, mode in enumerate(group.modes) if mode.kind is ModeKind.OFF), None)
        self._horizon = horizon
        self._cheapest: dict[int, dict[int, int | None]] = {}
        self._powers: dict[int, list[float]] = {}

    @cached_property
    def down(self) -> list[int | None]:
        """Per mode, the next move on the way down, without starts; None: it stays there."""
        return self._all_to(self.off, lambda a: not self.is_start[a], lowest=True)

    @cached_property
    def up(self) -> list[int | None]:
        """Per mode, the next move on the fastest way to the highest power; None: it stays there."""
        return self._all_to(None, lambda a: True, lowest=False)

    @cached_property
    def top(self) -> list[int]:
        """Per mode, where the way up ends."""
        return [self.trace(m, (), self.up)[2] for m in range(len(self.power_mw))]

    @cached_property
    def delay_up(self) -> int:
        """Intervals from off to the last move on the way up."""
        locks, m = [0], self.off
        while m is not None and (a := self.up[m]) is not None:
            locks.append(self.locks[a])
            m = self.target[a]
        return sum(locks[:-1])

    def _all_to(self, end: int | None, allowed: Callable[[int], bool], *, lowest: bool) -> list[int | None]:
        """Per mode, the next move to an end if it can be reached, else to the reachable mode of extreme power, by the
        fewest locks."""
        sign = 1.0 if lowest else -1.0
        modes = sorted(range(len(self.power_mw)), key=lambda m: sign * self.power_mw[m])
        ends = modes if end is None else [end, *(m for m in modes if m != end)]
        found: dict[int, int | None] = {}
        for candidate in ends:
            if len(found) == len(modes):
                break
            ways = self._next_moves(candidate, allowed, self._locks_of)
            found = {**ways, **found}
        return [found[m] for m in range(len(modes))]

    def _locks_of(self, a: int, end: int) -> Cost:
        """A machine is at its end from the start of the last move."""
        return (0.0 if self.target[a] == end else self.locks[a], self.group.moves[a].wear_cost, 1.0)

    def _wear_of(self, a: int, end: int) -> Cost:
        return (self.group.moves[a].wear_cost, self.locks[a], 1.0)

    def hop(self, m: int, wanted: int) -> int | None:
        """The direct move, or the first of the cheapest way (wear, then locks); None where there is none."""
        direct = self.group.move_index.get((m, wanted))
        if direct is not None or m == wanted:
            return direct
        if wanted not in self._cheapest:
            self._cheapest[wanted] = self._next_moves(wanted, lambda a: True, self._wear_of)
        return self._cheapest[wanted].get(m)

    def hops(self, m: int, wanted: int) -> list[int]:
        """All moves of the way from one mode to another, as `hop` names them."""
        found: list[int] = []
        while (a := self.hop(m, wanted)) is not None:
            found.append(a)
            m = self.target[a]
        return found

    def _next_moves(
        self, end: int, allowed: Callable[[int], bool], cost: Callable[[int, int], Cost]
    ) -> dict[int, int | None]:
        """Per mode from which an end can be reached, the next move on the cheapest way (Bellman and Ford)."""
        best: dict[int, tuple[Cost, int | None]] = {end: ((0.0, 0.0, 0.0), None)}
        changed = True
        while changed:
            changed = False
            for a, (source, target) in enumerate(zip(self.source, self.target, strict=True)):
                if source == end or target not in best or not allowed(a):
                    continue
                one, rest = cost(a, end), best[target][0]
                total = (one[0] + rest[0], one[1] + rest[1], one[2] + rest[2])
                if source not in best or total < best[source][0]:
                    best[source] = (total, a)
                    changed = True
        return {m: a for m, (_, a) in best.items()}

    def trace(self, m: int, moves: Sequence[int], then: Sequence[int | None], stay: int = 0) -> Lane:
        """A machine in mode ``m`` that stays there for some intervals, makes some moves, and then goes down or up."""
        mw, on = [self.power_mw[m]] * stay, [float(m != self.off)] * stay
        ahead = list(moves)
        while True:
            a = ahead.pop(0) if ahead else then[m]
            if a is None:
                return mw, on, m
            m = self.target[a]
            mw += self._powers_of(a)
            on += [float(m != self.off)] * self.locks[a]

    def _powers_of(self, a: int) -> list[float]:
        """Mean MW in each interval of a move's lock."""
        if a not in self._powers:
            move, target_mw = self.group.moves[a], self.power_mw[self.target[a]]
            powers = [target_mw] * self.locks[a]
            if move.power_w is not None:
                step_seconds = self._horizon.step_seconds
                seconds = min(move.seconds, step_seconds * self.locks[a])
                for j, share in enumerate(in_transit_frac(seconds, step_seconds, self.locks[a])):
                    powers[j] += share * (move.power_w / W_PER_MW - target_mw)
            self._powers[a] = powers
        return self._powers[a]
