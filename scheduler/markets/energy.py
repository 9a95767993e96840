"""A market for energy (formulation 6): open, we buy at a forecast; cleared, deviations from a position are settled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.plan import CashKind, MarketPlan, Stream
from scheduler.problem import Floats, Problem, Stage, finite

if TYPE_CHECKING:
    from scheduler.model.component import Demand
    from scheduler.model.ledger import Ledger, Rows, Values, Vars


@dataclass(frozen=True, eq=False)
class EnergyMarket:
    """Prices per MWh; a cleared market has a position, one of a site's cleared markets the long and short prices."""

    kind: ClassVar[str] = "energy"

    id: str
    stage: Stage
    price_per_mwh: Floats  # [T]
    site_ids: tuple[str, ...] = ()  # empty: all connected sites
    position_mw: Floats | None = None  # [T], positive when bought; cleared only
    long_price_per_mwh: Floats | None = None  # [T] received for what is taken less than the position
    short_price_per_mwh: Floats | None = None  # [T] paid for what is taken more
    max_deviation_mw: float | None = None

    @property
    def settles_deviation(self) -> bool:
        """Whether it carries the long and short prices."""
        return self.long_price_per_mwh is not None and self.short_price_per_mwh is not None

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it, and with how the energy markets of its sites fit together."""
        yield from finite(f"{path}.price_per_mwh", self.price_per_mwh)
        if self.stage is Stage.OPEN:
            for name in ("position_mw", "long_price_per_mwh", "short_price_per_mwh", "max_deviation_mw"):
                if getattr(self, name) is not None:
                    yield Violation(f"{path}.{name}", "stage", "belongs to a cleared market, and this one is open")
            yield from self._neighbour_violations(path, problem)
            return
        if self.position_mw is None:
            yield Violation(f"{path}.position_mw", "required", "a cleared market has a position")
        else:
            yield from finite(f"{path}.position_mw", self.position_mw)
        for one, other in (
            ("long_price_per_mwh", "short_price_per_mwh"),
            ("short_price_per_mwh", "long_price_per_mwh"),
        ):
            if getattr(self, one) is None and getattr(self, other) is not None:
                yield Violation(f"{path}.{one}", "required", f"goes with {other}")
            elif getattr(self, one) is not None:
                yield from finite(f"{path}.{one}", getattr(self, one))
        if self.settles_deviation and self.max_deviation_mw is None:
            yield Violation(f"{path}.max_deviation_mw", "required", "state how far the plan may deviate, MW")
        if self.max_deviation_mw is not None and not 0 <= self.max_deviation_mw < float("inf"):
            yield Violation(
                f"{path}.max_deviation_mw", "range", f"must be finite and at least 0, is {self.max_deviation_mw}"
            )
        yield from self._neighbour_violations(path, problem)

    def _neighbour_violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """A site's energy markets cover the same sites; at most one is open; if none is, one settles deviations."""
        mine = problem.site_ids_of(self)
        neighbours = self._peers(problem)
        at = path.removesuffix(f".{self.kind}")
        if any(problem.site_ids_of(market) != mine for market in neighbours):
            yield Violation(f"{at}.site_ids", "sites", "the energy markets of a site must cover the same sites")
        if neighbours[:1] != [self]:
            return  # said once, at the first of them
        if sum(market.stage is Stage.OPEN for market in neighbours) > 1:
            yield Violation(at, "stage", "its sites have two open energy markets: at most one may be open")
        settling = sum(market.settles_deviation for market in neighbours)
        if settling != 1 and all(market.stage is Stage.CLEARED for market in neighbours):
            yield Violation(
                f"{path}.short_price_per_mwh",
                "required",
                "no energy market of its sites is open: exactly one must carry the long and short prices, "
                f"{settling} do",
            )
        if len({site.zone_eic for site in problem.sites_of(self)}) > 1:
            yield Violation(f"{at}.site_ids", "zone", "its sites lie in different price zones: use one market per zone")

    def demands(self, problem: Problem) -> tuple[Demand, ...]:
        """None: it buys energy, not reserve."""
        return ()

    def physics(self, problem: Problem) -> Self:
        """Without prices and position."""

        def nothing(series: Floats | None) -> Floats | None:
            return None if series is None else np.zeros(problem.horizon.count)

        return replace(
            self,
            price_per_mwh=np.zeros(problem.horizon.count),
            position_mw=nothing(self.position_mw),
            long_price_per_mwh=nothing(self.long_price_per_mwh),
            short_price_per_mwh=nothing(self.short_price_per_mwh),
        )

    def declare(self, ledger: Ledger) -> EnergyVars:
        """Declares what is bought (open), or the deviation from the positions that it settles (none is open)."""
        peers = self._peers(ledger.problem)
        if self.stage is Stage.OPEN:
            return EnergyVars(bought_mw=ledger.variables(f"bought[{self.id}]", ledger.intervals, lower=-np.inf))
        if not self.settles_deviation or any(peer.stage is Stage.OPEN for peer in peers):
            return EnergyVars()
        most = np.inf if self.max_deviation_mw is None else self.max_deviation_mw
        shape = ledger.intervals
        return EnergyVars(
            short_mw=ledger.variables(f"short[{self.id}]", shape, upper=most),
            long_mw=ledger.variables(f"long[{self.id}]", shape, upper=most),
            is_short=ledger.variables(f"is_short[{self.id}]", shape, upper=1, integer=True, coarse=True),
        )

    def constrain(self, ledger: Ledger, own: EnergyVars) -> None:
        """Ties the meters of its sites to positions, purchase and deviation (formulation 6)."""
        meters = [(1.0, ledger.grid_mw[site.id]) for site in ledger.problem.sites_of(self)]
        if own.bought_mw is not None:
            terms = [*meters, (-1.0, own.bought_mw)]
            own.rows.append(ledger.rows(f"position[{self.id}]", terms, lower=0.0, upper=0.0))
        if own.short_mw is not None and own.long_mw is not None and own.is_short is not None:
            most = self.max_deviation_mw or 0.0
            terms = [*meters, (-1.0, own.short_mw), (1.0, own.long_mw)]
            own.rows.append(ledger.rows(f"deviation[{self.id}]", terms, lower=0.0, upper=0.0))
            # one way at a time: a short price below the long price would pay for doing both
            ledger.rows(f"one_way_short[{self.id}]", [(1.0, own.short_mw), (-most, own.is_short)], upper=0.0)
            ledger.rows(f"one_way_long[{self.id}]", [(1.0, own.long_mw), (most, own.is_short)], upper=most)

    def price(self, ledger: Ledger, own: EnergyVars) -> None:
        """Positions, and what energy costs: bought, or as a deviation (formulation 6)."""
        hours = ledger.hours
        peers = self._peers(ledger.problem)
        position_mw = sum((p.position_mw for p in peers if p.position_mw is not None), np.zeros(ledger.intervals))
        for rows in own.rows:
            ledger.sides(rows, lower=position_mw, upper=position_mw)
        if self.stage is Stage.CLEARED and self.position_mw is not None:
            ledger.earn_constant(Stream(CashKind.ENERGY, self.id), -self.price_per_mwh * self.position_mw * hours)
        if own.bought_mw is not None:
            for site in ledger.problem.sites_of(self):
                stream = Stream(CashKind.ENERGY, self.id, site.id)
                ledger.earn(stream, ledger.grid_mw[site.id], -self.price_per_mwh * hours)
            if position_mw.any():
                ledger.earn_constant(Stream(CashKind.ENERGY, self.id), self.price_per_mwh * position_mw * hours)
        if own.short_mw is not None and own.long_mw is not None:
            assert self.short_price_per_mwh is not None and self.long_price_per_mwh is not None
            stream = Stream(CashKind.DEVIATION, self.id)
            ledger.earn(stream, own.short_mw, -self.short_price_per_mwh * hours)
            ledger.earn(stream, own.long_mw, self.long_price_per_mwh * hours)

    def extract(self, values: Values, own: EnergyVars) -> MarketPlan:
        """Its position: what was bought, or the fixed one."""
        return MarketPlan(self.id, self.position_mw if own.bought_mw is None else values(own.bought_mw))

    def _peers(self, problem: Problem) -> list[EnergyMarket]:
        """The energy markets of its sites, itself included."""
        mine = problem.site_ids_of(self)
        energy = [market for market in problem.markets if isinstance(market, EnergyMarket)]
        sites = ((market, problem.site_ids_of(market)) for market in energy)
        return [market for market, theirs in sites if (mine and theirs is mine) or not mine.isdisjoint(theirs)]


@dataclass(frozen=True, eq=False)
class EnergyVars:
    """[T] each; None where the market has no such thing. Rows that a day's positions enter."""

    bought_mw: Vars | None = None
    short_mw: Vars | None = None
    long_mw: Vars | None = None
    is_short: Vars | None = None
    rows: list[Rows] = field(default_factory=list)
