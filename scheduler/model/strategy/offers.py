"""Whole offers for a relaxation: windows propose them, and single steps from there make them better.

Every question is a relaxation that goes on from the last one. Proposals of windows among the columns in use are quick;
those of windows with all their columns bring a true bound as well, and new columns into use.
"""

from __future__ import annotations

import numpy as np

from scheduler.errors import SolverError
from scheduler.model.compile import Matrix
from scheduler.model.solve import Clock
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.model.strategy.windows import Windows, borders, even
from scheduler.problem import Floats

PRECISION = 2e-5
"""Of the money of offers that are decided."""
PROPOSALS = ((6, True), (3, False), (2, False), (3, True), (2, True))
"""How many windows, and whether with all their columns."""
PROPOSALS_OF_LARGEST = ((6, False), (3, False), (6, True), (2, False))
LARGEST_COLUMNS_COUNT = 300_000
"""Beyond this many, windows with all their columns take longer than they are worth."""
SHARE_OF_WINDOWS = 0.2
"""Of the gap, what each proposal may lose."""
SHARE_WITHOUT_STEPS = 0.5
"""Of the gap, what a proposal may lose and be taken as it is."""
HOPELESS = 100
"""Gaps below the bound at which a proposal is given up."""
NEARLY_WHOLE = 1e-6
STEPS_COUNT = 16
"""Single steps asked after for each proposal."""
WORTH_ASKING = 3e-6
"""A step is asked after if prices promise more than this share of the money."""


class Offers:
    """The best offers that were found, and a bound on all.

    ``values`` of the whole columns, None before there are any, with ``money``.
    """

    def __init__(self, relaxation: Relaxation, matrix: Matrix, seed: int, clock: Clock) -> None:
        self.bound = relaxation.bound
        self.money = -np.inf
        self.values: Floats | None = None
        self.x: Floats | None = None
        self.columns: Indices = np.flatnonzero(matrix.coarse)
        self._relaxation, self._matrix, self._seed, self._clock = relaxation, matrix, seed, clock
        self._prices = relaxation.prices_of_all_rows.copy()
        self._starts = borders(matrix)
        largest = len(matrix.money) > LARGEST_COLUMNS_COUNT
        self._proposals = list(PROPOSALS_OF_LARGEST if largest else PROPOSALS)

    def improve(self, abs_gap: float) -> bool:
        """One more proposal; false where there is none left. Raises SolverError where the time is too short."""
        if not self._proposals:
            return False
        count, with_all = self._proposals.pop(0)
        used = np.arange(len(self._matrix.money)) if with_all else np.flatnonzero(self._relaxation.used)
        starts = even(self._starts, self._matrix.ledger.intervals, count)
        windows = Windows(self._matrix if with_all else self._matrix.part(used), starts, self._prices)
        said = windows.solve(SHARE_OF_WINDOWS * abs_gap, self._clock, self._seed)
        if with_all:
            self.bound = min(self.bound, said.bound)
        if said.x is not None:
            self._relaxation.used[used[said.x != 0]] = True
            proposed = np.rint(said.x[self._matrix.coarse[used]])
            lower, upper = self._matrix.lower[self.columns], self._matrix.upper[self.columns]
            proposed = np.clip(proposed, lower, upper)
            least = self.bound - HOPELESS * abs_gap
            if not self._take(proposed, least):  # too much, for windows do not see each other: what of it there is
                self._relaxation.limit(self.columns, lower, proposed)
                self._relaxation.solve(PRECISION)
                proposed = np.floor(self._relaxation.x[self.columns] + NEARLY_WHOLE)
                self._take(proposed, -np.inf)
            if self.bound - self.money > SHARE_WITHOUT_STEPS * abs_gap:
                self._take(self._better_steps(proposed), least)
        return True

    def _take(self, values: Floats, least: float) -> bool:
        """What values of the whole columns earn, all columns considered; false if that is not more than ``least``."""
        self._relaxation.limit(self.columns, values, values)
        self._relaxation.solve(PRECISION, least)
        if self._relaxation.money > self.money:
            self.money, self.values, self.x = self._relaxation.money, values, self._relaxation.x
        return self._relaxation.money > -np.inf

    def _better_steps(self, values: Floats) -> Floats:
        """The values after single steps that each earn more among the columns in use."""
        relaxation, columns = self._relaxation, self.columns
        money, margins = relaxation.money_among_used()
        seen = {tuple(values)}
        asked = 0
        while asked < STEPS_COUNT:
            step = self._next_step(values, margins[columns], seen, WORTH_ASKING * abs(money))
            if step is None:
                break
            seen.add(tuple(step))
            asked += 1
            relaxation.limit(columns, step, step)
            try:
                found, news = relaxation.money_among_used()
            except SolverError:
                continue
            if found > money:
                values, money, margins = step, found, news
        return values

    def _next_step(self, values: Floats, margins: Floats, seen: set[tuple[float, ...]], least: float) -> Floats | None:
        """The most promising step that was not asked after yet."""
        lower, upper = self._matrix.lower[self.columns], self._matrix.upper[self.columns]
        for i in np.argsort(-np.abs(margins)):
            if abs(margins[i]) < least:
                return None
            step = values.copy()
            step[i] += np.sign(margins[i])
            if lower[i] <= step[i] <= upper[i] and tuple(step) not in seen:
                return step
        return None
