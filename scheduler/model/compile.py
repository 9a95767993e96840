"""The model as a sparse matrix with named cost vectors: physics once, money many."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.core.expr.numeric_expr import LinearExpression
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler
from scipy.sparse import csc_array, csr_array, vstack

from scheduler.model.component import Obligation
from scheduler.model.ledger import Ledger, Values, Vars
from scheduler.problem import Floats


@dataclass(frozen=True, eq=False)
class Matrix:
    """row_lower <= matrix @ x <= row_upper, lower <= x <= upper, some of x whole; most money @ x + constant."""

    ledger: Ledger
    column_of: dict[int, int]  # id of a variable -> column
    matrix: csc_array  # [rows, columns]
    row_lower: Floats
    row_upper: Floats
    lower: Floats  # [columns]
    upper: Floats
    integer: NDArray[np.bool_]
    coarse: NDArray[np.bool_]  # integers of which one unit matters: offers, groups of few large machines
    shortfalls: tuple[NDArray[np.int64], ...]  # by `Obligation`: columns of the MW that are missing
    offers: NDArray[np.int64]  # columns that must be 1 for an offer to be submitted: without them there are none
    money: Floats  # [columns] all streams together
    constant: float
    site: NDArray[np.int64]  # [columns] number of the site that a column belongs to, -1: of all sites
    asset: NDArray[np.int64]  # [columns] number of the asset, -1: of a site or of all
    row_names: tuple[str, ...] = ()  # of a compiled ledger, as its components named them; of a part, none

    @property
    def shortfall(self) -> NDArray[np.int64]:
        """Columns of what is missing of any obligation."""
        return np.concatenate(self.shortfalls)

    def missing_hours(self, obligation: Obligation) -> Floats:
        """[columns] MW hours that are missing of an obligation, per unit of a column."""
        weights = np.zeros(self.matrix.shape[1])
        weights[self.shortfalls[obligation]] = self.ledger.hours
        return weights

    def without_shortfall(self) -> Matrix:
        """The same with every obligation met in full."""
        upper = self.upper.copy()
        upper[self.shortfall] = 0.0
        return replace(self, upper=upper)

    def with_least_shortfall(self, mw_h: float, obligation: Obligation = Obligation.AWARD) -> Matrix:
        """The same with at most ``mw_h`` of an obligation missing."""
        return replace(
            self,
            matrix=csc_array(vstack([self.matrix, csc_array(self.missing_hours(obligation)[None, :])])),
            row_lower=np.append(self.row_lower, -np.inf),
            row_upper=np.append(self.row_upper, mw_h),
        )

    def part(self, columns: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> Matrix:
        """The same with all other columns at zero and without all other rows; numbered anew, so of no ledger."""
        matrix = csc_array(self.matrix[:, columns])
        if rows is not None:
            matrix = csc_array(csr_array(matrix)[rows])
        kept = slice(None) if rows is None else rows
        position = np.full(len(self.money), -1, dtype=np.int64)
        position[columns] = np.arange(len(columns))
        return replace(
            self,
            column_of={},
            row_names=(),
            matrix=matrix,
            row_lower=self.row_lower[kept],
            row_upper=self.row_upper[kept],
            lower=self.lower[columns],
            upper=self.upper[columns],
            integer=self.integer[columns],
            coarse=self.coarse[columns],
            shortfalls=tuple(_together([position[missing]]) for missing in self.shortfalls),
            offers=_together([position[self.offers]]),
            money=self.money[columns],
            site=self.site[columns],
            asset=self.asset[columns],
        )

    def columns(self, variables: Vars) -> NDArray[np.int64]:
        """Columns of some variables, without those that no row names."""
        return _together([_columns(self.column_of, variables)])

    def values(self, x: Floats) -> Values:
        """A solution by variable."""
        listed = x.tolist()
        return Values(self.ledger.problem, {variable: listed[column] for variable, column in self.column_of.items()})


@contextmanager
def collector_paused() -> Iterator[None]:
    """Millions of small objects that all stay: the cyclic garbage collector would walk them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def compile_matrix(ledger: Ledger) -> Matrix:
    """Compiles a complete ledger. Columns follow the order in which variables were declared."""
    ordered = [variable for bounds in ledger.bounds for variable in bounds.variables]
    if not hasattr(ledger.model, "nothing"):
        ledger.model.nothing = pyo.Objective(expr=0.0)  # the compiler wants one; money travels beside the matrix
    form = LinearStandardFormCompiler().write(ledger.model, mixed_form=True, column_order=ordered)
    column_of = {id(variable): column for column, variable in enumerate(form.columns)}
    count = len(form.columns)
    lower, upper = np.zeros(count), np.zeros(count)
    integer, coarse = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    site, asset = np.full(count, -1, dtype=np.int64), np.full(count, -1, dtype=np.int64)
    sites, assets = {"": -1}, {"": -1}
    for bounds in ledger.bounds:
        at = _columns(column_of, bounds.variables)
        kept = at >= 0  # a variable that no row names does not matter
        lower[at[kept]], upper[at[kept]] = bounds.lower[kept], bounds.upper[kept]
        integer[at[kept]], coarse[at[kept]] = bounds.integer, bounds.coarse
        site[at[kept]] = sites.setdefault(bounds.owner[0], len(sites) - 1)
        asset[at[kept]] = assets.setdefault(bounds.owner[1], len(assets) - 1)
    sense = np.array([row.bound_type for row in form.rows], dtype=np.int64)
    money = np.zeros(count)
    for earning in ledger.earnings:
        at = _columns(column_of, earning.variables)
        np.add.at(money, at[at >= 0], earning.coefficients[at >= 0])
    shortfalls = tuple(
        _together([_columns(column_of, missing) for missing in ledger.shortfalls_mw.get(obligation, ())])
        for obligation in Obligation
    )
    offers = [_columns(column_of, offer.submitted) for offer in ledger.offers]
    return Matrix(
        ledger,
        column_of,
        form.A,
        np.where(sense <= 0, form.rhs, -np.inf),
        np.where(sense >= 0, form.rhs, np.inf),
        lower,
        upper,
        integer,
        coarse,
        shortfalls,
        _together(offers),
        money,
        float(sum(amount.sum() for amount in ledger.constants.values())),
        site,
        asset,
        tuple(row.constraint.parent_component().local_name for row in form.rows),
    )


