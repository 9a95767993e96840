"""Labels that stand where the thing is: inside a band where it is thick enough, else beside it with a thin line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from scheduler.plot.style import INK, SMALL_POINTS
from scheduler.problem import Floats

POINTS_PER_INCH = 72.0
LETTER_WIDTH = 0.62  # of the size of the font
LINE_HEIGHT = 1.5
BESIDE_POINTS = 16.0
WHITE = {"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": "none", "alpha": 0.92}


@dataclass(frozen=True, eq=False)
class Band:
    """An area between two lines over the intervals, [T] each, and its name."""

    name: str
    low: Floats
    high: Floats


def label_bands(axes: Axes, edges: Floats, bands: Iterable[Band]) -> None:
    """Names each band where it is thickest, once the limits of the axes stand; those that are too thin, beside them."""
    width, height = size_points(axes)
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    beside: list[tuple[float, float, str]] = []
    for band in bands:
        thickness = np.abs(band.high - band.low)
        if not thickness.any():
            continue
        words_points = len(band.name) * LETTER_WIDTH * SMALL_POINTS + SMALL_POINTS
        span = (right - left) * words_points / width
        tall = (top - bottom) * LINE_HEIGHT * SMALL_POINTS / height
        found = _roomiest(edges, band, span)
        if found is not None and found[2] >= tall:
            axes.text(
                found[0], found[1], band.name, ha="center", va="center", fontsize=SMALL_POINTS, color=INK, bbox=WHITE
            )
        else:
            last = len(thickness) - 1 - int(np.argmax(thickness[::-1] > 0.5 * thickness.max()))
            x = (edges[last] + edges[last + 1]) / 2
            beside.append((float(x), float((band.low[last] + band.high[last]) / 2), band.name))
    label_beside(axes, beside)


def label_beside(axes: Axes, points: list[tuple[float, float, str]]) -> None:
    """Names points (x, y) in the right margin, none over another, each with a thin line to its point."""
    _, height = size_points(axes)
    bottom, top = axes.get_ylim()
    _, right = axes.get_xlim()
    line = (top - bottom) * LINE_HEIGHT * SMALL_POINTS / height
    points = sorted(points, key=lambda point: point[1])
    for (x, y, name), at in zip(points, spread([y for _, y, _ in points], line, bottom, top), strict=True):
        axes.annotate(
            name,
            xy=(x, y),
            xytext=(right + (right - axes.get_xlim()[0]) * BESIDE_POINTS / size_points(axes)[0], at),
            ha="left",
            va="center",
            fontsize=SMALL_POINTS,
            color=INK,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.5,
                "color": INK,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )


def spread(wanted: list[float], least_distance: float, bottom: float, top: float) -> list[float]:
    """Places for rising wishes, so far apart and together as near as can be; within the limits where there is room."""
    clusters: list[tuple[float, int]] = []  # centre and size of runs that stand at the least distance
    for y in wanted:
        centre, size = y, 1
        while clusters and centre - clusters[-1][0] < least_distance * (size + clusters[-1][1]) / 2:
            before, many = clusters.pop()
            centre, size = (before * many + centre * size) / (many + size), many + size
        clusters.append((centre, size))
    places = [c + least_distance * (i - (size - 1) / 2) for c, size in clusters for i in range(size)]
    for i, y in enumerate(places):  # what lies below the bottom pushes up, then what lies above the top pushes down
        places[i] = max(y, bottom if not i else places[i - 1] + least_distance)
    limit = top
    for i in reversed(range(len(places))):
        places[i] = min(places[i], limit)
        limit = places[i] - least_distance
    return places


def size_points(axes: Axes) -> tuple[float, float]:
    """Width and height of axes in points."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "axes stand in a figure"
    per_dot = POINTS_PER_INCH / figure.dpi
    return float(axes.bbox.width * per_dot), float(axes.bbox.height * per_dot)


def _roomiest(edges: Floats, band: Band, span: float) -> tuple[float, float, float] | None:
    """Centre x and y of the stretch of that length in which a band is thickest all along, and how thick it is there."""
    low, high = np.minimum(band.low, band.high), np.maximum(band.low, band.high)
    best: tuple[float, float, float] | None = None
    for first in range(len(low)):
        last = int(np.searchsorted(edges, edges[first] + span - 1e-9))
        if last >= len(edges):
            break
        under, over = low[first:last].max(), high[first:last].min()
        if best is None or over - under > best[2] + 1e-9:
            best = (float((edges[first] + edges[last]) / 2), float((under + over) / 2), float(over - under))
    return best
