"""Looks in the ledger: noted when a driver adds replicates or judges otherwise, and read for verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paribus.engine.choices import changed, chosen, standing
from paribus.recipe import Recipe
from paribus.study.designs.arms import StudyError
from paribus.study.plan import places, trials
from paribus.study.study import Study
from paribus.tracking.mlflow.runs import now_ms
from paribus.tracking.studies.choice import STUDY_FILE
from paribus.tracking.studies.planned import of_plan
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.studies.replication import Look, Replication
from paribus.tracking.trials.record import TrialRecord

if TYPE_CHECKING:
    from paribus.analysis.looks import Looks
    from paribus.tracking.ledger import Ledger

Digest = Callable[[Recipe], str]
# A verdict needs three pairs.
_LEAST = 3
_ENDED = ("finished", "diverged", "dead", "stuck")


@dataclass(frozen=True, kw_only=True)
class History:
    """What was asked for before, and the study as it was run last; None where the ledger does not say."""

    replication: Replication
    written: Study | None = None

    @classmethod
    def told(cls, kept: Replication, written: Study | None) -> History:
        """By what a run keeps and its study file; a file tells what was asked for where a release kept nothing."""
        if not kept.asked and written is not None:
            kept = Replication(asked={written.seed: written.replicates})
        return cls(replication=kept, written=written)


def history_of(ledger: Ledger, record: StudyRecord | None) -> History:
    """What a study's run tells of its replicates and looks; one of the last release tells by its study file."""
    if record is None:
        return History(replication=Replication())
    return History.told(record.replication, _written(ledger, record))


def extended(
    history: History,
    study: Study,
    records: Sequence[TrialRecord],
    digest: Digest,
    redone: frozenset[str] = frozenset(),
) -> Replication:
    """The replication of a study that is about to be run, with the looks that it makes of what has ended.

    A look is verdicts that could be had when replicates or a seed were added, or when something else was chosen that
    they rest on, whether or not anybody printed them. A run that was killed and goes on adds nothing. `records` are
    all that the ledger holds by the study's name; `redone` the digests of the code of those to be trained again.
    """
    kept = history.replication
    if not kept.asked:  # nothing was written down, so the records tell
        own = of_plan(records, places(trials(study, digest)))
        if highest := max((record.replicate for record in own), default=0):
            kept = Replication(asked={study.seed: highest})
    raised, before = kept.is_raised(study.seed, study.replicates), changed(history.written, study)
    if not (raised or before or redone):
        return kept.extended(study.seed, study.replicates)
    seen = history.written or study
    each = (_look(replace(seen, seed=seed, replicates=r), records, digest) for seed, r in kept.asked.items())
    looks = tuple(look for look in each if look is not None)
    kept = replace(kept, choices=chosen(kept, before, redone, looks, study.seed))
    return kept.extended(study.seed, study.replicates, looks if raised else ())


def as_judged(history: History, study: Study, records: Sequence[TrialRecord], digest: Digest) -> Replication:
    """The replication with what is chosen otherwise by judging the study so, which no driver has noted yet."""
    if not changed(history.written, study):
        return history.replication
    return replace(history.replication, choices=extended(history, study, records, digest).choices)


def is_look(history: History, study: Study) -> bool:
    """Whether the study asks for more than, or is judged otherwise than, the ledger knows; True if it knows nothing."""
    kept = history.replication
    return not kept.asked or kept.is_raised(study.seed, study.replicates) or bool(changed(history.written, study))


def look_note(
    history: History,
    study: Study,
    records: Sequence[TrialRecord],
    digest: Digest,
    redone: frozenset[str] = frozenset(),
) -> str:
    """That to run the study as it is asked for is itself a look; "" where it is none."""
    after, kept = extended(history, study, records, digest, redone), history.replication
    looks = looks_before(after, study)
    notes = []
    if after.looks != kept.looks:
        notes.append(
            f"this adds replicates or a seed when verdicts could be had already, which is itself a look: verdicts will "
            f"say `{looks.phrase()}`, with the error rate that they then have; --fresh judges on what is added, alone, "
            f"at {100 * study.alpha:g} %"
        )
    if after.choices != kept.choices:
        notes += [f"this is a choice after a look: {choice.sentence()}" for choice in looks.chosen]
    return "; ".join(notes)


