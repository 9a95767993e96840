"""Marginal values: what a little more would earn, from the problem with its whole decisions fixed (formulation 8).

Fixed are offers, what is missing of obligations, and every other whole decision of the plan, but not counts of
machines: with those fixed one more machine would have nowhere to go, and one more MW nothing that could use it. They
are counted in parts, as for the lowest prices to ask (`bid_prices.py`).

Power and connection, for every site and interval, are prices of rows. More of a block and one more machine are asked
for by solving again, warm: nothing is held of a block that is not sold, and the price of a row that cannot be less says
nothing of more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, hstack

from scheduler.assets.miner_group import MinerGroup
from scheduler.errors import SolverError
from scheduler.explanation import BlockMargin, MachineMargin, Margins, SiteMargin
from scheduler.markets.reserve import ReserveMarket
from scheduler.model.clock import Clock
from scheduler.model.compile import Matrix
from scheduler.model.ledger import Vars
from scheduler.model.solve import Outcome, Solver
from scheduler.problem import Floats

MOST_COLUMNS_COUNT = 60_000
"""Larger problems are not asked: each block and group takes a solve, and there they take long."""


def margins(matrix: Matrix, x: Floats, seconds: float) -> Margins | None:
    """Marginal values around a solution; None for a large problem, or where they take longer than ``seconds``."""
    if len(x) > MOST_COLUMNS_COUNT or seconds <= 0:
        return None
    try:
        around = _Around(matrix, x, Clock(seconds))
        return Margins(tuple(around.sites()), tuple(around.blocks()), tuple(around.machines()))
    except SolverError:  # good to have: no plan is lost for their sake
        return None


MORE_MW = 0.01
"""Of a block: a whole MW more rarely fits beside offers that are as they are. Told per MW."""


class _Around:
    """The relaxation around a solution, with a column for one more of each thing that is asked for. Raises SolverError
    where it is not solved."""

    def __init__(self, matrix: Matrix, x: Floats, clock: Clock) -> None:
        self._matrix, self._clock = matrix, clock
        self._problem = matrix.ledger.problem
        self._rows_named: dict[str, list[int]] = defaultdict(list)
        for row, name in enumerate(matrix.row_names):
            self._rows_named[name].append(row)
        self._by_row = matrix.matrix.tocsr()
        self._block_rows = dict(self._rows_of_blocks())
        self._machine_rows = dict(self._rows_of_machines())
        asked = [*self._block_rows.values(), *self._machine_rows.values()]
        self._solver = Solver(self._with_more(x, asked), relaxed=True)
        self._solver.set_costs(np.append(matrix.money, np.zeros(len(asked))), matrix.constant, maximise=True)
        money = self._solved()
        if money is None:
            raise SolverError("there is no solution around the plan")
        self._money = money
        self._duals = self._solver.duals()
        self._column_of = {key: len(matrix.money) + i for i, key in enumerate([*self._block_rows, *self._machine_rows])}

    def sites(self) -> Iterator[SiteMargin]:
        """In the order of the problem."""
        reduced = self._matrix.money - self._matrix.matrix.T @ self._duals
        for site in self._problem.sites:
            grid = self._matrix.ledger.grid_mw.get(site.id)
            if grid is None or site.connection is None:
                rows = self._rows_named[f"island[{site.id}]"]
                if len(rows) == self._problem.horizon.count:  # else nothing can change there in some interval
                    yield SiteMargin(site.id, self._duals[rows])
                continue
            of_meter = reduced[self._matrix.columns(grid)]
            power = self._prices(f"balance[{site.id}]", grid)
            more_import = np.maximum(of_meter, 0.0) + self._prices(f"import[{site.id}]", grid)
            more_export = np.maximum(-of_meter, 0.0) - self._prices(f"export[{site.id}]", grid)
            limited = np.isfinite(site.connection.import_limit_mw)
            yield SiteMargin(site.id, power, np.where(limited, more_import, 0.0), more_export)

    def blocks(self) -> Iterator[BlockMargin]:
        """Every block that anything can be held in."""
        ledger = self._matrix.ledger
        offers = Counter((offer.market_id, offer.block_id) for offer in ledger.offers)
        paid = {
            (offer.market_id, offer.block_id): offer.price_per_mw_h * len(offer.intervals) * ledger.hours
            for offer in ledger.offers
            if offer.chance == 1 and offers[offer.market_id, offer.block_id] == 1
        }
        for key in self._block_rows:
            more = self._money_with_more(key, MORE_MW)
            cost = None if more is None else (self._money - more) / MORE_MW + 0.0  # never minus zero
            profit = paid[key] - cost if cost is not None and key in paid else None
            yield BlockMargin(*key, cost=cost, profit=profit)

    def machines(self) -> Iterator[MachineMargin]:
        """One more machine of each group."""
        for key in self._machine_rows:
            more = self._money_with_more(key, 1.0)
            if more is not None:
                yield MachineMargin(key[0], more - self._money)

    def _with_more(self, x: Floats, asked: Sequence[list[int]]) -> Matrix:
        """The matrix with whole decisions fixed, and columns at 0 that raise the right-hand sides of some rows."""
        matrix = self._matrix
        counted = self._counts_of_machines()
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        fixed = matrix.integer & ~counted
        lower[fixed] = upper[fixed] = np.rint(x[fixed])
        upper[counted] = np.inf  # rows say it too: there are no more than there are (flow, lock, ready)
        upper[self._bounded_by_limits()] = np.inf  # repeats a limit of the connection, whose price it would share
        upper[matrix.shortfall] = np.maximum(lower[matrix.shortfall], x[matrix.shortfall])
        rows = np.array([row for some in asked for row in some], dtype=np.int64)
        columns = np.repeat(np.arange(len(asked)), [len(some) for some in asked])
        shape = (matrix.matrix.shape[0], len(asked))
        more = csc_array((np.full(len(rows), -1.0), (rows, columns)), shape=shape)
        nothing = np.zeros(len(asked))
        return replace(
            matrix,
            matrix=csc_array(hstack([matrix.matrix, more])),
            lower=np.append(lower, nothing),
            upper=np.append(upper, nothing),
        )

    def _counts_of_machines(self) -> NDArray[np.bool_]:
        """[columns] integers of groups of machines."""
        groups = {asset.id for asset in self._groups()}
        found = np.zeros(len(self._matrix.money), dtype=bool)
        for declared in self._matrix.ledger.declared:
            if declared.owner[1] in groups:
                found[self._matrix.columns(declared.variables)] = declared.integer
        return found

    def _bounded_by_limits(self) -> NDArray[np.int64]:
        """Columns of what is fed in and of the peak: their cost bounds them where the meter's limits do not."""
        found = [np.zeros(0, dtype=np.int64)]
        for declared in self._matrix.ledger.declared:
            if declared.name.startswith(("fed_in[", "peak[")):
                found.append(self._matrix.columns(declared.variables))
        return np.concatenate(found)

    def _groups(self) -> Iterator[MinerGroup]:
        for site in self._problem.sites:
            yield from (asset for asset in site.assets if isinstance(asset, MinerGroup))

    def _rows_of_machines(self) -> Iterator[tuple[tuple[str, str], list[int]]]:
        """One more machine begins at rest: it is in the flow of that mode before the first interval."""
        for group in self._groups():
            resting = next((m for m, mode in enumerate(group.modes) if mode.resting), 0)
            yield (group.id, ""), self._rows_named[f"flow[{group.id},{resting}]"][:1]

    def _rows_of_blocks(self) -> Iterator[tuple[tuple[str, str], list[int]]]:
        """One MW more is held in every interval of a block, in all directions of the product."""
        ledger = self._matrix.ledger
        for market in self._problem.markets:
            if not isinstance(market, ReserveMarket):
                continue
            held: list[dict[int, int]] = []  # by interval: its row; for each direction
            for demand in ledger.demands:
                if demand.market_id == market.id and demand.tranches[0].key == ("", ""):
                    mw = [claim.mw for claim in ledger.claims_on(demand) if claim.tranche is demand.tranches[0]]
                    held.append(self._rows_by_interval(f"held[{market.id},{demand.direction.value},{('', '')}]", mw))
            for block in market.blocks:
                inside = list(block.intervals(self._problem.horizon))
                if held and all(t in rows for rows in held for t in inside):
                    yield (market.id, block.id), [rows[t] for rows in held for t in inside]

    def _rows_by_interval(self, name: str, variables: Sequence[Vars]) -> dict[int, int]:
        """Rows of that name by the interval of the variables that they hold. Raises SolverError where it is not one."""
        interval_of = {
            column: t
            for some in variables
            for t, column in enumerate(self._matrix.column_of[some].tolist())
            if column >= 0
        }
        found = {}
        for row in self._rows_named[name]:
            columns = self._by_row.indices[self._by_row.indptr[row] : self._by_row.indptr[row + 1]].tolist()
            intervals = {interval_of[column] for column in columns if column in interval_of}
            if len(intervals) != 1:
                raise SolverError(f"row {row}, {name}, belongs to no one interval")
            found[intervals.pop()] = row
        return found

    def _prices(self, name: str, variables: Vars) -> Floats:
        """[T] prices of rows of that name; 0 where there is none."""
        prices = np.zeros(self._problem.horizon.count)
        for interval, row in self._rows_by_interval(name, [variables]).items():
            prices[interval] = self._duals[row]
        return prices

    def _money_with_more(self, key: tuple[str, str], amount: float) -> float | None:
        """None where that much more does not fit."""
        column, more, nothing = np.array([self._column_of[key]]), np.full(1, amount), np.zeros(1)
        self._solver.set_bounds(column, more, more)
        money = self._solved()
        self._solver.set_bounds(column, nothing, nothing)
        return money

    def _solved(self) -> float | None:
        """The most money; None where there is no solution. Raises SolverError where the time is over."""
        result = self._solver.solve(rel_gap=0.0, abs_gap=0.0, seconds=self._clock.left_seconds)
        if result.outcome is Outcome.LIMIT or self._clock.left_seconds < 0:
            raise SolverError("the time is over")
        return result.objective if result.outcome is Outcome.OPTIMAL else None
