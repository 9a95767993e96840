"""The command that serves, as a process: how it starts, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from builders import tiny_request_pb

from scheduler.client import Client

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server process in a session of its own, with its address."""
    command = [sys.executable, "-m", "scheduler", "serve", "--address", "127.0.0.1:0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, env=ENVIRONMENT)
    try:
        line = process.stderr.readline()
        found = re.fullmatch(r"serving on (127\.0\.0\.1:\d+)\n", line)
        assert found, line + process.stderr.read()
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def processes_of(session: int) -> set[int]:
    """Ids of the processes of a session that run."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            state, _, _, of_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(of_session) == session and state != "Z":
            found.add(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_server_answers_and_leaves_no_process_behind(end, code):
    with serving("--workers", "2") as (process, address):
        with Client(address, timeout_seconds=30) as client:
            assert client.schedule(tiny_request_pb()).outcome == "plan"
        assert len(processes_of(process.pid)) >= 4, "the server, the forkserver, two workers and more"
        process.send_signal(end)
        assert process.wait(10) == code
        until = time.monotonic() + 5
        while processes_of(process.pid):
            assert time.monotonic() < until, "workers outlive their server"
            time.sleep(0.02)
        assert "Traceback" not in process.stderr.read()


def test_an_address_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = subprocess.run(
            [sys.executable, "-m", "scheduler", "serve", "--address", address],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=ENVIRONMENT,
        )
    assert result.returncode == 1
    assert result.stderr.splitlines() == [f"scheduler: cannot serve on {address}: in use, or not ours"]
