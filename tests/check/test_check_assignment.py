"""The assignment test against enumeration of all roles, and how exact the rows of decision 1 are."""

import random
from functools import cache
from itertools import combinations

import numpy as np
import pytest

from scheduler.check.assignment import Option, unassignable
from scheduler.problem import Direction

UP, DOWN = Direction.UP, Direction.DOWN
BUSY = float("inf")  # seconds of a machine whose dwell still runs


def ready(machines, slack):
    return sum(seconds <= slack for seconds in machines)


def enumerated(options, back, machines):
    """Whether the machines can take the roles: every choice for every machine is tried."""

    @cache
    def place(index, rest):
        if not any(rest):
            return True
        if index == len(machines):
            return False
        mine = [o for o, option in enumerate(options) if rest[o] and machines[index] <= option.slack_seconds]
        pairs = [(a, b) for a, b in combinations(mine, 2) if options[a].goes_with(options[b])]
        for role in [(), *((o,) for o in mine), *pairs]:
            if place(index + 1, tuple(count - (o in role) for o, count in enumerate(rest))):
                return True
        return False

    return place(0, tuple(back))


def rows_hold(options, back, machines):
    """The rows of decision 1: per threshold, for every set of options of which no two go together."""
    for slack in {option.slack_seconds for option in options}:
        inside = [o for o, option in enumerate(options) if option.slack_seconds <= slack]
        for size in range(1, len(inside) + 1):
            for chosen in combinations(inside, size):
                apart = not any(options[a].goes_with(options[b]) for a, b in combinations(chosen, 2))
                if apart and sum(back[o] for o in chosen) > ready(machines, slack):
                    return False
    return True


def audited(options, back, machines):
    column = np.array(back, dtype=np.int64)[:, None]
    return not unassignable(options, column, lambda slack: np.array([ready(machines, slack)]))[0]


def random_case(rng, times, most_options, most_machines):
    """Options of one mode as products and moves make them: dwells of both modes, move and way back."""
    dwell_here = rng.choice([0, 0, rng.choice(times)])
    options = []
    for _ in range(rng.randint(1, most_options)):
        limit = rng.choice(times)
        seconds = rng.choice([0, 0, *(t for t in times if t <= limit)])
        longest = max(dwell_here, seconds, rng.choice([0, *times]), rng.choice([0, *times]))
        options.append(Option(rng.choice([UP, DOWN]), limit, limit - seconds, longest))
    machines = tuple(rng.choice([0, 0, BUSY, rng.choice(times)]) for _ in range(rng.randint(1, most_machines)))
    back = tuple(rng.randint(0, 3) for _ in options)
    return options, back, machines


def test_it_agrees_with_enumeration():
    """It accepts what can be assigned, and nothing else; random options and machines."""
    rng = random.Random(20260105)
    accepted = 0
    for _ in range(15_000):
        case = random_case(rng, rng.sample(range(2, 13), rng.randint(2, 6)), 6, 4)
        fits = enumerated(*case)
        accepted += fits
        assert audited(*case) == fits, case
        assert rows_hold(*case) or not fits, case  # the rows never refuse what is possible
    assert 2_000 < accepted < 13_000


def test_many_intervals_at_once_are_each_their_own():
    rng = random.Random(7)
    for _ in range(300):
        options, _, machines = random_case(rng, [2, 4, 6, 9], 5, 4)
        back = np.array([[rng.randint(0, 2) for _ in range(6)] for _ in options])
        crowds = [tuple(rng.sample(machines, rng.randint(0, len(machines)))) for _ in range(6)]
        bad = unassignable(options, back, lambda slack, c=crowds: np.array([ready(m, slack) for m in c]))
        assert [not flag for flag in bad] == [enumerated(options, tuple(back[:, t]), crowds[t]) for t in range(6)]


# u goes with d, x with d, u with y, and x not with y; u and d leave less slack than x and y.
PATH = [
    Option(UP, 300, 100, 200),
    Option(DOWN, 200, 0, 200),
    Option(UP, 200, 200, 200),
    Option(DOWN, 300, 300, 300),
]


def is_path(options):
    """Whether some x - u - d - y go together, x and y do not, and u and d leave less slack than they."""
    numbers = range(len(options))
    return any(
        max(options[u].slack_seconds, options[d].slack_seconds)
        < min(options[x].slack_seconds, options[y].slack_seconds)
        and options[u].goes_with(options[d])
        and options[x].goes_with(options[d])
        and options[u].goes_with(options[y])
        and not options[x].goes_with(options[y])
        for u in numbers
        for d in numbers
        for x in numbers
        for y in numbers
        if x != u
        and y != d
        and options[u].direction is not options[d].direction
        and options[x].direction is options[u].direction
        and options[y].direction is options[d].direction
    )


@pytest.mark.parametrize("each", [1, 50])
def test_the_rows_of_decision_1_are_not_exact(each):
    """One settled machine, one on its way for 200 s more, four options: the rows hold, no assignment exists.

    The settled one must do both u and d, which only it is fast enough for; x and y are left to the other, and
    they do not go together.
    """
    machines = (0,) * each + (200,) * each
    back = (each,) * 4
    assert is_path(PATH)
    if each == 1:
        assert rows_hold(PATH, back, machines)
        assert not enumerated(PATH, back, machines)
    assert not audited(PATH, back, machines)
    assert audited(PATH, (each, each, each, 0), machines)
    assert audited(PATH, back, (0,) * (2 * each))
    # The row that is missing: all four are at most ready(slack of u, d) + ready(slack of x, y).
    assert sum(back) > ready(machines, 100) + ready(machines, 300)


def test_without_such_a_path_the_rows_are_exact():
    """Random options near the four above, and a fifth: where the rows are not exact, there is such a path."""
    rng = random.Random(11)
    paths = gaps = 0
    for _ in range(5_000):
        options = []
        for near in (*PATH, rng.choice(PATH)):
            limit = max(1, near.full_activation_seconds // 100 + rng.choice([0, 0, 1, -1]))
            slack = min(limit, max(0, near.slack_seconds // 100 + rng.choice([0, 0, 1, -1])))
            longest = max(limit - slack, near.longest_seconds // 100 + rng.choice([0, 0, 1, -1]))
            options.append(Option(near.direction, limit, slack, longest))
        machines = tuple(rng.randint(0, 3) for _ in range(rng.randint(1, 3)))
        back = (*(rng.choice([0, 1, 1, 1]) for _ in PATH), rng.choice([0, 0, 1]))
        asked = [option for option, count in zip(options, back, strict=True) if count]
        exact = rows_hold(options, back, machines) == enumerated(options, back, machines)
        paths += is_path(asked)
        gaps += not exact
        assert exact or is_path(asked), (options, back, machines)
    assert paths > gaps > 0


def test_the_search_gives_up_on_the_safe_side(monkeypatch):
    monkeypatch.setattr("scheduler.check.assignment.MOST_NODES", 0)
    assert not audited(PATH, (2, 2, 1, 1), (0, 0, 0, 200))
    monkeypatch.undo()
    assert audited(PATH, (2, 2, 1, 1), (0, 0, 0, 200)) == enumerated(PATH, (2, 2, 1, 1), (0, 0, 0, 200))
