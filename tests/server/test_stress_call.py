"""Stress as a caller meets it: the same answer as here, and refusals with their fields."""

from pathlib import Path

import pytest
from builders import tiny_request_pb

from scheduler.client import CallError, Client
from scheduler.errors import InvalidRequestError

DAY = Path(__file__).resolve().parents[2] / "fixtures" / "days" / "grid-integrated" / "request.json"


@pytest.fixture(scope="module")
def client(address):
    with Client(address, timeout_seconds=60) as opened:
        yield opened


def test_curves_and_break_evens_come_back(client):
    answer = client.stress(DAY, points_count=5, power_to=1.5)
    assert answer.complete and not answer.HasField("no_plan")
    assert [len(curve.points) for curve in answer.curves] == [5, 5, 5]
    assert answer.curves[1].points[-1].factor == 1.5
    assert all(point.proven and point.HasField("gap") for curve in answer.curves for point in curve.points)
    assert len(answer.break_evens) == 8 and answer.problem_digest


def test_what_is_wrong_is_named(client):
    with pytest.raises(InvalidRequestError) as refused:
        client.stress(DAY, points_count=1)
    assert [violation.field for violation in refused.value.violations] == ["points_count"]
    broken = tiny_request_pb()
    broken.problem.currency_code = "EURO"
    with pytest.raises(InvalidRequestError) as refused:
        client.stress(broken)
    assert [violation.field for violation in refused.value.violations] == ["problem.currency_code"]


def test_a_deadline_that_is_too_close_is_said(client):
    with pytest.raises(CallError) as late:
        client.stress(DAY, timeout_seconds=0.3)
    assert late.value.code == "DEADLINE_EXCEEDED"
