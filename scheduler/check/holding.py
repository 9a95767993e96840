"""Checks what holds for everything but machines that backs reserve: speed, caps, no modes (formulation 5)."""

from __future__ import annotations

from scheduler.check.findings import Findings, at_most
from scheduler.check.miner_backing import check_prequalified
from scheduler.check.reading import AssetView


def check_holding(view: AssetView, response_seconds: float, findings: Findings) -> None:
    """Whether its claims are such as it may have; if it can hold so many MW is its own affair."""
    for claim in view.claims:
        if claim.from_mode_id or claim.to_mode_id or claim.machine_count.any():
            findings.add(f"{claim.path}.from_mode_id", "move", f"{view.asset.id!r} has neither modes nor machines")
        limit = claim.market.product.full_activation_seconds
        if claim.mw.any() and not at_most(response_seconds, limit):
            findings.add(claim.path, "speed", f"takes {response_seconds:g} s, full activation {limit:g} s")
        if claim.bid_mw:
            findings.limit(-claim.firm_mw, 0.0, f"{claim.path}.mw", "tranche", "the parts of bids exceed it by")
    check_prequalified(view, findings)
