"""What callers see, and that the server goes on, when the work in the workers goes wrong."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from servers import running

from scheduler.server import app
from scheduler.server.pool import LARGE_BYTES, WorkerPool
from scheduler.server.workers import Job, OverrunError, Patience, Worker, WorkerDiedError
from scheduler.v1 import scheduler_pb2 as pb

SCHEDULE = "/scheduler.v1.SchedulerService/Schedule"
STREAM = "/scheduler.v1.SchedulerService/StreamSchedule"
TARGET = "misbehaving:answer"


@pytest.fixture(scope="module")
def server():
    with running(target=TARGET, max_waiting_count=1) as found:
        yield found


@pytest.fixture(scope="module")
def call(server):
    """Calls Schedule with bytes."""
    with grpc.insecure_channel(server.address) as channel:
        yield channel.unary_unary(SCHEDULE)


@contextmanager
def refused(code, within_seconds=5.0):
    """The block must raise an error of the call with this code, and soon."""
    start = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        yield caught
    assert caught.value.code() is code, caught.value.details()
    assert time.monotonic() - start < within_seconds


def pid_in(path: Path) -> int:
    """The process id in a file, as soon as it is there."""
    until = time.monotonic() + 10
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < until, "the worker never began"
        time.sleep(0.01)
    return int(path.read_text())


def ends(pid: int) -> bool:
    """Whether a process is gone, or will be in a moment."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_worker_that_is_killed_costs_one_call(call):
    with refused(grpc.StatusCode.INTERNAL) as caught:
        call(b"die", timeout=20)
    assert "fault of ours" in caught.value.details()
    assert call(b"sleep 0", timeout=20) == b""


def test_workers_that_cannot_be_started_cost_no_more_than_their_calls(monkeypatch):
    """As long as there is no process or file to be had: then all is as before, and an answer that was there counted."""
    with running(target=TARGET) as found, grpc.insecure_channel(found.address) as channel:
        call, started = channel.unary_unary(SCHEDULE), WorkerPool._started

        def none_left(pool):
            raise OSError(24, "Too many open files")

        monkeypatch.setattr(WorkerPool, "_started", none_left)
        assert call(b"pid" + b" " * LARGE_BYTES, timeout=20)  # its worker is replaced, which fails after the answer
        for _ in range(3):
            with refused(grpc.StatusCode.INTERNAL):
                call(b"sleep 0", timeout=20)
        monkeypatch.setattr(WorkerPool, "_started", started)
        assert call(b"sleep 0", timeout=20) == call(b"sleep 0", timeout=20) == b""


def test_who_calls_again_meets_the_worker_that_knows_the_fleet():
    with running(target=TARGET, workers_count=3) as found, grpc.insecure_channel(found.address) as channel:
        call = channel.unary_unary(SCHEDULE)
        assert len({call(b"pid", timeout=20) for _ in range(5)}) == 1


@pytest.mark.parametrize("what", [b"raise", b"unsound"])
def test_faults_of_ours_are_logged_and_not_told(call, caplog, what):
    with refused(grpc.StatusCode.INTERNAL) as caught:
        call(what, timeout=20)
    assert "secret" not in caught.value.details()
    assert "secret" in caplog.text
    assert call(b"sleep 0", timeout=20) == b""


def test_the_deadline_holds_and_ends_the_work(call, tmp_path):
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED, within_seconds=2):
        call(f"linger {tmp_path / 'pid'}".encode(), timeout=1)
    assert ends(pid_in(tmp_path / "pid"))
    assert call(b"sleep 0", timeout=20) == b""


def test_a_deadline_that_is_too_close_is_refused_at_once(call):
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED, within_seconds=0.25) as caught:
        call(b"sleep 60", timeout=0.4)
    assert "too close" in caught.value.details()


def test_the_worker_gets_less_than_the_deadline(call):
    assert 15 < float(call(b"seconds", timeout=20)) < 19
    assert call(b"seconds") == b"None"


def test_cancelling_ends_the_work(call, tmp_path):
    running_call = call.future(f"linger {tmp_path / 'pid'}".encode(), timeout=20)
    pid = pid_in(tmp_path / "pid")
    running_call.cancel()
    assert ends(pid)
    assert call(b"sleep 0", timeout=20) == b""


def test_cancelling_a_stream_ends_the_work(server, call, tmp_path):
    with grpc.insecure_channel(server.address) as channel:
        stream = channel.unary_stream(STREAM)(f"linger {tmp_path / 'pid'}".encode(), timeout=20)
        pid = pid_in(tmp_path / "pid")
        stream.cancel()
        assert ends(pid)
    assert call(b"sleep 0", timeout=20) == b""


def test_all_news_come_before_the_end_of_a_stream(server):
    with grpc.insecure_channel(server.address) as channel:
        *news, last = channel.unary_stream(STREAM)(b"news 500", timeout=20)
    found = [pb.StreamScheduleResponse.FromString(item).incumbent for item in news]
    assert [solve.objective for solve in found] == list(range(500))
    assert not any(solve.HasField("bound") or solve.HasField("gap") for solve in found)
    assert last == b""


