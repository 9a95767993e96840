"""HiGHS, with its traps closed.

Both statuses are read every time, no answer is never taken for "infeasible", NaN never gets in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from scheduler.errors import SolverError
from scheduler.model.clock import Clock
from scheduler.model.program import Bare, Program
from scheduler.problem import Floats

DOMINATED_COLUMN_RULE = 1 << 5
"""A rule of presolve that HiGHS 1.16.0 gets wrong: "optimal" at -1.3 where 12 is (pairs/solver-presolve-feasible)."""

DUAL_SIMPLEX, PRIMAL_SIMPLEX = 1, 4
"""HiGHS's numbers for them."""

DEVEX = 1
"""HiGHS's number for weights of the edges that begin at one and are kept roughly (Harris 1973)."""

SUB_SEARCHES = (
    "mip_heuristic_run_rens",
    "mip_heuristic_run_rins",
    "mip_heuristic_run_root_reduced_cost",
    "mip_allow_restart",
)
"""Options of HiGHS that solve other problems within a problem, or it anew from the beginning."""

NO_LIMIT: dict[str, float] = {"objective_target": -np.inf, "objective_bound": np.inf, "mip_max_nodes": 2**31 - 1}
"""Options of HiGHS that end a search, without effect."""

NEARLY_ABOVE = 2e-6
"""What HiGHS finds so near to the bound on the objective moves that bound: it is the best then, not a proof of none."""

THREADS = 2
"""One value for the life of a process: HiGHS fixes it at its first solve, and answers another with status "Not Set"."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Which columns and rows are at which of their bounds, a byte for each; as Python's objects they take far more."""

    statuses: highspy.HighsBasis
    columns_count: int
    rows_count: int


Incumbent = Callable[[Floats, float, float | None], bool | None]
"""Called with a better solution, its money and the bound, None while it is infinite.

The integers are whole within the solver's tolerance. True: it came too soon after another, tell it again later.
"""


class Outcome(Enum):
    """What a solve came to."""

    OPTIMAL = "optimal"
    LIMIT = "limit"  # the clock ended it, with or without a solution
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, eq=False)
class Result:
    """A solution, None where none was found; objective and bound in the sense of the solve."""

    outcome: Outcome
    x: Floats | None
    objective: float | None
    bound: float | None

    @property
    def solution(self) -> tuple[Floats, float] | None:
        """Values and their money, if there are any."""
        return None if self.x is None or self.objective is None else (self.x, self.objective)


class _QuietHighs(highspy.Highs):
    """Silent from the start: enabling callbacks would print a banner to standard output, where only data belongs."""

    def enableCallbacks(self) -> None:  # noqa: N802 - the library's name
        self.silent()
        super().enableCallbacks()  # type: ignore[no-untyped-call]


