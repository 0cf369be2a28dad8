"""What studies that share a cluster tell each other in tags of their runs, and that a person has paused one."""

from __future__ import annotations

import getpass
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from paribus.tracking import tags as words
from paribus.tracking.mlflow.runs import now_ms
from paribus.tracking.tag_values import TagValues


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What a study asks of its cluster, and has: places are trials that run at once.

    `share` is its weight beside the others, `alone` the places that it would have by itself, `wants` the trials that it
    has to go, `limit` what it may use (None: all), `used_s` the place-seconds that it has had, in clusters (all places
    for a second are 1) and over its weight; who comes later begins at the lowest of those there. `wait_s` is for how
    long at the most it waits for its turn, where it has no place.
    """

    cluster: str
    share: int
    alone: int
    wants: int
    limit: int | None
    used_s: float
    wait_s: float = 0.0

    def as_tags(self) -> dict[str, str]:
        """The tags of the study's run."""
        told = asdict(self)
        return {words.CLUSTER: told.pop("cluster"), words.PLACES: json.dumps(told)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """By whom, and when in ms since 1970."""

    by: str
    at_ms: int

    def as_tags(self) -> dict[str, str]:
        """The tag of the study's run; GOES_ON is that of one that is not paused."""
        return {words.PAUSED: json.dumps(asdict(self))}


GOES_ON = {words.PAUSED: ""}


def paused_by_me() -> Paused:
    """Just now, by this user of this machine."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        who = "somebody"
    return Paused(by=f"{who}@{platform.node()}", at_ms=now_ms())


def places_in(tags: Mapping[str, str]) -> Places | None:
    """What the tags of a study's run say; None where they say nothing, or are damaged."""
    found = TagValues(tags).json(words.PLACES, {}, dict)
    names = {"share": int, "alone": int, "wants": int, "used_s": float, "wait_s": float}
    limit = found.get("limit")
    if not all(type(found.get(name)) is kind for name, kind in names.items()) or type(limit) not in (int, type(None)):
        return None
    whole = {name: found[name] for name in names}
    if whole["share"] < 1 or whole["alone"] < 1:
        return None
    return Places(cluster=tags.get(words.CLUSTER, ""), limit=limit, **whole)


def paused_in(tags: Mapping[str, str]) -> Paused | None:
    """Who paused a study; None where nobody did."""
    if not tags.get(words.PAUSED):
        return None
    found = TagValues(tags).json(words.PAUSED, {}, dict)
    at_ms = found.get("at_ms")
    return Paused(by=str(found.get("by", "somebody")), at_ms=at_ms if type(at_ms) is int else 0)
