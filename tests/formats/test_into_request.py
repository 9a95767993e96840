"""The door through which prices of files get into a request, and what the answer says of where they came from."""

import pytest
from builders import tiny_request_pb
from samples import activated, activation_points, auction, period, points, publication
from test_regelleistung import AFRR_HEADER, FCR_HEADER, afrr_rows, csv_of, fcr_rows, workbook_of
from test_reserve_csv import imbalance, mimer

from scheduler import cli, make_plan
from scheduler.errors import InvalidFileError
from scheduler.formats.into_request import put_prices
from scheduler.v1 import scheduler_pb2 as pb
from scheduler.wire.json import message_from_json, response_to_json

DAY = "2026-06-14"


def day_request():
    """The tiny request over a civil day of Germany, in hours."""
    request = tiny_request_pb()
    problem = request.problem
    problem.horizon.start.FromJsonString("2026-06-13T22:00:00Z")
    problem.horizon.time_zone = "Europe/Berlin"
    problem.horizon.step_minutes, problem.horizon.count = 60, 24
    problem.sites[0].zone_eic = "10Y1001A1001A82H"
    for series in (problem.mining.hashprice_per_ph_day, problem.markets[0].energy.price_per_mwh):
        first = series.values[0]
        series.start.CopyFrom(problem.horizon.start)
        series.step_minutes = 24 * 60
        del series.values[:]
        series.values.append(first)
    return request


def reserve(request, name, market_id="r", **more):
    market = request.problem.markets.add(id=market_id)
    market.open.SetInParent()
    market.reserve.ref.name, market.reserve.ref.delivery_date = name, DAY
    return market.reserve


