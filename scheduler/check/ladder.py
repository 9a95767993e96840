"""Checks activation ladders (formulation 9): whoever follows them delivers every MW that was sold, and in time.

A controller climbs a ladder rung by rung. Which machines a call of x MW takes only grows with x, so a ladder holds for
every MW up to its end if each rung holds whole: its machines are there, they deliver its MW and no machine more, in
time, and the ends of the rungs are the sums of what lies below them. Its end is what was sold, for its rungs are all
that backs the product, and the market checks that this is what was sold. Two products called together are executed as
their net: machines may stand behind both only if they go together, which is asked of all rungs of both, that is of
every pair of calls. All products at once are asked the same (``miner_backing``); here it is said which two clash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from typing import Protocol, cast

import numpy as np

from scheduler.check.assignment import Option, unassignable
from scheduler.check.findings import ABS_MW, REL, Findings, at_most, differ
from scheduler.check.reading import Claim, MarketView, PlanView, Reader, is_number
from scheduler.plan import Rung
from scheduler.problem import Counts, Direction, Floats

ABS_COST = 1e-6
REL_COST = 1e-9

Key = tuple[str, Direction, str, str]


@dataclass(frozen=True, eq=False)
class Delivery:
    """What the asset itself says of a claim: how soon, how much of it by a machine, at what cost."""

    seconds: float
    cost_per_mwh: Floats  # [T] without fees
    machine_mw: float = 0.0  # 0: it has no machines and delivers any MW
    option: Option | None = None  # of its machines


class Deliverer(Protocol):
    """An asset whose calls are known."""

    def deliveries(self) -> Iterator[tuple[Claim, Delivery]]:
        """All that it holds for markets."""


class Group(Deliverer, Protocol):
    """One with machines."""

    def ready(self, mode_id: str, slack_seconds: float) -> Counts:
        """[T] machines of a mode that may back a move of that slack."""


@dataclass(frozen=True, eq=False)
class RungView:
    """A rung as the checker reads it, with the claim that it executes."""

    path: str
    claim: Claim
    seconds: float
    machine_mw: float
    machine_count: Counts  # [T]
    mw: Floats  # [T]
    end_mw: Floats  # [T]
    cost_per_mwh: Floats  # [T]


def check_ladders(view: PlanView, assets: Mapping[str, object], findings: Findings) -> None:
    """Every ladder of a plan, and every pair of products; ``assets``: what checks each asset, by its id."""
    deliverers = {name: cast(Deliverer, asset) for name, asset in assets.items() if hasattr(asset, "deliveries")}
    known = {claim.path: delivery for asset in deliverers.values() for claim, delivery in asset.deliveries()}
    ladders = []
    for market in view.markets:
        if market.market.kind == "energy":
            if market.ladder:
                findings.add(f"{market.path}.ladder", "unknown", "energy markets have no calls")
            continue
        rungs = _read(market, findings)
        ladders.append(rungs)
        for rung in rungs:
            if rung.claim.asset_id not in deliverers:
                message = f"what {rung.claim.asset_id!r} delivers when it is called is not known"
                findings.add(rung.path, "ladder_unproven", message)
            _check_rung(rung, known.get(rung.claim.path), findings)
        for direction in market.market.product.direction.parts:
            mine = [rung for rung in rungs if rung.claim.direction is direction]
            if mine:
                _check_climb(f"{market.path}.ladder", mine, findings)
    for one, other in combinations_with_replacement(ladders, 2):
        _check_pair(one, other, known, deliverers, findings)


def _read(market: MarketView, findings: Findings) -> list[RungView]:
    """The rungs of what the market's assets hold; strangers, twins and what is missing are findings."""
    claims: dict[Key, Claim] = {
        (claim.asset_id, claim.direction, claim.from_mode_id, claim.to_mode_id): claim for claim in market.claims
    }
    reader = Reader(market.problem.horizon.count, findings)
    rungs: dict[Key, RungView] = {}
    for i, rung in enumerate(market.ladder):
        path = f"{market.path}.ladder[{i}]"
        ids = (rung.asset_id, rung.from_mode_id, rung.to_mode_id)
        key = (rung.asset_id, rung.direction, rung.from_mode_id, rung.to_mode_id)
        if (
            not (all(isinstance(name, str) for name in ids) and isinstance(rung.direction, Direction))
            or key not in claims
        ):
            findings.add(path, "ladder_unknown", f"nothing of {rung.asset_id!r} backs this move", of=market.path)
        elif key in rungs:
            findings.add(path, "ladder_twice", f"{rung.asset_id!r} stands on the ladder twice", of=market.path)
        else:
            rungs[key] = _read_rung(reader, path, rung, claims[key])
    for key, claim in claims.items():
        if key not in rungs and claim.mw.any():
            held = f"{claim.asset_id!r} holds {claim.direction.value} in {claim.from_mode_id!r}"
            findings.add(f"{market.path}.ladder", "ladder_missing", f"no rung executes what {held}")
    return list(rungs.values())


