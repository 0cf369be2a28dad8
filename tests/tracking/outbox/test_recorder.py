"""The recorder against a real MLflow server: what lands there, how often it asks, and what it never loses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paribus.tracking import LedgerError, MlflowRest, Recorder, TrialRecord, replay, waiting
from paribus.tracking import tags as words
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run, log_batch, search_runs
from paribus.tracking.outbox.artifacts import CURVES, encode_curves

pytestmark = pytest.mark.cluster
Make = Callable[..., TrialRecord]


def record_trial(recorder: Recorder, trial: TrialRecord, *, steps: range, outcome: str | None = "finished") -> None:
    log = recorder.trial(trial)
    for step in steps:
        log.metrics({"top1": 50.0 + step, "train_loss": 1 / step}, step=step, epoch=step)
    if outcome:
        log.finish(outcome, {"top1": 77.5}, replace(log.record, num_steps=steps[-1]))


def test_a_finished_trial_reads_as_it_was_recorded(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    curves = {"step": np.arange(5), "loss": np.linspace(2, 1, 5, dtype=np.float32)}
    with Recorder(outbox, uri) as recorder:
        log = recorder.trial(begin(code="abc"), is_new=True)
        log.metrics({"top1": 12.5, "train_loss": 2.0}, step=10, epoch=1)
        log.metrics({"top1": 25.0, "train_loss": 1.0}, step=20, epoch=2)
        log.artifact(CURVES, encode_curves(curves))
        log.update(replace(log.record, stream_hashes=("beef",)))
        log.finish("finished", {"top1": 24.0}, replace(log.record, num_steps=20))
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.status, trial.progress) == ("finished", "FINISHED", 1.0)
    assert trial.arm.as_dict() == {"model.width": 4.0, "model.block": (3, 3)}
    assert trial.metrics == {"top1": 24.0}
    assert (trial.step, trial.epoch, trial.num_steps) == (20, 2, 20)
    assert trial.params == {"optimizer.lr": "0.1"}
    assert (trial.code, trial.stream_hashes) == ("abc", ("beef",))
    assert [(p.step, p.value) for p in ledger.history(trial.run_id, "train_loss")] == [(10, 2.0), (20, 1.0)]
    read = ledger.curves(trial.run_id)
    assert all(np.array_equal(read[key], curves[key]) for key in curves)
    (result,) = ledger.results(study)
    assert (result.arm, result.metrics["top1"], result.run_id) == (trial.arm, 24.0, trial.run_id)
    assert all(get_run(ledger.rest, trial.run_id).tags.values()), "nothing is said of what there is nothing to say of"


def test_children_nest_under_one_parent_with_readable_names(
    uri: str, rest: MlflowRest, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    with Recorder(outbox, uri) as recorder:
        for replicate in range(3):
            record_trial(recorder, begin(replicate=replicate), steps=range(1, 3))
    parent = ledger.study(study)
    assert parent is not None
    runs = list(search_runs(rest, [parent.experiment_id]))
    children = [run for run in runs if run.tags.get(words.PARENT) == parent.run_id]
    assert len(runs) == 4
    assert sorted(run.name for run in children) == [f"k=4 · block=(3,3) · r{r}" for r in range(3)]
    assert all("final/top1" in run.metrics for run in children)


def test_a_trial_takes_few_requests_and_leaves_no_file(uri: str, outbox: Path, begin: Make) -> None:
    recorder = Recorder(outbox, uri, flush_s=30)
    for replicate in range(5):
        log = recorder.trial(begin(replicate=replicate), is_new=True)
        for step in range(400):
            log.metrics({"top1": 1.0, "train_loss": 2.0, "lr": 0.1}, step=step, epoch=step)
        log.finish("finished", {"top1": 1.0})
    requests = recorder._rest
    assert requests is not None
    assert recorder.close(60)
    # The study costs five or six; a trial one to create, two batches (1,600 points), one to close.
    assert requests.num_requests <= 6 + 5 * 4
    assert not list(outbox.glob("*/*"))


def test_a_diverged_trial_keeps_nan_and_infinity(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    with Recorder(outbox, uri) as recorder:
        log = recorder.trial(begin())
        for step, loss in enumerate([1.0, math.inf, -math.inf, math.nan]):
            log.metrics({"train_loss": loss}, step=step, epoch=step)
        log.finish("diverged", {"eval_loss": math.nan, "top1": 10.0}, replace(log.record, outcome_step=3))
    (result,) = ledger.results(study)
    assert (result.outcome, result.outcome_step, result.metrics["top1"]) == ("diverged", 3, 10.0)
    assert math.isnan(result.metrics["eval_loss"])
    values = [point.value for point in ledger.history(result.run_id, "train_loss")]
    assert values[:3] == [1.0, math.inf, -math.inf]
    assert math.isnan(values[3])
    (trial,) = ledger.trials(study)
    assert math.isnan(trial.latest["train_loss"].value)


def test_a_resumed_trial_reads_as_if_it_had_never_been_cut(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    with Recorder(outbox, uri) as recorder:
        record_trial(recorder, begin(), steps=range(1, 8), outcome="interrupted")
    (cut,) = ledger.trials(study)
    assert (cut.status, cut.outcome, cut.interrupted) == ("KILLED", None, True)
    assert ledger.results(study) == []
    with Recorder(outbox, uri) as recorder:
        log = recorder.trial(begin(attempt=2, resumed_step=4))
        for step in (5, 6):
            log.metrics({"top1": 1000.0 + step}, step=step, epoch=step)
        log.finish("finished", {"top1": 1006.0})
    (trial,) = ledger.trials(study)
    assert (trial.attempt, trial.outcome, trial.status, trial.interrupted) == (2, "finished", "FINISHED", False)
    assert trial.resumed_steps == {1: 0, 2: 4}
    points = ledger.history(trial.run_id, "top1")
    assert [(p.step, p.value, p.attempt) for p in points] == [
        *((step, 50.0 + step, 1) for step in range(1, 5)),
        *((step, 1000.0 + step, 2) for step in (5, 6)),
    ]


def test_an_old_attempt_that_reports_late_does_not_undo_the_new_one(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, tmp_path: Path
) -> None:
    lost = Recorder(tmp_path / "lost", None)
    record_trial(lost, begin(), steps=range(1, 4), outcome=None)
    assert not lost.close()
    with Recorder(outbox, uri) as recorder:
        record_trial(recorder, begin(attempt=2), steps=range(1, 3))
    assert replay(tmp_path / "lost", uri).num_sent == 1
    (trial,) = ledger.trials(study)
    assert (trial.attempt, trial.outcome, trial.status) == (2, "finished", "FINISHED")
    assert trial.attempts[1].outcome == "interrupted"
    assert [point.attempt for point in ledger.history(trial.run_id, "top1")] == [2, 2]


def test_sending_twice_after_a_crash_between_sending_and_noting_doubles_nothing(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    written = Recorder(outbox, None)
    record_trial(written, begin(), steps=range(1, 6))
    written.close()
    (folder,) = outbox.glob("*/*")
    records = (folder / "records.jsonl").read_bytes()
    assert replay(outbox, uri).num_sent == 1
    (trial,) = ledger.trials(study)
    folder.mkdir()
    (folder / "records.jsonl").write_bytes(records)
    assert replay(outbox, uri).num_sent == 1
    (again,) = ledger.trials(study)
    assert (again.run_id, again.outcome) == (trial.run_id, "finished")
    raw = ledger.rest.get("metrics/get-history", run_id=trial.run_id, metric_key="top1")["metrics"]
    assert len(raw) == 5


def test_a_param_that_differs_is_a_tag_and_not_an_error(
    uri: str, rest: MlflowRest, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    with Recorder(outbox, uri) as recorder:
        record_trial(recorder, begin(), steps=range(1, 2), outcome="interrupted")
        other = begin(attempt=2, params={"optimizer.lr": "0.2", "new": "1"})
    with Recorder(outbox, uri) as recorder:
        record_trial(recorder, other, steps=range(2, 3))
    (trial,) = ledger.trials(study)
    assert trial.outcome == "finished"
    assert (trial.params["optimizer.lr"], trial.params["new"]) == ("0.1", "1")
    assert trial.conflicts == {"optimizer.lr": ["0.1", "0.2"]}


def test_what_the_server_refuses_is_kept_aside_and_holds_nothing_up(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    with Recorder(outbox, uri) as recorder:
        recorder.trial(begin(replicate=1)).metrics({"top1 \x00 bad?": 1.0}, step=1, epoch=1)
        record_trial(recorder, begin(replicate=2), steps=range(1, 3))
    assert [result.replicate for result in ledger.results(study)] == [2]
    found = waiting(outbox)
    assert (found.num_unsent, len(found.rejected)) == (0, 1)
    (aside,) = outbox.glob("*/*.rejected")
    assert "bad?" in (aside / "why.txt").read_text()
    assert (aside / "records.jsonl").stat().st_size > 0


def test_batches_keep_to_the_servers_limits(uri: str, rest: MlflowRest, outbox: Path, begin: Make) -> None:
    with Recorder(outbox, uri) as recorder:
        record_trial(recorder, begin(), steps=range(1, 2))
    reader = Ledger(uri)
    (trial,) = reader.trials(begin().study)
    params = {f"p{i}": "x" * 6000 for i in range(150)}
    tags = {f"t{i}": "y" * 8000 for i in range(150)}
    assert log_batch(rest, trial.run_id, params=params, tags=tags) == 3
    run = get_run(rest, trial.run_id)
    assert len(run.params["p149"]) == 6000
    assert len(run.tags["t149"]) == 8000
    reader.close()


def test_an_outcome_that_is_none_names_those_there_are(outbox: Path, begin: Make) -> None:
    log = Recorder(outbox, None).trial(begin())
    with pytest.raises(ValueError, match=r"'done'.*finished, diverged, dead, stuck, stopped, failed, interrupted"):
        log.finish("done")


def test_points_are_read_while_a_trial_runs(uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str) -> None:
    recorder = Recorder(outbox, uri, flush_s=0.05)
    log = recorder.trial(begin(total_steps=10))
    log.metrics({"top1": 5.0}, step=4, epoch=1)
    deadline = time.monotonic() + 20
    while not (found := ledger.trials(study)) or not found[0].latest:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (found[0].outcome, found[0].status, found[0].progress) == (None, "RUNNING", 0.4)
    assert recorder.close()


def test_only_http_addresses_are_taken_and_the_error_says_what_to_do() -> None:
    for uri in ("sqlite:///mlflow.db", "./mlruns", "file:///tmp/x", "http://"):
        with pytest.raises(LedgerError, match="Put a server in front"):
            MlflowRest(uri)