def written(tmp_path, data, name="results"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def a44(*series):
    return publication("".join(series))


def hours(price, **more):
    inside = points([(1, price), (13, price + 1)])
    return auction(period("2026-06-13T22:00Z", "2026-06-14T22:00Z", "PT60M", inside), **more)


def test_the_auction_of_the_zone_is_taken(tmp_path):
    request = day_request()
    path = written(tmp_path, a44(hours(99, sequence="2"), hours(10, sequence="1"), hours(55, contract="A07")))
    (words,) = put_prices(request, path)
    assert words == f"problem.markets[0].energy.price_per_mwh: 24 prices of DE-LU from {path}"
    series = request.problem.markets[0].energy.price_per_mwh
    assert list(series.values) == [10.0] * 12 + [11.0] * 12
    assert series.source.startswith("DE-LU day-ahead price of results (ENTSO-E prices, A44, sha256 ")
    put_prices(request, path, "DE-LU sequence 2")
    assert series.values[0] == 99


@pytest.mark.parametrize("blocks", [True, False])
def test_prices_of_capacity_find_the_product_that_is_named(tmp_path, blocks):
    request = day_request()
    up, down = reserve(request, "de/afrr-up"), reserve(request, "de/afrr-down", "s")
    if blocks:
        first = request.problem.horizon.start.seconds
        for k in range(6):
            block = up.blocks.add(id=f"b{k}")
            block.start.seconds, block.end.seconds = first + k * 14400, first + (k + 1) * 14400
    path = written(tmp_path, workbook_of(AFRR_HEADER, afrr_rows(DAY)))
    words = put_prices(request, path)
    assert words[0] == f"problem.markets[1].reserve.blocks: 6 prices of DE aFRR up average from {path}"
    assert [block.capacity_price_per_mw_h for block in up.blocks] == [8.0] * 6
    assert [block.capacity_price_per_mw_h for block in down.blocks] == [8.0] * 6
    assert [block.id for block in down.blocks][:2] == ["2026-06-14T00:00+0200", "2026-06-14T04:00+0200"]
    assert up.price_source.startswith("DE aFRR up average capacity price of results (regelleistung.net")


def test_fcr_takes_the_clearing_price_per_hour(tmp_path):
    request = day_request()
    market = reserve(request, "de/fcr")
    put_prices(request, written(tmp_path, csv_of(FCR_HEADER, fcr_rows(DAY))))
    assert [block.capacity_price_per_mw_h for block in market.blocks] == [15, 15.25, 15.5, 15.75, 16, 16.25]


def test_hours_make_up_a_block(tmp_path):
    request = day_request()
    market = reserve(request, "se/fcr-n")
    block = market.blocks.add(id="two")
    block.start.FromJsonString("2026-06-14T00:00:00Z")
    block.end.FromJsonString("2026-06-14T02:00:00Z")
    put_prices(request, written(tmp_path, mimer(DAY)))
    assert block.capacity_price_per_mw_h == 11.625, "the mean of its two hours, 11.125 and 12.125"


def test_prices_of_imbalance_go_where_a_deviation_is_settled(tmp_path):
    request = day_request()
    energy = request.problem.markets[0].energy
    request.problem.markets[0].cleared.SetInParent()
    energy.max_deviation_mw = 1
    text = imbalance(DAY).replace("AEP Modul 1;AEP Modul 2", "reBAP unterdeckt;reBAP überdeckt")
    energy.short_price_per_mwh.mean_of_finer = energy.long_price_per_mwh.mean_of_finer = True
    words = put_prices(request, written(tmp_path, text))
    assert [line.split(":")[0] for line in words] == [
        "problem.markets[0].energy.short_price_per_mwh",
        "problem.markets[0].energy.long_price_per_mwh",
    ]
    assert list(energy.short_price_per_mwh.values[:2]) == [100.5, 99.5]
    assert list(energy.long_price_per_mwh.values[:2]) == [0.25, 1.25]


def calls(price, direction, **more):
    whole = period("2026-06-13T22:00Z", "2026-06-14T22:00Z", "PT60M", activation_points([(1, price)], **more))
    return "A96", direction, whole


def test_prices_of_activated_energy_are_money_received(tmp_path):
    request = day_request()
    up, down = reserve(request, "de/afrr-up"), reserve(request, "de/afrr-energy-down", "s")
    for activation in (up.up, down.down):
        activation.expected_frac.CopyFrom(request.problem.mining.hashprice_per_ph_day)
        activation.expected_frac.values[0] = 0.05
    path = written(tmp_path, activated([calls(100, "A01"), calls(30, "A02")]))
    words = put_prices(request, path)
    assert [line.split(":")[0] for line in words] == [
        "problem.markets[1].reserve.up.price_per_mwh",
        "problem.markets[2].reserve.down.price_per_mwh",
    ]
    assert list(up.up.price_per_mwh.values) == [100.0] * 24, "received"
    assert list(down.down.price_per_mwh.values) == [-30.0] * 24, "the provider pays what is positive down"
    assert down.down.price_per_mwh.source.startswith("DE-50Hertz aFRR down average activated energy price of results")
    both = written(tmp_path, activated([calls(100, "A01"), calls(120, "A01", category="A07")]), "both")
    with pytest.raises(InvalidFileError, match="name one of DE-50Hertz aFRR up average, DE-50Hertz aFRR up marginal"):
        put_prices(request, both)
    put_prices(request, both, "DE-50Hertz aFRR up marginal")
    assert up.up.price_per_mwh.values[0] == 120
    sparse = period("2026-06-13T22:00Z", "2026-06-14T03:00Z", "PT60M", activation_points([(1, 5)]))
    with pytest.raises(InvalidFileError, match="is its last price"):
        put_prices(request, written(tmp_path, activated([("A96", "A01", sparse)]), "sparse"))


@pytest.mark.parametrize(
    ("data", "named", "message"),
    [
        (csv_of(AFRR_HEADER, afrr_rows(DAY)), None, "no market of the request takes what it holds"),
        (csv_of(AFRR_HEADER, afrr_rows(DAY)), "at/afrr-up", "no market of the request takes what it holds"),
        (csv_of(AFRR_HEADER, afrr_rows(DAY)), "de/no-such", "no market of the request takes what it holds"),
        (csv_of(AFRR_HEADER, afrr_rows("2026-06-13")), "de/afrr-up", "has no block inside the horizon"),
        (imbalance(DAY), None, "no market of the request takes what it holds"),
        (
            activated([("A96", "A01", period(f"{DAY}T00:00Z", f"{DAY}T01:00Z", "PT15M", activation_points([(1, 5)])))]),
            "de/afrr-up",
            "It holds DE-50Hertz aFRR up average activated energy price",
        ),
    ],
)
def test_a_file_of_which_nothing_fits_is_refused(tmp_path, data, named, message):
    request = day_request()
    if named:
        reserve(request, named)
    with pytest.raises(InvalidFileError, match=message):
        put_prices(request, written(tmp_path, data))


def test_what_is_cleared_keeps_the_price_at_which_it_was(tmp_path):
    request = day_request()
    cleared = request.problem.markets.add()
    cleared.CopyFrom(request.problem.markets[0])
    cleared.id = "forward"
    cleared.cleared.SetInParent()
    cleared.energy.price_per_mwh.values[0] = 30.0
    path = written(tmp_path, a44(hours(10)))
    words = put_prices(request, path)
    assert cleared.energy.price_per_mwh.values == [30.0]
    assert request.problem.markets[0].energy.price_per_mwh.values[0] == 10
    assert any("problem.markets[1].energy.price_per_mwh: stays as it is, for 'forward' is cleared" in w for w in words)


def test_the_currency_must_be_that_of_the_request(tmp_path):
    request = day_request()
    reserve(request, "de/afrr-up")
    request.problem.currency_code = "USD"
    with pytest.raises(InvalidFileError, match="is in EUR, the request in USD"):
        put_prices(request, written(tmp_path, csv_of(AFRR_HEADER, afrr_rows(DAY))))


def test_the_answer_says_where_everything_came_from(tmp_path, capsys):
    request = day_request()
    reserve(request, "de/afrr-up")
    prices = written(tmp_path, a44(hours(10)), "prices.xml")
    results = written(tmp_path, csv_of(AFRR_HEADER, afrr_rows(DAY)), "results.csv")
    path, plan = written(tmp_path, response_to_json(request), "request.json"), tmp_path / "plan.json"
    words = ["plan", str(path), "--prices", str(prices), "--prices", str(results), "-o", str(plan)]
    assert cli.main(words) == 0
    answer = message_from_json(pb.ScheduleResponse, plan.read_bytes(), "plan")
    assert [source.field for source in answer.sources] == [
        "problem.markets[0].energy.price_per_mwh",
        "problem.markets[1].reserve.blocks",
        "problem.markets[1].reserve.ref",
    ]
    assert "prices.xml" in answer.sources[0].source and "results.csv" in answer.sources[1].source
    assert answer.sources[2].source == "de/afrr-up, rules from 2025-09-03"
    assert list(answer.sources[2].unsourced) == ["hold_minutes", "step_kw"]
    out = capsys.readouterr().out
    assert "\nData\n problem.markets[0].energy.price_per_mwh: DE-LU day-ahead price of prices.xml" in out
    assert "NOT SOURCED, check them: hold_minutes, step_kw" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 100
    assert cli.main(["audit", str(path), str(plan), "--prices", str(prices), "--prices", str(results)]) == 0


def test_a_named_product_plans_as_the_spelled_out_one(tmp_path):
    spelled, named = day_request(), day_request()
    for request, ref in ((spelled, False), (named, True)):
        market = reserve(request, "de/afrr-up")
        put_prices(request, written(tmp_path, csv_of(AFRR_HEADER, afrr_rows(DAY))))
        if not ref:
            market.spec.direction, market.spec.response, market.spec.pricing = 1, 1, 1
            market.spec.full_activation_seconds, market.spec.hold_minutes = 300, 60
            market.spec.smallest_bid_kw = market.spec.step_kw = 1000
    first, second = make_plan(spelled), make_plan(named)
    assert first.objective == second.objective
    assert first.response.plan_digest == second.response.plan_digest
    assert not first.response.sources or {source.field for source in first.response.sources} == {
        "problem.markets[1].reserve.blocks"
    }


def test_lists(capsys):
    assert cli.main(["formats"]) == 0
    assert "ENTSO-E prices, A44\n" in capsys.readouterr().out
    assert cli.main(["products"]) == 0
    assert "de/fcr               from 2020-07-01  Frequency" in capsys.readouterr().out
    assert cli.main(["products", "de/mfrr-up"]) == 0
    out = capsys.readouterr().out
    assert "full_activation_seconds  750          regelleistung.net: mFRR" in out
    assert "step_kw                  1000         NOT SOURCED" in out
    assert cli.main(["products", "de/nothing"]) == 2
    assert "de/nothing: no such product" in capsys.readouterr().err
