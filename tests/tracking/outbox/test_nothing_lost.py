"""Faults of the line and of MLflow's disk: numbers and outcomes arrive, and what did not is named and sent again."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_line import ARTIFACTS, LOGIN_PAGE, Answer, Line

from paribus.tracking import MlflowRest, Recorder, TrialRecord, replay, waiting
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import ensure_experiment

pytestmark = pytest.mark.cluster
Make = Callable[..., TrialRecord]


def record(recorder: Recorder, trial: TrialRecord, top1: float = 50.0, files: tuple[str, ...] = ("curves",)) -> None:
    log = recorder.trial(trial)
    log.metrics({"top1": top1}, step=1, epoch=1)
    for name in files:
        log.artifact(name, name.encode() * 100)
    log.finish("finished", {"top1": top1})


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what a busy machine may take long for."""
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def outcomes(ledger: Ledger, study: str) -> list[str | None]:
    return [trial.outcome for trial in ledger.trials(study)]


def test_five_seconds_of_500_to_files_cost_no_outcome_of_ten_trials_and_no_file(
    line: Line, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    line.fail(Answer(status=500), only=ARTIFACTS)
    healed = time.monotonic() + 5
    with Recorder(outbox, line.uri, flush_s=0.05) as recorder:
        for replicate in range(10):
            record(recorder, begin(replicate=replicate), top1=float(replicate))
        until(lambda: len(ledger.results(study)) == 10, "outcomes must not wait for files")
        time.sleep(max(0.0, healed - time.monotonic()))
        line.heal()
        assert recorder.close(60)
    trials = ledger.trials(study)
    assert {trial.replicate: trial.metrics["top1"] for trial in trials} == {r: float(r) for r in range(10)}
    assert all(ledger.artifact(trial.run_id, "curves") == b"curves" * 100 for trial in trials)
    assert not any(trial.lost_artifact for trial in trials), "what came in the end is not lost"
    assert not list(outbox.glob("*/*"))


@pytest.mark.parametrize("status", [500, 507, 408, 429, 401, 302, 413, 400])
def test_a_file_that_is_not_taken_is_named_on_the_run_and_sent_again_by_the_next_replay(
    line: Line, outbox: Path, begin: Make, ledger: Ledger, study: str, status: int
) -> None:
    line.fail(Answer(status=status), only="weights.pt")
    recorder = Recorder(outbox, line.uri, flush_s=0.05)
    record(recorder, begin(), files=("curves", "weights.pt"))
    until(lambda: any(t.lost_artifact for t in ledger.trials(study)), "the run names the file")
    assert not recorder.close(0.5), "the server does not have everything"
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.status, trial.metrics) == ("finished", "FINISHED", {"top1": 50.0})
    assert ledger.artifact(trial.run_id, "curves") == b"curves" * 100
    assert "weights.pt" in trial.lost_artifact
    assert str(status) in trial.lost_artifact
    assert waiting(outbox).num_unsent == 1
    line.heal()
    assert replay(outbox, line.uri).num_sent == 1
    assert ledger.artifact(trial.run_id, "weights.pt") == b"weights.pt" * 100
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.lost_artifact) == ("finished", "")
    assert not list(outbox.glob("*/*"))


LINES = {
    "a fault": Answer(status=500),
    "a full disk": Answer(status=507),
    "not now": Answer(status=429),
    "a password that ran out": Answer(status=401),
    "a door": Answer(status=403, body=b"Forbidden"),
    "a redirect": Answer(status=302, headers={"Location": "https://sso.example/login"}),
    "a login page": Answer(status=200, body=LOGIN_PAGE, headers={"Content-Type": "text/html"}),
    "half an answer": Answer(status=200, body=b'{"run": {"info": {"run_', headers={"Content-Type": "application/json"}),
    "another server": Answer(status=404, body=b"<html>nginx: no such page</html>"),
    "an empty list": Answer(status=200, body=b"[]"),
    # In MLflow's own words, and yet not about what was sent.
    "no connection": Answer(
        status=400,
        body=b'{"error_code": "BAD_REQUEST", "message": "QueuePool limit of size 5 overflow 10 reached, connection'
        b' timed out, timeout 30.00"}',
    ),
}


@pytest.mark.parametrize("answer", LINES.values(), ids=LINES)
def test_what_a_line_answers_is_no_verdict_on_the_records_and_they_wait(
    line: Line, outbox: Path, begin: Make, ledger: Ledger, study: str, answer: Answer
) -> None:
    line.fail(answer)
    recorder = Recorder(outbox, line.uri, flush_s=0.05)
    record(recorder, begin())
    until(lambda: recorder.trouble, "somebody says so")
    assert not recorder.close(0.5)
    found = waiting(outbox)
    assert (found.num_unsent, found.rejected) == (1, ())
    there = replay(outbox, line.uri, budget_s=0.3)
    assert (there.num_sent, there.num_left, there.rejected) == (0, 1, ())
    assert line.uri in there.trouble
    line.heal()
    assert replay(outbox, line.uri).num_sent == 1
    assert outcomes(ledger, study) == ["finished"]


