"""Runs a rule forward through the day, machines counted by mode and by when their lock ends (formulation 3;
docs/decisions/0001).

Machines that are told nothing go down (see ``ways``), and the limits keep room for what that takes. In each interval
every group asks to follow its rule, for as many machines as availability and start budget allow. Where the limits of
power are too narrow for all of them, ``share`` has the word.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from scheduler.counterfactual.actions import Start, actions_of
from scheduler.counterfactual.fleet import Flags, Fleet, NoTimeError
from scheduler.counterfactual.makeup import make_up
from scheduler.counterfactual.rules import Wanted
from scheduler.counterfactual.share import Choice, Climb, Domain, Limits, Rooms, Told, most, ration
from scheduler.problem import Counts, Floats

EPS_MW = 1e-9


@dataclass(frozen=True, eq=False)
class Dispatch:
    """What the machines do: counts as in a `MinerGroupPlan`, padded."""

    mode_count: Counts  # [G, M, T]
    move_count: Counts  # [G, moves, T]


def simulate(fleet: Fleet, wanted: Wanted, seconds: float = float("inf")) -> Dispatch:
    """What a rule comes to. Where no way within the limits is found, they are overstepped: audit it.

    Raises NoTimeError where it would take longer than ``seconds``.
    """
    return _Simulation(fleet, wanted).run(time.monotonic() + seconds)


class _Simulation:
    def __init__(self, fleet: Fleet, wanted: Wanted) -> None:
        self.fleet, self.wanted = fleet, wanted
        self.actions = actions_of(fleet, wanted)
        self.count, self.width = fleet.horizon.count, self.actions.width
        self.starts_left = fleet.starts_left()
        budget = np.array([group.daily_start_budget_count is not None for group in fleet.groups])
        self.has_availability = np.any(np.isfinite(fleet.available), axis=1)
        self.limited = np.flatnonzero(budget | self.has_availability)
        self.first_of_site = np.searchsorted(fleet.site_of, np.arange(len(fleet.sites)))
        ids = [site.id for site in fleet.sites]
        families = [np.array([id in family.site_ids for id in ids]) for family in fleet.families]
        alone = np.flatnonzero(~np.any([np.zeros(len(ids), dtype=bool), *families], axis=0))
        self.together = [Domain(np.flatnonzero(within), f) for f, within in enumerate(families)]
        self.domains = self.together + [Domain(np.array([s]), -1) for s in alone]
        self._start_state()

    def _start_state(self) -> None:
        """Machines by mode and end of lock, and what all limits have left if every machine goes down from the start."""
        fleet, shape = self.fleet, (len(self.fleet.groups), self.fleet.modes)
        self.present, self.free = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.release = np.zeros((*shape, self.count), np.int64)
        power, on, climb = (np.zeros((len(fleet.groups), self.count + self.width)) for _ in range(3))
        for g, ways in enumerate(fleet.ways):
            for cohort in ways.group.initial_cohorts:
                m = ways.group.mode_index[cohort.mode_id]
                lock = min(ways.group.initial_lock(cohort, fleet.horizon.step_minutes), self.count)
                self.present[g, m] += cohort.count
                if lock < self.count:
                    self.release[g, m, lock] += cohort.count
                mw, is_on, end = ways.trace(m, (), ways.down, stay=lock)
                _add(power[g], mw, ways.power_mw[end], cohort.count)
                _add(on[g], is_on, float(end != ways.off), cohort.count)
                if fleet.families:
                    mw, _, end = ways.trace(m, (), ways.up, stay=lock)
                    _add(climb[g], mw, ways.power_mw[end], cohort.count)
        limit_mw, available = self._ahead(fleet.import_limit_mw), self._ahead(fleet.available)
        at_site = self._by_site(power)
        most_mw, least_mw = self._limits_of_families()
        for domain in self.together:
            most_mw[domain.family] -= at_site[domain.sites].sum(axis=0)
        self.rooms = Rooms(fleet.site_of, limit_mw - at_site, most_mw, available - on)
        of_available_mw = np.full(available.shape, np.inf)
        for g in np.flatnonzero(self.has_availability).tolist():
            delay, awake = min(fleet.ways[g].delay_up, self.count), available[g].copy()
            for j in range(1, delay + 1):  # who was not available a moment ago is not up yet
                awake[j:] = np.minimum(awake[j:], available[g, :-j])
            of_available_mw[g] = awake * fleet.power_mw[g].max()
        self.climb = Climb(fleet.site_of, fleet.power_mw, climb, of_available_mw, limit_mw, least_mw)

    def _limits_of_families(self) -> tuple[Floats, Floats]:
        """[families, T + width] most and least that may be taken.

        The least with a margin: machines are whole, and those not available seem able to draw what standby draws.
        """
        families, shape = self.fleet.families, (len(self.fleet.families), self.count)
        most_mw = np.array([family.upper_mw for family in families]).reshape(shape)
        least_mw = np.array([family.lower_mw for family in families]).reshape(shape)
        top_mw = self.fleet.power_mw.max(axis=1)
        nameplate_mw = sum(group.machine_count * mw for group, mw in zip(self.fleet.groups, top_mw, strict=True))
        margin_mw = np.minimum((most_mw - least_mw) / 10, max(top_mw.max(), nameplate_mw * 1e-4))
        never = np.full((len(families), self.width), -np.inf)
        return self._ahead(most_mw), np.concatenate([least_mw + margin_mw, never], axis=1)

    def _by_site(self, by_group: Floats) -> Floats:
        return np.add.reduceat(by_group, self.first_of_site, axis=0)

    def _ahead(self, limit: Floats) -> Floats:
        """[.., T + width] the same, as if limits went on after the horizon as they were at its end."""
        return np.concatenate([limit, np.repeat(limit[:, -1:], self.width, axis=1)], axis=1)

    def run(self, end: float) -> Dispatch:
        """All intervals in turn."""
        shape = (len(self.fleet.groups), self.fleet.modes, self.count)
        mode_count = np.zeros(shape, np.int64)
        self.move_count = np.zeros((shape[0], self.fleet.moves, self.count), np.int64)
        for t in range(self.count):
            if time.monotonic() > end:
                raise NoTimeError(f"it was simulated up to interval {t} of {self.count} when the time was over")
            self.free += self.release[:, :, t]
            wanted = self.wanted.mode[:, :, t, None]
            rows = np.take_along_axis(self.actions.towards, wanted, axis=2)[:, :, 0]
            choice = self._ask(t, np.maximum(rows, 0), {})
            self._fit_power(t, choice)
            self._do(t, choice)
            mode_count[:, :, t] = self.present
        return Dispatch(mode_count, self.move_count)

    def _ask(self, t: int, rows: Counts, other: Told) -> Choice:
        """As many machines as availability and start budget allow, those that are where they should be before the
        others.

        ``other``: machines that have been told something else already.
        """
        may_hold = self._may_hold(t, rows)
        nobody = np.zeros_like(self.free)
        choice = Choice(self.free, rows, self.actions.stay, may_hold, nobody.copy(), nobody, other)
        free = self.free - choice.told_else()
        choice.follow[:] = free
        at, act = self.limited, self.actions
        if not at.size:
            return choice
        room = self.rooms.on[at, t : t + self.width].copy()
        today = self._starts_left(np.arange(len(self.free)), t)
        for g, _, told, machines in choice.others():
            room[at == g] -= machines * act.asked_on[told]
            today[g] -= machines if act.start[told] == Start.NOW else 0
        today = today[at]
        descends = self.fleet.resting & (act.move[act.down] >= 0)
        waiting = ((self.present - self.free) * descends).sum(axis=1)[at]  # on their way to a start
        order = np.argsort(np.where(act.move[rows[at]] >= 0, 1 + act.start[rows[at]], 0), axis=1, kind="stable")
        for m in order.T:
            row = rows[at, m]
            start, then = act.start[row], t + act.lock[row]
            k = most(free[at, m], act.asked_on[row], room)
            later = np.where(self._day(then) == self._day(t), today, self._starts_left(at, then)) - waiting
            left = np.where(start == Start.NOW, today, later)
            k = np.where(start == Start.NONE, k, np.clip(left, 0, k))
            today = today - np.where(start == Start.NOW, k, 0)
            room -= k[:, None] * act.asked_on[row]
            choice.follow[at, m] = k
        for m in order.T:
            stay = act.stay[at, m]
            spare = np.where(may_hold[at, m], free[at, m] - choice.follow[at, m], 0)
            k = most(spare, act.asked_on[stay], room)
            room -= k[:, None] * act.asked_on[stay]
            choice.hold[at, m] = k
        return choice

    def _may_hold(self, t: int, rows: Counts) -> Flags:
        """[G, M] whether a machine that cannot go where the rule wants it to mine may go on mining where it is."""
        wants_mining = np.take_along_axis(self.fleet.mining, self.wanted.mode[:, :, t], axis=1)
        return np.asarray(self.fleet.mining & wants_mining & (self.actions.move[rows] >= 0))

    def _day(self, t: int | Counts) -> Counts:
        return np.asarray(self.fleet.horizon.civil_day[np.minimum(t, self.count - 1)])

    def _starts_left(self, groups: Counts, t: int | Counts) -> Counts:
        return np.asarray(self.starts_left[groups, self._day(t)])

    def _fit_power(self, t: int, choice: Choice) -> None:
        """Shares what is too narrow, and makes up for what would be too little."""
        at = slice(t, t + self.width)
        asked = np.maximum(choice.sum(self.actions.asked_mw), choice.sum(self.actions.kept_mw))
        over = np.any(self._by_site(asked) > self.rooms.site_mw[:, at] + EPS_MW, axis=1)
        for domain in self.domains:
            if domain.family >= 0 or over[domain.sites].any():
                groups = np.flatnonzero(np.isin(self.fleet.site_of, domain.sites))
                groups = groups[np.argsort(self.wanted.joule_per_th[groups, t], kind="stable")]
                left = self._starts_left(np.arange(len(self.free)), t)
                limits = Limits(self.actions, self.rooms, self.climb, domain, groups, at, self.has_availability, left)
                ration(limits, choice)
                if domain.family >= 0 and not make_up(limits, choice):
                    self._what_must_be_first(t, limits, choice)

    def _what_must_be_first(self, t: int, limits: Limits, choice: Choice) -> None:
        """Where nothing can be added to what the rule wants: what must be taken comes first, and the rule has the
        rest."""
        groups = limits.groups
        choice.follow[groups] = choice.hold[groups] = 0
        for at in [at for at in choice.other if at[0] in groups]:
            del choice.other[at]
        make_up(limits, choice)
        again = self._ask(t, choice.rows, choice.other)
        choice.follow[groups], choice.hold[groups] = again.follow[groups], again.hold[groups]
        ration(limits, choice)
        make_up(limits, choice)

    def _do(self, t: int, choice: Choice) -> None:
        """Moves the machines, sets their locks, and takes what they use from all limits."""
        act, at = self.actions, slice(t, t + self.width)
        g, m, row, k = choice.orders(act)
        taking = act.takes[row]
        used, rows, machines = g[taking], row[taking], k[taking][:, None]
        power, on, lost = (np.zeros((len(self.free), self.width)) for _ in range(3))
        np.add.at(power, used, machines * act.taken_mw[rows])
        np.add.at(on, used, machines * act.taken_on[rows])
        at_site = self._by_site(power)
        self.rooms.site_mw[:, at] -= at_site
        self.rooms.on[:, at] -= on
        for domain in self.together:
            self.rooms.family_mw[domain.family, at] -= at_site[domain.sites].sum(axis=0)
        if self.together:
            np.add.at(lost, used, machines * act.lost_climb_mw[rows])
            self.climb.mw[:, at] -= lost
        moving = act.move[row] >= 0
        g, m, row, k = g[moving], m[moving], row[moving], k[moving]
        end, free_from = act.end[row], t + act.lock[row]
        np.add.at(self.move_count[:, :, t], (g, act.move[row]), k)
        np.subtract.at(self.free, (g, m), k)
        np.subtract.at(self.present, (g, m), k)
        np.add.at(self.present, (g, end), k)
        back = free_from < self.count
        np.add.at(self.release, (g[back], end[back], free_from[back]), k[back])
        starts = act.start[row] == Start.NOW
        np.subtract.at(self.starts_left, (g[starts], self._day(t)), k[starts])


def _add(lane: Floats, values: list[float], rest: float, machines: int) -> None:
    """Adds machines that follow some values and go on with the last."""
    first = min(len(values), len(lane))
    lane[:first] += machines * np.array(values[:first])
    lane[first:] += machines * rest
