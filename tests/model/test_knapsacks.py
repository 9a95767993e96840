"""Knapsacks side by side: what is chosen fits and is the best of all choices, and the bound holds when it is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scheduler.model.strategy import knapsacks as module
from scheduler.model.strategy.knapsacks import Knapsacks, fill


def best_of_all(given: Knapsacks) -> float:
    """Every choice of every knapsack."""
    total = 0.0
    for number, limit in enumerate(given.limit):
        mine = given.knapsack == number
        weight, gain = given.weight[mine], given.gain[mine]
        choices = [np.array(choice) for choice in itertools.product(*(range(int(n) + 1) for n in given.most[mine]))]
        total += max((gain @ one for one in choices if weight @ one <= limit + 1e-9), default=0.0)
    return total


def some_knapsacks(seed: int) -> Knapsacks:
    """A few small ones: weights on a grid or not, some of nothing, gains of equals, losses, several of an item."""
    random = np.random.default_rng(seed)
    count, each = random.integers(1, 5), random.integers(1, 7)
    size = count * each
    weight = random.integers(0, 20, size) / 10 if seed % 2 else random.uniform(0, 3, size)
    if seed % 5 == 0:
        weight[:] = weight[0]
    gain = random.normal(1, 2, size).round(random.integers(0, 3))
    return Knapsacks(
        random.uniform(0, 6, count).round(1),
        np.repeat(np.arange(count), each),
        weight,
        gain,
        random.integers(0, 4, size).astype(float),
    )


def demand_fits(given: Knapsacks, taken: np.ndarray) -> None:
    used = np.bincount(given.knapsack, given.weight * taken, len(given.limit))
    assert (used <= given.limit + 1e-7).all()
    assert ((taken >= 0) & (taken <= given.most) & (taken == np.rint(taken))).all()


@pytest.mark.parametrize("seed", range(120))
def test_no_choice_is_better(seed: int) -> None:
    given = some_knapsacks(seed)
    best = best_of_all(given)
    for allowed in (0.0, 0.7):
        found = fill(given, 0.0, 0.0, allowed)
        demand_fits(given, found.taken)
        earned = given.gain @ found.taken
        assert found.bound >= best - 1e-9
        assert earned >= best - allowed - 1e-9
        assert found.bound - earned <= allowed + 1e-9


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("name", ["MOST_STATES_COUNT", "MOST_TRIED_COUNT", "FEW_STATES_COUNT"])
def test_the_bound_holds_where_there_are_too_many_ways(seed: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, 2)
    given = some_knapsacks(seed)
    found = fill(given, 0.0, 0.0, 0.0)
    demand_fits(given, found.taken)
    assert found.bound >= best_of_all(given) - 1e-9
    if name == "FEW_STATES_COUNT":  # leaving out what is worse than others leaves out nothing that is the best
        assert given.gain @ found.taken == pytest.approx(found.bound)


def test_by_hand() -> None:
    """5 MW, units of 2, 3, 4 MW that earn 8, 9, 10: the first two. With 4 MW one of them and nothing, or the last."""
    given = Knapsacks(
        np.array([5.0, 4.0]),
        np.repeat([0, 1], 3),
        np.tile([2.0, 3.0, 4.0], 2),
        np.tile([8.0, 9.0, 10.0], 2),
        np.ones(6),
    )
    found = fill(given, 0.0, 0.0, 0.0)
    assert found.taken.tolist() == [1, 1, 0, 0, 0, 1]
    assert found.bound == pytest.approx(27)


def test_alike_units_are_not_tried_one_by_one() -> None:
    """Forty alike: as many as fit, though a limit is between two of them."""
    given = Knapsacks(
        np.full(96, 51.3), np.repeat(np.arange(96), 40), np.full(3840, 2.5), np.full(3840, 3.0), np.ones(3840)
    )
    found = fill(given, 0.0, 0.0, 0.0)
    assert found.bound == pytest.approx(96 * 20 * 3.0) == given.gain @ found.taken
