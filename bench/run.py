"""Measures how fast plans are, one line a figure: name, value, unit, and against what. Ratios come first.

python -m bench.run                    what `make bench` runs: every size, one seed; takes hours
python -m bench.run --sizes S          other sizes, see --help
python -m bench.run --seeds 10         every size in 10 seeds: of each ratio the geometric mean and the worst
python -m bench.run --quick            one run each, and plain stopped at 60 s

The yardstick is plain: the model exactly as formulated, handed whole to the solver, to the same gap. Where the clock
stops it, it counts as long as it was allowed, and the line says so; so does its relaxation. Figures are medians of 5
runs, or of one where a run takes a minute. A fleet is known when this process has planned it before; then come new
prices, and the same new prices for all that is compared. Every plan passes the audit, or the bench ends with what is
wrong with it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from bench.figures import BenchError, Figure, Goal, Patience, geometric_mean, say, timed, versions
from bench.measure import Measured, is_stopped, measure, peak_mib
from scheduler.plan import Schedule
from scheduler.problem import Problem
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.request import schedule_request_from_pb
from tools.fixtures.scale import lumpy_request, scale_request

SIZES: dict[str, Callable[[int], pb.ScheduleRequest]] = {
    **{size: partial(scale_request, size) for size in ("S", "M", "L", "XL")},
    **{f"lumpy-{count}": partial(lumpy_request, count) for count in (50, 100, 300)},
}
RELAXED = ("S", "M", "L")
"""Sizes whose relaxation in one piece is measured."""
REDUCED = ("M", "L", "XL")
"""Sizes whose relaxation is measured on the columns in use."""
PLAIN = ("S", "M", "L", "lumpy-50")
"""Sizes that plain is asked for."""
GOALS = {
    **{("S", "known/relaxation"): Goal(3), ("M", "known/relaxation"): Goal(0.5), ("L", "known/relaxation"): Goal(0.25)},
    **{(size, "known/reduced relaxation"): Goal(10) for size in REDUCED},
    **{(size, "outside/known"): Goal(0.1) for size in ("M", "L")},
    ("M", "first/known"): Goal(0.25),
    **{(size, "gap/uplift"): Goal(0.01) for size in ("M", "L")},
}
BUILD_GOAL = Goal(80_000, at_least=True)
REDUCED_GOAL = Goal(3)
PLAIN_GOAL = Goal(50, at_least=True)
GROWTH_GOAL = Goal(1.3)
MEMORY_GOAL = Goal(3 * 1024)
ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--sizes", nargs="+", choices=SIZES, default=list(SIZES), help="default: all")
    add("--seeds", type=int, default=1, metavar="N", help="every size in seeds 1 to N (default: 1)")
    add("--plain-limit", type=float, metavar="S", help="seconds for plain (default: 600; quick: 60)")
    add("--limit", type=float, default=600.0, metavar="S", help="seconds for fast (default: 600)")
    add(
        "--relaxation-limit",
        type=float,
        default=600.0,
        metavar="S",
        help="seconds for the LP of plain: with fewer, ratios to it are upper bounds (default: 600)",
    )
    add(
        "--without-plain", action="store_true", help="leave plain out: it takes up to 10 minutes for each size and seed"
    )
    add("--quick", action="store_true", help="one run each")
    add("--peak", choices=SIZES, help="only the memory that planning takes, in MiB")
    args = parser.parse_args(argv)
    plain_limit_seconds = args.plain_limit or (60.0 if args.quick else 600.0)
    patience = Patience(1 if args.quick else 5, plain_limit_seconds, args.limit, args.relaxation_limit)
    if args.peak:
        print(f"{peak_mib(problem_of(args.peak, 1), patience):.0f}")
        return 0
    from bench.everything import everything_figures  # these take their figures from here too
    from bench.readers import reader_figures
    from bench.stress import stress_figures

    figures = [*help_figures(patience), *reader_figures(patience)]
    figures += [*everything_figures(), *stress_figures("days/grid-integrated")]
    measured: dict[str, list[Measured]] = defaultdict(list)
    for size in args.sizes:
        for seed in range(1, args.seeds + 1):
            say(f"{size}, seed {seed} ...")
            plain = size in PLAIN and not args.without_plain
            relaxed, reduced = size in RELAXED, size in REDUCED
            found = measure(problem_of(size, seed), patience, relaxed=relaxed, reduced=reduced, plain=plain)
            measured[size].append(found)
            own = list(absolute_figures(f"{size} seed {seed}" if args.seeds > 1 else size, found, patience))
            for figure in own:
                say(f"  {figure}")  # hours may pass until the end
            figures += own
        figures += ratio_figures(size, measured[size])
    figures += overall_figures(measured)
    figures += memory_figures([size for size in args.sizes if size == "XL"])
    for figure in sorted(figures, key=lambda figure: figure.unit != "ratio"):
        print(figure)
    for figure in versions():
        print(figure)
    return 0


def problem_of(size: str, seed: int) -> Problem:
    """A problem of the bench."""
    return schedule_request_from_pb(SIZES[size](seed))[1]


def absolute_figures(name: str, found: Measured, patience: Patience) -> Iterator[Figure]:
    """Seconds, counts and gaps of one problem."""
    per_second = found.columns_count / found.built.cpu_seconds
    detail = f"{found.columns_count:,} columns in {found.built.cpu_seconds:.3f} s of processor, cold"
    yield Figure(f"{name} build", f"{per_second:,.0f}", "columns/s", f"{detail}; {BUILD_GOAL.verdict(per_second)}")
    yield Figure(
        f"{name} new prices", f"{1000 * found.priced.seconds:.1f}", "ms", "a known fleet, until a solver begins"
    )
    if found.relaxation is not None:
        mark = "" if found.relaxation.value else "; stopped by the clock"
        yield Figure(f"{name} relaxation", f"{found.relaxation.seconds:.2f}", "s", f"LP of plain, built before{mark}")
    if found.reduced is not None:
        cpu = f"{found.reduced.cpu_seconds:.2f} s of processor"
        yield Figure(f"{name} reduced relaxation", f"{found.reduced.seconds:.2f}", "s", f"{cpu}, columns in use")
    cold, known = found.cold, found.known
    yield Figure(f"{name} cold", f"{cold.seconds:.2f}", "s", f"whole solve, fleet not known: {_end(cold.value)}")
    detail = f"whole solve, new prices: {_end(known.value)}; {known.cpu_seconds:.2f} s of processor"
    yield Figure(f"{name} known", f"{known.seconds:.2f}", "s", detail)
    yield Figure(f"{name} first audited plan", f"{found.first.seconds:.2f}", "s", "as a stream tells it, known fleet")
    gap = known.value.solve.gap
    yield Figure(f"{name} gap", "none" if gap is None else f"{gap:.1e}", "of the objective", "asked for: 1e-4")
    if found.plain is not None:
        limit = f"{patience.plain_limit_seconds:.0f} s"
        mark = f"; it counts the {limit} that it had" if is_stopped(found.plain.value) else ""
        detail = f"whole solve: {_end(found.plain.value)}{mark}"
        yield Figure(f"{name} plain", f"{found.plain.seconds:.2f}", "s", detail)


def ratios_of(found: Measured) -> dict[str, float]:
    """Of one problem, by name."""
    known = found.known
    ratios = {"outside/known": found.outside_frac, "first/known": found.first.seconds / known.seconds}
    ratios["known/cold"] = known.seconds / found.cold.seconds
    if known.value.solve.gap_of_uplift is not None:
        ratios["gap/uplift"] = known.value.solve.gap_of_uplift
    if found.relaxation is not None:
        ratios["known/relaxation"] = known.seconds / found.relaxation.seconds
    if found.reduced is not None:
        ratios["known/reduced relaxation"] = known.cpu_seconds / found.reduced.cpu_seconds
    if found.plain is not None:
        ratios["plain/known"] = found.plain.seconds / known.seconds
    return ratios


AGAINST = {
    "outside/known": "time outside the solver / whole solve on a known fleet",
    "first/known": "first audited plan / whole solve on a known fleet",
    "known/cold": "whole solve on a known fleet / on one that is not known",
    "gap/uplift": "gap / uplift over the better of the simpler ways",
    "known/relaxation": "whole solve on a known fleet / LP of plain",
    "known/reduced relaxation": "the same / LP of the columns in use, both by the clock of the processors",
    "plain/known": "plain / whole solve on a known fleet",
}


def ratio_figures(size: str, found: list[Measured]) -> Iterator[Figure]:
    """Ratios of a size: of several seeds the geometric mean, and the worst."""
    for name, values in _by_name(ratios_of(one) for one in found).items():
        goal = GOALS.get((size, name))
        worst = min(values) if name == "plain/known" else max(values)
        mean = geometric_mean(values)
        several = f"; geometric mean of {len(values)} seeds, the worst {worst:.3g}" if len(found) > 1 else ""
        verdict = "" if goal is None else f"; {goal.verdict(worst if name == 'known/reduced relaxation' else mean)}"
        marks = "".join(sorted({_mark(name, one) for one in found}))
        yield Figure(f"{size} {name}", f"{mean:.3g}", "ratio", f"{AGAINST[name]}{several}{verdict}{marks}")


def overall_figures(measured: Mapping[str, list[Measured]]) -> Iterator[Figure]:
    """Ratios over several sizes, where all of them were measured."""
    over = [ratios_of(one) for size in PLAIN for one in measured.get(size, ())]
    if all(measured.get(size) for size in PLAIN) and all("plain/known" in ratios for ratios in over):
        mean = geometric_mean([ratios["plain/known"] for ratios in over])
        detail = f"geometric mean over {', '.join(PLAIN)}; {PLAIN_GOAL.verdict(mean)}"
        yield Figure("plain/known", f"{mean:.3g}", "ratio", detail)
    over = [ratios_of(one) for size in REDUCED for one in measured.get(size, ())]
    if all(measured.get(size) for size in REDUCED):
        mean = geometric_mean([ratios["known/reduced relaxation"] for ratios in over])
        detail = f"geometric mean over {', '.join(REDUCED)}; {REDUCED_GOAL.verdict(mean)}"
        yield Figure("known/reduced relaxation", f"{mean:.3g}", "ratio", detail)
    pairs = list(zip(measured.get("L", ()), measured.get("XL", ()), strict=False))
    if pairs:
        growth = [
            xl.known.seconds / large.known.seconds / (xl.columns_count / large.columns_count) for large, xl in pairs
        ]
        mean = geometric_mean(growth)
        yield Figure("growth", f"{mean:.3g}", "ratio", f"time XL / L over columns XL / L; {GROWTH_GOAL.verdict(mean)}")


def memory_figures(sizes: list[str]) -> Iterator[Figure]:
    """Most memory of a process that plans one problem and nothing else."""
    for size in sizes:
        command = [sys.executable, "-m", "bench.run", "--peak", size]
        run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if run.returncode:
            raise BenchError(f"the memory of {size} was not measured: {run.stderr}")
        peak = float(run.stdout)
        yield Figure(f"{size} peak memory", f"{peak:.0f}", "MiB", MEMORY_GOAL.verdict(peak))


def help_figures(patience: Patience) -> Iterator[Figure]:
    """How long a look at the help takes."""
    command = [sys.executable, "-m", "scheduler", "--help"]
    run = partial(subprocess.run, cwd=ROOT, check=True, capture_output=True)
    look = timed(run, lambda number: command, patience)
    yield Figure("scheduler --help", f"{look.seconds:.2f}", "s")


def _by_name(all_ratios: Iterator[dict[str, float]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for ratios in all_ratios:
        for name, value in ratios.items():
            found[name].append(value)
    return found


def _mark(name: str, found: Measured) -> str:
    """What was stopped by the clock."""
    marks = "; fast was stopped" if is_stopped(found.known.value) else ""
    if name == "plain/known" and found.plain is not None and is_stopped(found.plain.value):
        marks += "; plain was stopped"
    if name == "known/relaxation" and found.relaxation is not None and not found.relaxation.value:
        marks += "; the LP was stopped"
    return marks


def _end(schedule: Schedule) -> str:
    gap = schedule.solve.gap
    end = "stopped by the clock" if is_stopped(schedule) else schedule.solve.stop_reason.value
    return f"{end}, gap {'none' if gap is None else f'{gap:.1e}'}"


if __name__ == "__main__":
    sys.exit(main())
