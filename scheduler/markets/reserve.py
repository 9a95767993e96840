"""A market for one reserve product: rules, blocks, bids, awards, expected activation (formulation 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from scheduler.errors import Violation
from scheduler.horizon import Horizon
from scheduler.markets.block import KW_PER_MW, Award, Bid, Block
from scheduler.markets.link import link_violations
from scheduler.model.component import Demand, Obligation, Tranche
from scheduler.model.structure import NONE
from scheduler.plan import BlockPlan, CashKind, MarketPlan, Stream
from scheduler.problem import Direction, Floats, Problem, Stage, finite, nonnegative, unique_ids
from scheduler.product import Pricing, Product, Response

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Rows, Values, Vars


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
        yield from link_violations(self, path, problem)
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

    def physics(self, problem: Problem) -> Self:
        """Without prices and awards; how many awards a block has stays.

        Where offers may bring the first, there is room for one: so that a day after the award has the same rows.
        """
        nothing = np.zeros(problem.horizon.count)
        activation = {key: replace(expected, price_per_mwh=nothing) for key, expected in self.activation.items()}
        blocks = []
        for block in self.blocks:
            in_full = not block.bids or any(bid.acceptance_prob == 1 for bid in block.bids)
            first = self.takes_offers(block, problem.horizon) and in_full
            awards = tuple(Award(str(a), 0, 0.0) for a in range(max(len(block.awards), int(first))))
            bids = tuple(replace(bid, price_per_mw_h=0.0) for bid in block.bids)
            blocks.append(replace(block, price_per_mw_h=0.0, bids=bids, awards=awards))
        return replace(self, activation=activation, blocks=tuple(blocks))

    def declare(self, ledger: Ledger) -> ReserveVars:
        """Declares what may be missing of each award."""
        horizon = ledger.problem.horizon
        missing = {}
        for block in self.blocks:
            inside = np.zeros(ledger.intervals, dtype=bool)
            inside[block.intervals(horizon)] = True
            for a in range(len(block.awards)):
                shortfall = ledger.variables(f"missing[{self.id},{block.id},{a}]", ledger.intervals, where=inside)
                ledger.may_miss(Obligation.AWARD, shortfall)
                missing[block.id, a] = shortfall
        return ReserveVars(missing)

    def constrain(self, ledger: Ledger, own: ReserveVars) -> None:
        """Holds exactly what is won and offered, block by block (formulation 5)."""
        horizon = ledger.problem.horizon
        demands = [demand for demand in ledger.demands if demand.market_id == self.id]
        capability_mw = min((ledger.capability_mw(demand) for demand in demands), default=0.0)
        for block in self.blocks:
            if self.takes_offers(block, horizon):
                own.volumes[block.id] = self._declare_volumes(ledger, block, int(capability_mw * KW_PER_MW + 1e-6), own)
        for demand in demands:
            own.held.extend(self._balance(ledger, own, demand))

    def price(self, ledger: Ledger, own: ReserveVars) -> None:
        """Awards as bounds and sides, what room they leave for offers, and all money (formulation 5, 7)."""
        for block in self.blocks:
            for a, shortfall in own.missing_of(block):
                won_kw = block.awards[a].kw if a < len(block.awards) else 0
                ledger.bound(shortfall, upper=won_kw / KW_PER_MW)
            if block.id in own.volumes:
                self._leave_room(ledger, block, own)
            self._book(ledger, block, own)
        awarded_mw = np.zeros(ledger.intervals)
        for block in self.blocks:
            awarded_mw[list(block.intervals(ledger.problem.horizon))] = block.awarded_kw / KW_PER_MW
        for tranche, rows in own.held:
            won_mw = awarded_mw if tranche.in_full else 0.0
            ledger.sides(rows, lower=won_mw, upper=won_mw)
        self._earn_activation(ledger)

    def _declare_volumes(self, ledger: Ledger, block: Block, capability_kw: int, own: ReserveVars) -> list[Volume]:
        """The MW of each bid, or of the one divisible offer, as 0 or smallest + steps, within the block's limit."""
        room_kw = capability_kw if block.max_kw is None else min(capability_kw, block.max_kw)
        volumes = []
        for bid in block.bids or (Bid("", room_kw, 0.0),):
            volume = self._declare_volume(ledger, block, bid, room_kw)
            if volume is not None:
                volumes.append(volume)
        own.room_kw[block.id] = room_kw
        name = f"{self.id},{block.id}"
        if len(volumes) > 1:
            terms = [term for v in volumes for term in v.terms_mw]
            own.most[block.id] = ledger.rows(f"most[{name}]", terms, upper=room_kw / KW_PER_MW)
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

    def _sizes(self, bid: Bid, room_kw: int) -> tuple[int, int]:
        """Least kW of a bid, and how many steps more find room; below 0: not even the least does."""
        smallest_kw, step_kw = self.product.smallest_bid_kw, self.product.step_kw
        least_kw = bid.max_kw if bid.indivisible else smallest_kw
        if least_kw > min(room_kw, bid.max_kw):
            return least_kw, -1
        return least_kw, 0 if bid.indivisible else (min(bid.max_kw, room_kw) - smallest_kw) // step_kw

    def _declare_volume(self, ledger: Ledger, block: Block, bid: Bid, room_kw: int) -> Volume | None:
        """None where even the smallest volume finds no room."""
        least_kw, steps = self._sizes(bid, room_kw)
        if steps < 0:
            return None
        name = f"{self.id},{block.id},{bid.id}"
        even = (
            self.product.smallest_bid_kw == self.product.step_kw and not bid.indivisible and not _is_chosen(block, bid)
        )
        most = 1 + steps if even else 1  # in even steps from nothing one whole number says all
        submitted = ledger.variables(f"submitted[{name}]", 1, upper=most, integer=True, coarse=True)
        terms: list[tuple[float, Vars]] = [(least_kw / KW_PER_MW, submitted)]
        if even or not steps:
            return Volume(bid, submitted, tuple(terms), even=even)
        more = ledger.variables(f"steps[{name}]", 1, upper=steps, integer=True, coarse=True)
        rows = ledger.rows(f"steps_if[{name}]", [(1.0, more), (-float(steps), submitted)], upper=0.0)
        terms.append((self.product.step_kw / KW_PER_MW, more))
        return Volume(bid, submitted, tuple(terms), steps_if=rows)

    def _leave_room(self, ledger: Ledger, block: Block, own: ReserveVars) -> None:
        """What a day's awards leave of the block's limit for its offers, and what those are paid."""
        room_kw = own.room_kw[block.id]
        if block.max_kw is not None:
            room_kw = min(room_kw, block.max_kw - block.awarded_kw)
        bids = {bid.id: bid for bid in block.bids}
        for volume in own.volumes[block.id]:
            _, steps = self._sizes(bids.get(volume.bid.id, Bid("", room_kw, 0.0)), room_kw)
            ledger.bound(volume.submitted, upper=1.0 + steps if volume.even else float(steps >= 0))
            if volume.steps_if is not None:
                ledger.bound(volume.terms_mw[1][1], upper=float(max(0, steps)))
                ledger.factors(volume.steps_if, volume.submitted, -float(max(1, steps)))
            ledger.offer(
                self.id,
                block.id,
                volume.submitted,
                volume.terms_mw,
                price_per_mw_h=self._paid(block, volume.bid.id),
                chance=volume.bid.acceptance_prob,
                intervals=block.intervals(ledger.problem.horizon),
            )
        if block.id in own.most:
            ledger.sides(own.most[block.id], upper=max(0, room_kw) / KW_PER_MW)

    def _paid(self, block: Block, bid_id: str) -> float:
        """Per MW and hour of a bid: its own price, or the block's."""
        bid = next((bid for bid in block.bids if bid.id == bid_id), None)
        as_bid = bid is not None and self.product.pricing is Pricing.AS_BID
        return bid.price_per_mw_h if bid is not None and as_bid else block.price_per_mw_h or 0.0

    def _book(self, ledger: Ledger, block: Block, own: ReserveVars) -> None:
        """Capacity money: awards in full, offers by their chance; penalties for what is missing."""
        intervals = list(block.intervals(ledger.problem.horizon))
        for a, award in enumerate(block.awards):
            earned = np.zeros(ledger.intervals)
            earned[intervals] = award.price_per_mw_h * award.kw / KW_PER_MW * ledger.hours
            ledger.earn_constant(Stream(CashKind.CAPACITY, self.id), earned)
            ledger.earn(
                Stream(CashKind.PENALTY, self.id), own.missing_mw[block.id, a], -award.penalty_per_mw_h * ledger.hours
            )
        for volume in own.volumes.get(block.id, ()):
            for mw, variable in volume.terms_mw:
                everywhere = np.full(ledger.intervals, NONE)
                everywhere[intervals] = variable[0]
                money = self._paid(block, volume.bid.id) * volume.bid.acceptance_prob * mw * ledger.hours
                ledger.earn(Stream(CashKind.CAPACITY, self.id), everywhere, money)

    def _balance(self, ledger: Ledger, own: ReserveVars, demand: Demand) -> Iterator[tuple[Tranche, Rows]]:
        """In every interval and tranche: MW backed = awards - missing + offers. Nothing is held that was not sold."""
        horizon = ledger.problem.horizon
        claims = ledger.claims_on(demand)
        for tranche in demand.tranches:
            terms = [(1.0, claim.mw) for claim in claims if claim.tranche is tranche]
            for block in self.blocks:
                intervals = list(block.intervals(horizon))
                if tranche.in_full:
                    terms += [(1.0, missing) for _, missing in own.missing_of(block)]
                for volume in own.volumes.get(block.id, ()):
                    if tranche.in_full != (volume.bid.acceptance_prob == 1):
                        continue
                    if tranche.in_full or tranche.key == (block.id, volume.bid.id):
                        for mw, variable in volume.terms_mw:
                            everywhere = np.full(ledger.intervals, NONE)
                            everywhere[intervals] = variable[0]
                            terms.append((-mw, everywhere))
            name = f"held[{self.id},{demand.direction.value},{tranche.key}]"
            yield tranche, ledger.rows(name, terms, lower=0.0, upper=0.0)

    def _earn_activation(self, ledger: Ledger) -> None:
        """Price times expected activated share of the MW held."""
        expected = self._activations(ledger.problem)
        for claim in ledger.claims:
            demand = claim.demand
            if demand.market_id != self.id or demand.direction not in expected:
                continue
            stream = Stream(CashKind.ACTIVATION, demand.market_id, claim.site_id, claim.asset_id, demand.direction)
            price = expected[demand.direction].price_per_mwh
            ledger.earn(stream, claim.mw, price * demand.expected_frac * claim.tranche.chance * ledger.hours)

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
            missing = {award.id: values(own.missing_mw[block.id, a]) for a, award in enumerate(block.awards)}
            short = {award_id: mw for award_id, mw in missing.items() if mw.any()}
            blocks.append(BlockPlan(block.id, offered_kw, block.awarded_kw, bid_kw, short))
        return MarketPlan(self.id, blocks=tuple(blocks))


