"""Sites apart, each with its share of what belongs to no site: of offers, awards, and the rows that all meet in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scheduler.model.compile import Matrix
from scheduler.model.strategy.apart import Indices
from scheduler.model.strategy.blocks import rows_naming, sites_of
from scheduler.problem import Floats

DUST_MW = 1e-9
MOST_KEPT = 1.1
"""A larger part of what sites hold is none: where some give and others take, what all have says little of each."""


class Shares:
    """A matrix of many sites: which columns belong to no site, and whose they are together.

    Columns of no site hang together by rows, as the offers of a block do; ``meets`` [kinds, sites] are those whose
    columns meet some that hang together: an energy market of a country is that of its sites alone. What sites `hold`
    is theirs; what rows leave beyond it is shared, evenly. ``is_common`` [rows]: where sites meet what is shared, so
    that all must see one price; ``met_rows`` are all rows that name what is shared.
    """

    def __init__(self, matrix: Matrix, x: Floats) -> None:
        """``x`` [columns]: a plan, of which sites hold what is theirs; it may be nothing."""
        self.matrix, self.site = matrix, sites_of(matrix).astype(np.int32)
        self.is_shared = self.site < 0
        self.sites: Indices = np.unique(self.site[~self.is_shared]).astype(np.int64)
        self.offers = np.flatnonzero(matrix.coarse & self.is_shared)
        shared = np.flatnonzero(self.is_shared)
        self._kind_of_row, self._kind_of_shared = _kinds(matrix, shared)
        self.met_rows = np.flatnonzero(self._kind_of_row >= 0)
        self.meets = self._sites_of_kinds()
        self.is_common = (self._kind_of_row >= 0) & rows_naming(matrix, ~self.is_shared)
        self.is_common[_rows_of_free_columns(matrix, self.is_shared)] = False
        self.hold(x)

    def _sites_of_kinds(self) -> NDArray[np.bool_]:
        """[kinds, sites] whose columns meet what hangs together; what meets no site is everybody's."""
        kinds_count = int(max(self._kind_of_row.max(initial=-1), self._kind_of_shared.max(initial=-1))) + 1
        met = np.zeros((kinds_count, int(self.sites.max(initial=-1)) + 1), dtype=bool)
        for rows, columns, _ in self.matrix.entries(~self.is_shared):
            named = self._kind_of_row[rows] >= 0
            met[self._kind_of_row[rows[named]], self.site[columns[named]]] = True
        met[np.ix_(~met.any(axis=1), self.sites)] = True
        return met

    def hold(self, x: Floats) -> None:
        """What sites have in ``x`` [columns] is theirs from now on, and that of no site what all have together.

        Where they hold more than is sold, or less, each holds its part of what is.
        """
        matrix = self.matrix
        of_sites: Floats = matrix.matrix @ np.where(self.is_shared, 0.0, x)
        sold = matrix.row_lower - matrix.matrix @ np.where(self.is_shared, x, 0.0)
        scales = self.is_common & (matrix.row_lower == matrix.row_upper) & (np.abs(of_sites) > DUST_MW)
        self.x, self._kept_share = x, np.ones(len(self.met_rows))
        scales = scales[self.met_rows]
        self._held = of_sites[self.met_rows]
        kept = sold[self.met_rows][scales] / self._held[scales]
        self._kept_share[scales] = np.where((kept >= 0) & (kept <= MOST_KEPT), kept, 1.0)
        self._held *= self._kept_share  # both [met rows]

    def offer(self, offers: Floats) -> None:
        """Other ``offers`` [offers] than those that are held, as in `hold`."""
        x = self.x.copy()
        x[self.offers] = offers
        self.hold(x)

    def part(self, chosen: Indices) -> tuple[Indices, Indices, Matrix]:
        """Columns, rows and matrix of some sites with their share of what belongs to none: bounds and sides."""
        columns = self.columns_of(chosen)
        rows = np.unique(self.matrix.matrix[:, columns].indices).astype(np.int64)
        part = self.matrix.part(columns, rows)
        of_columns, of_rows = np.ones(len(columns)), np.append(self._share(chosen), 1.0)[self._kind_of_row[rows]]
        of_columns[self.is_shared[columns]] = self._share(chosen)[self._kind_of_shared]
        own = part.matrix @ np.where(self.is_shared[columns], 0.0, self.x[columns])
        own, all_held = own * self.spread(self._kept_share, rows), self.spread(self._held, rows)
        lower, upper = _share_of(part.lower, of_columns), _share_of(part.upper, of_columns)
        row_lower, row_upper = (own + _share_of(side - all_held, of_rows) for side in (part.row_lower, part.row_upper))
        return columns, rows, replace(part, lower=lower, upper=upper, row_lower=row_lower, row_upper=row_upper)

    def spread(self, values: Floats, rows: Indices) -> Floats:
        """[rows] the ``values`` [met rows] of those where sites meet; 0 for others."""
        spread, is_met = np.zeros(len(rows)), self.are_shared(rows)
        spread[is_met] = values[np.searchsorted(self.met_rows, rows[is_met])]
        return spread

    def gathered(self, values: Floats, rows: Indices) -> Floats:
        """[met rows] the ``values`` [rows] of those where sites meet."""
        gathered, is_met = np.zeros(len(self.met_rows)), self.are_shared(rows)
        gathered[np.searchsorted(self.met_rows, rows[is_met])] = values[is_met]
        return gathered

    def columns_of(self, chosen: Indices) -> Indices:
        """Those of some sites, and of none."""
        is_chosen = np.append(np.zeros(self.meets.shape[1], dtype=bool), True)  # the last: of no site
        is_chosen[chosen] = True
        return np.flatnonzero(is_chosen[self.site])

    def offered_by(self, chosen: Indices) -> Floats:
        """[shared columns] what some sites have of those, if each has its share."""
        offered: Floats = self._share(chosen)[self._kind_of_shared] * self.x[self.is_shared]
        return offered

    def are_shared(self, rows: Indices) -> NDArray[np.bool_]:
        """[rows] whether these name what belongs to no site."""
        shared: NDArray[np.bool_] = self._kind_of_row[rows] >= 0
        return shared

    def are_met(self, chosen: Indices, rows: Indices) -> NDArray[np.bool_]:
        """[rows] whether some sites meet there what is shared, or could."""
        is_here = np.append(self.meets[:, chosen].any(axis=1), False)
        met: NDArray[np.bool_] = is_here[self._kind_of_row[rows]]
        return met

    def _share(self, chosen: Indices) -> Floats:
        """[kinds] of some sites."""
        share: Floats = self.meets[:, chosen].sum(axis=1) / self.meets.sum(axis=1)
        return share


