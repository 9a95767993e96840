"""Whatever comes over the wire ends in a problem or in an InvalidRequestError, never in anything else."""

import random
from collections.abc import Callable

import pytest
from builders import rich_request_pb, tiny_request_pb
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from wire_paths import fields_of

from scheduler.errors import InvalidRequestError
from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.json import response_to_json, schedule_request_from_json
from scheduler.wire.request import audit_request_from_pb, request_from_bytes, schedule_request_from_pb

DOUBLES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-320,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    1e15,
    97.0,
]
LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
TEXTS = [
    "",
    "north",
    "off",
    "full",
    "da",
    "fcr",
    "EUR",
    "Europe/Berlin",
    "UTC",
    "\x00",
    "é",
    "\u202e",
    "z" * 300,
]


def random_scalar(rng: random.Random, field: FieldDescriptor):
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return rng.choice(DOUBLES)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return rng.choice(TEXTS)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return rng.random() < 0.5
    least, most = LIMITS[field.cpp_type]
    small = [value for value in (-1, 0, 1, 2, 3, 5, 8, 15, 60, 1000) if value >= least]
    return rng.choice([*small, *small, least, most, rng.randint(least, most), 1_768_460_400 % (most + 1)])


def fill(rng: random.Random, pb: Message, chance: float) -> None:
    """Random fields with random values, all the way down."""
    for field in pb.DESCRIPTOR.fields:
        if rng.random() > chance:
            continue
        count = rng.choice([0, 1, 1, 2, 8]) if field.is_repeated else 1
        for _ in range(count):
            if field.message_type is not None:
                item = getattr(pb, field.name)
                item = item.add() if field.is_repeated else item
                item.SetInParent()
                fill(rng, item, chance)
            elif field.is_repeated:
                getattr(pb, field.name).append(random_scalar(rng, field))
            else:
                setattr(pb, field.name, random_scalar(rng, field))


def mutate(rng: random.Random, pb: Message) -> None:
    """One field of a message dropped, filled anew, doubled or set to a random value."""
    _, field, holder = rng.choice(list(fields_of(pb)))
    action = rng.random()
    if action < 0.2:
        holder.ClearField(field.name)
    elif field.is_repeated:
        items = getattr(holder, field.name)
        if items and action < 0.4:
            del items[rng.randrange(len(items))]
        elif items and action < 0.7:
            items.append(items[rng.randrange(len(items))])
        elif field.message_type is None:
            items.append(random_scalar(rng, field))
        else:
            fill(rng, items.add(), 0.6)
    elif field.message_type is not None:
        fill(rng, getattr(holder, field.name), 0.6)
    else:
        setattr(holder, field.name, random_scalar(rng, field))


def ends_well(read: Callable[..., object], *arguments: object) -> bool:
    """Whether it was read; refused is well too, as long as something is named."""
    try:
        read(*arguments)
    except InvalidRequestError as error:
        assert error.violations
        assert all(violation.field and violation.message for violation in error.violations)
        return False
    return True


@pytest.mark.parametrize("seed", range(150))
def test_random_requests(seed):
    rng = random.Random(seed)
    pb = v1.ScheduleRequest()
    fill(rng, pb, rng.choice([0.5, 0.8, 0.95]))
    ends_well(schedule_request_from_pb, pb)


@pytest.mark.parametrize("seed", range(300))
def test_valid_requests_with_random_changes(seed):
    rng = random.Random(seed)
    pb = rich_request_pb() if rng.random() < 0.8 else tiny_request_pb()
    for _ in range(rng.choice([1, 1, 2, 5])):
        mutate(rng, pb)
    ends_well(schedule_request_from_pb, pb)


@pytest.mark.parametrize("seed", range(100))
def test_audits_of_random_plans(seed):
    rng = random.Random(seed)
    pb = v1.AuditRequest(problem=tiny_request_pb().problem)
    fill(rng, pb.plan, 0.8)
    fill(rng, pb.solve, 0.5)
    pb.plan.horizon.CopyFrom(pb.problem.horizon)
    assert not ends_well(audit_request_from_pb, pb)


def _read_bytes(data: bytes) -> None:
    schedule_request_from_pb(request_from_bytes(data))


@pytest.mark.parametrize("seed", range(300))
def test_bytes_that_were_changed_cut_or_made_up(seed):
    rng = random.Random(seed)
    pb = rich_request_pb()
    data = bytearray(pb.SerializeToString())
    problem_end = len(data) - pb.options.ByteSize() - 2  # a cut there leaves out the options, which is sound
    for _ in range(rng.choice([1, 2, 10])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    ends_well(_read_bytes, bytes(data))
    assert not ends_well(_read_bytes, bytes(data[: rng.randrange(problem_end)]))
    ends_well(_read_bytes, rng.randbytes(rng.randrange(200)))


def test_bytes_that_nest_deeply():
    data = b""
    for _ in range(50_000):  # groups that only begin
        data += b"\x0b"
    assert not ends_well(_read_bytes, data)
    inner = b""
    for _ in range(2000):
        inner = b"\x12" + _varint(len(inner)) + inner
    assert not ends_well(_read_bytes, inner)


def _varint(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80]) + _varint(value >> 7) if value > 0x7F else bytes([value])


def _read_text(text: str | bytes) -> None:
    schedule_request_from_pb(schedule_request_from_json(text))


@pytest.mark.parametrize("seed", range(100))
def test_text_that_was_changed_cut_or_made_up(seed):
    rng = random.Random(seed)
    text = response_to_json(tiny_request_pb())
    changed = list(text)
    for _ in range(rng.choice([1, 2, 10])):
        changed[rng.randrange(len(changed))] = rng.choice('{}[]":,0123456789eE.-+ntNI\\u \x00\ud800é')
    ends_well(_read_text, "".join(changed))
    assert not ends_well(_read_text, text[: rng.randrange(len(text) - 2)])
    assert not ends_well(_read_text, rng.randbytes(rng.randrange(100)))
    assert not ends_well(_read_text, bytes(rng.choice(b'{}[]":,0a\n ') for _ in range(rng.randrange(50))))


@pytest.mark.parametrize("seed", range(60))
def test_json_of_random_messages_is_read_as_protobuf_reads_it(seed):
    """What protobuf writes, we read to the same message: the stricter check refuses nothing that is sound."""
    rng = random.Random(seed)
    pb = v1.ScheduleRequest()
    fill(rng, pb, 0.8)
    for _, field, holder in list(fields_of(pb)):
        if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE and field.is_repeated:
            holder.ClearField(field.name)
            getattr(holder, field.name).extend([1.5, -0.0, 1e300])
        elif field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
            if not field.has_presence or holder.HasField(field.name):
                setattr(holder, field.name, rng.choice([0.1, 1e-320, -7.25e17]))
        elif holder.DESCRIPTOR.name == "Timestamp":
            holder.seconds, holder.nanos = rng.randrange(-(2**35), 2**37), rng.choice([0, 1, 500_000_000])
    assert schedule_request_from_json(response_to_json(pb)) == pb
