"""Obligations that cannot be met, in a trader's words: what is missing, what clashes, the cheapest way out.

Formulation 8. Everything here asks the model of changed problems; the model knows nothing of it. Imported only where a
conflict was found, because it brings the model's libraries along.
"""

from scheduler.conflict.explain import Explanation, explain
from scheduler.conflict.no_plan import why_no_plan

__all__ = ["Explanation", "explain", "why_no_plan"]
