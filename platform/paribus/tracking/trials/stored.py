"""Between a trial's record and its run in MLflow, both ways. A fact of a trial is named here, and in tags.py, once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from paribus.study.words import arm_as_json
from paribus.tracking import tags as words
from paribus.tracking.mlflow.runs import Latest, Run
from paribus.tracking.tag_values import TagValues
from paribus.tracking.trials.record import Attempt, TrialRecord

_FINAL_PREFIX = "final/"
# One element of a JSON list of strings; the last one of a list that an earlier Paribus cut lacks its closing quote.
_LISTED = re.compile(r'"([^"\\]+)"')


@dataclass(frozen=True, slots=True)
class Form:
    """How a field is written into a tag ("": it says nothing), and how it is read out of the tags of a run."""

    write: Callable[[Any], str]
    read: Callable[[TagValues, str], Any]


_TEXT = Form(str, lambda values, key: values.tags.get(key, ""))
_WHOLE = Form(lambda number: str(number or ""), lambda values, key: values.whole(key, 0))
_STEP = Form(lambda step: "" if step is None else str(step), lambda values, key: values.whole(key, None))
_FLAG = Form(lambda value: "true" if value else "", lambda values, key: values.tags.get(key) == "true")
_OBJECT = Form(lambda value: json.dumps(value) if value else "", lambda values, key: values.json(key, {}))
_NUMBERS = Form(_OBJECT.write, TagValues.numbers)
_LIST = Form(_OBJECT.write, lambda values, key: tuple(_LISTED.findall(values.tags.get(key, ""))))
_ARM = Form(lambda arm: json.dumps(arm_as_json(arm)), TagValues.arm)
_OUTCOME = Form(lambda word: word or "", TagValues.outcome)
_FAILURE = Form(lambda word: word or "", TagValues.failure)

# The fields that lie in one tag each.
_TAGS: Mapping[str, tuple[str, Form]] = {
    "trial_id": (words.TRIAL_ID, _TEXT),
    "study": (words.STUDY, _TEXT),
    "arm": (words.ARM, _ARM),
    "arm_name": (words.ARM_NAME, _TEXT),
    "replicate": (words.REPLICATE, _WHOLE),
    "parent": (words.PARENT, _TEXT),
    "seeds": (words.SEEDS, _OBJECT),
    "code": (words.CODE, _TEXT),
    "proposal": (words.PROPOSAL, _TEXT),
    "lineage": (words.LINEAGE, _OBJECT),
    "node": (words.NODE, _TEXT),
    "cpu": (words.CPU, _TEXT),
    "versions": (words.VERSIONS, _OBJECT),
    "attempt": (words.ATTEMPT, Form(str, lambda values, key: values.whole(key, 1))),
    "total_steps": (words.TOTAL_STEPS, _WHOLE),
    "shared": (words.SHARED, _TEXT),
    "warnings": (words.WARNINGS, _TEXT),
    "outcome": (words.OUTCOME, _OUTCOME),
    "interrupted": (words.INTERRUPTED, _FLAG),
    "metrics": (words.FINAL, _NUMBERS),
    "outcome_step": (words.OUTCOME_STEP, _STEP),
    "num_steps": (words.NUM_STEPS, _WHOLE),
    "reason": (words.REASON, _TEXT),
    "failure": (words.FAILURE, _FAILURE),
    "data": (words.DATA, _TEXT),
    "device": (words.DEVICE, _TEXT),
    "weights": (words.WEIGHTS, _TEXT),
    "stream_hashes": (words.STREAM_HASH, _LIST),
    "lost_artifact": (words.LOST_ARTIFACT, _TEXT),
    "restored": (words.RESTORED, _TEXT),
    "conflicts": (words.CONFLICT, _OBJECT),
    "duplicate_of": (words.DUPLICATE_OF, _TEXT),
}
_VERSIONS = "versions"
_FACTS = tuple(field.name for field in fields(Attempt))
_OF_ATTEMPT = {field.name: type(field.default) for field in fields(Attempt) if field.name != _VERSIONS}


def to_mlflow(record: TrialRecord) -> Run:
    """The run that holds the record. What MLflow has no room for in a tag or param is cut or split when it is sent."""
    final = {
        _FINAL_PREFIX + key: Latest(value, record.num_steps, record.ended_ms) for key, value in record.metrics.items()
    }
    return Run(
        run_id=record.run_id,
        experiment_id=record.experiment_id,
        name=record.name,
        status=record.status,
        start_ms=record.started_ms,
        end_ms=record.ended_ms,
        artifact_uri="",
        tags={words.KIND: words.TRIAL_KIND, **{key: text for key, text in _written(record).items() if text}},
        params=record.params,
        metrics={**record.latest, **final},
    )


def from_mlflow(run: Run, uri: str = "") -> TrialRecord:
    """The record that a run of the server at `uri` holds, of whatever release; `faults` name what of it is damaged."""
    values = TagValues(run.tags)
    found = {name: form.read(values, key) for name, (key, form) in _TAGS.items()}
    return TrialRecord(
        **{**found, "arm_name": found["arm_name"] or run.name},
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        uri=uri,
        status=run.status,
        started_ms=run.start_ms,
        ended_ms=run.end_ms,
        params=run.params,
        latest={key: latest for key, latest in run.metrics.items() if not key.startswith(_FINAL_PREFIX)},
        attempts=_attempts(run.tags),
        evaluations={name: values.json(key, {}) for name, key in _keys_below(words.EVALUATION, run.tags)},
        faults=tuple(values.faults),
    )


def is_trial(run: Run) -> bool:
    """Whether the run is a trial's."""
    return run.tags.get(words.KIND) == words.TRIAL_KIND and words.TRIAL_ID in run.tags


