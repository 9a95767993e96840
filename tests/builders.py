"""Requests to start from: a tiny one, and a rich one that sets every supported field of the wire format."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from scheduler.v1 import problem_pb2 as v1
from scheduler.v1 import scheduler_pb2

START = datetime(2026, 1, 15, 7, tzinfo=UTC)
ZONE_EIC = "10Y1001A1001A82H"


def stamp(hours: float = 0.0) -> Timestamp:
    """An instant, in hours after START."""
    return Timestamp(seconds=int((START + timedelta(hours=hours)).timestamp()))


def series(values: Sequence[float], step_minutes: int = 15, hours: float = 0.0, **more: object) -> v1.Series:
    """A series that starts so many hours after START."""
    return v1.Series(start=stamp(hours), step_minutes=step_minutes, values=values, **more)


def miner_group(machine_count: int = 100, **more: object) -> v1.MinerGroup:
    """Machines that are off or mine at 3.5 kW, all off and free to move."""
    return v1.MinerGroup(
        machine_count=machine_count,
        modes=[
            {"id": "off", "kind": "MODE_KIND_OFF", "power_w": 0},
            {"id": "mine", "kind": "MODE_KIND_MINING", "power_w": 3500, "hashrate_ths": 200},
        ],
        moves=[{"from_mode_id": "off", "to_mode_id": "mine"}, {"from_mode_id": "mine", "to_mode_id": "off"}],
        initial_cohorts=[{"mode_id": "off", "count": machine_count}],
        **more,
    )


def tiny_request_pb(prices: Sequence[float] = (20.0, 90.0, 40.0, -5.0)) -> scheduler_pb2.ScheduleRequest:
    """One group at one site, hourly prices of one open energy market."""
    return scheduler_pb2.ScheduleRequest(
        request_id="tiny",
        problem=v1.Problem(
            horizon={
                "start": stamp(),
                "step_minutes": 60,
                "count": len(prices),
                "time_zone": "Europe/Berlin",
            },
            currency_code="EUR",
            mining={"hashprice_per_ph_day": series([40.0] * len(prices), 60)},
            sites=[{"id": "site", "connection": {}, "assets": [{"id": "group", "miner_group": miner_group()}]}],
            markets=[{"id": "da", "energy": {"price_per_mwh": series(prices, 60)}, "open": {}}],
        ),
    )


def rich_request_pb() -> scheduler_pb2.ScheduleRequest:
    """Two hours in quarter-hours: four sites, four groups and one of each other asset, energy open and cleared, reserve
    of all sorts."""
    problem = v1.Problem(
        horizon={"start": stamp(), "step_minutes": 15, "count": 8, "time_zone": "Europe/Berlin"},
        currency_code="EUR",
        mining={"hashprice_per_ph_day": series([41.0, 42.0], 60, source="forecast"), "pool_fee_frac": 0.02},
        sites=[_north(), _south(), _east(), _yard()],
        markets=[
            _day_ahead(),
            _intraday(),
            _east_day_ahead(),
            _fcr(),
            _afrr_up(),
            _mfrr_down(),
            _mfrr_energy(),
        ],
    )
    options = scheduler_pb2.SolveOptions(
        rel_gap=1e-5,
        abs_gap=0.5,
        time_limit_seconds=60.0,
        seed=7,
        strategy="STRATEGY_PLAIN",
        counterfactuals=True,
        explain=True,
    )
    return scheduler_pb2.ScheduleRequest(request_id="rich", problem=problem, options=options)


def _north() -> v1.Site:
    flexible = v1.MinerGroup(
        machine_count=1000,
        available_count=[1000, 1000, 1000, 990, 990, 1000, 1000, 1000],
        modes=[
            {"id": "off", "kind": "MODE_KIND_OFF", "power_w": 0, "dwell_minutes": 10},
            {"id": "ready", "kind": "MODE_KIND_STANDBY", "power_w": 80},
            {
                "id": "eco",
                "kind": "MODE_KIND_MINING",
                "power_w": 2400,
                "hashrate_ths": 160,
                "dwell_minutes": 15,
            },
            {"id": "full", "kind": "MODE_KIND_MINING", "power_w": 3500, "hashrate_ths": 200},
        ],
        moves=[
            {"from_mode_id": "off", "to_mode_id": "ready", "seconds": 300, "power_w": 100, "wear_cost": 0.01},
            {"from_mode_id": "ready", "to_mode_id": "off", "seconds": 5},
            {"from_mode_id": "ready", "to_mode_id": "full", "seconds": 20},
            {"from_mode_id": "full", "to_mode_id": "ready", "seconds": 2},
            {"from_mode_id": "full", "to_mode_id": "eco", "seconds": 2},
            {"from_mode_id": "eco", "to_mode_id": "full", "seconds": 2},
        ],
        daily_start_budget_count=5000,
        starts_used_today_count=100,
        initial_cohorts=[
            {"mode_id": "off", "count": 200, "minutes_since_move": 500},
            {"mode_id": "full", "count": 700, "minutes_since_move": 90},
            {"mode_id": "ready", "count": 100, "minutes_since_move": 2, "seconds_until_settled": 180},
        ],
        delivery_frac=0.9,
        heat_frac=0.8,
        prequalified=[
            {"market_id": "afrr-up", "direction": "DIRECTION_UP", "max_mw": 2.5},
            {"market_id": "fcr", "direction": "DIRECTION_SYMMETRIC", "max_mw": 1.5},
        ],
        mining_override={
            "bitcoin_network": {
                "btc_price": series([90_000.0] * 8),
                "difficulty": 1.2e14,
                "subsidy_btc": 3.125,
                "fees_btc": 0.05,
            },
            "pool_fee_frac": 0.01,
        },
    )
    return v1.Site(
        id="north",
        zone_eic=ZONE_EIC,
        connection={
            "import_limit_mw": series([5.0, 6.0, 5.5], 60, hours=-0.5),
            "export_limit_mw": series([0.5] * 8),
            "ramp_mw_per_minute": 2.0,
        },
        tariff={
            "import_fee_per_mwh": series([6.0] * 24, 5, mean_of_finer=True),
            "fee_on_activated_energy": True,
            "peak_charge": {"price_per_mw": 120.0, "reached_mw": 2.5, "counts_calls": False},
        },
        assets=[
            {"id": "flexible", "miner_group": flexible},
            {"id": "plain", "miner_group": miner_group()},
        ],
    )


def _south() -> v1.Site:
    return v1.Site(
        id="south",
        zone_eic=ZONE_EIC,
        connection={},
        assets=[{"id": "south-group", "miner_group": miner_group(300)}],
    )


def _east() -> v1.Site:
    return v1.Site(id="east", connection={}, assets=[{"id": "containers", "miner_group": miner_group(12)}])


def _yard() -> v1.Site:
    """An island with one of everything else."""
    solar = {"available_mw": series([2.0] * 8), "curtailed_value_per_mwh": series([5.0, -1.0], 60)}
    return v1.Site(
        id="yard",
        assets=[
            {"id": "hall", "firm_load": {"load_mw": series([1.0, 2.0], 60)}},
            {"id": "solar", "renewable": solar},
            {
                "id": "battery",
                "battery": {
                    "capacity_mwh": 2.0,
                    "charge_mw": 1.0,
                    "discharge_mw": 1.5,
                    "charge_frac": 0.95,
                    "discharge_frac": 0.9,
                    "initial_mwh": 0.5,
                    "end_value_per_mwh": 30.0,
                    "wear_per_mwh": 2.0,
                    "response_seconds": 1.0,
                    "prequalified": [{"market_id": "fcr", "direction": "DIRECTION_SYMMETRIC", "max_mw": 1.0}],
                },
            },
            {
                "id": "engine",
                "generator": {
                    "max_mw": 2.0,
                    "min_mw": 0.5,
                    "available_mw": series([2.0, 1.5], 60),
                    "fuel_per_mwh": series([90.0] * 8),
                    "start_cost": 20.0,
                    "min_run_minutes": 30.0,
                    "min_rest_minutes": 45.0,
                    "initially_running": True,
                    "minutes_since_switch": 15.0,
                    "response_seconds": 240.0,
                    "prequalified": [{"market_id": "afrr-up", "direction": "DIRECTION_UP", "max_mw": 1.0}],
                },
            },
            {
                "id": "network",
                "heat_demand": {
                    "demand_mw": series([0.5, 0.4], 60),
                    "price_per_mwh": series([35.0] * 8),
                    "least_mw": series([0.1] * 8),
                },
            },
            {
                "id": "tank",
                "heat_store": {
                    "capacity_mwh": 3.0,
                    "charge_mw": 1.0,
                    "discharge_mw": 1.2,
                    "initial_mwh": 1.0,
                    "loss_frac_per_hour": 0.01,
                    "end_mwh": 0.5,
                },
            },
            {
                "id": "boiler",
                "boiler": {"max_mw": 1.0, "fuel_per_mwh": series([60.0] * 8), "power_per_heat_mw": 0.02},
            },
            {"id": "cooler", "dry_cooler": {"max_mw": series([4.0, 3.5], 60)}},
            {"id": "river", "renewable": {"available_mw": series([0.5] * 8), "curtailable": False}},
        ],
    )


def _day_ahead() -> v1.Market:
    return v1.Market(
        id="da",
        site_ids=["north", "south"],
        energy={"price_per_mwh": series([70.0, 95.0], 60), "position_mw": series([3.0, 2.0], 60)},
        cleared={"published": stamp(-18)},
    )


def _intraday() -> v1.Market:
    return v1.Market(
        id="id",
        site_ids=["north", "south"],
        energy={"price_per_mwh": series([60.0, 75.0, 80.0, 90.0, 120.0, 99.0, -10.0, 20.0])},
        open={"gate": stamp(-1)},
    )


def _east_day_ahead() -> v1.Market:
    return v1.Market(
        id="east-da",
        site_ids=["east"],
        energy={
            "price_per_mwh": series([50.0] * 8),
            "position_mw": series([0.02] * 8),
            "long_price_per_mwh": series([45.0] * 8),
            "short_price_per_mwh": series([65.0] * 8),
            "max_deviation_mw": 0.03,
        },
        cleared={},
    )


def _fcr() -> v1.Market:
    spec = v1.ProductSpec(
        direction="DIRECTION_SYMMETRIC",
        full_activation_seconds=30,
        hold_minutes=15,
        response="RESPONSE_SIGNAL",
        smallest_bid_kw=1000,
        step_kw=1000,
        pricing="PRICING_AS_CLEARED",
        max_step_mw=0.05,
        rotation_factor=2.0,
    )
    block = v1.Block(id="all", start=stamp(), end=stamp(2), capacity_price_per_mw_block=24.0, max_kw=3000)
    return v1.Market(id="fcr", reserve={"spec": spec, "blocks": [block]}, open={})


def _afrr_up() -> v1.Market:
    spec = v1.ProductSpec(
        direction="DIRECTION_UP",
        full_activation_seconds=300,
        response="RESPONSE_SIGNAL",
        smallest_bid_kw=1000,
        step_kw=500,
        pricing="PRICING_AS_BID",
    )
    blocks = [
        v1.Block(
            id="first",
            start=stamp(),
            end=stamp(1),
            bids=[
                {
                    "id": "low",
                    "max_kw": 2000,
                    "price_per_mw_h": 5.0,
                    "acceptance_prob": 0.9,
                    "exclusive_group": "x",
                },
                {
                    "id": "high",
                    "max_kw": 1500,
                    "price_per_mw_h": 9.0,
                    "acceptance_prob": 0.4,
                    "exclusive_group": "x",
                },
                {
                    "id": "child",
                    "max_kw": 1000,
                    "price_per_mw_h": 9.0,
                    "acceptance_prob": 0.3,
                    "parent_bid_id": "low",
                },
                {
                    "id": "whole",
                    "max_kw": 2000,
                    "price_per_mw_h": 12.0,
                    "acceptance_prob": 0.1,
                    "indivisible": True,
                },
            ],
        ),
        v1.Block(id="second", start=stamp(1), end=stamp(2), capacity_price_per_mw_h=7.5),
    ]
    up = v1.Activation(expected_frac=series([0.05] * 8), price_per_mwh=series([150.0, 170.0], 60))
    return v1.Market(id="afrr-up", site_ids=["north"], reserve={"spec": spec, "blocks": blocks, "up": up}, open={})


def _mfrr_spec(**more: object) -> v1.ProductSpec:
    return v1.ProductSpec(
        direction="DIRECTION_DOWN",
        full_activation_seconds=750,
        hold_minutes=60,
        response="RESPONSE_CALLED",
        shortest_call_minutes=5,
        rest_minutes=0,
        smallest_bid_kw=1000,
        step_kw=1000,
        pricing="PRICING_AS_CLEARED",
        **more,
    )


def _mfrr_down() -> v1.Market:
    cut = v1.Block(
        id="cut",
        start=stamp(-3),
        end=stamp(1),
        awards=[
            {
                "id": "w1",
                "kw": 1000,
                "price_per_mw_h": 4.0,
                "penalty_per_mw_h": 100.0,
                "buy_back_per_mw_h": 6.1,
            },
            {"id": "w2", "kw": 500, "price_per_mw_h": 0.0},
        ],
    )
    spec = _mfrr_spec(energy_market_id="mfrr-energy")
    return v1.Market(id="mfrr-down", reserve={"spec": spec, "blocks": [cut]}, cleared={})


def _mfrr_energy() -> v1.Market:
    down = v1.Activation(calls_per_hour=series([0.1] * 8), price_per_mwh=series([30.0] * 8))
    return v1.Market(id="mfrr-energy", reserve={"spec": _mfrr_spec(), "down": down}, open={})
