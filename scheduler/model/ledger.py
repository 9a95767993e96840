"""Where components meet: power injected at sites, MW claimed for reserve, money earned by named stream.

A component sees its own variables and the ledger, nothing else. Variables travel as arrays of their numbers, shape [T]
unless said, in which `NONE` stands for "no variable here": rows skip it, its value is zero.

What is declared and constrained is kept from day to day; what a day brings (money, bounds of variables, sides of rows)
is written down anew for each, by `price` of every component (docs/decisions/0017).
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scheduler.model.component import Demand, LoneMachine, Obligation, Tranche
from scheduler.model.heat import HeatLoop
from scheduler.model.structure import NONE, Declared, Owner, Rows, Structure, Term, Vars, demand_possible
from scheduler.plan import Stream
from scheduler.problem import Counts, Floats, Problem, Site

__all__ = ["Claim", "Day", "Earning", "Ledger", "Offer", "Rows", "Term", "Values", "Vars"]


@dataclass(frozen=True, eq=False)
class Claim:
    """MW that an asset holds for a tranche of a demand."""

    demand: Demand
    tranche: Tranche
    site_id: str
    asset_id: str
    mw: Vars  # [T]
    most_mw: float  # of all claims of this asset on this demand together
    heat_per_mw: float = 0.0  # heat that goes away (up) or comes with (down) each MW


@dataclass(frozen=True, eq=False)
class Earning:
    """Money of a stream: coefficient times variable, in each interval."""

    stream: Stream
    variables: Vars  # [T]
    coefficients: Floats  # [T]


@dataclass(frozen=True, eq=False)
class Offer:
    """What may be submitted for a block: while ``submitted`` is 0 nothing, else the sum of MW times whole numbers."""

    market_id: str
    block_id: str
    price_per_mw_h: float  # paid where it is accepted
    chance: float
    intervals: range  # of the block
    submitted: Vars  # [1] whole
    terms_mw: tuple[tuple[float, Vars], ...]


@dataclass(eq=False)
class Day:
    """What a day brings to variables and rows that are there: money, bounds, sides, what may be offered."""

    earnings: list[Earning] = field(default_factory=list)
    constants: dict[Stream, Floats] = field(default_factory=dict)
    offers: list[Offer] = field(default_factory=list)
    lone_machines: list[LoneMachine] = field(default_factory=list)
    bounds: list[tuple[Vars, ArrayLike | None, ArrayLike | None]] = field(default_factory=list)
    sides: list[tuple[Rows, ArrayLike | None, ArrayLike | None]] = field(default_factory=list)
    factors: list[tuple[Rows, Vars, ArrayLike]] = field(default_factory=list)
    relaxed_basis: Any = None  # where a strategy's relaxation with counts ended, for others of the same shape


@dataclass
class Ledger:
    """Collects what components declare; ``constrain`` reads what others declared."""

    problem: Problem
    structure: Structure = field(init=False)
    day: Day = field(default_factory=Day)
    grid_mw: dict[str, Vars] = field(default_factory=dict)
    injections: dict[str, list[Term]] = field(default_factory=lambda: defaultdict(list))
    machine_heat: dict[str, list[Term]] = field(default_factory=lambda: defaultdict(list))  # by site, MW
    heat: dict[str, HeatLoop] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    shortfalls_mw: dict[Obligation, list[Vars]] = field(default_factory=lambda: defaultdict(list))
    owner: Owner = ("", "")  # of what is declared now

    def __post_init__(self) -> None:
        self.intervals: int = self.problem.horizon.count
        self.hours: float = self.problem.horizon.step_hours
        self.structure = Structure(self.intervals)
        self.demands: tuple[Demand, ...] = tuple(
            demand for market in self.problem.markets for demand in market.demands(self.problem)
        )

    def for_day(self, problem: Problem) -> Ledger:
        """The same variables and rows, for a problem whose day is not written down yet."""
        other = copy.copy(self)
        other.problem, other.day = problem, Day()
        return other

    @property
    def declared(self) -> list[Declared]:
        """All variables: names, whether whole, whose."""
        return self.structure.declared

    @property
    def earnings(self) -> list[Earning]:
        """All money that depends on the plan."""
        return self.day.earnings

    @property
    def constants(self) -> dict[Stream, Floats]:
        """Money that does not, [T] by stream."""
        return self.day.constants

    @property
    def offers(self) -> list[Offer]:
        """What may be submitted."""
        return self.day.offers

    @property
    def lone_machines(self) -> list[LoneMachine]:
        """Machines whose ways a strategy may ask for; to be appended to."""
        return self.day.lone_machines

    def demands_at(self, site: Site) -> tuple[Demand, ...]:
        """What reserve markets ask of a site."""
        return tuple(demand for demand in self.demands if site.id in demand.site_ids)

    def claims_on(self, demand: Demand) -> list[Claim]:
        """What assets hold for a demand."""
        return [claim for claim in self.claims if claim.demand is demand]

    def capability_mw(self, demand: Demand) -> float:
        """No plan can hold more for a demand, chances aside: a bound for offers that have no limit of their own."""
        most = {claim.asset_id: claim.most_mw for claim in self.claims_on(demand)}
        return sum(most.values())

    def variables(
        self,
        name: str,
        shape: int | tuple[int, ...],
        *,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        integer: bool = False,
        coarse: bool = False,
        where: NDArray[np.bool_] | None = None,
    ) -> Vars:
        """An array of variables; `NONE` where ``where`` is false. Bounds broadcast to the shape.

        ``coarse``: integers of which one unit matters, such as offers; a strategy may decide them before the others.
        """
        chosen = np.ones(shape, dtype=bool) if where is None else np.broadcast_to(where, shape)
        return self.structure.add_variables(name, chosen, (lower, upper), (integer, coarse, self.owner))

    def rows(
        self, name: str, terms: Sequence[Term], *, lower: ArrayLike | None = None, upper: ArrayLike | None = None
    ) -> Rows:
        """One row for each position of the terms' first axis: lower <= sum of terms <= upper.

        Rows without variables or sides are dropped.
        """
        return self.structure.add_rows(name, terms, lower, upper)

    def bound(self, variables: Vars, *, lower: ArrayLike | None = None, upper: ArrayLike | None = None) -> None:
        """What a day brings: other bounds of variables. None: as they were declared."""
        self.day.bounds.append((variables, lower, upper))

    def sides(self, rows: Rows, *, lower: ArrayLike | None = None, upper: ArrayLike | None = None) -> None:
        """What a day brings: other sides of rows, [rows as declared]. None: as they were declared.

        Raises SolverError for a row without variables that can never hold.
        """
        demand_possible(rows, rows.numbers == NONE, lower, upper)
        self.day.sides.append((rows, lower, upper))

    def factors(self, rows: Rows, variables: Vars, factors: ArrayLike) -> None:
        """What a day brings: other factors, none of them 0, of variables that the rows name, one each."""
        self.day.factors.append((rows, variables, factors))

    def inject(self, site_id: str, coefficients: ArrayLike, mw: Vars) -> None:
        """Adds power that a site takes (negative: makes)."""
        self.injections[site_id].append((coefficients, mw))

    def claim(
        self,
        demand: Demand,
        tranche: Tranche,
        site_id: str,
        asset_id: str,
        mw: Vars,
        most_mw: float,
        heat_per_mw: float = 0.0,
    ) -> None:
        """Holds MW for a tranche of a demand; ``most_mw`` bounds all that the asset can hold for the demand."""
        self.claims.append(Claim(demand, tranche, site_id, asset_id, mw, most_mw, heat_per_mw))

    def heat_loop(self, site_id: str) -> HeatLoop:
        """The heat of a site, for which there is some use once this was asked."""
        return self.heat.setdefault(site_id, HeatLoop())

    def may_miss(self, obligation: Obligation, missing_mw: Vars) -> None:
        """Says what may be missing of an obligation: nothing of it is, as long as that is possible."""
        self.shortfalls_mw[obligation].append(missing_mw)

    def offer(
        self,
        market_id: str,
        block_id: str,
        submitted: Vars,
        terms_mw: tuple[tuple[float, Vars], ...],
        *,
        price_per_mw_h: float,
        chance: float,
        intervals: range,
    ) -> None:
        """Says what may be submitted for a block; one call for each bid."""
        self.day.offers.append(Offer(market_id, block_id, price_per_mw_h, chance, intervals, submitted, terms_mw))

    def earn(self, stream: Stream, variables: Vars, coefficients: ArrayLike) -> None:
        """Books coefficient * variable to a stream in each interval. Prices stay data: a stream is one cost vector."""
        money = np.asarray(coefficients, dtype=float)
        if money.any():
            if money.ndim == 0:
                money = np.full(self.intervals, money)  # several times as fast as broadcasting, and it is asked often
            self.day.earnings.append(Earning(stream, variables, money))

    def earn_constant(self, stream: Stream, amount: Floats) -> None:
        """Books money that does not depend on the plan."""
        self.day.constants[stream] = self.day.constants.get(stream, np.zeros(self.intervals)) + amount


@dataclass(frozen=True, eq=False)
class Values:
    """A solution of a problem: the value of every variable, and 0 at the end for where there is none."""

    problem: Problem
    of: Floats  # [variables + 1]

    def __call__(self, variables: Vars) -> Floats:
        """Values of an array of variables, of its shape; 0 where there is none."""
        return self.of[variables]

    def counts(self, variables: Vars) -> Counts:
        """The same as whole numbers."""
        return np.rint(self(variables)).astype(np.int64)
