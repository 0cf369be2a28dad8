"""The numbers that the environment sets, read and refused before anything is started or trained."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from paribus.study import StudyError

# Seconds between a trial's checkpoints; and how long the end of a study waits for an MLflow that is away, before it
# leaves the rest to the next command.
CHECKPOINT_S = ("PARIBUS_CHECKPOINT_S", 30.0)
DRAIN_S = ("PARIBUS_DRAIN_S", 90.0)
# For how long at least a study keeps a place of its cluster that others have a claim to.
TURN_S = ("PARIBUS_TURN_S", 300.0)
# What an hour costs here: of a GPU, and of a worker that has none. It is no part of a study, whose file goes to other
# machines, and whose identity, looks and verdicts must not change with an invoice.
GPU_PRICE, WORKER_PRICE = "PARIBUS_GPU_HOUR_PRICE", "PARIBUS_WORKER_HOUR_PRICE"
_PRICE = re.compile(r"(\d+(?:\.\d+)?)\s*([^\s\d.,]{1,8})")


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What an hour costs, in one currency; None where no price is set."""

    gpu_hour: float | None = None
    worker_hour: float | None = None
    currency: str = ""

    def of(self, worker_s: float, gpu_s: float) -> float | None:
        """The price of so many seconds: a worker that has a GPU costs what the GPU does; None without a price."""
        if gpu_s:
            return None if self.gpu_hour is None else self.gpu_hour * gpu_s / 3600
        return None if self.worker_hour is None else self.worker_hour * worker_s / 3600


def prices() -> Prices:
    """The prices that the environment sets, such as `2.49 EUR`.

    Raises:
        StudyError: one that is no number with a currency, or two currencies.
    """
    gpu, worker = _price(GPU_PRICE), _price(WORKER_PRICE)
    if gpu and worker and gpu[1] != worker[1]:
        raise StudyError(
            f"{GPU_PRICE} is in {gpu[1]} and {WORKER_PRICE} in {worker[1]}: one report has one currency, so give both "
            "in the same"
        )
    currency = (gpu or worker or (0.0, ""))[1]
    return Prices(gpu_hour=gpu[0] if gpu else None, worker_hour=worker[0] if worker else None, currency=currency)


def _price(variable: str) -> tuple[float, str] | None:
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    found = _PRICE.fullmatch(text)
    if found is None:
        raise StudyError(f"{variable}={text!r}: give the price of an hour and its currency, such as '2.49 EUR'")
    return float(found[1]), found[2]


def seconds(variable: str, default: float) -> float:
    """What an environment variable sets, in seconds. Raises StudyError, a ValueError, for anything but a number."""
    text = os.environ.get(variable, str(default))
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 < found < float("inf"):
        raise StudyError(f"{variable}={text!r}: give a number of seconds above 0, or unset it")
    return found


def check_variables() -> None:
    """Refuse now what would be refused in the middle of a study, or by its workers."""
    from paribus.host.storage import check_storage
    from paribus.shards.storage.node_cache import cache_limit

    check_storage()
    for variable, default in (CHECKPOINT_S, DRAIN_S):
        seconds(variable, default)
    prices()
    cache_limit()