def tags_of(record: TrialRecord, names: Iterable[str]) -> dict[str, str]:
    """The tags of these fields; an empty one where a field is at its default, so that nothing earlier stays there."""
    return {_TAGS[name][0]: _TAGS[name][1].write(getattr(record, name)) for name in names}


def attempt_tag(record: TrialRecord) -> dict[str, str]:
    """The tag that tells of the record's newest attempt: one of its own, so that two never overwrite each other's."""
    return {f"{words.ATTEMPT}.{record.attempt}": _attempt_text(record.attempts[record.attempt])}


def changes(before: TrialRecord, now: TrialRecord) -> dict[str, str]:
    """The tags that make the record `before` the record `now`."""
    old, new = _written(before), _written(now)
    return {key: new.get(key, "") for key in {**old, **new} if old.get(key, "") != new.get(key, "")}


def with_tags(record: TrialRecord, tags: Mapping[str, str]) -> TrialRecord:
    """The record with what `tags` say in place of what it said."""
    values = TagValues(tags)
    told = {name: form.read(values, key) for name, (key, form) in _TAGS.items() if key in tags}
    return replace(record, **told)


def _written(record: TrialRecord) -> dict[str, str]:
    """Every tag that the record may have, "" where it says nothing."""
    tags = {key: form.write(getattr(record, name)) for name, (key, form) in _TAGS.items()}
    tags |= {f"{words.ATTEMPT}.{number}": _attempt_text(attempt) for number, attempt in record.attempts.items()}
    return tags | {f"{words.EVALUATION}.{name}": json.dumps(found) for name, found in record.evaluations.items()}


def _attempt_text(attempt: Attempt) -> str:
    # `asdict` would copy all of it, four times a trial.
    facts = {name: value for name in _FACTS if (value := getattr(attempt, name))}
    if attempt.versions:
        facts[_VERSIONS] = json.dumps(attempt.versions)  # text in text, as the releases before have it
    return json.dumps(facts)


def _attempts(tags: Mapping[str, str]) -> dict[int, Attempt]:
    """The attempts that a run's tags tell of, in order; of a damaged one, nothing but that there was one."""
    keys = {int(number): key for number, key in _keys_below(words.ATTEMPT, tags) if number.isdecimal()}
    return {number: _attempt(TagValues(tags).json(keys[number], {})) for number in sorted(keys)}


def _attempt(facts: Mapping[str, Any]) -> Attempt:
    told = {name: facts[name] for name, kind in _OF_ATTEMPT.items() if type(facts.get(name)) is kind}
    versions = facts.get(_VERSIONS)
    return Attempt(**told, versions=TagValues({_VERSIONS: str(versions)}).json(_VERSIONS, {}) if versions else {})


def _keys_below(prefix: str, tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """(NAME, key) of every key `PREFIX.NAME`."""
    return [(key[len(prefix) + 1 :], key) for key in tags if key.startswith(f"{prefix}.")]
