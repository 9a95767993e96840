"""Single large units with reserve in PyPSA: committable components, and reserve as custom rows in linopy.

Runs in PyPSA's own environment, apart from the scheduler: python pypsa_lumpy.py PROBLEM.json RESULT.json. Units are
committable generators of sign -1 (what they take), so minimum times, starts and their cost are PyPSA's own rows;
machines that back reserve, the MW that they hold and the offers are added to its linopy model, whole arrays at a time.
Handed to HiGHS directly, without a file in between, with the options in the problem.
"""

# mypy: ignore-errors
from __future__ import annotations

import json
import logging
import math
import sys
import time
from importlib.metadata import version
from pathlib import Path

import highspy
import linopy
import numpy as np
import pandas as pd
import pypsa
import xarray as xr

LONG_AGO = 10_000  # intervals: units have been where they are for as long as they need to


def main(source: str, target: str) -> None:
    """Builds, solves and writes what came of it."""
    for name in ("pypsa", "linopy"):
        logging.getLogger(name).setLevel(logging.WARNING)
    given = json.loads(Path(source).read_text("utf-8"))
    started = time.perf_counter()
    network = build(given)
    built = time.perf_counter()
    network.optimize.solve_model(solver_name="highs", io_api="direct", log_to_console=False, **given["options"])
    solved = time.perf_counter()
    info = network.model.solver_model.getInfo()
    result = {
        "build_seconds": built - started,
        "solve_seconds": solved - built,
        "objective": -info.objective_function_value,
        "bound": -info.mip_dual_bound,
        "stopped": network.model.solver_model.getModelStatus() == highspy.HighsModelStatus.kTimeLimit,
        "columns_count": int(network.model.nvars),
        "rows_count": int(network.model.ncons),
        "versions": {name: version(name) for name in ("pypsa", "linopy", "highspy", "pandas", "numpy")},
    }
    Path(target).write_text(json.dumps(result), "utf-8")


def build(given: dict) -> pypsa.Network:
    """The network with its linopy model."""
    hours = given["step_minutes"] / 60
    income = np.array(given["income_per_ths_h"])
    assert (income == income[0]).all(), "a start costs the same at any time"
    units = pd.DataFrame(given["units"]).set_index("id").rename_axis("name")
    run, rest = intervals(units.run_minutes, given), intervals(units.rest_minutes, given)
    start_seconds, stop_seconds = (intervals(units[name] / 60, given) for name in ("start_seconds", "stop_seconds"))
    lost_hours = np.minimum(units.start_seconds / 3600, hours)
    assert (units.start_seconds <= 3600 * hours).all() and (units.stop_seconds <= 3600 * hours).all()

    network = pypsa.Network()
    network.set_snapshots(range(len(income)))
    network.snapshot_weightings = network.snapshot_weightings.astype(float) * hours
    network.add("Bus", "site")
    price = np.array(given["price_per_mwh"]) + np.array(given["fee_per_mwh"])
    network.add("Generator", "grid", bus="site", p_nom=float(units.mw.sum()), marginal_cost=price)
    network.add(
        "Generator",
        units.index,
        bus="site",
        sign=-1.0,
        committable=True,
        p_nom=units.mw,
        p_min_pu=1.0,
        marginal_cost=-units.hashrate_ths * income[0] / units.mw,
        start_up_cost=units.start_cost + lost_hours * units.hashrate_ths * income[0],
        min_up_time=np.maximum(1, np.maximum(run, start_seconds)),
        min_down_time=np.maximum(1, np.maximum(rest, stop_seconds)),
        up_time_before=np.where(units.initially_full, LONG_AGO, 0),
        down_time_before=np.where(units.initially_full, 0, LONG_AGO),
    )
    model = network.optimize.create_model()
    for product in given["products"]:
        add_reserve(model, given, units, product)
    return network


def intervals(minutes: pd.Series, given: dict) -> np.ndarray:
    """Whole intervals that cover some minutes."""
    return np.ceil(minutes / given["step_minutes"] - 1e-9).clip(lower=0).astype(int).to_numpy()


def add_reserve(model: linopy.Model, given: dict, units: pd.DataFrame, product: dict) -> None:
    """Units that stand behind a product, what they hold, offers in whole MW, and the money of it."""
    up, limit = product["up"], product["full_activation_seconds"]
    name = "up" if up else "down"
    move = units.stop_seconds if up else units.start_seconds
    dwell_after = units.rest_minutes if up else units.run_minutes
    fits = (move <= limit) & (60 * dwell_after <= 60 * product["shortest_call_minutes"] + limit)
    own = units[fits]
    snapshots = model.variables["Generator-status"].indexes["snapshot"]
    coords = [snapshots, pd.Index(own.index, name="name")]
    back = model.add_variables(binary=True, coords=coords, name=f"back_{name}")
    held = model.add_variables(lower=0, coords=coords, name=f"held_{name}")
    mw = xr.DataArray(own.mw, dims="name")
    model.add_constraints(held - mw * back <= 0, name=f"step_{name}")

    status = model.variables["Generator-status"].sel(name=own.index)
    entered = model.variables["Generator-start_up" if up else "Generator-shut_down"].sel(name=own.index)
    dwell = own.run_minutes if up else own.rest_minutes
    other = own.start_seconds if up else own.stop_seconds
    barred = np.maximum(intervals(dwell, given), intervals((other - (limit - move[fits])) / 60, given))
    still = sum(
        (entered.shift(snapshot=steps).where(xr.DataArray(barred > steps, dims="name", coords={"name": own.index})))
        for steps in range(int(barred.max(initial=0)))
    )
    # behind a unit that runs (up) or rests (down), and has done so for long enough
    if up:
        model.add_constraints(back + still - status <= 0, name=f"ready_{name}")
    else:
        model.add_constraints(back + still + status <= 1, name=f"ready_{name}")
    if up:  # the meter never turns around
        takes = model.variables["Generator-p"].sel(name=units.index).sum("name")
        model.add_constraints(takes - held.sum("name") >= 0, name="export")

    blocks = product["blocks"]
    room = math.floor(own.mw.sum() + 1e-9)
    names = pd.Index(range(len(blocks)), name="block")
    offer = model.add_variables(lower=0, upper=room, integer=True, coords=[names], name=f"offer_{name}")
    block_of = np.repeat(np.arange(len(blocks)), [block["end"] - block["first"] for block in blocks])
    assert len(block_of) == len(snapshots), "blocks follow one another"
    each = offer.sel(block=xr.DataArray(block_of, dims="snapshot", coords={"snapshot": snapshots}))
    model.add_constraints(held.sum("name") - each == 0, name=f"held_{name}")

    hours = given["step_minutes"] / 60
    income = given["income_per_ths_h"][0]
    share, calls = np.array(product["expected_frac"]), np.array(product["calls_per_hour"])
    lost_hash = own.hashrate_ths.to_numpy() * own.start_seconds.to_numpy() / 3600  # there or on the way back
    of_machine = np.outer(share, (-1 if up else 1) * own.hashrate_ths) - np.outer(calls, lost_hash)
    of_machine = of_machine * income * hours - np.outer(calls, own.start_cost) * hours
    per_mw = of_machine / own.mw.to_numpy() + (np.array(product["price_per_mwh"]) * share * hours)[:, None]
    paid = [block["price_per_mw_h"] * (block["end"] - block["first"]) * hours for block in blocks]
    earned = (held * xr.DataArray(per_mw, coords=coords)).sum() + (offer * xr.DataArray(paid, coords=[names])).sum()
    model.objective = model.objective.expression - earned


if __name__ == "__main__":
    main(*sys.argv[1:])
