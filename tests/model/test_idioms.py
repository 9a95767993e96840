"""What lasts longer than the horizon is as what lasts as long as it, and costs no more."""

import numpy as np
import pytest
from builders import tiny_request_pb

from scheduler import make_plan
from scheduler.model.idioms import in_transit_frac, window
from scheduler.model.structure import NONE


def test_a_lock_beyond_the_horizon_is_a_lock_to_its_end():
    variables = np.arange(4)
    assert window(variables, 10**12).tolist() == window(variables, 4).tolist()
    assert window(variables, 2).tolist() == [[0, NONE], [1, 0], [2, 1], [3, 2]]


def test_a_move_beyond_the_horizon_is_on_its_way_to_its_end():
    assert in_transit_frac(1e300, 3600.0, 3) == [1.0, 1.0, 1.0]
    assert in_transit_frac(5400.0, 3600.0, 3) == [1.0, 0.5]


@pytest.mark.parametrize("field", ["dwell_minutes", "seconds", "seconds_until_settled"])
def test_never_is_planned_as_soon_as_the_end_of_the_day(field):
    def objective_of(minutes: float) -> float:
        request = tiny_request_pb()
        (group,) = (asset.miner_group for asset in request.problem.sites[0].assets)
        if field == "dwell_minutes":
            group.modes[1].dwell_minutes = minutes
        elif field == "seconds":
            group.moves[0].seconds = 60 * minutes
        else:
            group.initial_cohorts[0].seconds_until_settled = 60 * minutes
        return make_plan(request).plan.objective

    assert objective_of(1e9) == objective_of(1e10) == pytest.approx(objective_of(600))
