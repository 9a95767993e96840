"""One valid request, one thing broken: each time the field that was broken is named."""

import math
import re

import pytest
from builders import rich_request_pb, series, stamp
from google.protobuf.descriptor import FieldDescriptor
from wire_paths import drop, fields_of, put, value_at

from scheduler.errors import InvalidRequestError
from scheduler.wire.request import schedule_request_from_pb

RICH = rich_request_pb()
FIELDS = list(fields_of(RICH))
SERIES = [path for path, field, pb in FIELDS if pb.DESCRIPTOR.name == "Series" and field.name == "values"]
SERIES = [path.removesuffix(".values") for path in SERIES]
DOUBLES = [
    path for path, field, _ in FIELDS if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE and not field.is_repeated
]
# A price of a block stands in a oneof: one per block is enough.
DOUBLES = [path for path in DOUBLES if not path.endswith("per_mw_block") or "fcr" in path or "[3]" in path]
ENUMS = [path for path, field, _ in FIELDS if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM]
STRINGS = [
    path
    for path, field, _ in FIELDS
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING and not field.is_repeated and field.name != "source"
]
IDS = [path for path in STRINGS if path.endswith(".id")]
STAMPS = [
    path
    for path, field, pb in FIELDS
    if field.message_type is not None and field.message_type.name == "Timestamp" and pb.HasField(field.name)
]
RECORDS = ("gate", "published")  # instants that may be absent

NORTH = "problem.sites[0]"
FLEXIBLE = f"{NORTH}.assets[0].miner_group"
YARD = "problem.sites[3].assets"
DA, ID, EAST, FCR, AFRR, MFRR, MFRR_ENERGY = (f"problem.markets[{m}]" for m in range(7))
SPEC = f"{AFRR}.reserve.spec"
BIDS = f"{AFRR}.reserve.blocks[0].bids"
CUT = f"{MFRR}.reserve.blocks[0]"


def violations_of(pb):
    try:
        schedule_request_from_pb(pb)
    except InvalidRequestError as error:
        return error.violations
    return ()


def named(pb):
    """Fields that are named, with the shapes of paths held: no empty step, no camel case."""
    violations = violations_of(pb)
    fields = [violation.field for violation in violations]
    assert all(re.fullmatch(r"[a-z_0-9]+(\[\d+\])?(\.[a-z_0-9]+(\[\d+\])?)*", field) for field in fields), fields
    assert len(fields) == len({(violation.field, violation.rule) for violation in violations})
    return fields


def broken(path, value):
    pb = rich_request_pb()
    put(pb, path, value)
    return pb


def test_the_rich_request_is_valid():
    assert violations_of(rich_request_pb()) == ()


def test_the_rich_request_has_enough_to_break():
    assert len(SERIES) >= 16
    assert len(DOUBLES) >= 120
    assert len(ENUMS) >= 20


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("path", SERIES)
def test_value_of_a_series_that_is_not_finite(path, value):
    for index in (0, len(value_at(RICH, path).values) - 1):
        assert named(broken(f"{path}.values[{index}]", value)) == [f"{path}.values[{index}]"]


@pytest.mark.parametrize("path", SERIES)
def test_series_that_does_not_cover_the_horizon_exactly(path):
    original = value_at(RICH, path)
    values, step = list(original.values), original.step_minutes
    assert named(broken(f"{path}.values", values[:-1])) == [f"{path}.values"]
    assert named(broken(f"{path}.values", [*values, 1.0])) == [f"{path}.values"]
    assert named(broken(f"{path}.values", [])) == [f"{path}.values"]
    for minutes in (7, step * len(values), -step * len(values)):
        later = series(values, step, mean_of_finer=original.mean_of_finer)
        later.start.seconds = original.start.seconds + minutes * 60
        assert named(broken(path, later)) == [f"{path}.start"]


@pytest.mark.parametrize("path", SERIES)
def test_series_with_a_step_that_does_not_fit(path):
    for step in (0, -15, 5, 7, 20, 50, 2**31 - 1):
        pb = broken(f"{path}.step_minutes", step)
        value_at(pb, path).mean_of_finer = False
        assert named(pb) == [f"{path}.step_minutes"], step


