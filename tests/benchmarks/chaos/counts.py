"""What came of a study that faults were thrown at, beside the same study in quiet."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from cluster import Cluster
from sandbox import wait_for

from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import TrialRecord

FINAL = ("top1", "top5", "log_likelihood", "eval_loss", "train_loss")


@dataclass(frozen=True)
class Struck:
    """One fault that was thrown, at a moment in seconds since 1970; `node` is whom it befell."""

    kind: str
    node: str
    at: float
    trained: bool  # whether a trial trained there


def numbers(ledger: Ledger, trial: TrialRecord) -> list[Any]:
    """What has to be the same to the bit: final metrics, every example's results, the loss at every step."""
    final = [trial.metrics[key] for key in FINAL]
    return [final, ledger.examples(trial.run_id).log_likelihood, ledger.curves(trial.run_id)["loss"]]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def compared(ledger: Ledger, calm: str, storm: str, planned: int) -> dict[str, int]:
    """Trials of the disturbed study without a result, twice in the ledger, with other results than the quiet one's."""
    quiet = {trial.trial_id: trial for trial in ledger.trials(calm)}
    found = [trial for trial in ledger.trials(storm) if trial.outcome == "finished"]
    parent = ledger.study(storm)
    assert parent is not None
    body = {"experiment_ids": [parent.experiment_id], "max_results": 5000}
    runs = ledger.rest.post("runs/search", body)["runs"]
    tags = [{each["key"]: each["value"] for each in run["data"].get("tags", ())} for run in runs]
    ids = Counter(each["paribus.trial_id"] for each in tags if "paribus.trial_id" in each)
    return {
        "trials planned": planned,
        "trials without a result": planned - len({trial.trial_id for trial in found}),
        "trials twice in the ledger": sum(count > 1 for count in ids.values()),
        "results that differ": sum(
            not same(numbers(ledger, trial), numbers(ledger, quiet[trial.trial_id])) for trial in found
        ),
        "trials of more than one attempt": sum(len(trial.attempts) > 1 for trial in found),
        "attempts": sum(max(trial.attempts, default=1) for trial in found),
    }


def useful_s(ledger: Ledger, study: str) -> float:
    """Seconds that the study's steps take where they are trained once: the median of its last attempts' seconds for a
    step, times all steps."""
    rates, steps = [], 0
    for trial in ledger.trials(study):
        if trial.outcome != "finished":
            continue
        steps += trial.num_steps
        points = [each for each in ledger.history(trial.run_id, "epoch") if each.attempt == max(trial.attempts)]
        if len(points) > 1 and points[-1].step > points[0].step:
            took_s = (points[-1].time_ms - points[0].time_ms) / 1000
            rates.append(took_s / (points[-1].step - points[0].step))
    return median(rates) * steps if rates else 0.0


def taken_up_s(ledger: Ledger, study: str, struck: Sequence[Struck]) -> list[float]:
    """For each node that was lost with a trial on it: seconds until an attempt of that trial trained again.

    A trial whose other node had one of its own waited for a place too.
    """
    found = []
    for trial in ledger.trials(study):
        for number, attempt in trial.attempts.items():
            after = trial.attempts.get(number + 1)
            lost = [
                each.at
                for each in struck
                if each.node == attempt.host and each.at * 1000 > attempt.started_ms and each.trained
            ]
            if after is None or not lost or after.started_ms < lost[0] * 1000:
                continue
            first = [p.time_ms for p in ledger.history(trial.run_id, "epoch") if p.attempt == number + 1]
            began = max(at for at in lost if at * 1000 < after.started_ms)
            found.append((first[0] if first else after.started_ms) / 1000 - began)
    return found


def runs_at(ledger: Ledger, study: str, after_ms: float) -> tuple[TrialRecord, str] | None:
    """A trial that has been training since `after_ms`, as its points tell, and the node where it does."""
    for trial in ledger.trials(study):
        if trial.running and trial.attempts:
            number = max(trial.attempts)
            points = [each for each in ledger.history(trial.run_id, "epoch") if each.attempt == number]
            if points and trial.attempts[number].started_ms > after_ms:
                return trial, trial.attempts[number].host
    return None


def elsewhere_s(cluster: Cluster, study: str, losses: int) -> list[tuple[float, float]]:
    """Lose the node of a study's only trial, again and again: seconds until it began, and trained, elsewhere."""
    found: list[tuple[float, float]] = []
    with Ledger(cluster.uri, budget_s=30) as ledger:
        since = 0.0
        while len(found) < losses:
            cluster.wait()
            wait_for(lambda: runs_at(ledger, study, since) or _ended(ledger, study), "a trial that trains")  # noqa: B023
            now = runs_at(ledger, study, since)
            if now is None:
                return found
            node = cluster.machines[now[1]]
            node.wanted = False
            lost, since = time.time(), time.time() * 1000
            node.crash()
            wait_for(lambda: runs_at(ledger, study, since) or _ended(ledger, study), "the trial elsewhere")  # noqa: B023
            again = runs_at(ledger, study, since)
            node.wanted = True
            if again is None:
                return found
            number = max(again[0].attempts)
            first = next(p.time_ms for p in ledger.history(again[0].run_id, "epoch") if p.attempt == number)
            found.append((again[0].attempts[number].started_ms / 1000 - lost, first / 1000 - lost))
    return found


def _ended(ledger: Ledger, study: str) -> bool:
    trials = ledger.trials(study)
    return bool(trials) and not any(trial.running for trial in trials) and all(trial.outcome for trial in trials)
