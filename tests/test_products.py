"""The product table: sound, dated, sourced; what a request can name."""

import shutil
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest
from builders import tiny_request_pb

from scheduler import cli, make_plan
from scheduler import products as table
from scheduler.formats import ercot, mimer, neso_eac, regelleistung
from scheduler.problem import Direction
from scheduler.product import Pricing, Product, Response
from scheduler.products import (
    CALENDAR,
    RULES,
    UNSOURCED,
    ProductTableError,
    UnknownProductError,
    product_of,
    products,
    rows_of,
)
from scheduler.wire.json import response_to_json
from scheduler.wire.problem import problem_to_pb
from scheduler.wire.request import schedule_request_from_pb

DAY = date(2026, 11, 23)
WANTED = {
    "de": "fcr afrr-up afrr-down afrr-energy-up afrr-energy-down mfrr-up mfrr-down mfrr-energy-up mfrr-energy-down",
    "at": "fcr afrr-up afrr-down afrr-energy-up afrr-energy-down mfrr-up mfrr-down mfrr-energy-up mfrr-energy-down",
    "se": "fcr-n fcr-d-up fcr-d-down fcr-d-static-up ffr afrr-up afrr-down mfrr-up mfrr-down",
    "fi": "fcr-n fcr-d-up fcr-d-down fcr-d-static-up ffr afrr-up afrr-down mfrr-up mfrr-down",
    "no": "fcr-n fcr-d-up fcr-d-down fcr-d-static-up ffr afrr-up afrr-down mfrr-up mfrr-down",
    "dk2": "fcr-n fcr-d-up fcr-d-down fcr-d-static-up ffr afrr-up afrr-down mfrr-up mfrr-down",
    "gb": "dc-low dc-high dm-low dm-high dr-low dr-high qr-up qr-down br-up br-down",
    "ercot": "reg-up reg-down rrs rrs-ffr ecrs non-spin",
}
ROWS = [row for rows in products().values() for row in rows]


@pytest.mark.parametrize("name", [f"{zone}/{name}" for zone, names in WANTED.items() for name in names.split()])
def test_what_a_desk_bids_into_can_be_named(name):
    assert product_of(name, DAY).name == name


@pytest.mark.parametrize("name", products())
def test_a_request_can_name_every_product(name):
    request = tiny_request_pb()
    market = request.problem.markets.add(id="r", open={})
    market.reserve.ref.name, market.reserve.ref.delivery_date = name, "2026-01-15"
    _, problem, _ = schedule_request_from_pb(request)
    assert problem.markets[1].product == product_of(name, date(2026, 1, 15)).product
    spelled = problem_to_pb(problem).markets[1].reserve.spec
    request.problem.markets[1].reserve.spec.CopyFrom(spelled)
    assert schedule_request_from_pb(request)[1].markets[1].product == problem.markets[1].product


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_figure_has_a_source_or_says_that_it_has_none(row):
    assert tuple(row.product.violations("")) == ()
    assert set(row.figures) <= {*RULES, *CALENDAR, "valid_from"}
    for name, (value, source) in row.figures.items():
        assert value is not None and len(source) > 8, name
        assert (source == UNSOURCED) == (name in row.unsourced)
        if name in RULES:
            assert getattr(row.product, name) == value
    assert 0 < row.block_minutes <= 24 * 60
    if row.product.response is Response.SIGNAL:
        assert {"shortest_call_minutes", "rest_minutes"}.isdisjoint(row.figures), "belong to called products"


