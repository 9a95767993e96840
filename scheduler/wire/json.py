"""Protobuf JSON of requests and answers. Reading is strict: nothing is guessed, and paths name what is wrong.

Names are read as in the protos (snake_case) or as protobuf writes them otherwise (camelCase), and written as
in the protos. The text is first held against the messages here, because protobuf's own reader takes NaN in
quotes, the last of two equal names, a list for a message and true for a number; what passes, protobuf reads.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections import Counter
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler.errors import InvalidRequestError, Violation
from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.reader import Reader

M = TypeVar("M", bound=Message)

INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])")
WHOLE = re.compile(r"-?[0-9]{1,20}")
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


class JsonObject(dict[str, Any]):
    """A JSON object that remembers which names it was given twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice: list[str] = []
        if len(self) < len(pairs):
            self.twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]


def schedule_request_from_json(text: str | bytes, source: str = "request") -> v1.ScheduleRequest:
    """The request in a JSON text. ``source`` names the text, such as its file, where no field can be."""
    return message_from_json(v1.ScheduleRequest, text, source)


def message_from_json(kind: type[M], text: str | bytes, source: str) -> M:
    """A message from its JSON. Raises InvalidRequestError with everything that is wrong with the text."""
    value = _parsed(text, source)
    read = Reader()
    _check_message(read, value, cast(Descriptor, kind.DESCRIPTOR), "", source)
    if read.violations:
        raise InvalidRequestError(read.all_violations())
    pb = kind()
    try:
        json_format.ParseDict(value, pb)
    except (json_format.ParseError, ValueError, OverflowError) as error:
        # Nothing is known that passes the check and ends here.
        raise _invalid(source, str(error)) from None
    return pb


