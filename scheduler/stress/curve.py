"""Profit against a price, proven at every point with few solves (docs/decisions/0016).

What may be done does not depend on prices, and the money of a plan is linear in each of them. So every plan that was
found is a line under the curve of the most money, and this curve, the largest of many lines, is convex: between two
prices it lies under the chord of its bounds there. What is left between lines and chord is the gap of a point that was
never solved. The point with the largest gap is solved next, until none is too large.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.model.clock import Clock
from scheduler.model.repricing import Money, Repricing
from scheduler.settings import SolveOptions

SHARE_OF_GAP = 0.9
"""Of the gap of a point, what a solve may leave: the rest is for the chords between solves."""
PARTS_OF_TIME = 5.0
"""A solve takes this part of the time that is left, at most."""


@dataclass(frozen=True)
class Place:
    """What is known of a point: the plan that earns most there, by its number, and a bound on what any may earn."""

    factor: float
    plan: int
    money: float
    bound: float  # infinite: none is known
    proven: bool


class Envelope:
    """Lines under the curve and proven bounds on it."""

    def __init__(self, known: Repricing, base: Money, rise: Money) -> None:
        """The money at a factor f is ``base`` + f * ``rise``."""
        self._known, self._base, self._rise = known, base, rise
        self._lines: list[tuple[float, float]] = []  # money of each plan at 0, and what it gains with the factor
        self._factors: list[float] = []  # rising, of what is proven
        self._bounds: list[float] = []
        self._hull: tuple[list[float], list[float]] | None = None  # as long as no bound is added

    def money(self, factor: float) -> Money:
        """At a factor."""
        return self._base + self._rise.times(factor)

    def prove(self, factor: float, bound: float) -> None:
        """Adds a bound, unless it is infinite; where one is known, the lower counts."""
        if not np.isfinite(bound):
            return
        self._hull = None
        at = bisect_left(self._factors, factor)
        if at < len(self._factors) and self._factors[at] == factor:
            self._bounds[at] = min(self._bounds[at], bound)
        else:
            self._factors.insert(at, factor)
            self._bounds.insert(at, bound)

    def bound(self, factor: float) -> float:
        """No plan earns more at a factor: the lowest chord between two bounds around it. Infinite beyond them."""
        if not self._factors or not self._factors[0] <= factor <= self._factors[-1]:
            return np.inf
        if self._hull is None:
            self._hull = self._lowest()
        return float(np.interp(factor, *self._hull))

    def _lowest(self) -> tuple[list[float], list[float]]:
        """The corners of the largest convex curve under all bounds, from the lowest factor up (Andrew 1979)."""
        at: list[float] = []
        bounds: list[float] = []
        for factor, bound in zip(self._factors, self._bounds, strict=True):
            while len(at) > 1 and _is_above((at[-2], bounds[-2]), (at[-1], bounds[-1]), (factor, bound)):
                del at[-1], bounds[-1]
            at.append(factor)
            bounds.append(bound)
        return at, bounds

    def best(self, factor: float) -> tuple[int, float]:
        """The plan that earns most at a factor, of all that were found, and its money."""
        for x in self._known.plans[len(self._lines) :]:
            self._lines.append((self._base.of(x), self._rise.of(x)))
        at_zero, rise = np.array(self._lines).T
        values = at_zero + factor * rise
        best = int(values.argmax())
        return best, float(values[best])


def _is_above(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Whether a point is on or above the chord of those beside it."""
    return (middle[1] - left[1]) * (right[0] - left[0]) >= (right[1] - left[1]) * (middle[0] - left[0])


def prove_points(
    known: Repricing, envelope: Envelope, factors: Sequence[float], options: SolveOptions, clock: Clock
) -> list[Place]:
    """Every point with the best plan that is known there and a bound, proven to the gap of ``options`` if time allows.

    The relaxation bounds all of them. Then one after the other is solved, ends first, then where the gap is largest. A
    point that a solve did not prove is not solved again.
    """
    for factor in factors:
        envelope.prove(factor, known.relaxed_bound(envelope.money(factor), clock))
    tried: set[float] = set()
    while True:
        places = [_place(envelope, factor, options) for factor in factors]
        open_places = [place for place in places if not place.proven and place.factor not in tried]
        if not open_places or clock.left_seconds <= 0:
            return places
        ends = [place for place in open_places if place.factor in (min(factors), max(factors))]
        place = max(ends or open_places, key=lambda place: place.bound - place.money - _allowed(place.money, options))
        tried.add(place.factor)
        found = known.solve(envelope.money(place.factor), Clock(clock.left_seconds / PARTS_OF_TIME))
        if found.bound is not None:
            envelope.prove(place.factor, found.bound)


def _place(envelope: Envelope, factor: float, options: SolveOptions) -> Place:
    plan, money = envelope.best(factor)
    bound = max(money, envelope.bound(factor))
    return Place(factor, plan, money, bound, bound - money <= _allowed(money, options))


def _allowed(money: float, options: SolveOptions) -> float:
    return max(options.abs_gap, options.rel_gap * abs(money))
