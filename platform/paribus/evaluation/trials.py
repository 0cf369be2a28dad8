"""Finished trials evaluated again, each and together: from the ledger's weights to metrics with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.data import open_originals
from paribus.evaluation.evaluated import TOLD, Evaluated, Evaluation, Gain
from paribus.evaluation.excluded import Subset, subset
from paribus.evaluation.trial_names import SHORT_ID, TrialError, describe, run_name
from paribus.metrics.examples import Examples
from paribus.metrics.metric import Metric, MetricError
from paribus.recipe import Recipe, RecipeError
from paribus.report.study_report import state_of
from paribus.study.own_metrics import load_metric
from paribus.tracking import LedgerError
from paribus.tracking.outbox.artifacts import keys_digest
from paribus.training.evaluation.scores import Floats, Trained, device_called, examples_of, scores

if TYPE_CHECKING:
    from paribus.data import Originals
    from paribus.tracking.ledger import Ledger
    from paribus.tracking.trials.record import TrialRecord

ENSEMBLE = "ensemble"
# The best of several, as `STUDY:best` has it.
_BEST_BY = ("top1", "log_likelihood")
# Called before each trial with its name and the number of images; gives what hears of every batch done.
Watch = Callable[[str, int], Callable[[int], object]]


@dataclass(frozen=True, kw_only=True)
class Member:
    """A trial that can be evaluated: its record, recipe and data on this machine."""

    record: TrialRecord
    recipe: Recipe
    originals: Originals


def open_members(
    ledger: Ledger, records: Sequence[TrialRecord], home: Path, changes: Mapping[str, Any]
) -> list[Member]:
    """Everything about the trials but their weights, checked before the first is evaluated.

    `changes` are recipe fields without bearing on results, such as `data.shards` and `resources.cpus`.

    Raises:
        TrialError: a trial that is named twice, did not finish or has no weights, or trials of different data.
        DataError: the data is not on this machine.
    """
    twice = {record.trial_id for record in records if sum(other.trial_id == record.trial_id for other in records) > 1}
    if twice:
        raise TrialError(f"the trial {min(twice)[:SHORT_ID]} is named twice: a mean of a net with itself is the net")
    for record in records:
        _require_weights(record)
    members = [_open(ledger, record, home, changes) for record in records]
    first = members[0]
    for other in members[1:]:
        _require_same_data(first, other)
    return members


def evaluate(
    ledger: Ledger,
    members: Sequence[Member],
    crops: str,
    exclude: Path | None,
    device: str,
    watch: Watch,
    classes: bool = False,
) -> Evaluation:
    """Each member, and where there are several the mean of their probabilities; with `classes` also class by class.

    Raises:
        TrainingError: no such device, or weights that do not fit.
        LedgerError: the ledger is away, or the weights in it were altered.
        DataError, TrialError: as `open_members` and `subset` say.
    """
    first = members[0]
    chosen = subset(first.originals.keys, exclude)
    labels = first.originals.labels[chosen.rows]
    own, lacking = _own_metrics(members)
    metrics = (*TOLD, *own)
    total: Floats | None = None
    judged: list[Evaluated] = []
    for member in members:
        weights = ledger.weights(member.record)
        trained = Trained(member.recipe, weights, member.originals, device_called(device, member.recipe))
        advance = watch(run_name(member.record), len(chosen.rows))
        found = scores(trained, member.originals, chosen.rows, crops, advance)
        judged.append(Evaluated.of(_name(member, members), member.record, examples_of(found, labels), classes, metrics))
        total = found if total is None else np.add(total, found, out=total)
    assert total is not None
    together = None
    if len(members) > 1:
        total /= len(members)
        together = Evaluated.of(ENSEMBLE, None, examples_of(total, labels), classes, metrics)
    return Evaluation(
        data=first.originals.name,
        split=first.recipe.data.evaluated_on,
        data_digest=first.originals.digest,
        crops=crops,
        subset=chosen,
        members=tuple(judged),
        ensemble=together,
        gains=tuple(_gains(ledger, members, judged, together, crops, chosen, metrics)),
        notes=(*_notes(members, crops), *lacking),
        class_names=first.originals.classes,
        metrics=metrics,
    )


def _own_metrics(members: Sequence[Member]) -> tuple[list[Metric], list[str]]:
    """The metrics of one's own that the members were trained to report, and a note on each whose file is not here."""
    found, lacking = [], []
    for name in dict.fromkeys(name for member in members for name in member.recipe.metrics):
        try:
            found.append(load_metric(name))
        except (RecipeError, MetricError) as error:
            lacking.append(f"without the metric {name}: {error}")
    return found, lacking


