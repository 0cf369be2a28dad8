"""How many trials each of the studies that share a cluster may run at once: weighted max-min fairness, in turns.

A study's part of the cluster is its weight over all weights, and what one has no use for goes to the others (max-min
fairness: Bertsekas and Gallager, Data Networks, section 6.5.2). Places are whole: what is left over goes to who has had
least for its weight so far (weighted fair queueing: Demers, Keshav and Shenker, SIGCOMM 1989), for a while at a time.

Every driver works this out for itself from what all of them wrote into the ledger, and comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from math import floor

from paribus.tracking.studies.places import Places

_CLOSE = 1e-9


def limit_of(me: str, parts: Mapping[str, Places], turn_s: float) -> int:
    """The places of the study `me`.

    A place beyond the whole ones changes hands in two steps, for heartbeats tell all this late: who has it gives it up
    for another that had less, and only then is it free to be taken. Where two have taken one, the first by name has it.

    Args:
        parts: all that share the cluster, by any key that all of them know.
        turn_s: by how many seconds of it who has such a place may be ahead of who waits for it.
    """
    ideal = _fractions(parts)
    whole = {key: floor(ideal[key] * part.alone + _CLOSE) for key, part in parts.items()}
    left = 1.0 - sum(whole[key] / part.alone for key, part in parts.items())
    usable = {key: whole[key] < min(part.wants, part.alone) for key, part in parts.items()}
    owed = {key for key, part in parts.items() if ideal[key] * part.alone - whole[key] > _CLOSE}
    keepers = []
    for key in sorted(parts):
        if usable[key] and _has_more(parts[key], whole[key]) and 1 / parts[key].alone <= left + _CLOSE:
            keepers.append(key)
            left -= 1 / parts[key].alone
    waiting = sorted((key for key in parts if usable[key] and key not in keepers), key=_had(parts, owed))
    if me in keepers:
        ahead_s = parts[me].used_s - _one(parts[me]) * turn_s
        gives_up = any(key in owed and (me not in owed or parts[key].used_s < ahead_s) for key in waiting)
        return whole[me] + (not gives_up)
    for key in waiting:
        if 1 / parts[key].alone <= left + _CLOSE:
            left -= 1 / parts[key].alone
            if key == me:
                return whole[me] + 1
    return whole[me]


def wait_s(me: str, parts: Mapping[str, Places], turn_s: float) -> float:
    """For about how long a study without a place waits, at the most: until its turn comes."""
    mine = parts[me]
    holders = [part for part in parts.values() if part.limit is None or part.limit]
    until = [max(0.0, (mine.used_s - each.used_s) / _one(each) + turn_s) for each in holders]
    before = sum(part.limit == 0 and part.used_s < mine.used_s for part in parts.values())
    return min(until, default=0.0) + before * turn_s


def _had(parts: Mapping[str, Places], owed: Collection[str]) -> Callable[[str], tuple[bool, float, str]]:
    """The order of those that wait: first whom the rounding took something from, and of them who had least."""
    return lambda key: (key not in owed, parts[key].used_s, key)


def _has_more(part: Places, whole: int) -> bool:
    """Whether it has a place beyond its whole ones; who was alone had all."""
    return part.limit is None or part.limit > whole


def _one(part: Places) -> float:
    """What a place adds to what a study has had, in a second."""
    return 1 / part.alone / part.share


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
