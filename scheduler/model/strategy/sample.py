"""Where the relaxation of many sites begins: at the prices of some of them, with their share of what sites share.

A step of the simplex method takes as long as there are rows and columns, so that a fifth of the sites takes much less
than a fifth of the time, and their prices are nearly those of all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.strategy.blocks import MOST_COLUMNS_COUNT_WITH_SOLVERS, rows_naming, sites_of
from scheduler.model.strategy.relaxation import Relaxation
from scheduler.problem import Floats

FEW_SITES_COUNT = 12
"""Of no more than that all come at once."""
SITES_PER_SAMPLED = 5
MOST_SAMPLED_COUNT = 20
GAP = 1e-3


def relaxation_of(matrix: Matrix, clock: Clock) -> Relaxation:
    """The relaxation of a matrix, begun. Raises SolverError: it cannot be taken apart, or the time is too short."""
    prices = None
    with suppress(SolverError):  # the share of some may be more than they can hold: then from nothing
        prices = _prices_of_some(matrix, clock)
    return Relaxation(matrix, clock, prices)


def _prices_of_some(matrix: Matrix, clock: Clock) -> Floats | None:
    """[rows] prices at which some sites are in balance, nothing for rows of others; None where there are few."""
    site = sites_of(matrix)
    sites = np.unique(site[site >= 0])
    if len(sites) <= FEW_SITES_COUNT:
        return None
    chosen = sites[:: max(SITES_PER_SAMPLED, -(-len(sites) // MOST_SAMPLED_COUNT))]
    of_all = site < 0
    columns = np.flatnonzero(np.isin(site, chosen) | of_all)
    rows = np.unique(matrix.matrix[:, columns].indices).astype(np.int64)
    part = matrix.part(columns, rows)
    share = len(chosen) / len(sites)
    scaled: NDArray[np.float64] = np.where(of_all[columns], share, 1.0)
    sides = np.where(rows_naming(part, of_all[columns]), share, 1.0)
    some = replace(
        part,
        lower=part.lower * scaled,
        upper=part.upper * scaled,
        row_lower=part.row_lower * sides,
        row_upper=part.row_upper * sides,
    )
    keeps_solvers = len(matrix.money) <= MOST_COLUMNS_COUNT_WITH_SOLVERS
    relaxation = Relaxation(some, clock, keeps_solvers=keeps_solvers)
    relaxation.solve(GAP)
    prices = np.zeros(matrix.matrix.shape[0])
    prices[rows] = relaxation.prices
    return prices
