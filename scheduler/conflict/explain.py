"""Shortfalls of a relaxed plan, each with its way out, then the limits that clash with them (formulation 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.conflict.causes import HELP_MW_H, Causes, Finding, causes_of
from scheduler.conflict.loads import Load, loads_of
from scheduler.conflict.lots import Lot, lots_of
from scheduler.conflict.way_out import Release, WayOut, cheapest_way_out
from scheduler.conflict.words import money, mw, number, span
from scheduler.markets.block import KW_PER_MW
from scheduler.model.clock import Clock
from scheduler.plan import Plan, Shortfall
from scheduler.problem import Problem

SHARE_FOR_CAUSES = 0.6
"""Of the time; the rest is for a way out that is better than the relaxed plan's own."""
MOST_TRADES = 5
MOST_NAMED = 5
"""In one sentence."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """What cannot be held, per award and run of intervals; then what clashes with it. Empty: nothing is missing."""

    shortfalls: tuple[Shortfall, ...] = ()
    cheapest_cost: float = 0.0  # of the way out: buy-backs and penalties
    is_cheapest: bool = True  # else the time was too short to look for all ways out
    complete: bool = True  # else the time was too short for that, or to try every limit


def explain(problem: Problem, plan: Plan, seconds: float, seed: int = 0) -> Explanation:
    """Explains the relaxed plan of a problem within about ``seconds``; what the time did not allow is said.

    Shortfalls with an asset: firm load that is not served, which comes first and has no price. Shortfalls with an
    award: what is missing of it, with the penalty as cost; or, where another award is the one to
    buy back, the buy-back. Shortfalls without: a limit, with the MW that it costs the awards in the worst interval.
    """
    lots, loads = lots_of(problem, plan), loads_of(problem, plan)
    missing_mw = [*(lot.missing_mw for lot in lots), *(load.missing_mw for load in loads)]
    if not any(mw.any() for mw in missing_mw):
        return Explanation()
    clock = Clock(seconds)
    causes = causes_of(problem, lots, loads, Clock(seconds * SHARE_FOR_CAUSES), seed)
    way = cheapest_way_out(problem, lots, clock, seed, sum(load.missing_mwh for load in loads))
    words = _Words(problem, way, causes)
    shortfalls = (*words.of_loads(loads), *words.of_awards(lots), *words.of_limits())
    return Explanation(shortfalls, way.cost, not way.is_cut, causes.complete and not way.is_cut)


@dataclass(frozen=True, eq=False)
class _Words:
    problem: Problem
    way: WayOut
    causes: Causes

    def of_loads(self, loads: list[Load]) -> Iterator[Shortfall]:
        """Firm loads that are not served in full, run by run, with the limits that stand in the way of that run."""
        for load in loads:
            for start, end in load.runs():
                gone_mw = load.missing_mw[start:end]
                gone_mwh = float(gone_mw.sum()) * self.problem.horizon.step_hours
                most_mw = float(load.asset.load_mw[start:end].max())
                words = f"{mw(gone_mw.max())} of {mw(most_mw)} not served, {number(gone_mwh)} MWh: "
                words += self._cause_of(start, end)
                mw_gone = float(gone_mw.max())
                yield Shortfall("", "", "", start, end, mw_gone, 0.0, load.field, words, load.site_id, load.asset.id)

    def _cause_of(self, start: int, end: int) -> str:
        """What would let more be served in a run of intervals."""
        found = sorted(self.causes.findings, key=lambda one: -one.helps_mw_h)
        advice = dict.fromkeys(one.limit.advice for one in found if one.start < end and start < one.end)
        if advice:
            return f"to serve more of it, {' or '.join(list(advice)[:MOST_NAMED])}"
        if not self.causes.complete:
            return "the time did not allow to say why"
        return "no limit that can be lifted stands in its way: more power is needed behind its meter"

    def of_awards(self, lots: list[Lot]) -> Iterator[Shortfall]:
        """Awards with something missing, run by run, and awards that are bought back in their stead."""
        first = True
        for lot in lots:
            for start, end in lot.runs():
                yield self._missing(lot, start, end, first)
                first = False
            if lot.key in self.way.releases and not lot.missing_mw.any():
                yield self._instead(lot, self.way.releases[lot.key])

    def _missing(self, lot: Lot, start: int, end: int, first: bool) -> Shortfall:
        hours = self.problem.horizon.step_hours
        gone_mw = lot.missing_mw[start:end]
        gone_mw_h = float(gone_mw.sum()) * hours
        cost = lot.award.penalty_per_mw_h * gone_mw_h
        runs = list(lot.runs())
        parts = [f"{mw(gone_mw.max())} of {mw(lot.award_mw)} missing, {number(gone_mw_h)} MW h"]
        parts[0] += f", penalty {self._money(cost)}"
        if (start, end) == runs[0]:
            parts += self._of_lot(lot)
        else:
            parts.append(f"way out: as from {span(self.problem.horizon, *runs[0])}")
        if first:
            parts += self._of_all()
        return self._shortfall(lot, start, end, float(gone_mw.max()), cost, "; ".join(parts))

    def _instead(self, lot: Lot, release: Release) -> Shortfall:
        reason = f"held in the relaxed plan, but cheaper to give up than what is missing there: {self._do(release)}"
        start, end = lot.intervals[0], lot.intervals[-1] + 1
        gone_mw = max(release.bought_kw / KW_PER_MW, float(release.unpaid_mw.max()))
        return self._shortfall(lot, start, end, gone_mw, release.cost, reason)

    @staticmethod
    def _shortfall(lot: Lot, start: int, end: int, gone_mw: float, cost: float, reason: str) -> Shortfall:
        return Shortfall(*lot.key, start, end, gone_mw, cost, lot.field, reason)

    def _of_lot(self, lot: Lot) -> Iterator[str]:
        """Whether it can ever be held, and its way out."""
        awarded_mw = lot.block.awarded_kw / KW_PER_MW
        most_mw = self.causes.capability_mw.get(lot.market.id, awarded_mw)
        if most_mw <= 0:
            yield "no machine of its sites may back it: their moves, dwells or steps do not fit the product"
        elif most_mw < awarded_mw:
            yield f"its machines can never back more than {mw(most_mw)}, {mw(awarded_mw)} are awarded"
        release = self.way.releases.get(lot.key)
        if release is None:
            yield "way out: keep it, it is cheaper to give up other awards, see there"
            return
        yield f"way out: {self._do(release)}"
        award = lot.award
        if award.buy_back_per_mw_h is None:
            yield (
                "it has no buy_back_per_mw_h, so only the penalty is left"
                if award.penalty_per_mw_h
                else ("it has neither buy_back_per_mw_h nor penalty_per_mw_h: state what a way out costs")
            )
        elif release.bought_kw and not release.unpaid_mw_h and award.penalty_per_mw_h:
            yield f"the penalty alone would be {self._money(lot.penalty_cost)}"
        elif not release.bought_kw and self.way.traded is None:
            kw = lot.steps_kw(float(lot.missing_mw.max()))
            cost = award.buy_back_per_mw_h * kw / KW_PER_MW * lot.hours
            yield f"buying back {mw(kw / KW_PER_MW)} at {money(award.buy_back_per_mw_h)} would be {self._money(cost)}"

    def _do(self, release: Release) -> str:
        """In tradable steps: buy back 2 MW aFRR up 08-12 at 6.10: 48.80."""
        lot, award, parts = release.lot, release.lot.award, []
        if release.bought_kw:
            assert award.buy_back_per_mw_h is not None
            when = span(self.problem.horizon, lot.intervals[0], lot.intervals[-1] + 1)
            words = f"buy back {mw(release.bought_kw / KW_PER_MW)} {lot.market.id} {when}"
            words += f" at {money(award.buy_back_per_mw_h)}: {self._money(release.buy_back_cost)}"
            if lot.block.is_cut(self.problem.horizon):
                words += f" for the {number(lot.hours)} h inside the horizon"
            parts.append(words)
        if release.unpaid_mw_h:
            rate = money(award.penalty_per_mw_h)
            parts.append(
                f"pay the penalty on {number(release.unpaid_mw_h)} MW h at {rate}: {self._money(release.penalty_cost)}"
            )
        return " and ".join(parts)

    def _of_all(self) -> Iterator[str]:
        """Said once: what the whole way out comes to, and what no limit explains."""
        if len(self.way.releases) > 1:
            yield f"the way out of all awards together costs {self._money(self.way.cost)}"
        left = f"all but {number(self.way.unpaid_mw_h)} MW h is held" if self.way.unpaid_mw_h else "every award is held"
        if self.way.checked:
            yield f"solved anew: after it {left}"
        else:
            yield f"after it {left}, as the relaxed plan shows; there was no time to solve it anew"
        if self.way.is_cut:
            yield "there was no time to look for all that may be cheaper: raise time_limit_seconds"
        if self.way.traded is not None:
            trades = [self._do(release) for release in self.way.traded.releases.values()]
            more = f" and {len(trades) - MOST_TRADES} more" if len(trades) > MOST_TRADES else ""
            steps = " and ".join(trades[:MOST_TRADES]) + more
            total = f", {self._money(self.way.traded.cost)} in all" if len(self.way.traded.releases) > 1 else ""
            held = "hold every award" if not self.way.traded.unpaid_mw_h else "breach only what cannot be traded"
            yield f"to {held} instead: {steps}{total}"
        if self.causes.never_mw_h > HELP_MW_H:
            yield (
                f"{number(self.causes.never_mw_h)} MW h stay missing whatever limit is lifted: "
                "the machines are too few or too slow for what was sold"
            )
        if not self.causes.complete:
            yield "not every limit that may clash was tried: raise time_limit_seconds to see them all"

    def of_limits(self) -> Iterator[Shortfall]:
        """What clashes, by how much it helps."""
        for finding in sorted(self.causes.findings, key=lambda one: -one.helps_mw_h):
            limit = finding.limit
            yield Shortfall(
                market_id=limit.market_id,
                block_id=limit.block_id,
                award_id="",
                start=finding.start,
                end=finding.end,
                missing_mw=finding.helps_mw,
                cost=0.0,
                field=limit.field,
                reason=self._of_finding(finding),
                site_id=limit.site_id,
            )

    def _of_finding(self, finding: Finding) -> str:
        about = "" if self.causes.whole else "about "
        words = f"{finding.limit.advice}: {about}{number(finding.helps_mw_h)} of {number(finding.of_mw_h)} MW h"
        if finding.limit.award_id:
            return f"{words}: it wants the same machines or the same room"
        if finding.together:
            more = f" and {len(finding.together) - MOST_NAMED} more" if len(finding.together) > MOST_NAMED else ""
            return f"{words}, but only together with {', '.join(finding.together[:MOST_NAMED])}{more}"
        return words

    def _money(self, value: float) -> str:
        return f"{money(value)} {self.problem.currency_code}"