def test_figures_of_the_fact_sheet():
    """Facts B1 to B4."""

    def rules(name):
        product = product_of(name, DAY).product
        return product.full_activation_seconds, product.response.value, product.pricing.value, product.smallest_bid_kw

    assert rules("de/fcr") == (30, "signal", "as_cleared", 1000)
    assert rules("de/afrr-up") == rules("at/afrr-down") == (300, "signal", "as_bid", 1000)
    assert rules("de/mfrr-down") == (750, "called", "as_bid", 1000)
    assert rules("de/mfrr-energy-up") == (750, "called", "as_cleared", 1000)
    assert rules("se/fcr-d-static-up") == (7.5, "called", "as_cleared", 100)
    assert rules("fi/fcr-d-up") == (7.5, "signal", "as_cleared", 1000)
    assert rules("gb/dc-low") == (1, "signal", "as_cleared", 1000)
    assert rules("ercot/ecrs") == (600, "called", "as_cleared", 100)
    assert product_of("se/fcr-d-static-up", DAY).product.rest_minutes == 15
    assert product_of("ercot/non-spin", DAY).product.hold_minutes == 240
    assert product_of("gb/dm-high", DAY).product.direction is Direction.DOWN
    assert product_of("de/fcr", DAY).product.direction is Direction.SYMMETRIC


def test_rules_hold_from_their_day():
    assert product_of("de/mfrr-up", date(2022, 10, 4)).product.full_activation_seconds == 900
    assert product_of("de/mfrr-up", date(2022, 10, 5)).product.full_activation_seconds == 750
    assert product_of("de/afrr-up", date(2025, 9, 2)).valid_from < product_of("de/afrr-up", date(2025, 9, 3)).valid_from
    with pytest.raises(UnknownProductError, match="rules of de/fcr begin on 2020-07-01: spell them out for 2020-06-30"):
        product_of("de/fcr", date(2020, 6, 30))
    with pytest.raises(UnknownProductError, match="no product 'de/afr-up': de/afrr-up"):
        product_of("de/afr-up", DAY)


def test_files_of_results_name_products_as_the_table_does():
    """Every result of GB and ERCOT and both of Sweden finds its product; slow reserve of GB has no rules here."""
    german = {("DE", name) for name in regelleistung.PRODUCTS}
    swedish = {("SE", product) for product, _, _ in mimer.PRODUCTS.values()}
    british = {("GB", product) for product, _ in neso_eac.PRODUCTS.values()}
    texan = {("ERCOT", product) for product, _ in ercot.SERVICES.values()}
    named = {(row.area, row.result) for row in ROWS if row.result}
    assert german | swedish | texan | british - {("GB", "SR")} <= named


GOOD = """
[sources]
s = "a document of ours"
[[product]]
zones = ["xx"]
names = { up = "new-up", down = "new-down" }
title = "A product of ours"
valid_from = [2026-01-01, "s"]
full_activation_seconds = [60, "s"]
hold_minutes = [15, "unsourced"]
response = ["called", "s"]
smallest_bid_kw = [500, "s"]
step_kw = [100, "s"]
pricing = ["as_bid", "s"]
block_minutes = [60, "s"]
"""


