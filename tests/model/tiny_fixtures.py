"""The fixtures that are small enough for a second solver and for solving them again and again: toy and pairs."""

from pathlib import Path

from scheduler.problem import Problem
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"
NAMES = sorted(
    path.parent.relative_to(FIXTURES).as_posix()
    for folder in ("toy", "pairs")
    for path in (FIXTURES / folder).rglob("request.json")
)


def problem_of(name: str) -> Problem:
    """The problem of a fixture."""
    request = schedule_request_from_json((FIXTURES / name / "request.json").read_bytes(), name)
    return schedule_request_from_pb(request)[1]