def model_with_money(ledger: Ledger) -> pyo.ConcreteModel:
    """The Pyomo model that `compile_matrix` reads, with the bounds on its variables and all money as its objective.

    For solvers other than ours: with them a test proves that matrix and costs were handed over as they stand here.
    """
    for bounds in ledger.bounds:
        for variable, lower, upper in zip(bounds.variables, bounds.lower, bounds.upper, strict=True):
            variable.setlb(float(lower) if np.isfinite(lower) else None)
            variable.setub(float(upper) if np.isfinite(upper) else None)
    terms = [
        (float(money), variable)
        for earning in ledger.earnings
        for money, variable in zip(earning.coefficients, earning.variables, strict=True)
        if variable is not None and money != 0.0
    ]
    if hasattr(ledger.model, "nothing"):
        ledger.model.nothing.deactivate()
    ledger.model.money = pyo.Objective(
        expr=LinearExpression(
            constant=float(sum(amount.sum() for amount in ledger.constants.values())),
            linear_coefs=[money for money, _ in terms],
            linear_vars=[variable for _, variable in terms],
        ),
        sense=pyo.maximize,
    )
    return ledger.model


def _together(columns: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """All columns that there are."""
    found = np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)
    return found[found >= 0]


def _columns(column_of: dict[int, int], variables: NDArray[np.object_]) -> NDArray[np.int64]:
    """Column of each variable, -1 where there is none."""
    return np.array([column_of.get(id(v), -1) for v in variables.ravel()], dtype=np.int64)
