"""Solutions on the way: audited, each better than the one before, never for the price of the solve."""

import numpy as np
import pytest
import stuck_planner
from builders import tiny_request_pb

from scheduler import check, incumbents
from scheduler.errors import SolverError
from scheduler.incumbents import Incumbents, sound_bound
from scheduler.model.clock import Clock
from scheduler.model.strategy import fast as fast_module
from scheduler.model.strategy import search as strategy_search
from scheduler.plan import AuditReport, Plan, StopReason
from scheduler.planner import make_schedule
from scheduler.wire.request import schedule_request_from_pb


@pytest.fixture
def tiny():
    _, problem, options = schedule_request_from_pb(tiny_request_pb())
    return problem, options


@pytest.fixture
def told(monkeypatch, tiny):
    """Plans the tiny problem with a strategy that reports what ``reports`` says: incumbents, answer and all news."""

    def plan(reports):
        def strategy(matrix, options, clock, on_incumbent=None):
            found, bound = stuck_planner.solutions(matrix, options, clock)
            for x, objective, own_bound in reports(matrix, *found, bound):
                on_incumbent(x, objective, own_bound)
            return stuck_planner.real(matrix, options, clock)

        monkeypatch.setattr(fast_module, "fast", strategy)
        monkeypatch.setattr(incumbents, "SHARE_OF_TIME", 1e9)
        news = []
        answer = make_schedule(*tiny, lambda phase, schedule: news.append((phase, schedule)))
        return [schedule for phase, schedule in news if schedule and phase == "solve"], answer, news

    return plan


def test_incumbents_are_audited_and_better_each_time(told, tiny):
    def reports(matrix, worst, best, bound):
        for x in (worst, best, worst, best):
            yield x, stuck_planner.money(matrix, x), bound

    (first, second), answer, _ = told(reports)
    for schedule in (first, second):
        assert not check.audit(tiny[0], schedule.plan, schedule.solve).violations
        assert schedule.solve.stop_reason is StopReason.TIME
        assert not schedule.solve.reproducible
        assert schedule.solve.objective == schedule.plan.objective <= schedule.solve.bound
    assert second.solve.gap is not None
    assert first.plan.objective < second.plan.objective == pytest.approx(answer.plan.objective)


def test_the_audited_answer_is_told_before_its_extras(told):
    _, answer, news = told(lambda *_: ())
    (phase, last) = news[-1]
    assert phase == "audit"
    assert last.solve.stop_reason is StopReason.PROVEN
    assert last.plan.objective == answer.plan.objective


def test_integers_are_rounded_and_what_fails_the_audit_is_not_told(told):
    def reports(matrix, worst, best, bound):
        yield worst + 1e-9 * matrix.integer, stuck_planner.money(matrix, worst), bound
        broken = np.where(matrix.integer, best + 3.0, best)
        yield broken, stuck_planner.money(matrix, best), bound

    (only,), answer, _ = told(reports)
    assert only.plan.objective < answer.plan.objective
    assert only.plan.sites[0].grid_mw.tolist() == [0.0] * 4, "the worst plan rests, to the last bit"


def test_bounds_that_are_none_are_not_told(told):
    def reports(matrix, worst, best, bound):
        yield worst, stuck_planner.money(matrix, worst), None
        yield best, stuck_planner.money(matrix, best), bound - 100.0

    found, _, _ = told(reports)
    assert [schedule.solve.bound for schedule in found] == [None, None]
    assert len(found) == 2


def test_auditing_takes_a_tenth_of_the_time(monkeypatch, tiny):
    """Solutions come each second, and auditing one takes a second: one in ten is looked at."""
    now = [0.0]
    monkeypatch.setattr(incumbents.time, "monotonic", lambda: now[0])

    def plan_of(x):
        now[0] += 1.0
        return Plan((), (), (), 0.0)

    monkeypatch.setattr(incumbents.check, "audit", lambda *_: AuditReport((), next(objectives), ()))
    objectives = iter(np.arange(1.0, 1000.0))
    found = []
    listener = Incumbents(*tiny, plan_of, found.append, 0.0)
    waiting = 0
    for objective in range(1, 101):
        now[0] += 1.0
        waiting += listener(np.zeros(1), float(objective), None)
    assert len(found) + waiting == 100
    assert len(found) == pytest.approx(0.1 * now[0], abs=2)
    assert listener.latest is found[-1]


def test_bounds_below_the_plan():
    assert sound_bound(None, 5.0) is None
    assert sound_bound(6.0, 5.0) == 6.0
    assert sound_bound(5000.0 - 0.4, 5000.0) == 5000.0, "noise"
    with pytest.raises(SolverError, match="below"):
        sound_bound(5000.0 - 0.6, 5000.0)


def test_what_a_time_limit_has_shaped_is_not_called_reproducible(monkeypatch):
    """Even if it is proven in the end: on a machine that is faster it may be another plan as good as this one."""
    problem = schedule_request_from_pb(tiny_request_pb())[1]
    assert make_schedule(problem).solve.reproducible
    search = strategy_search.search

    def late(*args, **more):
        found = search(*args, **more)
        assert Clock(0.0).left_seconds <= 0
        return found

    monkeypatch.setattr(strategy_search, "search", late)
    solve = make_schedule(problem).solve
    assert solve.stop_reason is StopReason.PROVEN and not solve.reproducible
