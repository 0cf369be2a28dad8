"""In which order a search's driver told its scheduler what its trials reported, as tags of the search's run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice

from paribus.tracking import tags as words

# (number of a trial, what of it): an epoch, or one of `engine/schedulers/tune/tune_news.py`'s other places.
Event = tuple[int, int]
# Events of a tag: what is written anew with each event stays below what MLflow takes of one.
_EVENTS = 500
_EVENT = re.compile(r"(\d{1,9}):(-?\d{1,9})")


def heard_tags(events: Sequence[Event], kept: int = 0) -> dict[str, str]:
    """The tags of `events`, of which the run has the first `kept`: those that are to be written, the count last."""
    found = {}
    for part in range(kept // _EVENTS, -(-len(events) // _EVENTS)):
        own = islice(events, part * _EVENTS, (part + 1) * _EVENTS)
        found[f"{words.HEARD}.{part}"] = " ".join(f"{number}:{place}" for number, place in own)
    return {**found, words.HEARD: str(len(events))}


def heard_in(tags: Mapping[str, str]) -> list[Event]:
    """The events that the tags of a run hold; of damaged tags those before the damage."""
    count = tags.get(words.HEARD, "")
    num = int(count) if re.fullmatch(r"\d{1,9}", count) else 0
    found: list[Event] = []
    for part in range(-(-num // _EVENTS)):
        for text in tags.get(f"{words.HEARD}.{part}", "").split():
            event = _EVENT.fullmatch(text)
            if event is None:
                return found
            found.append((int(event[1]), int(event[2])))
        if len(found) < min(num, (part + 1) * _EVENTS):
            return found
    return found[:num]
