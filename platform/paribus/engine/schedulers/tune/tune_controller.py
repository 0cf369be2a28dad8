"""What a scheduler of Ray Tune's finds here in place of Tune's controller, and of chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np


class Controller:
    """Of Tune's controller what it allows schedulers to call.

    Args:
        trials: all trials by number, which grow as they are added.
        stop: ends one.
    """

    def __init__(self, trials: Mapping[int, Any], stop: Callable[[Any], None]) -> None:
        self._trials, self._stop = trials, stop
        # HyperBandForBOHB tells Tune's searcher who waits; ours is told of all trials when it is asked.
        deaf = SimpleNamespace(on_pause=lambda trial_id: None, on_unpause=lambda trial_id: None)
        self.search_alg = SimpleNamespace(searcher=deaf)

    def get_trials(self) -> list[Any]:
        """All trials, in the order in which they were added."""
        return list(self._trials.values())

    def get_live_trials(self) -> set[Any]:
        """Those that have not ended."""
        return {trial for trial in self._trials.values() if not trial.is_finished()}

    def stop_trial(self, trial: Any) -> None:
        """Stop a trial: one that trains is cut after its epoch."""
        self._stop(trial)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"it asks Tune's controller for {name!r}, which a search of Paribus has not: there are get_trials, "
            "get_live_trials and stop_trial"
        )


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Global generators from a seed for the while, as they were afterwards: some of these schedulers draw from them."""
    before, numpys = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpys)
