"""Measures us against PyPSA and FlexMeasures, one line a figure, ratios first: what `make bench-peers` runs.

python -m bench.peers.run                          50, 100 and 300 units
python -m bench.peers.run --units 50 --quick       one run each
python -m bench.peers.run --seeds 10               of each ratio the geometric mean and the worst too
python -m bench.peers.run --peers flexmeasures     one of them alone

Same problem, same gaps, threads and other options of HiGHS, same version of it. A peer runs in an environment of its
own, a new process for each run; its imports do not count, building and solving do, and are told apart. Ours is the
whole way from the problem to the audited plan, of a fleet that was not known. Both must agree: what either earns may
not exceed the bound of the other, or the bench fails. Medians of 5 runs, or of one where a run takes a minute; what the
clock stopped counts as long as it was allowed, and is marked.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.figures import BenchError, Figure, Goal, Patience, Timed, geometric_mean, say, timed, versions
from bench.measure import is_stopped
from bench.peers.problems import Case, lumpy_case, switching_case
from scheduler.model.compile import compile_matrix
from scheduler.model.kept import KEPT
from scheduler.model.solve import DOMINATED_COLUMN_RULE, THREADS
from scheduler.plan import Schedule
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions

UNITS = (50, 100, 300)
HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent.parent / ".venv-peers"
ROUNDING_FRAC = 1e-6
"""Of the money, what tolerances of a solver may be worth."""
PYPSA_GOAL = Goal(15, at_least=True)
FLEXMEASURES_GOAL = Goal(200, at_least=True)


@dataclass(frozen=True)
class Peer:
    """Somebody else's tool: where it runs, and what it runs."""

    name: str
    environment: str
    script: str
    arguments: tuple[str, ...] = ()
    goal: Goal | None = None


PYPSA = Peer("PyPSA", "pypsa", "pypsa_lumpy.py", goal=PYPSA_GOAL)
FLEXMEASURES = (
    Peer("FlexMeasures by Pyomo", "flexmeasures", "flexmeasures_switching.py", ("appsi_highs",), FLEXMEASURES_GOAL),
    Peer("FlexMeasures", "flexmeasures", "flexmeasures_switching.py", ("highspy",)),
)
CASES: dict[str, tuple[Callable[[int, int], Case], tuple[Peer, ...]]] = {
    "pypsa": (lumpy_case, (PYPSA,)),
    "flexmeasures": (switching_case, FLEXMEASURES),
}


@dataclass(frozen=True)
class Answer:
    """What a peer came to."""

    build_seconds: float
    solve_seconds: float
    objective: float
    bound: float
    stopped: bool
    columns_count: int
    rows_count: int
    versions: dict[str, str]


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench-peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--units", nargs="+", type=int, default=UNITS, metavar="N", help="default: 50 100 300")
    add("--seeds", type=int, default=1, metavar="N", help="every case in seeds 1 to N (default: 1)")
    add("--peers", nargs="+", choices=CASES, default=list(CASES), help="default: both")
    add("--limit", type=float, default=600.0, metavar="S", help="seconds for a solve (default: 600)")
    add("--quick", action="store_true", help="one run each")
    add("--environments", type=Path, default=ENVIRONMENTS, metavar="DIR", help="where pypsa and flexmeasures are")
    args = parser.parse_args(argv)
    patience = Patience(1 if args.quick else 5, args.limit, args.limit)
    make_schedule(switching_case(1, 1).problem)  # imports do not count for us either
    figures: list[Figure] = []
    found: dict[str, str] = {}
    for count in args.units:
        for make, peers in (CASES[name] for name in args.peers):
            ratios: dict[str, list[float]] = defaultdict(list)
            for seed in range(1, args.seeds + 1):
                case = make(count, seed)
                say(f"{case.name} ...")
                ours = our_plan(case.problem, patience)
                figures += our_figures(case, ours, patience)
                for peer in peers:
                    say(f"{case.name}, {peer.name} ...")
                    answer = timed(partial(ask, peer, args.environments), partial(_given, case, patience), patience)
                    own = list(peer_figures(case, peer, ours, answer, patience))
                    for figure in own:
                        say(f"  {figure}")  # hours may pass until the end
                    figures += own
                    ratios[peer.name].append(ratio_of(ours, answer, patience))
                    found |= {
                        f"{name}, beside {peer.environment}": text for name, text in answer.value.versions.items()
                    }
            if args.seeds > 1:
                figures += [several(count, peer, ratios[peer.name]) for peer in peers]
    for figure in sorted(figures, key=lambda figure: figure.unit != "ratio"):
        print(figure)
    for name, text in sorted(found.items()):
        print(Figure(name, text, "version"))
    for figure in versions():
        print(figure)
    return 0


def ratio_of(ours: Timed[Schedule], theirs: Timed[Answer], patience: Patience) -> float:
    """How many times ours a peer takes; what the clock stopped takes as long as it was allowed."""
    answer = theirs.value
    return (answer.build_seconds + _solve_seconds(answer, patience)) / ours.seconds


