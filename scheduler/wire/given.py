"""A request as people have it at hand: a message, a file, the text of its protobuf JSON, or the same as a dict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from scheduler.v1 import scheduler_pb2 as v1
from scheduler.wire.json import schedule_request_from_json

Given = v1.ScheduleRequest | Mapping[str, Any] | str | bytes | PathLike[str]


def request_of(given: Given) -> v1.ScheduleRequest:
    """A message of its own: what is done to the given one later does not reach it. Text is JSON or a path.

    Raises InvalidRequestError where it is malformed, OSError where its file cannot be read, TypeError for other things.
    """
    if isinstance(given, v1.ScheduleRequest):
        own = v1.ScheduleRequest()
        own.CopyFrom(given)
        return own
    if isinstance(given, Mapping):
        return schedule_request_from_json(json.dumps(given, default=_plain))
    if isinstance(given, bytes) or (isinstance(given, str) and given.lstrip().startswith("{")):
        return schedule_request_from_json(given)
    return schedule_request_from_json(Path(given).read_bytes(), str(given))


def _plain(value: Any) -> Any:
    """What a notebook puts in a dict, as JSON has it: arrays, figures of numpy, series of pandas, instants."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a request holds no {type(value).__name__}")
