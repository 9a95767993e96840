"""Another solver finds the optimum of plain in every toy and pair."""

import pytest
from second_solver import assert_same_optimum
from tiny_fixtures import NAMES, problem_of


@pytest.mark.parametrize("name", NAMES)
def test_scip_finds_the_optimum_of_plain(name):
    assert_same_optimum(problem_of(name))
