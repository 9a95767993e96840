"""What is told of a plan where it is asked for: the worth of its streams of money, and marginal values."""

from __future__ import annotations

from scheduler.errors import SolverError
from scheduler.explain.margins import margins
from scheduler.explain.streams import stream_worths
from scheduler.explanation import Explanation, StreamWorth
from scheduler.model.compile import Matrix
from scheduler.plan import Stream
from scheduler.problem import Floats
from scheduler.settings import SolveOptions

SHARE_FOR_MARGINS = 0.2
"""Of the time, what marginal values may take at most; the rest is for streams, each of which takes solves."""


def explain(matrix: Matrix, x: Floats, options: SolveOptions, seconds: float) -> Explanation:
    """The explanation of a solution, within about ``seconds``; what there is no time for is left out and said."""
    around = margins(matrix, x, SHARE_FOR_MARGINS * seconds) if seconds > 0 else None
    worths: list[StreamWorth] = []
    try:
        for worth in stream_worths(matrix, x, options, (1 - SHARE_FOR_MARGINS) * seconds):
            worths.append(worth)
    except SolverError:  # good to have: no plan is lost for their sake
        pass
    return Explanation(tuple(worths), around, len(worths) == streams_count(matrix))


def streams_count(matrix: Matrix) -> int:
    """How many streams there are, by kind and market."""
    streams: set[Stream] = {earning.stream for earning in matrix.ledger.earnings} | set(matrix.ledger.constants)
    return len({(stream.kind, stream.market_id) for stream in streams})
