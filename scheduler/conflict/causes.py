"""Which limits clash with the obligations: lift one at a time, and see how much less goes missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from scheduler.conflict.least import MOST_WHOLE_COUNT, Least, Model, least, model_of
from scheduler.conflict.limits import Limit, by_kind, lifted, limits_of, start_modes
from scheduler.conflict.loads import Load
from scheduler.conflict.lots import MISSING_MW, Lot, without_awards
from scheduler.model.clock import Clock
from scheduler.problem import Problem

HELP_MW_H = 1e-3
"""Less is not worth a word."""
SHARE_IN_PARTS = 0.5
"""Of the shortfall, what must be missing with machines in parts too: else probes take whole machines."""


@dataclass(frozen=True, eq=False)
class Finding:
    """A limit (or another award) without which less is missing."""

    limit: Limit
    helps_mw_h: float
    of_mw_h: float
    start: int  # first interval in which it helps
    end: int  # after the last
    helps_mw: float  # most in any interval
    together: tuple[str, ...] = ()  # fields without which it does not help


@dataclass(eq=False)
class Causes:
    """What clashes."""

    findings: list[Finding] = field(default_factory=list)
    complete: bool = True  # every limit was tried
    whole: bool = True  # measured with whole machines
    never_mw_h: float = 0.0  # missing whatever limit is lifted
    capability_mw: dict[str, float] = field(default_factory=dict)  # market -> most that its machines can ever hold


@dataclass(frozen=True, eq=False)
class _Help:
    """How much less is missing, and when."""

    mw_h: float
    start: int
    end: int
    mw: float


def causes_of(problem: Problem, lots: list[Lot], loads: list[Load], clock: Clock, seed: int) -> Causes:
    """Limits first, then other awards; where no limit helps alone, the smallest set that helps together."""
    if clock.left_seconds <= 0:
        return Causes(complete=False)
    search = _Search(problem, lots, loads, clock, seed)
    if not search.possible:
        search.found.complete = False
        return search.found
    search.limits(limits_of(problem))
    if not search.found.findings:
        search.together(limits_of(problem))
    search.awards()
    if not search.cured:
        search.limits(start_modes(problem))
    if not search.cured:
        search.whatever(limits_of(problem))
    return search.found


class _Search:
    def __init__(self, problem: Problem, lots: list[Lot], loads: list[Load], clock: Clock, seed: int) -> None:
        self.problem, self.lots, self.clock, self.seed = problem, lots, clock, seed
        self.found = Causes()
        of_awards_mw_h = sum(lot.missing_mw_h for lot in lots)
        mw_h = of_awards_mw_h + sum(load.missing_mwh for load in loads)
        missing_mw = {lot.key: lot.missing_mw for lot in lots} | {load.key: load.missing_mw for load in loads}
        self.base = Least(mw_h, missing_mw, of_awards_mw_h)
        self.possible = True  # problems of this size can be probed in the time
        model = model_of(problem)
        self.found.capability_mw = _capabilities(model)
        self.whole = self._needs_whole(model)
        self.found.whole = self.whole

    @property
    def cured(self) -> bool:
        """Whether one finding explains everything."""
        return any(finding.helps_mw_h > self.base.mw_h - HELP_MW_H for finding in self.found.findings)

    def _needs_whole(self, model: Model) -> bool:
        """Large fleets are probed in parts, as long as most of the shortfall shows in parts too."""
        if int(model.matrix.integer.sum()) <= MOST_WHOLE_COUNT:
            return True
        in_parts = least(model, self.clock, whole=False, seed=self.seed)
        if in_parts is None:
            self.possible = False
            return False
        if in_parts.mw_h < SHARE_IN_PARTS * self.base.mw_h:
            return True
        self.base = in_parts
        return False

    def limits(self, limits: list[Limit]) -> None:
        """Each kind of limit together, and those that help one by one."""
        for kind in by_kind(limits).values():
            helped = self._probe(kind)
            if helped is not None:
                for limit, one, together in self._told_apart(kind, helped):
                    self._note(limit, one, together)

    def _told_apart(self, limits: list[Limit], helped: _Help) -> Iterator[tuple[Limit, _Help, tuple[str, ...]]]:
        """Limits that help together: half by half those that help, or all that are needed where no half does."""
        if len(limits) == 1:
            yield limits[0], helped, ()
            return
        half = len(limits) // 2
        halves = [(some, self._probe(some)) for some in (limits[:half], limits[half:])]
        if any(one is not None for _, one in halves):
            for some, one in halves:
                if one is not None:
                    yield from self._told_apart(some, one)
            return
        needed = self._needed(limits, helped)
        if self.found.complete:
            yield from self._as_one(needed, helped)
        else:
            advice = f"{limits[0].advice}, or others of its kind among {len(limits)} (no time to tell them apart)"
            yield replace(limits[0], advice=advice), helped, ()

    def together(self, limits: list[Limit]) -> None:
        """The smallest set of limits that helps when lifted together, kinds first."""
        helped = self._probe(limits)
        if helped is None:
            return
        kept = limits
        for kind in by_kind(limits).values():
            kept = self._without(kept, kind, helped)
        for limit, one, together in self._as_one(self._needed(kept, helped), helped):
            self._note(limit, one, together)

    def _needed(self, limits: list[Limit], helped: _Help) -> list[Limit]:
        kept = limits
        for limit in limits:
            kept = self._without(kept, [limit], helped)
        return kept

    def _without(self, kept: list[Limit], some: list[Limit], helped: _Help) -> list[Limit]:
        """What is kept, less those, where the rest helps as much."""
        rest = [limit for limit in kept if limit not in some]
        if not rest:
            return kept
        less = self._probe(rest)
        return rest if less is not None and less.mw_h > helped.mw_h - HELP_MW_H else kept

    @staticmethod
    def _as_one(limits: list[Limit], helped: _Help) -> Iterator[tuple[Limit, _Help, tuple[str, ...]]]:
        for limit in limits:
            yield limit, helped, tuple(dict.fromkeys(other.field for other in limits if other is not limit))

    def whatever(self, limits: list[Limit]) -> None:
        """What is missing with every limit lifted at once."""
        helped = self._probe(limits) if limits else None
        if self.found.complete:
            self.found.never_mw_h = self.base.mw_h - (helped.mw_h if helped else 0.0)

    def awards(self) -> None:
        """Other awards that want the same machines or the same room: those held in full by market, then each."""
        missing = [lot for lot in self.lots if lot.missing_mw.any()]
        short = self.base.together_mw > 0
        held = [lot for lot in self.lots if not lot.missing_mw.any()]
        held.sort(key=lambda lot: not short[list(lot.intervals)].any())  # those of the same hours first
        self.limits([_as_limit(lot) for lot in held])
        for lot in missing if len(missing) > 1 else ():
            own_mw_h = float(self.base.missing_mw[lot.key].sum()) * self.problem.horizon.step_hours
            helped = self._probe([_as_limit(lot)])
            if helped is not None and helped.mw_h > own_mw_h + HELP_MW_H:
                self._note(_as_limit(lot), replace(helped, mw_h=helped.mw_h - own_mw_h), ())

    def _probe(self, limits: list[Limit]) -> _Help | None:
        """What lifting these together helps; None: nothing, or not known in time."""
        if self.clock.left_seconds <= 0:
            self.found.complete = False
            return None
        found = least(model_of(lifted(self.problem, limits)), self.clock, whole=self.whole, seed=self.seed)
        if found is None:
            self.found.complete = False
            return None
        if self.base.mw_h - found.mw_h <= HELP_MW_H:
            return None
        less_mw = self.base.together_mw - found.together_mw
        most_mw = float(np.max(less_mw))
        when = np.flatnonzero(less_mw >= min(MISSING_MW, most_mw))
        return _Help(self.base.mw_h - found.mw_h, int(when[0]), int(when[-1]) + 1, most_mw)

    def _note(self, limit: Limit, helped: _Help, together: tuple[str, ...]) -> None:
        self.found.findings.append(
            Finding(limit, helped.mw_h, self.base.mw_h, helped.start, helped.end, helped.mw, together)
        )


def _as_limit(lot: Lot) -> Limit:
    market_id, block_id, award_id = lot.key
    lift = partial(without_awards, keys=[lot.key])
    advice = f"give up {lot.field}"
    return Limit(f"awards of {market_id}", lot.field, advice, lift, None, market_id, block_id, award_id)


def _capabilities(model: Model) -> dict[str, float]:
    """Most that the machines of a market's sites can ever hold, in its weaker direction."""
    ledger = model.made.ledger
    most: dict[str, float] = {}
    for demand in ledger.demands:
        most[demand.market_id] = min(most.get(demand.market_id, np.inf), ledger.capability_mw(demand))
    return most
