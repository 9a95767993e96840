"""Plans flexible Bitcoin-mining load against power and reserve markets, and proves each plan.

    from scheduler import Client, make_plan

Everything here is imported when it is first used: scipy, numpy and gRPC take their time, and the help of the
command line needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.client import CallError, Client
    from scheduler.errors import AuditError, InvalidFileError, InvalidRequestError, SchedulerError, Violation
    from scheduler.formats.registry import read_series
    from scheduler.plan import Plan, Schedule
    from scheduler.problem import Problem
    from scheduler.result import Result, make_plan
    from scheduler.settings import SolveOptions, Strategy

    __version__: str

__all__ = [
    "AuditError",
    "CallError",
    "Client",
    "InvalidFileError",
    "InvalidRequestError",
    "Plan",
    "Problem",
    "Result",
    "Schedule",
    "SchedulerError",
    "SolveOptions",
    "Strategy",
    "Violation",
    "__version__",
    "make_plan",
    "read_series",
]

_HOMES = {
    "client": ("CallError", "Client"),
    "errors": ("AuditError", "InvalidFileError", "InvalidRequestError", "SchedulerError", "Violation"),
    "formats.registry": ("read_series",),
    "plan": ("Plan", "Schedule"),
    "problem": ("Problem",),
    "result": ("Result", "make_plan"),
    "settings": ("SolveOptions", "Strategy"),
}


def __getattr__(name: str) -> Any:
    """The attribute from the module that it lives in (PEP 562)."""
    if name == "__version__":
        return _version()
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"scheduler.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gridflex-scheduler")
    except PackageNotFoundError:
        return "unknown (not installed)"
