"""Arms that should have seen the same data in the same order, and did not, are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trial_records import ended

from paribus.execution.workers.crashes import Crash, explanation
from paribus.report.doubts.pairing_check import stream_notes
from paribus.report.texts import record_notes
from paribus.study import Study
from paribus.study.words import Arm
from paribus.tracking.trials.record import TrialRecord


@pytest.fixture
def study() -> Study:
    return Study(name="streams", base="synthetic", factors={"model.width": (0.25, 0.5)}, replicates=2, margin=4.0)


def record(arm: Arm, replicate: int, hashes: list[str]) -> TrialRecord:
    return ended(arm, replicate, stream_hashes=tuple(hashes))


def test_equal_streams_need_no_note_and_a_trial_that_ended_early_is_compared_as_far_as_it_came(study: Study) -> None:
    narrow, wide = study.arms
    records = [record(narrow, 1, ["a", "b", "c"]), record(wide, 1, ["a"]), record(narrow, 2, ["d"])]
    assert stream_notes(study, [*records, record(wide, 2, [])]) == ()


def test_a_stream_that_differs_is_named_with_its_replicate(study: Study) -> None:
    narrow, wide = study.arms
    records = [record(narrow, 1, ["a", "b"]), record(wide, 1, ["a", "x"]), record(narrow, 2, ["c"])]
    (note,) = stream_notes(study, [*records, record(wide, 2, ["c"])])
    assert note.startswith("replicate 1: ")
    assert "not paired" in note
    assert "k=0.5" in note


def test_arms_with_other_data_have_other_streams_and_that_is_no_fault() -> None:
    study = Study(
        name="fractions", base="synthetic", factors={"data.train_fraction": (0.5, 1.0)}, replicates=1, margin=4.0
    )
    half, whole = study.arms
    assert stream_notes(study, [record(half, 1, ["a"]), record(whole, 1, ["b"])]) == ()


def test_a_trial_that_was_given_up_because_it_kills_its_process_is_named_with_its_signal_and_log(study: Study) -> None:
    """In the report and on the dashboard, which otherwise show a missing pair and no reason."""
    narrow, wide = study.arms
    reason = explanation([Crash(attempt=1, signal="SIGSEGV", steps=4, log=Path("a.log"))] * 2, Path("crash-2.txt"))
    crashed = replace(record(narrow, 1, []), outcome="failed", reason=reason)
    other = replace(record(wide, 1, []), outcome="failed", reason="data: a shard is truncated")
    (note,) = record_notes(study, [crashed, other, record(narrow, 2, []), record(wide, 2, [])], ())
    assert note == (
        "k=0.25 · r1: failed: this trial kills its process (SIGSEGV) after step 4, twice; its log: crash-2.txt"
    )
