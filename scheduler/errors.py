"""What can be wrong with a request or a plan, said with the path of the field and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """Something that is wrong.

    field: path as on the wire, such as ``problem.sites[0].assets[1].miner_group.modes[2].power_w``.
    rule: short name of the rule that is broken, such as ``finite`` or ``length``.
    message: what is wrong and what to do next.
    amount: by how much, in the unit of the rule; 0 where it makes no sense.
    """

    field: str
    rule: str
    message: str
    amount: float = 0.0

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class SchedulerError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidRequestError(SchedulerError):
    """The request is malformed; ``violations`` holds everything that is wrong with it, in the order of the request."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("\n".join(str(v) for v in self.violations))

    def __reduce__(self) -> tuple[type, tuple[tuple[Violation, ...]]]:
        return type(self), (self.violations,)


class InvalidFileError(SchedulerError):
    """A file cannot be read: the message names file and row."""


class AuditError(SchedulerError):
    """A plan failed the independent checker and is not returned: a fault of ours, never of the request."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("the plan failed its own audit:\n" + "\n".join(str(v) for v in self.violations))

    def __reduce__(self) -> tuple[type, tuple[tuple[Violation, ...]]]:
        return type(self), (self.violations,)


class SolverError(SchedulerError):
    """The solver ended in a state that says nothing about the problem."""
