"""The cheapest way out of a conflict: awards bought back in steps for their whole block, penalties for the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csc_array, hstack, vstack

from scheduler.conflict.least import MOST_SECONDS_EACH, MOST_WHOLE_COUNT, Model, least, model_of
from scheduler.conflict.lots import MISSING_MW, Key, Lot, reduced
from scheduler.errors import SolverError
from scheduler.markets.block import KW_PER_MW
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.component import Obligation
from scheduler.model.solve import Outcome, Solver
from scheduler.problem import Counts, Floats, Problem

WORTHWHILE = 0.005
"""Money: a way out that is not cheaper by this is not another."""
TIE_PER_MW_H = 1e-3
"""Money per MW h by which less is better where prices do not tell."""
MOST_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Release:
    """What becomes of one award: MW bought back for the whole block, and what stays missing against its penalty."""

    lot: Lot
    bought_kw: int
    unpaid_mw: Floats  # [T] missing even so
    unpaid_mw_h: float

    @property
    def buy_back_cost(self) -> float:
        """Price times MW times the block's hours inside the horizon."""
        return (self.lot.award.buy_back_per_mw_h or 0.0) * self.bought_kw / KW_PER_MW * self.lot.hours

    @property
    def penalty_cost(self) -> float:
        """For what stays missing."""
        return self.lot.award.penalty_per_mw_h * self.unpaid_mw_h

    @property
    def cost(self) -> float:
        """Both."""
        return self.buy_back_cost + self.penalty_cost


@dataclass(frozen=True, eq=False)
class WayOut:
    """What becomes of every award that is touched."""

    releases: dict[Key, Release] = field(default_factory=dict)
    checked: bool = False  # solved anew: nothing is missing beyond what it says
    is_cut: bool = False  # the clock ended the search for a cheaper one
    traded: WayOut | None = None  # where it pays penalties for what could be bought back: the cheapest that does not

    @property
    def cost(self) -> float:
        """Sum of all."""
        return sum(release.cost for release in self.releases.values())

    @property
    def bought_kw(self) -> dict[Key, int]:
        """What is bought back, by award."""
        return {key: release.bought_kw for key, release in self.releases.items() if release.bought_kw}

    @property
    def unpaid_mw_h(self) -> float:
        """What stays missing."""
        return sum(release.unpaid_mw_h for release in self.releases.values())

    @property
    def breaches(self) -> bool:
        """Whether it pays a penalty where it could buy back."""
        return any(
            release.unpaid_mw_h and release.lot.award.buy_back_per_mw_h is not None
            for release in self.releases.values()
        )


def cheapest_way_out(problem: Problem, lots: list[Lot], clock: Clock, seed: int, unserved_mwh: float = 0.0) -> WayOut:
    """The cheapest way out that is known, and the cheapest in trades alone where that one pays penalties instead.

    ``unserved_mwh`` of firm load are missing in the relaxed plan, and no more are in any way out.
    """
    if not any(lot.missing_mw.any() for lot in lots):
        return WayOut()
    way = _cheapest(problem, lots, Clock(clock.left_seconds / 2), seed, unserved_mwh, penalties=True)
    if way.breaches:
        traded = _cheapest(problem, lots, clock, seed, unserved_mwh, penalties=False)
        return replace(way, traded=traded, is_cut=way.is_cut or traded.is_cut)
    return way


def _cheapest(
    problem: Problem, lots: list[Lot], clock: Clock, seed: int, unserved_mwh: float, *, penalties: bool
) -> WayOut:
    """Of the relaxed plan's own way out, and of any other split of the shortfall.

    The first always holds: the relaxed plan backs at least what is left of each award, and backing less is not barred.
    """
    own = WayOut(
        {lot.key: release_of(problem, lot, lot.missing_mw, penalties=penalties) for lot in lots if lot.missing_mw.any()}
    )
    other = _of_any_plan(problem, lots, Clock(clock.left_seconds / 2), seed, unserved_mwh, penalties=penalties)
    is_cut = other.is_cut
    if other.releases and other.cost < own.cost - WORTHWHILE:
        other = _checked(problem, lots, other, clock, seed, penalties=penalties)
        is_cut |= other.is_cut
        if other.checked and other.cost < own.cost - WORTHWHILE:
            return replace(other, is_cut=is_cut)
    own = _checked(problem, lots, own, clock, seed, penalties=penalties)
    return replace(own, is_cut=is_cut or own.is_cut)


