"""Physics once, money many: what is kept gives the same problem as a cold compile, bit for bit, or is not used."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta

import numpy as np
import pytest
from days import another_day
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_fixtures import FIXTURES, problem_of

from scheduler.assets.miner_group import MinerGroup
from scheduler.errors import SolverError
from scheduler.markets.reserve import ReserveMarket
from scheduler.model.build import Build, build, declare, physics_of
from scheduler.model.compile import Matrix, compile_matrix
from scheduler.model.kept import KEPT, Kept, key_of
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.request import schedule_request_from_pb
from scheduler.wire.response import schedule_to_pb
from tools.fixtures.scale import lumpy_request, scale_request

EVERY = sorted(path.parent.relative_to(FIXTURES).as_posix() for path in FIXTURES.rglob("request.json"))
MIXED = ["days/grid-integrated", "days/chances", "days/day-after-result", "days/microgrid-heat", "scale/s"]


def problem_from(request: pb.ScheduleRequest) -> Problem:
    return schedule_request_from_pb(request)[1]


def assert_same_bits(one: Matrix, other: Matrix) -> None:
    """Rows, columns, costs, bounds, sides: every array of the two, and the entries."""
    for field in fields(Matrix):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "matrix":
            for part in ("indptr", "indices", "data"):
                assert getattr(mine, part).tobytes() == getattr(theirs, part).tobytes(), part
        elif isinstance(mine, np.ndarray):
            assert mine.dtype == theirs.dtype and mine.tobytes() == theirs.tobytes(), field.name
        elif field.name == "shortfalls":
            assert [columns.tolist() for columns in mine] == [columns.tolist() for columns in theirs]
        elif field.name != "ledger":
            assert mine == theirs, field.name
    assert [vars(offer)["price_per_mw_h"] for offer in one.ledger.offers] == [
        vars(offer)["price_per_mw_h"] for offer in other.ledger.offers
    ]


def assert_other_days_are_known(kept: Kept, base: Problem, seeds: list[int]) -> None:
    first = compile_matrix(kept.build(base).ledger)
    for seed in seeds:
        day = another_day(base, seed)
        try:
            cold = compile_matrix(build(day).ledger)
        except SolverError as error:  # a row that can never hold: the same is said of it warm
            with pytest.raises(SolverError, match="can never hold"):
                kept.build(day)
            assert "can never hold" in str(error)
            continue
        warm = compile_matrix(kept.build(day).ledger)
        assert_same_bits(warm, cold)
        assert np.shares_memory(warm.matrix.indices, first.matrix.indices)
    assert (kept.misses_count, kept.hits_count) == (1, len(seeds))


@pytest.mark.parametrize("name", EVERY)
def test_other_days_of_every_fixture_are_known_and_the_same_as_cold(name):
    assert_other_days_are_known(Kept(), another_day(problem_of(name), 0), [1, 2])


@given(name=st.sampled_from(MIXED), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_days_at_random_are_known_and_the_same_as_cold(name, seed):
    assert_other_days_are_known(Kept(), another_day(problem_of(name), 0), [seed])


def test_days_do_change_the_problem():
    """Else the tests above would prove nothing."""
    base = problem_of("days/grid-integrated")
    one, other = (compile_matrix(build(another_day(base, seed)).ledger) for seed in (1, 2))
    for field in ("money", "lower", "upper", "row_lower", "row_upper"):
        assert (getattr(one, field) != getattr(other, field)).any(), field


@pytest.mark.parametrize("name", ["toy/whole-steps", "days/day-after-result", "days/microgrid-heat"])
def test_a_plan_of_a_known_fleet_is_the_plan_of_a_new_one(name):
    problem = problem_of(name)
    KEPT.clear()
    answers = []
    for _ in range(2):
        schedule = make_schedule(problem, SolveOptions(time_limit_seconds=120))
        assert schedule.solve.reproducible
        answers.append(schedule_to_pb(schedule).plan.SerializeToString(deterministic=True))
    assert answers[0] == answers[1]


def test_an_award_after_a_day_without_one_is_known():
    problem = problem_from(lumpy_request(3, 1))
    kept = Kept()
    kept.build(problem)
    won = [_with_awards(market) if isinstance(market, ReserveMarket) else market for market in problem.markets]
    after = replace(problem, markets=tuple(won))
    assert_same_bits(compile_matrix(kept.build(after).ledger), compile_matrix(build(after).ledger))
    assert kept.hits_count == 1


def _with_awards(market: ReserveMarket) -> ReserveMarket:
    from scheduler.markets.block import Award

    return replace(market, blocks=tuple(replace(b, awards=(Award("won", 2000, 8.0),)) for b in market.blocks))


def test_the_same_fleet_a_week_later_is_known_and_on_a_day_of_other_length_is_not():
    problem = problem_of("days/day-after-result")
    kept = Kept()
    kept.build(problem)
    assert_same_bits(
        compile_matrix(kept.build(_later(problem, 7)).ledger), compile_matrix(build(_later(problem, 7)).ledger)
    )
    assert kept.hits_count == 1
    shorter = replace(problem, horizon=replace(problem.horizon, step_minutes=5))
    assert key_of(physics_of(shorter)) != key_of(physics_of(problem))


def test_civil_days_are_part_of_the_calendar():
    """Budgets of starts count by civil day."""
    problem = problem_of("scale/s")
    later = replace(problem, horizon=replace(problem.horizon, start_utc=problem.horizon.start_utc + timedelta(hours=6)))
    moved = replace(later, markets=_later_markets(problem, timedelta(hours=6)))
    assert key_of(physics_of(moved)) != key_of(physics_of(problem))


def _later(problem: Problem, days: int) -> Problem:
    span = timedelta(days=days)
    horizon = replace(problem.horizon, start_utc=problem.horizon.start_utc + span)
    return replace(problem, horizon=horizon, markets=_later_markets(problem, span))


def _later_markets(problem: Problem, span: timedelta) -> tuple[object, ...]:
    markets = []
    for market in problem.markets:
        if isinstance(market, ReserveMarket):
            blocks = [replace(b, start_utc=b.start_utc + span, end_utc=b.end_utc + span) for b in market.blocks]
            markets.append(replace(market, blocks=tuple(blocks)))
        else:
            markets.append(market)
    return tuple(markets)


# ---- what must not be taken for the same ----------------------------------------------------------------------------


def _group(**changed: object) -> Callable[[Problem], Problem]:
    def change(problem: Problem) -> Problem:
        site = problem.sites[0]
        at = next(i for i, asset in enumerate(site.assets) if isinstance(asset, MinerGroup))
        assets = (*site.assets[:at], replace(site.assets[at], **changed), *site.assets[at + 1 :])
        return replace(problem, sites=(replace(site, assets=assets), *problem.sites[1:]))

    return change


def _first_mode(**changed: object) -> Callable[[Problem], Problem]:
    def change(problem: Problem) -> Problem:
        group = next(asset for asset in problem.sites[0].assets if isinstance(asset, MinerGroup))
        return _group(modes=(replace(group.modes[0], **changed), *group.modes[1:]))(problem)

    return change


def _first_move(**changed: object) -> Callable[[Problem], Problem]:
    def change(problem: Problem) -> Problem:
        group = next(asset for asset in problem.sites[0].assets if isinstance(asset, MinerGroup))
        return _group(moves=(replace(group.moves[0], **changed), *group.moves[1:]))(problem)

    return change


def _connection(**changed: object) -> Callable[[Problem], Problem]:
    def change(problem: Problem) -> Problem:
        site = problem.sites[0]
        return replace(problem, sites=(replace(site, connection=replace(site.connection, **changed)),))

    return change


def _product(**changed: object) -> Callable[[Problem], Problem]:
    return _reserve(lambda market: replace(market, product=replace(market.product, **changed)))


def _first_block(**changed: object) -> Callable[[Problem], Problem]:
    return _reserve(lambda market: replace(market, blocks=(replace(market.blocks[0], **changed), *market.blocks[1:])))


def _reserve(change: Callable[[ReserveMarket], ReserveMarket]) -> Callable[[Problem], Problem]:
    def changed(problem: Problem) -> Problem:
        at = next(i for i, market in enumerate(problem.markets) if isinstance(market, ReserveMarket))
        markets = (*problem.markets[:at], change(problem.markets[at]), *problem.markets[at + 1 :])
        return replace(problem, markets=markets)

    return changed


def _expected(market: ReserveMarket) -> ReserveMarket:
    return replace(
        market,
        activation={
            key: replace(one, expected_frac=one.expected_frac + 0.01) for key, one in market.activation.items()
        },
    )


OTHERS: dict[str, Callable[[Problem], Problem]] = {
    "machines": _group(machine_count=1234),
    "name": _group(id="other"),
    "delivery": _group(delivery_frac=0.5),
    "budget": _group(daily_start_budget_count=77),
    "heat": _group(heat_frac=0.25),
    "power": _first_mode(power_w=11.0),
    "dwell": _first_mode(dwell_minutes=31.0),
    "seconds": _first_move(seconds=61.5),
    "power on the way": _first_move(power_w=7.0),
    "ramp": _connection(ramp_mw_per_minute=0.7),
    "import": _connection(import_limit_mw=np.full(96, 2.0)),
    "activation time": _product(full_activation_seconds=42.0),
    "step": _product(step_kw=500),
    "smallest bid": _product(smallest_bid_kw=5000),
    "largest step": _product(max_step_mw=0.002),
    "most of a block": _first_block(max_kw=3000),
    "no such market": lambda problem: replace(problem, markets=problem.markets[:-1]),
    "expected calls": _reserve(_expected),
    "site order": lambda problem: replace(problem, sites=problem.sites[::-1]),
    "shorter": lambda problem: replace(problem, horizon=replace(problem.horizon, count=95)),
}


@pytest.mark.parametrize("change", OTHERS)
def test_any_other_change_is_another_fleet(change):
    problem = problem_of("scale/s")
    if change == "site order":
        problem = problem_from(scale_request("M", 1))
    assert key_of(physics_of(OTHERS[change](problem))) != key_of(physics_of(problem))


def test_another_fleet_is_declared_anew():
    problem = problem_of("scale/s")
    kept = Kept()
    kept.build(problem)
    other = OTHERS["dwell"](problem)
    assert_same_bits(compile_matrix(kept.build(other).ledger), compile_matrix(build(other).ledger))
    assert (kept.misses_count, kept.hits_count) == (2, 0)


def test_what_is_kept_is_bounded_and_the_longest_unused_goes_first():
    fleets = [problem_from(lumpy_request(count, 1)) for count in (2, 3, 4)]
    sizes = [declare(physics_of(fleet)).ledger.structure.size_bytes for fleet in fleets]
    kept = Kept(most_bytes=sizes[0] + sizes[2])
    for fleet in (fleets[0], fleets[1], fleets[0]):
        kept.build(fleet)
    assert (kept.misses_count, kept.hits_count) == (2, 1)
    kept.build(fleets[2])  # the second is the longest unused
    assert kept.size_bytes == sizes[0] + sizes[2]
    kept.build(fleets[0])
    assert (kept.misses_count, kept.hits_count) == (3, 2)
    tiny = Kept(most_bytes=sizes[0] - 1)
    for _ in range(2):
        tiny.build(fleets[0])
    assert (tiny.misses_count, tiny.size_bytes) == (2, 0)


def test_the_size_is_about_the_memory_that_it_takes():
    """Counted again from the arrays that are reachable, by another way."""
    made = declare(physics_of(problem_of("scale/s")))
    skeleton = made.ledger.structure.skeleton
    arrays = [skeleton.matrix.data, skeleton.matrix.indices, skeleton.matrix.indptr, skeleton.lower, skeleton.upper]
    assert sum(array.nbytes for array in arrays) < made.ledger.structure.size_bytes < 2**22


def test_a_day_adds_no_rows_and_no_variables():
    made: Build = build(problem_of("toy/whole-steps"))
    with pytest.raises(SolverError, match="closed"):
        made.ledger.variables("late", 1)
    with pytest.raises(SolverError, match="closed"):
        made.ledger.rows("late", [(1.0, made.ledger.grid_mw["site"])], upper=1.0)
