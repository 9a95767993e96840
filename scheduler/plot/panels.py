"""The panels of the picture. Each names what it draws (gid), so that a drawing can be compared by its structure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from scheduler.assets.miner_group import MinerGroup, MinerGroupPlan
from scheduler.markets.energy import EnergyMarket
from scheduler.markets.reserve import ReserveMarket
from scheduler.model.idioms import in_transit_frac
from scheduler.plan import CashKind, Plan
from scheduler.plot import style
from scheduler.plot.labels import LETTER_WIDTH, Band, label_bands, label_beside, size_points
from scheduler.problem import Direction, Floats, Problem, Stage
from scheduler.worth import frontier

W_PER_MW = 1e6
MOST_LAYERS_COUNT = 9
MOST_BREAK_EVENS_COUNT = 4
MOST_BARS_COUNT = 16
LEAST_BARS_COUNT = 11  # fewer leave room below
LEAST_MONEY = 0.005
HEADROOM = 0.08
LEAST_PRICE_SPAN = 20.0


@dataclass(frozen=True, eq=False)
class Layer:
    """MW to stack, [T], with how it is filled."""

    gid: str
    name: str
    mw: Floats
    colour: str
    hatch: str


def draw_price(axes: Axes, problem: Problem, plan: Plan, edges: Floats) -> None:
    """Prices of the energy markets; the break-even prices of the largest uses, where they lie among them."""
    markets = [market for market in problem.markets if isinstance(market, EnergyMarket)]
    if not markets:
        axes.set_xlim(edges[0], edges[-1])
        axes.set_yticks([])
        axes.set_title("Price: there is no market for energy")
        return
    names = []
    for i, market in enumerate(markets):
        price = market.price_per_mwh
        dashes = style.LINE_STYLES[i % len(style.LINE_STYLES)]
        _line(axes, edges, price, f"price-{market.id}", style.INK, 1.0 if i else 1.3, dashes)
        stage = "" if market.stage is Stage.OPEN else ", cleared"
        names.append((float(edges[-1]), float(price[-1]), f"{market.id}{stage}"))
    prices = np.concatenate([market.price_per_mwh for market in markets])
    low, high = float(prices.min()), float(prices.max())
    middle = (low + high) / 2
    half = (0.5 + HEADROOM) * max(high - low, LEAST_PRICE_SPAN)
    axes.set_ylim(middle - half, middle + half)
    axes.set_xlim(edges[0], edges[-1])
    if low < 0 < high:
        axes.axhline(0, color=style.INK, linewidth=0.5)
    for gid, name, level in _break_evens(problem, plan):
        if middle - half <= level.mean() <= middle + half:
            _line(axes, edges, level, gid, style.FAINT, 0.8, (0, (2, 2)))
            names.append((float(edges[-1]), float(level[-1]), name))
    dashed = "; dashed: what energy is worth to machines, fees deducted" if len(names) > len(markets) else ""
    axes.set_title(f"Price, {problem.currency_code}/MWh{dashed}")
    label_beside(axes, names)


def _break_evens(problem: Problem, plan: Plan) -> list[tuple[str, str, Floats]]:
    """Of the groups with most power: gid, name and [T] highest price at which a mode pays."""
    found = []
    for site, site_plan in zip(problem.sites, plan.sites, strict=True):
        for asset, asset_plan in zip(site.assets, site_plan.assets, strict=True):
            if not (isinstance(asset, MinerGroup) and isinstance(asset_plan, MinerGroupPlan)):
                continue
            modes = frontier(asset)
            for low, high in pairwise(modes):
                mwh = (high.power_w - low.power_w) / W_PER_MW
                worth = (high.hashrate_ths - low.hashrate_ths) / mwh * asset.mining(problem).income_per_ths_h
                level = np.asarray(worth - site.tariff.import_fee_per_mwh)
                name = f"{asset.id} {high.id}" if len(modes) > 2 else asset.id
                found.append((asset.machine_count * mwh, f"worth-{asset.id}-{high.id}", name, level))
    found.sort(key=lambda one: -one[0])
    return [(gid, name, level) for _, gid, name, level in found[:MOST_BREAK_EVENS_COUNT]]


def draw_dispatch(axes: Axes, problem: Problem, plan: Plan, edges: Floats) -> None:
    """Power by group and mode, stacked; what the meters show; the import limit, where it is near."""
    nothing = np.zeros(len(edges) - 1)
    taken, made = _dispatch_layers(problem, plan)
    bands = [*_stack(axes, edges, taken, nothing, 1), *_stack(axes, edges, made, nothing, -1)]
    grid = np.sum([site.grid_mw for site in plan.sites], axis=0)
    _line(axes, edges, grid, "grid", style.INK, 1.2)
    top = max([float(grid.max()), 1e-3, *(float(band.high.max()) for band in bands)])
    bottom = min([0.0, float(grid.min()), *(float(band.high.min()) for band in bands)])
    if bottom < 0:
        axes.axhline(0, color=style.INK, linewidth=0.6)
    limits = [site.connection.import_limit_mw for site in problem.sites if site.connection is not None]
    limit = np.sum(limits, axis=0) if limits else np.full(len(grid), np.inf)
    names = []
    if np.isfinite(limit).all() and limit.min() <= 1.6 * top:
        top = max(top, float(limit.max()))
        _line(axes, edges, limit, "import-limit", style.INK, 1.0, (0, (6, 2)))
        names.append((float(edges[-1]), float(limit[-1]), "import limit"))
    axes.set_ylim(bottom * (1 + HEADROOM), top * (1 + HEADROOM))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_title(f"Power by group and mode, MW{'; below 0: made' if made else ''}; line: from the grid")
    label_bands(axes, edges, bands)
    label_beside(axes, names)


def _dispatch_layers(problem: Problem, plan: Plan) -> tuple[list[Layer], list[Layer]]:
    """What is taken: other assets, then mining modes, the hungriest below, then all that rests; and what is made."""
    mining: list[Layer] = []
    taken: list[Layer] = []
    made: list[Layer] = []
    resting = np.zeros(problem.horizon.count)
    assets = [
        pair
        for site, site_plan in zip(problem.sites, plan.sites, strict=True)
        for pair in zip(site.assets, site_plan.assets, strict=True)
    ]
    for number, (asset, asset_plan) in enumerate(assets):
        colour = style.GROUP_COLOURS[number % len(style.GROUP_COLOURS)]
        if not (isinstance(asset, MinerGroup) and isinstance(asset_plan, MinerGroupPlan)):
            hatch = style.HATCHES[number % len(style.HATCHES)]
            power_mw = asset_plan.power_mw
            taken.append(Layer(f"dispatch-{asset.id}", asset.id, np.maximum(power_mw, 0.0), colour, hatch))
            made.append(Layer(f"made-{asset.id}", asset.id, np.maximum(-power_mw, 0.0), colour, hatch))
            continue
        power = _power_by_mode(asset, asset_plan, problem.horizon.step_seconds)
        by_power = sorted(zip(asset.modes, power, strict=True), key=lambda item: -item[0].power_w)
        modes = [item for item in by_power if not item[0].resting]
        for i, (mode, mw) in enumerate(modes):
            hatch = style.HATCHES[(number + i) % len(style.HATCHES)]
            name = f"{asset.id} {mode.id}" if len(modes) > 1 else asset.id
            mining.append(Layer(f"dispatch-{asset.id}-{mode.id}", name, mw, colour, hatch))
        resting += sum((mw for mode, mw in by_power if mode.resting), np.zeros(len(resting)))
    rest = Layer("dispatch-resting", "at rest", resting, style.REST_COLOUR, "")
    return [*_largest([*taken, *mining]), *_largest([rest])], _largest(made)


def _power_by_mode(group: MinerGroup, plan: MinerGroupPlan, step_seconds: float) -> Floats:
    """[modes, T] MW; machines on their way draw what the move draws, and count in the mode that they enter."""
    power = np.array([mode.power_w for mode in group.modes])[:, None] * plan.mode_count / W_PER_MW
    for move, made in zip(group.moves, plan.move_count, strict=True):
        target = group.mode_index[move.to_mode_id]
        if move.power_w is not None:
            for j, share in enumerate(in_transit_frac(move.seconds, step_seconds, power.shape[1])):
                before = made[: power.shape[1] - j] * share
                power[target, j:] += before * (move.power_w - group.modes[target].power_w) / W_PER_MW
    return power


def _largest(layers: list[Layer]) -> list[Layer]:
    """Those that take anything; of many, the largest, and the rest as one."""
    layers = [layer for layer in layers if np.abs(layer.mw).max() > 0]
    if len(layers) <= MOST_LAYERS_COUNT:
        return layers
    kept = set(sorted(range(len(layers)), key=lambda i: -np.abs(layers[i].mw).sum())[: MOST_LAYERS_COUNT - 1])
    rest = [layer for i, layer in enumerate(layers) if i not in kept]
    other = np.sum([layer.mw for layer in rest], axis=0)
    shown = [layer for i, layer in enumerate(layers) if i in kept]
    return [*shown, Layer("other", f"{len(rest)} others", other, style.OTHER_COLOUR, "")]


def _stack(axes: Axes, edges: Floats, layers: list[Layer], base: Floats, sign: int) -> list[Band]:
    """Draws layers on one another, up or down from a base."""
    bands = []
    for layer in layers:
        top = base + sign * layer.mw
        first = _changes(base, top)
        patch = axes.stairs(
            top[first],
            edges[[*first, len(top)]],
            baseline=base[first],
            fill=True,
            facecolor=layer.colour,
            edgecolor=style.INK,
            linewidth=0.4,
            hatch=layer.hatch or None,
        )
        patch.set_gid(layer.gid)
        bands.append(Band(layer.name, base, top))
        base = top
    return bands


def _changes(*series: Floats) -> list[int]:
    """The intervals in which any of them changes: no more is drawn, for the sake of the file's size."""
    changed = np.any([np.diff(values, prepend=np.nan) != 0 for values in series], axis=0)
    return [int(t) for t in np.flatnonzero(changed)]


