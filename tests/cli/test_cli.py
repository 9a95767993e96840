"""The command line, as a shell or a script meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from builders import START, tiny_request_pb

import scheduler
from scheduler import cli
from scheduler.cli import outputs, work
from scheduler.server import workers
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.json import message_from_json, response_to_json

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
HARD = ROOT / "fixtures" / "scale" / "s" / "request.json"


@pytest.fixture
def request_path(tmp_path):
    path = tmp_path / "request.json"
    path.write_text(response_to_json(tiny_request_pb()))
    return path


@pytest.fixture(scope="module")
def answer():
    """What a worker answers to the tiny request."""
    return pb.ScheduleResponse.FromString(work.answered("schedule", tiny_request_pb().SerializeToString()))


@pytest.fixture
def answered(monkeypatch):
    """Sets the answer of the worker."""

    def set_answer(message):
        monkeypatch.setattr(work, "answered", lambda verb, payload, progress=None: message.SerializeToString())

    return set_answer


def process(*words, **more):
    command = [sys.executable, "-m", "scheduler", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, env=ENVIRONMENT, **more)


def test_names_of_any_script_are_told_on_any_terminal(tmp_path):
    request = tiny_request_pb()
    request.problem.sites[0].assets[0].id = "矿机-β"
    path = tmp_path / "request.json"
    path.write_text(response_to_json(request), "utf-8")
    command = [sys.executable, "-m", "scheduler", "plan", str(path), "--quiet"]
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    found = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
    assert found.returncode == 0 and b"\\u77ff\\u673a-\\u03b2" in found.stdout


def price_file(path, prices, zone="DE-LU", currency="eur"):
    lines = [f"utc_start,zone,price_{currency}_per_mwh"]
    lines += [f"{START + timedelta(hours=i):%Y-%m-%dT%H:%M:%SZ},{zone},{price}" for i, price in enumerate(prices)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_plan_prints_a_report_and_tells_of_progress(request_path, capsys):
    assert cli.main(["plan", str(request_path)]) == 0
    out, err = capsys.readouterr()
    assert "proven" in out and "objective" in out and "Hours run" in out
    assert max(map(len, out.splitlines())) <= 100
    assert [line.split()[-1] for line in err.splitlines()] == ["validate", "build", "solve", "audit"]


def test_quiet(request_path, capsys, answered, answer):
    answered(answer)
    assert cli.main(["plan", str(request_path), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("planner", ["answer", "answer_and_die"])
def test_the_time_limit_is_held_with_the_last_plan(request_path, monkeypatch, capsys, planner):
    """By a planner that finds plans, and does not end, or not well."""
    patience = workers.Patience(margin_seconds=0.5)
    stuck = partial(workers.Worker, f"stuck_planner:{planner}", patience)
    monkeypatch.setattr(workers, "Worker", stuck)
    start = time.monotonic()
    assert cli.main(["plan", str(request_path), "--time-limit", "2", "--json", "--quiet"]) == 0
    assert time.monotonic() - start < 30
    answer = json.loads(capsys.readouterr().out)
    assert answer["plan"]["objective"] > 0
    assert answer["solve"]["stop_reason"] == "STOP_REASON_TIME"


def test_json_is_all_that_is_on_standard_output(request_path):
    result = process("plan", request_path, "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["plan"]["objective"] > 0
    assert b"solve" in result.stderr


def test_standard_input(request_path):
    result = process("plan", "-", "--json", "--quiet", input=request_path.read_bytes())
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    assert json.loads(result.stdout)["request_id"] == "tiny"


def test_options_replace_those_of_the_request(request_path, monkeypatch):
    seen = []
    monkeypatch.setattr(work, "answered", lambda verb, payload, progress: seen.append(payload) or b"")
    words = [
        "--strategy",
        "plain",
        "--time-limit",
        "7",
        "--gap",
        "0",
        "--seed",
        "3",
        "--no-counterfactuals",
        "--explain",
    ]
    assert cli.main(["plan", str(request_path), "--quiet", *words]) == 1, "an empty answer is none"
    options = pb.ScheduleRequest.FromString(seen[0]).options
    assert options == pb.SolveOptions(
        strategy="STRATEGY_PLAIN", time_limit_seconds=7, rel_gap=0, seed=3, counterfactuals=False, explain=True
    )
    assert options.HasField("rel_gap")


def test_an_explanation_is_printed_where_it_is_asked_for(request_path, capsys):
    assert cli.main(["plan", str(request_path), "--explain", "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert "Worth of streams, EUR" in printed and "MW of power" in printed
    assert cli.main(["plan", str(request_path), "--quiet"]) == 0
    assert "Worth of streams" not in capsys.readouterr().out


def test_a_written_plan_is_sound_and_a_changed_one_is_not(request_path, tmp_path, capsys):
    path = tmp_path / "plan.json"
    assert cli.main(["plan", str(request_path), "-o", str(path), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(path.read_text())
    assert cli.main(["audit", str(request_path), str(path)]) == 0
    assert "sound" in capsys.readouterr().out

    changed = message_from_json(pb.ScheduleResponse, path.read_text(), "plan")
    changed.plan.sites[0].grid_mw[0] += 1.0
    path.write_text(response_to_json(changed))
    assert cli.main(["audit", str(request_path), str(path)]) == 5
    assert all(line.startswith(f"{path}:") for line in capsys.readouterr().out.splitlines())
    assert cli.main(["audit", str(request_path), str(path), "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["violations"]


def test_a_plan_is_held_against_the_gap_that_was_asked_for(request_path, tmp_path, capsys, answer):
    """Of the request, or of the command line where `plan --gap` said another one."""
    path, of_request = tmp_path / "plan.json", tmp_path / "loose.json"
    answer.solve.bound = answer.solve.objective + 0.01 * abs(answer.solve.objective) + 0.02
    answer.solve.ClearField("gap")
    path.write_text(response_to_json(answer))
    request = message_from_json(pb.ScheduleRequest, request_path.read_text(), "request")
    request.options.rel_gap = 0.05
    of_request.write_text(response_to_json(request))
    drawn = ["-o", str(tmp_path / "schedule.csv")]
    for words in (["audit"], ["write", "schedule"]):
        more = drawn if words[0] == "write" else []
        assert cli.main([*words, str(request_path), str(path), *more]) == 5
        assert "solve.bound: is " in "".join(capsys.readouterr())
        assert cli.main([*words, str(request_path), str(path), "--gap", "0.05", *more]) == 0
        assert cli.main([*words, str(of_request), str(path), *more]) == 0
        assert cli.main([*words, str(of_request), str(path), "--gap", "0.001", *more]) == 5
    capsys.readouterr()
    assert cli.main(["audit", str(request_path), str(path), "--gap", "-1"]) == 2
    assert capsys.readouterr().err.startswith(f"{request_path}: options.rel_gap: must be a finite number")


def test_a_plan_that_does_not_fit_the_request(request_path, tmp_path, capsys, answer):
    path = tmp_path / "plan.json"
    answer.plan.sites[0].grid_mw.append(1.0)
    path.write_text(response_to_json(answer))
    assert cli.main(["audit", str(request_path), str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"{path}: plan.sites[0].grid_mw: ")
    path.write_text(response_to_json(pb.ScheduleResponse(no_plan={"reason": "none"})))
    assert cli.main(["audit", str(request_path), str(path)]) == 2
    assert capsys.readouterr().err == f"scheduler: {path}: holds no plan\n"


def test_conflict_and_no_plan(request_path, capsys, answered, answer):
    conflict = pb.ScheduleResponse(solve=answer.solve)
    conflict.conflict.relaxed_plan.CopyFrom(answer.plan)
    conflict.conflict.shortfalls.add(
        market_id="fcr",
        block_id="08-12",
        award_id="a1",
        missing_mw=2,
        cost=48.8,
        reason="the group is too small",
    )
    conflict.conflict.cheapest_cost = 48.8
    answered(conflict)
    assert cli.main(["plan", str(request_path), "--quiet"]) == 3
    out = capsys.readouterr().out
    assert "CONFLICT" in out and "fcr 08-12 a1" in out and "2.000 MW missing, 48.80 EUR" in out
    assert "Hours run" in out, "the relaxed plan is shown"
    answered(pb.ScheduleResponse(no_plan={"reason": "no plan was found"}))
    assert cli.main(["plan", str(request_path), "--quiet"]) == 4
    assert "NO PLAN: no plan was found" in capsys.readouterr().out


def test_every_violation_has_its_line(tmp_path, capsys):
    request = tiny_request_pb()
    request.problem.currency_code = "euro"
    request.problem.sites[0].assets[0].miner_group.modes[1].power_w = -1
    path = tmp_path / "bad.json"
    path.write_text(response_to_json(request))
    for command in ("plan", "validate"):
        assert cli.main([command, str(path)]) == 2
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if line.startswith(str(path))]
        assert out == ""
        assert [line.split(": ")[1] for line in lines] == [
            "problem.currency_code",
            "problem.sites[0].assets[0].miner_group.modes[1].power_w",
        ]


def test_validate(request_path, capsys):
    assert cli.main(["validate", str(request_path)]) == 0
    assert capsys.readouterr().out == f"{request_path}: valid\n"
    assert cli.main(["validate", str(request_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "bad.json:1:1: is empty"),
        (b'{"problem": {"sites": [', "bad.json:1:24: is not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[1, 2]", "bad.json: "),
        (b'{"problem": {"currency": "EUR"}}', "problem.currency"),
        (b'{"problem": {"mining": {"pool_fee_frac": "NaN"}}}', "problem.mining.pool_fee_frac"),
        (b"{}", "problem"),
    ],
)
def test_malformed_files(tmp_path, capsys, content, words):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert cli.main(["plan", str(path), "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert all(line.startswith(f"{path}:") for line in err.splitlines())


def test_files_that_cannot_be_opened(tmp_path, capsys, request_path):
    missing = tmp_path / "missing.json"
    for words in (
        ["plan", str(missing)],
        ["plan", str(tmp_path)],
        ["audit", str(request_path), str(missing)],
        ["plan", str(request_path), "--prices", str(missing)],
        ["plan", str(request_path), "-o", str(tmp_path)],
        ["plan", str(request_path), "-o", str(missing / "plan.json")],
    ):
        assert cli.main(words) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"scheduler: {tmp_path}") and err.count("\n") == 1


def test_nothing_is_left_where_no_plan_was_made(tmp_path, answered, request_path):
    answered(pb.ScheduleResponse())
    kept, new = tmp_path / "kept.json", tmp_path / "new.json"
    kept.write_text("old")
    outputs.check_output(cli.build_parser().parse_args(["plan", "x", "-o", str(kept)]))
    outputs.check_output(cli.build_parser().parse_args(["plan", "x", "-o", str(new)]))
    assert kept.read_text() == "old"
    assert not new.exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["plan"],
        ["plan", "x", "--seed", "-1"],
        ["plan", "x", "--time-limit", "nan"],
        ["serve", "--workers", "0"],
    ],
)
def test_wrong_command_lines(words, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2


def test_prices_replace_those_of_the_request(request_path, tmp_path, capsys):
    prices = price_file(tmp_path / "prices.csv", [500.0, 500.0, 500.0, 500.0])
    plan = tmp_path / "plan.json"
    assert cli.main(["plan", str(request_path), "--prices", str(prices), "-o", str(plan)]) == 0
    out, err = capsys.readouterr()
    field = "problem.markets[0].energy.price_per_mwh"
    assert f"{request_path}: {field}: 4 prices of DE-LU from {prices}\n" in err
    assert "objective 0.00 EUR" in out, "no hash is worth 500 EUR/MWh"
    assert cli.main(["audit", str(request_path), str(plan), "--prices", str(prices)]) == 0


@pytest.mark.parametrize(
    ("file", "words", "message"),
    [
        ({"currency": "usd"}, [], "is in USD, the request in EUR"),
        ({}, ["--zone", "FR"], "holds no zone FR"),
        ({"prices": [1, 2, 3]}, [], "prices.csv:4: zone DE-LU"),
        ({"prices": [1, "nan", 3, 4]}, [], "prices.csv:3: price_eur_per_mwh must be a finite number"),
    ],
)
def test_prices_that_will_not_do(request_path, tmp_path, capsys, file, words, message):
    prices = price_file(tmp_path / "prices.csv", **{"prices": [1, 2, 3, 4], **file})
    assert cli.main(["plan", str(request_path), "--prices", str(prices), *words]) == 2
    assert message in capsys.readouterr().err


def test_prices_by_the_zone_of_the_site(tmp_path, capsys):
    request = tiny_request_pb()
    request.problem.sites[0].zone_eic = "10Y1001A1001A46L"
    path = tmp_path / "request.json"
    path.write_text(response_to_json(request))
    prices = price_file(tmp_path / "prices.csv", [1, 2, 3, 4])
    assert cli.main(["validate", str(path), "--prices", str(prices)]) == 2
    assert "holds no zone SE3" in capsys.readouterr().err
    assert cli.main(["validate", str(path), "--prices", str(prices), "--zone", "DE-LU"]) == 0


@pytest.mark.parametrize("broken", [{"count": 0}, {"step_minutes": 7}, {"time_zone": "Nowhere"}, {"count": 2**31 - 1}])
def test_a_broken_horizon_is_said_as_such(tmp_path, capsys, broken):
    request = tiny_request_pb()
    for name, value in broken.items():
        setattr(request.problem.horizon, name, value)
    path = tmp_path / "request.json"
    path.write_text(response_to_json(request))
    prices = price_file(tmp_path / "prices.csv", [1, 2, 3, 4])
    assert cli.main(["validate", str(path), "--prices", str(prices)]) == 2
    assert "problem.horizon" in capsys.readouterr().err


def test_a_fault_of_ours_is_no_plan(request_path, capsys, monkeypatch):
    from scheduler.server.workers import OverrunError, WorkerDiedError

    for error, code in ((OverrunError("too slow"), 4), (WorkerDiedError("it ended"), 1)):

        def fails(verb, payload, progress, error=error):
            raise error

        monkeypatch.setattr(work, "answered", fails)
        assert cli.main(["plan", str(request_path), "--quiet"]) == code
        assert str(error) in capsys.readouterr().err


HEARING_INTERRUPTS = """
import os, signal, sys

signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""What a shell starts in the background is deaf to them, tests too, and so is what they start."""


@pytest.mark.skipif(not HARD.exists(), reason="needs a request that takes seconds: fixtures/scale/s")
def test_an_interrupt_ends_a_solve_at_once():
    command = ["-m", "scheduler", "plan", str(HARD), "--strategy", "plain"]
    with subprocess.Popen(
        [sys.executable, "-c", HEARING_INTERRUPTS, sys.executable, *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=ENVIRONMENT,
    ) as running:
        while not running.stderr.readline().endswith("solve\n"):
            assert running.poll() is None
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(20) == 130  # left alone it takes minutes
        assert running.stderr.read() == "scheduler: interrupted\n"


def test_a_reader_that_has_seen_enough(request_path):
    with subprocess.Popen(
        [sys.executable, "-m", "scheduler", "plan", str(request_path), "--json", "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as running:
        running.stdout.close()
        assert running.wait(30) == 1
        assert running.stderr.read() == b""


def test_help_loads_nothing_heavy():
    code = "import sys, scheduler.cli; scheduler.cli.build_parser().format_help(); print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT, timeout=30
    )
    heavy = {"numpy", "pyomo", "grpc", "pandas", "google.protobuf", "rich", "asyncio", "scipy", "highspy"}
    assert not heavy & set(result.stdout.split())


def test_the_package_offers_what_it_lists():
    assert all(hasattr(scheduler, name) for name in scheduler.__all__)
    assert set(scheduler.__all__) <= set(dir(scheduler))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        scheduler.nonsense  # noqa: B018


def test_help_names_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["plan", "--help"])
    assert caught.value.code == 0
    assert "exit codes" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("scheduler ")