class Solver:
    """One matrix in one HiGHS instance; costs and bounds can be changed between solves."""

    _columns: int
    _point: Floats | None = None
    """Of the last solve, once it was asked for: handing it over number by number takes as long as a few steps."""

    def __init__(self, program: Program, *, relaxed: bool = False, seed: int = 0) -> None:
        self._columns = program.matrix.shape[1]
        self._begin(seed)
        rows = program.matrix
        whole = np.zeros(self._columns, dtype=np.int32) if relaxed else program.integer.astype(np.int32)
        kinds = (highspy.MatrixFormat.kColwise.value, highspy.ObjSense.kMinimize.value)
        costs, bounds = np.zeros(self._columns), (program.lower, program.upper, program.row_lower, program.row_upper)
        entries = (rows.indptr, rows.indices, rows.data)
        passed = self._highs.passModel(  # arrays, not an object of HiGHS, that takes them number by number
            self._columns, rows.shape[0], rows.nnz, *kinds, 0.0, costs, *bounds, *entries, whole
        )
        self._demand(passed, "passing the model")

    def _begin(self, seed: int) -> None:
        self._limited = set[str]()
        self._highs = _QuietHighs()  # type: ignore[no-untyped-call]
        self._set("threads", THREADS)
        self._set("random_seed", seed)
        self._set("presolve_rule_off", DOMINATED_COLUMN_RULE)

    def _set(self, option: str, value: bool | int | float | str) -> None:
        self._demand(self._highs.setOptionValue(option, value), f"setting {option}")

    def _limit(self, option: str, value: float | None) -> None:
        """Of this solve alone."""
        if value is not None or option in self._limited:
            self._set(option, NO_LIMIT[option] if value is None else value)
            self._limited.add(option)

    def _demand(self, status: highspy.HighsStatus, what: str) -> None:
        if status == highspy.HighsStatus.kError:
            raise SolverError(f"HiGHS refused {what}")

    @property
    def columns_count(self) -> int:
        """How many columns it has."""
        return self._columns

    def twin(self) -> Solver:
        """The same model, costs, bounds and basis in an instance of its own, for one basis after another."""
        other = self._holding(self._highs.getLp())
        other.weigh_edges_roughly()
        if (basis := self.basis()).statuses.valid:
            other.go_on_from(basis)
        return other

    def weigh_edges_roughly(self) -> None:
        """Exact ones are computed anew at each basis: two thirds of a relaxation. To be told before the first solve."""
        self._set("simplex_dual_edge_weight_strategy", DEVEX)

    def presolved(self, columns: NDArray[np.int64]) -> tuple[Solver, NDArray[np.int64]] | None:
        """What presolve leaves of a relaxation if some columns are whole, and where these are in it.

        Good for any bounds of these within those that they have. None where presolve takes one of them away.
        """
        other = self._holding(self._highs.getLp())
        for column in columns.tolist():
            other._demand(other._highs.changeColIntegrality(column, highspy.HighsVarType.kInteger), "a whole column")
            other._demand(other._highs.passColName(column, str(column)), "naming a column")
        other._demand(other._highs.presolve(), "presolve")
        left = other._highs.getPresolvedLp()
        at = {name: number for number, name in enumerate(left.col_names_) if name}
        if other._highs.getModelPresolveStatus() != highspy.HighsPresolveStatus.kReduced or len(at) < len(columns):
            return None
        is_turned = left.sense_ != self._highs.getLp().sense_
        costs, offset = np.array(left.col_cost_), left.offset_
        left.integrality_, left.col_names_, left.row_names_ = [], [], []
        reduced = self._holding(left)
        maximise = self._highs.getLp().sense_ == highspy.ObjSense.kMaximize
        reduced.set_costs(-costs if is_turned else costs, -offset if is_turned else offset, maximise=maximise)
        reduced._set("presolve", "off")
        return reduced, np.array([at[str(column)] for column in columns.tolist()], dtype=np.int64)

    @staticmethod
    def _holding(model: Any) -> Solver:
        other = Solver.__new__(Solver)
        other._columns = model.num_col_
        other._begin(0)
        other._demand(other._highs.passModel(model), "passing the model")
        return other

    def set_costs(self, costs: Floats, offset: float = 0.0, *, maximise: bool) -> None:
        """[columns] costs of every column; refuses what is not finite, which HiGHS would take."""
        if not (np.isfinite(costs).all() and np.isfinite(offset)):
            raise SolverError("a cost is not a finite number")
        every = np.arange(self._columns, dtype=np.int32)
        self._demand(self._highs.changeColsCost(self._columns, every, costs), "changing costs")
        self._demand(self._highs.changeObjectiveOffset(offset), "changing the offset")
        sense = highspy.ObjSense.kMaximize if maximise else highspy.ObjSense.kMinimize
        self._demand(self._highs.changeObjectiveSense(sense), "changing the sense")

    def set_bounds(self, columns: NDArray[np.int64], lower: Floats, upper: Floats) -> None:
        """Bounds of some columns."""
        at = columns.astype(np.int32)
        self._demand(self._highs.changeColsBounds(len(at), at, lower, upper), "changing bounds")

    def set_row_bounds(self, rows: NDArray[np.int64], lower: Floats, upper: Floats) -> None:
        """Bounds of some rows."""
        at = rows.astype(np.int32)
        change = self._highs.changeRowsBounds  # type: ignore[attr-defined] # its stub forgot it
        self._demand(change(len(at), at, lower, upper), "changing bounds of rows")

    def add_row(self, columns: NDArray[np.int64], coefficients: Floats, *, upper: float) -> None:
        """One more row: coefficients @ x[columns] <= upper."""
        at = columns.astype(np.int32)
        self._demand(self._highs.addRow(-np.inf, upper, len(at), at, coefficients), "adding a row")

    def add_rows(self, rows: csr_array, upper: Floats) -> None:
        """More rows [added, columns]: rows @ x <= upper; where the simplex method ended before it begins next."""
        count, lower = rows.shape[0], np.full(rows.shape[0], -np.inf)
        self._demand(
            self._highs.addRows(count, lower, upper, rows.nnz, rows.indptr[:-1], rows.indices, rows.data), "adding rows"
        )

    def slack_rows(self) -> NDArray[np.bool_]:
        """[rows] those that the last basis does without: where these go, it stays one."""
        return np.array([status == highspy.HighsBasisStatus.kBasic for status in self._highs.getBasis().row_status])

    def delete_rows(self, rows: NDArray[np.int64]) -> None:
        """Some slack rows; where the simplex method ended before is where it begins next."""
        self._demand(self._highs.deleteRows(len(rows), rows.astype(np.int32)), "deleting rows")

    def add_columns(self, columns: csc_array, costs: Floats, lower: Floats, upper: Floats) -> None:
        """More columns [rows, added]; where the simplex method ended before is where it begins next."""
        count = columns.shape[1]
        self._demand(
            self._highs.addCols(
                count, costs, lower, upper, columns.nnz, columns.indptr[:-1], columns.indices, columns.data
            ),
            "adding columns",
        )
        self._columns += count

    def add_empty_rows(self, lower: Floats, upper: Floats) -> None:
        """More rows, that columns to come will name."""
        nothing = np.zeros(0)
        starts = np.zeros(len(lower), dtype=np.int32)
        self._demand(
            self._highs.addRows(len(lower), lower, upper, 0, starts, nothing.astype(np.int32), nothing), "adding rows"
        )

    def basis(self) -> Basis:
        """Where the simplex method ended: for a problem of the same shape to begin there."""
        return Basis(self._highs.getBasis(), self._columns, self._highs.getNumRow())  # a copy

    def begin_from(self, basis: Basis) -> None:
        """The dual simplex method begins there, without presolve."""
        self.go_on_from(basis)
        self.go_on_from_basis(primal=False)

    def go_on_from(self, basis: Basis) -> None:
        """Begins with the basis of a problem that is built alike."""
        self._demand(self._highs.setBasis(basis.statuses), "a basis to go on from")

    def go_on_from_part(self, basis: Basis) -> None:
        """Begins with the basis of this problem before columns and rows were added."""
        columns_count, rows_count = self._columns - basis.columns_count, self._highs.getNumRow() - basis.rows_count
        if columns_count or rows_count:
            grown = Solver(Bare.empty(basis.columns_count, basis.rows_count))  # HiGHS keeps its basis as it grows
            grown.go_on_from(basis)
            nothing = np.zeros(columns_count)
            grown.add_columns(csc_array((basis.rows_count, columns_count)), nothing, nothing, nothing)
            grown.add_empty_rows(np.zeros(rows_count), np.zeros(rows_count))
            basis = grown.basis()
        self.go_on_from(basis)

    def go_on_from_basis(self, *, primal: bool) -> None:
        """From now on the simplex method from the last basis: primal after new columns and costs, else dual."""
        self._set("simplex_strategy", PRIMAL_SIMPLEX if primal else DUAL_SIMPLEX)
        self._set("presolve", "off")

    def search_the_tree_only(self) -> None:
        """From now on no searches within the search: where few integers matter, they took two thirds of the time."""
        for heuristic in SUB_SEARCHES:
            self._set(heuristic, False)

    def duals(self) -> Floats:
        """[rows] of the last relaxation: money per unit of each row."""
        return _floats(self._highs.getSolution().row_dual)

    def point(self) -> tuple[Floats, float]:
        """The last solution of the simplex method and its money: it may break a row by a little more than allowed.

        Good for prices, and to look for a plan around it; not a plan.
        """
        if self._point is None:
            self._point = _floats(self._highs.getSolution().col_value)
        return self._point, self._highs.getInfo().objective_function_value

    def start_from(self, x: Floats) -> None:
        """[columns] a solution to begin with; one that does not fit is dropped by HiGHS."""
        start = highspy.HighsSolution()
        start.col_value = x.tolist()
        self._demand(self._highs.setSolution(start), "a solution to start from")

    def solve(
        self,
        *,
        rel_gap: float,
        abs_gap: float,
        seconds: float,
        on_incumbent: Incumbent | None = None,
        enough: float | None = None,
        above: float | None = None,
        most_nodes_count: int | None = None,
    ) -> Result:
        """Solves within about ``seconds`` (the limit is soft: who needs a hard one ends the process).

        When maximising integers: ends, as at a limit, with a first solution of at least ``enough``; and asks for
        nothing but solutions of more than ``above``, INFEASIBLE where there are none, which is sooner known than the
        best: all that is surely less is cut off at once. ``most_nodes_count``: of the search; a limit, as time is.
        """
        self._limit("objective_target", enough)
        self._limit("mip_max_nodes", most_nodes_count)
        turned = None if above is None else -above  # HiGHS turns the sense, and counts the offset
        self._limit("objective_bound", turned)
        self._set("mip_rel_gap", rel_gap)
        self._set("mip_abs_gap", abs_gap)
        self._set("time_limit", max(0.01, seconds) + self._highs.getRunTime())
        news = None if on_incumbent is None else _News(on_incumbent)
        if news is not None:
            self._highs.cbMipImprovingSolution.subscribe(news.improved)
            self._highs.cbMipInterrupt.subscribe(news.asked)
        self._point = None
        status = self._highs.run()
        if self._highs.getModelStatus() == highspy.HighsModelStatus.kUnknown:
            self._demand(self._highs.clearSolver(), "beginning anew")  # a basis from before led it nowhere
            self._set("simplex_strategy", DUAL_SIMPLEX)  # from nothing the primal one, without presolve, takes minutes
            self._set("presolve", "choose")
            status = self._highs.run()
        if news is not None:
            self._highs.cbMipImprovingSolution.unsubscribe(news.improved)
            self._highs.cbMipInterrupt.unsubscribe(news.asked)
        if news is not None and news.error is not None:
            raise news.error
        outcome = self._highs.getModelStatus()
        if outcome == highspy.HighsModelStatus.kTimeLimit:
            Clock.note()
        if status == highspy.HighsStatus.kError:
            raise SolverError(f"HiGHS failed: {self._highs.modelStatusToString(outcome)}")
        info = self._highs.getInfo()
        found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        x = self.point()[0] if found else None
        objective = info.objective_function_value if found else None
        is_mip = info.mip_node_count >= 0
        bound = _finite(info.mip_dual_bound) if is_mip else objective
        known = highspy.HighsModelStatus
        if above is not None and bound is not None:
            bound = max(bound, above)
        if above is not None and outcome == known.kOptimal and (objective is None or objective < above - NEARLY_ABOVE):
            return Result(Outcome.INFEASIBLE, None, None, None)  # found on the way to what is more, and not the best
        if outcome == known.kOptimal:
            return Result(Outcome.OPTIMAL, x, objective, bound)
        if outcome == known.kInfeasible:
            return Result(Outcome.INFEASIBLE, None, None, None)
        if outcome in (known.kTimeLimit, known.kInterrupt, known.kSolutionLimit, known.kObjectiveTarget):
            return Result(Outcome.LIMIT, x, objective, bound if is_mip else None)
        words = self._highs.modelStatusToString(outcome)
        raise SolverError(f"HiGHS ended with {words}, which says nothing about the problem")


class _News:
    """Passes better solutions on; one that came too soon again when HiGHS next asks whether to go on."""

    def __init__(self, on_incumbent: Incumbent) -> None:
        self.error: Exception | None = None  # of ours: HiGHS would swallow it
        self._on_incumbent = on_incumbent
        self._waiting: tuple[Floats, float, float | None] | None = None

    def improved(self, event: Any) -> None:
        """HiGHS has found a better solution."""
        out = event.data_out
        self._tell(np.array(out.mip_solution), out.objective_function_value, _finite(out.mip_dual_bound))

    def asked(self, event: Any) -> None:
        """HiGHS asks whether to go on, a few times in a second."""
        if self.error is not None:
            event.interrupt()
        elif self._waiting is not None:
            self._tell(*self._waiting)

    def _tell(self, x: Floats, objective: float, bound: float | None) -> None:
        try:
            again = self._on_incumbent(x, objective, bound)
        except Exception as error:
            self.error, again = error, False
        self._waiting = (x, objective, bound) if again else None


def _floats(values: list[float]) -> Floats:
    return np.fromiter(values, float, len(values))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
