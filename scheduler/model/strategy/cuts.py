"""What each answer of the blocks says of all offers: cuts of their money (Geoffrion 1972, generalised Benders).

By weak duality prices of the rows bound the money, and of the offers only their bounds enter. So prices that were
asked for some offers bound the money of any others: money of offers <= money + money_per_unit @ offers. Of all cuts the
least counts, and that offers are whole makes it less again.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.program import Bare
from scheduler.model.solve import Solver
from scheduler.problem import Floats

MOST_COLUMNS_COUNT = 100
"""Of more offers, such as those of large units, only the least cut counts."""
MOST_NODES_COUNT = 1000
ENDLESS = 1e15
"""What is more says nothing, and upsets a solver."""


class Cuts:
    """Cuts of the offers [n], and the prices [m] that each comes from, those of rows that were added later missing."""

    def __init__(self) -> None:
        self._money: list[float] = []
        self._money_per_unit: list[Floats] = []
        self._prices: list[Floats] = []

    def add(self, money: float, money_per_unit: Floats, prices: Floats) -> None:
        """What was asked last."""
        self._money.append(money)
        self._money_per_unit.append(money_per_unit)
        self._prices.append(prices)

    def each(self, lower: Floats, upper: Floats) -> Floats:
        """[cuts] the most money for offers within bounds."""
        per_unit = np.stack(self._money_per_unit)
        best = np.where(per_unit > 0, upper, lower)
        most: Floats = np.array(self._money) + (per_unit * np.where(per_unit != 0, best, 0.0)).sum(axis=1)
        return most

    def least(self, lower: Floats, upper: Floats) -> tuple[float, Floats]:
        """The most money for offers within bounds, and the prices that say so."""
        each = self.each(lower, upper)
        least = int(np.argmin(each))
        return float(each[least]), self._prices[least]

    def of_whole(self, lower: Floats, upper: Floats, clock: Clock) -> float:
        """The most money for whole offers within bounds, by all cuts together; by the least alone without time."""
        each = self.each(lower, upper)
        kept = np.flatnonzero(each < ENDLESS)
        count = len(lower)
        least = float(each.min())
        if not len(kept) or count > MOST_COLUMNS_COUNT or clock.left_seconds <= 0:
            return least
        per_unit = np.stack([self._money_per_unit[cut] for cut in kept])
        rest = least - np.array([self._money[cut] for cut in kept])
        program = Bare(  # lost of what the least leaves, and offers: lost + money_per_unit @ offers >= rest
            csc_array(np.hstack([np.ones((len(kept), 1)), per_unit])),
            rest,
            np.full(len(kept), np.inf),
            np.append(0.0, lower),
            np.append(np.inf, upper),
            np.append(False, np.ones(count, dtype=bool)),
        )
        solver = Solver(program)
        solver.set_costs(np.append(1.0, np.zeros(count)), maximise=False)
        seconds = clock.left_seconds
        try:
            lost = solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=seconds, most_nodes_count=MOST_NODES_COUNT).bound
        except SolverError:
            return least
        return least if lost is None else least - max(0.0, lost)  # there is always a solution
