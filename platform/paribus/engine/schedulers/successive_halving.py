"""Synchronous successive halving."""

from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.halving import Geometric


@dataclass(frozen=True, kw_only=True)
class SuccessiveHalving(Geometric):
    """Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): when all trials are at a rung the best
    n / eta go on, at least one. Workers wait for the slowest; decisions don't depend on who came first.
    """

    name: ClassVar[str] = "successive_halving"
    waits: ClassVar[bool] = True
