"""Who runs against the rule where sites would take less than their cleared positions allow (formulation 6).

The counterpart of going down: what the machines of a family could take at most if all went up from now on. Every
machine that does something else lowers it, and where it would fall below what must be taken, machines are told to do
more: those of the worst J/TH to be ready, and those of the best to run.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from scheduler.counterfactual.actions import Start
from scheduler.counterfactual.fleet import Flags
from scheduler.counterfactual.share import EPS_MW, TINY, Choice, Limits, most
from scheduler.problem import Floats


def make_up(limits: Limits, choice: Choice) -> bool:
    """Tells machines of a family to do more where it would take too little. Returns whether enough is taken."""
    work = _MakingUp(limits, choice)
    for resting, order in ((True, limits.groups[::-1]), (False, limits.groups)):
        for g in order.tolist():
            if not work.lacks():
                return True
            work.tell(g, resting=resting)
    return not work.lacks()


class _MakingUp:
    def __init__(self, limits: Limits, choice: Choice) -> None:
        self.limits, self.choice, self.act, self.at = limits, choice, limits.act, limits.at
        climb, groups = limits.climb, limits.groups
        g, _, row, k = choice.orders(self.act)
        members = np.isin(g, groups)
        self.mw = climb.mw[:, self.at].copy()
        np.subtract.at(self.mw, g[members], k[members, None] * self.act.lost_climb_mw[row[members]])
        self.own = {s: groups[climb.site_of[groups] == s] for s in limits.domain.sites.tolist()}
        self.spare = -climb.least_mw[limits.domain.family, self.at]
        for s in self.own:
            self.spare = self.spare + np.minimum(self._together(s), climb.site_mw[s, self.at])

    def _together(self, s: int) -> Floats:
        """[width] what the groups of a site could take at most, the connection aside."""
        own = self.own[s]
        return np.asarray(np.minimum(self.mw[own], self.limits.climb.most_mw[own, self.at]).sum(axis=0))

    def lacks(self) -> bool:
        """Whether too little could be taken, now or later."""
        return bool((self.spare < -EPS_MW).any())

    @cached_property
    def taken_mw(self) -> Floats:
        """[G, width] that the choice is certain to use."""
        return self.choice.sum(self.act.taken_mw)

    @cached_property
    def at_site(self) -> dict[int, Floats]:
        """By site, [width] what it is certain to use."""
        return {s: self.taken_mw[own].sum(axis=0) for s, own in self.own.items()}

    @cached_property
    def at_family(self) -> Floats:
        """[width] of all sites together."""
        return np.asarray(self.taken_mw[self.limits.groups].sum(axis=0))

    @cached_property
    def taken_on(self) -> Floats:
        """[G, width] machines that are not in off."""
        return self.choice.sum(self.act.taken_on)

    def tell(self, g: int, *, resting: bool) -> None:
        """Has as many machines of a group do more as are needed and possible; ``resting``: only to be ready later."""
        act, capped = self.act, self._is_capped(g)
        for m, source, option in self._options(g):
            count = self.choice.told(g, m, source, act)
            if not count or (resting and not act.rests[option]):
                continue
            gain = act.lost_climb_mw[source] - act.lost_climb_mw[option]
            helps = (self.spare < -EPS_MW) & (gain > TINY) & ~capped
            helps[0] &= not resting
            if helps.any():
                needed = int(np.ceil((-self.spare[helps] / gain[helps]).max() - EPS_MW))
                k = self._possible(g, source, option, min(needed, count))
                if k:
                    self._tell(g, m, source, option, k)
                    capped = self._is_capped(g)

    def _is_capped(self, g: int) -> Flags:
        """[width] where availability or the connection leaves a group no more."""
        climb, s = self.limits.climb, int(self.limits.climb.site_of[g])
        by_connection = self._together(s) >= climb.site_mw[s, self.at] - TINY
        return np.asarray(by_connection | (self.mw[g] >= climb.most_mw[g, self.at] - TINY))

    def _possible(self, g: int, source: int, option: int, count: int) -> int:
        """Of ``count`` machines, how many the limits let change from one row to another."""
        act, rooms, s = self.act, self.limits.rooms, int(self.limits.climb.site_of[g])
        more_mw, more_on = act.taken_mw[option] - act.taken_mw[source], act.taken_on[option] - act.taken_on[source]
        at_site = rooms.site_mw[s, self.at] - self.at_site[s]
        together = rooms.family_mw[self.limits.domain.family, self.at] - self.at_family
        k = most(np.array(count), more_mw, np.minimum(at_site, together))
        if self.limits.has_availability[g]:
            k = most(k, more_on, rooms.on[g, self.at] - self.taken_on[g])
        if act.start[option] != Start.NONE and act.start[source] != Start.NOW:
            return int(np.clip(self.limits.starts_left[g] - self.choice.started(g, act), 0, k))
        return int(k)

    def _tell(self, g: int, m: int, source: int, option: int, k: int) -> None:
        act, s = self.act, int(self.limits.climb.site_of[g])
        limit = self.limits.climb.site_mw[s, self.at]
        before = np.minimum(self._together(s), limit)
        more_mw = k * (act.taken_mw[option] - act.taken_mw[source])
        self.at_site[s] += more_mw
        self.at_family += more_mw
        self.taken_on[g] += k * (act.taken_on[option] - act.taken_on[source])
        self.mw[g] += k * (act.lost_climb_mw[source] - act.lost_climb_mw[option])
        self.spare = self.spare + np.minimum(self._together(s), limit) - before
        self.choice.tell_else(g, m, source, option, k)

    def _options(self, g: int) -> Iterator[tuple[int, int, int]]:
        """Mode, row that its machines may be told so far, row that may take more.

        More is: what the rule wants, to go on as they are, or to go up; machines that are nearest to running come
        first.
        """
        act, choice = self.act, self.choice
        for m in np.argsort(-self.limits.climb.mode_mw[g], kind="stable").tolist():
            if not choice.free[g, m]:
                continue
            rows = [int(row) for row in (choice.rows[g, m], act.stay[g, m], act.towards[g, m, act.top[g, m]])]
            for option in dict.fromkeys(rows):
                for source in dict.fromkeys([int(act.down[g, m]), *rows]):
                    if source != option:
                        yield m, source, option
