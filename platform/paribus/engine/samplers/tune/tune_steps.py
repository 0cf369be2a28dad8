"""What a searcher of Ray Tune is asked and told, one after another: two of the same do the same to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paribus.study.searches.space import Levels


@dataclass(frozen=True)
class Ask:
    """It is asked for the setting of a trial; `said` is what it answered, as labels by path."""

    number: int
    said: Mapping[str, str]


@dataclass(frozen=True)
class Tell:
    """It hears what became of the trial at `levels`: its value after an epoch, or at its end (`ENDED`); None: it
    failed. `is_own` where it proposed the trial."""

    number: int
    place: int
    value: float | None
    levels: Levels
    is_own: bool