def _line(axes: Axes, edges: Floats, values: Floats, gid: str, colour: str, width: float, dashes: Any = "-") -> None:
    first = _changes(values)
    line = axes.stairs(values[first], edges[[*first, len(values)]], baseline=None, color=colour, linewidth=width)
    line.set_linestyle(dashes)
    line.set_gid(gid)


def draw_reserve(axes: Axes, problem: Problem, plan: Plan, edges: Floats) -> None:
    """MW held by market, up above the line and down below it; white: what is missing of awards."""
    nothing = np.zeros(len(edges) - 1)
    product_of = {market.id: market.product for market in problem.markets if isinstance(market, ReserveMarket)}
    bands: list[Band] = []
    number = 0
    sides: dict[Direction, list[Layer]] = {Direction.UP: [], Direction.DOWN: []}
    for market in plan.markets:
        if not market.blocks:
            continue
        colour = style.RESERVE_COLOURS[number % len(style.RESERVE_COLOURS)]
        hatch = style.HATCHES[number % len(style.HATCHES)]
        number += 1
        missing = np.sum([mw for block in market.blocks for mw in block.missing_mw.values()] or [nothing], axis=0)
        directions = product_of[market.market_id].direction.parts
        for direction, layers in sides.items():
            held = np.sum([b.mw for b in market.backing if b.direction is direction] or [nothing], axis=0)
            name = f"{market.market_id} {direction.value}" if len(directions) > 1 else market.market_id
            layers.append(Layer(f"reserve-{market.market_id}-{direction.value}", name, held, colour, hatch))
            if direction in directions:
                name = f"{market.market_id} missing"
                layers.append(Layer(f"missing-{market.market_id}-{direction.value}", name, missing, "white", ""))
    for direction, sign in ((Direction.UP, 1), (Direction.DOWN, -1)):
        bands += _stack(axes, edges, _largest(sides[direction]), nothing, sign)
    axes.axhline(0, color=style.INK, linewidth=0.6)
    high = max([0.0, *(float(band.high.max()) for band in bands)])
    low = min([0.0, *(float(band.high.min()) for band in bands)])
    room = HEADROOM * max(high - low, 1.0)
    axes.set_ylim(low - (room if low < 0 else 0), high + (room if high > 0 or not low else 0))
    axes.set_xlim(edges[0], edges[-1])
    if not any(market.blocks for market in plan.markets):
        axes.set_yticks([])
        axes.set_title("Reserve held: there is no market for it")
        return
    idle = [m.market_id for m in plan.markets if m.blocks and not m.backing and not any(b.missing_mw for b in m.blocks)]
    note = f"; nothing held: {', '.join(idle)}" if idle else ""
    axes.set_title(f"Reserve held, MW; up: takes less, down: takes more{note}")
    label_bands(axes, edges, bands)


