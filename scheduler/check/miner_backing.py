"""Checks what a group of miners backs: may the move deliver, do the machines exist (formulation 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scheduler.check.assignment import Option, unassignable
from scheduler.check.book import Book
from scheduler.check.findings import REL, Findings, at_most
from scheduler.check.ladder import Delivery
from scheduler.check.reading import AssetView, Claim
from scheduler.plan import CashKind, Stream
from scheduler.problem import Counts, Direction, Floats
from scheduler.product import Response

if TYPE_CHECKING:
    from scheduler.assets.machine import Mode, Move
    from scheduler.assets.miner_group import MinerGroup
    from scheduler.product import Product

W_PER_MW = 1e6


@dataclass(frozen=True, eq=False)
class BackedMove:
    """A claim with the move that would deliver it."""

    claim: Claim
    here: Mode
    there: Mode
    move: Move
    back: Move | None  # the way back
    delivery_frac: float
    hours: float

    @property
    def product(self) -> Product:
        """What is to be delivered."""
        return self.claim.market.product

    @property
    def step_mw(self) -> float:
        """Nameplate step of one machine."""
        return abs(self.here.power_w - self.there.power_w) / W_PER_MW

    @property
    def rotates(self) -> bool:
        """Whether others must wait out the dwell: a signal that is faster than the dwell of a mode."""
        dwell_seconds = 60 * max(self.here.dwell_minutes, self.there.dwell_minutes)
        return self.product.response is Response.SIGNAL and not at_most(
            dwell_seconds, self.product.full_activation_seconds
        )

    @property
    def moved_machines(self) -> Floats:
        """[T] machines that deliver it, times their chance of acceptance."""
        if self.step_mw == 0:
            return np.zeros_like(self.claim.mw)
        machines: Floats = self.claim.expected_mw / (self.step_mw * self.delivery_frac)
        return machines

    @property
    def called_machines(self) -> Floats:
        """[T] machines that expected calls move in an interval."""
        if self.claim.activation is None:
            return np.zeros_like(self.claim.mw)
        calls: Floats = self.claim.activation.calls_per_hour * self.hours
        return calls * self.moved_machines

    @property
    def option(self) -> Option:
        """What the assignment needs to know."""
        limit = self.product.full_activation_seconds
        back_seconds = self.back.seconds if self.back else float("inf")
        longest = max(60 * self.here.dwell_minutes, 60 * self.there.dwell_minutes, self.move.seconds, back_seconds)
        return Option(self.claim.direction, limit, limit - self.move.seconds, longest)

    def faults(self) -> Iterator[tuple[str, str]]:
        """Why the move cannot deliver the product: rule and message."""
        here, there, limit = self.here, self.there, self.product.full_activation_seconds
        if "mining" not in (here.kind.value, there.kind.value):
            yield "resting", f"a move from {here.id!r} to {there.id!r}, both resting, never counts"
        if not at_most(self.move.seconds, limit):
            yield "speed", f"takes {self.move.seconds:g} s, full activation {limit:g} s"
        change_w = there.power_w - here.power_w
        if not (change_w < 0 if self.claim.direction is Direction.UP else change_w > 0):
            yield (
                "step_direction",
                f"a change by {change_w:g} W does not deliver {self.claim.direction.value}",
            )
        if self.back is None:
            yield "way_back", f"there is no way back from {there.id!r} to {here.id!r}"
        if self.product.response is Response.SIGNAL:
            yield from self._signal_faults()
        else:
            yield from self._call_faults()

    def _signal_faults(self) -> Iterator[tuple[str, str]]:
        limit = self.product.full_activation_seconds
        if self.back is not None and not at_most(self.back.seconds, limit):
            yield "way_back", f"takes {self.back.seconds:g} s, full activation {limit:g} s"
        if self.rotates and self.product.rotation_factor is None:
            dwells = f"{self.here.dwell_minutes:g} and {self.there.dwell_minutes:g} min"
            yield "dwell", f"dwells of {dwells}, full activation {limit:g} s and no rotation"
        if self.step_mw > self.product.max_step_mw * (1 + REL):
            yield (
                "max_step",
                f"one machine steps by {self.step_mw:g} MW, at most {self.product.max_step_mw:g} MW",
            )

    def _call_faults(self) -> Iterator[tuple[str, str]]:
        call_seconds = 60 * self.product.shortest_call_minutes + self.product.full_activation_seconds
        if not at_most(60 * self.there.dwell_minutes, call_seconds):
            yield (
                "dwell",
                f"dwell of {self.there.dwell_minutes:g} min, a call may end after {call_seconds:g} s",
            )
        if self.product.rest_minutes is not None:
            needed = max(self.back.seconds if self.back else 0.0, 60 * self.here.dwell_minutes)
            if not at_most(needed, 60 * self.product.rest_minutes):
                yield (
                    "rest",
                    f"needs {needed:g} s between calls, {60 * self.product.rest_minutes:g} s are given",
                )


def backed_moves(view: AssetView, findings: Findings) -> list[BackedMove]:
    """The claims on a group with their moves; those without a move are findings."""
    group: MinerGroup = view.asset
    modes = {mode.id: mode for mode in group.modes}
    moves = {(move.from_mode_id, move.to_mode_id): move for move in group.moves}
    hours, found = view.problem.horizon.step_minutes / 60.0, []
    for claim in view.claims:
        move = moves.get((claim.from_mode_id, claim.to_mode_id))
        if move is None:
            message = f"{group.id!r} has no move from {claim.from_mode_id!r} to {claim.to_mode_id!r}"
            findings.add(f"{claim.path}.to_mode_id", "move", message)
            continue
        here, there = modes[claim.from_mode_id], modes[claim.to_mode_id]
        found.append(BackedMove(claim, here, there, move, moves.get((there.id, here.id)), group.delivery_frac, hours))
    return found


def check_backing(
    view: AssetView, backed: list[BackedMove], ready: Callable[[str, float], Counts], findings: Findings
) -> None:
    """Everything that is wrong with it; ``ready`` gives [T] machines of a mode that are ready for a slack."""
    group: MinerGroup = view.asset
    for item in backed:
        claim = item.claim
        if not claim.machine_count.any() and not claim.mw.any():
            continue
        for rule, message in item.faults():
            findings.add(claim.path, rule, message)
        machine_mw: float = item.step_mw * item.delivery_frac
        if item.rotates and item.product.rotation_factor is not None:
            machine_mw /= item.product.rotation_factor
        findings.limit(
            claim.mw,
            np.asarray(machine_mw * claim.machine_count, np.float64),
            f"{claim.path}.mw",
            "backed_mw",
            "is counted for",
        )
        if claim.bid_mw:
            findings.limit(-claim.firm_mw, 0.0, f"{claim.path}.mw", "tranche", "the parts of bids exceed it by")
    for m, mode in enumerate(group.modes):
        mine = [item for item in backed if item.here is mode and item.claim.machine_count.any()]
        if mine:
            _check_assignment(f"{view.path}.{group.kind}.modes[{m}].count", mine, ready, findings)
    check_prequalified(view, findings)


def _check_assignment(
    field: str, backed: list[BackedMove], ready: Callable[[str, float], Counts], findings: Findings
) -> None:
    """Machines must exist with one move per direction at most, and both only where they go together."""
    mode_id = backed[0].here.id
    back = np.array([item.claim.machine_count for item in backed])
    bad = unassignable([item.option for item in backed], back, lambda slack: ready(mode_id, slack))
    free = np.maximum(0, ready(mode_id, float("inf"))) if bad.any() else back[0]
    findings.each(
        bad,
        field,
        "assignment",
        lambda t: (
            f"interval {t}: {back[:, t].sum()} moves are asked of {mode_id!r}, {free[t]} machines may back: "
            "no machine can do so many at once"
        ),
    )


def check_prequalified(view: AssetView, findings: Findings) -> None:
    """What an asset holds for a market in a direction is at most what is prequalified."""
    caps: dict[tuple[str, Direction], float] = {}
    for entry in view.asset.prequalified:
        for direction in (Direction.UP, Direction.DOWN):
            if entry.direction in (direction, Direction.SYMMETRIC):
                key = (entry.market_id, direction)
                caps[key] = min(caps.get(key, np.inf), entry.max_mw)
    for (market_id, direction), cap_mw in caps.items():
        mine = [c for c in view.claims if c.market.id == market_id and c.direction is direction]
        held_mw = sum((claim.mw for claim in mine), np.zeros_like(view.power_mw))
        what = f"{direction.value} for {market_id!r} it holds"
        findings.limit(held_mw, cap_mw, f"{view.path}.{view.asset.kind}", "prequalified", what)


def delivery_of(backed: BackedMove, income_per_ths_h: Floats) -> Delivery:
    """How soon, by how many MW a machine, and at what cost a call is delivered: of one MW called for an hour."""
    claim, none = backed.claim, np.zeros_like(backed.claim.mw)
    machine_mw = backed.step_mw * backed.delivery_frac
    machines = 1 / machine_mw if machine_mw else 0.0
    cost = machines * (backed.here.hashrate_ths - backed.there.hashrate_ths) * income_per_ths_h
    if claim.activation is not None:
        calls = claim.activation.calls_per_hour
        energy = claim.activation.expected_frac
        calls_per_mwh = np.divide(calls, energy, out=none, where=energy > 0)
        for move, target in ((backed.move, backed.there), (backed.back, backed.here)):
            if move is not None:
                lost = target.hashrate_ths * move.seconds / 3600 * income_per_ths_h
                cost = cost + calls_per_mwh * machines * (lost + move.wear_cost)
    return Delivery(backed.move.seconds, np.asarray(cost, np.float64), machine_mw, backed.option)


def earn_calls(backed: BackedMove, income_per_ths_h: Floats, book: Book) -> None:
    """Hashes lost or gained by activation; hashes and wear that calls cost (decision 1, money)."""
    claim = backed.claim
    if claim.activation is None:
        return
    ids = (claim.market.id, claim.site.id, claim.asset_id, claim.direction)
    active = claim.activation.expected_frac * backed.moved_machines
    ths_hours = active * (backed.there.hashrate_ths - backed.here.hashrate_ths) * backed.hours
    called = backed.called_machines
    for move, target in ((backed.move, backed.there), (backed.back, backed.here)):
        if move is not None:
            ths_hours = ths_hours - called * target.hashrate_ths * move.seconds / 3600  # resting modes hash nothing
            book.earn(Stream(CashKind.WEAR, *ids), -move.wear_cost * called)
    book.earn(Stream(CashKind.ACTIVATION_MINING, *ids), ths_hours * income_per_ths_h)
