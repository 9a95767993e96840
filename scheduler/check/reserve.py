"""Checks a reserve market: what is sold is held, offers keep the rules, and its money (formulation 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.book import Book
from scheduler.check.findings import Findings
from scheduler.check.reading import BlockView, MarketView, takes_offers
from scheduler.plan import CashKind, Stream
from scheduler.problem import Floats
from scheduler.product import Pricing

if TYPE_CHECKING:
    from scheduler.markets.block import Bid
    from scheduler.markets.reserve import ReserveMarket

KW_PER_MW = 1000.0
FIRM = ("", "")  # the tranche of awards and of all that has chance 1


class ReserveCheck:
    """A reserve market with what assets hold for it."""

    def __init__(self, view: MarketView, grid_mw: dict[str, Floats]) -> None:
        self.view = view
        self.market: ReserveMarket = view.market
        self.count = view.problem.horizon.count
        self.hours = view.problem.horizon.step_minutes / 60.0

    def check(self, findings: Findings) -> None:
        """Everything that is wrong with the market's part of the plan."""
        for block in self.view.blocks:
            self._check_offers(findings, block)
            self._check_shortfalls(findings, block)
        self._check_held(findings)

    def _check_offers(self, findings: Findings, view: BlockView) -> None:
        block, plan, path = view.block, view.plan, f"{view.path}.offered_kw"
        awarded_kw = sum(award.kw for award in block.awards)
        if plan.awarded_kw != awarded_kw:
            message = f"{plan.awarded_kw} kW, the awards add up to {awarded_kw} kW"
            findings.add(f"{view.path}.awarded_kw", "awarded", message)
        if plan.offered_kw and not takes_offers(view, self.view.problem, self.market):
            findings.add(path, "closed", f"{plan.offered_kw} kW offered in a block that takes no offers")
        if block.max_kw is not None and plan.offered_kw > max(0, block.max_kw - awarded_kw):
            message = f"{plan.offered_kw} kW offered and {awarded_kw} kW won, at most {block.max_kw} kW together"
            findings.add(path, "block_limit", message, plan.offered_kw + awarded_kw - block.max_kw)
        if not block.bids:
            self._check_size(findings, path, plan.offered_kw)
            return
        if sum(plan.bid_kw.values()) != plan.offered_kw:
            message = f"{plan.offered_kw} kW, the bids add up to {sum(plan.bid_kw.values())} kW"
            findings.add(path, "bid_sum", message)
        groups: dict[str, list[str]] = {}
        for i, bid in enumerate(block.bids):
            offered_kw = plan.bid_kw.get(bid.id, 0)
            if offered_kw:
                self._check_bid(findings, f"{view.path}.bids[{i}].kw", bid, offered_kw, plan.bid_kw)
                if bid.exclusive_group:
                    groups.setdefault(bid.exclusive_group, []).append(bid.id)
        for group, bids in groups.items():
            if len(bids) > 1:
                findings.add(
                    f"{view.path}.bids",
                    "exclusive",
                    f"{' and '.join(bids)} of group {group!r} exclude each other",
                )

    def _check_bid(self, findings: Findings, path: str, bid: Bid, offered_kw: int, bid_kw: dict[str, int]) -> None:
        self._check_size(findings, path, offered_kw)
        if offered_kw > bid.max_kw:
            findings.add(
                path,
                "bid_limit",
                f"{offered_kw} kW of {bid.id!r}, at most {bid.max_kw} kW",
                offered_kw - bid.max_kw,
            )
        if bid.indivisible and offered_kw != bid.max_kw:
            findings.add(path, "indivisible", f"{offered_kw} kW of {bid.id!r}, which is {bid.max_kw} kW or nothing")
        if bid.parent_bid_id and not bid_kw.get(bid.parent_bid_id, 0):
            findings.add(path, "parent", f"{bid.id!r} is offered without its parent {bid.parent_bid_id!r}")

    def _check_size(self, findings: Findings, path: str, offered_kw: int) -> None:
        smallest, step = self.market.product.smallest_bid_kw, self.market.product.step_kw
        if offered_kw and (offered_kw < smallest or (offered_kw - smallest) % step):
            findings.add(path, "bid_step", f"{offered_kw} kW is not {smallest} kW plus steps of {step} kW")

    def _check_shortfalls(self, findings: Findings, view: BlockView) -> None:
        awarded_mw = {award.id: award.kw / KW_PER_MW for award in view.block.awards}
        for i, (award_id, missing_mw) in enumerate(view.plan.missing_mw.items()):
            field = f"{view.path}.shortfalls[{i}].missing_mw"
            most = np.zeros(self.count)
            most[view.span] = awarded_mw[award_id]
            findings.limit(missing_mw, most, field, "shortfall", f"of award {award_id!r} is missing")
            findings.limit(
                -missing_mw,
                np.zeros(self.count),
                field,
                "shortfall",
                f"of award {award_id!r} is missing minus",
            )

    def _sold_mw(self) -> dict[tuple[str, str], Floats]:
        """MW that must be held in each direction, by tranche: awards less shortfalls, and offers."""
        sold: dict[tuple[str, str], Floats] = {FIRM: np.zeros(self.count)}
        for view in self.view.blocks:
            firm = sold[FIRM]
            missing = sum(view.plan.missing_mw.values(), np.zeros(self.count))
            firm[view.span] += sum(award.kw for award in view.block.awards) / KW_PER_MW - missing[view.span]
            if not view.block.bids:
                firm[view.span] += view.plan.offered_kw / KW_PER_MW
            for bid in view.block.bids:
                name = FIRM if bid.acceptance_prob == 1 else (view.block.id, bid.id)
                tranche = sold.setdefault(name, np.zeros(self.count))
                tranche[view.span] += view.plan.bid_kw.get(bid.id, 0) / KW_PER_MW
        return sold

    def _check_held(self, findings: Findings) -> None:
        inside = np.zeros(self.count, dtype=np.bool_)
        for view in self.view.blocks:
            inside[view.span] = True
        field = f"{self.view.path}.backing"
        for direction in self.market.product.direction.parts:
            held: dict[tuple[str, str], Floats] = {}
            for claim in self.view.claims:
                if claim.direction is direction:
                    for name, mw in (*claim.bid_mw.items(), (FIRM, claim.firm_mw)):
                        held[name] = held[name] + mw if name in held else mw
                    message = f"holds {direction.value} outside all blocks"
                    for t in np.flatnonzero((claim.mw != 0) & ~inside):
                        findings.add(f"{claim.path}.mw[{t}]", "outside_block", message, claim.mw[t], of=claim.path)
            for name, sold_mw in self._sold_mw().items():
                of = "" if name == FIRM else f" of bid {name[1]!r} in block {name[0]!r}"
                held_mw = held.get(name, np.zeros(self.count))
                findings.equal(held_mw, sold_mw, field, "held", f"MW {direction.value}{of} sold")

    def earn(self, book: Book) -> None:
        """Capacity, penalties and activated energy."""
        market, product = self.market, self.market.product
        for view in self.view.blocks:
            capacity, penalty = np.zeros(self.count), np.zeros(self.count)
            for award in view.block.awards:
                capacity[view.span] += award.kw / KW_PER_MW * award.price_per_mw_h
                if award.id in view.plan.missing_mw:
                    penalty -= award.penalty_per_mw_h * view.plan.missing_mw[award.id]
            block_price = view.block.price_per_mw_h or 0.0
            if not view.block.bids:
                capacity[view.span] += view.plan.offered_kw / KW_PER_MW * block_price
            for bid in view.block.bids:
                price = bid.price_per_mw_h if product.pricing is Pricing.AS_BID else block_price
                offered_mw = view.plan.bid_kw.get(bid.id, 0) / KW_PER_MW
                capacity[view.span] += bid.acceptance_prob * offered_mw * price
            book.earn(Stream(CashKind.CAPACITY, market.id), capacity * self.hours)
            book.earn(Stream(CashKind.PENALTY, market.id), penalty * self.hours)
        for claim in self.view.claims:
            if claim.activation is not None:
                energy_mwh = claim.activation.expected_frac * claim.expected_mw * self.hours
                ids = (market.id, claim.site.id, claim.asset_id, claim.direction)
                book.earn(Stream(CashKind.ACTIVATION, *ids), claim.activation.price_per_mwh * energy_mwh)
