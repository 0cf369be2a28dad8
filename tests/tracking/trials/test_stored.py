"""A trial's record, its run in MLflow, and the way there and back: nothing is lost, whatever is in it."""

from __future__ import annotations

import math
import random
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from paribus.study import Arm
from paribus.study.words import FailureClass, Outcome
from paribus.tracking import MlflowRest, Recorder, TrialRecord, replay
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import Latest, Metric, create_run, ensure_experiment, get_run, log_batch, update_run
from paribus.tracking.trials.record import Attempt
from paribus.tracking.trials.stored import changes, from_mlflow, tags_of, to_mlflow, with_tags

GOLDEN = Path(__file__).parents[2] / "golden" / "outbox"
TEXTS = (
    "",
    "plain",
    "ä · ü\n\t'\"\\",
    "[parts 3 0123456789abcdef] not split",
    "x" * 8000,
    "y" * 20_001,
    '{"a": 1}',
    "null",
)
NAMES = ("top1", "eval_loss", "class/é 7", "dead_channels")
FLOATS = (0.0, -1.5, 1e-300, 1e300, math.inf, -math.inf, math.nan, 93.25)
# Two arms have these: the last parts of two paths are one name.
ARMS = (
    Arm(()),
    Arm((("optimizer.kind", "sgd"), ("schedule.kind", "cosine"))),
    Arm((("optimizer.kind", "rmsprop"), ("schedule.kind", "step"))),
    Arm(
        (("model.block", (3, 3)), ("model.se", None), ("augment.flip", True), ("optimizer.lr", 0.1), ("data.name", "é"))
    ),
)
OUTCOMES: tuple[Outcome | None, ...] = (None, "finished", "diverged", "dead", "stuck", "stopped", "failed")
FAILURES: tuple[FailureClass | None, ...] = (None, "preempted", "node", "oom", "data", "code")


def drawn(seed: int) -> TrialRecord:
    """A record with anything in each of its fields."""
    draw = random.Random(seed)
    text = lambda: draw.choice(TEXTS)  # noqa: E731
    whole = lambda: draw.choice((0, 1, 27, 2**40))  # noqa: E731
    numbers = lambda: {name: draw.choice(FLOATS) for name in draw.sample(NAMES, draw.randrange(4))}  # noqa: E731

    def attempt() -> Attempt:
        made = {"cpu": text(), "versions": {"torch": "2.15.0"} if draw.random() < 0.5 else {}}
        return Attempt(resumed_step=whole(), started_ms=whole(), host=text(), pid=whole(), outcome=text(), **made)

    arm = draw.choice(ARMS)
    return TrialRecord(
        trial_id=f"{seed:064x}",
        study="a study",
        arm=arm,
        arm_name=arm.name,
        replicate=draw.choice((0, 1, 12)),
        params={"optimizer.lr": "0.1"} if draw.random() < 0.5 else {},
        latest={name: Latest(value, 7, 1000) for name, value in numbers().items()},
        seeds={"init": 2**60, "order": 3} if draw.random() < 0.5 else {},
        code=text(),
        node=text(),
        cpu=text(),
        versions={"python": "3.11.7", "é": ""} if draw.random() < 0.5 else {},
        attempt=draw.choice((1, 2, 13)),
        attempts={number: attempt() for number in sorted(draw.sample(range(1, 20), draw.randrange(3)))},
        total_steps=whole(),
        shared=text(),
        warnings=text(),
        outcome=draw.choice(OUTCOMES),
        interrupted=draw.random() < 0.5,
        metrics=numbers(),
        outcome_step=draw.choice((None, 0, 27)),
        num_steps=whole(),
        reason=text(),
        failure=draw.choice(FAILURES),
        data=text(),
        device=text(),
        weights=text(),
        stream_hashes=tuple(f"{number:012x}" for number in range(draw.choice((0, 1, 1500)))),
        evaluations={"crops_1.without_ab": {"top1": {"value": 9.5}, "n": 3}} if draw.random() < 0.5 else {},
        lost_artifact=text(),
        restored=text(),
        conflicts={"optimizer.lr": ["0.1", "0.2"]} if draw.random() < 0.5 else {},
        duplicate_of=text(),
    )


def same(one: TrialRecord, other: TrialRecord) -> None:
    """The records hold the same; a NaN is like a NaN."""
    for each in fields(TrialRecord):
        assert repr(getattr(one, each.name)) == repr(getattr(other, each.name)), each.name


