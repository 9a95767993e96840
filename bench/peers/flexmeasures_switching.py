"""Units that are on or off behind one connection in FlexMeasures: its device scheduler, a power band for each mode.

Runs in FlexMeasures' own environment, apart from the scheduler: python flexmeasures_switching.py PROBLEM.json
RESULT.json SOLVER. SOLVER is `highspy`, its default, which hands the problem to HiGHS itself, or `appsi_highs`, by
Pyomo. What is stored does not matter here, so no device has a limit on it. It asks HiGHS for more precision than we
do; the options of the problem say the same for both.
"""

# mypy: ignore-errors
from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import highspy
import numpy as np
import pandas as pd
from flask import Flask
from flexmeasures.data.models.planning import FlowCommitment
from flexmeasures.data.models.planning.linear_optimization import device_scheduler


class Clock:
    """How long HiGHS ran, and what it knows at the end."""

    seconds = 0.0
    bound = None
    stopped = False
    columns_count = rows_count = 0


def counted(run):
    """`highspy.Highs.run`, counted."""

    def wrapped(self, *args):
        started = time.perf_counter()
        status = run(self, *args)
        Clock.seconds += time.perf_counter() - started
        Clock.bound = -self.getInfo().mip_dual_bound
        Clock.stopped = self.getModelStatus() == highspy.HighsModelStatus.kTimeLimit
        Clock.columns_count, Clock.rows_count = self.getNumCol(), self.getNumRow()
        return status

    return wrapped


def main(source: str, target: str, solver: str) -> None:
    """Builds, solves and writes what came of it."""
    given = json.loads(Path(source).read_text("utf-8"))
    app = Flask("bench")
    app.config.update(LOGGING_LEVEL="INFO", FLEXMEASURES_LP_SOLVER=solver)
    app.config.update(FLEXMEASURES_LP_SOLVER_OPTIONS=options(given))
    highspy.Highs.run = counted(highspy.Highs.run)
    with app.app_context():
        started = time.perf_counter()
        power, cost, _, _ = device_scheduler(**problem(given))
        whole = time.perf_counter() - started
    assert len(power) == len(given["units"])
    result = {
        "build_seconds": whole - Clock.seconds,
        "solve_seconds": Clock.seconds,
        "objective": -cost,
        "bound": Clock.bound,
        "stopped": Clock.stopped,
        "columns_count": Clock.columns_count,
        "rows_count": Clock.rows_count,
        "versions": {name: version(name) for name in ("flexmeasures", "pyomo", "highspy", "pandas", "numpy")},
    }
    Path(target).write_text(json.dumps(result), "utf-8")


def options(given: dict) -> dict:
    """Those of the problem, and HiGHS' own tolerances again."""
    tolerances = ("primal_feasibility_tolerance", "dual_feasibility_tolerance", "mip_feasibility_tolerance")
    return given["options"] | dict.fromkeys(tolerances[:2], 1e-7) | {tolerances[2]: 1e-6}


def problem(given: dict) -> dict:
    """The arguments of the device scheduler: a device for each unit, flows in MW, prices per MW and step."""
    hours = given["step_minutes"] / 60
    count = len(given["price_per_mwh"])
    index = pd.date_range(given["start_utc"], periods=count, freq=f"{given['step_minutes']}min")
    columns = ["min", "max", "equals", "derivative equals", "derivative down efficiency", "derivative up efficiency"]
    devices = []
    for unit in given["units"]:
        constraints = pd.DataFrame(np.nan, index=index, columns=columns)
        devices.append(constraints.assign(**{"derivative min": 0.0, "derivative max": unit["mw"], "stock delta": 0.0}))
    connection = pd.DataFrame({"derivative min": 0.0, "derivative max": given["import_limit_mw"]}, index=index)
    price = (np.array(given["price_per_mwh"]) + np.array(given["fee_per_mwh"])) * hours
    commitments = [flow("energy", pd.Series(price, index=index), index)]
    for number, unit in enumerate(given["units"]):
        worth = np.array(given["income_per_ths_h"]) * unit["hashrate_ths"] / unit["mw"] * hours
        commitments.append(flow(unit["id"], pd.Series(-worth, index=index), index, number))
    return {
        "device_constraints": devices,
        "ems_constraints": connection,
        "commitments": commitments,
        "initial_stock": 0,
        "device_power_bands": [[(0.0, 0.0), (unit["mw"], unit["mw"])] for unit in given["units"]],
    }


def flow(name: str, price: pd.Series, index: pd.DatetimeIndex, device: int | None = None) -> FlowCommitment:
    """What is paid for every MW, of all devices together or of one."""
    return FlowCommitment(
        name=name,
        index=index,
        quantity=0,
        upwards_deviation_price=price,
        downwards_deviation_price=price,
        device=None if device is None else pd.Series(device, index=index),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
