"""Outages, kill -9 and a full disk: training never waits, and nothing that was recorded is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sandbox import HOSTILE

from paribus.tracking import LedgerUnreachable, MlflowRest, Recorder, TrialRecord, replay, waiting
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess, running_server, start_server
from paribus.tracking.outbox.outbox import Outbox, folder_of

pytestmark = pytest.mark.cluster
Make = Callable[..., TrialRecord]

WRITER = """
import sys, time
from pathlib import Path
from paribus.study import Arm
from paribus.tracking import Recorder, TrialRecord
recorder = Recorder(Path(sys.argv[1]), sys.argv[2] or None, flush_s=0.1)
trial = TrialRecord(study=sys.argv[3], trial_id="killed", arm=Arm(()), arm_name="base", replicate=0)
log = recorder.trial(trial.begun())
for step in range(1, 1001):
    log.metrics({"top1": float(step)}, step=step, epoch=step)
    if step == 600:
        print("ready", flush=True)
        time.sleep(float(sys.argv[4]))
print("recorded", flush=True)
time.sleep(600)
"""


def killed_after_recording(outbox: Path, uri: str, study: str, pause_s: float) -> None:
    """Let another process record 1,000 points and kill it, with no chance to tidy up."""
    words = [sys.executable, "-c", WRITER, str(outbox), uri, study, str(pause_s)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert [writer.stdout.readline(), writer.stdout.readline()] == ["ready\n", "recorded\n"]
        os.kill(writer.pid, signal.SIGKILL)


def test_a_server_that_dies_in_mid_study_delays_and_loses_nothing(
    mlflow_server: ServerProcess, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, mlflow_server.uri, flush_s=0.05)
    log = recorder.trial(begin())
    for step in range(1, 101):
        log.metrics({"top1": float(step)}, step=step, epoch=step)
    time.sleep(0.5)
    folder = Path(mlflow_server.folder)
    running = running_server(folder)
    assert running is not None
    running.stop()
    slowest = 0.0
    try:
        for step in range(101, 401):
            before = time.perf_counter()
            log.metrics({"top1": float(step)}, step=step, epoch=step)
            slowest = max(slowest, time.perf_counter() - before)
            time.sleep(0.005)
        log.finish("finished", {"top1": 400.0})
        recorder.trial(begin(replicate=1)).finish("dead", {"top1": 10.0})
        assert "No MLflow server answers" in recorder.trouble
    finally:
        with pytest.MonkeyPatch.context() as shell:  # as the session's server was started
            for name, value in HOSTILE.items():
                shell.setenv(name, value)
            start_server(folder, port=urlsplit(mlflow_server.uri).port)
    assert slowest < 0.1
    assert recorder.close(60)
    assert [(trial.replicate, trial.outcome) for trial in ledger.trials(study)] == [(0, "finished"), (1, "dead")]
    points = ledger.history(ledger.trials(study)[0].run_id, "top1")
    assert [(point.step, point.value) for point in points] == [(step, float(step)) for step in range(1, 401)]
    assert not list(outbox.glob("*/*"))


def test_a_server_that_was_never_there_costs_a_bounded_wait_and_a_replay_brings_all(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, "http://127.0.0.1:9", flush_s=0.05)
    log = recorder.trial(begin())
    log.metrics({"top1": 1.0}, step=1, epoch=1)
    log.finish("finished", {"top1": 1.0})
    before = time.monotonic()
    assert not recorder.close(0.5)
    assert time.monotonic() - before < 5
    there = replay(outbox, "http://127.0.0.1:9", budget_s=0.3)
    assert (there.num_sent, there.num_left) == (0, 1)
    assert "paribus up" in there.trouble
    assert replay(outbox, uri).num_sent == 1
    assert [result.outcome for result in ledger.results(study)] == ["finished"]


def test_a_server_that_hangs_does_not_hold_up_the_end(outbox: Path, begin: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        recorder = Recorder(outbox, f"http://127.0.0.1:{mute.getsockname()[1]}", flush_s=0.05)
        recorder.trial(begin()).finish("finished", {"top1": 1.0})
        before = time.monotonic()
        assert not recorder.close(0.5)
        assert time.monotonic() - before < 10
    assert waiting(outbox).num_unsent == 1


@pytest.mark.parametrize("served", [True, False], ids=["while it was being sent", "before anything was sent"])
def test_kill_9_loses_no_point_and_the_trial_reads_as_interrupted(
    uri: str, outbox: Path, ledger: Ledger, study: str, served: bool
) -> None:
    killed_after_recording(outbox, uri if served else "", study, pause_s=1.0 if served else 0.0)
    summary = replay(outbox, uri)
    assert (summary.num_sent, summary.num_busy, summary.num_left, summary.rejected) == (1, 0, 0, ())
    (trial,) = ledger.trials(study)
    assert (trial.status, trial.outcome, trial.interrupted) == ("KILLED", None, True)
    points = ledger.history(trial.run_id, "top1")
    assert [point.step for point in points] == list(range(1, 1001))
    assert replay(outbox, uri).num_sent == 0


def test_a_replay_leaves_the_trials_of_live_processes_alone(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, None)
    log = recorder.trial(begin())
    assert replay(outbox, uri).num_busy == 1
    with pytest.raises(BlockingIOError):
        Recorder(outbox, None).trial(begin())
    log.finish("finished", {"top1": 1.0})
    recorder.close()
    assert replay(outbox, uri).num_sent == 1


def test_a_line_that_a_crash_tore_is_dropped_and_the_rest_is_kept(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    recorder = Recorder(outbox, None)
    log = recorder.trial(begin())
    log.metrics({"top1": 1.0}, step=1, epoch=1)
    recorder.close()
    with (folder_of(outbox, begin()) / "records.jsonl").open("ab") as records:
        records.write(b'{"kind":"metrics","step":2,"epo')
    again = Recorder(outbox, None)
    log = again.trial(begin())
    log.metrics({"top1": 3.0}, step=3, epoch=3)
    log.finish("finished", {"top1": 3.0})
    again.close()
    assert replay(outbox, uri).rejected == ()
    (trial,) = ledger.trials(study)
    assert [point.step for point in ledger.history(trial.run_id, "top1")] == [1, 3]


def test_a_full_disk_stops_nobody_and_what_was_held_is_written_when_there_is_room(tmp_path: Path, begin: Make) -> None:
    resource = pytest.importorskip("resource")
    outbox = Outbox(tmp_path / "trial", create=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # The kernel refuses what exceeds the limit, half a line included, exactly as a full disk does.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        for step in range(20):
            outbox.write({"kind": "metrics", "step": step})
        outbox.write_artifact("big.bin", b"x" * 1000)
        assert not outbox.settle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert outbox.settle()
    records = [record for record, _ in outbox.read(0, 1 << 20)]
    assert [record.get("step") for record in records[:20]] == list(range(20))
    assert outbox.artifact(records[20]["file"]) == b"x" * 1000, "a file too is held until there is room"
    assert (tmp_path / "trial" / records[20]["file"]).stat().st_size == 1000


def test_an_unreachable_server_is_named_with_what_to_do() -> None:
    unreachable = MlflowRest("http://127.0.0.1:9", budget_s=0.2)
    with (
        unreachable,
        pytest.raises(LedgerUnreachable, match=r"http://127\.0\.0\.1:9 .*paribus up.*MLFLOW_TRACKING_URI"),
    ):
        unreachable.get("experiments/get-by-name", experiment_name="x")
