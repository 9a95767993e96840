"""The bench measures what it says, on a problem small enough for the tests."""

import time

import highspy
import numpy as np
import pytest
from builders import tiny_request_pb

from bench import figures, readers
from bench.figures import Goal, Patience, timed
from bench.measure import measure, solver_clock
from bench.prices import with_new_prices
from bench.run import GOALS, absolute_figures, overall_figures, ratio_figures, ratios_of
from scheduler.formats import entsoe_acknowledgement
from scheduler.formats.content import Content
from scheduler.formats.registry import READERS, read_content
from scheduler.model.build import physics_of
from scheduler.model.kept import key_of
from scheduler.wire.request import schedule_request_from_pb

QUICK = Patience(runs_count=1, plain_limit_seconds=30, limit_seconds=30)
ABSOLUTE = [
    *("build", "new prices", "relaxation", "reduced relaxation"),
    *("cold", "known", "first audited plan", "gap", "plain"),
]
RATIOS = ["outside/known", "first/known", "known/cold"]  # and gap/uplift where there is any
AGAINST_OTHERS = ["known/relaxation", "known/reduced relaxation", "plain/known"]


@pytest.fixture(scope="module")
def problem():
    return schedule_request_from_pb(tiny_request_pb())[1]


@pytest.fixture(scope="module")
def measured(problem):
    return measure(problem, QUICK, relaxed=True, reduced=True, plain=True)


def test_a_problem_gives_all_its_figures(measured):
    found = list(absolute_figures("tiny", measured, QUICK))
    assert [figure.name for figure in found] == [f"tiny {name}" for name in ABSOLUTE]
    for figure in found:
        assert figure.value == "none" or float(figure.value.replace(",", "")) >= 0
    ratios = list(ratio_figures("tiny", [measured]))
    assert [figure.name for figure in ratios] == [f"tiny {name}" for name in (*RATIOS, *AGAINST_OTHERS)]
    assert {figure.unit for figure in ratios} == {"ratio"}


def test_what_is_not_asked_for_is_not_measured(problem):
    found = measure(problem, QUICK, relaxed=False, reduced=False, plain=False)
    assert list(ratios_of(found)) == RATIOS
    assert found.relaxation is found.reduced is found.plain is None


def test_several_seeds_give_the_mean_and_the_worst(measured):
    (figure,) = (one for one in ratio_figures("M", [measured, measured]) if one.name == "M known/relaxation")
    assert "geometric mean of 2 seeds, the worst" in figure.against
    assert GOALS["M", "known/relaxation"].verdict(float(figure.value)) in figure.against


def test_overall_figures_need_all_their_sizes(measured):
    assert not list(overall_figures({"S": [measured], "M": [measured]}))
    every = {size: [measured] for size in ("S", "M", "L", "XL", "lumpy-50")}
    found = {figure.name: figure for figure in overall_figures(every)}
    assert found.keys() == {"plain/known", "known/reduced relaxation", "growth"}
    assert float(found["plain/known"].value) == pytest.approx(ratios_of(measured)["plain/known"], rel=0.01)
    assert float(found["growth"].value) == 1


@pytest.mark.parametrize(
    ("goal", "value", "word"),
    [(Goal(2), 2, "reached"), (Goal(2), 2.1, "missed"), (Goal(2, True), 1.9, "missed"), (Goal(2, True), 2, "reached")],
)
def test_goals(goal, value, word):
    assert goal.verdict(value).endswith(word)


def test_new_prices_are_of_the_same_fleet_and_the_same_for_the_same_number(problem):
    one, again, other = (with_new_prices(problem, number) for number in (1, 1, 2))
    assert key_of(physics_of(one)) == key_of(physics_of(problem))
    prices = [day.markets[0].price_per_mwh for day in (problem, one, again, other)]
    assert (prices[1] == prices[2]).all()
    assert (prices[0] != prices[1]).any() and (prices[1] != prices[3]).any()
    assert not list(one.violations())


def test_the_clock_of_the_solver_counts_its_runs_alone():
    run = highspy.Highs.run
    with solver_clock() as running:
        time.sleep(0.05)
        assert running.seconds == 0
        model = highspy.Highs()
        model.silent()
        model.run()
        assert 0 < running.seconds < 0.05
    assert highspy.Highs.run is run or highspy.Highs.run == run


@pytest.mark.parametrize(("long_seconds", "runs_count"), [(60.0, 5), (0.0, 1)])
def test_what_takes_long_is_run_once(monkeypatch, long_seconds, runs_count):
    monkeypatch.setattr(figures, "LONG_SECONDS", long_seconds)
    given = []
    found = timed(lambda number: given.append(number) or len(given), lambda number: number, Patience())
    assert len(given) == found.value == runs_count
    assert given == list(range(runs_count))
    assert np.isfinite(found.seconds) and found.seconds >= 0


def test_readers_give_a_figure_for_each_format_and_span(monkeypatch):
    short = {span: (minutes, 2880 // minutes) for span, (minutes, _) in readers.SPANS.items()}
    monkeypatch.setattr(readers, "SPANS", short)
    found = list(readers.reader_figures(Patience(runs_count=1)))
    wanted = [(span, name) for span in short for name, (_, spans) in readers.WRITERS.items() if span in spans]
    assert [(figure.against.partition(",")[0], figure.name) for figure in found] == [
        (span, f"read {name}") for span, name in wanted
    ]
    assert {name for _, name in wanted} == set(readers.WRITERS), "none comes in no span"
    assert all(0 <= float(figure.value) < 5 and figure.unit == "s" for figure in found)


def test_every_reader_is_measured():
    """But that of an answer without data, which holds no prices."""
    two_days = readers.prices(15, 192)
    hours, blocks = readers.prices(60, 48), readers.prices(240, 12)
    given = {readers.QUARTER: two_days, readers.YEAR: hours, readers.BLOCKS: blocks}
    formats = {
        read_content(Content(name, write(given[spans[0]]))).source.format
        for name, (write, spans) in readers.WRITERS.items()
    }
    assert formats | {entsoe_acknowledgement.NAME} == {reader.NAME for reader in READERS}
