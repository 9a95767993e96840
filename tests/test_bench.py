"""The bench measures what it says, on a problem small enough for the tests."""

import pytest
from builders import tiny_request_pb

from bench import readers, run
from bench.run import Patience, figures_of, median
from scheduler.wire.request import schedule_request_from_pb

ABSOLUTE = [
    *("build", "relaxation", "relaxation by blocks", "fast", "first audited plan"),
    *("gap", "gap of uplift", "plain"),
]
RATIOS = ["blocks/relaxation", "fast/relaxation", "first/fast", "fast/plain"]


def test_a_size_gives_all_its_figures():
    _, problem, _ = schedule_request_from_pb(tiny_request_pb())
    figures = list(figures_of("tiny", problem, Patience(runs_count=1, plain_limit_seconds=30)))
    assert [figure.name for figure in figures] == [f"tiny {name}" for name in (*ABSOLUTE, *RATIOS)]
    assert [figure.name for figure in figures if figure.unit == "ratio"] == [f"tiny {name}" for name in RATIOS]
    for figure in figures:
        assert figure.value == "none" or float(figure.value.replace(",", "")) >= 0


@pytest.mark.parametrize(("long_seconds", "runs_count"), [(60.0, 5), (0.0, 1)])
def test_what_takes_long_is_run_once(monkeypatch, long_seconds, runs_count):
    monkeypatch.setattr(run, "LONG_SECONDS", long_seconds)
    runs = []
    seconds, last = median(lambda: runs.append(1) or len(runs), Patience())
    assert len(runs) == last == runs_count
    assert seconds >= 0


def test_readers_give_a_figure_for_each_format_and_span(monkeypatch):
    monkeypatch.setattr(readers, "SPANS", {"a day": (15, 96)})
    figures = list(readers.reader_figures(Patience(runs_count=1)))
    assert [figure.name for figure in figures] == [f"read {name}" for name in readers.WRITERS]
    assert all(0 <= float(figure.value) < 5 and figure.unit == "s" for figure in figures)
