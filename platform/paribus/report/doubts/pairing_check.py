"""The check that paired arms saw the same data in the same order: the logged stream hashes, compared."""

from collections.abc import Iterable

from paribus.study.study import Study
from paribus.tracking.trials.record import TrialRecord


def stream_notes(study: Study, records: Iterable[TrialRecord]) -> tuple[str, ...]:
    """A warning for every replicate whose arms saw different streams although their data and augmentation agree.

    A hash runs on over the epochs, so a trial that ended early is compared over the epochs that it had.
    """
    groups: dict[tuple[int, str], list[tuple[str, tuple[str, ...]]]] = {}
    for record in records:
        # A noise floor draws its own.
        if (hashes := record.stream_hashes) and not record.arm.again:
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
