"""Whole ways of single machines by branch and price (Barnhart, Johnson, Nemhauser, Savelsbergh and Vance 1998).

A branch says of a machine that it is ready to hold in an interval, or in a mode, or that it is not; or that less is
offered, or more. Its relaxation sets out from that of the branch before and takes milliseconds (`paths_program.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush

import numpy as np

from scheduler.model.clock import Clock
from scheduler.model.solve import Basis
from scheduler.model.strategy.covers import Covers
from scheduler.model.strategy.paths import Demanded
from scheduler.model.strategy.paths_program import PathsProgram, Point
from scheduler.problem import Floats

WHOLE = 1e-6
TRIED_COUNT = 6
"""Choices that are tried at a branch at most: those of which most MW are in parts."""
LEAST_LOSS = 0.1
COVERED_COUNT = 30
"""Of so many branches, the best, rows that whole machines keep are looked for: they hold for all others, too."""

Choice = tuple[int, int]
"""Machine and feature, or -1 and the number of another column."""


@dataclass(frozen=True, eq=False)
class Branch:
    """What is demanded of machines, bounds of the other columns, and the relaxation under both."""

    demanded: tuple[Demanded, ...]
    lower: Floats
    upper: Floats
    point: Point
    basis: Basis
    is_covered: bool = False
    is_priced: bool = False


class PathsTree:
    """Of a program whose relaxation is solved; rows that are found on the way are added to it."""

    def __init__(self, program: PathsProgram, covers: Covers, root: Point) -> None:
        matrix = program.matrix
        self._program, self._covers = program, covers
        self._whole = np.flatnonzero(matrix.integer[program.others])
        lower, upper = matrix.lower[program.others], matrix.upper[program.others]
        self._open = list[tuple[float, int, Branch]]()
        self._count, self._covered_count = 0, 0
        self._lost: dict[tuple[Choice, bool], float] = {}
        self._loose = -np.inf  # what the program holds for whole, and is no plan that earns as much
        self._push(Branch((), lower, upper, root, self._basis))

    @property
    def bound(self) -> float:
        """What was not found, and not ruled out, earns no more."""
        return max(self._loose, -self._open[0][0] if self._open else -np.inf)

    def ask(self, above: float, take: Callable[[Point, float], float], clock: Clock) -> None:
        """Whether any whole ways earn more than ``above``.

        ``take`` is told of each that may, with the bound, and says what is asked for then. Ends without an answer where
        the clock does, and where such ways make no plan that earns as much; raises SolverError where a relaxation is
        not solved.
        """
        while self._open and -self._open[0][0] > above >= self._loose and clock.left_seconds > 0:
            branch = self._open[0][2]
            choices = self._choices(branch)
            if not choices:
                above = max(above, take(branch.point, self.bound))
                sides = self._priced(branch, above, clock) if branch.point.bound > above else []
            elif self._covered_count < COVERED_COUNT and not branch.is_covered:
                self._covered_count += 1
                sides = self._covered(branch, above, clock)
            else:
                sides = self._sides(branch, choices, above, clock)
            heappop(self._open)  # not before: what is not solved stays open
            for side in sides:
                self._push(side)
        self._open = [each for each in self._open if -each[0] > above]

    def _priced(self, branch: Branch, above: float, clock: Clock) -> list[Branch]:
        """A branch whose whole ways make no plan that earns as much: at prices of what is held that are its own."""
        if branch.is_priced:
            self._loose = max(self._loose, branch.point.bound)
            return []
        self._set(branch.demanded, branch.lower, branch.upper, branch)
        point = self._program.relax_and_price(branch.demanded, clock, above, branch.point)
        return [] if point is None else [replace(branch, point=point, basis=self._basis, is_priced=True)]

    @property
    def _basis(self) -> Basis:
        return self._program.solver.basis()

    def _covered(self, branch: Branch, above: float, clock: Clock) -> list[Branch]:
        """The branch under more rows that whole machines keep; nothing where it has no more than ``above`` then."""
        program = self._program
        rows = self._covers.violated(program.columns_of(branch.point))
        if not rows:
            return [replace(branch, is_covered=True)]
        self._set(branch.demanded, branch.lower, branch.upper, branch)
        known = program.covers_count
        program.add_rows(rows)
        point = program.relax(branch.demanded, clock, above)
        program.drop_rows(known)
        return [] if point is None else [replace(branch, point=point, basis=self._basis, is_covered=True)]

    def _push(self, branch: Branch) -> None:
        self._count += 1
        heappush(self._open, (-branch.point.bound, self._count, branch))

    def _choices(self, branch: Branch) -> list[tuple[Choice, float]]:
        """What is not whole, with its value, the farthest first; of each machine the one that is farthest."""
        program, point = self._program, branch.point
        used = np.flatnonzero(point.shares > WHOLE)
        found = list[tuple[float, Choice, float]]()
        modes, count = program.paths.modes, program.paths.intervals
        machine = program.machine[used]
        several = np.bincount(machine, minlength=program.machines_count) > 1
        for u in np.flatnonzero(several):
            mine = used[machine == u]
            values = point.shares[mine] @ program.features[mine]
            away = np.minimum(values, 1.0 - values)
            holds = away[modes * count :]
            feature = modes * count + int(holds.argmax()) if holds.max() > WHOLE else int(away.argmax())
            if away[feature] > WHOLE:
                mw = float(program.paths.mw[:, u].max())
                found.append((float(away[feature]) * max(mw, 1.0), (int(u), feature), float(values[feature])))
        others = point.others[self._whole]
        away = np.abs(others - np.rint(others))
        for column in np.flatnonzero(away > WHOLE):
            found.append((float(away[column]), (-1, int(self._whole[column])), float(others[column])))
        found.sort(key=lambda each: -each[0])
        return [(choice, value) for _, choice, value in found]

    def _limits(
        self, demanded: tuple[Demanded, ...], lower: Floats, upper: Floats, choice: Choice, value: float, up: bool
    ) -> tuple[tuple[Demanded, ...], Floats, Floats]:
        """What is demanded where a choice is made one way."""
        u, feature = choice
        if u >= 0:
            modes, count = self._program.paths.modes, self._program.paths.intervals
            holds, at = divmod(feature, modes * count)
            interval, mode = divmod(at, modes)
            return (*demanded, Demanded(u, mode, interval, bool(holds), up)), lower, upper
        if up:
            lower = lower.copy()
            lower[feature] = np.ceil(value)
        else:
            upper = upper.copy()
            upper[feature] = np.floor(value)
        return demanded, lower, upper

    def _branch(
        self, demanded: tuple[Demanded, ...], lower: Floats, upper: Floats, before: Branch, above: float, clock: Clock
    ) -> Branch | None:
        """None where it has no more than ``above``."""
        self._set(demanded, lower, upper, before)
        point = self._program.relax(demanded, clock, above)
        if point is None or point.bound <= above:
            return None
        return Branch(demanded, lower, upper, point, self._basis)

    def _set(self, demanded: tuple[Demanded, ...], lower: Floats, upper: Floats, before: Branch) -> None:
        self._program.limit(demanded, lower, upper)
        self._program.solver.go_on_from_part(before.basis)

    def _sides(self, branch: Branch, choices: list[tuple[Choice, float]], above: float, clock: Clock) -> list[Branch]:
        """Both sides of the choice that costs most."""
        most = branch.point.bound - above
        best, chosen = -1.0, choices[0]
        if len(choices) > 1:
            for choice, value in choices[:TRIED_COUNT]:
                losses = [min(most, self._loss(branch, choice, value, up, clock)) for up in (False, True)]
                score = max(losses[0], LEAST_LOSS) * max(losses[1], LEAST_LOSS)
                if score > best:
                    best, chosen = score, (choice, value)
        sides = []
        for up in (False, True):
            limits = self._limits(branch.demanded, branch.lower, branch.upper, *chosen, up)
            side = self._branch(*limits, branch, above, clock)
            if side is not None:
                sides.append(side)
        return sides

    def _loss(self, branch: Branch, choice: Choice, value: float, up: bool, clock: Clock) -> float:
        """What a side loses: as it did when it was tried, by the ways that were there then."""
        if (choice, up) in self._lost:
            return self._lost[choice, up]
        limits = self._limits(branch.demanded, branch.lower, branch.upper, choice, value, up)
        self._set(*limits, branch)
        loss = max(0.0, branch.point.bound - self._program.estimate(clock))
        self._lost[choice, up] = loss
        return loss