def test_a_full_queue_refuses_with_a_time_to_retry(call, tmp_path):
    first = call.future(f"linger {tmp_path / 'pid'}".encode(), timeout=20)
    pid_in(tmp_path / "pid")
    second = call.future(b"sleep 0", timeout=20)
    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(lambda: [time.sleep(0.2), call(b"sleep 0", timeout=20)])
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED) as caught:
            third.result()
    retry = error_details_pb2.RetryInfo()
    assert rpc_status.from_call(caught.value).details[0].Unpack(retry)
    assert 1 <= retry.retry_delay.seconds <= 60
    first.cancel()
    assert second.result() == b"", "who waited gets the worker"


def test_who_waits_is_told_before_the_deadline(call, tmp_path):
    first = call.future(f"linger {tmp_path / 'pid'}".encode(), timeout=20)
    pid_in(tmp_path / "pid")
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED, within_seconds=1) as caught:
        call(b"sleep 0", timeout=1)
    assert "no worker became free" in caught.value.details()
    first.cancel()
    assert call(b"sleep 0", timeout=20) == b""


def test_validate_does_not_wait_for_a_solve(server, call, tmp_path):
    first = call.future(f"linger {tmp_path / 'pid'}".encode(), timeout=20)
    pid_in(tmp_path / "pid")
    with grpc.insecure_channel(server.address) as channel:
        validate = channel.unary_unary("/scheduler.v1.SchedulerService/Validate")
        assert validate(b"sleep 0", timeout=5) == b""
    first.cancel()


def test_a_worker_that_overruns_its_own_limit_is_ended():
    patience = Patience(read_seconds=20, beyond_limit_seconds=0.1)
    with (
        running(target=TARGET, patience=patience) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        call = channel.unary_unary(SCHEDULE)
        with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
            call(b"overrun 0.1")
        assert call(b"sleep 0", timeout=20) == b""


def test_too_large_a_message_is_refused():
    with (
        running(target=TARGET, max_message_bytes=2**20) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        call = channel.unary_unary(SCHEDULE)
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
            call(b"sleep 0" + b" " * 2**20, timeout=20)
        assert call(b"sleep 0" + b" " * (2**20 - 100), timeout=20) == b""


def test_a_large_request_leaves_no_memory_behind():
    with running(target=TARGET) as server:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(server.address, options=options) as channel:
            call = channel.unary_unary(SCHEDULE)
            small, large, after = (call(b"pid" + b" " * size, timeout=20) for size in (0, LARGE_BYTES, 0))
    assert small == large != after


def test_running_calls_end_before_the_server_does():
    with running(target=TARGET) as server, grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        call = channel.unary_unary(SCHEDULE).future(b"sleep 0.5", timeout=20)
        time.sleep(0.2)
        stopper = threading.Thread(target=server.stop, args=(10,))
        stopper.start()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert call.result() == b""
        watch.cancel()
        stopper.join()


def test_who_only_watches_holds_no_server_up():
    with running(target=TARGET) as server, grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        start = time.monotonic()
        server.stop(15)
        assert time.monotonic() - start < 5


def test_an_answer_on_its_way_is_waited_for(monkeypatch):
    """As long as a slow line would take for it."""
    monkeypatch.setattr(app, "LAST_ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(app, "SLOWEST_BYTES_PER_SECOND", 10.0)
    with running(target=TARGET) as server, grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
        next(watch)
        assert channel.unary_unary(SCHEDULE)(b"bytes 15", timeout=5) == b"x" * 15
        start = time.monotonic()
        server.stop(15)
        assert 1.0 < time.monotonic() - start < 5


def test_an_ending_server_takes_no_call():
    with running(target=TARGET) as server, grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary(SCHEDULE)
        running_call = call.future(b"sleep 1", timeout=20)
        time.sleep(0.2)
        stopper = threading.Thread(target=server.stop, args=(10,))
        stopper.start()
        time.sleep(0.2)
        with refused(grpc.StatusCode.UNAVAILABLE):
            call(b"sleep 0", timeout=5)
        assert running_call.result() == b""
        stopper.join()


def test_a_stopped_worker_cannot_block_its_caller():
    """A request larger than a pipe, to a worker that does not read."""
    worker = Worker(TARGET, Patience(read_seconds=0.3))
    os.kill(worker.pid, 19)  # SIGSTOP
    with pytest.raises(OverrunError):
        worker.run(Job("schedule", b"sleep 0" + b" " * 2**22), print)
    assert ends(worker.pid)


def test_what_a_solver_prints_is_no_answer(capfd):
    worker = Worker(TARGET)
    assert worker.run(Job("schedule", b"print"), print) == b""
    with pytest.raises(WorkerDiedError):
        worker.run(Job("schedule", b"die"), print)
    assert capfd.readouterr().out == ""