def _kinds(matrix: Matrix, shared: Indices) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """[rows], [shared] which rows and columns of no site hang together; -1: rows that name none of these."""
    rows_count = matrix.matrix.shape[0]
    entries = coo_array(matrix.matrix[:, shared])
    named, row = np.unique(entries.row, return_inverse=True)
    both_count = len(named) + len(shared)
    links = coo_array((np.ones(len(row)), (row, len(named) + entries.col)), shape=(both_count, both_count))
    kind = connected_components(links, directed=False)[1].astype(np.int32)
    kind_of_row = np.full(rows_count, -1, dtype=np.int32)
    kind_of_row[named] = kind[: len(named)]
    return kind_of_row, kind[len(named) :]


def _rows_of_free_columns(matrix: Matrix, is_shared: NDArray[np.bool_]) -> Indices:
    """Where a shared column without bounds, that nothing else names, takes up whatever is left, at the same price."""
    is_free = is_shared & np.isinf(matrix.lower) & np.isinf(matrix.upper) & (np.diff(matrix.matrix.indptr) == 1)
    rows: Indices = matrix.matrix.indices[matrix.matrix.indptr[:-1][is_free]].astype(np.int64)
    return rows


def _share_of(values: Floats, share: Floats) -> Floats:
    """Of nothing there is no share: 0 * infinity."""
    with np.errstate(invalid="ignore"):
        shared: Floats = np.where(share == 0, 0.0, values * share)
    return shared
