"""Problems: from the wire, to the wire and back again."""

import math
import time
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
from builders import START, miner_group, rich_request_pb, series, stamp, tiny_request_pb
from wire_paths import drop, put

from scheduler import catalog, make_plan
from scheduler.errors import InvalidRequestError
from scheduler.problem import Direction, Stage
from scheduler.settings import SolveOptions, Strategy
from scheduler.v1 import problem_pb2 as v1
from scheduler.v1 import scheduler_pb2
from scheduler.wire.options import options_from_pb, options_to_pb
from scheduler.wire.problem import ASSETS, MARKETS, problem_from_pb, problem_to_pb
from scheduler.wire.request import schedule_request_from_pb
from scheduler.wire.response import schedule_from_pb


def differences(one, other, path="problem"):
    """Paths at which two value types differ, arrays compared value by value."""
    if is_dataclass(one):
        if type(one) is not type(other):
            return [path]
        names = [field.name for field in fields(one)]
        return [d for name in names for d in differences(getattr(one, name), getattr(other, name), f"{path}.{name}")]
    if isinstance(one, tuple | list) and isinstance(other, tuple | list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{path}[{i}]")]
    if isinstance(one, dict) and isinstance(other, dict):
        return differences(list(one.items()), list(other.items()), path)
    if isinstance(one, np.ndarray):
        same = isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
        return [] if same else [path]
    return [] if one == other else [path]


@pytest.mark.parametrize("request_pb", [tiny_request_pb(), rich_request_pb()], ids=["tiny", "rich"])
def test_round_trip(request_pb):
    request_id, problem, options = schedule_request_from_pb(request_pb)
    pb = problem_to_pb(problem)
    assert differences(problem, problem_from_pb(pb)) == []
    assert problem_to_pb(problem_from_pb(pb)) == pb
    assert request_id == request_pb.request_id
    assert options_from_pb(options_to_pb(options)) == options


def test_every_array_is_read_only():
    _, problem, _ = schedule_request_from_pb(rich_request_pb())
    arrays = list(_arrays(problem))
    assert len(arrays) > 20
    assert not any(array.flags.writeable for array in arrays)
    assert all(array.shape == (8,) for array in arrays)


def _arrays(value):
    if isinstance(value, np.ndarray):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _arrays(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _arrays(item)
    elif isinstance(value, dict):
        yield from _arrays(tuple(value.values()))


def test_tables_name_what_the_catalogue_and_the_protos_name():
    assert ASSETS.keys() == catalog.ASSETS.keys()
    assert MARKETS.keys() == catalog.MARKETS.keys()
    assert ASSETS.keys() == {field.name for field in v1.Asset.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert MARKETS.keys() == {field.name for field in v1.Market.DESCRIPTOR.oneofs_by_name["kind"].fields}


def test_what_is_absent_has_its_default():
    _, problem, options = schedule_request_from_pb(tiny_request_pb())
    (site,), (market,) = problem.sites, problem.markets
    assert options == SolveOptions()
    assert np.isposinf(site.connection.import_limit_mw).all()
    assert not site.connection.export_limit_mw.any()
    assert site.connection.ramp_mw_per_minute is None
    assert not site.tariff.import_fee_per_mwh.any()
    assert not site.tariff.fee_on_activated_energy
    (group,) = site.assets
    assert group.available_count is None
    assert group.daily_start_budget_count is None
    assert group.mining_override is None
    assert group.delivery_frac == 1.0
    assert group.moves[0].power_w is None
    assert market.stage is Stage.OPEN
    assert market.position_mw is None


def test_products_have_their_defaults():
    _, problem, _ = schedule_request_from_pb(rich_request_pb())
    product = problem.markets[4].product
    assert product.max_step_mw == 0.1
    assert product.rest_minutes is None
    assert product.rotation_factor is None
    assert problem.markets[5].product.rest_minutes == 0.0
    assert problem.markets[4].blocks[1].bids == ()
    assert problem.markets[4].blocks[0].bids[3].acceptance_prob == 0.1
    assert problem.markets[6].activation.keys() == {Direction.DOWN}


def test_strategy_is_fast_unless_stated():
    assert options_from_pb(scheduler_pb2.SolveOptions()).strategy is Strategy.FAST
    assert options_from_pb(scheduler_pb2.SolveOptions(strategy=2)).strategy is Strategy.PLAIN
    with pytest.raises(InvalidRequestError):
        options_from_pb(scheduler_pb2.SolveOptions(strategy=7))


def hashprice_of(**network):
    pb = tiny_request_pb()
    put(pb, "problem.mining", {"bitcoin_network": {"btc_price": series([100_000.0] * 4, 60), **network}})
    return schedule_request_from_pb(pb)[1].mining.hashprice_per_ph_day


def test_hashprice_follows_from_the_network():
    assert hashprice_of(difficulty=1e14, subsidy_btc=3.125) == pytest.approx([62.86] * 4, abs=0.005)  # facts D1
    per_btc = 1e15 * 86_400 / (1e14 * 2**32)
    assert hashprice_of(difficulty=1e14, subsidy_btc=0, fees_btc=0.5) == pytest.approx([per_btc * 0.5 * 1e5] * 4)


def test_hashprice_that_is_too_large_is_refused_at_the_price():
    with pytest.raises(InvalidRequestError) as refused:
        hashprice_of(difficulty=1e-320, subsidy_btc=1e12)
    fields_named = [violation.field for violation in refused.value.violations]
    assert fields_named == [f"problem.mining.bitcoin_network.btc_price.values[{t}]" for t in range(4)]


# A price per block is divided by the real hours of the block (3 or 5 where the clock changes).
@pytest.mark.parametrize(("hours", "price"), [(4, 6.0), (3, 8.0), (5, 4.8)])
def test_price_per_block_is_divided_by_real_hours(hours, price):
    pb = tiny_request_pb([20.0] * 5)
    spec = rich_request_pb().problem.markets[3].reserve.spec
    block = v1.Block(id="b", start=stamp(), end=stamp(hours), capacity_price_per_mw_block=24.0)
    pb.problem.markets.add(id="fcr", reserve={"spec": spec, "blocks": [block]}, open={})
    _, problem, _ = schedule_request_from_pb(pb)
    assert problem.markets[1].blocks[0].price_per_mw_h == pytest.approx(price)
    pb.problem.markets[1].reserve.blocks[0].capacity_price_per_mw_block = math.nan
    with pytest.raises(InvalidRequestError) as refused:
        schedule_request_from_pb(pb)
    path = "problem.markets[1].reserve.blocks[0].capacity_price_per_mw_block"
    assert [violation.field for violation in refused.value.violations] == [path]


def test_instants_are_aware():
    _, problem, _ = schedule_request_from_pb(rich_request_pb())
    assert problem.horizon.start_utc == START
    block = problem.markets[5].blocks[0]
    assert block.start_utc == datetime(2026, 1, 15, 4, tzinfo=UTC)
    assert block.end_utc.tzinfo is UTC


def test_fields_that_this_version_does_not_know_are_refused():
    pb = rich_request_pb()
    later = b"\xf8\x07\x01"  # field 127, varint 1
    pb.problem.sites[1].MergeFromString(later)
    pb.MergeFromString(later)
    with pytest.raises(InvalidRequestError) as refused:
        schedule_request_from_pb(pb)
    assert [(v.field, v.rule) for v in refused.value.violations] == [
        ("request", "unknown"),
        ("problem.sites[1]", "unknown"),
    ]


def test_limit_that_is_unlimited_in_part_cannot_be_written():
    _, problem, _ = schedule_request_from_pb(rich_request_pb())
    limit = problem.sites[0].connection.import_limit_mw.copy()
    limit[3] = math.inf
    object.__setattr__(problem.sites[0].connection, "import_limit_mw", limit)
    with pytest.raises(InvalidRequestError) as refused:
        problem_from_pb(problem_to_pb(problem))
    (violation,) = refused.value.violations
    assert violation.field == "problem.sites[0].connection.import_limit_mw.values[3]"


def test_large_request_is_read_fast():
    """40 sites with 6 groups each over 192 quarter-hours: well below a second."""
    pb = tiny_request_pb()
    put(pb, "problem.horizon.count", 192)
    put(pb, "problem.horizon.step_minutes", 15)
    put(pb, "problem.mining.hashprice_per_ph_day", series([40.0] * 192))
    put(pb, "problem.markets[0].energy.price_per_mwh", series([50.0] * 192))
    drop(pb, "problem.sites[0]")
    limit = series([30.0] * 192)
    for s in range(40):
        site = pb.problem.sites.add(id=f"s{s}", connection={"import_limit_mw": limit, "export_limit_mw": limit})
        for g in range(6):
            override = v1.Mining(hashprice_per_ph_day=series([41.0] * 192))
            group = miner_group(2000, available_count=[2000] * 192, mining_override=override)
            site.assets.add(id=f"s{s}g{g}", miner_group=group)
    began = time.perf_counter()
    _, problem, _ = schedule_request_from_pb(pb)
    problem_to_pb(problem)
    assert time.perf_counter() - began < 1.0


def test_every_enum_of_ours_is_on_the_wire():
    from scheduler.wire import miner_group as groups
    from scheduler.wire import options, plan, prequalification, reserve

    tables = [groups.MODE_KINDS, prequalification.DIRECTIONS, reserve.RESPONSES, reserve.PRICINGS]
    tables += [options.STRATEGIES, options.STOP_REASONS, plan.CASH_KINDS]
    for table in tables:
        members = set(type(next(iter(table.number))))
        assert set(table.number) == members


@pytest.mark.parametrize("kw", [2**63 - 1, -(2**63), 10**12 + 1])
def test_amounts_that_nobody_has_are_refused_by_their_field(kw):
    pb = rich_request_pb()
    pb.problem.markets[4].reserve.blocks[0].awards.add(id="more", kw=kw, price_per_mw_h=1.0)
    pb.problem.sites[0].tariff.peak_charge.price_per_mw = 1e15
    with pytest.raises(InvalidRequestError) as refused:
        schedule_request_from_pb(pb)
    found = {violation.field: violation.rule for violation in refused.value.violations}
    assert found["problem.sites[0].tariff.peak_charge.price_per_mw"] == "range"
    (awards,) = [field for field in found if field.startswith("problem.markets[4].reserve.blocks[0].awards")]
    assert awards.endswith(".kw") and found[awards] == "range"


def test_a_plan_in_weak_money_reads_back():
    """Sums are larger than what was asked."""
    pb = tiny_request_pb()
    for money in (pb.problem.mining.hashprice_per_ph_day, pb.problem.markets[0].energy.price_per_mwh):
        money.values[:] = [value * 1e9 for value in money.values]
    group = pb.problem.sites[0].assets[0].miner_group
    group.machine_count = group.initial_cohorts[0].count = 10_000
    answer = make_plan(pb)
    assert answer.objective > 1e12
    problem = schedule_request_from_pb(pb)[1]
    assert schedule_from_pb(answer.response, problem).plan.objective == answer.objective


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules", "right/Europe/Berlin", "../etc/passwd", ""])
def test_a_zone_of_the_machine_is_none_of_a_market(zone):
    pb = tiny_request_pb()
    pb.problem.horizon.time_zone = zone
    with pytest.raises(InvalidRequestError) as refused:
        schedule_request_from_pb(pb)
    assert [(v.field, v.rule) for v in refused.value.violations] == [("problem.horizon.time_zone", "zone")]
