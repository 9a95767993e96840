"""Another solver, handed the same model by Pyomo: SCIP beside strategy plain.

SCIP shares with strategy plain the compiled matrix, row by row as a Pyomo model, and nothing of what happens to it
after: not our way to hand it over, not HiGHS, not the search. Obligations come before money here too (formulation 1).
"""

from dataclasses import dataclass

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import TerminationCondition
from pyomo.core.expr.numeric_expr import LinearExpression

from scheduler.model.build import build
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.component import Obligation
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import SHORTFALL_PRECISION_MW_H, search
from scheduler.problem import Problem
from scheduler.settings import SolveOptions, Strategy

EXACT = SolveOptions(rel_gap=1e-7, abs_gap=1e-4, time_limit_seconds=120, strategy=Strategy.PLAIN)
ROUNDING = 1e-3  # what each solver's tolerance of 1e-6 may be worth in money


@dataclass
class Best:
    """What a solver found: MW hours of awards missing, money and the bound on it; None: no plan at all."""

    missing_mw_h: float
    money: float
    bound: float


def pyomo_model(matrix: Matrix) -> pyo.ConcreteModel:
    """The matrix as a Pyomo model, all money as its objective."""

    def side(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    model = pyo.ConcreteModel()
    model.x = pyo.Var(range(len(matrix.money)))
    variables = list(model.x.values())
    for column, variable in enumerate(variables):
        variable.domain = pyo.Integers if matrix.integer[column] else pyo.Reals
        variable.setlb(side(matrix.lower[column]))
        variable.setub(side(matrix.upper[column]))
    rows = matrix.matrix.tocsr()
    model.rows = pyo.ConstraintList()
    for r in range(rows.shape[0]):
        at = slice(rows.indptr[r], rows.indptr[r + 1])
        body = LinearExpression(
            linear_coefs=rows.data[at].tolist(), linear_vars=[variables[c] for c in rows.indices[at]]
        )
        least, most = side(matrix.row_lower[r]), side(matrix.row_upper[r])
        if least is not None or most is not None:
            model.rows.add((body, least) if least == most else (least, body, most))
    model.money = pyo.Objective(
        expr=LinearExpression(constant=matrix.constant, linear_coefs=matrix.money.tolist(), linear_vars=variables),
        sense=pyo.maximize,
    )
    return model


def with_scip(matrix: Matrix) -> Best | None:
    model = pyomo_model(matrix)
    levels = [[model.x[int(column)] for column in matrix.shortfalls[level]] for level in Obligation]
    missing = [variable for level in levels for variable in level]
    for variable in missing:
        variable.fix(0.0)
    found = solve(model)
    all_missing = 0.0
    if found is None and missing:
        for variable in missing:
            variable.unfix()
        model.least = pyo.ConstraintList()
        for number, level in enumerate(levels):
            if not level:
                continue
            in_mw_h = matrix.ledger.hours * pyo.quicksum(level)
            model.money.deactivate()
            objective = pyo.Objective(expr=in_mw_h, sense=pyo.minimize)
            model.add_component(f"shortfall{number}", objective)
            first = solve(model)
            if first is None:
                return None
            objective.deactivate()
            model.least.add(in_mw_h <= first[0] + SHORTFALL_PRECISION_MW_H)
            all_missing += first[0]
        model.money.activate()
        found = solve(model)
    return None if found is None else Best(all_missing, *found)


def solve(model: pyo.ConcreteModel) -> tuple[float, float] | None:
    """Objective and bound; None where nothing is feasible."""
    solver = SolverFactory("scip_direct")
    result = solver.solve(
        model,
        load_solutions=False,
        raise_exception_on_nonoptimal_result=False,
        solver_options={"limits/gap": 0.0, "limits/absgap": 0.0, "limits/time": 120.0},
    )
    if result.termination_condition is TerminationCondition.provenInfeasible:
        return None
    assert result.termination_condition is TerminationCondition.convergenceCriteriaSatisfied
    return result.incumbent_objective, result.objective_bound


def with_plain(problem: Problem) -> tuple[Best | None, Matrix]:
    matrix = compile_matrix(build(problem).ledger)
    found = search(matrix, EXACT, plain)
    if found.x is None or found.bound is None:
        assert found.infeasible
        return None, matrix
    missing = float(found.x[matrix.shortfall].sum()) * matrix.ledger.hours
    return Best(missing, float(matrix.money @ found.x + matrix.constant), found.bound), matrix


def assert_same_optimum(problem: Problem) -> None:
    """Both find no plan, or the same MW hours missing and the same money."""
    ours, matrix = with_plain(problem)
    theirs = with_scip(matrix)
    if ours is None or theirs is None:
        assert ours is theirs
        return
    assert abs(theirs.missing_mw_h - ours.missing_mw_h) <= 1e-5
    room = ROUNDING + max(EXACT.abs_gap, EXACT.rel_gap * abs(ours.money))
    assert abs(theirs.money - ours.money) <= room
    assert theirs.money <= ours.bound + room
    assert ours.money <= theirs.bound + room
