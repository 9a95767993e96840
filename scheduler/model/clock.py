"""What is left of a time limit, and whether any has decided something."""

from __future__ import annotations

import time


class Clock:
    """What is left of a time limit."""

    acted_count = 0
    """How often a time limit was over in this process, or ended a solver: where that shapes a plan, the same request
    may bring another one. Who runs beside others may see theirs too."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left_seconds(self) -> float:
        """Seconds until the end; negative when it is over."""
        left = self._end - time.monotonic()
        if left <= 0:
            Clock.note()
        return left

    @staticmethod
    def note() -> None:
        """Some time limit has decided something."""
        Clock.acted_count += 1
