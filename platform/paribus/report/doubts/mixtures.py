"""What a study's trials were made with, where it is not the same for all: code, library versions, processors, GPUs.

Paired trials differ by their factor alone only if all else was equal. Where one thing was not, a report says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from paribus.engine.code_digest import trial_code
from paribus.study.document import RecordedStudy
from paribus.study.study import Study
from paribus.study.words import Arm
from paribus.tracking.trials.record import Attempt, TrialRecord

UNRECORDED = "not recorded"
_NO_RESULT = (None, "failed", "stopped")
_MOST_VALUES = 4


def mixtures(study: Study, records: Sequence[TrialRecord]) -> tuple[str, ...]:
    """A sentence for each thing that the trials of a contrast do not have in common; () where all agree."""
    judged = [record for record in records if record.outcome not in _NO_RESULT]
    compared = {arm: study.baseline_of(arm) for arm in study.trained if arm not in study.baselines}
    facts = {"code": _program(study, judged), **_FACTS}
    found = (_sentence(name, {r.trial_id: told(r) for r in judged}, judged, compared) for name, told in facts.items())
    return tuple(sentence for sentence in (*found, _not_twice(study, judged)) if sentence)


def made_with(record: TrialRecord) -> dict[str, str]:
    """Code, processor, device and library versions of a trial, as a row of an export shows them."""
    return {
        "code": record.code,
        "processor": " then ".join(_of_attempts(record, _cpu)),
        "device": record.device,
        "versions": " then ".join(map(_in_words, _of_attempts(record, _versions_of))),
    }


def is_gpu(device: str) -> bool:
    """Whether what a record says of its device names a GPU; one that never trained says nothing."""
    return device not in ("", "cpu")


def _sentence(
    name: str, values: Mapping[str, str], records: Sequence[TrialRecord], compared: Mapping[Arm, Arm]
) -> str | None:
    at: dict[Arm, dict[int, str]] = {}
    for record in records:
        at.setdefault(record.arm, {})[record.replicate] = values[record.trial_id]
    mixed, pairs = 0, 0
    for arm, baseline in compared.items():
        own, theirs = at.get(arm, {}), at.get(baseline, {})
        mixed += len({*own.values(), *theirs.values()}) > 1
        pairs += sum(theirs.get(replicate, value) != value for replicate, value in own.items())
    if not mixed:
        return None
    which = f"{mixed} of {len(compared)} contrasts" if len(compared) > 1 else "the contrast"
    unpaired = f"; in {pairs} pairs the two sides differ in it, so that their difference is not the factor's alone"
    return f"mixed {name} in {which}: {_counted(values)}{unpaired if pairs else ''}"


def _not_twice(study: Study, judged: Sequence[TrialRecord]) -> str | None:
    """That a GPU trained trials in a way that gives other numbers each time."""
    on_gpu = Counter(record.arm for record in judged if is_gpu(record.device))
    arms = [arm for arm in study.trained if arm in on_gpu and not study.recipe_of(arm).numerics.deterministic]
    count = sum(on_gpu[arm] for arm in arms)
    if not count:
        return None
    return (
        f"{count} of {len(judged)} trials were trained on a GPU with numerics.deterministic=False: trained again they "
        "would give other numbers, beside the seeds and the factor"
    )


def _counted(values: Mapping[str, str]) -> str:
    counts = Counter(values.values()).most_common()
    shown = [f"{_told_apart(value, values)} ({count} trials)" for value, count in counts[:_MOST_VALUES]]
    return ", ".join(shown) + (f" and {len(counts) - _MOST_VALUES} more" if len(counts) > _MOST_VALUES else "")


def _told_apart(value: str, values: Mapping[str, str]) -> str:
    """Of versions, the packages alone whose versions differ among the trials."""
    if not value.startswith("{"):
        return value
    known = [json.loads(other) for other in set(values.values()) if other.startswith("{")]
    own = json.loads(value)
    differing = {name for other in known for name in own | other if own.get(name) != other.get(name)}
    return _in_words(json.dumps({name: version for name, version in own.items() if name in differing} or own))


def _in_words(versions: str) -> str:
    return ", ".join(f"{name} {version}" for name, version in json.loads(versions).items())


def _of_attempts(record: TrialRecord, fact: Callable[[TrialRecord | Attempt], str]) -> list[str]:
    """What every attempt that trained a part of the trial says, once each; the trial itself where none does."""
    told = list(filter(None, map(fact, record.attempts.values())))
    return list(dict.fromkeys(told or filter(None, [fact(record)])))


def _cpu(made: TrialRecord | Attempt) -> str:
    return made.cpu


def _versions_of(made: TrialRecord | Attempt) -> str:
    return json.dumps(made.versions) if made.versions else ""


def _program(study: Study, judged: Sequence[TrialRecord]) -> Callable[[TrialRecord], str]:
    """What tells the programs of a study's trials apart: their code, where all arms run through the same.

    Arms that run through different modules have different codes by one program; then each is held against its own. Of
    a study whose own components are not at hand, against that of its arm's trial that started last.
    """
    if isinstance(study, RecordedStudy):
        last = sorted(judged, key=lambda record: record.started_ms)
        own = {record.arm: record.code for record in last}
    else:
        own = {arm: trial_code(study.recipe_of(arm)) for arm in study.trained}
    alike = len(set(own.values())) == 1

    def told(record: TrialRecord) -> str:
        code = record.code
        if alike or not code:
            return code[:8] or UNRECORDED
        return "this program's" if code == own.get(record.arm) else "an earlier program's"

    return told


def _processor(record: TrialRecord) -> str:
    """On a GPU the processor computes nothing that a result rests on but the images, which are equal on all."""
    if is_gpu(record.device):
        return "GPU"
    return " then ".join(_of_attempts(record, _cpu)) or UNRECORDED


def _device(record: TrialRecord) -> str:
    return record.device or UNRECORDED


def _versions(record: TrialRecord) -> str:
    told = _of_attempts(record, _versions_of)
    return told[0] if len(told) == 1 else " then ".join(map(_in_words, told)) or UNRECORDED


_FACTS: Mapping[str, Callable[[TrialRecord], str]] = {
    "library versions": _versions,
    "processors": _processor,
    "devices": _device,
}
