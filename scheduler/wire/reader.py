"""Reads single fields of a message and collects what is wrong with them, each with the path of its field.

A field that is refused is read as something harmless, so that reading goes on and everything that is wrong is
said at once. What the value types say later about such a field, or about what contains it, is dropped in
`Reader.all_violations`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler.errors import InvalidRequestError, Violation
from scheduler.horizon import Horizon
from scheduler.problem import Counts, Floats

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = (1970, 2200)
MOST_SECONDS = int((datetime(YEARS[1] + 1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
MAX_TEXT_LENGTH = 200
MOST = 1e12
"""No price, power or time of anybody is beyond it, and a solver's tolerances mean nothing there."""
MOST_DIFFICULTY = 1e21
MOST_OF_PLANS = 1e24
"""Sums of what was asked are larger than it, and a plan of ours must be read back."""
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
MAX_VALUES_COUNT = 50_000_000  # of all series, modes and moves of a request together, at the horizon's step
MAX_VIOLATIONS_COUNT = 1000
STAND_IN_HORIZON = Horizon(EPOCH, 60, 1, "UTC")  # while the request's own is broken

E = TypeVar("E", bound=Enum)
T = TypeVar("T")
P = TypeVar("P")
A = TypeVar("A", bound="np.ndarray[Any, Any]")


class Numbers(Generic[E]):
    """The numbers of a protobuf enum and the members of ours that they stand for, by the same names."""

    def __init__(self, wire: Any, ours: type[E]) -> None:
        enum: EnumTypeWrapper = wire
        prefix = enum.Name(0).removesuffix("UNSPECIFIED")
        self.member = {number: ours[name.removeprefix(prefix)] for name, number in enum.items() if number}
        self.number: dict[E, Any] = {member: number for number, member in self.member.items()}


def _beyond(value: float, most: float) -> tuple[str, str]:
    """Rule and message for a number that is none, or too large."""
    if not math.isfinite(value):
        return "finite", f"must be a finite number, is {value}"
    return "range", f"must be from {-most:g} to {most:g}, is {value:g}"


