"""Colours, hatches and line styles. Colours differ in lightness too, and no two neighbours share colour and hatch."""

from __future__ import annotations

from typing import Any

GROUP_COLOURS = ("#f2b134", "#b5563a", "#f7ddb0", "#6e3b3b", "#d9903d", "#e9c7a6", "#94755a")
RESERVE_COLOURS = ("#9cc3dd", "#2f6690", "#d5e5ef", "#16425b", "#5f9ea0", "#b8d8ba", "#81a4a6")
OTHER_COLOUR = "#c9c9c9"
REST_COLOUR = "#e4e4e4"
HATCHES = ("", "////", "\\\\\\\\", "xxx", "---", "|||", "+++")  # no dots: each is a curve, and the file grows
LINE_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
INK = "#1a1a1a"
FAINT = "#6f6f6f"
RECEIVED_COLOUR = "#7fb069"
PAID_COLOUR = "#d98e73"
PAID_HATCH = "////"

FONT_POINTS = 8.0
SMALL_POINTS = 7.0

RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "font.size": FONT_POINTS,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": FONT_POINTS + 1,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # an id may hold dollars
    "svg.fonttype": "none",  # text stays text: it is searched, and the file small
    "svg.hashsalt": "gridflex-scheduler",  # the same plan makes the same bytes
}
