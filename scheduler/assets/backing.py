"""How machines back reserve: which moves may, which go together, and what is held (formulation 5).

Readings where the formulation leaves room: docs/decisions/0001.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scheduler.assets.machine import prequalified_mw
from scheduler.model.component import Demand, Tranche
from scheduler.model.idioms import incompatible_sets, window
from scheduler.model.structure import NONE
from scheduler.plan import Backing, CashKind, Stream
from scheduler.problem import Counts, Direction, Floats, Site, intervals_of
from scheduler.product import Product, Response

if TYPE_CHECKING:
    from scheduler.assets.miner_group import MinerGroup
    from scheduler.model.ledger import Ledger, Rows, Term, Values, Vars

W_PER_MW = 1e6


@dataclass(frozen=True, eq=False)
class Option:
    """Machines in one mode that would move to another for a demand."""

    demand: Demand
    mode: int
    target: int
    move: int  # position of the move that delivers
    back: int  # position of the way back
    step_mw: float  # nameplate step of one machine
    counted_mw: float  # MW that one machine is counted for: delivered, less rotation
    slack_seconds: float  # what is left of the activation time after the move
    quickest_seconds: float  # longest of the dwells, the move and the way back


def options_of(group: MinerGroup, demand: Demand) -> Iterator[Option]:
    """Every option that a group has for a demand."""
    product = demand.product
    for (m, target), a in group.move_index.items():
        back = group.move_index.get((target, m))
        mode, other = group.modes[m], group.modes[target]
        step_mw = (other.power_w - mode.power_w) / W_PER_MW
        if demand.direction is Direction.UP:
            step_mw = -step_mw
        if back is None or step_mw <= 0 or (mode.resting and other.resting):
            continue
        share = _counted_share(group, product, a, back, step_mw)
        if share > 0:
            times = (
                60 * mode.dwell_minutes,
                60 * other.dwell_minutes,
                group.moves[a].seconds,
                group.moves[back].seconds,
            )
            slack = product.full_activation_seconds - group.moves[a].seconds
            yield Option(demand, m, target, a, back, step_mw, step_mw * share, slack, max(times))


def _counted_share(group: MinerGroup, product: Product, a: int, back: int, step_mw: float) -> float:
    """Share of the nameplate step that counts; 0 where the option is barred."""
    there, home = group.moves[a], group.moves[back]
    dwell = 60 * group.modes[group.mode_index[there.from_mode_id]].dwell_minutes
    dwell_target = 60 * group.modes[group.mode_index[there.to_mode_id]].dwell_minutes
    limit = product.full_activation_seconds
    if there.seconds > limit:
        return 0.0
    if product.response is Response.CALLED:
        if dwell_target > 60 * product.shortest_call_minutes + limit:
            return 0.0
        if product.rest_minutes is not None and max(home.seconds, dwell) > 60 * product.rest_minutes:
            return 0.0
        return group.delivery_frac
    if home.seconds > limit or step_mw > product.max_step_mw:
        return 0.0
    if max(dwell, dwell_target) <= limit:
        return group.delivery_frac
    return group.delivery_frac / product.rotation_factor if product.rotation_factor else 0.0


def go_together(up: Option, down: Option) -> bool:
    """Whether one machine may back both: dwells, moves, ways back of both are at most the smaller activation time."""
    smaller = min(up.demand.product.full_activation_seconds, down.demand.product.full_activation_seconds)
    return max(up.quickest_seconds, down.quickest_seconds) <= smaller


@dataclass(frozen=True, eq=False)
class Backed:
    """Machines behind an option, and the MW that they are counted for, by tranche."""

    option: Option
    count: Vars  # [T]
    held_mw: tuple[tuple[Tranche, Vars], ...]  # [T] each


def declare_backing(group: MinerGroup, ledger: Ledger, site: Site) -> Iterator[Backed]:
    """Variables and claims for every option that the group has for what its site is asked."""
    for demand in ledger.demands_at(site):
        options = list(options_of(group, demand))
        most_mw = group.machine_count * max((option.counted_mw for option in options), default=0.0)
        most_mw = min(most_mw, prequalified_mw(group.prequalified, demand.market_id, demand.direction))
        for option in options:
            name = _name(group, option)
            count = ledger.variables(
                f"back{name}",
                ledger.intervals,
                upper=group.machine_count,
                integer=True,
                coarse=group.is_lumpy,
                where=demand.active,
            )
            held = []
            for i, tranche in enumerate(demand.tranches):
                mw = ledger.variables(f"held{name}[{i}]", ledger.intervals, where=tranche.active)
                ledger.claim(demand, tranche, site.id, group.id, mw, most_mw, group.heat_frac / group.delivery_frac)
                held.append((tranche, mw))
            yield Backed(option, count, tuple(held))


def _name(group: MinerGroup, option: Option) -> str:
    return f"[{group.id},{option.demand.market_id},{option.demand.direction.value},{option.mode},{option.target}]"


@dataclass(frozen=True, eq=False)
class Limit:
    """Rows on what backs from a mode, whose sides are the machines that a day takes from it: those that are not ready
    at the start for a slack, or (without one) those that are not available."""

    rows: Rows
    mode: int
    where: NDArray[np.bool_]  # [T] intervals that have a row
    slack_seconds: float | None = None


def set_limits(group: MinerGroup, ledger: Ledger, limits: list[Limit]) -> None:
    """Who is available and who is ready at the start."""
    absent = group.least_count(ledger.intervals)
    for limit in limits:
        if limit.slack_seconds is None:
            taken = absent[limit.mode][limit.where].astype(float)
            ledger.sides(limit.rows, upper=np.where(taken > 0, -taken, np.inf))  # else it says less than `ready` does
        else:
            barred = barred_at_start(group, ledger, limit.mode, limit.slack_seconds)
            ledger.sides(limit.rows, upper=-barred[limit.where].astype(float))


def limit_backing(group: MinerGroup, ledger: Ledger, backed: list[Backed], count: Vars, move: Vars) -> Iterator[Limit]:
    """MW per machine, machines per mode (``count`` [modes, T], ``move`` [moves, T]), MW per market."""
    for one in backed:
        terms = [(1.0, mw) for _, mw in one.held_mw]
        ledger.rows(f"step{_name(group, one.option)}", [*terms, (-one.option.counted_mw, one.count)], upper=0.0)
    for m in range(len(group.modes)):
        here = [one for one in backed if one.option.mode == m]
        if here:
            yield from _fit_on_machines(group, ledger, m, here, count[m], move)
    for market_id, direction in dict.fromkeys(
        (one.option.demand.market_id, one.option.demand.direction) for one in backed
    ):
        cap_mw = prequalified_mw(group.prequalified, market_id, direction)
        if cap_mw < float("inf"):
            demands = [
                one
                for one in backed
                if (one.option.demand.market_id, one.option.demand.direction) == (market_id, direction)
            ]
            terms = [(1.0, mw) for one in demands for _, mw in one.held_mw]
            ledger.rows(f"prequalified[{group.id},{market_id},{direction.value}]", terms, upper=cap_mw)


def _fit_on_machines(
    group: MinerGroup, ledger: Ledger, m: int, here: list[Backed], count: Vars, move: Vars
) -> Iterator[Limit]:
    """Machines behind the options of mode m fit on those that are there, available and ready in time.

    Ready for a slack: dwell over, and on their way for no longer than the slack. A machine backs one option of a family
    of rivals, so for each family and slack, back of those with at most that slack <= ready machines (Hall, Koenig).
    Where that is not exact, a count of the machines that back both ways says it (docs/decisions/0001).
    """
    ups = [one for one in here if one.option.demand.direction is Direction.UP]
    downs = [one for one in here if one.option.demand.direction is Direction.DOWN]
    goes = np.array([[go_together(u.option, d.option) for d in downs] for u in ups], dtype=bool).reshape(
        len(ups), len(downs)
    )
    classes = _readiness(group, ledger, m, here)
    both: list[tuple[float, Vars]] = []  # slack of the tighter option, machines [T]
    families = [[*(ups[u] for u in some), *(downs[d] for d in others)] for some, others in incompatible_sets(goes)]
    if len(classes) > 1 and _has_open_path(ups, downs, goes):
        families, both = [here], _count_both(group, ledger, m, ups, downs, goes)
    absent = group.least_count(ledger.intervals)[m]
    for i, family in enumerate(families):
        name = f"[{group.id},{m},{i}]"
        terms: list[Term] = [*((1.0, one.count) for one in family), *((-1.0, machines) for _, machines in both)]
        counts = np.stack([one.count for one in family], axis=1)
        busy = (counts != NONE).any(axis=1)
        out = busy & (absent > 0)
        if out.any():
            rows = [(c, v[out]) for c, v in [*terms, (-1.0, count)]]
            yield Limit(ledger.rows(f"available{name}", rows, upper=0.0), m, out)
        for slack, barred, _ in classes:
            terms = [(1.0, one.count) for one in family if one.option.slack_seconds <= slack]
            terms += [(-1.0, machines) for tighter, machines in both if tighter <= slack]
            terms += [(1.0, window(move[a], steps)) for a, steps in enumerate(barred) if steps]
            rows = [(c, v[busy]) for c, v in [*terms, (-1.0, count)]]
            yield Limit(ledger.rows(f"ready{name}[{slack}]", rows, upper=0.0), m, busy, slack)


def _has_open_path(ups: list[Backed], downs: list[Backed], goes: NDArray[np.bool_]) -> bool:
    """A path of options x-u-d-y in which neighbours go together, x and y do not, and u and d are the tighter ones.

    The only shape in which the rows of families and slacks are known to let too much through.
    """
    up_slack, down_slack = ([one.option.slack_seconds for one in side] for side in (ups, downs))
    for u, d in np.argwhere(goes):
        tighter = max(up_slack[u], down_slack[d])
        with_u = [y for y in np.flatnonzero(goes[u]) if down_slack[y] > tighter]
        with_d = [x for x in np.flatnonzero(goes[:, d]) if up_slack[x] > tighter]
        if any(not goes[x, y] for x in with_d for y in with_u):
            return True
    return False


def _count_both(
    group: MinerGroup, ledger: Ledger, m: int, ups: list[Backed], downs: list[Backed], goes: NDArray[np.bool_]
) -> list[tuple[float, Vars]]:
    """Machines that back an up and a down option at once, for every pair that goes together."""
    pairs = []
    for u, d in np.argwhere(goes):
        active = ups[u].option.demand.active & downs[d].option.demand.active
        machines = ledger.variables(
            f"both[{group.id},{m},{u},{d}]", ledger.intervals, upper=group.machine_count, integer=True, where=active
        )
        pairs.append((int(u), int(d), machines))
    for side, own in ((0, ups), (1, downs)):
        for position, one in enumerate(own):
            terms: list[Term] = [(1.0, pair[2]) for pair in pairs if pair[side] == position]
            if terms:
                ledger.rows(f"both_of[{group.id},{m},{side},{position}]", [*terms, (-1.0, one.count)], upper=0.0)
    slack = [[one.option.slack_seconds for one in side] for side in (ups, downs)]
    return [(max(slack[0][u], slack[1][d]), machines) for u, d, machines in pairs]


def _readiness(group: MinerGroup, ledger: Ledger, m: int, here: list[Backed]) -> list[tuple[float, list[int], Counts]]:
    """Slack, intervals barred by each move, machines [T] barred by the start state.

    By falling slack, none that says no more.
    """
    classes: list[tuple[float, list[int], Counts]] = []
    for slack in sorted({one.option.slack_seconds for one in here}, reverse=True):
        barred = [barred_intervals(group, ledger, m, a, slack) for a in range(len(group.moves))]
        at_start = barred_at_start(group, ledger, m, slack)
        if not classes or barred != classes[-1][1] or (at_start != classes[-1][2]).any():
            classes.append((slack, barred, at_start))
    return classes


def barred_intervals(group: MinerGroup, ledger: Ledger, m: int, a: int, slack_seconds: float) -> int:
    """Intervals, from that of the move on, in which a machine that made move ``a`` into mode m cannot back a slack."""
    if group.modes[m].id != group.moves[a].to_mode_id:
        return 0
    step = ledger.problem.horizon.step_minutes
    dwell = intervals_of(group.modes[m].dwell_minutes, step)
    return max(dwell, intervals_of((group.moves[a].seconds - slack_seconds) / 60, step))


def barred_at_start(group: MinerGroup, ledger: Ledger, m: int, slack_seconds: float) -> Counts:
    """[T] machines of the start state in mode m whose dwell runs or that do not settle in time for a slack."""
    step = ledger.problem.horizon.step_minutes
    barred = np.zeros(ledger.intervals, dtype=np.int64)
    for cohort in group.initial_cohorts:
        if cohort.mode_id == group.modes[m].id:
            dwell = intervals_of(group.modes[m].dwell_minutes - cohort.minutes_since_move, step)
            settling = intervals_of((cohort.seconds_until_settled - slack_seconds) / 60, step)
            barred[: max(dwell, settling)] += cohort.count
    return barred


def _machines_per_mw(group: MinerGroup, option: Option) -> float:
    """Called machines per delivered MW; rotation changes who waits, not what a machine delivers."""
    return 1 / (option.step_mw * group.delivery_frac)


def wakes_per_mw(group: MinerGroup, option: Option) -> float:
    """Starts of one call, per MW: of the move and of the way back, where they lead from resting to mining."""
    return _machines_per_mw(group, option) * sum(group.is_start(group.moves[a]) for a in (option.move, option.back))


def earn_calls(group: MinerGroup, ledger: Ledger, site: Site, backed: Backed, income: Floats) -> None:
    """What expected calls change of mining and wear (formulation 7; facts E6).

    ``income`` [T] is that of 1 TH/s in an interval.
    """
    option, demand = backed.option, backed.option.demand
    mode, target = group.modes[option.mode], group.modes[option.target]
    there, back = group.moves[option.move], group.moves[option.back]
    hours_lost = (target.hashrate_ths * there.seconds + mode.hashrate_ths * back.seconds) / 3600
    per_machine = (target.hashrate_ths - mode.hashrate_ths) * demand.expected_frac - hours_lost * demand.calls_per_hour
    wear = -(there.wear_cost + back.wear_cost) * demand.calls_per_hour * ledger.hours
    ids = (demand.market_id, site.id, group.id, demand.direction)
    for tranche, mw in backed.held_mw:
        machines = _machines_per_mw(group, option) * tranche.chance
        ledger.earn(Stream(CashKind.ACTIVATION_MINING, *ids), mw, per_machine * income * machines)
        ledger.earn(Stream(CashKind.WEAR, *ids), mw, wear * machines)


def extract_backing(group: MinerGroup, values: Values, backed: list[Backed]) -> list[tuple[str, Backing]]:
    """What backs each market: (market, backing), without what is never used."""
    found = []
    for one in backed:
        option = one.option
        by_tranche = {tranche.key: values(mw) for tranche, mw in one.held_mw}
        mw = np.sum(list(by_tranche.values()), axis=0)
        if mw.any():
            machines = np.where(mw > 0, values.counts(one.count), 0)
            bid_mw = {key: held for key, held in by_tranche.items() if key != ("", "") and held.any()}
            ends = (group.modes[option.mode].id, group.modes[option.target].id)
            found.append(
                (option.demand.market_id, Backing(group.id, option.demand.direction, *ends, machines, mw, bid_mw))
            )
    return found
