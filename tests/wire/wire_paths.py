"""Fields of a message by their paths, as violations name them."""

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

STEP = re.compile(r"(?P<name>[a-z_0-9]+)(\[(?P<index>\d+)\])?")


def holder_of(pb: Message, path: str) -> tuple[Message, str, int | None]:
    """The message that holds a field, the field's name and the index in it, if the path has one."""
    *outer, last = path.split(".")
    for step in outer:
        match = STEP.fullmatch(step)
        value = getattr(pb, match["name"])
        pb = value[int(match["index"])] if match["index"] else value
    match = STEP.fullmatch(last)
    return pb, match["name"], int(match["index"]) if match["index"] else None


def value_at(pb: Message, path: str) -> Any:
    holder, name, index = holder_of(pb, path)
    value = getattr(holder, name)
    return value if index is None else value[index]


def put(pb: Message, path: str, value: Any) -> None:
    """Sets a field: what repeats by a list, a message by a dict or a message, an enum also by its name."""
    holder, name, index = holder_of(pb, path)
    field = holder.DESCRIPTOR.fields_by_name[name]
    if index is not None:
        items = getattr(holder, name)
        if field.message_type:
            items[index].CopyFrom(value)
        else:
            items[index] = value
    elif field.is_repeated or field.message_type or (field.enum_type and isinstance(value, str)):
        holder.ClearField(name)
        holder.MergeFrom(type(holder)(**{name: value}))
    else:
        setattr(holder, name, value)


def drop(pb: Message, path: str) -> None:
    """Takes a field, or one item of it, away."""
    holder, name, index = holder_of(pb, path)
    if index is None:
        holder.ClearField(name)
    else:
        del getattr(holder, name)[index]


def fields_of(pb: Message, path: str = "") -> Iterator[tuple[str, FieldDescriptor, Message]]:
    """Every field of every message that is there, set or not, with its path."""
    for field in pb.DESCRIPTOR.fields:
        at = f"{path}.{field.name}" if path else field.name
        yield at, field, pb
        if field.message_type is None:
            continue
        if field.is_repeated:
            for index, item in enumerate(getattr(pb, field.name)):
                yield from fields_of(item, f"{at}[{index}]")
        elif pb.HasField(field.name):
            yield from fields_of(getattr(pb, field.name), at)
