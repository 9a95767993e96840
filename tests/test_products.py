"""The product table: sound, dated, sourced; what a request can name."""

from datetime import date

import pytest
from builders import tiny_request_pb

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
from scheduler.wire.problem import problem_to_pb
from scheduler.wire.request import schedule_request_from_pb

DAY = date(2026, 11, 23)
WANTED = {
    "de": "fcr afrr-up afrr-down afrr-energy-up afrr-energy-down mfrr-up mfrr-down mfrr-energy-up mfrr-energy-down",
    "at": "fcr afrr-up afrr-down afrr-energy-up afrr-energy-down mfrr-up mfrr-down mfrr-energy-up mfrr-energy-down",
    "se": "fcr-n fcr-d-up fcr-d-down fcr-d-static-up ffr afrr-up afrr-down mfrr-up mfrr-down",
    "fi": "fcr-n fcr-d-up fcr-d-down fcr-d-static-up ffr afrr-up afrr-down mfrr-up mfrr-down",
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
