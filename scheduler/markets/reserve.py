"""A market for one reserve product: rules, blocks, bids, awards, expected activation (formulation 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from scheduler.errors import Violation
from scheduler.horizon import Horizon
from scheduler.markets.block import KW_PER_MW, Bid, Block
from scheduler.model.component import Demand, Obligation, Tranche
from scheduler.plan import BlockPlan, CashKind, MarketPlan, Stream
from scheduler.problem import Direction, Floats, Problem, Stage, finite, nonnegative, unique_ids
from scheduler.product import Pricing, Product, Response

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Values, Vars


@dataclass(frozen=True, eq=False)
class Activation:
    """What is expected of the calls of one direction; the price is received by us in either direction."""

    expected_frac: Floats  # [T]
    calls_per_hour: Floats  # [T]
    price_per_mwh: Floats  # [T]

    @staticmethod
    def none(count: int) -> Activation:
        """No calls are expected."""
        return Activation(np.zeros(count), np.zeros(count), np.zeros(count))

    def violations(self, path: str, product: Product) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from nonnegative(f"{path}.expected_frac", self.expected_frac)
        for t in np.flatnonzero(self.expected_frac > 1):
            yield Violation(
                f"{path}.expected_frac.values[{t}]", "range", f"must be at most 1, is {self.expected_frac[t]}"
            )
        yield from nonnegative(f"{path}.calls_per_hour", self.calls_per_hour)
        if product.response is Response.SIGNAL and self.calls_per_hour.any():
            yield Violation(
                f"{path}.calls_per_hour", "response", "belongs to called products, and this one follows a signal"
            )
        yield from finite(f"{path}.price_per_mwh", self.price_per_mwh)


@dataclass(frozen=True, eq=False)
class ReserveMarket:
    """A market for one reserve product."""

    kind: ClassVar[str] = "reserve"

    id: str
    stage: Stage
    product: Product
    blocks: tuple[Block, ...]
    activation: dict[Direction, Activation] = field(default_factory=dict)  # by up and down; missing: none is expected
    site_ids: tuple[str, ...] = ()  # empty: all connected sites

    def takes_offers(self, block: Block, horizon: Horizon) -> bool:
        """Whether a block is open to us: cleared markets and blocks cut by the horizon take no offers."""
        return self.stage is Stage.OPEN and not block.is_cut(horizon)

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        yield from self.product.violations(f"{path}.spec")
        yield from self._energy_market_violations(path, problem)
        for direction, activation in self.activation.items():
            at = f"{path}.{direction.value}"
            if direction not in self.product.direction.parts:
                yield Violation(at, "direction", f"the product is {self.product.direction.value}")
            yield from activation.violations(at, self.product)
        yield from unique_ids(f"{path}.blocks", [block.id for block in self.blocks])
        last: Block | None = None
        for b, block in sorted(enumerate(self.blocks), key=lambda item: item[1].start_utc):
            at = f"{path}.blocks[{b}]"
            yield from self._block_violations(at, block, problem.horizon)
            if last is not None and block.start_utc < last.end_utc:
                yield Violation(f"{at}.start", "overlap", f"overlaps block {last.id!r}")
            last = block

    def _energy_market_violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """A market that names an energy market earns that one's activation, and has none of its own."""
        named = self.product.energy_market_id
        if not named:
            return
        if named == self.id or all(market.id != named or market.kind != self.kind for market in problem.markets):
            yield Violation(f"{path}.spec.energy_market_id", "reference", f"there is no other reserve market {named!r}")
        for direction in self.activation:
            message = f"belongs to {named!r}, the market named in spec.energy_market_id: state it there"
            yield Violation(f"{path}.{direction.value}", "energy_market", message)

    def _block_violations(self, path: str, block: Block, horizon: Horizon) -> Iterator[Violation]:
        on_grid = True
        for name, instant in (("start", block.start_utc), ("end", block.end_utc)):
            if horizon.index_of(instant) is None:
                on_grid = False
                yield Violation(
                    f"{path}.{name}", "grid", f"is off the horizon's grid of {horizon.step_minutes} minutes"
                )
        if block.end_utc <= block.start_utc:
            yield Violation(f"{path}.end", "range", "must lie after the start")
        elif on_grid and not block.intervals(horizon):
            yield Violation(f"{path}.start", "range", "the block lies outside the horizon: leave it out")
        if block.price_per_mw_h is not None:
            yield from finite(f"{path}.capacity_price_per_mw_h", block.price_per_mw_h)
        elif self.takes_offers(block, horizon) and (not block.bids or self.product.pricing is Pricing.AS_CLEARED):
            yield Violation(f"{path}.capacity_price_per_mw_h", "required", "the block takes offers: state its price")
        if block.max_kw is not None and block.max_kw < 0:
            yield Violation(f"{path}.max_kw", "range", f"must be at least 0, is {block.max_kw}")
        yield from unique_ids(f"{path}.awards", [award.id for award in block.awards])
        for a, award in enumerate(block.awards):
            yield from award.violations(f"{path}.awards[{a}]")
        yield from block.bid_violations(path, self.product)

    def demands(self, problem: Problem) -> tuple[Demand, ...]:
        """What it asks of the sites, by direction."""
        horizon = problem.horizon
        none = Activation.none(horizon.count)
        tranches = self._tranches(horizon)
        asked = []
        for direction in self.product.direction.parts if tranches else ():
            expected = self._activations(problem).get(direction, none)
            asked.append(
                Demand(
                    self.id,
                    self.product,
                    direction,
                    frozenset(site.id for site in problem.sites_of(self)),
                    tranches,
                    expected.expected_frac,
                    expected.calls_per_hour,
                    expected.price_per_mwh,
                )
            )
        return tuple(asked)

    def _activations(self, problem: Problem) -> dict[Direction, Activation]:
        """Its own, or those of the energy product that its MW also serve."""
        for market in problem.markets:
            if isinstance(market, ReserveMarket) and market.id == self.product.energy_market_id:
                return market.activation
        return self.activation

    def _tranches(self, horizon: Horizon) -> tuple[Tranche, ...]:
        """All that counts in full as one, then each bid whose chance is not 1; where nothing can be held, none."""
        full = np.zeros(horizon.count, dtype=bool)
        single = []
        for block in self.blocks:
            intervals = block.intervals(horizon)
            offers = self.takes_offers(block, horizon)
            if block.awards or (offers and (not block.bids or any(bid.acceptance_prob == 1 for bid in block.bids))):
                full[intervals] = True
            for bid in block.bids if offers else ():
                if bid.acceptance_prob != 1:
                    active = np.zeros(horizon.count, dtype=bool)
                    active[intervals] = True
                    single.append(Tranche((block.id, bid.id), bid.acceptance_prob, active))
        return (*((Tranche(("", ""), 1.0, full),) if full.any() else ()), *single)

    def declare(self, ledger: Ledger) -> ReserveVars:
        """Declares what may be missing of each award."""
        horizon = ledger.problem.horizon
        missing = {}
        for block in self.blocks:
            inside = np.zeros(ledger.intervals, dtype=bool)
            inside[block.intervals(horizon)] = True
            for award in block.awards:
                name = f"missing[{self.id},{block.id},{award.id}]"
                shortfall = ledger.variables(name, ledger.intervals, upper=award.kw / KW_PER_MW, where=inside)
                ledger.may_miss(Obligation.AWARD, shortfall)
                missing[block.id, award.id] = shortfall
        return ReserveVars(missing)

    def constrain(self, ledger: Ledger, own: ReserveVars) -> None:
        """Holds exactly what is won and offered, block by block, and books the money of it (formulation 5 and 7)."""
        horizon = ledger.problem.horizon
        demands = [demand for demand in ledger.demands if demand.market_id == self.id]
        most_mw = min((ledger.capability_mw(demand) for demand in demands), default=0.0)
        for block in self.blocks:
            if self.takes_offers(block, horizon):
                own.volumes[block.id] = self._declare_volumes(ledger, block, most_mw)
            self._book(ledger, block, own)
        held = [_Held(ledger, self, own, demand) for demand in demands]
        for part in held:
            part.balance()
            part.earn_activation()

    def _declare_volumes(self, ledger: Ledger, block: Block, most_mw: float) -> list[Volume]:
        """The MW of each bid, or of the one divisible offer, as 0 or smallest + steps, within the block's limit."""
        room_kw = int(most_mw * KW_PER_MW + 1e-6)
        if block.max_kw is not None:
            room_kw = min(room_kw, block.max_kw - block.awarded_kw)
        price = block.price_per_mw_h or 0.0
        bids = block.bids or (Bid("", room_kw, price),)
        as_bid = self.product.pricing is Pricing.AS_BID and block.bids
        volumes = []
        for bid in bids:
            paid = bid.price_per_mw_h if as_bid else price
            volume = self._declare_volume(ledger, block, bid, room_kw, paid)
            if volume is not None:
                volumes.append(volume)
                ledger.offer(
                    self.id,
                    block.id,
                    volume.submitted,
                    volume.terms_mw,
                    price_per_mw_h=paid,
                    chance=bid.acceptance_prob,
                    hours=len(block.intervals(ledger.problem.horizon)) * ledger.hours,
                )
        name = f"{self.id},{block.id}"
        if len(volumes) > 1:
            ledger.rows(f"most[{name}]", [term for v in volumes for term in v.terms_mw], upper=room_kw / KW_PER_MW)
        for group in sorted({v.bid.exclusive_group for v in volumes} - {""}):
            chosen = [(1.0, v.submitted) for v in volumes if v.bid.exclusive_group == group]
            ledger.rows(f"exclusive[{name},{group}]", chosen, upper=1.0)
        by_id = {v.bid.id: v for v in volumes}
        for child in volumes:
            if child.bid.parent_bid_id:
                parent = by_id.get(child.bid.parent_bid_id)
                needs = [(1.0, child.submitted), *([(-1.0, parent.submitted)] if parent else [])]
                ledger.rows(f"parent[{name},{child.bid.id}]", needs, upper=0.0)
        return volumes

    def _declare_volume(self, ledger: Ledger, block: Block, bid: Bid, room_kw: int, price: float) -> Volume | None:
        """None where even the smallest volume finds no room."""
        smallest_kw, step_kw = self.product.smallest_bid_kw, self.product.step_kw
        least_kw = bid.max_kw if bid.indivisible else smallest_kw
        steps = 0 if bid.indivisible else (min(bid.max_kw, room_kw) - smallest_kw) // step_kw
        if least_kw > min(room_kw, bid.max_kw):
            return None
        name = f"{self.id},{block.id},{bid.id}"
        even = smallest_kw == step_kw and not bid.indivisible and not _is_chosen(block, bid)
        most = 1 + steps if even else 1  # in even steps from nothing one whole number says all
        submitted = ledger.variables(f"submitted[{name}]", 1, upper=most, integer=True, coarse=True)
        terms: list[tuple[float, Vars]] = [(least_kw / KW_PER_MW, submitted)]
        if steps and not even:
            more = ledger.variables(f"steps[{name}]", 1, upper=steps, integer=True, coarse=True)
            ledger.rows(f"steps_if[{name}]", [(1.0, more), (-float(steps), submitted)], upper=0.0)
            terms.append((step_kw / KW_PER_MW, more))
        return Volume(bid, price, submitted, tuple(terms))

    def _book(self, ledger: Ledger, block: Block, own: ReserveVars) -> None:
        """Capacity money: awards in full, offers by their chance; penalties for what is missing."""
        intervals = list(block.intervals(ledger.problem.horizon))
        for award in block.awards:
            earned = np.zeros(ledger.intervals)
            earned[intervals] = award.price_per_mw_h * award.kw / KW_PER_MW * ledger.hours
            ledger.earn_constant(Stream(CashKind.CAPACITY, self.id), earned)
            shortfall = own.missing_mw[block.id, award.id]
            ledger.earn(Stream(CashKind.PENALTY, self.id), shortfall, -award.penalty_per_mw_h * ledger.hours)
        for volume in own.volumes.get(block.id, ()):
            for mw, variable in volume.terms_mw:
                everywhere = np.full(ledger.intervals, None, dtype=object)
                everywhere[intervals] = variable[0]
                money = volume.price_per_mw_h * volume.bid.acceptance_prob * mw * ledger.hours
                ledger.earn(Stream(CashKind.CAPACITY, self.id), everywhere, money)

    def extract(self, values: Values, own: ReserveVars) -> MarketPlan:
        """What to offer in each block and what is missing of its awards; who backs it is extracted by the assets."""
        blocks = []
        for block in self.blocks:
            bid_kw = {bid.id: 0 for bid in block.bids}
            offered_kw = 0
            for volume in own.volumes.get(block.id, ()):
                kw = sum(int(values.counts(variable)[0]) * round(mw * KW_PER_MW) for mw, variable in volume.terms_mw)
                offered_kw += kw
                if volume.bid.id:
                    bid_kw[volume.bid.id] = kw
            missing = {award.id: values(own.missing_mw[block.id, award.id]) for award in block.awards}
            short = {award_id: mw for award_id, mw in missing.items() if mw.any()}
            blocks.append(BlockPlan(block.id, offered_kw, block.awarded_kw, bid_kw, short))
        return MarketPlan(self.id, blocks=tuple(blocks))


