"""Patterns that several components share, as pure functions on arrays of variables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scheduler.model.structure import NONE, Vars


def shifted(variables: Vars, steps: int) -> Vars:
    """[T] the variables of ``steps`` intervals earlier; none before the first."""
    out = np.full(variables.shape, NONE, dtype=np.int64)
    if steps < len(variables):
        out[steps:] = variables[: len(variables) - steps]
    return out


def window(variables: Vars, steps: int) -> Vars:
    """[T, steps] the variables of this interval and of the ``steps`` - 1 before it: their lock of ``steps`` still runs.

    Of locks beyond the horizon, what lies in it: [T, T]. Rajan and Takriti 2005, minimum up and down times.
    """
    return np.stack([shifted(variables, j) for j in range(max(1, min(steps, len(variables))))], axis=1)


def in_transit_frac(seconds: float, step_seconds: float, most_count: int) -> list[float]:
    """Share of each interval, from that of the move on, in which a move of ``seconds`` runs; of ``most_count``."""
    shares: list[float] = []
    while seconds > 0 and len(shares) < most_count:
        shares.append(min(1.0, seconds / step_seconds))
        seconds -= step_seconds
    return shares


def incompatible_sets(
    compatible: NDArray[np.bool_],
) -> list[tuple[list[int], list[int]]]:
    """Maximal sets (ups, downs) in which no up goes with any down, for ``compatible`` [ups, downs].

    A machine backs at most one option of such a set. By Koenig's theorem these sets are all the rows needed: machines
    that back ups and downs at once form a matching of the compatible pairs. Found as the closed sets of the relation
    "does not go with".
    """
    ups, downs = compatible.shape
    closed: set[frozenset[int]] = {frozenset(range(ups))}
    for d in range(downs):
        apart = frozenset(np.flatnonzero(~compatible[:, d]).tolist())
        closed |= {members & apart for members in closed}
    found: dict[tuple[Any, Any], None] = {}
    for members in sorted(closed, key=lambda s: (-len(s), sorted(s))):
        chosen = sorted(members)
        with_them = [d for d in range(downs) if not (chosen and compatible[chosen, d].any())]
        found[(tuple(sorted(members)), tuple(with_them))] = None
    return [(list(u), list(d)) for u, d in found]
