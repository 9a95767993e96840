"""What a plan earns more than the better of the simpler ways (formulation 1 and 7), with and without awards.

With awards: the objective less the highest total. Without awards: the same difference after the capacity money of
awards and the penalties for what is missing of them are left out of both sides. That capacity money is booked in full
on both sides, whatever is held, so it cancels; penalties do not, since the plan may hold what a simpler way cannot. So
the uplift without awards is the part that is not penalties avoided, and the better way is chosen anew, by what it earns
without its penalties. What holding an award changes otherwise (activation, hashes lost to calls, wear) is real work
and stays in.

The better way is the one with more money, even where it misses awards that the plan holds: an uplift may be negative.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scheduler.plan import CashKind, CashStream, Counterfactual, Plan


class Earned(NamedTuple):
    """Money of a way of running: all of it, and the penalties in it (at most 0)."""

    total: float
    penalty: float = 0.0

    @staticmethod
    def of(cash: Iterable[CashStream]) -> Earned:
        """The sums of named streams."""
        streams = tuple(cash)
        penalty = sum(stream.total for stream in streams if stream.stream.kind is CashKind.PENALTY)
        return Earned(sum(stream.total for stream in streams), penalty)

    def counted(self, awards: bool) -> float:
        """What is compared; see the top of the module."""
        return self.total if awards else self.total - self.penalty


def better(ways: Iterable[Earned], *, awards: bool = True) -> float | None:
    """What the better way earns; None where there is none."""
    return max((way.counted(awards) for way in ways), default=None)


def uplift_between(plan: Earned, ways: Iterable[Earned], *, awards: bool = True) -> float | None:
    """What a plan earns more than the better way; None where there is none."""
    other = better(ways, awards=awards)
    return None if other is None else plan.counted(awards) - other


def better_total(ways: Iterable[Counterfactual], *, awards: bool = True) -> float | None:
    """What the better counterfactual earns, penalties included or not; None where there is none."""
    return better((Earned.of(way.cash) for way in ways), awards=awards)


def uplift(plan: Plan, *, awards: bool = True) -> float | None:
    """What a plan earns more than the better of its counterfactuals; None where it has none."""
    earned = Earned(plan.objective, Earned.of(plan.cash).penalty)
    return uplift_between(earned, [Earned.of(way.cash) for way in plan.counterfactuals], awards=awards)


def gap_of_uplift(plan: Plan, bound: float | None) -> float | None:
    """(bound - objective) / uplift over the better counterfactual; None where one is unknown or nothing is gained."""
    gained = uplift(plan)
    if bound is None or gained is None or gained <= 0:
        return None
    return max(0.0, bound - plan.objective) / gained
