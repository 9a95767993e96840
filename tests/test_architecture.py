"""The rules of the house that a program can hold: who imports whom, and what no committed file carries."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scheduler"
LONGEST_LINES_COUNT = 400

PROTOBUF = ("google.protobuf", "google.rpc", "scheduler.v1")
GRPC = ("grpc", "grpc_health", "grpc_reflection", "grpc_status")
SOLVER = ("pyomo", "highspy")


def modules(*places: str) -> dict[str, Path]:
    """The modules of the scheduler by their dotted name: all, or those in the named places and below them."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not places or is_within(name, places):
            found[name] = path
    return found


def is_within(name: str, places: tuple[str, ...]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def imports_of(tree: ast.Module, name: str, is_package: bool) -> set[str]:
    """Absolute names of all that a module imports, at any depth of its code, save under `if TYPE_CHECKING:`.

    `from a import b` gives both `a` and `a.b`, since b may be a module of its own.
    """
    found: set[str] = set()
    for node in run_time_nodes(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = name.split(".")
                kept = len(parents) - node.level + is_package
                base = ".".join([*parents[:kept], *([node.module] if node.module else [])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and called_name(node) in {"import_module", "__import__"}:
            found.update(
                argument.value
                for argument in node.args[:1]
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )
    return found


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and is_type_checking(child.test):
            for other in child.orelse:
                yield other
                yield from run_time_nodes(other)
        else:
            yield child
            yield from run_time_nodes(child)


def is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def called_name(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def imports_in(found: dict[str, Path]) -> dict[str, set[str]]:
    return {
        name: imports_of(ast.parse(path.read_text("utf-8"), str(path)), name, path.name == "__init__.py")
        for name, path in found.items()
    }


@dataclass(frozen=True)
class OnlyThere:
    """Only these places may import these packages, and at least one of them does."""

    packages: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True)
class NeverThere:
    """Modules in this place may import none of these packages."""

    place: str
    packages: tuple[str, ...]


ONLY_THERE = [
    OnlyThere(
        PROTOBUF,
        ("scheduler.wire", "scheduler.server", "scheduler.v1", "scheduler.cli", "scheduler.client"),
    ),
    OnlyThere(GRPC, ("scheduler.server", "scheduler.client", "scheduler.v1", "scheduler.cli")),
    OnlyThere(SOLVER, ("scheduler.model",)),
]

NEVER_THERE = [
    NeverThere(
        "scheduler.check",
        ("scheduler.model", "scheduler.assets", "scheduler.markets", "scheduler.wire", *SOLVER),
    ),
    NeverThere(
        "scheduler.assets",
        ("scheduler.markets", "scheduler.wire", "scheduler.check", "scheduler.server"),
    ),
    NeverThere(
        "scheduler.markets",
        ("scheduler.assets", "scheduler.wire", "scheduler.check", "scheduler.server"),
    ),
    # The model meets concrete assets and markets through scheduler.catalog.
    NeverThere("scheduler.model", ("scheduler.assets", "scheduler.markets")),
]


@pytest.mark.parametrize("rule", ONLY_THERE, ids=lambda rule: rule.packages[0])
def test_only_these_places_import(rule):
    imported = {
        name: sorted(target for target in targets if is_within(target, rule.packages))
        for name, targets in imports_in(modules()).items()
    }
    importers = {name for name, targets in imported.items() if targets}
    assert importers, f"nothing imports {rule.packages}: the rule looks for the wrong thing"
    strangers = {name: imported[name] for name in importers if not is_within(name, rule.places)}
    assert not strangers


@pytest.mark.parametrize("rule", NEVER_THERE, ids=lambda rule: rule.place)
def test_this_place_never_imports(rule):
    found = modules(rule.place)
    assert set(found) - {rule.place}, f"no module found in {rule.place}"
    imported = {
        name: sorted(target for target in targets if is_within(target, rule.packages))
        for name, targets in imports_in(found).items()
    }
    assert not {name: targets for name, targets in imported.items() if targets}


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import pyomo.environ as pyo", {"pyomo.environ"}),
        ("from scheduler import wire", {"scheduler", "scheduler.wire"}),
        ("from . import build", {"scheduler.model", "scheduler.model.build"}),
        ("from .build import run", {"scheduler.model.build", "scheduler.model.build.run"}),
        ("from ..assets import battery", {"scheduler.assets", "scheduler.assets.battery"}),
        ("def late():\n    import grpc", {"grpc"}),
        ("import importlib\nimportlib.import_module('highspy')", {"importlib", "highspy"}),
        ("if TYPE_CHECKING:\n    import grpc\nelse:\n    import pyomo", {"pyomo"}),
        ("import typing\nif typing.TYPE_CHECKING:\n    import grpc", {"typing"}),
        ("try:\n    import grpc\nexcept ImportError:\n    grpc = None", {"grpc"}),
    ],
)
def test_imports_are_found(code, wanted):
    assert imports_of(ast.parse(code), "scheduler.model.compile", is_package=False) == wanted


def test_relative_import_of_a_package_starts_at_itself():
    tree = ast.parse("from . import build\nfrom ..assets import battery")
    assert imports_of(tree, "scheduler.model", is_package=True) == {
        "scheduler.model",
        "scheduler.model.build",
        "scheduler.assets",
        "scheduler.assets.battery",
    }


def test_command_line_answers_without_heavy_imports():
    code = (
        "import json, sys, scheduler, scheduler.cli\n"
        "scheduler.cli.build_parser()\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    loaded = set(json.loads(result.stdout))
    assert "scheduler.cli" in loaded
    assert not loaded & {"pandas", "pyomo", "numpy", "grpc"}


# Put together from parts, so that this file does not match itself.
FOREIGN = re.compile(
    "|".join(
        [
            # an absolute path in the folders of the machine on which the project is developed
            r"(?<![\w.})-])/(?:" + "|".join(["work", "farm", "root", "opt/" + "pypi"]) + r")/",
            # where packages come from is a matter of each machine's own settings
            r"pypi\." + "org",
            "pythonhosted" + r"\.org",
            "--(?:extra-)?" + "index-url",
            "--find" + "-links",
        ]
    )
)


@pytest.mark.parametrize(
    ("line", "is_foreign"),
    [
        ("see /wo" + "rk/main/README.md", True),
        ("path=/fa" + "rm/tool", True),
        ('"/wo' + 'rk/shared"', True),
        ("https://pypi" + ".org/simple", True),
        ("../wo" + "rk/x and docs/wo" + "rk/y and wind/fa" + "rm/1", False),
    ],
)
def test_foreign_lines_are_recognised(line, is_foreign):
    assert bool(FOREIGN.search(line)) == is_foreign


def test_no_file_carries_a_path_of_a_machine_or_a_registry():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    paths = [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    assert len(paths) > len(modules()) > 0, "git lists too few files"
    foreign = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if FOREIGN.search(line)
    ]
    assert not foreign


def test_long_modules_give_their_reason():
    own = {name: path for name, path in modules().items() if not is_within(name, ("scheduler.v1",))}
    assert own, "no module found in scheduler/"
    unexplained = {}
    for name, path in own.items():
        text = path.read_text("utf-8")
        lines_count = len(text.splitlines())
        if lines_count > LONGEST_LINES_COUNT and "Long because" not in (ast.get_docstring(ast.parse(text)) or ""):
            unexplained[name] = lines_count
    assert not unexplained, 'over 400 lines without "Long because ..." in the docstring of the module'
