"""Pairs that do not have all else in common are named: code, library versions, processors, GPUs, data streams."""

from __future__ import annotations

import csv
import io
import uuid
from pathlib import Path
from typing import Any

import pytest
import torch
from shelf import Shelf

from paribus.commands.study import study_verbs as verbs
from paribus.engine.options import Options
from paribus.report.doubts.mixtures import mixtures
from paribus.report.judging import judge
from paribus.study import Claim, Study
from paribus.study.plan import Trial
from paribus.tracking import Recorder, environment
from paribus.tracking.environment import processor, versions
from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster
EPYC = {"cpu": "AMD EPYC 7B13", "versions": {"torch": "2.15.0", "numpy": "2.4.1"}}
XEON = {"cpu": "Intel Xeon", "versions": {"torch": "2.14.1", "numpy": "2.4.1"}}


def study_of(**fields: Any) -> Study:
    made = {"name": f"mix-{uuid.uuid4().hex[:8]}", "base": "synthetic", "factors": {"model.width": (0.25, 0.5)}}
    return Study(**{**made, "replicates": 4, "margin": 4.0, "claim": Claim("wider is better", "WRN"), **fields})


def filled(shelf: Shelf, facts_of: Any, study: Study | None = None) -> Study:
    """A study each of whose trials was made with `facts_of(trial)`."""
    study = study or study_of()
    shelf.fill(study, lambda trial: None)
    with Recorder(shelf.outbox, shelf.uri, flush_s=0.05) as recorder:
        for trial in shelf.trials(study):
            shelf.record(recorder, study, trial, 80.0 + trial.replicate, **facts_of(trial))
    return study


def is_wide(trial: Trial) -> bool:
    return dict(trial.arm.levels)["model.width"] == 0.5


def notes_of(shelf: Shelf, study: Study) -> list[str]:
    return [note for note in judge(study, shelf.uri, shelf.home).notes if note.startswith("mixed")]


def test_processors_and_versions_that_differ_between_the_sides_of_pairs_are_named_everywhere(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    study = filled(shelf, lambda trial: XEON if is_wide(trial) and trial.replicate > 1 else EPYC)
    versions, processors = notes_of(shelf, study)
    assert versions == (
        "mixed library versions in the contrast: torch 2.15.0 (5 trials), torch 2.14.1 (3 trials); in 3 pairs the two "
        "sides differ in it, so that their difference is not the factor's alone"
    )
    assert processors.startswith("mixed processors in the contrast: AMD EPYC 7B13 (5 trials), Intel Xeon (3 trials)")
    verbs.status(study, Options(ledger=shelf.uri))
    assert f"  note: {processors}" in capsys.readouterr().out
    verbs.report(study, Options(ledger=shelf.uri))
    assert processors in capsys.readouterr().out
    verbs.export(study, Options(ledger=shelf.uri))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {(row["processor"], row["versions"]) for row in rows} == {
        ("AMD EPYC 7B13", "torch 2.15.0, numpy 2.4.1"),
        ("Intel Xeon", "torch 2.14.1, numpy 2.4.1"),
    }


def test_whole_replicates_on_another_machine_are_mixed_but_still_paired(shelf: Shelf) -> None:
    study = filled(shelf, lambda trial: XEON if trial.replicate > 2 else EPYC)
    assert len(notes_of(shelf, study)) == 2
    assert not any("pairs the two sides" in note for note in notes_of(shelf, study))


def test_code_and_devices_are_named_too_and_a_gpus_host_processor_is_not(shelf: Shelf) -> None:
    gpu = {"device": "NVIDIA H200"}
    study = filled(
        shelf,
        lambda trial: {**(XEON if is_wide(trial) else EPYC), **gpu, "versions": EPYC["versions"]},
    )
    assert notes_of(shelf, study) == []
    study = filled(shelf, lambda trial: {"code": "0123456789" if is_wide(trial) else "abcdefghij"})
    (code,) = notes_of(shelf, study)
    assert "01234567 (4 trials)" in code
    study = filled(shelf, lambda trial: {"device": "NVIDIA A100" if is_wide(trial) else "NVIDIA H200"})
    (device,) = notes_of(shelf, study)
    assert device.startswith("mixed devices in the contrast: ")


def test_trials_of_the_last_release_say_nothing_alone_and_are_told_beside_new_ones(shelf: Shelf) -> None:
    study = filled(shelf, lambda trial: {})
    assert notes_of(shelf, study) == []
    study = filled(shelf, lambda trial: EPYC if trial.replicate == 4 else {})
    assert any("not recorded (6 trials), AMD EPYC 7B13 (2 trials)" in note for note in notes_of(shelf, study))


def test_a_mixture_outside_of_every_contrast_is_none(shelf: Shelf) -> None:
    study = study_of(factors={"model.width": (0.25, 0.5), "model.depth": (10, 16)}, baseline={"model.width": 0.25})
    filled(shelf, lambda trial: XEON if dict(trial.arm.levels)["model.depth"] == 16 else EPYC, study)
    assert notes_of(shelf, study) == []


def test_a_trial_that_went_on_elsewhere_says_both(shelf: Shelf) -> None:
    study = filled(shelf, lambda trial: EPYC)
    trial = shelf.trials(study)[0]
    with Recorder(shelf.outbox, shelf.uri, flush_s=0.05) as recorder:
        shelf.record(recorder, study, trial, 80.0, attempt=2, **XEON)
    with Ledger(shelf.uri) as ledger:
        records = ledger.trials(study.name)
    assert any("AMD EPYC 7B13 then Intel Xeon (1 trials)" in note for note in mixtures(study, records))


def test_a_claim_is_not_reproduced_on_pairs_that_saw_different_data(shelf: Shelf) -> None:
    def hashes(trial: Trial) -> dict[str, Any]:
        last = "x" if is_wide(trial) and trial.replicate == 3 else "b"
        return {"stream_hashes": ("a", last)}

    study = filled(shelf, hashes)
    judged = judge(study, shelf.uri, shelf.home)
    assert judged.analysis.claim is not None
    assert judged.analysis.claim.outcome == "unresolved"
    assert "the pairing is broken: replicate 3" in judged.analysis.claim.reasons[0]


def test_a_worker_knows_processor_and_versions() -> None:
    assert processor()
    assert {"python", "torch", "numpy", "paribus"} <= versions().keys()


def test_a_worker_with_a_gpu_knows_its_driver_and_cudnn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version").write_text("580.95.05\n")
    monkeypatch.setattr(environment, "_DRIVER", tmp_path / "version")
    environment._gpu_software.cache_clear()
    added = {name: version for name, version in versions(on_gpu=True).items() if name not in versions()}
    environment._gpu_software.cache_clear()
    major, minor, patch = map(int, added["cudnn"].split(".")[:3])
    assert added == {"nvidia driver": "580.95.05", "cudnn": added["cudnn"]}
    assert 10_000 * major + 100 * minor + patch == torch.backends.cudnn.version()
