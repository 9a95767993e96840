"""What the scheduler knows, one line each: the field of the wire's oneof and the class that stands for it."""

from __future__ import annotations

from scheduler.assets.battery import Battery
from scheduler.assets.boiler import Boiler
from scheduler.assets.cold_store import ColdStore
from scheduler.assets.dry_cooler import DryCooler
from scheduler.assets.firm_load import FirmLoad
from scheduler.assets.generator import Generator
from scheduler.assets.heat_demand import HeatDemand
from scheduler.assets.heat_store import HeatStore
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
    "heat_demand": HeatDemand,
    "heat_store": HeatStore,
    "boiler": Boiler,
    "dry_cooler": DryCooler,
    "cold_store": ColdStore,
}
MARKETS = {
    "energy": EnergyMarket,
    "reserve": ReserveMarket,
}