def test_a_login_page_in_answer_to_a_file_is_no_delivery(
    line: Line, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    line.fail(Answer(status=200, body=LOGIN_PAGE), only=ARTIFACTS, verb="PUT")
    recorder = Recorder(outbox, line.uri, flush_s=0.05)
    record(recorder, begin())
    until(lambda: outcomes(ledger, study) == ["finished"], "the outcome arrives")
    assert not recorder.close(1.0)
    line.heal()
    assert replay(outbox, line.uri).num_sent == 1
    assert ledger.artifact(ledger.trials(study)[0].run_id, "curves") == b"curves" * 100


def test_one_trial_whose_records_the_server_fails_on_holds_no_other_up(
    line: Line, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    line.fault = lambda method, path, body: Answer(status=500) if b'"cursed"' in body else None
    recorder = Recorder(outbox, line.uri, flush_s=0.05)
    cursed = recorder.trial(begin(replicate=1))
    cursed.metrics({"cursed": 1.0}, step=1, epoch=1)
    cursed.finish("finished", {"top1": 1.0})
    record(recorder, begin(replicate=2))
    until(lambda: [trial.replicate for trial in ledger.results(study)] == [2], "the other trial's outcome arrives")
    assert not recorder.close(0.5)
    assert replay(outbox, line.uri, budget_s=0.2).num_left == 1
    line.heal()
    assert replay(outbox, line.uri).num_sent == 1
    assert len(ledger.results(study)) == 2


def test_an_experiment_whose_files_are_not_served_costs_the_files_alone(
    rest: MlflowRest, uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    rest.post("experiments/create", {"name": study, "artifact_location": "s3://a-colleagues-bucket/runs"})
    recorder = Recorder(outbox, uri, flush_s=0.05)
    record(recorder, begin())
    assert not recorder.close(60.0)
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.metrics) == ("finished", {"top1": 50.0})
    assert "s3://a-colleagues-bucket" in trial.lost_artifact
    summary = replay(outbox, uri)
    assert (summary.num_sent, summary.num_left, summary.rejected) == (0, 0, ())
    assert waiting(outbox).num_unsent == 1
    assert outcomes(ledger, study) == ["finished"], "a replay of a file is no interruption of the trial"


def test_what_the_server_refused_is_sent_again_where_that_is_asked_for(
    line: Line, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    refusal = {"error_code": "INVALID_PARAMETER_VALUE", "message": "a quota of this server"}
    line.fail(Answer(status=400, body=json.dumps(refusal).encode()), only="log-batch")
    recorder = Recorder(outbox, line.uri, flush_s=0.05)
    record(recorder, begin())
    until(lambda: waiting(outbox).rejected, "it is put aside")
    assert not recorder.close()
    assert len(replay(outbox, line.uri, refused_too=True).rejected) == 1
    (aside,) = waiting(outbox).rejected
    assert "a quota of this server" in (aside / "why.txt").read_text()
    line.heal()
    assert replay(outbox, line.uri).num_sent == 0, "only where it is asked for"
    assert replay(outbox, line.uri, refused_too=True).num_sent == 1
    assert outcomes(ledger, study) == ["finished"]
    assert not list(outbox.glob("*/*"))


def test_a_second_refusal_of_the_same_attempt_does_not_delete_the_first(
    line: Line, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    refusal = {"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}
    line.fail(Answer(status=400, body=json.dumps(refusal).encode()), only="log-batch")
    for top1 in (1.0, 2.0):
        recorder = Recorder(outbox, line.uri, flush_s=0.05)
        record(recorder, begin(), top1=top1)
        assert not recorder.close(60.0)
    assert len(waiting(outbox).rejected) == 2


def test_an_attempt_that_ended_and_waits_is_not_written_into_by_another_of_the_same_number(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    for top1 in (1.0, 2.0):
        recorder = Recorder(outbox, None)
        record(recorder, begin(started_ms=int(1000 * top1)), top1=top1, files=())
        recorder.close()
    assert waiting(outbox).num_unsent == 2
    assert replay(outbox, uri).num_sent == 2
    (result,) = ledger.results(study)
    assert result.metrics["top1"] == 1.0, "the first that ended is the result"


def test_a_leftover_of_the_same_attempt_elsewhere_does_not_take_an_outcome_away(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, tmp_path: Path
) -> None:
    killed = Recorder(tmp_path / "other node", None)
    killed.trial(begin(started_ms=1000)).metrics({"top1": 1.0}, step=1, epoch=1)
    killed.close()
    with Recorder(outbox, uri) as recorder:
        record(recorder, begin(started_ms=2000))
    assert replay(tmp_path / "other node", uri).num_sent == 1
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.status, trial.interrupted) == ("finished", "FINISHED", False)


@pytest.mark.parametrize("points", [0, 2])
def test_an_attempt_that_is_found_dead_later_ran_no_longer_than_to_its_last_record(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, points: int
) -> None:
    """What it cost is counted from it: a process that is killed at night is found in the morning."""
    yesterday_ms = 1_700_000_000_000
    killed = Recorder(outbox, None)
    log = killed.trial(begin(started_ms=yesterday_ms))
    for step in range(1, points + 1):
        log.metrics({"top1": 1.0}, step=step, epoch=step, when=yesterday_ms / 1000 + 60 * step)
    killed.close()
    assert replay(outbox, uri).num_sent == 1
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.interrupted) == (None, True)
    assert trial.attempts[1].ended_ms - yesterday_ms == 60_000 * points


def test_a_late_attempts_file_does_not_replace_the_newer_ones(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, tmp_path: Path
) -> None:
    late = Recorder(tmp_path / "late", None)
    log = late.trial(begin())
    log.artifact("curves", b"old")
    late.close()
    with Recorder(outbox, uri) as recorder:
        record(recorder, begin(attempt=2))
    assert replay(tmp_path / "late", uri).num_sent == 1
    (trial,) = ledger.trials(study)
    assert ledger.artifact(trial.run_id, "curves") == b"curves" * 100
    assert ledger.artifact(trial.run_id, "attempt.1/curves") == b"old"


def test_a_run_that_is_deleted_in_mlflow_while_its_trial_trains_is_restored_and_says_so(
    uri: str, rest: MlflowRest, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, uri, flush_s=0.05)
    log = recorder.trial(begin())
    log.metrics({"top1": 1.0}, step=1, epoch=1)
    deadline = time.monotonic() + 20
    while not (found := ledger.trials(study)) or not found[0].latest:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rest.post("runs/delete", {"run_id": found[0].run_id})
    log.metrics({"top1": 2.0}, step=2, epoch=2)
    log.finish("finished", {"top1": 2.0})
    assert recorder.close(60.0)
    (trial,) = ledger.trials(study)
    assert (trial.run_id, trial.outcome) == (found[0].run_id, "finished")
    assert "deleted" in trial.restored
    assert [point.value for point in ledger.history(trial.run_id, "top1")] == [1.0, 2.0]


@pytest.mark.parametrize("known", ["0" * 32, "another's"])
def test_a_spool_that_remembers_a_run_that_is_gone_or_anothers_finds_its_own(
    uri: str, rest: MlflowRest, outbox: Path, begin: Make, ledger: Ledger, study: str, known: str
) -> None:
    with Recorder(outbox, uri) as recorder:
        record(recorder, begin(replicate=7), top1=7.0)
    (other,) = ledger.trials(study)
    waits = Recorder(outbox, None)
    record(waits, begin())
    waits.close()
    (folder,) = outbox.glob("*/*")
    (folder / "sent").write_text(json.dumps({"offset": 0, "run_id": other.run_id if known == "another's" else known}))
    assert replay(outbox, uri).num_sent == 1
    results = {result.replicate: result.metrics["top1"] for result in ledger.results(study)}
    assert results == {0: 50.0, 7: 7.0}


def test_records_of_a_deleted_experiment_wait_with_the_way_back_and_come_after_it(
    uri: str, rest: MlflowRest, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, uri, flush_s=0.05)
    log = recorder.trial(begin())
    log.metrics({"top1": 1.0}, step=1, epoch=1)
    deadline = time.monotonic() + 20
    while not ledger.trials(study):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    experiment_id = ensure_experiment(rest, study)
    rest.post("experiments/delete", {"experiment_id": experiment_id})
    log.finish("finished", {"top1": 2.0})
    assert not recorder.close(60.0)
    (refused,) = replay(outbox, uri, refused_too=True).rejected
    assert f"mlflow experiments restore -x {experiment_id}" in refused
    rest.post("experiments/restore", {"experiment_id": experiment_id})
    assert replay(outbox, uri, refused_too=True).num_sent == 1
    assert outcomes(ledger, study) == ["finished"]


def test_a_server_that_moved_to_another_port_gets_the_rest_from_a_replay_there(
    line: Line, uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, line.uri, flush_s=0.05)
    log = recorder.trial(begin())
    log.metrics({"top1": 1.0}, step=1, epoch=1)
    deadline = time.monotonic() + 20
    while not ledger.trials(study):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    line.fail(Answer(status=503))
    log.finish("finished", {"top1": 2.0})
    assert not recorder.close(0.5)
    assert replay(outbox, uri).num_sent == 1
    assert outcomes(ledger, study) == ["finished"]


def test_a_disk_that_is_full_to_the_end_costs_nothing_where_the_server_is_there(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    recorder = Recorder(outbox, uri, flush_s=0.05)
    log = recorder.trial(begin())
    try:
        # The kernel refuses what exceeds the limit exactly as a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, hard))
        for step in range(1, 31):
            log.metrics({"top1": float(step)}, step=step, epoch=step)
        log.artifact("curves", b"c" * 5000)
        log.finish("finished", {"top1": 30.0})
        assert recorder.close(30.0), "what the disk does not hold is sent from memory"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.metrics) == ("finished", {"top1": 30.0})
    assert len(ledger.history(trial.run_id, "top1")) == 30
    assert ledger.artifact(trial.run_id, "curves") == b"c" * 5000
