"""What mining earns: a hashprice, or the state of the network from which it follows (facts D1)."""

from __future__ import annotations

import math

import numpy as np

from scheduler.horizon import Horizon
from scheduler.problem import Floats, Mining
from scheduler.v1 import problem_pb2 as v1
from scheduler.wire.reader import MOST_DIFFICULTY, Reader, frozen
from scheduler.wire.series import required_series, series_from_pb, series_to_pb

HASHES_PER_PH = 1e15
SECONDS_PER_DAY = 86_400
HASHES_PER_BLOCK_AT_DIFFICULTY_1 = 2**32


def mining_from_pb(read: Reader, pb: v1.Mining, path: str) -> Mining:
    """What a hash earns in each interval."""
    match pb.WhichOneof("hashprice"):
        case "hashprice_per_ph_day":
            hashprice = series_from_pb(read, pb.hashprice_per_ph_day, f"{path}.hashprice_per_ph_day")
        case "bitcoin_network":
            read.aliases[f"{path}.hashprice_per_ph_day"] = f"{path}.bitcoin_network.btc_price"
            hashprice = _hashprice_of_network(read, pb.bitcoin_network, f"{path}.bitcoin_network")
        case _:
            read.refuse(f"{path}.hashprice", "required", "give hashprice_per_ph_day or bitcoin_network")
            hashprice = read.constant(0.0)
    return Mining(hashprice, read.number(pb, "pool_fee_frac", path))


def _hashprice_of_network(read: Reader, pb: v1.BitcoinNetwork, path: str) -> Floats:
    """[T] expected income per PH/s and day, before the pool fee."""
    btc_price = required_series(read, pb, "btc_price", path)
    difficulty = read.number(pb, "difficulty", path, MOST_DIFFICULTY)
    if difficulty <= 0:
        read.refuse(f"{path}.difficulty", "range", f"must be above 0, is {difficulty}")
    if not difficulty > 0:
        difficulty = math.inf
    subsidy_btc = read.required_number(pb, "subsidy_btc", path)
    fees_btc = read.number(pb, "fees_btc", path)
    for name, value in (("subsidy_btc", subsidy_btc), ("fees_btc", fees_btc)):
        if value < 0:
            read.refuse(f"{path}.{name}", "range", f"must be at least 0, is {value}")
    hashes_per_block = difficulty * HASHES_PER_BLOCK_AT_DIFFICULTY_1
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as not finite
        blocks_per_ph_day = np.float64(HASHES_PER_PH * SECONDS_PER_DAY) / hashes_per_block
        btc_per_ph_day = blocks_per_ph_day * (max(0.0, subsidy_btc) + max(0.0, fees_btc))
        return frozen(btc_per_ph_day * btc_price)


def mining_to_pb(mining: Mining, horizon: Horizon) -> v1.Mining:
    """As a hashprice, whatever it was computed from."""
    return v1.Mining(
        hashprice_per_ph_day=series_to_pb(mining.hashprice_per_ph_day, horizon),
        pool_fee_frac=mining.pool_fee_frac,
    )
