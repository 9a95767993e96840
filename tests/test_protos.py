"""The wire format: generated code is what protos/ gives, and the .proto files keep buf's rules."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def generate(*options: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "tools/generate_protos.py", *options)


def buf(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = shutil.which("buf", path=sysconfig.get_path("scripts")) or shutil.which("buf")
    assert path, "buf is not installed beside this Python; run make setup"
    return run(path, *arguments)


def test_generated_code_is_what_the_protos_give():
    result = generate("--check")
    assert result.returncode == 0, result.stderr


def test_check_names_files_that_are_missing_changed_or_stale(tmp_path):
    assert generate("--out", str(tmp_path)).returncode == 0
    package = tmp_path / "scheduler" / "v1"
    names = sorted(path.name for path in package.iterdir())
    assert {
        "scheduler_pb2.py",
        "scheduler_pb2.pyi",
        "scheduler_pb2_grpc.py",
        "scheduler_pb2_grpc.pyi",
    } <= set(names)
    (package / names[0]).unlink()
    (package / names[1]).write_text("# changed\n")
    (package / "gone_pb2.py").write_text("# of a .proto file that is no more\n")

    result = generate("--out", str(tmp_path), "--check")

    assert result.returncode == 1
    assert result.stderr.splitlines()[1:] == sorted(
        [
            f"scheduler/v1/{names[0]}: missing",
            f"scheduler/v1/{names[1]}: differs from what is generated",
            "scheduler/v1/gone_pb2.py: no .proto file gives this any more",
        ]
    )


def test_buf_lint_passes():
    result = buf("lint")
    assert result.returncode == 0, result.stdout + result.stderr


def test_protos_are_formatted():
    result = buf("format", "--diff", "--exit-code")
    assert result.returncode == 0, result.stdout + result.stderr