def draw_money(axes: Axes, problem: Problem, plan: Plan) -> None:
    """Money by stream and market as bars with their figures; received plain, paid hatched."""
    bars = _bars(plan)
    for row, (kind, market_id, amount) in enumerate(bars):
        received, is_total = amount >= 0, kind == "total"
        (bar,) = axes.barh(
            row,
            amount,
            height=0.62,
            facecolor=style.INK if is_total else style.RECEIVED_COLOUR if received else style.PAID_COLOUR,
            hatch=None if received or is_total else style.PAID_HATCH,
            edgecolor=style.INK,
            linewidth=0.4,
        )
        bar.set_gid(f"money-{kind.replace(' ', '_')}-{market_id}")
        axes.annotate(
            _figure(amount),
            xy=(amount, row),
            xytext=(3 if received else -3, 0),
            textcoords="offset points",
            ha="left" if received else "right",
            va="center",
            fontsize=style.SMALL_POINTS,
            fontweight="bold" if is_total else "normal",
        )
    least = min(0.0, *(amount for *_, amount in bars))
    most = max(0.0, *(amount for *_, amount in bars))
    words_points = [len(_figure(amount)) * LETTER_WIDTH * style.SMALL_POINTS + 6 for *_, amount in bars]
    width, _ = size_points(axes)
    room = (most - least or 1.0) / max(width - 2 * max(words_points), width / 4) * max(words_points)
    axes.set_xlim(least - (room if least < 0 else 0), most + room)
    axes.set_ylim(max(len(bars), LEAST_BARS_COUNT) - 0.4, -0.6)
    axes.set_yticks(range(len(bars)), [f"{kind}\n{market_id}" if market_id else kind for kind, market_id, _ in bars])
    axes.tick_params(axis="y", length=0, labelsize=style.SMALL_POINTS)
    axes.axvline(0, color=style.INK, linewidth=0.6)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.set_title(f"Money, {problem.currency_code}", loc="right")


def _bars(plan: Plan) -> list[tuple[str, str, float]]:
    """Kind of money, market, amount; of many, the largest; last the total."""
    totals: dict[tuple[int, str, str], float] = defaultdict(float)
    order = {kind: i for i, kind in enumerate(CashKind)}
    for cash in plan.cash:
        kind = cash.stream.kind
        totals[order[kind], kind.value.replace("_", " "), cash.stream.market_id] += cash.total
    bars = [(*key[1:], amount) for key, amount in sorted(totals.items()) if abs(amount) >= LEAST_MONEY]
    if len(bars) > MOST_BARS_COUNT:
        kept = sorted(bars, key=lambda bar: -abs(bar[2]))[: MOST_BARS_COUNT - 1]
        rest = sum(bar[2] for bar in bars if bar not in kept)
        bars = [*(bar for bar in bars if bar in kept), ("others", "", rest)]
    return [*bars, ("total", "", plan.objective)]


def _figure(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 100 else f"{amount:,.2f}"
