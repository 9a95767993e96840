"""The assignment test against enumeration of every machine's roles, and how exact the rows of the model are."""

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


def rows_hold(options, back, machines, only_nested=False):
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
    """Options of one mode as products and moves make them: dwell of the mode, of the target, move and way back."""
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