def _is_chosen(block: Block, bid: Bid) -> bool:
    """Whether what else may be submitted depends on whether this bid is, or the other way round."""
    return bool(bid.exclusive_group or bid.parent_bid_id) or any(other.parent_bid_id == bid.id for other in block.bids)


@dataclass(frozen=True, eq=False)
class Volume:
    """What is submitted of a bid: sum of MW times whole numbers."""

    bid: Bid  # without its price
    submitted: Vars  # [1] nothing is while it is 0; 0 or 1 where other bids depend on it
    terms_mw: tuple[tuple[float, Vars], ...]
    steps_if: Rows | None = None  # no steps unless it is submitted
    even: bool = False  # in even steps from nothing: `submitted` says all


@dataclass(frozen=True, eq=False)
class ReserveVars:
    """Missing MW by block and position of the award, [T]; volumes, what room they have and its row, by block."""

    missing_mw: dict[tuple[str, int], Vars]
    volumes: dict[str, list[Volume]] = field(default_factory=dict)
    room_kw: dict[str, int] = field(default_factory=dict)  # without awards
    most: dict[str, Rows] = field(default_factory=dict)
    held: list[tuple[Tranche, Rows]] = field(default_factory=list)  # what is held of a tranche, in one direction

    def missing_of(self, block: Block) -> Iterator[tuple[int, Vars]]:
        """The missing MW of a block, by position; there may be room for more awards than a day has."""
        return ((a, missing) for (block_id, a), missing in self.missing_mw.items() if block_id == block.id)
