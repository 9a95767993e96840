"""The least that must go missing of the obligations of a problem: the measure of every probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scheduler.assets.firm_load import FirmLoad
from scheduler.conflict.loads import key_of
from scheduler.conflict.lots import Key, without_offers
from scheduler.errors import SolverError
from scheduler.markets.reserve import ReserveMarket
from scheduler.model.build import Build, build
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix, collector_paused, compile_matrix
from scheduler.model.component import Obligation
from scheduler.model.solve import Outcome, Solver
from scheduler.problem import Counts, Floats, Problem

MOST_WHOLE_COUNT = 3000
"""With more whole numbers than these, machines are relaxed: then one of them does not matter."""
MOST_SECONDS_EACH = 20.0
PRECISION_MW_H = 1e-6
LOAD_BEFORE_AWARDS = 1000.0
"""MW hours of awards that a probe gives up for one MWh of firm load: one solve in place of two, one after the other."""
TIE_MW_H = 1e-7
"""Breaks ties at random: else the simplex method walks among plans that miss the same, 4 times as long (measured)."""


@dataclass(frozen=True, eq=False)
class Model:
    """The model of a problem without offers, and where the shortfalls are in it."""

    made: Build
    matrix: Matrix

    def columns(self, variables: Any) -> tuple[Counts, Counts]:
        """Of an array of variables [T]: the intervals that have one, and their columns."""
        columns = self.matrix.column_of[variables]
        intervals = np.flatnonzero(columns >= 0)
        return intervals, columns[intervals]

    def missing(self) -> dict[Key, Any]:
        """The variables of what is missing, by award and by firm load, [T] each."""
        awards = {
            (market.id, block.id, award.id): self.made.markets[market.id].missing_mw[block.id, a]
            for market in self.made.problem.markets
            if isinstance(market, ReserveMarket)
            for block in market.blocks
            for a, award in enumerate(block.awards)
        }
        loads = {
            key_of(site.id, asset.id): self.made.assets[asset.id].unserved_mw
            for site in self.made.problem.sites
            for asset in site.assets
            if isinstance(asset, FirmLoad)
        }
        return awards | loads


@dataclass(frozen=True, eq=False)
class Least:
    """What is missing at least, in all (inf: no plan exists), and by obligation and interval in one such plan."""

    mw_h: float
    missing_mw: dict[Key, Floats]  # [T] each
    of_awards_mw_h: float
    is_proven: bool = True  # else less may be possible: the clock ended it

    @property
    def together_mw(self) -> Floats:
        """[T] of all obligations; without any, 0."""
        return np.asarray(sum(self.missing_mw.values(), np.zeros(1)))


def model_of(problem: Problem, *, awards: bool = True) -> Model:
    """The model of a problem without offers, which never help an obligation."""
    with collector_paused():
        made = build(without_offers(problem, awards=awards))
        return Model(made, compile_matrix(made.ledger))


def least(model: Model, clock: Clock, *, whole: bool, seed: int) -> Least | None:
    """The least shortfall in MW hours; None where the clock or the solver gave none.

    ``whole`` False: with machines in parts, which is never more than the truth.
    """
    matrix = model.matrix
    seconds = min(clock.left_seconds / 2, MOST_SECONDS_EACH)
    if seconds <= 0:
        return None
    try:
        solver = Solver(matrix, relaxed=not whole, seed=seed)
        loads, awards = (matrix.missing_hours(obligation) for obligation in Obligation)
        ties = 0.0 if whole else TIE_MW_H * np.random.default_rng(seed).random(len(awards))
        solver.set_costs(LOAD_BEFORE_AWARDS * loads + awards + ties, maximise=False)
        result = solver.solve(rel_gap=0.0, abs_gap=PRECISION_MW_H, seconds=seconds)
    except SolverError:
        return None  # a probe that says nothing
    if result.outcome is Outcome.INFEASIBLE:
        return Least(np.inf, {}, np.inf)
    if result.x is None:
        return None
    missing_mw = {}
    for key, variables in model.missing().items():
        intervals, columns = model.columns(variables)
        missing_mw[key] = np.zeros(matrix.ledger.intervals)
        missing_mw[key][intervals] = result.x[columns]
    mw_h = max(0.0, float((loads + awards) @ result.x))
    is_proven = result.outcome is Outcome.OPTIMAL
    return Least(mw_h, missing_mw, max(0.0, float(awards @ result.x)), is_proven)
