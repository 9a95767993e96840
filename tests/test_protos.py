"""The wire format: generated code is what protos/ gives, and the .proto files keep buf's rules."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "protos-baseline"
"""The protos of the last release: docs/decisions/0005-the-format-is-frozen.md."""


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def generate(*options: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "tools/generate_protos.py", *options)


def buf(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    path = shutil.which("buf", path=sysconfig.get_path("scripts")) or shutil.which("buf")
    assert path, "buf is not installed beside this Python; run make setup"
    return run(path, *arguments, cwd=cwd)


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


def changed_copy(folder: Path, name: str, before: str, after: str) -> Path:
    """A folder with protos of which one differs."""
    shutil.copy(ROOT / "buf.yaml", folder)
    shutil.copytree(BASELINE, folder / "protos")
    path = folder / "protos" / "scheduler" / "v1" / name
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")
    return folder


def test_nothing_that_was_released_is_broken():
    assert list(BASELINE.glob("scheduler/v1/*.proto")), "without a baseline nothing is compared"
    result = buf("breaking", "--against", str(BASELINE))
    assert result.returncode == 0, result.stdout + result.stderr


BREAKS = [
    ("scheduler.proto", "string request_id = 1;", "string request_id = 9;", 'field "1"'),
    ("scheduler.proto", "uint32 seed = 4;", "uint64 seed = 4;", "type"),
    ("scheduler.proto", "bool counterfactuals = 6;", "bool compare = 6;", "name"),
    ("plan.proto", "  CASH_KIND_HEAT = 10;", "  CASH_KIND_WARMTH = 10;", "HEAT"),
    ("plan.proto", "optional double lowest_price_per_mw_h = 4;", "double lowest_price_per_mw_h = 4;", "cardinality"),
    ("problem.proto", "    MinerGroup miner_group = 2;\n  }", "  }\n  MinerGroup miner_group = 2;", "oneof"),
]


@pytest.mark.parametrize(("name", "before", "after", "word"), BREAKS, ids=lambda value: value.strip()[:24])
def test_a_break_is_found(name, before, after, word, tmp_path):
    result = buf("breaking", "--against", str(BASELINE), cwd=changed_copy(tmp_path, name, before, after))
    assert result.returncode == 100, result.stdout + result.stderr
    assert result.stdout.startswith(f"protos/scheduler/v1/{name}:") and word in result.stdout


ADDITIONS = [
    ("scheduler.proto", "bool counterfactuals = 6;", "bool counterfactuals = 6;\n  optional double more = 7;"),
    ("problem.proto", "MinerGroup miner_group = 2;", "MinerGroup miner_group = 2;\n    Horizon other = 99;"),
    ("plan.proto", "CASH_KIND_PEAK = 12;", "CASH_KIND_PEAK = 12;\n  CASH_KIND_OTHER = 99;"),
]


@pytest.mark.parametrize(("name", "before", "after"), ADDITIONS, ids=["field", "oneof-member", "enum-value"])
def test_additions_are_no_break(name, before, after, tmp_path):
    result = buf("breaking", "--against", str(BASELINE), cwd=changed_copy(tmp_path, name, before, after))
    assert result.returncode == 0, result.stdout + result.stderr
