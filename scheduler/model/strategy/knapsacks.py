"""Many small choices side by side: of each, the most money from whole units under one limit (knapsacks).

The relaxation of a knapsack takes the units that earn most per MW until the limit cuts one in parts; what that one
earns per MW is the price of the limit. At this price every plan loses against the relaxation what it leaves unused,
times the price, and for each unit that it decides otherwise how far that unit is from the price (Dembo and Hammer
1980). So units far from the price stay as they are, and the few near it are tried in all ways that still lose less
than the best plan found (Pisinger 1997: an expanding core), for all knapsacks in one go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.model.strategy.apart import Indices
from scheduler.problem import Floats

LIMIT_PRECISION = 1e-9
"""Of a limit, what rounding may put on top."""
MOST_TRIED_COUNT = 62
"""Units of a knapsack that may be decided otherwise: as many as a whole number has bits."""
MOST_STATES_COUNT = 300_000
"""Ways kept at once, of all knapsacks together: beyond, the best plans so far are the answer."""
MICRO = 1e-6
"""Weights are multiples of it, most often: of a watt, where they are megawatts."""
FEW_STATES_COUNT = 3_000
"""Looking for ways that are worse than others pays for more than these."""


@dataclass(frozen=True, eq=False)
class Knapsacks:
    """Most gain @ taken, where 0 <= taken <= most is whole and in each knapsack weight @ taken <= limit."""

    limit: Floats  # [knapsacks]
    knapsack: Indices  # [items] which of them an item is in
    weight: Floats  # [items] at least 0
    gain: Floats  # [items]
    most: Floats  # [items] whole


@dataclass(frozen=True, eq=False)
class Filled:
    """How many of each item, and money that no other choice exceeds."""

    taken: Floats  # [items]
    bound: float


def fill(knapsacks: Knapsacks, fixed: float, rel_gap: float, abs_gap: float) -> Filled:
    """Choices that together are within a gap of the best, or not where there are too many ways.

    The gap is that of their money and what is ``fixed``.
    """
    limit = knapsacks.limit + LIMIT_PRECISION * np.maximum(1.0, np.abs(knapsacks.limit))
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = np.floor(limit[knapsacks.knapsack] / knapsacks.weight)
    most = np.where(knapsacks.weight > 0, np.minimum(knapsacks.most, fit), knapsacks.most)
    taken = np.where(knapsacks.gain > 0, most, 0.0)
    used = np.bincount(knapsacks.knapsack, knapsacks.weight * taken, len(limit))
    tight = used > limit
    easy = ~tight[knapsacks.knapsack]
    bound = float(knapsacks.gain[easy] @ taken[easy])
    items = np.flatnonzero(~easy & (taken > 0))
    if not len(items):
        return Filled(taken, bound)
    alike = _Alike(knapsacks, items, most[items])
    units = alike.units(np.cumsum(tight) - 1)
    search = _Search(units, _on_grid(units, limit[tight]))
    search.run(max(abs_gap, rel_gap * abs(fixed + bound + search.relaxed)))
    taken[alike.items] = alike.shared(units.kind, np.where(search.chosen, units.size, 0.0))
    return Filled(taken, bound + search.bound)


@dataclass(frozen=True, eq=False)
class _Units:
    """What is taken or not, knapsack by knapsack, those first that earn most per weight."""

    knapsack: Indices
    weight: Floats
    gain: Floats
    kind: Indices  # of items
    size: Floats  # how many of the kind


class _Alike:
    """Items by knapsack and what they earn per weight; those of the same weight and gain are of one kind."""

    def __init__(self, knapsacks: Knapsacks, items: Indices, most: Floats) -> None:
        own, weight, gain = (given[items] for given in (knapsacks.knapsack, knapsacks.weight, knapsacks.gain))
        with np.errstate(divide="ignore"):
            order = np.lexsort((weight, -gain / weight, own))
        self.items, self._most = items[order], most[order]
        own, weight, gain = own[order], weight[order], gain[order]
        new = (own[1:] != own[:-1]) | (weight[1:] != weight[:-1]) | (gain[1:] != gain[:-1])
        self._first = np.flatnonzero(np.append(True, new))
        self._kind = np.cumsum(np.append(False, new))
        self._own, self._weight, self._gain = own[self._first], weight[self._first], gain[self._first]

    def units(self, number: Indices) -> _Units:
        """Of several of a kind 1, 2, 4, ... and the rest: any number of them is a sum of these."""
        left, kind = np.add.reduceat(self._most, self._first), np.arange(len(self._first))
        kinds, sizes, step = [], [], 1.0
        while len(kind):
            kinds.append(kind)
            sizes.append(np.minimum(step, left))
            more = left > step
            kind, left, step = kind[more], left[more] - step, 2 * step
        every, size = np.concatenate(kinds), np.concatenate(sizes)
        order = np.argsort(every, kind="stable")
        every, size = every[order], size[order]
        return _Units(number[self._own[every]], self._weight[every] * size, self._gain[every] * size, every, size)

    def shared(self, kind: Indices, taken: Floats) -> Floats:
        """[items] of each, where so many are taken of some kinds: the first ones."""
        before = np.cumsum(self._most) - self._most
        before -= before[self._first][self._kind]
        return np.asarray(np.clip(np.bincount(kind, taken)[self._kind] - before, 0.0, self._most))


def _on_grid(units: _Units, limit: Floats) -> Floats:
    """Limits where what is taken can reach them: sums of whole multiples of a weight are multiples of it."""
    micro = np.rint(units.weight / MICRO)
    on_grid = np.abs(units.weight - micro * MICRO) <= LIMIT_PRECISION * units.weight
    first = np.searchsorted(units.knapsack, np.arange(len(limit)))
    step = np.gcd.reduceat(micro.astype(np.int64), first) * MICRO
    is_grid = np.logical_and.reduceat(on_grid, first) & (step > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        reached = np.floor(limit / step) * step
    return np.where(is_grid, reached + LIMIT_PRECISION * np.maximum(1.0, np.abs(limit)), limit)


class _Search:
    """All knapsacks whose limit matters, around their relaxations."""

    def __init__(self, units: _Units, limit: Floats) -> None:
        count = len(limit)
        first = np.searchsorted(units.knapsack, np.arange(count))
        ends = np.append(first[1:], len(units.knapsack))
        before = np.cumsum(units.weight) - units.weight
        until = before - before[first][units.knapsack] + units.weight
        inside = until <= limit[units.knapsack]
        inside &= np.arange(len(inside)) < (first + _leading(inside, first, ends))[units.knapsack]
        cut = first + np.bincount(units.knapsack, inside, count).astype(np.int64)  # some unit is cut: limits matter
        self._price = units.gain[cut] / units.weight[cut]
        unused = np.maximum(0.0, limit - np.bincount(units.knapsack, units.weight * inside, count))
        self.chosen = inside
        self._relaxed = np.bincount(units.knapsack, units.gain * inside, count) + self._price * unused
        off = np.abs(units.gain - self._price[units.knapsack] * units.weight)
        self._nearest = np.lexsort((off, units.knapsack))
        width = min(MOST_TRIED_COUNT, int((ends - first).max()))
        rank = np.arange(len(inside)) - first[units.knapsack]
        near = np.flatnonzero(rank < width)
        at, own = self._nearest[near], units.knapsack[near]
        self._unit = np.full((count, width), -1, dtype=np.int64)
        self._loss = np.full((count, width + 1), np.inf)
        self._frees = np.zeros((count, width))
        self._unit[own, rank[near]] = at
        self._loss[own, rank[near]] = off[at]
        self._frees[own, rank[near]] = np.where(inside[at], units.weight[at], -units.weight[at])
        beyond = np.flatnonzero(rank == width)
        self._loss[units.knapsack[beyond], width] = off[self._nearest[beyond]]
        self._unused = unused
        self._lost = self._price * unused
        self._others = np.zeros(count, dtype=np.int64)  # bits: units near the price that are decided otherwise
        self._least = np.full(count, np.inf)  # what ways that were not tried lose at least

    @property
    def relaxed(self) -> float:
        """Money of all knapsacks with units in parts."""
        return float(self._relaxed.sum())

    @property
    def bound(self) -> float:
        """Money of all knapsacks that no choice exceeds."""
        return float((self._relaxed - np.minimum(self._lost, self._least)).sum())

    def run(self, allowed: float) -> None:
        """Tries what may lose less than the best, until what is left of that is at most ``allowed`` in all."""
        share = allowed / len(self._price)
        ways = _Ways(np.arange(len(self._price)), self._unused.copy(), np.zeros(len(self._price)), self._others.copy())
        few = FEW_STATES_COUNT
        for k in range(self._frees.shape[1]):
            enough = self._lost - share
            if not (self._loss[:, k] < enough).any() or len(ways.knapsack) > MOST_STATES_COUNT:
                np.minimum(self._least, self._loss[:, k], out=self._least)
                break
            ways = self._worth(ways, enough)
            more = _Ways(
                ways.knapsack,
                ways.unused + self._frees[ways.knapsack, k],
                ways.loss + self._loss[ways.knapsack, k],
                ways.others | (1 << k),
            )
            more = self._worth(more, enough)
            self._note(more)
            ways = ways.joined(more)
            if len(ways.knapsack) > few:
                ways = ways.undominated(self._price)
                few = max(FEW_STATES_COUNT, 2 * len(ways.knapsack))
        else:
            np.minimum(self._least, self._loss[:, -1], out=self._least)
        flipped = (self._others[:, None] >> np.arange(self._unit.shape[1])) & 1 == 1
        self.chosen[self._unit[flipped]] ^= True

    def _worth(self, ways: _Ways, enough: Floats) -> _Ways:
        """Those that lose less than what is good enough; what the others lose is kept as a proof."""
        worth = ways.loss < enough[ways.knapsack]
        if worth.all():
            return ways
        np.minimum.at(self._least, ways.knapsack[~worth], ways.loss[~worth])
        return ways.part(worth)

    def _note(self, ways: _Ways) -> None:
        """Plans among them that are better than those so far."""
        lost = ways.loss + self._price[ways.knapsack] * ways.unused
        better = np.flatnonzero((ways.unused >= 0) & (lost < self._lost[ways.knapsack]))
        better = better[np.argsort(-lost[better], kind="stable")]  # the best of a knapsack is written last
        self._lost[ways.knapsack[better]] = lost[better]
        self._others[ways.knapsack[better]] = ways.others[better]


def _leading(inside: NDArray[np.bool_], first: Indices, ends: Indices) -> Indices:
    """Of each run, how many are inside before the first that is not."""
    out = np.flatnonzero(~inside)
    at = np.searchsorted(out, first)
    stop = np.append(out, len(inside))[at]
    return np.asarray(np.minimum(stop, ends) - first)


@dataclass(frozen=True, eq=False)
class _Ways:
    """Choices that differ from a relaxation in the units near its price."""

    knapsack: Indices
    unused: Floats  # of the limit; below 0: more than there is
    loss: Floats  # of the units that are decided otherwise
    others: Indices  # bits of those

    def part(self, which: NDArray[np.bool_] | Indices) -> _Ways:
        """Some of them."""
        return _Ways(self.knapsack[which], self.unused[which], self.loss[which], self.others[which])

    def joined(self, other: _Ways) -> _Ways:
        """These and others."""
        return _Ways(
            np.concatenate([self.knapsack, other.knapsack]),
            np.concatenate([self.unused, other.unused]),
            np.concatenate([self.loss, other.loss]),
            np.concatenate([self.others, other.others]),
        )

    def undominated(self, price: Floats) -> _Ways:
        """Without those that leave less unused than another of the same knapsack and yet earn no more."""
        lost = self.loss + price[self.knapsack] * self.unused
        rank = np.empty(len(lost), dtype=np.int64)
        rank[np.argsort(lost, kind="stable")] = np.arange(len(lost))
        order = np.lexsort((rank, -self.unused, self.knapsack))
        ranks = rank[order] - len(rank) * self.knapsack[order]  # whatever comes in a later knapsack is lower
        least = np.minimum.accumulate(ranks)
        kept = np.append(True, ranks[1:] < least[:-1])
        return self.part(order[kept])
