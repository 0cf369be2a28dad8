"""One driver a study: in other PID namespaces, with other clocks, after a restart, and when several come at once."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import pytest

from paribus.host.processes import is_same_process, start_of
from paribus.tracking import LeaseHeld, MlflowRest, StudyHeader, StudyRun, open_study
from paribus.tracking import tags as words
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run, log_batch, now_ms
from paribus.tracking.studies.lease import Driver

pytestmark = pytest.mark.cluster
NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
# A driver that beats four times a second until its input ends.
HOLDER = """
import os, select, sys
from paribus.tracking import *
run = open_study(MlflowRest(sys.argv[1]), StudyHeader(name=sys.argv[2]))
run.claim_lease()
print("holds", os.getpid(), flush=True)
while not select.select([sys.stdin], [], [], 0.25)[0]:
    run.heartbeat()
"""


def opened(rest: MlflowRest, study: str, lease_s: float = 2.0) -> StudyRun:
    run = open_study(rest, StudyHeader(name=study))
    run.lease.lease_s = lease_s
    return run


def driver(rest: MlflowRest, run: StudyRun, **changes: Any) -> Driver:
    """Write, as the last release would, that a driver holds the study."""
    fields = {"host": "elsewhere", "pid": 7, "pid_start": "1764430000.12", "token": "t" * 32, "heartbeat_ms": now_ms()}
    made = Driver(**(fields | changes))
    log_batch(rest, run.run_id, tags={words.DRIVER: json.dumps(asdict(made))})
    return made


@pytest.fixture
def namespace() -> tuple[str, ...]:
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us make PID namespaces")
    return NAMESPACE


def test_a_driver_in_another_pid_namespace_with_the_same_host_name_keeps_its_study(
    uri: str, rest: MlflowRest, ledger: Ledger, study: str, namespace: tuple[str, ...]
) -> None:
    command = [*namespace, sys.executable, "-c", HOLDER, uri, study]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("holds")
        with pytest.raises(LeaseHeld, match=f"{study}.*{platform.node()}"):
            opened(rest, study).claim_lease()
        record = ledger.study(study)
        assert record is not None
        assert record.live, "people see that it runs"
        holder.kill()
    before = time.monotonic()
    after = opened(rest, study)
    after.claim_lease()
    assert time.monotonic() - before >= 2.0, "it was watched"
    after.finish("FINISHED")


@pytest.mark.parametrize("skew_s", [-90, 90, -86_400, 86_400])
def test_a_driver_elsewhere_whose_clock_is_off_keeps_its_study(rest: MlflowRest, study: str, skew_s: int) -> None:
    run, gone = opened(rest, study), threading.Event()

    def beat() -> None:
        with MlflowRest(rest.uri) as own:
            while not gone.wait(0.2):
                driver(own, run, heartbeat_ms=now_ms() + skew_s * 1000)

    driver(rest, run, heartbeat_ms=now_ms() + skew_s * 1000)
    beating = threading.Thread(target=beat)
    beating.start()
    try:
        with pytest.raises(LeaseHeld):
            opened(rest, study).claim_lease()
    finally:
        gone.set()
        beating.join()


@pytest.mark.parametrize("skew_s", [0, 90, 86_400])
def test_a_driver_elsewhere_that_is_silent_gives_way_after_it_was_watched(
    rest: MlflowRest, study: str, skew_s: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run = opened(rest, study)
    driver(rest, run, heartbeat_ms=now_ms() + skew_s * 1000)
    run.claim_lease()
    assert "watching for up to 2 s" in capsys.readouterr().err
    run.finish("FINISHED")


def test_a_process_that_died_here_gives_way_at_once(uri: str, rest: MlflowRest, study: str) -> None:
    code = HOLDER + "\nos.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, uri, study], check=False, input="", text=True, capture_output=True)
    before = time.monotonic()
    opened(rest, study, lease_s=60.0).claim_lease()
    assert time.monotonic() - before < 5.0


def test_a_pid_that_means_another_process_after_a_restart_is_not_the_driver(rest: MlflowRest, study: str) -> None:
    mine = start_of(os.getpid())
    boot, namespace, ticks = mine.rsplit("/", 2)
    assert is_same_process(os.getpid(), mine)
    for other in (f"{boot[:-1]}x/{namespace}/{ticks}", f"{boot}/pid:[1]/{ticks}", f"{boot}/{namespace}/1"):
        assert not is_same_process(os.getpid(), other)


def test_of_many_that_claim_at_the_same_moment_exactly_one_wins(uri: str, study: str) -> None:
    start = threading.Barrier(8)

    def claim(number: int) -> bool:
        with MlflowRest(uri) as own:
            run = opened(own, study)
            # Each is slow, by its own measure, between its look and its word: the case that no fixed wait can settle.
            post = own.post

            def slow(path: str, body: Mapping[str, object]) -> dict[str, Any]:
                time.sleep(0.08 * number if path == "runs/log-batch" else 0.0)
                return post(path, body)

            own.post = slow  # type: ignore[method-assign]
            start.wait()
            try:
                run.claim_lease()
            except LeaseHeld:
                return False
            time.sleep(2.0)  # all hold on for as long as the slowest needs
            run.heartbeat()
            return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(8))) == 1


def test_a_driver_that_was_taken_for_dead_stops_when_it_wakes(rest: MlflowRest, study: str) -> None:
    slept = opened(rest, study)
    slept.claim_lease()
    for key in [key for key in get_run(rest, slept.run_id).tags if key.startswith("paribus.claim_of_driver.")]:
        rest.post("runs/delete-tag", {"run_id": slept.run_id, "key": key})
    log_batch(rest, slept.run_id, tags={words.DRIVER: ""})
    other = opened(rest, study)
    other.claim_lease()
    with pytest.raises(LeaseHeld):
        slept.heartbeat()
    other.heartbeat()
    other.finish("FINISHED")
    assert not [key for key in get_run(rest, other.run_id).tags if key.startswith("paribus.claim_of_driver.")]


@pytest.mark.parametrize("tag", ["[]", "null", "7", '{"pid": "x"}', "{", "[" * 5000, '{"host":1,"pid":2}'])
def test_a_damaged_driver_tag_is_nobody(rest: MlflowRest, ledger: Ledger, study: str, tag: str) -> None:
    run = opened(rest, study)
    log_batch(rest, run.run_id, tags={words.DRIVER: tag, "paribus.claim_of_driver.x": tag})
    run.claim_lease()
    record: Callable[[], Any] = lambda: ledger.study(study)  # noqa: E731
    assert record().live
    run.finish("FINISHED")
    assert not record().live
