"""A study's parent run: one for ever however many race to make it, one driver at a time, no trial left running."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from packed import packed

from paribus.metrics.examples import Examples
from paribus.study.settings import Settings
from paribus.tracking import LeaseHeld, LedgerError, MlflowRest, Recorder, StudyHeader, TrialRecord, open_study, replay
from paribus.tracking import tags as words
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.agreement import ensure_run
from paribus.tracking.mlflow.runs import close_duplicate, create_run, get_run, search_runs
from paribus.tracking.mlflow.view import RunsView, keep_view
from paribus.tracking.outbox.artifacts import EXAMPLES, PACKED_EXAMPLES, encode_examples, keys_digest

pytestmark = pytest.mark.cluster
Make = Callable[..., TrialRecord]


def open_by_name(uri_and_name: tuple[str, str]) -> str:
    """In a process of its own: the id of the study's run."""
    uri, name = uri_and_name
    with MlflowRest(uri) as rest:
        return open_study(rest, StudyHeader(name=name)).run_id


def test_a_study_reads_as_it_was_opened(rest: MlflowRest, ledger: Ledger, study: str) -> None:
    assert ledger.study(study) is None
    assert ledger.trials(study) == []
    claim = {"text": "no harm", "source": "Inception-v4, section 3.3"}
    opened = open_study(
        rest,
        StudyHeader(name=study, question="Does it?", claim=claim, caveats=("batch 64",), num_planned=8, note="# Why"),
    )
    opened.claim_lease()
    opened.heartbeat({"finished": 3})
    opened.artifact("verdicts.json", json.dumps([1, 2]).encode())
    record = ledger.study(study)
    assert record is not None
    assert (record.question, record.claim, record.caveats, record.num_planned) == ("Does it?", claim, ("batch 64",), 8)
    assert (record.counts, record.live, record.status) == ({"finished": 3}, True, "RUNNING")
    assert record.note == "# Why"
    assert ledger.json(record.run_id, "verdicts.json") == [1, 2]
    assert ledger.json(record.run_id, "nothing.json") is None
    page = f"{rest.uri}/#/experiments/{record.experiment_id}/runs/{record.run_id}"
    assert record.url == f"{page}?workflowType=machine_learning"
    opened.finish("FINISHED", {"finished": 8})
    (after,) = [found for found in ledger.studies() if found.name == study]
    assert (after.counts, after.live, after.status, after.driver) == ({"finished": 8}, False, "FINISHED", None)


def test_mlflows_page_of_a_study_opens_with_what_it_is_about(rest: MlflowRest, ledger: Ledger, study: str) -> None:
    view = RunsView(
        metric="ece", largest_first=False, curves=("top1",), metrics=("ece", "top1"), params=("model.width",)
    )
    opened = open_study(rest, StudyHeader(name=study, note="**Does it?**", view=view))
    experiment = rest.get("experiments/get", experiment_id=opened.experiment_id)["experiment"]
    tags = {tag["key"]: tag["value"] for tag in experiment["tags"]}
    state = json.loads(tags[f"mlflow.sharedViewState.paribus-{opened.run_id}"])
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`final/ece`", True)
    assert state["selectedColumns"][:3] == ["metrics.`final/ece`", "metrics.`final/top1`", "params.`model.width`"]
    assert state["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": words.ARM_NAME}]
    first = state["compareRunCharts"][0]
    assert (first["type"], first["metricKey"]) == ("LINE", "top1")
    record = ledger.study(study)
    assert record is not None
    table = f"{rest.uri}/#/experiments/{opened.experiment_id}/runs?viewStateShareKey=paribus-{opened.run_id}"
    assert record.note.startswith(f"**Does it?**\n\n[Trials]({table}&workflowType=machine_learning) · ")
    # Of more factors than MLflow has room for, the first are kept.
    keep_view(rest, opened.experiment_id, opened.run_id, RunsView(metric="ece", params=["p" * 200] * 100))


def test_threads_and_processes_that_open_a_study_at_once_get_one_run(uri: str, rest: MlflowRest, study: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(open_by_name, [(uri, study)] * 8))
    assert len(ids) == 1
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as processes:
        ids |= set(processes.map(open_by_name, [(uri, study), (uri, study), (uri, study)]))
    assert len(ids) == 1
    experiment_id = open_study(rest, StudyHeader(name=study)).experiment_id
    kept = [run for run in search_runs(rest, [experiment_id]) if words.DUPLICATE_OF not in run.tags]
    assert [run.run_id for run in kept] == list(ids)


