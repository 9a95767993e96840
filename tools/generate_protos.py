"""Generates scheduler/v1 from protos/scheduler/v1.

With --check it writes nothing: it compares what is committed with what would be generated, names the files
that differ and exits with 1.
"""

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO_ROOT = ROOT / "protos"
PACKAGE = Path("scheduler/v1")


def run_protoc(proto_root: Path, out: Path) -> None:
    """Runs protoc with the Python, gRPC and stub generators; a fault in a .proto file ends in SystemExit."""
    protos = sorted((proto_root / PACKAGE).glob("*.proto"))
    if not protos:
        raise SystemExit(f"error: no .proto file in {proto_root / PACKAGE}")
    # Only a file with a service gets a module for gRPC: for the others it would hold no more than imports.
    with_service = [proto for proto in protos if re.search(r"(?m)^service\s", proto.read_text("utf-8"))]
    _protoc(proto_root, protos, [f"--python_out={out}", f"--mypy_out=quiet:{out}"])
    if with_service:
        _protoc(proto_root, with_service, [f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet:{out}"])


def _protoc(proto_root: Path, protos: list[Path], outputs: list[str]) -> None:
    plugins = [f"--plugin={name}={_script(name)}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    names = [proto.relative_to(proto_root).as_posix() for proto in protos]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(proto_root), *plugins, *outputs, *names]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit("error: protoc refused the .proto files, see above")


def _script(name: str) -> str:
    """The path of a command installed beside this interpreter."""
    path = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if path is None:
        raise SystemExit(f"error: {name} is not installed beside {sys.executable}; run make setup")
    return path


def generated_files(root: Path) -> dict[str, bytes]:
    """The generated files under a root, by their path relative to it, without hand-written ones."""
    paths = [path for pattern in ("*_pb2*.py", "*_pb2*.pyi") for path in (root / PACKAGE).glob(pattern)]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(paths)}


def differences(wanted: dict[str, bytes], present: dict[str, bytes]) -> list[str]:
    """One line for each file that is missing, stale or other than generated."""
    lines = []
    for name in sorted(wanted.keys() | present.keys()):
        if name not in present:
            lines.append(f"{name}: missing")
        elif name not in wanted:
            lines.append(f"{name}: no .proto file gives this any more")
        elif wanted[name] != present[name]:
            lines.append(f"{name}: differs from what is generated")
    return lines


def write(wanted: dict[str, bytes], root: Path) -> list[str]:
    """Brings the generated files under a root into the wanted state and says what it wrote and removed."""
    present = generated_files(root)
    changed = [name for name, content in wanted.items() if present.get(name) != content]
    for name in changed:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(wanted[name])
    stale = sorted(present.keys() - wanted.keys())
    for name in stale:
        (root / name).unlink()
    return [f"wrote {name}" for name in changed] + [f"removed {name}" for name in stale]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Generate scheduler/v1 from protos/scheduler/v1.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 where files differ")
    parser.add_argument("--protos", type=Path, default=PROTO_ROOT, help="root of the .proto files")
    parser.add_argument("--out", type=Path, default=ROOT, help="directory in which scheduler/v1/ lies")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="protos-") as temporary:
        run_protoc(options.protos.resolve(), Path(temporary))
        wanted = generated_files(Path(temporary))
    if options.check:
        lines = differences(wanted, generated_files(options.out))
        if lines:
            print("scheduler/v1 is not what protos/ gives; run make proto", *lines, sep="\n", file=sys.stderr)
        return 1 if lines else 0
    print(*(write(wanted, options.out) or ["scheduler/v1 is up to date"]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
