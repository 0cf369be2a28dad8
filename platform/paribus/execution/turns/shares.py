"""How many trials each of the studies that share a cluster may run at once: weighted max-min fairness, in turns.

A study's part of the cluster is its weight over all weights, and what one has no use for goes to the others (max-min
fairness: Bertsekas and Gallager, Data Networks, section 6.5.2). Places are whole: what is left over goes to who has had
least for its weight so far (weighted fair queueing: Demers, Keshav and Shenker, SIGCOMM 1989), for a while at a time.

Every driver works this out for itself from what all of them wrote into the ledger, and comes to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

from paribus.tracking.studies.places import Places

_CLOSE = 1e-9


def limits(parts: Mapping[str, Places], turn_s: float) -> dict[str, int]:
    """The places of each study, by a key of its own.

    Args:
        parts: all that share the cluster, by any key that all of them know.
        turn_s: for how long one at least keeps a place that several have a claim to.
    """
    ideal = _fractions(parts)
    found = {key: floor(ideal[key] * part.alone + _CLOSE) for key, part in parts.items()}
    left = 1.0 - sum(found[key] / part.alone for key, part in parts.items())
    queue = _turns(parts, found, turn_s)
    # First those that the rounding took something from, then whoever has a use for the rest.
    owed = [key for key in queue if ideal[key] * parts[key].alone - found[key] > _CLOSE]
    for key in [*owed, *queue]:
        part = parts[key]
        if found[key] < min(part.wants, part.alone) and 1 / part.alone <= left + _CLOSE:
            found[key] += 1
            left -= 1 / part.alone
    return found


def wait_s(parts: Mapping[str, Places], key: str, turn_s: float) -> float:
    """For about how long a study without a place waits, at the most: until its turn comes."""
    found = limits(parts, turn_s)
    if found[key]:
        return 0.0
    holders = [each for each, limit in found.items() if limit]
    until = [_kept_s(parts[each], parts[key], turn_s) for each in holders]
    before = sum(not found[each] and part.used_s < parts[key].used_s for each, part in parts.items())
    return min(until, default=0.0) + before * turn_s


def _kept_s(holder: Places, waiting: Places, turn_s: float) -> float:
    """For how long one keeps its place yet: until what it had exceeds what the other had by a turn."""
    one = 1 / holder.alone / holder.share  # what a place adds in a second
    return max(0.0, waiting.used_s + turn_s * one - holder.used_s) / one


def _turns(parts: Mapping[str, Places], whole: Mapping[str, int], turn_s: float) -> list[str]:
    """Who comes first: who had least; what a study has beyond its whole places it keeps for a turn."""

    def order(key: str) -> tuple[float, str]:
        part = parts[key]
        keeps = part.limit is None or part.limit > whole[key]
        return part.used_s - (turn_s / part.alone / part.share if keeps else 0.0), key

    return sorted(parts, key=order)


def _fractions(parts: Mapping[str, Places]) -> dict[str, float]:
    """What of the cluster each may have, of 1: `share / all shares`, and no more than it has a use for."""
    wanted = {key: min(part.wants, part.alone) / part.alone for key, part in parts.items()}
    found = dict.fromkeys(parts, 0.0)
    left = 1.0
    open_ = [key for key in parts if wanted[key]]
    while open_:
        weights = sum(parts[key].share for key in open_)
        full = [key for key in open_ if wanted[key] <= left * parts[key].share / weights + _CLOSE]
        if not full:
            return {**found, **{key: left * parts[key].share / weights for key in open_}}
        for key in full:
            found[key] = wanted[key]
        left -= sum(wanted[key] for key in full)
        open_ = [key for key in open_ if key not in full]
    return found
