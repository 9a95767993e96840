"""Re-checks a whole plan and its money, from the problem and the physical plan alone (formulation 8)."""

from __future__ import annotations

import numpy as np

from scheduler.check.book import Book, order
from scheduler.check.catalog import ASSETS, MARKETS
from scheduler.check.connection import check_connection
from scheduler.check.findings import (
    ABS_MONEY,
    ABS_MONEY_INTERVAL,
    ABS_MW,
    REL,
    REL_MONEY_INTERVAL,
    Findings,
)
from scheduler.check.firm_load import not_served
from scheduler.check.heat import check_heat
from scheduler.check.ladder import check_ladders
from scheduler.check.reading import PlanView, Reader, is_number, read_plan
from scheduler.check.tariff import earn_fees
from scheduler.plan import AuditReport, CashStream, Plan, Solve, StopReason, Stream
from scheduler.problem import Floats, Problem
from scheduler.settings import SolveOptions


def audit(problem: Problem, plan: Plan, solve: Solve | None = None, options: SolveOptions | None = None) -> AuditReport:
    """Everything that is wrong with a plan of a validated problem, and the checker's own sum of its money.

    It does not raise on a malformed plan. With ``solve``, its objective and bound are checked too;
    ``options`` say how small a proven gap must be (default: those of ``SolveOptions``).
    """
    return Audit(problem, plan).report(plan.objective, solve, options)


class Audit:
    """A plan that was read and simulated, once: its money is known before its objective and proof are judged."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self._plan = plan
        self._findings = Findings()
        with np.errstate(all="ignore"):
            self._view = read_plan(problem, plan, self._findings)
            self._cash = _work_out(problem, self._view, self._findings)
            self.objective = sum((stream.total for stream in self._cash), 0.0)
            _check_cash(self._findings, plan, self._cash, problem.horizon.count)

    def report(
        self, stated: float | None, solve: Solve | None = None, options: SolveOptions | None = None
    ) -> AuditReport:
        """Everything that is wrong with the plan, with the objective that is stated for it, and with its proof."""
        findings = self._findings.copy()
        with np.errstate(all="ignore"):
            _check_money(findings, "plan.objective", "objective", stated, self.objective)
            if solve is not None:
                _check_solve(findings, solve, options or SolveOptions(), self.objective)
                _check_uplift(findings, solve, self._plan, self.objective)
                _check_conflict(findings, solve, self._view)
        return AuditReport(findings.violations, self.objective, self._cash)


def money(problem: Problem, plan: Plan) -> tuple[CashStream, ...]:
    """The checker's own sum of a plan's money, sorted; streams that are zero throughout are left out."""
    with np.errstate(all="ignore"):
        findings = Findings()
        return _work_out(problem, read_plan(problem, plan, findings), findings, check=False)


def _work_out(problem: Problem, view: PlanView, findings: Findings, check: bool = True) -> tuple[CashStream, ...]:
    """Simulates assets, then sites, then markets, and books the money of each."""
    book, hours = Book(), problem.horizon.step_minutes / 60.0
    grid_mw: dict[str, Floats] = {}
    own: dict[str, object] = {}
    for site in view.sites:
        assets = [ASSETS[asset.asset.kind](asset, findings) for asset in site.assets]
        grid_mw[site.site.id] = sum((asset.power_mw for asset in assets), np.zeros(problem.horizon.count))
        own |= {view.asset.id: asset for view, asset in zip(site.assets, assets, strict=True)}
        for asset in assets:
            if check:
                asset.check(findings)
            asset.earn(book)
        if check:
            check_connection(site, grid_mw[site.site.id], findings)
            check_heat(site, assets, findings)
        earn_fees(site, grid_mw[site.site.id], hours, book)
    for market_view in view.markets:
        market = MARKETS[market_view.market.kind](market_view, grid_mw)
        if check:
            market.check(findings)
        market.earn(book)
    if check:
        check_ladders(view, own, findings)
    return book.cash()


def _check_cash(findings: Findings, plan: Plan, cash: tuple[CashStream, ...], count: int) -> None:
    """Each stream of the plan against the checker's own; one that is missing counts as zero."""
    reader = Reader(count, findings)
    own = {stream.stream: stream.amount for stream in cash}
    stated: dict[Stream, Floats] = {}
    fields: dict[Stream, str] = {}
    for i, stream in enumerate(plan.cash):
        field = f"plan.cash[{i}]"
        if stream.stream in stated:
            findings.add(field, "duplicate", f"{_name(stream.stream)} is named twice")
            continue
        stated[stream.stream] = reader.floats(f"{field}.amount", stream.amount)
        fields[stream.stream] = field
    total, wanted = sum(float(amount.sum()) for amount in stated.values()), sum(s.total for s in cash)
    _check_money(findings, "plan.cash", "cash_sum", total, wanted)
    nothing = np.zeros(count)
    for name in sorted({*own, *stated}, key=order):
        mine, theirs = own.get(name, nothing), stated.get(name, nothing)
        field = fields.get(name, "plan.cash")
        gap = np.abs(theirs - mine)
        if abs(theirs.sum() - mine.sum()) > ABS_MONEY:
            message = f"{_name(name)} is {theirs.sum():.6f}, the plan earns {mine.sum():.6f}"
            findings.add(field, "cash_total", message, abs(theirs.sum() - mine.sum()))
        findings.each(
            gap > ABS_MONEY_INTERVAL + REL_MONEY_INTERVAL * np.abs(mine),
            f"{field}.amount",
            "cash_interval",
            lambda t, n=name, a=theirs, b=mine: (  # type: ignore[misc]
                f"interval {t}: {_name(n)} is {a[t]:.6f}, the plan earns {b[t]:.6f}"
            ),
            gap,
        )


