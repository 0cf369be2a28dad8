"""The check that paired arms saw the same data in the same order: the logged stream hashes, compared."""

import json
import re
from collections.abc import Iterable, Sequence

from paribus.study.study import Study
from paribus.tracking.ledger_records import TrialRecord

# One element of a JSON list of strings; the last one of a list that an earlier Paribus cut lacks its closing quote.
_HASH = re.compile(r'"([^"\\]+)"')


def stream_tag(hashes: Sequence[str]) -> str:
    """The hashes after every epoch as the ledger keeps them, however many there are."""
    return json.dumps([whole[:12] for whole in hashes])


def stream_hashes(record: TrialRecord) -> list[str]:
    """The trial's stream hash after every epoch, of 12 digits; the first 500 or so where an old ledger has cut them."""
    return _HASH.findall(record.tags.get("paribus.stream_hash", ""))


def stream_notes(study: Study, records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """A warning for every replicate whose arms saw different streams although their data and augmentation agree.

    A hash runs on over the epochs, so a trial that ended early is compared over the epochs that it had.
    """
    groups: dict[tuple[int, str], list[tuple[str, list[str]]]] = {}
    for record in records:
        if hashes := stream_hashes(record):
            recipe = study.recipe_of(record.arm)
            kind = recipe.data.model_dump_json() + recipe.augment.model_dump_json()
            groups.setdefault((record.replicate, kind), []).append((record.arm_name, hashes))
    notes = []
    for (replicate, _), members in groups.items():
        longest = max((hashes for _, hashes in members), key=len)
        differing = [name for name, hashes in members if hashes != longest[: len(hashes)]]
        if differing:
            notes.append(
                f"replicate {replicate}: the data streams of {', '.join(differing)} differ from the other arms'; these "
                "trials are not paired (other code, or other data under the same name?)"
            )
    return tuple(notes)
