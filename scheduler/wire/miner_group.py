"""Miner groups and their plans, to and from the wire."""

from __future__ import annotations

import numpy as np

from scheduler.assets.machine import Cohort, Mode, ModeKind, Move
from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.horizon import Horizon
from scheduler.plan import AssetPlan
from scheduler.problem import Counts
from scheduler.v1 import plan_pb2
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.mining import mining_from_pb, mining_to_pb
from scheduler.wire.prequalification import prequalified_from_pb, prequalified_to_pb
from scheduler.wire.reader import Numbers, Reader, frozen
from scheduler.wire.shape import counts_of_plan, floats_of_plan, refuse_length, same_ids

MODE_KINDS = Numbers(v1.ModeKind, ModeKind)
MAX_MODES_COUNT = 64
MAX_MOVES_COUNT = MAX_MODES_COUNT**2
MAX_COHORTS_COUNT = 10_000


def from_pb(read: Reader, pb: v1.MinerGroup, path: str, asset_id: str) -> MinerGroup:
    """A group of identical machines."""
    read.spend((len(pb.modes) + len(pb.moves)) * read.known_horizon.count, path)
    if any(mode.kind not in MODE_KINDS.member for mode in pb.modes):
        read.muted.add(f"{path}.available_count")  # which needs to know the mode that is off
    override = None
    if pb.HasField("mining_override"):
        override = mining_from_pb(read, pb.mining_override, f"{path}.mining_override")
    return MinerGroup(
        id=asset_id,
        machine_count=pb.machine_count,
        modes=read.each(pb.modes, f"{path}.modes", _mode, MAX_MODES_COUNT),
        moves=read.each(pb.moves, f"{path}.moves", _move, MAX_MOVES_COUNT),
        initial_cohorts=read.each(pb.initial_cohorts, f"{path}.initial_cohorts", _cohort, MAX_COHORTS_COUNT),
        available_count=_available(read, pb, path),
        daily_start_budget_count=read.whole_or_none(pb, "daily_start_budget_count", path),
        starts_used_today_count=pb.starts_used_today_count,
        delivery_frac=read.number_or(pb, "delivery_frac", path, 1.0),
        prequalified=prequalified_from_pb(read, pb.prequalified, path),
        mining_override=override,
        heat_frac=read.number(pb, "heat_frac", path),
    )


def _available(read: Reader, pb: v1.MinerGroup, path: str) -> Counts | None:
    """[T] machines available, None where all are."""
    if not pb.available_count or read.horizon is None:
        return None
    if len(pb.available_count) == read.horizon.count:
        return frozen(np.array(pb.available_count, dtype=np.int64))
    refuse_length(read, f"{path}.available_count", len(pb.available_count), read.horizon.count)
    return None


def _mode(read: Reader, pb: v1.Mode, path: str) -> Mode:
    kind = read.choice(pb, "kind", path, MODE_KINDS)
    if kind is ModeKind.MINING and not pb.HasField("hashrate_ths"):
        read.refuse(f"{path}.hashrate_ths", "required", "state the hash rate of a mining mode, also where it is 0")
    return Mode(
        id=read.text(pb, "id", path),
        kind=kind or ModeKind.MINING,
        power_w=read.required_number(pb, "power_w", path),
        hashrate_ths=read.number(pb, "hashrate_ths", path),
        dwell_minutes=read.number(pb, "dwell_minutes", path),
    )


def _move(read: Reader, pb: v1.Move, path: str) -> Move:
    return Move(
        from_mode_id=read.text(pb, "from_mode_id", path),
        to_mode_id=read.text(pb, "to_mode_id", path),
        seconds=read.number(pb, "seconds", path),
        power_w=read.number_or(pb, "power_w", path, None),
        wear_cost=read.number(pb, "wear_cost", path),
    )


def _cohort(read: Reader, pb: v1.Cohort, path: str) -> Cohort:
    return Cohort(
        mode_id=read.text(pb, "mode_id", path),
        count=pb.count,
        minutes_since_move=read.number(pb, "minutes_since_move", path),
        seconds_until_settled=read.number(pb, "seconds_until_settled", path),
    )


