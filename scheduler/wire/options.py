"""How a problem is to be solved and how it was solved, to and from the wire."""

from __future__ import annotations

from scheduler.plan import Solve, StopReason
from scheduler.settings import SolveOptions, Strategy
from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.reader import Numbers, Reader

STRATEGIES = Numbers(v1.Strategy, Strategy)
STOP_REASONS = Numbers(v1.StopReason, StopReason)


def options_from_pb(pb: v1.SolveOptions, path: str = "options") -> SolveOptions:
    """The options, validated."""
    read = Reader()
    options = read_options(read, pb, path)
    read.raise_if_any(options.violations(path))
    return options


def read_options(read: Reader, pb: v1.SolveOptions, path: str) -> SolveOptions:
    """The options, not yet validated; what is absent has its default."""
    default = SolveOptions()
    strategy = read.choice(pb, "strategy", path, STRATEGIES) if pb.strategy else None
    return SolveOptions(
        rel_gap=read.number_or(pb, "rel_gap", path, default.rel_gap),
        abs_gap=read.number_or(pb, "abs_gap", path, default.abs_gap),
        time_limit_seconds=read.number_or(pb, "time_limit_seconds", path, default.time_limit_seconds),
        seed=pb.seed,
        strategy=strategy or default.strategy,
        counterfactuals=pb.counterfactuals if pb.HasField("counterfactuals") else default.counterfactuals,
        explain=pb.explain,
    )


def options_to_pb(options: SolveOptions) -> v1.SolveOptions:
    """The inverse of `options_from_pb`."""
    return v1.SolveOptions(
        rel_gap=options.rel_gap,
        abs_gap=options.abs_gap,
        time_limit_seconds=options.time_limit_seconds,
        seed=options.seed,
        strategy=STRATEGIES.number[options.strategy],
        counterfactuals=options.counterfactuals,
        explain=options.explain,
    )


def solve_from_pb(pb: v1.Solve, path: str = "solve") -> Solve:
    """How a problem was solved; the gap follows from objective and bound."""
    read = Reader()
    solve = read_solve(read, pb, path)
    read.raise_if_any()
    assert solve is not None
    return solve


def read_solve(read: Reader, pb: v1.Solve, path: str) -> Solve | None:
    """How a problem was solved; None after it was refused."""
    stop_reason = read.choice(pb, "stop_reason", path, STOP_REASONS)
    objective = read.number_or(pb, "objective", path, None)
    bound = read.number_or(pb, "bound", path, None)
    gap = read.number_or(pb, "gap", path, None)
    gap_of_uplift = read.number_or(pb, "gap_of_uplift", path, None)
    wall_seconds = read.number(pb, "wall_seconds", path)
    if stop_reason is None:
        return None
    solve = Solve(stop_reason, objective, bound, gap_of_uplift, wall_seconds, pb.reproducible)
    if gap is not None and (solve.gap is None or abs(gap - solve.gap) > 1e-9 * max(1.0, abs(solve.gap))):
        read.refuse(f"{path}.gap", "sum", f"is {gap}, objective and bound say {solve.gap}")
    return solve


def solve_to_pb(solve: Solve) -> v1.Solve:
    """The inverse of `solve_from_pb`; what is not known is unset."""
    return v1.Solve(
        objective=solve.objective,
        bound=solve.bound,
        gap=solve.gap,
        gap_of_uplift=solve.gap_of_uplift,
        stop_reason=STOP_REASONS.number[solve.stop_reason],
        wall_seconds=solve.wall_seconds,
        reproducible=solve.reproducible,
    )