def looks_before(replication: Replication, study: Study, *, fresh: bool = False) -> Looks:
    """The looks that a verdict on this study comes after; of a `fresh` one, the choices since which none was added."""
    from paribus.analysis.looks import Chosen, Looks

    own = replication.looks_before(study.seed, study.replicates)
    chosen = tuple(
        Chosen(what=choice.what, was=choice.was, now=now, pairs=choice.pairs)
        for choice, now in standing(replication.choices, study)
        if not (fresh and choice.last < study.replicates)
    )
    if fresh:
        return Looks(chosen=chosen)
    return Looks(
        own=tuple(look.pairs for look in own),
        elsewhere=replication.other_seeds_before(study.seed, study.replicates),
        chosen=chosen,
    )


def held_note(replication: Replication, study: Study, records: Sequence[TrialRecord], digest: Digest) -> list[str]:
    """That the ledger holds more replicates than are judged; nothing where it does not."""
    asked = replication.asked.get(study.seed, 0)
    if asked <= study.replicates:
        return []
    own = of_plan(records, places(trials(replace(study, replicates=asked), digest)))
    held = max((record.replicate for record in own if record.outcome in _ENDED), default=0)
    if held <= study.replicates:
        return []
    return [
        f"the ledger holds {held} replicates, and these are the first {study.replicates}: a number of replicates that "
        f"was chosen after looking holds no error rate (--replicates {held} judges all of them)"
    ]


def check_fresh(study: Study) -> None:
    """StudyError where a fresh judgement is asked for of planned looks, which decided how many replicates there are."""
    if study.adaptive is not None:
        raise StudyError(
            "--fresh goes with a number of replicates, and this study has planned looks: its verdicts hold as they are"
        )


def fresh_note(replication: Replication, study: Study) -> str:
    """Which replicates a fresh judgement rests on."""
    if looks_before(replication, study, fresh=True):
        return "fresh: no replicate was added since the last choice, so that this judgement is not fresh; add some"
    looks = _last_and_pairs(replication, study)
    if not looks:
        return "fresh: nobody has looked at these replicates before, so that all of them are judged"
    (last, pairs), many = looks[-1], len(looks) > 1
    first = last + 1
    which = (
        f"replicate {first} alone" if first == study.replicates else f"replicates {first} to {study.replicates} alone"
    )
    rest = f"; there were {len(looks)} looks, and each judgement by itself holds the error rate" if many else ""
    return f"fresh: judged on {which}, added since the look at {pairs}{rest}"


def first_fresh(replication: Replication, study: Study) -> int:
    """The first replicate that was added since the last look or choice; 1 where there was none."""
    looks = _last_and_pairs(replication, study)
    return looks[-1][0] + 1 if looks else 1


def _last_and_pairs(replication: Replication, study: Study) -> list[tuple[int, int]]:
    """Of each look and choice before replicates that the study has: the last replicate seen, and the pairs."""
    looks = {(look.last, look.pairs) for look in replication.looks_before(study.seed, study.replicates)}
    choices = {(choice.last, choice.pairs) for choice, _ in standing(replication.choices, study)}
    return sorted(looks | {(last, pairs) for last, pairs in choices if last < study.replicates})


def _look(seen: Study, records: Iterable[TrialRecord], digest: Digest) -> Look | None:
    from paribus.data import DataError
    from paribus.recipe import RecipeError

    try:
        own = of_plan(records, places(trials(seen, digest)))
    except (
        DataError,
        RecipeError,
    ):  # an earlier plan's data, or what makes them, are not here: nothing pairs
        return None
    ended = [record for record in own if record.outcome in _ENDED]
    there = {(record.arm, record.replicate) for record in ended}
    pairs = max(
        (
            sum((arm, r) in there and (seen.baseline_of(arm), r) in there for r in range(1, seen.replicates + 1))
            for arm in seen.arms
            if arm not in seen.baselines
        ),
        default=0,
    )
    if pairs < _LEAST:
        return None
    return Look(seed=seen.seed, pairs=pairs, last=max(record.replicate for record in ended), when_ms=now_ms())


def _written(ledger: Ledger, record: StudyRecord) -> Study | None:
    from paribus.recipe import RecipeError
    from paribus.study import StudyError
    from paribus.study.document import read_study
    from paribus.tracking.errors import LedgerError, LedgerUnreachable

    try:
        return read_study(ledger.artifact(record.run_id, STUDY_FILE))
    except LedgerUnreachable:
        raise
    except (LedgerError, StudyError, RecipeError):
        return None
