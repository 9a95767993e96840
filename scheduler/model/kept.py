"""Physics once, money many: what is declared of a fleet is kept for the next problem of the same physics.

The key is the content of all that variables and rows are made of: the problem without its day (`physics_of`), on a
calendar of the same shape. Since the rows are made of that and of nothing else, whoever has the key has the rows;
prices, hashprice, availability and awards come in as costs, bounds and sides, by the same code as for a fleet that was
never seen (docs/decisions/0017).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from threading import Lock
from typing import Any

import numpy as np

from scheduler.horizon import Horizon
from scheduler.model.build import Build, declare, physics_of, with_day
from scheduler.problem import Problem

MOST_BYTES = 2**30
"""What a process keeps, about; the longest unused goes first, and what is larger alone is not kept."""


class Kept:
    """Physics that were declared and compiled, by their key. May be asked by several threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.hits_count = 0
        self.misses_count = 0
        self._most_bytes = most_bytes
        self._made: OrderedDict[bytes, Build] = OrderedDict()
        self._lock = Lock()

    @property
    def size_bytes(self) -> int:
        """Memory of what is kept, about."""
        return sum(_size_bytes(made) for made in self._made.values())

    def build(self, problem: Problem) -> Build:
        """The model of a validated problem: the same, to the last bit, as `scheduler.model.build.build` gives."""
        physics = physics_of(problem)
        key = key_of(physics)
        with self._lock:
            made = self._made.get(key)
            if made is not None:
                self._made.move_to_end(key)
                self.hits_count += 1
        if made is None:
            made = declare(physics)
            self._keep(key, made)
        return with_day(made, problem)

    def clear(self) -> None:
        """Keeps nothing."""
        with self._lock:
            self._made.clear()

    def _keep(self, key: bytes, made: Build) -> None:
        size_bytes = _size_bytes(made)
        with self._lock:
            self.misses_count += 1
            if size_bytes <= self._most_bytes:
                self._made[key] = made
            while self.size_bytes > self._most_bytes:
                self._made.popitem(last=False)


KEPT = Kept()
"""Of this process."""


def _size_bytes(made: Build) -> int:
    return made.ledger.structure.size_bytes


def key_of(physics: Problem) -> bytes:
    """A digest of the content of a problem without its day; instants count from the start of its horizon."""
    digest = hashlib.blake2b(digest_size=32)
    for part in _parts(physics, physics.horizon):
        digest.update(part)
    return digest.digest()


def _parts(value: Any, horizon: Horizon) -> Iterator[bytes]:
    """The content of a value, unambiguous: everything is led by its kind and, where that varies, its length."""
    texts: list[str] = []
    for part in _walk(value, horizon):
        if isinstance(part, str):
            texts.append(part)
        else:
            yield "".join(texts).encode()
            texts.clear()
            yield part
    yield "".join(texts).encode()


def _walk(value: Any, horizon: Horizon) -> Iterator[str | bytes]:
    if isinstance(value, str):
        yield f"s{len(value)}:{value}"
    elif value is None or isinstance(value, bool | int | float):
        yield f"{value!r};"
    elif isinstance(value, np.ndarray):
        yield f"a{value.dtype.str}{value.shape}"
        yield value.tobytes()
    elif isinstance(value, Enum):
        yield f"e{type(value).__name__}.{value.name};"
    elif isinstance(value, datetime):
        yield f"t{(value - horizon.start_utc).total_seconds()!r};"
    elif isinstance(value, Horizon):
        yield f"h{value.step_minutes},{value.count};"
        yield value.civil_day.tobytes()
    elif isinstance(value, tuple | list):
        yield f"l{len(value)}:"
        for item in value:
            yield from _walk(item, horizon)
    elif isinstance(value, dict):
        yield f"d{len(value)}:"
        for key, item in value.items():
            yield from _walk(key, horizon)
            yield from _walk(item, horizon)
    elif is_dataclass(value) and not isinstance(value, type):
        yield f"c{type(value).__name__}:"
        for item in _values_of(type(value))(value):
            yield from _walk(item, horizon)
    else:
        raise TypeError(f"a {type(value).__name__} has no content that could be compared")


@cache
def _values_of(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of all fields of a dataclass, a tuple."""
    names = [field.name for field in fields(kind)]
    if not names:
        return lambda value: ()
    if len(names) == 1:
        return lambda value: (getattr(value, names[0]),)
    return attrgetter(*names)
