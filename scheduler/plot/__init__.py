"""The picture of a plan: price and dispatch, reserve held, money. Readable when printed in black and white.

Needs matplotlib, the extra `plot`; nothing else of the package imports this.
"""

from scheduler.plot.figure import check_suffix, draw, write_picture

__all__ = ["check_suffix", "draw", "write_picture"]
