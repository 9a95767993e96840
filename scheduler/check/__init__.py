"""The independent checker: re-checks plans by simulating them forward, and shares nothing with the model."""

from scheduler.check.audit import Audit, audit, money

__all__ = ["Audit", "audit", "money"]
