"""A head that is gone: the driver has its own last words, in time, though its main thread waits in a call in C."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

from paribus.execution.head_watch import patience_s

DRIVER = """
import select, sys
from paribus.execution.head_watch import head_watched

with head_watched(sys.argv[1], lambda: print("told the ledger", flush=True)):
    print("runs", flush=True)
    select.select([sys.stdin], [], [])  # as Ray's library waits for its head
print("ended by itself", flush=True)
"""


def started(address: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path), **env},
    )


def test_a_driver_whose_head_is_gone_says_so_tells_the_ledger_and_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        driver = started(address, RAY_gcs_rpc_server_reconnect_timeout_s="1")
        assert driver.stdout is not None
        assert driver.stdout.readline() == "runs\n"
        time.sleep(1.0)  # long beyond its patience, with a head that is there
        assert driver.poll() is None
    with driver:  # its input stays open until it has ended: nothing else ends it
        assert driver.stderr is not None
        out, err = driver.stdout.read(), driver.stderr.read()
        assert driver.wait(30) == 1
    assert out == "told the ledger\n"
    assert f"the cluster was lost: its head at {address} has not answered for " in err
    assert "the same command does that, once a cluster is up" in err


def test_a_head_that_is_not_expected_back_is_missed_before_another_one_may_take_its_place() -> None:
    """Ray's library ends the process, without a word of ours, where a head answers that is another cluster's."""
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        driver = started(address)
        assert driver.stdout is not None
        assert driver.stdout.readline() == "runs\n"
    with driver:
        assert driver.wait(30) == 1
        assert driver.stderr is not None
        assert (
            f"the cluster was lost: nobody listens at {address}, where its head was. Trials go on"
            in driver.stderr.read()
        )


def test_a_driver_that_ends_before_its_head_is_missed_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        driver = started(f"127.0.0.1:{head.getsockname()[1]}")
        out, _ = driver.communicate("", timeout=30)
    assert driver.returncode == 0
    assert out == "runs\nended by itself\n"


@pytest.mark.parametrize(("told", "expected"), [("", 40.0), ("600", 580.0), ("10", 5.0), ("soon", 40.0)])
def test_it_waits_nearly_as_long_as_ray_is_told_to(monkeypatch: pytest.MonkeyPatch, told: str, expected: float) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", told)
    assert patience_s() == expected
