"""A proxy that limits the size of a request costs a trial that one file, and none of its results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from faulty_line import Answer, Line

from paribus.tracking import LedgerError, Recorder, TrialRecord, replay
from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster
LIMIT = 100_000


def test_a_file_that_is_too_large_is_said_to_be_lost_and_all_else_arrives(
    line: Line, ledger: Ledger, outbox: Path, begin: Callable[..., TrialRecord], study: str
) -> None:
    line.fault = lambda method, path, body: Answer(status=413) if len(body) > LIMIT else None
    with Recorder(outbox, line.uri) as recorder:
        log = recorder.trial(begin())
        log.artifact("recipe.json", b"{}")
        log.artifact("weights.pt", bytes(LIMIT + 1))
        log.finish("finished", {"top1": 93.5}, replace(log.record, weights="0" * 64))
        assert not recorder.close()
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.metrics) == ("finished", {"top1": 93.5})
    assert ledger.artifact(trial.run_id, "recipe.json") == b"{}"
    assert "weights.pt: 0 MiB are more than the server takes" in trial.lost_artifact
    with pytest.raises(LedgerError, match=r"lacks weights.pt \(weights.pt: 0 MiB are more than the server takes"):
        ledger.weights(trial)
    line.heal()
    assert replay(outbox, line.uri).num_sent == 1
    assert ledger.artifact(trial.run_id, "weights.pt") == bytes(LIMIT + 1), "once the proxy takes it, it is sent again"
    assert not list(outbox.glob("*/*"))
