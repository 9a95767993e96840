"""What went wrong, as google.rpc.Status: code, short message, and details: violations, when to retry."""

from __future__ import annotations

from typing import NamedTuple

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from scheduler.errors import AuditError, InvalidRequestError, SolverError, Violation
from scheduler.server.pool import ClosedError, OverloadedError, TooLateError
from scheduler.server.workers import OverrunError

DETAILS_BYTES = 4096
"""Details travel as a header in base64, and peers refuse headers of 8 KiB: what is beyond is only counted."""
MESSAGE_CHARACTERS = 300


class Abort(NamedTuple):
    """How a call ends."""

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, bytes | str], ...]


def abort_of(error: Exception) -> Abort:
    """How a call ends that raised ``error``. What is not the caller's business stays in the log."""
    details: Message | None = None
    match error:
        case InvalidRequestError():
            code, message = code_pb2.INVALID_ARGUMENT, _summary(error.violations)
            details = _bad_request(error.violations)
        case OverloadedError():
            code, message = code_pb2.RESOURCE_EXHAUSTED, str(error)
            details = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=round(error.retry_seconds)))
        case TooLateError() | OverrunError():
            code, message = code_pb2.DEADLINE_EXCEEDED, str(error)
        case ClosedError():
            code, message = code_pb2.UNAVAILABLE, str(error)
        case AuditError():
            code, message = (
                code_pb2.INTERNAL,
                "the plan failed its own audit and is withheld: a fault of ours, it is logged",
            )
        case SolverError():
            code, message = (
                code_pb2.INTERNAL,
                "the solver ended without a word on the problem: a fault of ours, it is logged",
            )
        case _:
            code, message = code_pb2.INTERNAL, "internal error: a fault of ours, it is logged"
    status = status_pb2.Status(code=code, message=message)
    if details is not None:
        packed = Any()
        packed.Pack(details)
        status.details.append(packed)
    ready = rpc_status.to_status(status)
    return Abort(ready.code, message, tuple(ready.trailing_metadata))


def _summary(violations: tuple[Violation, ...]) -> str:
    first = str(violations[0]) if violations else "the request is malformed"
    if len(first) > MESSAGE_CHARACTERS:
        first = first[: MESSAGE_CHARACTERS - 3] + "..."
    return f"{first} (and {len(violations) - 1} more)" if len(violations) > 1 else first


def _bad_request(violations: tuple[Violation, ...]) -> error_details_pb2.BadRequest:
    """As many violations as fit; the last one then says how many do not."""
    fields: list[error_details_pb2.BadRequest.FieldViolation] = []
    left = DETAILS_BYTES
    for index, violation in enumerate(violations):
        entry = error_details_pb2.BadRequest.FieldViolation(
            field=violation.field, description=violation.message, reason=violation.rule.upper()
        )
        left -= entry.ByteSize() + 4
        if left < 0:
            more = f"{len(violations) - index} more: Validate lists them all"
            fields.append(error_details_pb2.BadRequest.FieldViolation(field="request", description=more, reason="MORE"))
            break
        fields.append(entry)
    return error_details_pb2.BadRequest(field_violations=fields)