@pytest.mark.parametrize("path", SERIES)
def test_series_without_start(path):
    pb = rich_request_pb()
    drop(pb, f"{path}.start")
    assert named(pb) == [f"{path}.start"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("path", DOUBLES)
def test_number_that_is_not_finite(path, value):
    assert named(broken(path, value)) == [path]


@pytest.mark.parametrize("number", [99, -1, 2**31 - 1])
@pytest.mark.parametrize("path", ENUMS)
def test_unknown_number_of_an_enum(path, number):
    assert path in named(broken(path, number))


@pytest.mark.parametrize("path", [path for path in ENUMS if path != "options.strategy"])
def test_enum_that_is_not_stated(path):
    assert path in named(broken(path, 0))


@pytest.mark.parametrize("path", IDS)
def test_id_that_is_missing(path):
    assert path in named(broken(path, ""))


@pytest.mark.parametrize("path", [path for path in IDS if re.search(r"\[[1-9]\]\.id", path)])
def test_id_that_is_used_twice(path):
    first = re.sub(r"\[\d+\]\.id$", "[0].id", path)
    assert path in named(broken(path, value_at(RICH, first)))


@pytest.mark.parametrize("path", STRINGS)
def test_text_that_is_too_long_or_cannot_be_printed(path):
    assert path in named(broken(path, "x" * 201))
    assert path in named(broken(path, "a\x1b[31mb"))
    assert path in named(broken(path, "\x00"))


@pytest.mark.parametrize("path", STAMPS)
def test_instant_out_of_range(path):
    for seconds in (-1, 2**62, -(2**63), 7_289_654_400):
        assert path in named(broken(f"{path}.seconds", seconds))
    assert path in named(broken(f"{path}.nanos", 1))
    assert path in named(broken(f"{path}.nanos", -1))


@pytest.mark.parametrize("path", [path for path in STAMPS if not path.endswith(RECORDS)])
def test_instant_that_is_missing(path):
    pb = rich_request_pb()
    drop(pb, path)
    assert path in named(pb)


STORE = ("capacity_mwh", "charge_mw", "discharge_mw", "initial_mwh")
REQUIRED = [
    "problem",
    "problem.horizon",
    "problem.mining",
    "problem.sites",
    "problem.currency_code",
    "problem.horizon.step_minutes",
    "problem.horizon.count",
    "problem.horizon.time_zone",
    f"{FLEXIBLE}.machine_count",
    f"{FLEXIBLE}.modes",
    f"{FLEXIBLE}.modes[1].power_w",
    f"{FLEXIBLE}.modes[3].hashrate_ths",
    f"{FLEXIBLE}.initial_cohorts",
    f"{FLEXIBLE}.initial_cohorts[0].count",
    f"{FLEXIBLE}.initial_cohorts[0].mode_id",
    f"{FLEXIBLE}.moves[0].from_mode_id",
    f"{FLEXIBLE}.moves[0].to_mode_id",
    f"{FLEXIBLE}.prequalified[0].market_id",
    f"{FLEXIBLE}.prequalified[0].max_mw",
    f"{FLEXIBLE}.mining_override.bitcoin_network.btc_price",
    f"{FLEXIBLE}.mining_override.bitcoin_network.difficulty",
    f"{FLEXIBLE}.mining_override.bitcoin_network.subsidy_btc",
    f"{DA}.energy.price_per_mwh",
    f"{DA}.energy.position_mw",
    f"{EAST}.energy.long_price_per_mwh",
    f"{EAST}.energy.short_price_per_mwh",
    f"{EAST}.energy.max_deviation_mw",
    f"{SPEC}.full_activation_seconds",
    f"{SPEC}.smallest_bid_kw",
    f"{SPEC}.step_kw",
    f"{BIDS}[0].max_kw",
    f"{BIDS}[0].price_per_mw_h",
    f"{CUT}.awards[1].kw",
    f"{CUT}.awards[1].price_per_mw_h",
    f"{AFRR}.reserve.blocks[1].capacity_price_per_mw_h",
    f"{NORTH}.tariff.peak_charge.price_per_mw",
    f"{YARD}[0].firm_load.load_mw",
    f"{YARD}[1].renewable.available_mw",
    f"{YARD}[4].heat_demand.demand_mw",
    f"{YARD}[4].heat_demand.price_per_mwh",
    *(f"{YARD}[5].heat_store.{name}" for name in STORE),
    f"{YARD}[6].boiler.max_mw",
    f"{YARD}[7].dry_cooler.max_mw",
    f"{YARD}[3].generator.max_mw",
    f"{YARD}[3].generator.fuel_per_mwh",
    f"{YARD}[3].generator.initially_running",
    *(
        f"{YARD}[2].battery.{name}"
        for name in ("capacity_mwh", "charge_mw", "discharge_mw", "charge_frac", "discharge_frac", "initial_mwh")
    ),
]


@pytest.mark.parametrize("path", REQUIRED)
def test_required_field_that_is_missing(path):
    pb = rich_request_pb()
    drop(pb, path)
    assert path in named(pb)


# (what is dropped, what is named): choices of kinds, which are named by their oneof.
CHOICES = [
    ("problem.mining.hashprice_per_ph_day", "problem.mining.hashprice"),
    (f"{FLEXIBLE}.mining_override.bitcoin_network", f"{FLEXIBLE}.mining_override.hashprice"),
    (FLEXIBLE, f"{NORTH}.assets[0].kind"),
    (f"{DA}.energy", f"{DA}.kind"),
    (f"{FCR}.reserve", f"{FCR}.kind"),
    (f"{DA}.cleared", f"{DA}.stage"),
    (f"{FCR}.open", f"{FCR}.stage"),
    (f"{FCR}.reserve.spec", f"{FCR}.reserve.product"),
    (f"{YARD}[2].battery.end_value_per_mwh", f"{YARD}[2].battery.end"),
    (f"{YARD}[5].heat_store.end_mwh", f"{YARD}[5].heat_store.end"),
]


@pytest.mark.parametrize(("path", "wanted"), CHOICES)
def test_choice_that_is_not_made(path, wanted):
    pb = rich_request_pb()
    drop(pb, path)
    assert wanted in named(pb)


# (what is set, to what, what is named; None: the same).
WRONG = [
    ("problem.currency_code", "euro", None),
    ("problem.currency_code", "eur", None),
    ("problem.horizon.step_minutes", 7, None),
    ("problem.horizon.step_minutes", -15, None),
    ("problem.horizon.step_minutes", 10, None),
    ("problem.horizon.step_minutes", 2**31 - 1, None),
    ("problem.horizon.count", -1, None),
    ("problem.horizon.count", 2**31 - 1, None),
    ("problem.horizon.count", 100_001, None),
    ("problem.horizon.start", stamp(0.1), None),
    ("problem.horizon.time_zone", "Europe/Berln", None),
    ("problem.horizon.time_zone", "../../etc/passwd", None),
    ("problem.horizon.time_zone", "/etc/localtime", None),
    ("problem.horizon.time_zone", "Europe", None),
    ("problem.horizon.time_zone", "+01:00", None),
    ("problem.horizon.time_zone", "Europe/Berlin ", None),
    ("problem.horizon.time_zone", "a" * 180, None),
    ("problem.mining.pool_fee_frac", 1.0, None),
    ("problem.mining.pool_fee_frac", -0.01, None),
    ("problem.mining.hashprice_per_ph_day.values[1]", -1.0, None),
    (f"{FLEXIBLE}.mining_override.bitcoin_network.btc_price.values[5]", -1.0, None),
    (f"{FLEXIBLE}.mining_override.bitcoin_network.difficulty", -1.0, None),
    (f"{FLEXIBLE}.mining_override.bitcoin_network.subsidy_btc", -3.0, None),
    (f"{FLEXIBLE}.mining_override.bitcoin_network.fees_btc", -0.1, None),
    (f"{NORTH}.zone_eic", "DE-LU", None),
    (f"{NORTH}.zone_eic", "10YFR-RTE------C", f"{DA}.site_ids"),
    (f"{NORTH}.connection.import_limit_mw.values[2]", -1.0, None),
    (f"{NORTH}.connection.export_limit_mw.values[7]", -0.1, None),
    (f"{NORTH}.connection.ramp_mw_per_minute", 0.0, None),
    (f"{NORTH}.connection.ramp_mw_per_minute", -2.0, None),
    (f"{NORTH}.assets[1].id", "south-group", "problem.sites[1].assets[0].id"),
    (f"{FLEXIBLE}.machine_count", -1, None),
    (f"{FLEXIBLE}.machine_count", 999, f"{FLEXIBLE}.initial_cohorts"),
    (f"{FLEXIBLE}.machine_count", 2**31 - 1, f"{FLEXIBLE}.initial_cohorts"),
    (f"{FLEXIBLE}.available_count", [1000] * 7, None),
    (f"{FLEXIBLE}.available_count", [1000] * 9, None),
    (f"{FLEXIBLE}.available_count[3]", -1, None),
    (f"{FLEXIBLE}.available_count[3]", 1001, None),
    (f"{FLEXIBLE}.available_count[0]", 700, None),
    (f"{FLEXIBLE}.modes[0].kind", "MODE_KIND_STANDBY", f"{FLEXIBLE}.available_count[3]"),
    (f"{FLEXIBLE}.modes[1].kind", "MODE_KIND_OFF", f"{FLEXIBLE}.modes"),
    (f"{FLEXIBLE}.modes[1].hashrate_ths", 1.0, None),
    (f"{FLEXIBLE}.modes[2].power_w", -2400.0, None),
    (f"{FLEXIBLE}.modes[2].hashrate_ths", -1.0, None),
    (f"{FLEXIBLE}.modes[2].dwell_minutes", -1.0, None),
    (f"{FLEXIBLE}.moves[0].from_mode_id", "gone", None),
    (f"{FLEXIBLE}.moves[0].to_mode_id", "gone", None),
    (f"{FLEXIBLE}.moves[0].to_mode_id", "off", None),
    (f"{FLEXIBLE}.moves[0].seconds", -1.0, None),
    (f"{FLEXIBLE}.moves[0].power_w", -1.0, None),
    (f"{FLEXIBLE}.moves[0].wear_cost", -0.01, None),
    (f"{FLEXIBLE}.daily_start_budget_count", -1, None),
    (f"{FLEXIBLE}.starts_used_today_count", -1, None),
    (f"{FLEXIBLE}.starts_used_today_count", 5001, None),
    (f"{FLEXIBLE}.initial_cohorts[1].mode_id", "gone", None),
    (f"{FLEXIBLE}.initial_cohorts[1].count", -700, None),
    (f"{FLEXIBLE}.initial_cohorts[1].count", 699, f"{FLEXIBLE}.initial_cohorts"),
    (f"{FLEXIBLE}.initial_cohorts[1].minutes_since_move", -1.0, None),
    (f"{FLEXIBLE}.initial_cohorts[2].seconds_until_settled", -1.0, None),
    (f"{FLEXIBLE}.delivery_frac", 0.0, None),
    (f"{FLEXIBLE}.delivery_frac", 1.01, None),
    (f"{FLEXIBLE}.delivery_frac", -0.5, None),
    (f"{FLEXIBLE}.prequalified[0].market_id", "gone", None),
    (f"{FLEXIBLE}.prequalified[0].market_id", "da", None),
    (f"{FLEXIBLE}.prequalified[0].max_mw", -1.0, None),
    (f"{DA}.site_ids", ["north", "south", "gone"], f"{DA}.site_ids[2]"),
    (f"{DA}.site_ids", ["north", "south", "north"], f"{DA}.site_ids"),
    (f"{DA}.site_ids", ["north"], f"{DA}.site_ids"),
    (f"{DA}.open", {}, f"{DA}.energy.position_mw"),
    (f"{EAST}.open", {}, f"{EAST}.energy.long_price_per_mwh"),
    (f"{EAST}.energy.max_deviation_mw", -1.0, None),
    (f"{EAST}.site_ids", ["south"], "problem.sites[2].connection"),
    (f"{SPEC}.full_activation_seconds", 0.0, None),
    (f"{SPEC}.full_activation_seconds", -30.0, None),
    (f"{SPEC}.hold_minutes", -1.0, None),
    (f"{SPEC}.smallest_bid_kw", -1000, None),
    (f"{SPEC}.smallest_bid_kw", -(2**63), None),
    (f"{SPEC}.step_kw", -1, None),
    (f"{SPEC}.max_step_mw", 0.0, None),
    (f"{SPEC}.max_step_mw", -0.1, None),
    (f"{SPEC}.rotation_factor", 1.0, None),
    (f"{SPEC}.direction", "DIRECTION_DOWN", f"{AFRR}.reserve.up"),
    (f"{MFRR}.reserve.spec.shortest_call_minutes", -1.0, None),
    (f"{MFRR}.reserve.spec.rest_minutes", -1.0, None),
    (f"{MFRR}.reserve.spec.energy_market_id", "gone", None),
    (f"{MFRR}.reserve.spec.energy_market_id", "mfrr-down", None),
    (f"{MFRR}.reserve.spec.energy_market_id", "da", None),
    (f"{MFRR}.reserve.down", {}, None),
    (f"{AFRR}.reserve.up.expected_frac.values[3]", -0.1, None),
    (f"{AFRR}.reserve.up.expected_frac.values[3]", 1.1, None),
    (f"{MFRR_ENERGY}.reserve.down.calls_per_hour.values[0]", -0.1, None),
    (f"{AFRR}.reserve.blocks[0].start", stamp(0.1), None),
    (f"{AFRR}.reserve.blocks[0].end", stamp(0.9), None),
    (f"{AFRR}.reserve.blocks[0].end", stamp(0), None),
    (f"{AFRR}.reserve.blocks[0].end", stamp(-1), None),
    (f"{AFRR}.reserve.blocks[1].start", stamp(0.75), None),
    (f"{AFRR}.reserve.blocks[0].end", stamp(1.25), f"{AFRR}.reserve.blocks[1].start"),
    (f"{CUT}.end", stamp(0), f"{CUT}.start"),
    (f"{AFRR}.reserve.blocks[1].max_kw", -1, None),
    (f"{AFRR}.reserve.blocks[1].max_kw", -(2**63), None),
    (f"{BIDS}[0].max_kw", 999, None),
    (f"{BIDS}[0].max_kw", -1, None),
    (f"{BIDS}[3].max_kw", 2250, None),
    (f"{BIDS}[0].acceptance_prob", 1.1, None),
    (f"{BIDS}[0].acceptance_prob", -0.1, None),
    (f"{BIDS}[1].acceptance_prob", 0.95, None),
    (f"{BIDS}[2].parent_bid_id", "gone", None),
    (f"{BIDS}[2].parent_bid_id", "child", None),
    (f"{BIDS}[0].parent_bid_id", "child", None),
    (f"{CUT}.awards[0].kw", 0, None),
    (f"{CUT}.awards[0].kw", -1000, None),
    (f"{CUT}.awards[0].penalty_per_mw_h", -1.0, None),
    (f"{YARD}[0].firm_load.load_mw.values[1]", -1.0, None),
    (f"{YARD}[1].renewable.available_mw.values[3]", -1.0, None),
    (f"{YARD}[1].renewable.curtailable", False, f"{YARD}[1].renewable.curtailed_value_per_mwh"),
    (f"{YARD}[2].battery.capacity_mwh", -1.0, None),
    (f"{YARD}[2].battery.charge_mw", -1.0, None),
    (f"{YARD}[2].battery.discharge_mw", -1.0, None),
    (f"{YARD}[2].battery.charge_frac", 0.0, None),
    (f"{YARD}[2].battery.charge_frac", 1.01, None),
    (f"{YARD}[2].battery.discharge_frac", -0.5, None),
    (f"{YARD}[2].battery.initial_mwh", 2.5, None),
    (f"{YARD}[2].battery.initial_mwh", -0.5, None),
    (f"{YARD}[2].battery.end_mwh", 2.5, None),
    (f"{YARD}[2].battery.end_mwh", -0.5, None),
    (f"{YARD}[2].battery.wear_per_mwh", -1.0, None),
    (f"{YARD}[2].battery.response_seconds", -1.0, None),
    (f"{YARD}[2].battery.prequalified[0].market_id", "da", None),
    (f"{YARD}[2].battery.prequalified[0].max_mw", -1.0, None),
    (f"{YARD}[3].generator.max_mw", -1.0, None),
    (f"{YARD}[3].generator.min_mw", -1.0, None),
    (f"{YARD}[3].generator.start_cost", -1.0, None),
    (f"{YARD}[3].generator.min_run_minutes", -1.0, None),
    (f"{YARD}[3].generator.min_rest_minutes", -1.0, None),
    (f"{YARD}[3].generator.minutes_since_switch", -1.0, None),
    (f"{YARD}[3].generator.response_seconds", -1.0, None),
    (f"{YARD}[3].generator.min_mw", 2.5, None),
    (f"{YARD}[3].generator.available_mw.values[1]", -1.0, None),
    (f"{YARD}[3].generator.available_mw.values[0]", 0.25, None),
    (f"{YARD}[3].generator.prequalified[0].market_id", "gone", None),
    (f"{NORTH}.tariff.peak_charge.price_per_mw", -1.0, None),
    (f"{NORTH}.tariff.peak_charge.reached_mw", -1.0, None),
    ("problem.sites[3].tariff", {"peak_charge": {"price_per_mw": 1.0}}, "problem.sites[3].tariff.peak_charge"),
    (f"{FLEXIBLE}.heat_frac", -0.1, None),
    (f"{FLEXIBLE}.heat_frac", 1.1, None),
    (f"{YARD}[4].heat_demand.demand_mw.values[0]", -1.0, None),
    (f"{YARD}[4].heat_demand.least_mw.values[3]", -0.1, None),
    (f"{YARD}[4].heat_demand.least_mw.values[3]", 0.6, None),
    *((f"{YARD}[5].heat_store.{name}", -1.0, None) for name in STORE),
    (f"{YARD}[5].heat_store.loss_frac_per_hour", 1.0, None),
    (f"{YARD}[5].heat_store.initial_mwh", 3.5, None),
    (f"{YARD}[5].heat_store.end_mwh", 3.5, None),
    (f"{YARD}[5].heat_store.end_mwh", -0.5, None),
    (f"{YARD}[6].boiler.max_mw", -1.0, None),
    (f"{YARD}[6].boiler.power_per_heat_mw", -1.0, None),
    (f"{YARD}[7].dry_cooler.max_mw.values[1]", -1.0, None),
    ("options.rel_gap", -1e-4, None),
    ("options.abs_gap", -0.01, None),
    ("options.time_limit_seconds", 0.0, None),
    ("options.time_limit_seconds", -1.0, None),
    ("options.seed", 2**31, None),
    ("options.seed", 2**32 - 1, None),
]


@pytest.mark.parametrize(("path", "value", "wanted"), WRONG)
def test_value_that_is_wrong(path, value, wanted):
    assert (wanted or path) in named(broken(path, value))


def test_calls_of_a_product_that_follows_a_signal():
    path = f"{AFRR}.reserve.up.calls_per_hour"
    assert named(broken(path, series([0.1] * 8))) == [path]


def test_market_after_its_result_without_position_and_prices_says_both():
    pb = rich_request_pb()
    for name in ("position_mw", "long_price_per_mwh", "short_price_per_mwh"):
        drop(pb, f"{EAST}.energy.{name}")
    assert {f"{EAST}.energy.position_mw", f"{EAST}.energy.short_price_per_mwh"} <= set(named(pb))


def test_two_open_energy_markets_of_a_site():
    assert DA in named(_with_open_day_ahead())


def _with_open_day_ahead():
    pb = broken(f"{DA}.open", {})
    drop(pb, f"{DA}.energy.position_mw")
    return pb


def test_everything_that_is_wrong_is_said_at_once():
    pb = rich_request_pb()
    put(pb, "problem.horizon.time_zone", "Mars/Olympus")
    put(pb, "problem.mining.hashprice_per_ph_day.values[0]", math.nan)
    put(pb, f"{FLEXIBLE}.modes[0].kind", 17)
    put(pb, f"{FLEXIBLE}.modes[2].power_w", -1.0)
    put(pb, f"{BIDS}[0].acceptance_prob", 2.0)
    put(pb, "options.seed", 2**31)
    assert set(named(pb)) == {
        "problem.horizon.time_zone",
        "problem.mining.hashprice_per_ph_day.values[0]",
        f"{FLEXIBLE}.modes[0].kind",
        f"{FLEXIBLE}.modes[2].power_w",
        f"{BIDS}[0].acceptance_prob",
        "options.seed",
    }


@pytest.mark.parametrize("name", ["start", "step_minutes", "count"])
def test_what_needs_no_horizon_is_said_also_where_the_horizon_is_broken(name):
    pb = rich_request_pb()
    drop(pb, f"problem.horizon.{name}")
    put(pb, f"{FLEXIBLE}.modes[2].power_w", -1.0)
    put(pb, f"{AFRR}.reserve.up.price_per_mwh.values[1]", math.inf)
    found = named(pb)
    assert sorted(found) == sorted(
        [
            f"problem.horizon.{name}",
            f"{FLEXIBLE}.modes[2].power_w",
            f"{AFRR}.reserve.up.price_per_mwh.values[1]",
        ]
    )


REF = f"{FCR}.reserve.ref"


def with_ref(**fields):
    return broken(REF, {"name": "de/fcr", "delivery_date": "2026-01-15", **fields})


def test_a_product_by_its_name():
    assert violations_of(with_ref()) == ()


@pytest.mark.parametrize(
    ("fields", "path", "rule", "words"),
    [
        ({"name": ""}, "name", "required", "such as de/afrr-up"),
        ({"name": "de/frc"}, "name", "reference", "there is no product 'de/frc': de/fcr"),
        ({"delivery_date": ""}, "delivery_date", "required", "state a civil day as 2026-01-31"),
        ({"delivery_date": "15.01.2026"}, "delivery_date", "format", "is '15.01.2026'"),
        ({"delivery_date": "2026-02-30"}, "delivery_date", "format", "is '2026-02-30'"),
        ({"delivery_date": "2019-01-15"}, "delivery_date", "coverage", "must be a day of the horizon"),
        ({"energy_market_id": "nowhere"}, "energy_market_id", "reference", "there is no other reserve market"),
    ],
)
def test_a_product_that_cannot_be_named_so(fields, path, rule, words):
    found = [(v.field, v.rule, v.message) for v in violations_of(with_ref(**fields)) if v.field.startswith(REF)]
    assert [(field, rule) for field, rule, _ in found] == [(f"{REF}.{path}", rule)]
    assert words in found[0][2]


def test_rules_that_begin_later_are_refused():
    pb = with_ref(name="ercot/ecrs")
    pb.problem.horizon.time_zone = "Nowhere/Else"
    put(pb, f"{REF}.delivery_date", "2020-01-15")
    (violation,) = [v for v in violations_of(pb) if v.field == f"{REF}.name"]
    assert violation.message == "the rules of ercot/ecrs begin on 2025-12-05: spell them out for 2020-01-15"


def test_boiler_that_burns_nothing_and_takes_no_power():
    pb = broken(f"{YARD}[6].boiler.power_per_heat_mw", 0.0)
    drop(pb, f"{YARD}[6].boiler.fuel_per_mwh")
    assert named(pb) == [f"{YARD}[6].boiler.fuel_per_mwh"]


def test_site_with_two_heat_stores():
    pb = rich_request_pb()
    pb.problem.sites[3].assets.add(id="second", heat_store=value_at(pb, f"{YARD}[5].heat_store"))
    assert named(pb) == [f"{YARD}[9].heat_store"]


def test_market_that_names_an_island():
    pb = rich_request_pb()
    drop(pb, "problem.sites[0].connection")
    assert f"{DA}.site_ids[0]" in named(pb)


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("problem.sites", 10_001),
        ("problem.markets", 501),
        (f"{DA}.site_ids", 10_001),
        (f"{FLEXIBLE}.modes", 65),
        (f"{FLEXIBLE}.moves", 4097),
        (f"{FLEXIBLE}.initial_cohorts", 10_001),
        (f"{FLEXIBLE}.prequalified", 1001),
        (f"{AFRR}.reserve.blocks", 20_001),
        (BIDS, 201),
        (f"{CUT}.awards", 1001),
    ],
)
def test_lists_have_a_limit(path, count):
    pb = rich_request_pb()
    items = value_at(pb, path)
    first = items[0]
    items.extend([first] * (count - len(items)))
    assert path in named(pb)


def test_many_violations_are_cut_short():
    pb = rich_request_pb()
    put(pb, "problem.mining.hashprice_per_ph_day.values", [math.nan] * 50_000)
    found = violations_of(pb)
    assert len(found) == 1001
    assert found[-1].rule == "more"


def test_small_request_cannot_ask_for_much_memory():
    pb = rich_request_pb()
    pb.problem.horizon.count = 100_000
    sites = pb.problem.sites
    del sites[:]
    tariff = {"import_fee_per_mwh": series([1.0], 2_000_000)}
    for s in range(2000):
        sites.add(id=f"s{s}", connection={}, tariff=tariff)
    assert any(violation.rule == "size" for violation in violations_of(pb))