def test_a_new_product_is_data_alone():
    up, down = rows_of(GOOD, "xx.toml")
    assert (up.name, down.name, up.area, up.result) == ("xx/new-up", "xx/new-down", "XX", "")
    assert down.product == Product(Direction.DOWN, 60, 15, Response.CALLED, 500, 100, Pricing.AS_BID)
    assert up.unsourced == ("hold_minutes",)


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The table with one file more in its folder, and nothing else."""
    for file in Path(table.__file__).parent.glob("*.toml"):
        shutil.copy(file, tmp_path)
    (tmp_path / "xx.toml").write_text(GOOD)
    monkeypatch.setattr(table, "files", lambda _: tmp_path)
    products.cache_clear()
    yield
    products.cache_clear()


def test_a_new_product_is_planned_validated_reported_and_bid_without_code(added, tmp_path, capsys):
    """From a file in the table's folder to the plan, its sources, the picture of its figures and a file of its bids."""
    request = tiny_request_pb()
    group = request.problem.sites[0].assets[0].miner_group
    group.machine_count = group.initial_cohorts[0].count = 500  # 1.75 MW: seventeen steps of 0.1
    market = request.problem.markets.add(id="new", open={})
    market.reserve.ref.name, market.reserve.ref.delivery_date = "xx/new-up", "2026-01-15"
    start = request.problem.horizon.start.ToDatetime(UTC)
    block = market.reserve.blocks.add(id="first", capacity_price_per_mw_h=500.0)
    block.start.FromDatetime(start)
    block.end.FromDatetime(start + timedelta(hours=1))
    result = make_plan(request)
    offered = result.blocks().set_index(["market_id", "block_id"])["offered_mw"]
    assert offered["new", "first"] == pytest.approx(1.7)
    assert any(cash.stream.market_id == "new" and cash.total > 0 for cash in result.plan.cash)
    (source,) = (one for one in result.response.sources if "xx/new-up" in one.source)
    assert source.field == "problem.markets[1].reserve.ref" and list(source.unsourced) == ["hold_minutes"]
    assert cli.main(["products", "xx/new-up"]) == 0
    printed = capsys.readouterr().out
    assert "hold_minutes" in printed and "NOT SOURCED" in printed and "a document of ours" in printed
    paths = [tmp_path / name for name in ("request.json", "plan.json", "bids.csv")]
    for path, message in zip(paths, (request, result.response), strict=False):
        path.write_text(response_to_json(message))
    words = ["write", "capacity-bids", *map(str, paths[:2]), "-o", str(paths[2]), "--type", "mFRR"]
    assert cli.main(words) == 0
    assert "POS_" in paths[2].read_text()


def test_figures_without_a_source_are_marked_where_a_user_sees_them(tmp_path, capsys):
    """In the report, in the JSON of the answer, in `scheduler products`, short and long."""
    request = tiny_request_pb()
    market = request.problem.markets.add(id="fcr", open={})
    market.reserve.ref.name, market.reserve.ref.delivery_date = "de/fcr", "2026-01-15"
    wanted = product_of("de/fcr", date(2026, 1, 15)).unsourced
    assert wanted
    path = tmp_path / "request.json"
    path.write_text(response_to_json(request))
    assert cli.main(["plan", str(path), "-o", str(tmp_path / "plan.json"), "--quiet"]) == 0
    report = capsys.readouterr().out
    answer = (tmp_path / "plan.json").read_text()
    assert cli.main(["products"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("de/fcr "))
    assert cli.main(["products", "de/fcr"]) == 0
    figures = [line.split() for line in capsys.readouterr().out.splitlines() if line.endswith("NOT SOURCED")]
    assert [words[0] for words in figures] == list(wanted)
    assert line.endswith(f"NOT SOURCED: {', '.join(wanted)}")
    for name in wanted:
        assert name in report and f'"{name}"' in answer


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('[15, "unsourced"]', '[15, "elsewhere"]', "hold_minutes must be .value, source."),
        ('[15, "unsourced"]', "15", "hold_minutes must be .value, source."),
        ('[60, "s"]', '["fast", "s"]', "full_activation_seconds must be float, is 'fast'"),
        ('[60, "s"]', '[0, "s"]', "full_activation_seconds: must be finite and above 0"),
        ('[500, "s"]', '[0.5, "s"]', "smallest_bid_kw must be int, is 0.5"),
        ('["called", "s"]', '["loud", "s"]', "response must be one of signal, called"),
        ("up =", "sideways =", "'sideways' is no direction"),
        ("hold_minutes", "holdminutes", "holdminutes is no figure"),
        ('hold_minutes = [15, "unsourced"]', "", "lacks hold_minutes"),
        ('title = "A product of ours"', "", "lacks title"),
        ('s = "a document of ours"', 's = "a"\nt = "b"', "no figure names the sources t"),
        ("[sources]", "[other]\n[sources]", "holds more than sources and product"),
        ("[[product]]", "[[product", "xx.toml: "),
    ],
)
def test_files_that_are_not_sound(before, after, message):
    assert before in GOOD
    with pytest.raises(ProductTableError, match=message):
        list(rows_of(GOOD.replace(before, after, 1), "xx.toml"))
