"""Who is compared with us gets the same problem, and the bench fails where it does not agree."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.figures import BenchError, Patience, Timed
from bench.peers import run
from bench.peers.problems import lumpy_case, switching_case
from bench.peers.run import FLEXMEASURES, PYPSA, Answer, ask, demand_agreement, options_of, our_plan, peer_figures

QUICK = Patience(runs_count=1, plain_limit_seconds=30, limit_seconds=30)
VERSIONS = {"tool": "1.0"}


@pytest.fixture(scope="module")
def case():
    return switching_case(3, 1)


@pytest.fixture(scope="module")
def ours(case):
    return our_plan(case.problem, QUICK)


def answer(money, **changed):
    return replace(Answer(2.0, 3.0, money, money, False, 10, 20, VERSIONS), **changed)


def best_by_hand(given):
    """Units on where they earn most behind the connection: every choice of three, quarter by quarter."""
    mw, ths = (np.array([unit[name] for unit in given["units"]]) for name in ("mw", "hashrate_ths"))
    hours = given["step_minutes"] / 60
    total = 0.0
    for t, limit_mw in enumerate(given["import_limit_mw"]):
        price = given["price_per_mwh"][t] + given["fee_per_mwh"][t]
        profit = (ths * given["income_per_ths_h"][t] - mw * price) * hours
        choices = [np.array([number >> i & 1 for i in range(len(mw))]) for number in range(2 ** len(mw))]
        total += max(profit @ on for on in choices if mw @ on <= limit_mw + 1e-9)
    return total


def test_what_is_given_is_the_problem_that_we_plan(case, ours):
    assert ours.value.solve.objective == pytest.approx(best_by_hand(json.loads(json.dumps(case.given))), rel=1e-4)


def test_the_connection_is_too_small_for_all(case):
    assert sum(unit["mw"] for unit in case.given["units"]) > max(case.given["import_limit_mw"])


def test_the_full_problem_has_starts_minimum_times_and_reserve_both_ways():
    given = lumpy_case(5, 1).given
    assert {product["up"] for product in given["products"]} == {True, False}
    assert all(unit["run_minutes"] > 0 and unit["rest_minutes"] > 0 for unit in given["units"])
    assert all(unit["start_seconds"] > 0 and unit["start_cost"] > 0 for unit in given["units"])
    assert [block["end"] - block["first"] for block in given["products"][0]["blocks"]] == [16] * 6


def test_figures_of_a_peer_that_agrees(case, ours):
    theirs = Timed(5.0, 0.0, answer(ours.value.solve.objective))
    peer = FLEXMEASURES[0]
    build, solve, ratio = peer_figures(case, peer, ours, theirs, QUICK)
    assert (build.value, solve.value) == ("2.00", "3.00")
    assert float(ratio.value) == pytest.approx(5.0 / ours.seconds, rel=0.01)
    assert peer.goal.verdict(5.0 / ours.seconds) in ratio.against


def test_what_was_stopped_counts_as_long_as_it_was_allowed(case, ours):
    stopped = answer(ours.value.solve.objective - 1000, bound=ours.value.solve.bound + 1000, stopped=True)
    _, solve, ratio = peer_figures(case, PYPSA, ours, Timed(5.0, 0.0, stopped), QUICK)
    assert float(solve.value) == 30
    assert "stopped by the clock" in ratio.against


@pytest.mark.parametrize("sign", [-1, 1])
def test_other_objectives_fail_the_bench(case, ours, sign):
    other = answer(ours.value.solve.objective * (1 + sign * 3e-4))
    with pytest.raises(BenchError, match="do not solve the same problem"):
        demand_agreement(case, PYPSA, ours.value, other)


def test_a_peer_runs_in_its_own_environment(tmp_path, monkeypatch):
    bin_folder = tmp_path / "tool" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(sys.executable)
    (tmp_path / "good.py").write_text(
        "import json, sys\n"
        "given = json.load(open(sys.argv[1]))\n"
        "fields = dict(build_seconds=1.0, solve_seconds=2.0, objective=given['money'], bound=4.0, stopped=False,\n"
        "    columns_count=1, rows_count=2, versions={'tool': sys.argv[3]})\n"
        "json.dump(fields, open(sys.argv[2], 'w'))\n"
    )
    (tmp_path / "bad.py").write_text("raise SystemExit('out of order')\n")
    monkeypatch.setattr(run, "HERE", tmp_path)
    peer = run.Peer("tool", "tool", "good.py", ("2.0",))
    assert ask(peer, tmp_path, {"money": 3.5}) == Answer(1.0, 2.0, 3.5, 4.0, False, 1, 2, {"tool": "2.0"})
    with pytest.raises(BenchError, match="out of order"):
        ask(replace(peer, script="bad.py"), tmp_path, {})
    with pytest.raises(BenchError, match="make bench-peers builds it"):
        ask(replace(peer, environment="nowhere"), tmp_path, {})


def test_everybody_has_our_options_and_a_script_and_a_lock():
    assert options_of(QUICK)["mip_rel_gap"] == 1e-4 and options_of(QUICK)["time_limit"] == 30
    for peer in (PYPSA, *FLEXMEASURES):
        assert (run.HERE / peer.script).exists()
        lock = (run.HERE / f"{peer.environment}.lock").read_text("utf-8")
        assert f"\n{peer.environment}==" in lock and "--hash=sha256:" in lock
    ours = Path(run.HERE.parent.parent / "requirements.lock").read_text("utf-8")
    (version,) = (line for line in ours.splitlines() if line.startswith("highspy=="))
    for name in ("pypsa", "flexmeasures"):
        assert version in (run.HERE / f"{name}.lock").read_text("utf-8")


def test_of_several_seeds_the_mean_counts_and_the_worst_is_told():
    figure = run.several(50, PYPSA, [10.0, 40.0])
    assert float(figure.value) == 20 and "the worst 10" in figure.against
    assert PYPSA.goal.verdict(20.0) in figure.against and figure.unit == "ratio"
