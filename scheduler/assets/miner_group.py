"""Identical mining machines at one site: clustered unit commitment (formulation 3; Palmintier and Webster 2014).

Long because what is asked of a group when it is read stands beside what the model makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from scheduler.assets.backing import (
    W_PER_MW,
    Backed,
    Limit,
    declare_backing,
    earn_calls,
    extract_backing,
    limit_backing,
    set_limits,
    wakes_per_mw,
)
from scheduler.assets.lone_machine import path_of
from scheduler.assets.machine import (
    Cohort,
    Mode,
    ModeKind,
    Move,
    Prequalification,
    prequalified_violations,
)
from scheduler.errors import Violation
from scheduler.model.idioms import in_transit_frac, shifted, window
from scheduler.plan import AssetPlan, Backing, CashKind, Stream
from scheduler.problem import Counts, Floats, Mining, Problem, Site, intervals_of, unique_ids

if TYPE_CHECKING:
    from scheduler.model.ledger import Ledger, Rows, Term, Values, Vars

MOST_LUMPY_MACHINES = 60


@dataclass(frozen=True, eq=False)
class MinerGroup:
    """n identical machines, counted per mode and never listed."""

    kind: ClassVar[str] = "miner_group"
    makes_power: ClassVar[bool] = False

    id: str
    machine_count: int
    modes: tuple[Mode, ...]
    moves: tuple[Move, ...]
    initial_cohorts: tuple[Cohort, ...]
    available_count: Counts | None = None  # [T]; None: all, always
    daily_start_budget_count: int | None = None
    starts_used_today_count: int = 0
    delivery_frac: float = 1.0  # derates reserve only
    prequalified: tuple[Prequalification, ...] = ()
    mining_override: Mining | None = None
    heat_frac: float = 0.0  # of its power, what a heat loop can recover

    @cached_property
    def mode_index(self) -> dict[str, int]:
        """Position of each mode."""
        return {mode.id: m for m, mode in enumerate(self.modes)}

    @cached_property
    def move_index(self) -> dict[tuple[int, int], int]:
        """Position of the move between two modes, by their positions."""
        at = self.mode_index
        return {(at[move.from_mode_id], at[move.to_mode_id]): a for a, move in enumerate(self.moves)}

    @property
    def is_lumpy(self) -> bool:
        """So few machines that one of them matters to an offer."""
        return self.machine_count <= MOST_LUMPY_MACHINES

    def mining(self, problem: Problem) -> Mining:
        """What its hashes earn."""
        return self.mining_override or problem.mining

    def violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        """Everything that is wrong with it."""
        if self.machine_count < 1:
            yield Violation(f"{path}.machine_count", "range", f"must be at least 1, is {self.machine_count}")
        yield from self._mode_violations(path)
        yield from self._move_violations(path)
        yield from self._cohort_violations(path)
        if not 0 < self.delivery_frac <= 1:
            yield Violation(f"{path}.delivery_frac", "range", f"must be in (0, 1], is {self.delivery_frac}")
        if not 0 <= self.heat_frac <= 1:
            yield Violation(f"{path}.heat_frac", "range", f"must be in [0, 1], is {self.heat_frac}")
        if self.daily_start_budget_count is not None and self.daily_start_budget_count < 0:
            yield Violation(
                f"{path}.daily_start_budget_count", "range", f"must be at least 0, is {self.daily_start_budget_count}"
            )
        if self.starts_used_today_count < 0:
            yield Violation(
                f"{path}.starts_used_today_count", "range", f"must be at least 0, is {self.starts_used_today_count}"
            )
        elif self.daily_start_budget_count is not None and self.starts_used_today_count > self.daily_start_budget_count:
            yield Violation(
                f"{path}.starts_used_today_count", "range", f"exceeds the budget of {self.daily_start_budget_count}"
            )
        if self.mining_override is not None:
            yield from self.mining_override.violations(f"{path}.mining_override")
        yield from prequalified_violations(path, self.prequalified, problem)
        yield from self._availability_violations(path, problem)

    def _mode_violations(self, path: str) -> Iterator[Violation]:
        yield from unique_ids(f"{path}.modes", [mode.id for mode in self.modes])
        if not any(mode.kind is ModeKind.MINING for mode in self.modes):
            yield Violation(f"{path}.modes", "required", "name at least one mining mode")
        if sum(mode.kind is ModeKind.OFF for mode in self.modes) > 1:
            yield Violation(f"{path}.modes", "unique", "only one mode may be off")
        for m, mode in enumerate(self.modes):
            yield from mode.violations(f"{path}.modes[{m}]")

    def _move_violations(self, path: str) -> Iterator[Violation]:
        seen: set[tuple[str, str]] = set()
        for a, move in enumerate(self.moves):
            at = f"{path}.moves[{a}]"
            for name in ("from_mode_id", "to_mode_id"):
                if getattr(move, name) not in self.mode_index:
                    yield Violation(f"{at}.{name}", "reference", f"there is no mode {getattr(move, name)!r}")
            if move.from_mode_id == move.to_mode_id:
                yield Violation(f"{at}.to_mode_id", "range", "a move leads to another mode")
            if (move.from_mode_id, move.to_mode_id) in seen:
                yield Violation(at, "unique", f"the move {move.from_mode_id!r} to {move.to_mode_id!r} is named twice")
            seen.add((move.from_mode_id, move.to_mode_id))
            yield from move.violations(at)

    def _cohort_violations(self, path: str) -> Iterator[Violation]:
        for c, cohort in enumerate(self.initial_cohorts):
            at = f"{path}.initial_cohorts[{c}]"
            if cohort.mode_id not in self.mode_index:
                yield Violation(f"{at}.mode_id", "reference", f"there is no mode {cohort.mode_id!r}")
            yield from cohort.violations(at)
        total = sum(cohort.count for cohort in self.initial_cohorts)
        if total != self.machine_count:
            yield Violation(
                f"{path}.initial_cohorts",
                "sum",
                f"the counts add up to {total}, the group has {self.machine_count} machines",
                abs(total - self.machine_count),
            )

    def _availability_violations(self, path: str, problem: Problem) -> Iterator[Violation]:
        if self.available_count is None:
            return
        for t in np.flatnonzero((self.available_count < 0) | (self.available_count > self.machine_count)):
            yield Violation(
                f"{path}.available_count[{t}]",
                "range",
                f"must be 0 to {self.machine_count}, is {self.available_count[t]}",
            )
        missing = self.machine_count - self.available_count
        off = next((m for m, mode in enumerate(self.modes) if mode.kind is ModeKind.OFF), None)
        if off is None:
            if missing.any():
                yield Violation(
                    f"{path}.available_count[{int(np.argmax(missing > 0))}]",
                    "required",
                    "machines that are not available sit in off: add a mode of kind off",
                )
            return
        known = self.mode_index
        ends = [end for move in self.moves for end in (move.from_mode_id, move.to_mode_id)]
        ends += [cohort.mode_id for cohort in self.initial_cohorts]
        spans = [mode.dwell_minutes for mode in self.modes] + [move.seconds for move in self.moves]
        spans += [span for c in self.initial_cohorts for span in (c.minutes_since_move, c.seconds_until_settled)]
        if any(end not in known for end in ends) or not np.isfinite(spans).all():
            return  # said above
        reachable = np.zeros(problem.horizon.count, dtype=np.int64)
        on_the_way = self._intervals_to_off(off, problem.horizon.step_minutes)
        for cohort in self.initial_cohorts:
            m = self.mode_index[cohort.mode_id]
            first = on_the_way.get(m, float("inf"))
            if m != off:
                first += self.initial_lock(cohort, problem.horizon.step_minutes)
            if first < problem.horizon.count:
                reachable[int(first) :] += cohort.count
        for t in np.flatnonzero(missing > reachable)[:1]:
            yield Violation(
                f"{path}.available_count[{t}]",
                "locked",
                f"{missing[t]} machines must be off in interval {t} "
                f"({problem.horizon.boundary_utc(int(t)):%Y-%m-%d %H:%M}Z), "
                f"the locks of the start state let {reachable[t]} get there: raise it or mend initial_cohorts",
                float(missing[t] - reachable[t]),
            )

    def locks(self, step_minutes: int) -> list[int]:
        """Per move, intervals in which a machine that made it stays in the target.

        Ceil of dwell and of the move, at least one.
        """
        return [
            max(
                1,
                intervals_of(self.modes[self.mode_index[move.to_mode_id]].dwell_minutes, step_minutes),
                intervals_of(move.seconds / 60, step_minutes),
            )
            for move in self.moves
        ]

    def initial_lock(self, cohort: Cohort, step_minutes: int) -> int:
        """Intervals from the start in which a cohort cannot leave its mode."""
        dwell_minutes = self.modes[self.mode_index[cohort.mode_id]].dwell_minutes
        return max(
            intervals_of(dwell_minutes - cohort.minutes_since_move, step_minutes),
            intervals_of(cohort.seconds_until_settled / 60, step_minutes),
        )

    def _intervals_to_off(self, off: int, step_minutes: int) -> dict[int, float]:
        """Per mode from which off can be reached, intervals on the way, once free to move: shortest over locks."""
        locks = self.locks(step_minutes)
        on_the_way = {off: 0.0}
        for _ in self.modes:  # Bellman and Ford: as many rounds as modes at most
            before = dict(on_the_way)
            for (m, target), a in self.move_index.items():
                if m != off and target in on_the_way:
                    stay = 0.0 if target == off else locks[a]
                    on_the_way[m] = min(on_the_way.get(m, float("inf")), stay + on_the_way[target])
            if on_the_way == before:
                break
        return on_the_way

    def physics(self, problem: Problem) -> Self:
        """Without how many are available and where they are when the horizon starts.

        Of those that are on their way then it matters when they settle; and whether any that rest in off, from where
        they could back reserve, are ever not available.
        """
        backs_from_off = any(
            mode.kind is ModeKind.OFF and not self.modes[target].resting
            for (m, target), mode in ((ends, self.modes[ends[0]]) for ends in self.move_index)
        )
        limited = self.available_count is not None and bool((self.available_count < self.machine_count).any())
        nobody = np.zeros(problem.horizon.count, dtype=np.int64)
        return replace(
            self,
            available_count=nobody if limited and backs_from_off else None,
            initial_cohorts=tuple(cohort for cohort in self.initial_cohorts if cohort.seconds_until_settled > 0),
            starts_used_today_count=0,
            mining_override=None,
        )

    def declare(self, ledger: Ledger, site: Site) -> MinerGroupVars:
        """Declares counts, moves and backing; injects its power; claims reserve."""
        intervals, machines = ledger.intervals, self.machine_count
        shape = (len(self.modes), intervals)
        own = MinerGroupVars(
            count=ledger.variables(
                f"count[{self.id}]",
                shape,
                upper=machines,
                integer=True,
                coarse=self.is_lumpy,
            ),
            move=ledger.variables(
                f"move[{self.id}]", (len(self.moves), intervals), upper=machines, integer=True, coarse=self.is_lumpy
            ),
        )
        self._inject_power(ledger, site, own)
        own.backed.extend(declare_backing(self, ledger, site))
        return own

    def least_count(self, intervals: int) -> Counts:
        """[modes, T] machines that are not available sit in off."""
        least = np.zeros((len(self.modes), intervals), dtype=np.int64)
        if self.available_count is not None:
            for m, mode in enumerate(self.modes):
                if mode.kind is ModeKind.OFF:
                    least[m] = self.machine_count - self.available_count
        return least

    def _inject_power(self, ledger: Ledger, site: Site, own: MinerGroupVars) -> None:
        """Each mode's power, corrected while moves run: a mean over the interval."""
        step_seconds, count = ledger.problem.horizon.step_seconds, ledger.problem.horizon.count
        for m, mode in enumerate(self.modes):
            self._inject(ledger, site, mode.power_w / W_PER_MW, own.count[m])
        for a, move in enumerate(self.moves):
            target_w = self.modes[self.mode_index[move.to_mode_id]].power_w
            if move.power_w is not None and move.power_w != target_w:
                for j, share in enumerate(in_transit_frac(move.seconds, step_seconds, count)):
                    excess_mw = share * (move.power_w - target_w) / W_PER_MW
                    self._inject(ledger, site, excess_mw, shifted(own.move[a], j))

    def _inject(self, ledger: Ledger, site: Site, mw: float, variables: Vars) -> None:
        """Power, and the part of it that comes back as heat."""
        ledger.inject(site.id, mw, variables)
        if self.heat_frac:
            ledger.machine_heat[site.id].append((mw * self.heat_frac, variables))

    def constrain(self, ledger: Ledger, site: Site, own: MinerGroupVars) -> None:
        """Flow of machines between modes, locks, starts, backing."""
        own.flow.extend(self._balance(ledger, own))
        own.lock.extend(self._lock(ledger, own))
        own.starts.extend(self._limit_starts(ledger, own))
        own.limits.extend(limit_backing(self, ledger, own.backed, own.count, own.move))

    def price(self, ledger: Ledger, site: Site, own: MinerGroupVars) -> None:
        """Who is available and where machines start, as bounds and sides; what mining earns."""
        least = self.least_count(ledger.intervals)
        for m, mode in enumerate(self.modes):
            if mode.kind is ModeKind.OFF:
                ledger.bound(own.count[m], lower=least[m])
            start = np.zeros(ledger.intervals)
            start[0] = sum(cohort.count for cohort in self.initial_cohorts if cohort.mode_id == mode.id)
            ledger.sides(own.flow[m], lower=start, upper=start)
            ledger.sides(own.lock[m], lower=self._locked_at_start(ledger, mode))
        for day, rows in enumerate(own.starts):
            assert self.daily_start_budget_count is not None
            left = self.daily_start_budget_count - (self.starts_used_today_count if day == 0 else 0)
            ledger.sides(rows, upper=float(left))
        set_limits(self, ledger, own.limits)
        self._earn(ledger, site, own)
        if self.machine_count == 1:
            ledger.lone_machines.append(path_of(self, own, ledger))

    def _balance(self, ledger: Ledger, own: MinerGroupVars) -> Iterator[Rows]:
        """Machines in a mode = those of the interval before + moves in - moves out; before the first, at the start."""
        for m, mode in enumerate(self.modes):
            terms: list[Term] = [(1.0, own.count[m]), (-1.0, shifted(own.count[m], 1))]
            for a, move in enumerate(self.moves):
                if mode.id in (move.from_mode_id, move.to_mode_id):
                    terms.append((1.0 if mode.id == move.from_mode_id else -1.0, own.move[a]))
            yield ledger.rows(f"flow[{self.id},{m}]", terms, lower=0.0, upper=0.0)

    def _lock(self, ledger: Ledger, own: MinerGroupVars) -> Iterator[Rows]:
        """Entries whose lock still runs are still there (Rajan and Takriti 2005, per move).

        At least the interval of the move.
        """
        locks = self.locks(ledger.problem.horizon.step_minutes)
        for m, mode in enumerate(self.modes):
            terms: list[Term] = [(1.0, own.count[m])]
            for a, move in enumerate(self.moves):
                if move.to_mode_id == mode.id:
                    terms.append((-1.0, window(own.move[a], locks[a])))
            yield ledger.rows(f"lock[{self.id},{m}]", terms, lower=0.0)

    def _locked_at_start(self, ledger: Ledger, mode: Mode) -> Floats:
        """[T] machines of the start state whose lock in a mode still runs."""
        step = ledger.problem.horizon.step_minutes
        locked = np.zeros(ledger.intervals)
        for cohort in self.initial_cohorts:
            if cohort.mode_id == mode.id:
                locked[: self.initial_lock(cohort, step)] += cohort.count
        return locked

    def _limit_starts(self, ledger: Ledger, own: MinerGroupVars) -> Iterator[Rows]:
        """Moves from resting to mining per civil day, those of expected calls included."""
        if self.daily_start_budget_count is None:
            return
        civil_day = ledger.problem.horizon.civil_day
        for day in range(int(civil_day[-1]) + 1):
            inside = civil_day == day
            terms: list[Term] = [
                (1.0, own.move[a][None, inside]) for a, move in enumerate(self.moves) if self.is_start(move)
            ]
            for backed in own.backed:
                wakes = wakes_per_mw(self, backed.option) * backed.option.demand.calls_per_hour * ledger.hours
                if wakes.any():
                    terms += [((wakes * t.chance)[None, inside], mw[None, inside]) for t, mw in backed.held_mw]
            yield ledger.rows(f"starts[{self.id},{day}]", terms, upper=float(self.daily_start_budget_count))

    def _earn(self, ledger: Ledger, site: Site, own: MinerGroupVars) -> None:
        """Mining and wear as planned, and what expected calls change of them (formulation 7; facts E6)."""
        income = self.mining(ledger.problem).income_per_ths_h * ledger.hours
        step_seconds, count = ledger.problem.horizon.step_seconds, ledger.problem.horizon.count
        btc = Stream(CashKind.BTC, site_id=site.id, asset_id=self.id)
        for m, mode in enumerate(self.modes):
            ledger.earn(btc, own.count[m], mode.hashrate_ths * income)
        for a, move in enumerate(self.moves):
            hashrate = self.modes[self.mode_index[move.to_mode_id]].hashrate_ths
            for j, share in enumerate(in_transit_frac(move.seconds, step_seconds, count)):
                ledger.earn(btc, shifted(own.move[a], j), -share * hashrate * income)
            ledger.earn(Stream(CashKind.WEAR, site_id=site.id, asset_id=self.id), own.move[a], -move.wear_cost)
        ledger.earn_constant(btc, -self._hash_lost_at_start(ledger.problem) * income)
        for backed in own.backed:
            earn_calls(self, ledger, site, backed, income)

    def is_start(self, move: Move) -> bool:
        """Whether it leads from resting to mining."""
        return self.modes[self.mode_index[move.from_mode_id]].resting and not (
            self.modes[self.mode_index[move.to_mode_id]].resting
        )

    def _hash_lost_at_start(self, problem: Problem) -> Floats:
        """[T] TH/s that the start state's machines on their way do not hash."""
        lost = np.zeros(problem.horizon.count)
        for cohort in self.initial_cohorts:
            shares = in_transit_frac(cohort.seconds_until_settled, problem.horizon.step_seconds, len(lost))
            lost[: len(shares)] += (
                np.array(shares) * cohort.count * self.modes[self.mode_index[cohort.mode_id]].hashrate_ths
            )
        return lost

    def extract_backing(self, values: Values, own: MinerGroupVars) -> list[tuple[str, Backing]]:
        """What backs each market: (market, backing), without what is never used."""
        return extract_backing(self, values, own.backed)

    def extract(self, values: Values, own: MinerGroupVars) -> MinerGroupPlan:
        """Machines by mode and move, with the power and hash rate that follow from them."""
        problem = values.problem
        count, move = values.counts(own.count), values.counts(own.move)
        power_mw = np.array([mode.power_w for mode in self.modes]) @ count / W_PER_MW
        hashrate = np.array([mode.hashrate_ths for mode in self.modes]) @ count - self._hash_lost_at_start(problem)
        for a, made in enumerate(self.moves):
            target = self.modes[self.mode_index[made.to_mode_id]]
            on_way_w = target.power_w if made.power_w is None else made.power_w
            for j, share in enumerate(in_transit_frac(made.seconds, problem.horizon.step_seconds, len(power_mw))):
                before = move[a, : len(power_mw) - j] * share
                power_mw[j:] += before * (on_way_w - target.power_w) / W_PER_MW
                hashrate[j:] -= before * target.hashrate_ths
        return MinerGroupPlan(self.id, power_mw, count, move, hashrate)

    def quantities(self, plan: MinerGroupPlan) -> Iterator[tuple[str, str, Floats | Counts]]:
        """Hash rate of the group, machines by mode."""
        yield "", "hashrate_ths", plan.hashrate_ths
        yield from ((mode.id, "machine_count", n) for mode, n in zip(self.modes, plan.mode_count, strict=True))


@dataclass(frozen=True, eq=False)
class MinerGroupVars:
    """The group's variables."""

    count: Vars  # [modes, T]
    move: Vars  # [moves, T]
    backed: list[Backed] = field(default_factory=list)
    flow: list[Rows] = field(default_factory=list)  # by mode
    lock: list[Rows] = field(default_factory=list)  # by mode
    starts: list[Rows] = field(default_factory=list)  # by civil day
    limits: list[Limit] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class MinerGroupPlan(AssetPlan):
    """Machines per mode and per move, in the order of the group's modes and moves, and the group's mean hash rate."""

    mode_count: Counts  # [modes, T]
    move_count: Counts  # [moves, T]
    hashrate_ths: Floats  # [T]