def _parsed(text: str | bytes, source: str) -> Any:
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=JsonObject)
    except UnicodeDecodeError as error:
        raise _invalid(source, f"is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        what = "is empty" if not text.strip() else f"is not JSON: {error.msg} at line {line} column {column}"
        raise _invalid(f"{source}:{line}:{column}", what) from None
    except RecursionError:
        raise _invalid(source, "is not a request: it is nested too deeply") from None
    except ValueError as error:  # whole numbers of thousands of digits
        raise _invalid(source, f"has a number that cannot be read: {error}") from None


def _invalid(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError([Violation(field, "json", message)])


@cache
def _fields(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    """Fields by both of their names."""
    return {name: field for field in descriptor.fields for name in (field.json_name, field.name)}


def _check_message(read: Reader, value: Any, descriptor: Descriptor, path: str, source: str) -> None:
    if descriptor.full_name == Timestamp.DESCRIPTOR.full_name:
        _check_instant(read, value, path)
        return
    if not isinstance(value, JsonObject):
        read.refuse(path or source, "type", f"must be an object in braces, is {_short(value)}")
        return
    fields = _fields(descriptor)
    given: dict[str, str] = {}  # field, or oneof of several, -> its name in the text
    for name, item in value.items():
        field = fields.get(name)
        shown = field.name if field else name if NAME.fullmatch(name) else _short(name)
        at = f"{path}.{shown}" if path else shown
        if field is None:
            known = ", ".join(field.name for field in descriptor.fields)
            read.refuse(at, "unknown", f"there is no such field, {descriptor.name} has {known}")
            continue
        if name in value.twice or given.setdefault(field.name, name) != name:
            read.refuse(at, "unique", "is given twice")
        if item is None:
            continue
        choice = field.containing_oneof
        if choice is not None and len(choice.fields) > 1 and given.setdefault(choice.name, name) != name:
            other = given[choice.name]
            if fields[other] is not field:
                read.refuse(at, "oneof", f"is given beside {other}: only one of them may be")
        if field.is_repeated:
            _check_list(read, item, field, at, source)
        else:
            _check_item(read, item, field, at, source)


def _check_list(read: Reader, items: Any, field: FieldDescriptor, path: str, source: str) -> None:
    if not isinstance(items, list):
        read.refuse(path, "type", f"must be a list in brackets, is {_short(items)}")
        return
    are_numbers = field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE and set(map(type, items)) <= {int, float}
    if are_numbers and all(map(_is_finite, items)):
        return
    for i, item in enumerate(items):
        if item is None:
            read.refuse(f"{path}[{i}]", "type", "must be given, is null")
        else:
            _check_item(read, item, field, f"{path}[{i}]", source)


def _check_item(read: Reader, value: Any, field: FieldDescriptor, path: str, source: str) -> None:
    """A single value against the type of its field."""
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_MESSAGE:
            _check_message(read, value, cast(Descriptor, field.message_type), path, source)
        case FieldDescriptor.CPPTYPE_DOUBLE:
            _check_number(read, value, path)
        case FieldDescriptor.CPPTYPE_STRING:
            if not isinstance(value, str):
                read.refuse(path, "type", f"must be text, is {_short(value)}")
            elif any("\ud800" <= character <= "\udfff" for character in value):
                read.refuse(path, "text", "has half of a surrogate pair")
        case FieldDescriptor.CPPTYPE_BOOL:
            if not isinstance(value, bool):
                read.refuse(path, "type", f"must be true or false, is {_short(value)}")
        case FieldDescriptor.CPPTYPE_ENUM if isinstance(value, str):
            names = [known.name for known in cast(EnumDescriptor, field.enum_type).values]
            if value not in names:
                read.refuse(path, "enum", f"{_short(value)} is not known: choose from {', '.join(names[1:])}")
        case _:
            _check_whole(read, value, RANGES[field.cpp_type], path)


def _check_number(read: Reader, value: Any, path: str) -> None:
    if isinstance(value, str) and DECIMAL.fullmatch(value):
        value = float(value)
    if value in ("NaN", "Infinity", "-Infinity"):
        read.refuse(path, "finite", f"must be a finite number, is {value}")
    elif isinstance(value, bool) or not isinstance(value, int | float):
        read.refuse(path, "type", f"must be a number, is {_short(value)}")
    elif not _is_finite(value):
        read.refuse(path, "finite", f"must be a finite number, is {_short(value)}")


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond what a double holds
        return False


def _check_whole(read: Reader, value: Any, limits: tuple[int, int], path: str) -> None:
    least, most = limits
    if isinstance(value, str) and WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        read.refuse(path, "type", f"must be a whole number, is {_short(value)}")
    elif not least <= value <= most:
        read.refuse(path, "range", f"must be {least} to {most}, is {_short(value)}")


def _check_instant(read: Reader, value: Any, path: str) -> None:
    if not isinstance(value, str):
        read.refuse(path, "type", f"must be an instant such as 2026-01-31T23:00:00Z, is {_short(value)}")
    elif not INSTANT.fullmatch(value):
        message = f"must be an instant with its zone, such as 2026-01-31T23:00:00Z, is {_short(value)}"
        read.refuse(path, "instant", message)
    else:
        try:
            Timestamp().FromJsonString(value)
        except (ValueError, OverflowError) as error:
            read.refuse(path, "instant", f"{_short(value)} is not an instant: {error}")


def _short(value: Any) -> str:
    """The value as it stands in JSON, cut short."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return ascii(value if len(value) < 60 else f"{value[:57]}...")
    return reprlib.repr(value)


def response_to_json(pb: Message) -> str:
    """An answer, or any message, as JSON with the names of the protos; lists of numbers stand on one line."""
    return _text(json_format.MessageToDict(pb, preserving_proto_field_name=True), "\n") + "\n"


def _text(value: Any, line: str) -> str:
    inner = line + "  "
    if isinstance(value, dict) and value:
        pairs = (f"{json.dumps(name)}: {_text(item, inner)}" for name, item in value.items())
        return "{" + inner + f",{inner}".join(pairs) + line + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[" + inner + f",{inner}".join(_text(item, inner) for item in value) + line + "]"
    return json.dumps(value, ensure_ascii=False)
