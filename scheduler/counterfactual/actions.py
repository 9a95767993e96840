"""What a machine may be told in an interval, and what each of these uses of the limits until it is down again.

Every figure is the difference to going down at once (see ``ways``), which is what happens to machines that are told
nothing. So limits of the future are looked at before a lock is entered, and a sum of these lanes is all that has to be
compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from scheduler.counterfactual.fleet import Flags, Fleet
from scheduler.counterfactual.rules import Wanted
from scheduler.counterfactual.ways import Lane, Ways
from scheduler.problem import Counts, Floats


class Start(IntEnum):
    """Whether an action uses the start budget."""

    NONE = 0
    NOW = 1
    LATER = 2  # a move on the way to a start


@dataclass(frozen=True, eq=False)
class Actions:
    """One row per action of a machine in a mode of a group; lanes are [rows, width], from the interval of the action
    on.

    *Asked*: what must be free before the action is allowed, that of its whole way to the wanted mode. *Taken*: what it
    is certain to use. Climb: the power that can no longer be reached.
    """

    width: int
    asked_mw: Floats
    taken_mw: Floats
    kept_mw: Floats
    asked_on: Floats  # machines that are not in off
    taken_on: Floats
    lost_climb_mw: Floats
    takes: Flags  # [rows] whether anything is taken at all
    move: Counts  # [rows] -1: it stays
    end: Counts  # [rows] mode in which it is afterwards
    rests: Flags  # [rows] whether that is a resting mode
    lock: Counts  # [rows] intervals in which it stays there
    start: Counts  # [rows] of Start
    down: Counts  # [G, M] row of going down
    stay: Counts  # [G, M] row of staying for one interval
    towards: Counts  # [G, M, M] row of going, or staying, where a rule wants a machine; -1 where no rule does
    top: Counts  # [G, M] where the way up ends


def actions_of(fleet: Fleet, wanted: Wanted) -> Actions:
    """All actions that a rule may need."""
    table = _Table(fleet)
    shape = (len(fleet.groups), fleet.modes)
    down, stay, top = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    towards = np.full((*shape, fleet.modes), -1, dtype=np.int64)
    used = np.stack([(wanted.mode == w).any(axis=2) for w in range(fleet.modes)], axis=2)  # [G, M, wanted]
    climbs = bool(fleet.families)
    for g, ways in enumerate(fleet.ways):
        for m in range(len(ways.power_mw)):
            last = table.lanes_down(ways, m)
            a = ways.down[m]
            down[g, m] = table.add(ways, m, last, () if a is None else (a,), stays=a is None)
            stay[g, m] = down[g, m] if a is None else table.add(ways, m, last, (), stays=True)
            if climbs:
                top[g, m] = ways.top[m]
            for w in {*np.flatnonzero(used[g, m]).tolist(), *([ways.top[m]] if climbs else [])}:
                hops = ways.hops(m, w)
                towards[g, m, w] = table.add(ways, m, last, hops, stays=False) if hops else stay[g, m]
    return table.actions(down, stay, towards, top)


Rows = list[tuple[list[float], float]]  # a lane, and what it goes on with


class _Table:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._climbs = bool(fleet.families)
        nothing: tuple[list[float], float] = ([], 0.0)
        self._lanes: dict[str, Rows] = {name: [nothing] for name in ("down", "asked", "taken", "kept", "up", "climb")}
        self._ons: dict[str, Rows] = {name: [nothing] for name in ("down", "asked", "taken")}
        # row 0: padded modes, in which nobody is
        self._figures: list[tuple[int, int, bool, int, int]] = [(-1, 0, True, 1, Start.NONE)]

    def lanes_down(self, ways: Ways, m: int) -> Lane:
        """What all actions of a mode are compared with."""
        return ways.trace(m, (), ways.down)

    def add(self, ways: Ways, m: int, last: Lane, hops: tuple[int, ...] | list[int], *, stays: bool) -> int:
        """A row: to stay for one interval, or to make the first of the hops."""
        first = hops[:1]
        taken = ways.trace(m, first, ways.down, stay=int(stays))
        asked = ways.trace(m, hops, ways.down) if len(hops) > 1 else taken
        kept = ways.trace(m, hops, [None] * len(ways.power_mw))
        self._lanes["kept"].append((kept[0], ways.power_mw[kept[2]]))
        for name, lane in (("down", last), ("asked", asked), ("taken", taken)):
            self._lanes[name].append((lane[0], ways.power_mw[lane[2]]))
            self._ons[name].append((lane[1], float(lane[2] != ways.off)))
        if self._climbs:
            up = ways.trace(m, (), ways.up)
            climb = ways.trace(m, first, ways.up, stay=int(stays))
            self._lanes["up"].append((up[0], ways.power_mw[up[2]]))
            self._lanes["climb"].append((climb[0], ways.power_mw[climb[2]]))
        start = Start.NONE
        if first:
            later = any(ways.is_start[a] for a in hops[1:])
            start = Start.NOW if ways.is_start[first[0]] else Start.LATER if later else Start.NONE
        a = first[0] if first else -1
        end, lock = (ways.target[a], ways.locks[a]) if first else (m, 1)
        self._figures.append((a, end, ways.group.modes[end].resting, lock, start))
        return len(self._figures) - 1

    def actions(self, down: Counts, stay: Counts, towards: Counts, top: Counts) -> Actions:
        """The table as arrays."""
        width = self._width()
        last_mw, last_on = _padded(self._lanes["down"], width), _padded(self._ons["down"], width)
        taken_mw, taken_on = _padded(self._lanes["taken"], width), _padded(self._ons["taken"], width)
        asked_mw = np.maximum(_padded(self._lanes["asked"], width), taken_mw)
        asked_on = np.maximum(_padded(self._ons["asked"], width), taken_on)
        if self._climbs:
            climb = _padded(self._lanes["up"], width) - _padded(self._lanes["climb"], width)
        else:
            climb = np.zeros_like(last_mw)
        move, end, rests, lock, start = np.array(self._figures, dtype=np.int64).T
        mw, on = taken_mw - last_mw, taken_on - last_on
        return Actions(
            width,
            asked_mw - last_mw,
            mw,
            _padded(self._lanes["kept"], width) - last_mw,
            asked_on - last_on,
            on,
            climb,
            np.any(np.concatenate([mw, on, climb], axis=1), axis=1),
            move,
            end,
            rests.astype(bool),
            lock,
            start,
            down,
            stay,
            towards,
            top,
        )

    def _width(self) -> int:
        """Intervals after which every lane is down; all of them where an action cannot be taken back."""
        kinds = [*self._lanes.values(), *self._ons.values()]
        longest = max(len(lane) for rows in kinds for lane, _ in rows)
        ends = np.array([[rest for _, rest in self._lanes[name]] for name in ("down", "asked", "taken")])
        lasting = bool((ends != ends[0]).any())
        if self._climbs:
            tops = np.array([[rest for _, rest in self._lanes[name]] for name in ("up", "climb")])
            lasting |= bool((tops != tops[0]).any())
        count = self._fleet.horizon.count
        return count if lasting else max(1, min(longest, count))


def _padded(rows: Rows, width: int) -> NDArray[np.float64]:
    """[rows, width]"""
    return np.array([lane[:width] + [rest] * (width - len(lane)) for lane, rest in rows])