@dataclass
class Reader:
    """What is wrong so far, and the horizon that series must cover (None: its own fields are broken)."""

    horizon: Horizon | None = None
    most: float = MOST
    violations: list[Violation] = field(default_factory=list)
    # Paths as the value types know them, and as they are on the wire.
    aliases: dict[str, str] = field(default_factory=dict)
    # Series whose step or start differs from the horizon's: path -> intervals of the first value that lie
    # before the horizon, intervals per value, values per interval.
    rescaled: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)
    values_count: int = 0
    constants: dict[float, Floats] = field(default_factory=dict)

    @property
    def known_horizon(self) -> Horizon:
        """The horizon, or a harmless one where the request's own is broken."""
        return self.horizon or STAND_IN_HORIZON

    def refuse(self, path: str, rule: str, message: str, amount: float = 0.0) -> None:
        """Notes that a field is wrong; one more than are ever told is enough."""
        if len(self.violations) <= MAX_VIOLATIONS_COUNT:
            self.violations.append(Violation(path, rule, message, amount))

    def raise_if_any(self, further: Iterable[Violation] = ()) -> None:
        """Raises InvalidRequestError if anything is wrong."""
        if found := self.all_violations(further):
            raise InvalidRequestError(found)

    def all_violations(self, further: Iterable[Violation] = ()) -> tuple[Violation, ...]:
        """What was noted and what the value types say: each field and rule once, by the paths of the wire."""
        refused = self.muted | {violation.field for violation in self.violations}
        holders = {holder for path in refused for holder in _holders(path)}
        seen: dict[tuple[str, str], Violation] = {}
        for violation in self.violations:
            seen.setdefault((violation.field, violation.rule), violation)
        for violation in map(self._as_on_the_wire, further):
            if len(seen) > MAX_VIOLATIONS_COUNT:
                break
            path = violation.field
            if path not in holders and refused.isdisjoint((path, *_holders(path))):
                seen.setdefault((path, violation.rule), violation)
        found = tuple(islice(seen.values(), MAX_VIOLATIONS_COUNT))
        if len(seen) > len(found):
            message = f"more than {MAX_VIOLATIONS_COUNT} things are wrong: the rest is left out"
            found += (Violation(found[-1].field.partition(".")[0], "more", message),)
        return found

    def _as_on_the_wire(self, violation: Violation) -> Violation:
        base, values, index = violation.field.partition(".values[")
        wire = self.aliases.get(base, base)
        if values and wire in self.rescaled:
            before, intervals, finer = self.rescaled[wire]
            index = f"{(int(index.removesuffix(']')) + before) // intervals * finer}]"
        elif wire == base:
            return violation
        return Violation(wire + values + index, violation.rule, violation.message, violation.amount)

    # Scalars.

    def number(self, pb: Message, name: str, path: str, most: float | None = None) -> float:
        """A finite number of no more than ``most`` (that of the reader) either way; 0: absent, NaN: it was refused."""
        value: float = getattr(pb, name)
        most = self.most if most is None else most
        if -most <= value <= most:
            return value
        self.refuse(f"{path}.{name}", *_beyond(value, most))
        return math.nan

    def number_or(self, pb: Message, name: str, path: str, absent: T) -> float | T:
        """A finite number, or ``absent``."""
        return self.number(pb, name, path) if pb.HasField(name) else absent

    def whole(self, pb: Message, name: str, path: str) -> int:
        """A whole number; 0 where it is absent or was refused."""
        value: int = getattr(pb, name)
        if -MOST <= value <= MOST:
            return value
        self.refuse(f"{path}.{name}", *_beyond(value, MOST))
        return 0

    def whole_or_none(self, pb: Message, name: str, path: str) -> int | None:
        """A whole number, or None where it is absent."""
        return self.whole(pb, name, path) if pb.HasField(name) else None

    def required_number(self, pb: Message, name: str, path: str) -> float:
        """A finite number that must be given, 0 included."""
        if not pb.HasField(name):
            self.refuse(f"{path}.{name}", "required", "state it, also where it is 0")
            return math.nan
        return self.number(pb, name, path)

    def text(self, pb: Message, name: str, path: str) -> str:
        """A text of printable characters that is not too long."""
        value: str = getattr(pb, name)
        return self.checked_text(value, f"{path}.{name}")

    def checked_text(self, value: str, path: str) -> str:
        """The text itself if its length and characters will do."""
        if len(value) > MAX_TEXT_LENGTH:
            self.refuse(path, "length", f"has {len(value)} characters, at most {MAX_TEXT_LENGTH} will do")
        elif not value.isprintable():
            self.refuse(path, "text", f"has characters that cannot be printed: {value!a}")
        else:
            return value
        return ascii(value[:MAX_TEXT_LENGTH])

    def choice(self, pb: Message, name: str, path: str, numbers: Numbers[E]) -> E | None:
        """A member of an enum; None after it was refused."""
        number: int = getattr(pb, name)
        member = numbers.member.get(number)
        if member is None:
            known = ", ".join(f"{member.name} ({known})" for known, member in numbers.member.items())
            message = f"the number {number} is not known: " if number else "is required: "
            self.refuse(f"{path}.{name}", "enum" if number else "required", f"{message}choose from {known}")
        return member

    def instant(self, pb: Message, name: str, path: str) -> datetime | None:
        """An instant in UTC that must be given; None after it was refused."""
        if not pb.HasField(name):
            self.refuse(f"{path}.{name}", "required", "state the instant in UTC")
            return None
        return self.optional_instant(pb, name, path)

    def optional_instant(self, pb: Message, name: str, path: str) -> datetime | None:
        """An instant in UTC; None where it is absent or was refused."""
        if not pb.HasField(name):
            return None
        stamp: Timestamp = getattr(pb, name)
        if not 0 <= stamp.seconds < MOST_SECONDS:
            self.refuse(f"{path}.{name}", "range", f"must lie in the years {YEARS[0]} to {YEARS[1]}")
        elif stamp.nanos:
            self.refuse(f"{path}.{name}", "range", f"must be a whole second, has {stamp.nanos} nanoseconds")
        else:
            return EPOCH + timedelta(seconds=stamp.seconds)
        return None

    def day(self, pb: Message, name: str, path: str) -> date | None:
        """A civil day as YYYY-MM-DD that must be given; None after it was refused."""
        text = self.text(pb, name, path)
        try:
            if DAY.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        rule, what = ("format", f", is {text!r}") if text else ("required", "")
        self.refuse(f"{path}.{name}", rule, f"state a civil day as 2026-01-31{what}")
        return None

    # What repeats.

    def each(self, items: Sequence[P], path: str, one: Callable[[Reader, P, str], T], most: int) -> tuple[T, ...]:
        """Every item as ``one`` reads it at its path; none of them if there are more than ``most``."""
        if len(items) > most:
            self.refuse(path, "size", f"has {len(items)} entries, at most {most} will do")
            return ()
        found = []
        for index, item in enumerate(items):
            if len(self.violations) > MAX_VIOLATIONS_COUNT:
                break  # nothing that is wrong beyond this would be told
            found.append(one(self, item, f"{path}[{index}]"))
        return tuple(found)

    def finite_values(self, values: Sequence[float], path: str) -> Floats:
        """The values as an array; those that are not finite or beyond all use are refused by index and read as 0."""
        array = np.array(values, dtype=np.float64)
        within = np.abs(array) <= self.most
        if not within.all():
            for index in np.flatnonzero(~within)[:MAX_VIOLATIONS_COUNT]:
                self.refuse(f"{path}[{index}]", *_beyond(float(array[index]), self.most))
            array = np.where(within, array, 0.0)
        return array

    def spend(self, count: int, path: str) -> bool:
        """Whether so many values more may be held; refused by the path that asked for too many."""
        self.values_count += count
        if self.values_count > MAX_VALUES_COUNT:
            message = f"up to here the request describes more than {MAX_VALUES_COUNT} values: make it smaller"
            self.refuse(path, "size", message)
        return self.values_count <= MAX_VALUES_COUNT

    def constant(self, value: float) -> Floats:
        """[T] one value throughout, shared and read-only."""
        if value not in self.constants:
            self.constants[value] = frozen(np.full(self.known_horizon.count, value))
        return self.constants[value]

    @cached_property
    def no_counts(self) -> Counts:
        """[T] zeros, shared and read-only."""
        return frozen(np.zeros(self.known_horizon.count, dtype=np.int64))


def frozen(array: A) -> A:
    """The array, read-only."""
    array.setflags(write=False)
    return array


def stamp(instant: datetime) -> Timestamp:
    """An aware instant as it is on the wire."""
    return Timestamp(seconds=(instant - EPOCH) // timedelta(seconds=1))


def _holders(path: str) -> Iterator[str]:
    """The paths of what a field is inside of: of ``a[0].b`` these are ``a[0]`` and ``a``."""
    for match in re.finditer(r"[.\[]", path):
        if match.start():
            yield path[: match.start()]
