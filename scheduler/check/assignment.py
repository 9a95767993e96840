"""Whether machines can be given roles: one move up and one move down at most, both only if they go together.

Machines differ by the seconds that their running move still takes, options by the slack that they leave for
it: a machine serves an option when its remaining seconds are at most the slack. So the options of slack up
to c, V(c), need machines that are *ready* for c, and the sets of ready machines are nested. A machine may
serve an up and a down option when the longest time of each (dwell of both modes, move, way back) is at most
both full activation times: with the interval [longest, full activation] for each option, when the two
intervals meet.

Pairs save machines: with y pairs of options, those of V(c) need demand(c) less the y inside V(c), since a
pair counts for its smaller slack. By Hall's condition on nested sets an assignment exists when and only
when some y, at most the back of each option, saves need(c) = demand(c) - ready(c) inside V(c), for every c
at once.

- A c whose next threshold has no more ready machines needs no look: each option between adds one to the
  demand and takes part in one pair at most.
- For one c, a sweep by full activation makes the most pairs: of the options left, the one whose interval
  ends first meets exactly the opposite ones that hold its end; of these, the one that ends first meets no
  other than the rest meet too, so that pairing these two loses nothing. Failing for one c is failing.
- Several c at once are searched, with the sweep as the bound. The search is exact, and it gives up, saying
  no, after ``MOST_NODES`` steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.check.findings import Flags, at_most
from scheduler.problem import Counts, Direction

MOST_NODES = 2000


@dataclass(frozen=True)
class Option:
    """What machines of one mode may be asked to do: to move, for a product, in one direction."""

    direction: Direction  # up or down
    full_activation_seconds: float
    slack_seconds: float  # full activation less the seconds of the move
    longest_seconds: float  # of dwell of both modes, move and way back

    def goes_with(self, other: Option) -> bool:
        """Whether one machine may back both."""
        return self.direction is not other.direction and at_most(
            max(self.longest_seconds, other.longest_seconds),
            min(self.full_activation_seconds, other.full_activation_seconds),
        )


def unassignable(options: Sequence[Option], back: Counts, ready_count: Callable[[float], Counts]) -> Flags:
    """[T] where ``back`` [options, T] machines do not exist; ``ready_count``: [T] those ready for a slack."""
    asked = [o for o in range(len(options)) if back[o].any()]
    slacks = sorted({options[o].slack_seconds for o in asked})
    bad = np.zeros(back.shape[1], dtype=np.bool_)
    if not asked:
        return bad
    within = [[o for o in asked if options[o].slack_seconds <= slack] for slack in slacks]
    ready = np.maximum(0, np.array([ready_count(slack) for slack in slacks]))
    need = np.array([back[inside].sum(axis=0) for inside in within]) - ready
    need[:-1][ready[:-1] >= ready[1:]] = 0
    for c, inside in enumerate(within):
        at = np.flatnonzero(need[c] > 0)
        if at.size:
            bad[at] |= _most_pairs(options, inside, back[:, at]) < need[c, at]
    for t in np.flatnonzero(((need > 0).sum(axis=0) > 1) & ~bad):
        rest = {o: int(back[o, t]) for o in asked}
        levels = [(set(inside), int(need[c, t])) for c, inside in enumerate(within) if need[c, t] > 0]
        bad[t] = not _Search(options, levels).finds(rest)
    return bad


def _most_pairs(options: Sequence[Option], inside: Sequence[int], back: Counts) -> Counts:
    """[T] the most pairs that there can be inside some options: a sweep by full activation."""
    rest, made = back.copy(), np.zeros(back.shape[1], dtype=np.int64)
    in_order = sorted(inside, key=lambda o: options[o].full_activation_seconds)
    for position, first in enumerate(in_order):
        for other in in_order[position + 1 :]:
            if options[first].goes_with(options[other]):
                pairs = np.minimum(rest[first], rest[other])
                rest[first] -= pairs
                rest[other] -= pairs
                made += pairs
    return made


class _Search:
    """Pairs that save enough inside every level at once: branches on pairs, bounded by the sweep."""

    def __init__(self, options: Sequence[Option], levels: list[tuple[set[int], int]]) -> None:
        self.options = options
        self.levels = levels
        self.nodes = 0

    def finds(self, rest: dict[int, int]) -> bool:
        """Whether there are such pairs of the machines in ``rest``."""
        inside = sorted(rest, key=lambda o: self.options[o].slack_seconds)
        edges = [(a, b) for i, b in enumerate(inside) for a in inside[:i] if self.options[a].goes_with(self.options[b])]
        return self._finds(edges, rest, [need for _, need in self.levels])

    def _finds(self, edges: list[tuple[int, int]], rest: dict[int, int], needs: list[int]) -> bool:
        self.nodes += 1
        still = [(inside, need) for (inside, _), need in zip(self.levels, needs, strict=True) if need > 0]
        if self.nodes > MOST_NODES or any(self._most_pairs(inside, rest) < need for inside, need in still):
            return False
        if len(still) <= 1:  # the pairs of the sweep, on top of those chosen, save enough
            return True
        if not edges:
            return False
        (a, b), later = edges[0], edges[1:]
        for pairs in range(min(rest[a], rest[b]), -1, -1):
            left = {**rest, a: rest[a] - pairs, b: rest[b] - pairs}
            saved = [
                need - pairs * (a in inside and b in inside)
                for (inside, _), need in zip(self.levels, needs, strict=True)
            ]
            if self._finds(later, left, saved):
                return True
        return False

    def _most_pairs(self, inside: set[int], rest: dict[int, int]) -> int:
        column = np.zeros((len(self.options), 1), dtype=np.int64)
        for o in inside:
            column[o] = rest[o]
        return int(_most_pairs(self.options, sorted(inside), column)[0])
