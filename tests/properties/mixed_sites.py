"""Small random requests of sites with everything: islands, cleared days, awards, heat, peaks; named by their seed."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from scheduler.v1 import problem_pb2 as pb
from scheduler.v1 import scheduler_pb2
from tools.fixtures.build import (
    DOWN,
    SYMMETRIC,
    UP,
    Grid,
    activation,
    award,
    battery,
    block,
    boiler,
    dry_cooler,
    energy,
    energy_cleared,
    firm_load,
    full,
    generator,
    heat_demand,
    heat_store,
    island,
    moves,
    off,
    product,
    renewable,
    request,
    reserve,
    site,
)
from tools.fixtures.tiny import MW, THS, unit


def mixed_request(seed: int, machine_count: int = 4) -> scheduler_pb2.ScheduleRequest:
    """Groups of so many machines, 4 MW in all: few are lumpy, many are rounded."""
    return _Mixed(seed, machine_count).request(seed)


class _Mixed:
    def __init__(self, seed: int, machine_count: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.machine_count = machine_count
        self.count = int(self.pick(4, 6, 8))
        self.grid = Grid("2026-06-14T22:00", int(self.pick(15, 60)), self.count)

    def maybe(self, chance: float) -> bool:
        return bool(self.rng.random() < chance)

    def pick(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def halves(self, low: int, high: int) -> list[float]:
        """A series of half MW."""
        return (self.rng.integers(2 * low, 2 * high + 1, self.count) / 2).tolist()

    def assets(self, at: str) -> Iterator[pb.Asset]:
        """Machines, and each other kind of asset with a chance."""
        grid, share = self.grid, 4 / self.machine_count
        yield unit(
            self.machine_count,
            self.pick("full", "off"),
            id=f"{at}-unit",
            heat=self.pick(0.0, 0.5, 1.0),
            frac=self.pick(None, 0.9),
            modes=[off(dwell=self.pick(0.0, 30.0)), full(share * MW, share * THS, self.pick(0.0, 30.0))],
            ways=moves("off>full", "full>off", seconds=self.pick(0.0, 60.0, 300.0)),
        )
        if self.maybe(0.4):
            yield firm_load(grid, self.halves(0, 3), id=f"{at}-hall")
        if self.maybe(0.4):
            yield renewable(grid, self.halves(0, 4), id=f"{at}-solar", curtailable=self.pick(None, None, False))
        if self.maybe(0.4):
            yield battery(
                self.pick(0.5, 2.0, 4.0),
                self.pick(0.5, 1.0, 2.0),
                id=f"{at}-battery",
                initial_mwh=0.5,
                both_frac=self.pick((1.0, 1.0), (0.9, 0.95)),
                end_mwh=self.pick(None, 0.0, 0.5),
                end_value=30,
                wear=self.pick(0.0, 2.0),
                seconds=self.pick(0.0, 100.0),
            )
        if self.maybe(0.4):
            yield self.engine(at)
        if self.maybe(0.4):
            yield from self.heat(at)

    def engine(self, at: str) -> pb.Asset:
        return generator(
            self.grid,
            2,
            self.pick(30.0, 90.0),
            id=f"{at}-engine",
            min_mw=self.pick(0.0, 1.0),
            start_cost=self.pick(0.0, 10.0),
            run=self.pick(0.0, 60.0),
            rest=self.pick(0.0, 45.0),
            running=self.maybe(0.5),
            since=self.pick(0.0, 600.0),
        )

    def heat(self, at: str) -> Iterator[pb.Asset]:
        least = self.halves(0, 1)
        wanted = (np.array(least) + self.rng.integers(0, 2, self.count)).tolist()
        floor = least if self.maybe(0.5) else None
        yield heat_demand(self.grid, wanted, self.pick(0.0, 25.0), least_mw=floor, id=f"{at}-network")
        if self.maybe(0.5):
            yield heat_store(2, 1, initial_mwh=1, loss=0.01, end_value=10, id=f"{at}-tank")
        if self.maybe(0.7):
            yield boiler(self.grid, 2, 60, electric=self.pick(0.0, 0.0, 1.0), id=f"{at}-boiler")
        if self.maybe(0.5):
            yield dry_cooler(self.grid, self.pick(1.0, 3.0), id=f"{at}-cooler")

    def sites(self) -> Iterator[pb.Site]:
        yield site(
            self.grid,
            self.assets("a"),
            id="a",
            import_mw=self.pick(None, self.halves(1, 5)),
            export_mw=self.pick(None, 2.0, self.halves(0, 2)),
            ramp=self.pick(None, None, 0.5),
            fee=self.pick(None, 5.0),
            fee_on_activated=self.maybe(0.3),
            peak=pb.PeakCharge(price_per_mw=20, reached_mw=1) if self.maybe(0.3) else None,
        )
        if self.maybe(0.3):
            yield site(self.grid, self.assets("b"), id="b", export_mw=self.pick(None, 2.0))
        if self.maybe(0.3):
            yield island(self.grid, self.assets("c"), id="c")

    def energy(self) -> pb.Market:
        price = self.rng.choice([-40.0, 0.0, 20.0, 55.0, 90.0], self.count)
        if self.maybe(0.7):
            return energy(self.grid, price.tolist())
        return energy_cleared(
            self.grid,
            price.tolist(),
            self.halves(0, 3),
            long=(price - 10).tolist(),
            short=(price + 10).tolist(),
            max_deviation_mw=self.pick(1.0, 3.0, 6.0),
        )

    def reserves(self) -> Iterator[pb.Market]:
        for name, direction in (("up", UP), ("down", DOWN), ("both", SYMMETRIC)):
            if self.maybe(0.5):
                continue
            spec = product(
                direction,
                self.pick(30.0, 300.0),
                hold=self.pick(0.0, 15.0, 60.0),
                call=self.pick(None, None, 30.0),
                max_step_mw=5,
                smallest=500,
                step=500,
            )
            won = [award(self.pick(500, 1000, 2000), 5, penalty=50, buy_back=self.pick(None, 8.0))]
            expected = activation(self.grid, self.pick(0.0, 0.1), price=self.pick(0.0, 60.0))
            middle = self.count // 2
            blocks = [
                block(self.grid, "first", 0, middle, self.pick(2.0, 15.0), awards=won if self.maybe(0.5) else []),
                block(self.grid, "second", middle, self.count, self.pick(2.0, 15.0)),
            ]
            up, down = (expected if direction != other else None for other in (DOWN, UP))
            yield reserve(name, spec, blocks, up=up, down=down)

    def request(self, seed: int) -> scheduler_pb2.ScheduleRequest:
        markets = [self.energy(), *self.reserves()]
        return request(f"mixed-{seed}", self.grid, list(self.sites()), markets, hashprice=24)
