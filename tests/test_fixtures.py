"""Every fixture is planned, audited and compared with what its README derives.

expected.json: see fixtures/README.md.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.check import audit
from scheduler.markets.reserve import ReserveMarket
from scheduler.plan import Plan, Schedule
from scheduler.planner import make_schedule
from scheduler.problem import Problem
from scheduler.settings import SolveOptions, Strategy
from scheduler.wire.json import schedule_request_from_json
from scheduler.wire.request import schedule_request_from_pb

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
NAMES = sorted(path.parent.relative_to(FIXTURES).as_posix() for path in FIXTURES.rglob("request.json"))
EXACT = ("toy/", "pairs/")  # planned with almost no gap: what their READMEs derive is unique
FAST, PLAIN = Strategy.FAST, Strategy.PLAIN


def options(name: str, strategy: Strategy) -> SolveOptions:
    if name.startswith(EXACT):
        return SolveOptions(rel_gap=1e-6, abs_gap=1e-3, strategy=strategy)
    return SolveOptions(strategy=strategy)


@dataclass
class Case:
    """A fixture with its plan."""

    problem: Problem
    schedule: Schedule
    expected: dict
    options: SolveOptions

    @property
    def plan(self) -> Plan:
        assert self.schedule.plan is not None, self.schedule.no_plan_reason
        return self.schedule.plan

    def groups(self) -> dict[str, tuple[MinerGroup, MinerGroupPlan]]:
        found = {}
        for site, planned in zip(self.problem.sites, self.plan.sites, strict=True):
            for asset, plan in zip(site.assets, planned.assets, strict=True):
                found[asset.id] = (asset, plan)
        return found

    def quantities(self) -> Iterator[tuple[str, str, np.ndarray]]:
        """What assets tell beyond power and modes."""
        for id, (asset, plan) in self.groups().items():
            yield from ((id, name, values) for mode, name, values in asset.quantities(plan) if not mode)

    def blocks(self) -> dict:
        found = {}
        for market, planned in zip(self.problem.markets, self.plan.markets, strict=True):
            if isinstance(market, ReserveMarket):
                for block, plan in zip(market.blocks, planned.blocks, strict=True):
                    found[f"{market.id}/{block.id}"] = (block, plan)
        return found


def load(name: str) -> tuple[Problem, dict]:
    folder = FIXTURES / name
    request = schedule_request_from_json((folder / "request.json").read_bytes(), name)
    _, problem, _ = schedule_request_from_pb(request)
    return problem, json.loads((folder / "expected.json").read_text("utf-8"))


def marks(name: str, strategy: Strategy) -> list:
    """Plain takes minutes for whole days whose objective only the solver knows: they are left to -m slow."""
    is_small = name.startswith(EXACT) or load(name)[1]["objective"] is not None
    return [] if is_small or strategy is FAST else [pytest.mark.slow]


CASES = [pytest.param(name, way, marks=marks(name, way)) for name in NAMES for way in (PLAIN, FAST)]


@pytest.mark.parametrize(("name", "strategy"), CASES)
def test_fixture(name: str, strategy: Strategy):
    problem, expected = load(name)
    chosen = options(name, strategy)
    case = Case(problem, make_schedule(problem, chosen), expected, chosen)
    assert audit(problem, case.plan, case.schedule.solve, chosen).violations == ()
    compare_money(case)
    facts = dict(expected["facts"])
    for fact, wanted in facts.items():
        FACTS[fact](case, wanted)
    if "shortfall_mw_h" not in facts:
        FACTS["shortfall_mw_h"](case, 0)


def compare_money(case: Case) -> None:
    expected, solve, plan = case.expected, case.schedule.solve, case.plan
    assert solve.bound is not None
    assert solve.bound >= plan.objective - 1e-6 * max(1.0, abs(plan.objective))
    if expected["objective"] is not None:
        room = expected["tolerance"] + max(case.options.abs_gap, case.options.rel_gap * abs(plan.objective))
        assert plan.objective == pytest.approx(expected["objective"], abs=room)
    totals: Counter = Counter()
    for cash in plan.cash:
        kind = cash.stream.kind.value
        totals[kind] += cash.total
        totals[f"{kind}:{cash.stream.market_id}"] += cash.total
    found = {name: totals[name] for name in expected["streams"]}
    assert found == pytest.approx(expected["streams"], abs=expected["tolerance"], rel=1e-4)


# ---- facts ----


def runs(series: list | dict, count: int) -> list[tuple[int, float]]:
    """(interval, value) of a series of facts."""
    if isinstance(series, list):
        assert len(series) == count
        return [(t, value) for t, value in enumerate(series) if value is not None]
    found = []
    for run, value in series.items():
        first, end = map(int, run.split("-"))
        assert 0 <= first < end <= count
        found += [(t, value) for t in range(first, end)]
    return found


def compare_series(found: np.ndarray, series: list | dict, at_least: bool = False) -> None:
    wanted = runs(series, len(found))
    for t, value in wanted:
        if at_least:
            assert found[t] >= value - 1e-6, f"interval {t}"
        else:
            assert found[t] == pytest.approx(value, rel=1e-6, abs=1e-5), f"interval {t}"


def mining_machines(case: Case, wanted: dict) -> None:
    """Machines in mining modes."""
    for id, series in wanted.items():
        group, plan = case.groups()[id]
        rows = [m for m, mode in enumerate(group.modes) if not mode.resting]
        compare_series(plan.mode_count[rows].sum(axis=0), series)


def mode_machines(case: Case, wanted: dict) -> None:
    """Machines in one mode, by group/mode."""
    for name, series in wanted.items():
        id, mode = name.split("/")
        group, plan = case.groups()[id]
        compare_series(plan.mode_count[group.mode_index[mode]], series)


def hashrate_ths(case: Case, wanted: dict) -> None:
    """Mean hash rate of a group."""
    for id, series in wanted.items():
        compare_series(case.groups()[id][1].hashrate_ths, series)


def grid_mw(case: Case, wanted: dict, at_least: bool = False) -> None:
    """Grid power of a site."""
    planned = {site.site_id: site.grid_mw for site in case.plan.sites}
    for id, series in wanted.items():
        compare_series(planned[id], series, at_least)


def grid_mw_at_least(case: Case, wanted: dict) -> None:
    """Grid power of a site."""
    grid_mw(case, wanted, at_least=True)


def offers_kw(case: Case, wanted: dict) -> None:
    """MW to offer, by market/block."""
    blocks = case.blocks()
    assert {name: blocks[name][1].offered_kw for name in wanted} == wanted


def offers_kw_of_market(case: Case, wanted: dict) -> None:
    """MW to offer in every block of a market."""
    for id, kw in wanted.items():
        offered = {name: plan.offered_kw for name, (_, plan) in case.blocks().items() if name.startswith(f"{id}/")}
        assert offered
        assert offered == dict.fromkeys(offered, kw)


def bids_kw(case: Case, wanted: dict) -> None:
    """MW to offer, by market/block/bid."""
    found = {}
    for name in wanted:
        block, id = name.rsplit("/", 1)
        found[name] = case.blocks()[block][1].bid_kw.get(id, 0)
    assert found == wanted


def block_hours(case: Case, wanted: dict) -> None:
    """Real hours of blocks."""
    horizon = case.problem.horizon
    found = {name: len(case.blocks()[name][0].intervals(horizon)) * horizon.step_hours for name in wanted}
    assert found == wanted


def shortfall_mw_h(case: Case, wanted: float) -> None:
    """MW hours of awards that are missing."""
    hours = case.problem.horizon.step_hours
    missing = sum(mw.sum() for _, plan in case.blocks().values() for mw in plan.missing_mw.values()) * hours
    assert missing == pytest.approx(wanted, abs=1e-5)
    unserved = case.expected["facts"].get("unserved_mwh", 0)
    assert bool(case.schedule.shortfalls) == (wanted > 0 or unserved > 0)


def unserved_mwh(case: Case, wanted: float) -> None:
    """MWh of firm loads that are not served."""
    missing = sum(float(series.sum()) for _, name, series in case.quantities() if name == "unserved_mw")
    assert missing * case.problem.horizon.step_hours == pytest.approx(wanted, abs=1e-5)


def asset_power_mw(case: Case, wanted: dict) -> None:
    """Power that an asset takes."""
    for id, series in wanted.items():
        compare_series(case.groups()[id][1].power_mw, series)


def asset_quantities(case: Case, wanted: dict) -> None:
    """What an asset tells beyond power, by asset/quantity."""
    found = {f"{id}/{name}": values for id, name, values in case.quantities()}
    for name, series in wanted.items():
        compare_series(found[name], series)


def objective_at_least(case: Case, wanted: float) -> None:
    """Least money."""
    assert case.plan.objective >= wanted


FACTS = {
    check.__name__: check
    for check in (
        mining_machines,
        mode_machines,
        hashrate_ths,
        grid_mw,
        grid_mw_at_least,
        offers_kw,
        offers_kw_of_market,
        bids_kw,
        block_hours,
        shortfall_mw_h,
        unserved_mwh,
        asset_power_mw,
        asset_quantities,
        objective_at_least,
    )
}
