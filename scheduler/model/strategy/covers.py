"""Rows that whole machines keep: an offer stands on machines, not on parts of them (formulation 10).

What a product takes in an interval is held by machines, each of which is behind it or not. The relaxation runs parts
of a machine to fill an offer to the brim. Two kinds of rows cut that off, found for a solution and true at any prices:

- mixed-integer rounding (Nemhauser and Wolsey 1990; Marchand and Wolsey 2001) of "offers + awards <= MW of machines",
  with some of the machines counted by how many are missing, in whole steps or in the MW of one machine;
- covers of two intervals (Carr, Fleischer, Leung and Phillips 2000): an offer that spans both is at most what some
  machines B hold in one of them, and so of those beside A in the other no more than MW(B) - MW(A) of each counts:

    offers + awards - MW(A) <= sum beside A of min(MW, MW(B) - MW(A)) * machines + MW of machines beside B
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scheduler.model.compile import Matrix
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.rounding import mw_per_machine
from scheduler.model.strategy.rows import Row
from scheduler.model.strategy.tightening import asked_of, entries_of, steps_mw
from scheduler.problem import Floats

Chosen = NDArray[np.bool_]

LEAST_PART = 0.02
"""Of what is rounded: less, or more than the rest of it, makes rows steep."""
LEAST_CUT = 3e-4
"""How far beyond a row a solution must be, in lengths of the row."""
LEAST_COVER_MW = 0.01
MOST_OF_INTERVAL = 3
"""Rows of the first kind for each interval and product."""
NEARLY = 1e-3
"""So near to whole a machine counts as whole when machines are chosen for a row."""
FLIPS = 6
"""So many machines on both sides of the last one that is chosen are tried the other way."""
SPARE_MW = 0.5
"""Where more than that is held beyond what is offered, no row is looked for."""
DUST = 1e-9


@dataclass(frozen=True, eq=False)
class Held:
    """What a product takes in an interval, and who may stand behind it."""

    interval: int
    offers: Indices
    offered_mw: Floats  # of each unit of an offer
    step_mw: float
    awarded_mw: float
    machines: Indices  # columns that count machines
    mw: Floats  # of one machine
    most: Floats  # machines
    loose: Indices  # columns of MW that are no machines'
    loose_mw: Floats

    @property
    def offer_key(self) -> tuple[bytes, bytes, float]:
        """The same for intervals in which the same offers and awards stand."""
        return self.offers.tobytes(), self.offered_mw.tobytes(), self.awarded_mw


class Covers:
    """All rows of these kinds that a matrix may have."""

    def __init__(self, matrix: Matrix) -> None:
        self._held = list(_held(matrix))
        spans: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for number, held in enumerate(self._held):
            spans[held.offer_key].append(number)
        self._spans = list(spans.values())

    def violated(self, x: Floats) -> list[Row]:
        """Rows that a solution breaks."""
        there = [_There(held, x) for held in self._held]
        rows = [row for each in there for row in _rounded(each)]
        for span in self._spans:
            rows += _covers([there[number] for number in span])
        return rows


class _There:
    """What holds in a solution, machines by falling share of those that are there."""

    def __init__(self, held: Held, x: Floats) -> None:
        share = np.clip(x[held.machines] / held.most, 0.0, 1.0)
        order = np.argsort(-share, kind="stable")
        self.held = held
        self.machines, self.mw = held.machines[order], held.mw[order]
        self.all_mw = self.mw * held.most[order]
        self.most, self.share = held.most[order], share[order]
        self.offered_mw = float(held.offered_mw @ x[held.offers])
        self.loose_mw = max(0.0, float(held.loose_mw @ x[held.loose]))
        self.whole_until = int(np.searchsorted(-self.share, -(1 - NEARLY), side="right"))
        self.none_from = int(np.searchsorted(-self.share, -NEARLY, side="right"))
        steps = x[held.offers]
        parts = (self.share > DUST) & (self.share < 1 - DUST)
        self.is_whole = bool((np.abs(steps - np.rint(steps)) < DUST).all()) and not parts.any()
        self.until_mw = np.append(0.0, np.cumsum(self.all_mw))  # of the first so many
        in_use_mw = (self.all_mw * self.share)[::-1]
        self.beside_mw = np.append(np.cumsum(in_use_mw)[::-1], 0.0)  # of all from there on
        self.spare_mw = float(self.beside_mw[0]) + self.loose_mw - self.offered_mw - held.awarded_mw

    def near(self, below: int, above: int) -> range:
        """How many machines may be chosen: from some fewer than are whole to some more than are there at all."""
        return range(max(0, self.whole_until - below), min(len(self.mw), self.none_from + above) + 1)


def _held(matrix: Matrix) -> Iterator[Held]:
    every = replace(matrix, coarse=np.zeros_like(matrix.coarse))
    rows = csr_array(matrix.matrix)
    per_machine = mw_per_machine(every, rows)
    machines_of, mw_of = np.full(len(matrix.money), -1, dtype=np.int64), np.zeros(len(matrix.money))
    for row in np.flatnonzero(per_machine > 0):
        here = slice(rows.indptr[row], rows.indptr[row + 1])
        columns, factors = rows.indices[here], rows.data[here]
        is_count = matrix.integer[columns]
        if (factors[~is_count] == 1.0).all():  # MW themselves, not parts of them
            machines_of[columns[~is_count]] = columns[is_count][0]
            mw_of[columns[is_count]] = per_machine[row]
    for product in asked_of(matrix):
        steps = steps_mw(product.offered)
        for t in np.flatnonzero(steps > 0).tolist():
            offers, offered_mw = entries_of(product.offered, t)
            columns, factors = entries_of(product.held, t)
            machines = machines_of[columns]
            loose = (machines < 0) | (factors != 1.0)
            counts = np.unique(machines[~loose])
            counts = counts[matrix.upper[counts] > 0]
            others, others_mw = entries_of(product.loose, t)
            if np.isfinite(matrix.upper[counts]).all() and (matrix.lower[counts] >= 0).all():
                yield Held(
                    t,
                    offers,
                    offered_mw,
                    float(steps[t]),
                    float(product.awarded_mw[t]),
                    counts,
                    mw_of[counts],
                    matrix.upper[counts],
                    np.append(columns[loose], others),
                    np.append(factors[loose], others_mw),
                )


def _rounded_factor(factor: Floats, part: Floats | float) -> Floats:
    """What mixed-integer rounding makes of the factor of a whole number, where ``part`` is that of the side."""
    whole = np.floor(factor + DUST)
    rounded: Floats = whole + np.maximum(0.0, np.maximum(factor - whole, 0.0) - part) / (1.0 - part)
    return rounded


def _rounded(there: _There) -> Iterator[Row]:
    """Rows by mixed-integer rounding, those that cut most."""
    if there.is_whole or there.offered_mw < DUST or not len(there.mw) or there.spare_mw > SPARE_MW:
        return
    low = max(0, there.whole_until - FLIPS - 1)
    window = slice(low, min(len(there.mw), there.none_from + FLIPS + 1))  # all others add nothing
    choices = _choices(there, window)
    mw, share, most = there.mw[window], there.share[window], there.most[window]
    sides = there.until_mw[low] + choices @ there.all_mw[window] - there.held.awarded_mw
    parts_mw = mw[(share > NEARLY) & (share < 1 - NEARLY)]
    units_mw = np.unique(np.round([there.held.step_mw, *parts_mw, *(parts_mw / 2)], 6))
    whole, part = np.divmod(sides / units_mw[:, None], 1.0)  # [units, choices]
    fits = (part > LEAST_PART) & (part < 1.0 - LEAST_PART)
    if not fits.any():
        return
    part = np.where(fits, part, 0.5)[:, :, None]
    missing = _rounded_factor((mw / units_mw[:, None])[:, None, :], part) * ((1.0 - share) * most)
    running = _rounded_factor((-mw / units_mw[:, None])[:, None, :], part) * (share * most)
    step = there.held.step_mw
    offered = _rounded_factor(step / units_mw[:, None], part[:, :, 0]) / step * there.offered_mw
    loose = there.loose_mw / units_mw[:, None] / (1.0 - part[:, :, 0])
    beyond = offered - loose + np.where(choices, missing, running).sum(axis=2) - whole
    beyond[~fits] = -np.inf
    found = [
        (float(beyond[u, i]), choices[i], float(unit_mw))
        for u, unit_mw in enumerate(units_mw)
        for i in np.argsort(-beyond[u])[:2]
        if beyond[u, i] > LEAST_CUT
    ]
    rows = [_row_of(there, low, chosen, unit_mw) for _, chosen, unit_mw in found]
    cuts = [(cut / float(np.linalg.norm(row.factors)), row) for (cut, _, _), row in zip(found, rows, strict=True)]
    for cut, row in sorted(cuts, key=lambda each: -each[0])[:MOST_OF_INTERVAL]:
        if cut > LEAST_CUT:
            yield row


def _choices(there: _There, window: slice) -> Chosen:
    """[choices, window] the machines that are counted by how many are missing: the first so many, but for one."""
    size = window.stop - window.start
    first = np.array([np.arange(window.start, window.stop) < k for k in there.near(1, 1)]).reshape(-1, size)
    flipped = [first]
    for k, chosen in zip(there.near(1, 1), first, strict=True):
        at = np.arange(max(0, k - FLIPS - window.start), min(size, k + FLIPS - window.start))
        others = np.repeat(chosen[None, :], len(at), axis=0)
        others[np.arange(len(at)), at] ^= True
        flipped.append(others)
    every = np.concatenate(flipped)
    bits = np.ascontiguousarray(np.packbits(every, axis=1))
    _, at = np.unique(bits.view(f"V{bits.shape[1]}").ravel(), return_index=True)
    return every[at]


def _row_of(there: _There, low: int, chosen: Chosen, unit_mw: float) -> Row:
    held, every = there.held, np.arange(len(there.mw)) < low
    every[low : low + len(chosen)] = chosen
    side = (float(there.all_mw[every].sum()) - held.awarded_mw) / unit_mw
    part = side % 1.0
    missing, running = (_rounded_factor(sign * there.mw / unit_mw, part) for sign in (1.0, -1.0))
    offered = _rounded_factor(held.offered_mw / unit_mw, part)
    columns = np.concatenate([held.offers, there.machines, held.loose])
    factors = [offered, np.where(every, -missing, running), -held.loose_mw / unit_mw / (1.0 - part)]
    return _clean(columns, np.concatenate(factors), float(np.floor(side)) - float((missing * there.most)[every].sum()))


def _covers(span: Sequence[_There]) -> Iterator[Row]:
    """Of each interval of an offer the cover that it breaks most, with any other interval of the same offer."""
    if len(span) < 2 or span[0].offered_mw < DUST:
        return
    limits = [(other, k) for other in span for k in other.near(2, 2)]
    most_mw = np.array([other.until_mw[k] for other, k in limits])
    beside_mw = np.array([other.beside_mw[k] + other.loose_mw for other, k in limits])
    for there in span:
        if there.spare_mw > SPARE_MW:
            continue
        best, found = LEAST_COVER_MW, None
        in_use = slice(0, there.none_from + 1)
        for k in there.near(3, 0):
            cap_mw = most_mw - there.until_mw[k]
            mw, share = there.mw[in_use][k:], (there.share * there.most)[in_use][k:]
            counted_mw = np.minimum(mw[None, :], cap_mw[:, None]) @ share
            needed_mw = there.offered_mw + there.held.awarded_mw - there.until_mw[k] - there.loose_mw
            beyond = np.where(cap_mw > DUST, needed_mw - counted_mw - beside_mw, -np.inf)
            i = int(np.argmax(beyond))
            if beyond[i] > best:
                best, found = float(beyond[i]), (k, limits[i], float(cap_mw[i]))
        if found is not None:
            yield _cover(there, *found)


def _cover(there: _There, k: int, limit: tuple[_There, int], cap_mw: float) -> Row:
    (other, beside), held = limit, there.held
    columns = [held.offers, there.machines[k:], held.loose, other.machines[beside:], other.held.loose]
    factors = [held.offered_mw, -np.minimum(there.mw[k:], cap_mw), -held.loose_mw, -other.mw[beside:]]
    factors.append(-other.held.loose_mw)
    return _clean(np.concatenate(columns), np.concatenate(factors), float(there.until_mw[k]) - held.awarded_mw)


def _clean(columns: Indices, factors: Floats, upper: float) -> Row:
    """Each column once, none without a factor."""
    named, at = np.unique(columns, return_inverse=True)
    summed: Floats = np.bincount(at, factors, len(named)).astype(float)
    kept = np.abs(summed) > DUST
    return Row(named[kept], summed[kept], upper)
