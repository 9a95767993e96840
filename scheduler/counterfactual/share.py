"""Who runs where power is limited: machines of the best J/TH first, so the worst are shed first and come back last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from scheduler.counterfactual.actions import Actions, Start
from scheduler.counterfactual.fleet import Flags
from scheduler.problem import Counts, Floats

EPS_MW = 1e-9
TINY = 1e-12  # a difference of powers that is none


Told = dict[tuple[int, int], dict[int, int]]
"""By group and mode: machines by the row of what they are told."""


@dataclass(frozen=True, eq=False)
class Domain:
    """Sites that share limits of power: one alone, or those of a family."""

    sites: Counts  # their positions
    family: int  # position, -1: none


@dataclass(frozen=True, eq=False)
class Rooms:
    """What the limits have left if all machines go down from now on, [.., T + width]."""

    site_of: Counts  # [G]
    site_mw: Floats
    family_mw: Floats
    on: Floats  # [G, ..] machines that need not be off


@dataclass(frozen=True, eq=False)
class Climb:
    """What could be taken at most if all machines went up from now on, and what caps it, [.., T + width]."""

    site_of: Counts  # [G]
    mode_mw: Floats  # [G, M] of one machine
    mw: Floats  # [G, ..] by the moves alone
    most_mw: Floats  # [G, ..] by availability
    site_mw: Floats  # [sites, ..] by the connection
    least_mw: Floats  # [families, ..] what must be taken


@dataclass(frozen=True, eq=False)
class Limits:
    """What a choice for the groups of a domain has to respect in an interval."""

    act: Actions
    rooms: Rooms
    climb: Climb
    domain: Domain
    groups: Counts  # of the domain, sorted: the best first
    at: slice  # the intervals that count
    has_availability: Flags  # [G] whether it ever limits the group
    starts_left: Counts  # [G] by the budgets of the day; they do not count in what could be taken later


@dataclass(frozen=True, eq=False)
class Choice:
    """What the free machines are told in an interval; those in none of the counts go down."""

    free: Counts  # [G, M]
    rows: Counts  # [G, M] the action that the rule wants
    stay: Counts  # [G, M] the action of staying
    may_hold: Flags  # [G, M]
    follow: Counts  # [G, M] machines that follow the rule
    hold: Counts  # [G, M] machines that only stay, mining, where they are
    other: Told = field(default_factory=dict)  # what others are told, to make up for too little power

    def sum(self, lanes: Floats) -> Floats:
        """[G, width] of lanes over the machines that do not go down."""
        found = np.asarray(np.einsum("gm,gmw->gw", self.follow.astype(float), lanes[self.rows]))
        if self.hold.any():
            found += np.einsum("gm,gmw->gw", self.hold.astype(float), lanes[self.stay])
        for g, _, row, k in self.others():
            found[g] += k * lanes[row]
        return found

    def others(self) -> Iterator[tuple[int, int, int, int]]:
        """Group, mode, row and machines of what others are told."""
        return ((g, m, row, k) for (g, m), rows in self.other.items() for row, k in rows.items())

    def told_else(self) -> Counts:
        """[G, M] machines that do something else."""
        found = np.zeros_like(self.free)
        for at, rows in self.other.items():
            found[at] = sum(rows.values())
        return found

    def told(self, g: int, m: int, row: int, act: Actions) -> int:
        """Machines of a mode that are told a row so far."""
        others, follow, hold = self.other.get((g, m), {}), int(self.follow[g, m]), int(self.hold[g, m])
        found = others.get(row, 0)
        found += follow if self.rows[g, m] == row else 0
        found += hold if self.stay[g, m] == row else 0
        if act.down[g, m] == row:
            found += int(self.free[g, m]) - follow - hold - sum(others.values())
        return found

    def tell_else(self, g: int, m: int, row: int, option: int, machines: int) -> None:
        """Tells another row to machines that have been told one; to be told nothing is to go down."""
        left, others = machines, self.other.setdefault((g, m), {})
        for count, rows in ((self.follow, self.rows), (self.hold, self.stay)):
            taken = min(left, int(count[g, m])) if rows[g, m] == row else 0
            count[g, m] -= taken
            left -= taken
        if row in others:
            others[row] -= min(left, others[row])
        others[option] = others.get(option, 0) + machines

    def started(self, g: int, act: Actions) -> int:
        """Starts of a group so far."""
        starts = act.start[self.rows[g]] == Start.NOW
        others = sum(k for at_g, _, row, k in self.others() if at_g == g and act.start[row] == Start.NOW)
        return int(self.follow[g][starts].sum()) + others

    def orders(self, act: Actions) -> tuple[Counts, Counts, Counts, Counts]:
        """Group, mode, row and number of machines of everything that is told, going down included."""
        found = []
        down = self.free - self.follow - self.hold - self.told_else()
        for count, rows in ((self.follow, self.rows), (self.hold, self.stay), (down, act.down)):
            g, m = np.nonzero(count)
            found.append(np.stack([g, m, rows[g, m], count[g, m]]))
        found.append(np.array(list(self.others()), dtype=np.int64).reshape(-1, 4).T)
        g, m, row, k = np.concatenate(found, axis=1)
        return g, m, row, k


def most(count: Counts, need: Floats, room: Floats) -> Counts:
    """How many of ``count`` machines [..] find room [.., width], where each needs ``need`` [.., width]."""
    shape = np.broadcast_shapes(need.shape, room.shape)
    fits = np.divide(room + EPS_MW, need, out=np.full(shape, np.inf), where=need > TINY)
    return np.asarray(np.clip(np.floor(fits.min(axis=-1)), 0, count)).astype(np.int64)


def ration(limits: Limits, choice: Choice) -> None:
    """Cuts what the groups of a domain ask for to what its limits leave."""
    served = _Rationing(limits, choice)
    served.serve()
    for holds, count in ((False, choice.follow), (True, choice.hold)):
        those = served.holds == holds
        count[served.g[those], served.m[those]] = served.given[those]


@dataclass(frozen=True, eq=False)
class _Limit:
    """A limit of power, with what it has left [width] at all and with what better machines will keep in use."""

    room: Floats
    room_for_worse: Floats
    members: Flags  # [entries] for whom it holds


class _Rationing:
    """Requests of a domain in the order in which they are served.

    By group; in it, who follows before who holds; of these, who stays before who moves; then who is nearest to running.
    """

    def __init__(self, limits: Limits, choice: Choice) -> None:
        act, rooms, domain, groups, at = limits.act, limits.rooms, limits.domain, limits.groups, limits.at
        self.act, self.rooms, self.at, self.choice = act, rooms, at, choice
        self.modes = modes = choice.rows.shape[1]
        nearest = np.argsort(-limits.climb.mode_mw[groups], axis=1, kind="stable")  # to running
        moves = np.take_along_axis(act.move[choice.rows[groups]] >= 0, nearest, axis=1)
        order = np.take_along_axis(nearest, np.argsort(moves, axis=1, kind="stable"), axis=1)
        self.g = np.repeat(groups, 2 * modes)
        self.m = np.concatenate([order, order], axis=1).ravel()
        self.holds = np.tile(np.repeat([False, True], modes), len(groups))
        self.row = np.where(self.holds, choice.stay[self.g, self.m], choice.rows[self.g, self.m])
        self.count = np.where(self.holds, choice.hold[self.g, self.m], choice.follow[self.g, self.m])
        self.may_hold = choice.may_hold[self.g, self.m] & ~self.holds
        self.need, self.keep = act.asked_mw[self.row], act.kept_mw[self.row]
        self.given = np.zeros_like(self.count)
        self.open = self.count > 0
        site = rooms.site_of[self.g]
        limits_mw = [(rooms.site_mw[s, at], site == s) for s in domain.sites]
        if domain.family >= 0:
            limits_mw.append((rooms.family_mw[domain.family, at], np.ones(len(site), dtype=bool)))
        self.limits = [_Limit(room.copy(), room.copy(), members) for room, members in limits_mw]
        for g, _, row, k in choice.others():
            self._use(np.flatnonzero(self.g == g)[:1], k * act.asked_mw[row][None, :], k * act.kept_mw[row][None, :])

    def serve(self) -> None:
        """Gives to each in turn what there is room for."""
        while self.open.any():
            waiting = np.flatnonzero(self.open)
            served = waiting[: self._first_blocked(waiting)]
            self._give(served, self.count[served])
            blocked = waiting[len(served) :]
            if not blocked.size:
                return
            fits = np.min([self._fits(blocked, limit) for limit in self.limits], axis=0)
            self._give(blocked[:1], fits[:1])
            lost = blocked[fits == 0]  # for good: room only shrinks
            self.open[lost] = False
            for e in dict.fromkeys([int(blocked[0]), *lost.tolist()]):
                self._hold_instead(e)

    def _first_blocked(self, waiting: Counts) -> int:
        """Position of the first that does not fit after all those before it."""
        first = len(waiting)
        for limit in self.limits:
            at = np.flatnonzero(limit.members[waiting])
            count = self.count[waiting[at], None]
            need, keep = count * self.need[waiting[at]], count * self.keep[waiting[at]]
            after_better = np.cumsum(keep, axis=0) - keep + need
            over = np.any(np.cumsum(need, axis=0) > limit.room + EPS_MW, axis=1)
            over |= np.any((after_better > limit.room_for_worse + EPS_MW) & (need > TINY), axis=1)
            late = np.flatnonzero(over)
            if late.size:
                first = min(first, int(at[late[0]]))
        return first

    def _fits(self, entries: Counts, limit: _Limit) -> Counts:
        count = self.count[entries]
        fits = most(count, self.need[entries], np.minimum(limit.room, limit.room_for_worse))
        return np.where(limit.members[entries], fits, count)

    def _give(self, entries: Counts, count: Counts) -> None:
        self.given[entries] = count
        self.open[entries] = False
        self._use(entries, count[:, None] * self.need[entries], count[:, None] * self.keep[entries])

    def _use(self, entries: Counts, need: Floats, keep: Floats) -> None:
        """Takes lanes from the limits that hold for some entries."""
        for limit in self.limits:
            own = limit.members[entries]
            np.subtract(limit.room, need[own].sum(axis=0), out=limit.room)
            np.subtract(limit.room_for_worse, keep[own].sum(axis=0), out=limit.room_for_worse)

    def _hold_instead(self, e: int) -> None:
        """Lets machines that cannot follow stay where they mine, as far as they are available."""
        if not self.may_hold[e]:
            return
        hold = e + self.modes
        same = self.g == self.g[e]
        told = np.where(self.open, self.count, self.given)
        used = (told[same, None] * self.act.asked_on[self.row[same]]).sum(axis=0)
        used = used + sum(k * self.act.asked_on[row] for g, _, row, k in self.choice.others() if g == self.g[e])
        room = self.rooms.on[self.g[e], self.at] - used
        more = most(self.count[e] - self.given[e], self.act.asked_on[self.row[hold]], room)
        self.count[hold] += more
        self.open[hold] = self.count[hold] > 0
