"""Whole machines around a relaxed solution, with the offers as they are.

What makes a relaxed solution hard to round is that MW are held by parts of machines: with every machine sold, three
and a half of them for one product and six and a half for another need eleven where there are ten. So the relaxation is
solved once more with the offers fixed and a margin: every hold that is used asks for a part of a machine more than its
MW need. With half a machine of margin nearly every count can be rounded where it stands; with less the plan earns more,
down to where no rounding is left and it takes a search.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock, Solver
from scheduler.model.strategy.search import with_whole_counts
from scheduler.problem import Floats

WHOLE = 1e-6
PASSES_COUNT = 3
"""With a margin on the holds that are used, others come into use: they get it in the next pass."""


class Rounding:
    """A matrix with its coarse integers as in a relaxed solution."""

    def __init__(self, matrix: Matrix, x: Floats, seed: int) -> None:
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        lower[matrix.coarse] = upper[matrix.coarse] = np.rint(x[matrix.coarse])
        self._matrix = replace(matrix, lower=lower, upper=upper)
        self._x = x
        self._seed = seed
        self._rows = csr_array(matrix.matrix)
        self._mw_per_machine = self._covers()

    def whole(
        self, margin: float, radius: int, enough: float, clock: Clock, *, gap: float
    ) -> tuple[Floats, float] | None:
        """Whole machines and their money: within ``radius`` of the relaxation with ``margin`` machines to spare.

        Ends at money of ``enough``, or within ``gap`` of the best. None where nothing was found.
        """
        near = self._with_margin(margin, clock) if margin else self._x
        if near is None:
            return None
        counts = np.flatnonzero(self._matrix.integer & ~self._matrix.coarse)
        lower, upper = self._matrix.lower.copy(), self._matrix.upper.copy()
        lower[counts] = np.maximum(lower[counts], np.floor(near[counts] + WHOLE) - radius)
        upper[counts] = np.minimum(upper[counts], np.ceil(near[counts] - WHOLE) + radius)
        solver = Solver(replace(self._matrix, lower=lower, upper=upper), seed=self._seed)
        solver.set_costs(self._matrix.money, self._matrix.constant, maximise=True)
        result = solver.solve(rel_gap=0.0, abs_gap=gap, seconds=clock.left_seconds, enough=enough)
        return None if result.x is None else with_whole_counts(self._matrix, result.x)

    def _with_margin(self, margin: float, clock: Clock) -> Floats | None:
        """The relaxation in which every hold in use has a part of a machine to spare."""
        covers = self._mw_per_machine > 0
        rows = np.flatnonzero(covers)
        used = np.zeros(len(covers), dtype=bool)
        x: Floats | None = self._x
        for _ in range(PASSES_COUNT):
            assert x is not None
            before = used.copy()
            used |= covers & (self._machines_needed(x) > WHOLE)
            if (used == before).all():
                break
            upper = np.where(used, -margin * self._mw_per_machine, 0.0)
            self._relaxed.set_row_bounds(rows, self._matrix.row_lower[rows], upper[rows])
            x = self._relaxed.solve(rel_gap=0.0, abs_gap=0.0, seconds=clock.left_seconds).x
            if x is None:
                return None
            self._relaxed.go_on_from_basis(primal=False)
        return x

    @cached_property
    def _relaxed(self) -> Solver:
        """The relaxation, warm from one margin to the next."""
        solver = Solver(self._matrix, relaxed=True)
        solver.set_costs(self._matrix.money, self._matrix.constant, maximise=True)
        return solver

    def _machines_needed(self, x: Floats) -> Floats:
        """[rows] of the rows that cover MW by machines, how many machines the MW of a solution need."""
        held = np.where(self._matrix.integer, 0.0, x)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self._mw_per_machine > 0, (self._rows @ held) / self._mw_per_machine, 0.0)

    def _covers(self) -> NDArray[np.float64]:
        """[rows] MW per machine of rows that say MW <= machines * MW per machine; 0 for all other rows."""
        matrix, rows = self._matrix, self._rows
        whole = rows.copy()
        whole.data = matrix.integer[rows.indices].astype(float)
        backing = rows.copy()
        fine = (matrix.integer & ~matrix.coarse)[rows.indices]
        backing.data = np.where(fine & (rows.data < 0), -rows.data, 0.0)
        per_machine = np.asarray(backing.sum(axis=1)).ravel()
        alone = np.asarray(whole.sum(axis=1)).ravel() == 1
        one_sided = (matrix.row_upper == 0) & np.isinf(matrix.row_lower)
        return np.where(alone & one_sided, per_machine, 0.0)