def _read_rung(reader: Reader, path: str, rung: Rung, claim: Claim) -> RungView:
    figures = []
    for name in ("seconds", "machine_mw"):
        value = getattr(rung, name)
        if not is_number(value) or value < 0:
            reader.findings.add(f"{path}.{name}", "finite", f"must be a finite number of at least 0, is {value}")
            value = 0.0
        figures.append(float(value))
    return RungView(
        path,
        claim,
        figures[0],
        figures[1],
        reader.counts(f"{path}.machine_count", rung.machine_count),
        reader.floats(f"{path}.mw", rung.mw, negative=False),
        reader.floats(f"{path}.cumulated_mw", rung.cumulated_mw, negative=False),
        reader.floats(f"{path}.cost_per_mwh", rung.cost_per_mwh),
    )


def _check_rung(rung: RungView, delivery: Delivery | None, findings: Findings) -> None:
    """One rung against the backing that it executes, and against what its machines can do."""
    claim = rung.claim
    findings.equal(rung.mw, claim.mw, f"{rung.path}.mw", "ladder_mw", "MW that it backs")
    field = f"{rung.path}.machine_count"
    findings.each(
        rung.machine_count > claim.machine_count,
        field,
        "ladder_machines",
        lambda t: f"interval {t}: {rung.machine_count[t]} machines move, {claim.machine_count[t]} stand behind it",
    )
    limit = claim.market.product.full_activation_seconds
    if not at_most(rung.seconds, limit):
        findings.add(f"{rung.path}.seconds", "ladder_late", f"{rung.seconds:g} s, full activation {limit:g} s")
    if delivery is None:
        return  # it has no such move: said of the backing
    if not (at_most(rung.seconds, delivery.seconds) and at_most(delivery.seconds, rung.seconds)):
        message = f"{rung.seconds:g} s, the move takes {delivery.seconds:g} s"
        findings.add(f"{rung.path}.seconds", "ladder_seconds", message)
    if abs(rung.machine_mw - delivery.machine_mw) > REL * delivery.machine_mw:
        message = f"{rung.machine_mw:.9g} MW, one machine delivers {delivery.machine_mw:.9g} MW"
        findings.add(f"{rung.path}.machine_mw", "ladder_machine_mw", message)
    holds = rung.mw > 0
    if delivery.option is not None:
        moved_mw = np.asarray(rung.machine_count * delivery.machine_mw, np.float64)
        enough = claim.machine_count * delivery.machine_mw >= rung.mw - ABS_MW  # else it is said of the backing
        asked_mw = np.where(enough, rung.mw, 0.0)
        findings.limit(asked_mw, moved_mw, field, "ladder_short", "its machines are to deliver")
        one_less_mw = np.maximum(moved_mw - delivery.machine_mw, 0)
        what = "even without one of its machines it delivers"
        findings.limit(one_less_mw, rung.mw, field, "ladder_over", what)
    cost = delivery.cost_per_mwh
    tariff = claim.site.tariff
    if tariff.fee_on_activated_energy:
        cost = cost + (tariff.import_fee_per_mwh if claim.direction is Direction.DOWN else -tariff.import_fee_per_mwh)
    gap = np.abs(rung.cost_per_mwh - cost)
    findings.each(
        holds & (gap > ABS_COST + REL_COST * np.abs(cost)),
        f"{rung.path}.cost_per_mwh",
        "ladder_cost",
        lambda t: f"interval {t}: {rung.cost_per_mwh[t]:.9g}, a MWh costs {cost[t]:.9g}",
        gap,
    )


