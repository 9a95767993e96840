"""Where components meet: power injected at sites, MW claimed for reserve, money earned by named stream.

A component sees its own variables and the ledger, nothing else. Variables travel as object arrays of Pyomo variables,
shape [T] unless said, in which None stands for "no variable here": rows skip it, its value is zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import ArrayLike, NDArray
from pyomo.core.expr.numeric_expr import LinearExpression

from scheduler.errors import SolverError
from scheduler.model.component import Demand, Obligation, Tranche
from scheduler.model.heat import HeatLoop
from scheduler.plan import Stream
from scheduler.problem import Counts, Floats, Problem, Site

Vars = NDArray[Any]
Term = tuple[ArrayLike, Vars]
"""Coefficients and variables, one per row; with two dimensions, several of both per row."""
Owner = tuple[str, str]
"""Site and asset that variables belong to; empty where it is a site's own, or of all sites."""


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
    hours: float  # of the block
    submitted: Vars  # [1] whole
    terms_mw: tuple[tuple[float, Vars], ...]


@dataclass(frozen=True, eq=False)
class Bounds:
    """Bounds and integrality of an array of variables, of its shape. Coarse: integers of which one unit matters."""

    variables: Vars
    lower: Floats
    upper: Floats
    integer: bool
    coarse: bool
    owner: Owner


@dataclass
class Ledger:
    """Collects what components declare; ``constrain`` reads what others declared."""

    problem: Problem
    model: pyo.ConcreteModel = field(default_factory=pyo.ConcreteModel)
    bounds: list[Bounds] = field(default_factory=list)
    grid_mw: dict[str, Vars] = field(default_factory=dict)
    injections: dict[str, list[Term]] = field(default_factory=lambda: defaultdict(list))
    machine_heat: dict[str, list[Term]] = field(default_factory=lambda: defaultdict(list))  # by site, MW
    heat: dict[str, HeatLoop] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    earnings: list[Earning] = field(default_factory=list)
    constants: dict[Stream, Floats] = field(default_factory=dict)
    shortfalls_mw: dict[Obligation, list[Vars]] = field(default_factory=lambda: defaultdict(list))
    offers: list[Offer] = field(default_factory=list)
    owner: Owner = ("", "")  # of what is declared now

    def __post_init__(self) -> None:
        self.intervals: int = self.problem.horizon.count
        self.hours: float = self.problem.horizon.step_hours
        self.demands: tuple[Demand, ...] = tuple(
            demand for market in self.problem.markets for demand in market.demands(self.problem)
        )

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
        """An array of variables; None where ``where`` is false. Bounds broadcast to the shape.

        ``coarse``: integers of which one unit matters, such as offers; a strategy may decide them before the others.
        """
        chosen = np.ones(shape, dtype=bool) if where is None else np.broadcast_to(where, shape)
        component = pyo.Var(range(int(chosen.sum())), domain=pyo.Integers if integer else pyo.Reals)
        self.model.add_component(name, component)
        out = np.full(chosen.shape, None, dtype=object)
        out[chosen] = list(component.values())
        self.bounds.append(
            Bounds(
                out[chosen],
                np.broadcast_to(np.asarray(lower, dtype=float), chosen.shape)[chosen],
                np.broadcast_to(np.asarray(upper, dtype=float), chosen.shape)[chosen],
                integer,
                coarse,
                self.owner,
            )
        )
        return out

    def rows(
        self, name: str, terms: Sequence[Term], *, lower: ArrayLike | None = None, upper: ArrayLike | None = None
    ) -> None:
        """One row for each position of the terms' first axis: lower <= sum of terms <= upper.

        Rows without variables or bounds are dropped.
        """
        if not terms:
            return
        columns, factors = _side_by_side(terms)
        count = len(columns)
        low = _listed(lower, count)
        high = _listed(upper, count)
        bodies: list[tuple[Any, ...]] = []  # (body, value) or (least, body, most)
        for r, (row, coefficients) in enumerate(zip(columns, factors, strict=True)):
            kept = [(c, v) for c, v in zip(coefficients, row, strict=True) if v is not None and c != 0.0]
            if low[r] is None and high[r] is None:
                continue
            if not kept:
                if (low[r] or 0.0) > 0 or (high[r] or 0.0) < 0:
                    raise SolverError(f"row {r} of {name} has no variable and can never hold")
                continue
            body = LinearExpression(linear_coefs=[c for c, _ in kept], linear_vars=[v for _, v in kept])
            bodies.append((body, low[r]) if low[r] is not None and low[r] == high[r] else (low[r], body, high[r]))
        component = pyo.Constraint(range(len(bodies)), rule=lambda _, i: bodies[i])
        self.model.add_component(name, component)

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
        hours: float,
    ) -> None:
        """Says what may be submitted for a block; one call for each bid."""
        self.offers.append(Offer(market_id, block_id, price_per_mw_h, chance, hours, submitted, terms_mw))

    def earn(self, stream: Stream, variables: Vars, coefficients: ArrayLike) -> None:
        """Books coefficient * variable to a stream in each interval. Prices stay data: a stream is one cost vector."""
        money = np.broadcast_to(np.asarray(coefficients, dtype=float), (self.intervals,))
        if money.any():
            self.earnings.append(Earning(stream, variables, money))

    def earn_constant(self, stream: Stream, amount: Floats) -> None:
        """Books money that does not depend on the plan."""
        self.constants[stream] = self.constants.get(stream, np.zeros(self.intervals)) + amount


def _side_by_side(terms: Sequence[Term]) -> tuple[list[list[Any]], list[list[float]]]:
    variables = [v if v.ndim == 2 else v[:, None] for _, v in terms]
    factors = []
    for (coefficient, _), v in zip(terms, variables, strict=True):
        c = np.asarray(coefficient, dtype=float)
        factors.append(np.broadcast_to(c[:, None] if c.ndim == 1 else c, v.shape))
    return np.hstack(variables).tolist(), np.hstack(factors).tolist()


def _listed(bound: ArrayLike | None, count: int) -> list[float | None]:
    if bound is None:
        return [None] * count
    return [
        None if np.isinf(value) else value
        for value in np.broadcast_to(np.asarray(bound, dtype=float), (count,)).tolist()
    ]


@dataclass(frozen=True, eq=False)
class Values:
    """A solution of a problem: the value of every variable."""

    problem: Problem
    of: dict[int, float]

    def __call__(self, variables: Vars) -> Floats:
        """Values of an array of variables, of its shape; 0 where there is none."""
        flat = [0.0 if v is None else self.of[id(v)] for v in variables.ravel()]
        return np.array(flat, dtype=float).reshape(variables.shape)

    def counts(self, variables: Vars) -> Counts:
        """The same as whole numbers."""
        return np.rint(self(variables)).astype(np.int64)
