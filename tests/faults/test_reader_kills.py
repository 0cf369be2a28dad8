"""kill -9 of the node's reader with trials on it: each goes on alone, a new reader comes, and no number changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sandbox import HANGS_S, LONG, Sandbox, kill, wait_for

pytestmark = pytest.mark.cluster
Check = Callable[[Sandbox, Path], None]


def readers(sandbox: Sandbox) -> list[int]:
    """The readers of this checkout's cluster."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        facts = process.info
        is_reader = any("ray::FeedReader" in word for word in facts["cmdline"] or ())
        if is_reader and (facts["environ"] or {}).get("PYTHONPATH") == sandbox.env["PYTHONPATH"]:
            found.append(process.pid)
    return found


def test_a_killed_reader_costs_no_trial_anything(sandbox: Sandbox, assert_completed: Check) -> None:
    study = sandbox.study(**LONG, data__cache="never")
    driver = sandbox.start(study)
    wait_for(
        lambda: readers(sandbox) and len(sandbox.checkpoints(study)) >= 2, "a reader, and two arms in their middle"
    )
    for pid in readers(sandbox):
        kill(pid)
    out, err = driver.communicate(timeout=HANGS_S)
    assert driver.returncode == 0, out + err
    assert "Traceback" not in out + err
    assert_completed(sandbox, study)
    told = [trial.shared for trial in sandbox.trials(study)]
    assert any("the reader ended" in text for text in told)
    assert not any(text.startswith("0 batches") for text in told[2:]), "the second replicate has a new reader"
