"""The numbers that the environment sets, read and refused before anything is started or trained."""

from __future__ import annotations

import os

from paribus.study import StudyError

# Seconds between a trial's checkpoints; and how long the end of a study waits for an MLflow that is away, before it
# leaves the rest to the next command.
CHECKPOINT_S = ("PARIBUS_CHECKPOINT_S", 30.0)
DRAIN_S = ("PARIBUS_DRAIN_S", 90.0)


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
    from paribus.shards.storage.node_cache import cache_limit

    for variable, default in (CHECKPOINT_S, DRAIN_S):
        seconds(variable, default)
    cache_limit()
