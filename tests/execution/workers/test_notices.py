"""A node that is to be taken back: what trains there saves itself at once, and leaves if there is an elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sandbox import wait_for

from paribus.execution.workers.giving_way import NOTICE, GaveWayError, Hearing
from paribus.execution.workers.watched_checkpoints import WatchedCheckpoints


@pytest.mark.parametrize("leaves", [True, False])
def test_a_trial_saves_itself_when_its_node_has_notice(tmp_path: Path, leaves: bool) -> None:
    file, state = tmp_path / "notice", {"weights": torch.zeros(1)}
    hearing = Hearing("", {NOTICE: str(file)})
    checkpoints = WatchedCheckpoints(tmp_path / "kept", every_s=1e9, noticed=hearing.noticed, leaves=lambda: leaves)
    assert not checkpoints.due(1)
    file.write_text("taken back\nat 12:00\n")
    wait_for(hearing.noticed.is_set, "the notice is seen", 30)
    assert checkpoints.due(2)
    if leaves:
        with pytest.raises(GaveWayError, match="after step 2"):
            checkpoints.save(2, state)
    else:
        checkpoints.save(2, state)
        assert not checkpoints.due(3), "once is enough where it trains on"
    assert checkpoints.newest_step() == 2
    assert f"says {file}: taken back at 12:00" in str(hearing.notice())
    hearing.end()
    assert not Hearing("", {}).noticed.is_set()