def _check_climb(path: str, rungs: list[RungView], findings: Findings) -> None:
    """Climbs the ladder of a direction: each rung ends where it and those below add up to, and none is cheaper."""
    held_mw = np.array([rung.mw for rung in rungs])
    end_mw = np.array([rung.end_mw for rung in rungs])
    costs = np.array([rung.cost_per_mwh for rung in rungs])
    fields = [f"{rung.path}.cumulated_mw" for rung in rungs]
    climbed, last_cost = np.zeros(held_mw.shape[1]), np.full(held_mw.shape[1], -np.inf)
    for row in np.argsort(np.where(held_mw > 0, end_mw, np.inf), axis=0, kind="stable"):
        mw, end, cost = (np.take_along_axis(all_of, row[None], axis=0)[0] for all_of in (held_mw, end_mw, costs))
        holds = mw > 0
        climbed = climbed + np.where(holds, mw, 0.0)
        for t in np.flatnonzero(holds & differ(end, climbed)):
            message = f"interval {t}: ends at {end[t]:.9g} MW, what is below and its own make {climbed[t]:.9g}"
            findings.add(f"{fields[row[t]]}[{t}]", "ladder_sum", message, abs(end[t] - climbed[t]), of=path)
        for t in np.flatnonzero(holds & (cost < last_cost - ABS_COST - REL_COST * np.abs(cost))):
            message = f"interval {t}: at {cost[t]:.9g} comes after {last_cost[t]:.9g}: cheapest first"
            findings.add(f"{fields[row[t]]}[{t}]", "ladder_order", message, last_cost[t] - cost[t], of=path)
        last_cost = np.where(holds, cost, last_cost)
    for rung, field in zip(rungs, fields, strict=True):
        idle = (rung.mw <= 0) & (rung.end_mw != 0)
        findings.each(idle, field, "ladder_sum", lambda t: f"interval {t}: holds nothing, so that it must be 0")


def _check_pair(
    one: list[RungView],
    other: list[RungView],
    known: Mapping[str, Delivery],
    deliverers: Mapping[str, Deliverer],
    findings: Findings,
) -> None:
    """Both products (or both directions of one) in full: no machine makes two moves at once that do not go together."""
    homes: dict[tuple[str, str], list[tuple[RungView, Option]]] = {}
    for rung in one if one is other else [*one, *other]:
        delivery = known.get(rung.claim.path)
        if delivery is not None and delivery.option is not None:
            homes.setdefault((rung.claim.asset_id, rung.claim.from_mode_id), []).append((rung, delivery.option))
    for (asset_id, mode_id), of_mode in homes.items():
        mine = [rung for rung, _ in of_mode]
        if one is not other and len({rung.claim.market.id for rung in mine}) < 2:
            continue  # said of the product alone
        ready = cast(Group, deliverers[asset_id]).ready
        options = [option for _, option in of_mode]
        counts = np.array([rung.claim.machine_count for rung in mine])  # those that wait to rotate included
        bad = unassignable(options, counts, partial(ready, mode_id))
        names = " and ".join(dict.fromkeys(rung.claim.market.id for rung in mine))
        message = f"{names} called together ask more moves of {mode_id!r} at once than there are machines for"
        findings.each(bad, f"{mine[0].path}.machine_count", "ladder_pair", partial(_at, message))


def _at(message: str, t: int) -> str:
    return f"interval {t}: {message}"