def several(count: int, peer: Peer, ratios: list[float]) -> Figure:
    """Of several seeds."""
    mean = geometric_mean(ratios)
    verdict = "" if peer.goal is None else f"; {peer.goal.verdict(mean)}"
    against = f"geometric mean of {len(ratios)} seeds, the worst {min(ratios):.3g}{verdict}"
    return Figure(f"{count} units {peer.name}/ours", f"{mean:.3g}", "ratio", against)


def _solve_seconds(answer: Answer, patience: Patience) -> float:
    return patience.limit_seconds if answer.stopped else answer.solve_seconds


def options_of(patience: Patience) -> dict[str, float]:
    """Of HiGHS, for everybody: those of our strategies."""
    ours = SolveOptions()
    return {
        "mip_rel_gap": ours.rel_gap,
        "mip_abs_gap": ours.abs_gap,
        "time_limit": patience.limit_seconds,
        "threads": THREADS,
        "random_seed": ours.seed,
        "presolve_rule_off": DOMINATED_COLUMN_RULE,
    }


def our_plan(problem: Problem, patience: Patience) -> Timed[Schedule]:
    """The whole way, of a fleet that is not known; without counterfactuals, which no peer has."""
    options = SolveOptions(time_limit_seconds=patience.limit_seconds, counterfactuals=False)

    def plan(number: int) -> Schedule:
        KEPT.clear()
        return make_schedule(problem, options)

    return timed(plan, lambda number: number, patience)


def ask(peer: Peer, environments: Path, given: dict[str, Any]) -> Answer:
    """A peer's answer, from a process of its own. Raises BenchError."""
    python = environments / peer.environment / "bin" / "python"
    if not python.exists():
        raise BenchError(f"{peer.name} has no environment at {python}: make bench-peers builds it")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "problem.json", Path(folder) / "result.json"
        source.write_text(json.dumps(given), "utf-8")
        script = (str(HERE / peer.script), str(source), str(target), *peer.arguments)
        command = [str(python), "-W", "ignore", *script]
        run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
        if run.returncode or not target.exists():
            raise BenchError(f"{peer.name} failed:\n{run.stderr}")
        return Answer(**json.loads(target.read_text("utf-8")))


def demand_agreement(case: Case, peer: Peer, ours: Schedule, theirs: Answer) -> None:
    """Raises BenchError where what one earns is more than the other says is possible."""
    if ours.solve.objective is None or ours.solve.bound is None:
        raise BenchError(f"{case.name}: we have no plan")
    room = ROUNDING_FRAC * max(1.0, abs(ours.solve.objective))
    if ours.solve.objective > theirs.bound + room or theirs.objective > ours.solve.bound + room:
        raise BenchError(
            f"{case.name}: {peer.name} and we do not solve the same problem: it earns {theirs.objective} of at most "
            f"{theirs.bound}, we earn {ours.solve.objective} of at most {ours.solve.bound}"
        )


def our_figures(case: Case, ours: Timed[Schedule], patience: Patience) -> Iterator[Figure]:
    """Seconds to build and to plan."""
    KEPT.clear()
    built = timed(
        lambda problem: compile_matrix(KEPT.build(problem).ledger),
        lambda number: case.problem,
        Patience(1, patience.plain_limit_seconds, patience.limit_seconds),
    )
    rows, columns = built.value.matrix.shape
    yield Figure(f"{case.name} ours, build", f"{built.seconds:.3f}", "s", f"{columns:,} columns, {rows:,} rows")
    mark = "; stopped by the clock" if is_stopped(ours.value) else ""
    yield Figure(f"{case.name} ours", f"{ours.seconds:.2f}", "s", f"from the problem to the audited plan{mark}")


def peer_figures(
    case: Case, peer: Peer, ours: Timed[Schedule], theirs: Timed[Answer], patience: Patience
) -> Iterator[Figure]:
    """Seconds to build and to solve, and how many times ours that is. Raises BenchError where they disagree."""
    answer = theirs.value
    demand_agreement(case, peer, ours.value, answer)
    size = f"{answer.columns_count:,} columns, {answer.rows_count:,} rows"
    yield Figure(f"{case.name} {peer.name}, build", f"{answer.build_seconds:.2f}", "s", size)
    solve_seconds = _solve_seconds(answer, patience)
    mark = "; stopped by the clock" if answer.stopped else ""
    yield Figure(f"{case.name} {peer.name}, solve", f"{solve_seconds:.2f}", "s", f"objectives agree{mark}")
    mark += "; ours was stopped" if is_stopped(ours.value) else ""
    ratio = ratio_of(ours, theirs, patience)
    verdict = "" if peer.goal is None else f"; {peer.goal.verdict(ratio)}"
    against = f"build and solve / our whole way{verdict}{mark}"
    yield Figure(f"{case.name} {peer.name}/ours", f"{ratio:.3g}", "ratio", against)


def _given(case: Case, patience: Patience, number: int) -> dict[str, Any]:
    return case.given | {"options": options_of(patience)}


if __name__ == "__main__":
    sys.exit(main())