def _is_chosen(block: Block, bid: Bid) -> bool:
    """Whether what else may be submitted depends on whether this bid is, or the other way round."""
    return bool(bid.exclusive_group or bid.parent_bid_id) or any(other.parent_bid_id == bid.id for other in block.bids)


@dataclass(frozen=True, eq=False)
class Volume:
    """What is submitted of a bid: sum of MW times whole numbers."""

    bid: Bid
    price_per_mw_h: float
    submitted: Vars  # [1] nothing is while it is 0; 0 or 1 where other bids depend on it
    terms_mw: tuple[tuple[float, Vars], ...]


@dataclass(frozen=True, eq=False)
class ReserveVars:
    """Missing MW by block and award, [T]; volumes by block."""

    missing_mw: dict[tuple[str, str], Vars]
    volumes: dict[str, list[Volume]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Held:
    """What is held for one direction of a market."""

    ledger: Ledger
    market: ReserveMarket
    own: ReserveVars
    demand: Demand

    def balance(self) -> None:
        """In every interval and tranche: MW backed = awards - missing + offers. Nothing is held that was not sold."""
        horizon = self.ledger.problem.horizon
        claims = self.ledger.claims_on(self.demand)
        for tranche in self.demand.tranches:
            in_full = tranche.key == ("", "")
            terms = [(1.0, claim.mw) for claim in claims if claim.tranche is tranche]
            awarded = np.zeros(self.ledger.intervals)
            for block in self.market.blocks:
                intervals = list(block.intervals(horizon))
                if in_full:
                    awarded[intervals] = block.awarded_kw / KW_PER_MW
                    terms += [(1.0, self.own.missing_mw[block.id, award.id]) for award in block.awards]
                for volume in self.own.volumes.get(block.id, ()):
                    if in_full != (volume.bid.acceptance_prob == 1):
                        continue
                    if in_full or tranche.key == (block.id, volume.bid.id):
                        for mw, variable in volume.terms_mw:
                            everywhere = np.full(self.ledger.intervals, None, dtype=object)
                            everywhere[intervals] = variable[0]
                            terms.append((-mw, everywhere))
            name = f"held[{self.market.id},{self.demand.direction.value},{tranche.key}]"
            self.ledger.rows(name, terms, lower=awarded, upper=awarded)

    def earn_activation(self) -> None:
        """Price times expected activated share of the MW held."""
        demand = self.demand
        for claim in self.ledger.claims_on(demand):
            stream = Stream(CashKind.ACTIVATION, demand.market_id, claim.site_id, claim.asset_id, demand.direction)
            money = demand.price_per_mwh * demand.expected_frac * claim.tranche.chance * self.ledger.hours
            self.ledger.earn(stream, claim.mw, money)
