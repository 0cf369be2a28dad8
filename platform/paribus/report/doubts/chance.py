"""Trials of an earlier release that ended at chance and said `finished`: judged as `stuck` when they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from paribus.errors import DataError
from paribus.recipe.data import Data
from paribus.shards.catalog import manifest_at, named_folder
from paribus.shards.fraction import read_evaluated
from paribus.shards.storage.locations import ShardLocation
from paribus.tracking.trials.record import TrialRecord
from paribus.training.evaluation.chance import is_stuck, stuck_reason

# Evaluation examples and classes of the sets that papers name, for a reader that has no copy of the data.
_KNOWN = {
    "digits": (397, 10),
    "fashion_mnist": (10_000, 10),
    "cifar10": (10_000, 10),
    "cifar100": (10_000, 100),
    "imagenet": (50_000, 1000),
}


def judged_when_read(home: Path) -> Callable[[TrialRecord], TrialRecord]:
    """What `Ledger` passes each record through: one that is `finished` at chance comes back as `stuck`.

    Trials of this release are judged when they end, by the labels that they were evaluated on, and come back as they
    are. For the others the class frequencies are those of the data's own index, where the data lie on this machine
    with the digest that the trial was trained on; else the named set's classes are taken as equally frequent. The
    record's reason says which. A trial of other data that are not at hand stays as it is.
    """

    def judged(record: TrialRecord) -> TrialRecord:
        if record.outcome != "finished" or "top1" not in record.metrics:
            return record
        looked_at = _looked_at(record)
        found = _counted(_folder_of(record, home), record.data, looked_at)
        source = "by the data's own class frequencies"
        if found is None and not looked_at.holdout and (known := _KNOWN.get(record.params.get("data.name", ""))):
            found, source = (known[0], -(-known[0] // known[1])), "with all classes taken as equally frequent"
        if found is None or not is_stuck(record.metrics["top1"], *found):
            return record
        reason = f"{stuck_reason(record.metrics['top1'], *found)}; judged when read, {source}"
        return replace(record, outcome="stuck", reason=reason)

    return judged


def _folder_of(record: TrialRecord, home: Path) -> Path:
    """Where the trial's data would lie on this machine."""
    shards = record.params.get("data.shards", "None")
    return named_folder(record.params.get("data.name", ""), home) if shards == "None" else Path(shards)


def _looked_at(record: TrialRecord) -> Data:
    """What of the trial's data says which examples it was evaluated on."""
    said = record.params
    return Data(
        train_split=said.get("data.train_split", "train"),
        eval_split=said.get("data.eval_split", "test"),
        holdout=float(said.get("data.holdout", "0")),
    )


@lru_cache(maxsize=64)
def _counted(folder: Path, digest: str, looked_at: Data) -> tuple[int, int] | None:
    """Evaluation examples, and those of their most frequent class; None where the data are not at hand."""
    try:
        place = ShardLocation(str(folder))
        manifest = manifest_at(place)
        if manifest.digest != digest:
            return None
        labels = read_evaluated(place, manifest, looked_at).labels
    except (DataError, OSError):  # whatever is wrong with the data is told where they are trained on
        return None
    return len(labels), int(np.bincount(labels).max())
