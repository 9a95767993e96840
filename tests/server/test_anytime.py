"""The last audited plan answers where the work does not end in time, or dies."""

import logging
import time

import grpc
import pytest
from builders import tiny_request_pb
from servers import running

from scheduler.client import Client
from scheduler.server.workers import Job, Patience, Worker, WorkerDiedError
from scheduler.v1 import scheduler_pb2 as pb

SCHEDULE = "/scheduler.v1.SchedulerService/Schedule"
TARGET = "misbehaving:answer"
IN_TIME = Patience(read_seconds=20, beyond_limit_seconds=30, margin_seconds=0.1)


@pytest.fixture(scope="module")
def call():
    """Calls Schedule with bytes."""
    with running(target=TARGET, patience=IN_TIME) as server, grpc.insecure_channel(server.address) as channel:
        yield channel.unary_unary(SCHEDULE)


@pytest.fixture(scope="module")
def stuck():
    """A client of a server whose planner finds plans, and does not end."""
    with running(target="stuck_planner:answer") as server, Client(server.address) as client:
        client.validate(tiny_request_pb(), timeout_seconds=60)  # workers have begun
        yield client


def seconds_of(block):
    start = time.monotonic()
    block()
    return time.monotonic() - start


def test_at_the_deadline_the_last_plan_answers(call, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    start = time.monotonic()
    assert call(f"incumbents 3 linger {tmp_path / 'pid'}".encode(), timeout=1.5) == b"plan 2"
    assert time.monotonic() - start < 1.5
    assert "last audited plan" in caplog.text


def test_a_plan_never_answers_the_next_call(call, tmp_path):
    assert call(b"incumbents 1 sleep 0", timeout=20) == b""
    with pytest.raises(grpc.RpcError) as caught:
        call(f"linger {tmp_path / 'pid'}".encode(), timeout=1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_the_plan_of_a_worker_that_died_answers(call, caplog):
    assert call(b"incumbents 2 die", timeout=20) == b"plan 1"
    assert "exit code -9: it is answered with its last audited plan" in caplog.text
    assert call(b"sleep 0", timeout=20) == b""


def test_errors_are_not_hidden_by_a_plan(call):
    with pytest.raises(grpc.RpcError) as caught:
        call(b"incumbents 1 unsound", timeout=20)
    assert caught.value.code() is grpc.StatusCode.INTERNAL


def test_a_limit_is_held_by_who_has_a_plan(tmp_path):
    worker = Worker(TARGET, Patience(read_seconds=20, beyond_limit_seconds=30, margin_seconds=0.1))
    begun = f"begun 0.2 incumbents 1 linger {tmp_path / 'pid'}".encode()
    assert worker.run(Job("schedule", b"sleep 0"), print) == b""  # it has started
    assert seconds_of(lambda: worker.run(Job("schedule", begun), print)) < 2
    assert worker.incumbent == b"plan 0"


def test_who_is_killed_by_us_has_no_plan():
    worker = Worker(TARGET)
    news = []

    def kill(event):
        news.append(event)
        worker.kill()

    with pytest.raises(WorkerDiedError):
        worker.run(Job("schedule", b"incumbents 1 news 100000"), kill)
    assert worker.incumbent == b"plan 0"


def test_the_limits_of_patience():
    patience = Patience(beyond_limit_seconds=60, margin_frac=0.1, margin_seconds=2)
    assert patience.seconds(300, has_incumbent=False) == 360
    assert patience.seconds(300, has_incumbent=True) == 330
    assert patience.seconds(5, has_incumbent=True) == 7


def test_a_stream_tells_better_plans_and_ends_with_the_last_in_time(stuck):
    request = tiny_request_pb()
    start = time.monotonic()
    events = list(stuck.stream_schedule(request, timeout_seconds=6))
    assert time.monotonic() - start < 6
    assert [event.phase for event in events if event.phase] == ["validate", "build", "solve"]
    incumbents = [event.incumbent for event in events if event.HasField("incumbent")]
    assert len(incumbents) == 2
    assert incumbents[0].objective < incumbents[1].objective <= incumbents[1].bound
    assert incumbents[1].HasField("gap")
    answer = events[-1].result
    assert answer.WhichOneof("outcome") == "plan"
    assert answer.request_id == "tiny"
    assert answer.solve.stop_reason == pb.STOP_REASON_TIME
    assert not answer.solve.reproducible
    assert answer.solve.objective == answer.plan.objective == incumbents[1].objective
    assert len(answer.problem_digest) == len(answer.plan_digest) == 64
    question = pb.AuditRequest(problem=request.problem, plan=answer.plan, solve=answer.solve)
    assert not stuck.audit(question, timeout_seconds=20).violations


def test_a_planner_that_is_killed_leaves_its_plan(caplog):
    with running(target="stuck_planner:answer_and_die") as server, Client(server.address) as client:
        answer = client.schedule(tiny_request_pb(), timeout_seconds=60).response
    assert answer.plan.objective > 0
    assert "exit code -9: it is answered with its last audited plan" in caplog.text