def _name(stream: Stream) -> str:
    """A stream in words."""
    direction = stream.direction.value if stream.direction else ""
    ids = (stream.market_id, stream.site_id, stream.asset_id, direction)
    return " ".join(word for word in (stream.kind.value, *ids) if word)


def _check_money(findings: Findings, field: str, rule: str, stated: float | None, own: float) -> None:
    """Whether a sum of money that is stated is a number and the checker's own."""
    if stated is None or not is_number(stated):
        findings.add(field, "finite", f"must be a finite number, is {stated}")
    elif abs(stated - own) > ABS_MONEY:
        findings.add(field, rule, f"is {stated:.6f}, the plan earns {own:.6f}", abs(stated - own))


def _check_solve(findings: Findings, solve: Solve, options: SolveOptions, objective: float) -> None:
    """What is claimed about objective, bound and proof (formulation 1)."""
    proven = solve.stop_reason is StopReason.PROVEN
    if solve.objective is not None or proven:
        _check_money(findings, "solve.objective", "solve_objective", solve.objective, objective)
    if solve.bound is None:
        if proven:
            findings.add("solve.bound", "proof", "a proven plan has a bound")
    elif not is_number(solve.bound):
        findings.add("solve.bound", "finite", f"must be a finite number, is {solve.bound}")
    else:
        missing, rounding = solve.bound - objective, REL * abs(objective)
        if missing < -(ABS_MONEY + rounding):
            message = f"is {solve.bound:.6f}, and the plan earns {objective:.6f}"
            findings.add("solve.bound", "bound", message, -missing)
        allowed = max(options.abs_gap, options.rel_gap * abs(objective))
        if proven and missing > allowed + rounding:
            message = f"is {missing:.6f} above the plan, which proves it for {allowed:.6f} at most"
            findings.add("solve.bound", "proof", message, missing)


def _check_uplift(findings: Findings, solve: Solve, plan: Plan, objective: float) -> None:
    """The gap as a share of the uplift over the better counterfactual that the plan states (formulation 1 and 7)."""
    stated = solve.gap_of_uplift
    if stated is None:
        return
    if not (is_number(stated) and stated >= 0):
        findings.add("solve.gap_of_uplift", "finite", f"must be finite and at least 0, is {stated}")
        return
    uplift = objective - max((way.total for way in plan.counterfactuals), default=np.nan)
    if not (solve.bound is not None and is_number(solve.bound) and uplift > 0):
        findings.add("solve.gap_of_uplift", "uplift", "there is no bound, or no counterfactual that earns less")
        return
    own, rounding = max(0.0, solve.bound - objective) / uplift, (2 * ABS_MONEY + REL * abs(objective)) / uplift
    if abs(stated - own) > rounding * (1 + own):
        message = f"is {stated:.6f}, by the bound and the counterfactuals of the plan it is {own:.6f}"
        findings.add("solve.gap_of_uplift", "uplift", message, abs(stated - own))


def _check_conflict(findings: Findings, solve: Solve, view: PlanView) -> None:
    """A plan that is short of an award or a firm load is the answer to a conflict (formulation 1 and 5)."""
    blocks = [block for market in view.markets for block in market.blocks]
    short = any((missing_mw > ABS_MW).any() for block in blocks for missing_mw in block.plan.missing_mw.values())
    if short and solve.stop_reason is StopReason.PROVEN:
        findings.add("solve.stop_reason", "conflict", "awards are short: a conflict, not a proven plan")
    if any(not_served(asset) for site in view.sites for asset in site.assets) and solve.stop_reason is (
        StopReason.PROVEN
    ):
        findings.add("solve.stop_reason", "conflict", "firm load is not served: a conflict, not a proven plan")