def _require_weights(record: TrialRecord) -> None:
    if record.outcome not in ("finished", "stuck"):
        raise TrialError(
            f"the trial {describe(record)} is {state_of(record)}: only trials that came to their end can be evaluated"
        )
    if not record.weights:
        raise TrialError(
            f"the trial {describe(record)} kept no weights: it ran before Paribus kept them, or with "
            f"evaluation.keep_weights = False. Train it again: `paribus run STUDY.py --redo --set "
            "evaluation.keep_weights=True`"
        )


def _open(ledger: Ledger, record: TrialRecord, home: Path, changes: Mapping[str, Any]) -> Member:
    recipe = Recipe.read(ledger.artifact(record.run_id, "recipe.json")).replace(changes)
    originals = open_originals(recipe, home, threads=max(1, int(recipe.resources.cpus)))
    trained_on = record.data
    if originals.digest != trained_on:
        raise TrialError(
            f"the trial {describe(record)} was trained on data with digest {trained_on[:SHORT_ID]}, and "
            f"{originals.name!r} on this machine has {originals.digest[:SHORT_ID]}: name the trial's data with --shards"
        )
    return Member(record=record, recipe=recipe, originals=originals)


def _require_same_data(first: Member, other: Member) -> None:
    if (first.originals.digest, first.originals.keys) != (other.originals.digest, other.originals.keys):
        raise TrialError(
            f"the trials have different evaluation data: {_data_of(first)}; {_data_of(other)}. An ensemble answers one "
            "question about one image, so evaluate them apart"
        )


def _data_of(member: Member) -> str:
    data = member.originals
    return f"{describe(member.record)} has {data.name} ({member.recipe.data.evaluated_on}, {data.digest[:SHORT_ID]})"


def _name(member: Member, members: Sequence[Member]) -> str:
    """The run's name; with the study's where the members are of several, with its id where that is not enough."""
    records = [other.record for other in members]
    own, study = run_name(member.record), member.record.study
    name = own if len({record.study for record in records}) == 1 else f"{study}: {own}"
    twins = sum((record.study, run_name(record)) == (study, own) for record in records)
    return name if twins == 1 else f"{name} ({member.record.trial_id[:SHORT_ID]})"


def _gains(
    ledger: Ledger,
    members: Sequence[Member],
    judged: Sequence[Evaluated],
    together: Evaluated | None,
    crops: str,
    chosen: Subset,
    metrics: Sequence[Metric],
) -> list[Gain]:
    gains = []
    if crops != "1":
        for member, found in zip(members, judged, strict=True):
            single = _single_crop(ledger, member, chosen)
            if single is not None:
                gains.append(Gain.between(found.name, "its single crop", found.examples, single, metrics))
    if together is not None:
        best = max(judged, key=lambda one: tuple(one.estimates[name].value for name in _BEST_BY))
        over = f"its best, {best.name}"
        gains.append(Gain.between(together.name, over, together.examples, best.examples, metrics))
    return gains


def _single_crop(ledger: Ledger, member: Member, chosen: Subset) -> Examples | None:
    """What the trial's own evaluation found of the same examples; None where the ledger lacks it."""
    try:
        kept = ledger.examples(member.record.run_id)
    except LedgerError as error:
        if error.status == 404:
            return None
        raise
    if kept.keys_digest != keys_digest(member.originals.keys):
        return None
    return kept.taken(chosen.rows)


def _notes(members: Sequence[Member], crops: str) -> list[str]:
    from paribus.engine.code_digest import trial_code

    notes = []
    if any(member.record.code != trial_code(member.recipe) for member in members):
        notes.append("some of these trials were trained by other code than this, which builds their nets now")
    if crops != "1" and any(not member.recipe.augment.flip for member in members):
        notes.append(
            "half of the looks are mirrored, and not every trial was trained on mirrored images (augment.flip = False)"
        )
    if crops == "dense":
        notes.append(
            "dense looks reach 2.9 times the input's side, as ResNet's did, whose nets were trained at several scales"
        )
    return notes
