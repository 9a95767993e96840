"""Requests as JSON: what is wrong is named by its path, nothing is guessed."""

import json

import pytest
from builders import rich_request_pb, tiny_request_pb
from google.protobuf import json_format

from scheduler.errors import InvalidRequestError
from scheduler.wire.json import response_to_json, schedule_request_from_json

TINY = response_to_json(tiny_request_pb())


def refused(text):
    with pytest.raises(InvalidRequestError) as error:
        schedule_request_from_json(text, "request.json")
    return [(violation.field, violation.rule) for violation in error.value.violations]


def message_of(text):
    with pytest.raises(InvalidRequestError) as error:
        schedule_request_from_json(text, "request.json")
    return str(error.value)


@pytest.mark.parametrize("pb", [tiny_request_pb(), rich_request_pb()], ids=["tiny", "rich"])
def test_both_spellings_are_read(pb):
    snake, camel = response_to_json(pb), json_format.MessageToJson(pb)
    assert '"step_minutes"' in snake
    assert '"stepMinutes"' in camel
    for text in (snake, camel, snake.encode(), b"\xef\xbb\xbf" + camel.encode()):
        assert schedule_request_from_json(text) == pb


def test_lists_of_numbers_stand_on_one_line():
    assert '"values": [20.0, 90.0, 40.0, -5.0]\n' in TINY
    assert TINY.endswith("}\n")


def with_json(change, *path):
    """The tiny request with ``change`` put at the path."""
    value = json.loads(TINY)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = change
    return json.dumps(value)


HORIZON = ("problem", "horizon")
PRICES = ("problem", "markets", 0, "energy", "price_per_mwh", "values")
GROUP = ("problem", "sites", 0, "assets", 0, "miner_group")


def path_of(*steps):
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)[1:]


# (path, what is put there, rule by which the path is refused)
WRONG = [
    (PRICES, "NaN", "type"),
    (PRICES, 5, "type"),
    (PRICES, {}, "type"),
    ((*PRICES, 1), float("nan"), "finite"),
    ((*PRICES, 1), float("inf"), "finite"),
    ((*PRICES, 1), "NaN", "finite"),
    ((*PRICES, 1), "Infinity", "finite"),
    ((*PRICES, 1), "-Infinity", "finite"),
    ((*PRICES, 1), "1e999", "finite"),
    ((*PRICES, 1), 10**400, "finite"),
    ((*PRICES, 1), "nan", "type"),
    ((*PRICES, 1), "1_000", "type"),
    ((*PRICES, 1), " 1", "type"),
    ((*PRICES, 1), "1,5", "type"),
    ((*PRICES, 1), "", "type"),
    ((*PRICES, 1), True, "type"),
    ((*PRICES, 1), None, "type"),
    ((*PRICES, 1), [1], "type"),
    ((*PRICES, 1), {}, "type"),
    (("options",), {"rel_gap": float("nan")}, "finite"),
    ((*HORIZON, "start"), "2026-01-15T07:00:00", "instant"),
    ((*HORIZON, "start"), "2026-01-15 07:00:00Z", "instant"),
    ((*HORIZON, "start"), "2026-01-15", "instant"),
    ((*HORIZON, "start"), "2026-01-15T07:00Z", "instant"),
    ((*HORIZON, "start"), "2026-02-30T07:00:00Z", "instant"),
    ((*HORIZON, "start"), "2026-01-15T25:00:00Z", "instant"),
    ((*HORIZON, "start"), "0000-01-15T07:00:00Z", "instant"),
    ((*HORIZON, "start"), "10000-01-15T07:00:00Z", "instant"),
    ((*HORIZON, "start"), "2026-01-15T07:00:00+25:61", "instant"),
    ((*HORIZON, "start"), "", "instant"),
    ((*HORIZON, "start"), 1768460400, "type"),
    ((*HORIZON, "start"), {"seconds": 1}, "type"),
    ((*HORIZON, "count"), 4.5, "type"),
    ((*HORIZON, "count"), "4.0", "type"),
    ((*HORIZON, "count"), "four", "type"),
    ((*HORIZON, "count"), True, "type"),
    ((*HORIZON, "count"), 2**31, "range"),
    ((*HORIZON, "count"), -(2**31) - 1, "range"),
    ((*HORIZON, "count"), 1e300, "range"),
    ((*HORIZON, "count"), float("nan"), "type"),
    ((*HORIZON, "count"), float("inf"), "type"),
    ((*HORIZON, "time_zone"), 1, "type"),
    ((*HORIZON, "time_zone"), "\ud800", "text"),
    ((*GROUP, "modes", 1, "kind"), "MINING", "enum"),
    ((*GROUP, "modes", 1, "kind"), "3", "enum"),
    ((*GROUP, "modes", 1, "kind"), "\ud800", "enum"),
    ((*GROUP, "modes", 1, "kind"), 2.5, "type"),
    ((*GROUP, "modes", 1, "kind"), True, "type"),
    ((*GROUP, "modes", 1), None, "type"),
    ((*GROUP, "modes", 1), [], "type"),
    ((*GROUP, "modes", 1), 5, "type"),
    ((*GROUP, "modes"), {}, "type"),
    ((*GROUP, "modes", 1, "power"), 5, "unknown"),
    ((*GROUP, "machine_count"), "1e2", "type"),
    (("problem",), [], "type"),
    (("problem",), "x", "type"),
    (("problem", "sites", 0, "tariff"), {"fee_on_activated_energy": 1}, "type"),
    (("problem", "sites", 0, "tariff"), {"fee_on_activated_energy": "true"}, "type"),
    (("options",), {"seed": -1}, "range"),
    (("options",), {"seed": 2**32}, "range"),
    (("request_id",), 5, "type"),
    (("extra",), 5, "unknown"),
    (("@type",), 5, "unknown"),
    (("problem", "markets", 0, "[x.y]"), 5, "unknown"),
    (("problem", "markets", 0, "cleared"), {}, "oneof"),
    (("problem", "markets", 0, "reserve"), {}, "oneof"),
]


