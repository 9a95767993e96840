"""The command line that calls a server."""

import json

import pytest
from builders import tiny_request_pb

from scheduler.cli import main
from scheduler.wire.json import response_to_json


@pytest.fixture
def request_path(tmp_path):
    path = tmp_path / "request.json"
    path.write_text(response_to_json(tiny_request_pb()))
    return str(path)


def test_call_prints_what_plan_prints(address, request_path, capsys):
    assert main(["call", address, request_path]) == 0
    called = capsys.readouterr()
    assert [line.split()[-1] for line in called.err.splitlines()] == ["validate", "build", "solve", "audit"]
    assert main(["plan", request_path, "--quiet"]) == 0
    planned = capsys.readouterr()
    assert called.out.splitlines()[2:] == planned.out.splitlines()[2:], "all but the seconds"


def test_call_writes_json(address, request_path, tmp_path, capsys):
    path = tmp_path / "plan.json"
    assert main(["call", address, request_path, "--json", "--quiet", "-o", str(path), "--timeout", "20"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads(path.read_text())
    assert err == ""


def test_call_writes_csv(address, request_path, tmp_path, capsys):
    for words in (["call", address], ["plan"]):
        assert main([*words, request_path, "--csv", str(tmp_path / words[0])]) == 0
        assert str(tmp_path / words[0] / "cash.csv") in capsys.readouterr().err
    for path in (tmp_path / "plan").iterdir():
        assert (tmp_path / "call" / path.name).read_bytes() == path.read_bytes()


def test_call_says_what_the_server_refuses(address, tmp_path, capsys):
    request = tiny_request_pb()
    request.problem.currency_code = "euro"
    path = tmp_path / "bad.json"
    path.write_text(response_to_json(request))
    assert main(["call", address, str(path), "--quiet"]) == 2
    assert capsys.readouterr().err.startswith(f"{path}: problem.currency_code: ")


def test_nobody_listens(request_path, capsys):
    assert main(["call", "127.0.0.1:1", request_path, "--quiet"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("scheduler: 127.0.0.1:1: UNAVAILABLE: ") and err.count("\n") == 1


def test_too_short_a_timeout_is_no_plan(address, request_path, capsys):
    assert main(["call", address, request_path, "--quiet", "--timeout", "0.3"]) == 4
    assert "no plan within the time" in capsys.readouterr().err