def to_pb(group: MinerGroup, horizon: Horizon) -> v1.MinerGroup:
    """The inverse of `from_pb`."""
    pb = v1.MinerGroup(
        machine_count=group.machine_count,
        modes=(
            v1.Mode(
                id=mode.id,
                kind=MODE_KINDS.number[mode.kind],
                power_w=mode.power_w,
                hashrate_ths=mode.hashrate_ths,
                dwell_minutes=mode.dwell_minutes,
            )
            for mode in group.modes
        ),
        moves=(
            v1.Move(
                from_mode_id=move.from_mode_id,
                to_mode_id=move.to_mode_id,
                seconds=move.seconds,
                power_w=move.power_w,
                wear_cost=move.wear_cost,
            )
            for move in group.moves
        ),
        daily_start_budget_count=group.daily_start_budget_count,
        starts_used_today_count=group.starts_used_today_count,
        initial_cohorts=(
            v1.Cohort(
                mode_id=cohort.mode_id,
                count=cohort.count,
                minutes_since_move=cohort.minutes_since_move,
                seconds_until_settled=cohort.seconds_until_settled,
            )
            for cohort in group.initial_cohorts
        ),
        delivery_frac=group.delivery_frac,
        heat_frac=group.heat_frac,
        prequalified=prequalified_to_pb(group.prequalified),
    )
    if group.available_count is not None:
        pb.available_count.extend(group.available_count.tolist())
    if group.mining_override is not None:
        pb.mining_override.CopyFrom(mining_to_pb(group.mining_override, horizon))
    return pb


def plan_to_pb(plan: MinerGroupPlan, group: MinerGroup) -> plan_pb2.MinerGroupPlan:
    """Machines by mode and by move; moves that are never made are left out."""
    pb = plan_pb2.MinerGroupPlan()
    for mode, count in zip(group.modes, plan.mode_count, strict=True):
        pb.modes.add(mode_id=mode.id).count.extend(count.tolist())
    for move, count in zip(group.moves, plan.move_count, strict=True):
        if count.any():
            move_pb = pb.moves.add(from_mode_id=move.from_mode_id, to_mode_id=move.to_mode_id)
            move_pb.count.extend(count.tolist())
    pb.hashrate_ths.extend(plan.hashrate_ths.tolist())
    return pb


def plan_from_pb(
    read: Reader, pb: plan_pb2.MinerGroupPlan, path: str, plan: AssetPlan, group: MinerGroup
) -> MinerGroupPlan:
    """The inverse of `plan_to_pb`; moves that are left out are never made."""
    shape = (len(group.modes), read.known_horizon.count)
    mode_count = np.zeros(shape, dtype=np.int64)
    mode_ids = [mode.id for mode in group.modes]
    if same_ids(read, [mode.mode_id for mode in pb.modes], mode_ids, f"{path}.modes", "mode_id"):
        for m, mode in enumerate(pb.modes):
            mode_count[m] = counts_of_plan(read, mode.count, f"{path}.modes[{m}].count")
    move_count = np.zeros((len(group.moves), read.known_horizon.count), dtype=np.int64)
    position = {(move.from_mode_id, move.to_mode_id): a for a, move in enumerate(group.moves)}
    last = -1
    for i, move in enumerate(pb.moves):
        a = position.get((move.from_mode_id, move.to_mode_id))
        if a is None or a <= last:
            rule, message = ("reference", "the group has no such move")
            if a is not None:
                rule, message = ("order", "must stand in the order of the request, once each")
            read.refuse(f"{path}.moves[{i}]", rule, message)
            continue
        last = a
        move_count[a] = counts_of_plan(read, move.count, f"{path}.moves[{i}].count")
    return MinerGroupPlan(
        asset_id=plan.asset_id,
        power_mw=plan.power_mw,
        mode_count=frozen(mode_count),
        move_count=frozen(move_count),
        hashrate_ths=floats_of_plan(read, pb.hashrate_ths, f"{path}.hashrate_ths"),
    )
