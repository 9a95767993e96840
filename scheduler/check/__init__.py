"""The independent checker: re-checks plans by simulating them forward, and shares nothing with the model."""

from scheduler.check.audit import audit, money

__all__ = ["audit", "money"]