@pytest.mark.parametrize(("path", "value", "rule"), WRONG, ids=str)
def test_what_is_wrong_is_named_by_its_path(path, value, rule):
    ((field, found),) = refused(with_json(value, *path))
    assert found == rule
    wanted = path_of(*path)
    if path[-1] in ("@type", "[x.y]"):
        wanted = f"{path_of(*path[:-1])}.'{path[-1]}'".removeprefix(".")
    assert field == wanted or field.startswith(f"{wanted}.")


def test_null_is_as_if_it_were_absent():
    text = with_json(None, "problem", "sites", 0, "tariff")
    assert schedule_request_from_json(text) == tiny_request_pb()
    assert not schedule_request_from_json('{"problem": null}').HasField("problem")


def test_numbers_in_quotes_are_numbers():
    text = with_json(["20.0", "9e1", "40", "-5"], *PRICES)
    assert schedule_request_from_json(text) == tiny_request_pb()
    assert schedule_request_from_json(with_json("4", *HORIZON, "count")) == tiny_request_pb()
    assert schedule_request_from_json(with_json(4.0, *HORIZON, "count")) == tiny_request_pb()


def test_instants_of_other_zones_are_the_same_instants():
    for text in ("2026-01-15T08:00:00+01:00", "2026-01-15T07:00:00.000Z"):
        assert schedule_request_from_json(with_json(text, *HORIZON, "start")) == tiny_request_pb()


def test_names_that_are_given_twice():
    assert refused('{"request_id": "a", "request_id": "b"}') == [("request_id", "unique")]
    assert refused('{"request_id": "a", "requestId": "b"}') == [("request_id", "unique")]
    assert refused('{"problem": {"horizon": {"count": 1, "count": 1}}}') == [("problem.horizon.count", "unique")]
    text = '{"problem": {"markets": [{}, {"open": {}, "open": {}}]}}'
    assert refused(text) == [("problem.markets[1].open", "unique")]


def test_everything_that_is_wrong_is_said_at_once():
    text = '{"x": 1, "problem": {"horizon": {"start": "today", "count": "x"}, "sites": [{"id": 7}]}}'
    assert refused(text) == [
        ("x", "unknown"),
        ("problem.horizon.start", "instant"),
        ("problem.horizon.count", "type"),
        ("problem.sites[0].id", "type"),
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "request.json:1:1"),
        ("  \n", "request.json:2:1"),
        ("{", "request.json:1:2"),
        ('{\n  "problem": {\n    "horizon": }', "request.json:3:16"),
        ('{"a": 1}}', "request.json:1:9"),
        ("{'a': 1}", "request.json:1:2"),
        (TINY[:-20], None),
        ("\x00\x01\x02", "request.json:1:1"),
        ('{"request_id": "a\nb"}', "request.json:1:18"),
        (b"\xff\xfe{\x00}\x00", "request.json"),
        (b"\x80\x81\x82", "request.json"),
        ("[" * 100_000, "request.json"),
        ('{"problem":' * 100_000, "request.json"),
        ("1" * 5000, "request.json"),
        ("[]", "request.json"),
        ("null", "request.json"),
        ("5", "request.json"),
        ('"text"', "request.json"),
    ],
)
def test_text_that_is_no_request(text, field):
    ((found, _),) = refused(text)
    assert found == field or (field is None and found.startswith("request.json:"))


def test_messages_say_what_to_do():
    assert message_of("{") == (
        "request.json:1:2: is not JSON: Expecting property name enclosed in double quotes at line 1 column 2"
    )
    assert "with its zone, such as 2026-01-31T23:00:00Z" in message_of(
        with_json("2026-01-15T07:00:00", *HORIZON, "start")
    )
    assert "MODE_KIND_MINING" in message_of(with_json("MINE", *GROUP, "modes", 0, "kind"))
    assert "nested too deeply" in message_of("[" * 100_000)


def test_what_is_shown_of_a_value_is_short():
    assert len(message_of(with_json("x" * 100_000, *PRICES))) < 200
    assert len(message_of(with_json(1, "problem", "y" * 100_000))) < 300


def test_many_violations_are_cut_short():
    found = refused(with_json(["x"] * 5000, *PRICES))
    assert len(found) == 1001
    assert found[-1][1] == "more"
