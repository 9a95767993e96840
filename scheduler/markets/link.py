"""A market whose calls are those of another, as capacity is sold for the calls of an energy product (formulation 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from scheduler.errors import Violation
from scheduler.problem import Problem

if TYPE_CHECKING:
    from scheduler.markets.reserve import ReserveMarket


def link_violations(market: ReserveMarket, path: str, problem: Problem) -> Iterator[Violation]:
    """What is wrong with the market that one names: it must be there, name no other, and its calls must fit.

    Who names another has no calls of its own.
    """
    named = market.product.energy_market_id
    if not named:
        return
    at = f"{path}.spec.energy_market_id"
    found = [other for other in problem.markets if other.kind == market.kind and other.id == named != market.id]
    if not found:
        yield Violation(at, "reference", f"there is no other reserve market {named!r}")
    for other in found:
        if isinstance(other, type(market)):  # else it is one that could not be read
            if other.product.energy_market_id:
                yield Violation(at, "loop", f"{named!r} names another in turn: name that one")
            yield from _misfits(market, other, at, problem)
    for direction in market.activation:
        message = f"belongs to {named!r}, the market named in spec.energy_market_id: state it there"
        yield Violation(f"{path}.{direction.value}", "energy_market", message)


def _misfits(market: ReserveMarket, other: ReserveMarket, at: str, problem: Problem) -> Iterator[Violation]:
    """Why calls of another market cannot be those of this one."""
    called = other.product.direction.parts
    lacking = [part.value for part in market.product.direction.parts if part not in called]
    if lacking:
        message = f"{other.id!r} calls nothing {' and '.join(lacking)}, as this product does"
        yield Violation(at, "direction", message)
    seconds, own_seconds = other.product.full_activation_seconds, market.product.full_activation_seconds
    if seconds < own_seconds:
        message = f"{other.id!r} wants all of a call within {seconds:g} s, this product takes {own_seconds:g} s"
        yield Violation(at, "activation", f"{message}: what backs this one may be too slow for it")
    elsewhere = sorted(set(problem.site_ids_of(market)) - set(problem.site_ids_of(other)))
    if elsewhere:
        yield Violation(at, "sites", f"{other.id!r} is no market of site {elsewhere[0]!r}, as this one is")
