"""When a study may train, and how many of its trials at once: the ledger's thread hears it, Tune's loop keeps it."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from paribus.execution.turns.shares import limit_of, wait_s
from paribus.host.time_left import duration
from paribus.tracking.studies.places import Paused, Places

if TYPE_CHECKING:
    from paribus.tracking.studies.record import StudyRecord


def resume_command(title: str) -> str:
    """What to type to let a paused study go on; a title may have settings, and blanks."""
    return f"paribus resume {shlex.quote(title)}"


class Turn:
    """How a study stands among those of its cluster.

    Args:
        name: the study's title.
        share: its weight beside others.
        turn_s: for how long one at least keeps a place that several have a claim to.
    """

    def __init__(self, name: str, share: int, turn_s: float) -> None:
        self.name, self.share, self._turn_s = name, share, turn_s
        self.paused: Paused | None = None
        self.places: Places | None = None
        self._others: dict[str, tuple[str, Places]] = {}
        self._ticked = time.monotonic()
        self._lock = threading.Lock()
        self._key = ""
        # What people were told last.
        self.said = ""

    @property
    def limit(self) -> int | None:
        """How many trials may run at once: None where no other study shares the cluster."""
        return self.places.limit if self.places else None

    def see(self, cluster: str, alone: int, wants: int) -> None:
        """What Tune's loop knows: the cluster, the places that the study would have by itself, the trials to go."""
        with self._lock:
            if not cluster or not alone:
                return
            before = self.places
            if before is None or before.cluster != cluster:
                self.places = Places(
                    cluster=cluster, share=self.share, alone=alone, wants=wants, limit=None, used_s=-1.0
                )
            elif (before.alone, before.wants) != (alone, wants):
                self.places = replace(before, alone=alone, wants=wants)

    def ran(self, num_running: int) -> None:
        """Count what it has had since it last said so."""
        with self._lock:
            now = time.monotonic()
            spent_s, self._ticked = now - self._ticked, now
            if self.places and self.places.used_s >= 0:
                used = spent_s * num_running / self.places.alone / self.share
                self.places = replace(self.places, used_s=self.places.used_s + used)

    def hear(self, key: str, others: Iterable[StudyRecord]) -> None:
        """What the ledger says of who else is at work on its cluster; `key` is what they know this study by."""
        with self._lock:
            self._key = key
            self._others = {
                each.run_id: (each.title, each.places) for each in others if each.places and each.places.wants
            }
            if self.places is None:
                return
            if self.places.used_s < 0:  # whoever comes later is owed nothing for the time before, and has nothing yet
                least_s = min((each.used_s for _, each in self._others.values()), default=0.0)
                self.places = replace(self.places, used_s=least_s, limit=0)
            limit = limit_of(key, self._parts(), self._turn_s) if self._others else None
            left_s = wait_s(key, self._parts(), self._turn_s) if limit == 0 else 0.0
            self.places = replace(self.places, limit=limit, wait_s=left_s)

    def leave(self) -> None:
        """Nothing is to be trained for now."""
        with self._lock:
            if self.places is not None:
                self.places = replace(self.places, wants=0)

    def over(self, num_out: int) -> bool:
        """Whether what runs, `num_out` trials, is to give its places up."""
        return self.paused is not None or (self.limit is not None and self.limit < max(1, num_out))

    def text(self) -> str:
        """Why nothing may train now, or fewer trials than there is room for; "" where nothing holds it up."""
        if self.paused is not None:
            how = resume_command(self.name)
            return f"is paused by {self.paused.by}, and its places are free for others. `{how}` lets it go on"
        if self.places is None or self.limit is None:
            return ""
        alone, names = self.places.alone, self._names()
        place = "the one place" if alone == 1 else f"all {alone} places"
        if self.limit:
            return f"shares the cluster with {names}: {self.limit} of {alone} places for now"
        left = duration(self.places.wait_s)
        return f"waits: {names} has {place} of the cluster for now; its turn comes in at most {left}"

    def _names(self) -> str:
        return ", ".join(sorted(title for title, _ in self._others.values()))

    def _parts(self) -> Mapping[str, Places]:
        assert self.places is not None
        return {self._key: self.places, **{key: part for key, (_, part) in self._others.items()}}