def told(record: TrialRecord) -> TrialRecord:
    """What two records share of which one is in MLflow: all but where the run is, and when it ran."""
    here = {"run_id": "", "experiment_id": "", "uri": "", "parent": "", "started_ms": 0, "ended_ms": 0, "status": ""}
    return replace(record, **here)


def test_every_record_comes_back_from_its_run_as_it_was() -> None:
    for seed in range(300):
        record = drawn(seed)
        status = random.Random(seed).choice(("RUNNING", "FINISHED", "FAILED", "KILLED"))
        record = replace(record, run_id="r", experiment_id="7", uri="http://u", status=status, started_ms=5, ended_ms=9)
        same(from_mlflow(to_mlflow(record), "http://u"), record)


def test_a_fact_of_a_trial_that_is_in_no_tag_fails_here() -> None:
    """A new field of the record is stored, or named here with where it comes from."""
    of_the_run = {"run_id", "experiment_id", "uri", "status", "started_ms", "ended_ms", "params", "latest", "faults"}
    bare = TrialRecord(trial_id="t", study="", arm=Arm(()), arm_name="", replicate=0)
    values: dict[type | str, Any] = {
        "tuple[str, ...]": ("abc",),
        "str": "text",
        "int": 7,
        "bool": True,
        "int | None": 0,
    }
    values |= {"Outcome | None": "dead", "FailureClass | None": "oom", "Arm": ARMS[1]}
    for each in fields(TrialRecord):
        if each.name in of_the_run:
            continue
        value = values.get(each.type)  # the text of the annotation
        if value is None:
            key, item = (
                (1, Attempt(pid=3)) if each.name == "attempts" else ("key", {"a": 1} if "Any" in each.type else 1)
            )
            value = {key: item}
        now = replace(bare, **{each.name: value})
        assert getattr(from_mlflow(to_mlflow(now)), each.name) == value, each.name
        assert changes(bare, now), f"{each.name} is in no tag"


def test_what_changed_is_sent_alone_and_what_is_no_more_is_emptied() -> None:
    for seed in range(100):
        before, now = drawn(seed), replace(drawn(seed + 1), trial_id=drawn(seed).trial_id)
        tags = {**to_mlflow(before).tags, **changes(before, now)}
        kept = {
            "attempts": {**before.attempts, **now.attempts},
            "evaluations": {**before.evaluations, **now.evaluations},
        }
        found = from_mlflow(replace(to_mlflow(now), tags=tags))
        same(replace(found, attempts={}, evaluations={}), replace(now, attempts={}, evaluations={}))
        assert found.attempts.keys() == kept["attempts"].keys()
        assert changes(now, now) == {}
    record = drawn(3)
    assert tags_of(replace(record, reason=""), ["reason"]) == {"paribus.reason": ""}
    assert with_tags(record, tags_of(replace(record, reason=""), ["reason"])) == replace(record, reason="")


@pytest.mark.cluster
def test_records_come_back_from_a_real_server_as_they_were(rest: MlflowRest, study: str) -> None:
    experiment_id = ensure_experiment(rest, study)
    for seed in range(12):
        record = drawn(seed)
        made = to_mlflow(record)
        run_id = create_run(rest, experiment_id, made.name, made.tags).run_id
        points = [Metric(key, point.value, point.time_ms, point.step) for key, point in made.metrics.items()]
        log_batch(rest, run_id, points, made.params)
        update_run(rest, run_id, made.status)
        same(told(from_mlflow(get_run(rest, run_id))), told(record))


@pytest.mark.cluster
def test_what_the_recorder_is_told_is_what_the_ledger_says(uri: str, outbox: Path, ledger: Ledger, study: str) -> None:
    """Through the outbox: as an attempt begins, what is told on the way, and what its end tells."""
    sent = {}
    with Recorder(outbox, uri) as recorder:
        for seed in range(8):
            last = replace(drawn(seed), study=study, attempts={}, latest={}, interrupted=False, duplicate_of="")
            last = replace(last, outcome=last.outcome or "finished", evaluations={})
            first = ("trial_id", "study", "arm", "arm_name", "replicate", "params", "seeds", "code", "attempt")
            bare = TrialRecord(**{name: getattr(last, name) for name in first}).begun(last.attempt)
            log = recorder.trial(bare, is_new=True)
            log.update(replace(bare, total_steps=last.total_steps, weights="told early, and kept"))
            facts = {"started_ms": bare.started_ms, "attempts": bare.attempts, "outcome": None, "metrics": {}}
            log.finish(str(last.outcome), last.metrics, replace(last, **facts, weights="told early, and kept"))
            sent[last.trial_id] = replace(last, weights="told early, and kept")
    found = {trial.trial_id: trial for trial in ledger.trials(study)}
    assert found.keys() == sent.keys()
    for trial_id, record in found.items():
        assert record.attempts[record.attempt].outcome == record.outcome
        same(replace(told(record), attempts={}), told(sent[trial_id]))