def release_of(problem: Problem, lot: Lot, missing_mw: Floats, *, penalties: bool = True) -> Release:
    """The cheapest for one award and what would be missing of it; without ``penalties``, what can be is bought back.

    A penalty of 0 says nothing about what a breach costs: then, too, what can be bought back is bought back.
    """
    award, hours = lot.award, problem.horizon.step_hours
    choices = [0]
    if award.buy_back_per_mw_h is not None and missing_mw.any():
        step_kw = lot.market.product.step_kw
        steps = {lot.steps_kw(float(mw)) for mw in missing_mw[missing_mw > 0]}
        less = {step_kw * ((kw - 1) // step_kw) for kw in steps}  # between two levels, cost is linear
        choices = sorted({0} | steps | less) if penalties and award.penalty_per_mw_h > 0 else [max(steps)]

    def released(kw: int) -> Release:
        unpaid_mw = np.maximum(0.0, missing_mw - kw / KW_PER_MW)
        unpaid_mw[unpaid_mw <= MISSING_MW] = 0.0
        return Release(lot, kw, unpaid_mw, float(unpaid_mw.sum()) * hours)

    return min((released(kw) for kw in choices), key=lambda release: (release.cost, release.unpaid_mw_h))


def _checked(problem: Problem, lots: list[Lot], way: WayOut, clock: Clock, seed: int, *, penalties: bool) -> WayOut:
    """Solves what is left of the awards anew, and gives up more of them where they surely still clash."""
    for _ in range(MOST_ROUNDS):
        found = None
        if clock.left_seconds > 0:
            found = least(model_of(reduced(problem, way.bought_kw)), clock, whole=True, seed=seed)
        if found is not None and found.of_awards_mw_h <= way.unpaid_mw_h + MISSING_MW:
            return replace(way, checked=True)
        if found is None or not found.is_proven:
            return replace(way, is_cut=True)
        releases = dict(way.releases)
        for lot in lots:
            bought_mw = way.bought_kw.get(lot.key, 0) / KW_PER_MW
            still_mw = found.missing_mw.get(lot.key, np.zeros(problem.horizon.count))
            if (still_mw > MISSING_MW).any():
                owed_mw = np.where(still_mw > MISSING_MW, still_mw, 0.0)
                owed_mw[list(lot.intervals)] += bought_mw
                releases[lot.key] = release_of(problem, lot, owed_mw, penalties=penalties)
        way = WayOut(releases)
    return way


def _of_any_plan(
    problem: Problem, lots: list[Lot], clock: Clock, seed: int, unserved_mwh: float, *, penalties: bool
) -> WayOut:
    """The least money over every way to share the shortfall out; never more MW hours missing than at least must be.

    Without releases where none was found.
    """
    if len(lots) < 2 and lots[0].award.buy_back_per_mw_h is None:  # all of it is paid for, whenever it is missing
        return WayOut()
    if clock.left_seconds <= 0:
        return WayOut(is_cut=True)
    model = model_of(problem)
    if len(model.matrix.shortfalls[Obligation.FIRM_LOAD]):
        served = model.matrix.with_least_shortfall(unserved_mwh + MISSING_MW, Obligation.FIRM_LOAD)
        model = replace(model, matrix=served)
    whole = int(model.matrix.integer.sum()) <= MOST_WHOLE_COUNT
    market = _Market(problem, model, lots, penalties=penalties)
    try:
        solver = Solver(market.matrix(whole=whole), seed=seed)
        solver.set_costs(market.costs, maximise=False)
        seconds = min(clock.left_seconds, MOST_SECONDS_EACH)
        result = solver.solve(rel_gap=1e-6, abs_gap=WORTHWHILE, seconds=seconds)
    except SolverError:
        return WayOut()
    is_cut = result.outcome is Outcome.LIMIT
    return WayOut({} if result.x is None else dict(market.releases(result.x)), is_cut=is_cut)


@dataclass(frozen=True, eq=False)
class _Cover:
    """Columns that cover what is missing of an award: whole steps bought back, or MW against the penalty."""

    lot: Lot
    missing: Counts  # columns of what is missing
    intervals: Counts  # their intervals
    steps: int | None  # column
    unpaid: Counts  # columns, one per interval, or none


class _Market:
    """The least-shortfall model, and what covers the shortfall of each award at a price.

    For each award and interval: missing - step * steps - unpaid <= 0. All unpaid is at most the least shortfall.
    """

    def __init__(self, problem: Problem, model: Model, lots: list[Lot], *, penalties: bool) -> None:
        self.penalties = penalties
        self.hours = problem.horizon.step_hours
        self.count = problem.horizon.count
        self.model = model
        self.first = len(model.matrix.money)
        self.added_costs: list[float] = []
        self.added_upper: list[float] = []
        missing = model.missing()
        self.covers = [self._cover(lot, *model.columns(missing[lot.key])) for lot in lots]
        self.most_unpaid_mw_h = sum(lot.missing_mw_h for lot in lots) + MISSING_MW

    @property
    def costs(self) -> Floats:
        """[columns] money, and a little for what is touched at all."""
        return np.concatenate([np.zeros(self.first), self.added_costs])

    def _cover(self, lot: Lot, intervals: Counts, missing: Counts) -> _Cover:
        award, step_mw = lot.award, lot.market.product.step_kw / KW_PER_MW
        steps: int | None = None
        unpaid: Counts = np.zeros(0, dtype=np.int64)
        if award.buy_back_per_mw_h is not None:
            price = max(0.0, award.buy_back_per_mw_h) + TIE_PER_MW_H
            (steps,) = self._add(1, price * step_mw * lot.hours, math.ceil(lot.award_mw / step_mw - 1e-9)).tolist()
        if (self.penalties and award.penalty_per_mw_h > 0) or award.buy_back_per_mw_h is None:
            unpaid = self._add(len(missing), (award.penalty_per_mw_h + TIE_PER_MW_H) * self.hours, lot.award_mw)
        return _Cover(lot, missing, intervals, steps, unpaid)

    def _add(self, count: int, cost: float, upper: float) -> Counts:
        columns: Counts = self.first + len(self.added_costs) + np.arange(count, dtype=np.int64)
        self.added_costs += [cost] * count
        self.added_upper += [upper] * count
        return columns

    def matrix(self, *, whole: bool) -> Matrix:
        """The model's matrix with these columns and rows."""
        old, added = self.model.matrix, len(self.added_costs)
        rows = [row for cover in self.covers for row in self._rows(cover)]
        rows.append([(column, self.hours) for cover in self.covers for column in cover.unpaid])
        cells = [(r, column, coefficient) for r, row in enumerate(rows) for column, coefficient in row]
        at, columns, coefficients = zip(*cells, strict=True)
        below = csc_array((coefficients, (at, columns)), shape=(len(rows), self.first + added))
        most = np.zeros(len(rows))
        most[-1] = self.most_unpaid_mw_h
        steps = np.zeros(added, dtype=bool)
        steps[[cover.steps - self.first for cover in self.covers if cover.steps is not None]] = True
        return replace(
            old,
            matrix=csc_array(vstack([hstack([old.matrix, csc_array((old.matrix.shape[0], added))]), below])),
            row_lower=np.concatenate([old.row_lower, np.full(len(rows), -np.inf)]),
            row_upper=np.concatenate([old.row_upper, most]),
            lower=np.concatenate([old.lower, np.zeros(added)]),
            upper=np.concatenate([old.upper, self.added_upper]),
            integer=np.concatenate([old.integer if whole else old.coarse, steps]),
        )

    def _rows(self, cover: _Cover) -> Iterator[list[tuple[int, float]]]:
        for i, column in enumerate(cover.missing):
            row = [(column, 1.0)]
            if cover.steps is not None:
                row.append((cover.steps, -cover.lot.market.product.step_kw / KW_PER_MW))
            if len(cover.unpaid):
                row.append((cover.unpaid[i], -1.0))
            yield row

    def releases(self, x: Floats) -> Iterator[tuple[Key, Release]]:
        """What a solution does with each award; awards that it leaves alone are left out."""
        for cover in self.covers:
            lot, bought_kw = cover.lot, 0
            if cover.steps is not None:
                bought_kw = min(lot.award.kw, round(x[cover.steps]) * lot.market.product.step_kw)
            unpaid_mw = np.zeros(self.count)
            if len(cover.unpaid):
                unpaid_mw[cover.intervals] = np.where(x[cover.unpaid] > MISSING_MW, x[cover.unpaid], 0.0)
            if bought_kw or unpaid_mw.any():
                yield lot.key, Release(lot, bought_kw, unpaid_mw, float(unpaid_mw.sum()) * self.hours)
