"""What the scheduler knows, one line each: the field of the wire's oneof and the class that stands for it."""

from __future__ import annotations

from scheduler.assets.battery import Battery
from scheduler.assets.firm_load import FirmLoad
from scheduler.assets.generator import Generator
from scheduler.assets.miner_group import MinerGroup
from scheduler.assets.renewable import Renewable
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket

ASSETS = {
    "miner_group": MinerGroup,
    "firm_load": FirmLoad,
    "renewable": Renewable,
    "battery": Battery,
    "generator": Generator,
}
MARKETS = {
    "energy": EnergyMarket,
    "reserve": ReserveMarket,
}