@pytest.mark.cluster
def test_what_a_later_attempt_does_not_tell_is_not_kept_of_an_earlier_one(
    uri: str, outbox: Path, ledger: Ledger, study: str
) -> None:
    trial = TrialRecord(trial_id="t", study=study, arm=Arm(()), arm_name="base", replicate=1, code="first")
    for attempt, outcome in enumerate(("failed", "finished", "failed"), 1):
        with Recorder(outbox, uri) as recorder:
            log = recorder.trial(trial.begun(attempt))
            end = replace(log.record, reason="oom: too little", failure="oom")
            if outcome == "finished":
                end = replace(log.record, num_steps=8, weights="ab" * 32, data="d", stream_hashes=("a" * 12,))
            log.finish(outcome, {"top1": 50.0} if outcome == "finished" else {}, end)
        (found,) = ledger.trials(study)
        assert (found.outcome, found.attempt) == (outcome, attempt)
        assert (found.reason, found.failure) == (end.reason, end.failure)
        assert (found.weights, found.num_steps, found.stream_hashes) == (end.weights, end.num_steps, end.stream_hashes)
        assert found.metrics == ({"top1": 50.0} if outcome == "finished" else {})


@pytest.mark.cluster
def test_what_the_last_release_left_on_disk_is_sent(uri: str, outbox: Path, ledger: Ledger, study: str) -> None:
    """Attempts that f3ce7c5 recorded while MLflow was away: finished, cut off, diverged after a resumption, failed."""
    shutil.copytree(GOLDEN, outbox)
    for file in outbox.glob("*/*/records.jsonl"):  # a study of this test's own
        file.write_text(file.read_text().replace('"study":"waiting"', f'"study":"{study}"'))
    summary = replay(outbox, uri)
    assert (summary.num_sent, summary.rejected) == (4, ())
    found = {trial.outcome: trial for trial in ledger.trials(study)}
    done, cut, diverged, failed = (found[outcome] for outcome in ("finished", None, "diverged", "failed"))
    versions = {"python": "3.11.7", "torch": "2.15.0", "numpy": "2.4.1"}
    assert done.arm.as_dict() == {"optimizer.lr": 0.05}
    assert (done.arm_name, done.replicate, done.code, done.node) == ("lr=0.05", 1, "c0de" * 4, "node-7")
    assert (done.cpu, done.versions, done.device) == ("AMD EPYC 7B13", versions, "cpu")
    assert (done.metrics, done.num_steps, done.outcome_step) == ({"top1": 40.0, "eval_loss": 0.5}, 40, None)
    assert (done.weights, done.data) == ("ab" * 32, "d" * 64)
    assert done.stream_hashes == ("0123456789ab", "fedcba987654")
    assert (done.warnings, done.shared) == ("the loss rose\nand fell", "7 batches from the node's reader")
    assert done.seeds.keys() == {"init", "order", "augment", "dropout"}
    assert done.params["model.family"] == "wide_resnet"
    assert done.attempts[1].cpu == "AMD EPYC 7B13"
    assert (done.started_ms, done.total_steps, done.epoch) == (1_790_000_000_000, 40, 4)
    assert (cut.interrupted, cut.status, cut.step) == (True, "KILLED", 20)
    assert (diverged.attempt, diverged.resumed_steps, diverged.outcome_step) == (2, {2: 20}, 27)
    assert math.isnan(diverged.metrics["eval_loss"])
    assert (failed.failure, failed.reason) == ("data", "data: shard train-000001.tar is truncated")
    (parent,) = [record for record in ledger.studies() if record.name == study]
    assert {trial.parent for trial in found.values()} == {parent.run_id}
    assert parent.settings.digest
    assert not any(trial.faults for trial in found.values())
