"""No row without a reason: each family of rows, each bound and each integrality of the model binds in a toy or a pair.

Dropped alone, it changes what awards miss or what is earned, makes the checker refuse the plan, or lets money grow
without end.
The families are read from the source, so that a new row without a fixture fails here.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tiny_fixtures import NAMES, problem_of

import scheduler
from scheduler import check
from scheduler.errors import SolverError
from scheduler.ladder import with_ladders
from scheduler.model.build import Build, build, extract
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.ledger import Values
from scheduler.model.strategy.plain import plain
from scheduler.model.strategy.search import search
from scheduler.settings import SolveOptions

EXACT = SolveOptions(rel_gap=1e-7, abs_gap=1e-4, time_limit_seconds=60)
PACKAGE = Path(scheduler.__file__).parent

DIFFERENT_MONEY, DIFFERENT_MW_H = 0.01, 1e-4

REDUNDANT = {
    "back:lower": "step: what is held is at least 0",
    "back:upper": "ready: no more than machines in the mode",
    "both:integer": "no case is known in which it binds",
    "both:upper": "both_of: no more than back",
    "charges:lower": "only_charges",
    "charges:upper": "only_discharges",
    "count:upper": "flow: machines are neither made nor lost",
    "count:integer": "flow: moves are whole",
    "is_short:lower": "one_way_short",
    "is_short:upper": "one_way_long",
    "long:upper": "one_way_long",
    "output:lower": "least_output",
    "fed_in:upper": "grid: no more is fed in than the export limit",
    "served:lower": "unserved: the least of it, whatever is taken",
    "move:upper": "lock: those who moved in are there",
    "short:upper": "one_way_short",
    "steps:upper": "steps_if, unless awards leave room for the smallest bid alone",
}
"""Bounds that the rest of the model implies, and what implies them: they help the solver."""


# ---- what there is -------------------------------------------------------------------------------------------------


def names_in_source(method: str) -> set[str]:
    """What is named in calls of a method of the ledger, up to the bracket: rows("flow[...]", ...) gives flow."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name == "v1":
            continue
        tree = ast.parse(path.read_text("utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            for call in ast.walk(function):
                if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                    continue
                if call.func.attr == method and call.args and "ledger" in ast.unparse(call.func.value):
                    name = text_of(call.args[0], function)
                    assert name, f"{path}:{call.lineno}: name it with an f-string that begins with its family"
                    found.add(name.split("[")[0])
    return found


def text_of(node: ast.expr, function: ast.FunctionDef) -> str:
    """The constant text that a name begins with."""
    if isinstance(node, ast.Name):
        for assignment in ast.walk(function):
            if isinstance(assignment, ast.Assign) and ast.unparse(assignment.targets[0]) == node.id:
                return text_of(assignment.value, function)
    if isinstance(node, ast.JoinedStr):
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def parts_of(family: str) -> list[str]:
    """The finite bounds and the integrality of a family of variables in the fixtures: lower, upper, integer."""
    found: set[str] = set()
    for name in NAMES:
        for own, declared in named_bounds(case_of(name)):
            if own == family:
                columns = case_of(name).matrix.columns(declared.variables)
                found |= {"lower"} if np.isfinite(case_of(name).matrix.lower[columns]).any() else set()
                found |= {"upper"} if np.isfinite(case_of(name).matrix.upper[columns]).any() else set()
                found |= {"integer"} if declared.integer else set()
    return sorted(found)


# ---- a fixture, and the same with something dropped ----------------------------------------------------------------


@dataclass
class Outcome:
    """What came of a solve; a plan that is refused or has no bound is never the plan of the whole model."""

    exists: bool
    missing_mw_h: float = 0.0
    money: float = 0.0
    wrong: str = ""

    def differs(self, other: "Outcome") -> bool:
        return (
            self.exists is not other.exists
            or bool(self.wrong)
            or abs(self.missing_mw_h - other.missing_mw_h) > DIFFERENT_MW_H
            or abs(self.money - other.money) > DIFFERENT_MONEY
        )


@dataclass
class Case:
    """A fixture, compiled, with the family of each row."""

    made: Build
    matrix: Matrix
    families: np.ndarray

    def solve(self, matrix: Matrix) -> Outcome:
        try:
            found = search(matrix, EXACT, plain)
        except SolverError as error:
            assert "nbounded" in str(error)
            return Outcome(True, wrong="money without end")
        if found.x is None:
            assert found.infeasible
            return Outcome(False)
        missing = float(found.x[matrix.shortfall].sum()) * self.made.ledger.hours
        money = float(matrix.money @ found.x + matrix.constant)
        return Outcome(True, missing, money, self.violations(found.x))

    def violations(self, x: np.ndarray) -> str:
        problem = self.made.problem
        plan = with_ladders(problem, extract(self.made, Values(problem, self.matrix.values(x).of)))
        plan = replace(plan, objective=sum(stream.total for stream in check.money(problem, plan)))
        return "\n".join(map(str, check.audit(problem, plan).violations))

    def without_rows(self, family: str) -> Matrix | None:
        dropped = self.families == family
        if not dropped.any():
            return None
        lower = np.where(dropped, -np.inf, self.matrix.row_lower)
        return replace(self.matrix, row_lower=lower, row_upper=np.where(dropped, np.inf, self.matrix.row_upper))

    def without(self, named: str) -> Matrix | None:
        """The matrix without family:lower, family:upper or family:integer; None where it has none.

        Whole moves make whole counts and the other way round, nearly: they are let go together.
        """
        family, part = named.split(":")
        families = {"move", "count"} if named == "move:integer" else {family}
        some = [declared.variables for name, declared in named_bounds(self) if name in families]
        columns = np.concatenate([self.matrix.columns(variables) for variables in some]) if some else np.zeros(0)
        if not len(columns):
            return None
        changed = getattr(self.matrix, part).copy()
        changed[columns] = {"lower": -np.inf, "upper": np.inf, "integer": False}[part]
        return replace(self.matrix, **{part: changed})


@cache
def case_of(name: str) -> Case:
    made = build(problem_of(name))
    matrix = compile_matrix(made.ledger)
    families = np.array([name.split("[")[0] for name in matrix.row_names])
    assert len(families) == matrix.matrix.shape[0]
    return Case(made, matrix, families)


@cache
def whole(name: str) -> Outcome:
    outcome = case_of(name).solve(case_of(name).matrix)
    assert not outcome.wrong
    return outcome


def named_bounds(case: Case) -> Iterator[tuple[str, object]]:
    for declared in case.made.ledger.declared:
        if declared.variables.size:
            yield declared.name.split("[")[0], declared


# ---- tests ---------------------------------------------------------------------------------------------------------


def binds(name: str, dropped: Matrix | None) -> bool:
    return dropped is not None and case_of(name).solve(dropped).differs(whole(name))


@pytest.mark.parametrize("family", sorted(names_in_source("rows")))
def test_row_binds_in_a_fixture(family):
    assert any(binds(name, case_of(name).without_rows(family)) for name in NAMES), (
        f"no toy and no pair changes when the rows {family}[...] are dropped: write one"
    )


@pytest.mark.parametrize("family", sorted(names_in_source("variables")))
def test_bounds_and_whole_numbers_bind(family):
    for part in parts_of(family):
        named = f"{family}:{part}"
        found = any(binds(name, case_of(name).without(named)) for name in NAMES)
        assert found is not (named in REDUNDANT), f"{named} {'is not redundant' if found else 'binds nowhere'}"


def test_every_family_of_rows_and_variables_is_found_in_source():
    """So that one of a new kind of call is not overlooked."""
    rows = {family for name in NAMES for family in case_of(name).families.tolist()}
    assert rows <= names_in_source("rows")
    variables = {family for name in NAMES for family, _ in named_bounds(case_of(name))}
    assert variables == names_in_source("variables")