def test_threads_that_create_one_trial_at_once_settle_on_one_run(uri: str, rest: MlflowRest, study: str) -> None:
    experiment_id = open_study(rest, StudyHeader(name=study)).experiment_id
    tags = {words.TRIAL_ID: "t", words.KIND: words.TRIAL_KIND}

    def ensure(_: int) -> str:
        with MlflowRest(uri) as own:
            return ensure_run(own, experiment_id, words.TRIAL_ID, "t", tags)[0].run_id

    with ThreadPoolExecutor(6) as threads:
        settled = set(threads.map(ensure, range(6)))
    found = [run for run in search_runs(rest, [experiment_id]) if words.TRIAL_ID in run.tags]
    winners = [run for run in found if words.DUPLICATE_OF not in run.tags]
    assert {run.run_id for run in winners} == settled
    assert len(settled) == 1
    assert all(run.status == "KILLED" for run in found if run not in winners)


def test_a_trial_whose_run_turned_out_a_duplicate_moves_whole_to_the_other(
    uri: str, rest: MlflowRest, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, uri, flush_s=0.05)
    log = recorder.trial(begin())
    log.metrics({"top1": 1.0}, step=1, epoch=1)
    while not (found := ledger.trials(study)) or not found[0].latest:
        time.sleep(0.05)
    mine = get_run(rest, found[0].run_id)
    other = create_run(rest, mine.experiment_id, mine.name, mine.tags, mine.start_ms - 1)
    close_duplicate(rest, mine, other)
    log.metrics({"top1": 2.0}, step=2, epoch=2)
    log.finish("finished", {"top1": 2.0})
    assert recorder.close()
    (trial,) = ledger.trials(study)
    assert (trial.run_id, trial.outcome) == (other.run_id, "finished")
    assert [point.value for point in ledger.history(other.run_id, "top1")] == [1.0, 2.0]


def test_one_driver_at_a_time_and_a_dead_one_gives_way(uri: str, rest: MlflowRest, study: str) -> None:
    first = open_study(rest, StudyHeader(name=study))
    first.claim_lease()
    second = open_study(rest, StudyHeader(name=study))
    with pytest.raises(LeaseHeld, match=f"{study}.*process {os.getpid()}"):
        second.claim_lease()
    first.finish("KILLED")
    second.claim_lease()
    with pytest.raises(LeaseHeld):
        first.heartbeat()
    second.finish("KILLED")
    code = (
        "import os, signal, sys; from paribus.tracking import *\n"
        "open_study(MlflowRest(sys.argv[1]), StudyHeader(name=sys.argv[2])).claim_lease()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, uri, study], check=False)
    third = open_study(rest, StudyHeader(name=study))
    third.claim_lease()
    third.finish("FINISHED")


def test_trials_that_nobody_runs_any_more_are_closed(
    uri: str, rest: MlflowRest, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, uri)
    for replicate in range(3):
        elsewhere = Settings("0ther", "budget=2 epochs") if replicate == 2 else None
        recorder.trial(begin(replicate=replicate), settings=elsewhere).metrics({"top1": 1.0}, step=1, epoch=1)
    recorder.close()
    opened = open_study(rest, StudyHeader(name=study))
    own = [begin(replicate=r).trial_id for r in (0, 1)]
    assert sorted(opened.close_orphans(own)) == own, "replicate 2 is another driver's"
    states = {trial.replicate: (trial.status, trial.interrupted) for trial in ledger.trials(study)}
    assert states == {0: ("KILLED", True), 1: ("KILLED", True), 2: ("RUNNING", False)}
    parent = ledger.study(study)
    assert parent is not None
    assert parent.status == "RUNNING"
    assert replay(outbox, uri).num_sent == 3


def test_per_example_results_come_back_for_pairing(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    draw = np.random.default_rng(0)
    correct, nats = draw.random(397) < 0.9, draw.normal(size=397).astype(np.float32)
    keys = [f"test-{number:04}" for number in range(397)]
    with Recorder(outbox, uri) as recorder:
        for replicate in range(3):
            log = recorder.trial(begin(replicate=replicate))
            if replicate == 0:
                kept = Examples(correct=correct, log_likelihood=nats, keys=keys)
                log.artifact(EXAMPLES, encode_examples(kept))
            elif replicate == 1:
                log.artifact(PACKED_EXAMPLES, packed(correct, nats, keys_digest(keys)))
            log.finish("finished", {"top1": 90.0})
    *with_arrays, without = ledger.results(study, per_example=True)
    for result in with_arrays:
        assert result.examples is not None
        assert np.array_equal(result.examples.column("correct"), correct)
        assert np.array_equal(result.examples.column("log_likelihood"), nats)
        assert result.examples.keys_digest == keys_digest(keys)
    assert without.examples is None
    assert list(ledger.examples(with_arrays[0].run_id, with_keys=True).keys) == keys


def test_a_deleted_experiment_is_named_with_the_way_back(rest: MlflowRest, study: str) -> None:
    opened = open_study(rest, StudyHeader(name=study))
    rest.post("experiments/delete", {"experiment_id": opened.experiment_id})
    with pytest.raises(LedgerError, match=f"deleted.*mlflow experiments restore -x {opened.experiment_id}"):
        open_study(rest, StudyHeader(name=study))
