"""What is amiss with a node, before a trial and at its failure; what it cannot send comes to the driver's disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sandbox import free_ports

from paribus import Study
from paribus.engine.code_digest import OtherCodeError, trial_code
from paribus.errors import DataError
from paribus.execution.handed import keep
from paribus.execution.workers.node_look import is_of_node, look
from paribus.execution.workers.trial_spec import Context, context_of, encode, record_of
from paribus.shards.catalog import data_digest
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.study.plan import Step, trials
from paribus.study.settings import Settings
from paribus.tracking import Recorder
from paribus.tracking.outbox.delivery import results_in
from paribus.tracking.outbox.outbox import outboxes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARIBUS_STORAGE", raising=False)
    return tmp_path / "home"


@pytest.fixture
def step(home: Path, tmp_path: Path) -> Step:
    make_shards(synthetic(), tmp_path / "set")
    fixed = {"data.shards": str(tmp_path / "set")}
    study = Study(name="look", base="synthetic", factors={"model.width": (0.25, 0.5)}, fixed=fixed, margin=4.0)
    trial = trials(study, lambda recipe: data_digest(recipe, home))[0]
    return Step(trial=trial, action="start", attempt=1, run_id="", code=trial_code(trial.recipe))


@pytest.fixture
def context(home: Path) -> Context:
    return context_of("look", home, "http://127.0.0.1:1", Settings())


def test_each_thing_that_is_amiss_with_a_node_is_named(context: Context, step: Step, tmp_path: Path) -> None:
    def found(*, where: Context = context, **other: object) -> tuple[str, ...]:
        return look(where, [encode(step), encode(replace(step, **other))]).faults  # type: ignore[arg-type]

    assert found() == ("", "", "")
    own, theirs, room = found(code="0" * 64)
    assert (own, room) == ("", "")
    assert "would train with another program" in theirs
    assert "and the study was planned with others" in found(trial=replace(step.trial, id="0" * 64))[1]
    for name in ("torch", "paribus"):
        versions = replace(context, versions={**context.versions, name: "0.0"})
        assert f"{name} {context.versions[name]} here, 0.0 there" in found(where=versions)[0]
    shard = next((tmp_path / "set").glob("**/*train*.tar"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-512])
    assert shard.name in found()[0]
    shard.unlink()
    assert f"shard {shard.name} of " in found()[0]
    shard.write_bytes(whole)
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "file" / "below")
    *_, full = found(where=replace(context, storage=nowhere, known=("", "")))
    assert full.startswith(f"checkpoints and records cannot be written to {nowhere} (")
    assert not list(tmp_path.glob("**/.room-*"))
    (tmp_path / "set").rename(tmp_path / "gone")
    assert str(tmp_path / "set") in found()[0]


@pytest.mark.parametrize(
    ("error", "opened", "of_node"),
    [
        (OtherCodeError("other"), False, True),
        (DataError("missing"), False, True),
        (DataError("truncated in the middle"), True, False),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), True, True),
        (RuntimeError("CUDA error: device-side assert triggered"), True, False),
        (RuntimeError("No CUDA-capable device is detected"), False, True),
        (MemoryError("out of memory"), True, False),
        (ValueError("a user's"), False, False),
    ],
)
def test_what_is_the_nodes_and_what_is_the_trials(error: Exception, opened: bool, of_node: bool) -> None:
    assert is_of_node(error, opened=opened) is of_node


def test_a_node_with_the_drivers_folders_uses_them_and_another_has_its_own(
    context: Context, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    monkeypatch.setenv("PARIBUS_HOME", str(own))  # as the node's Ray was started with
    here = context.here()
    assert (here.home, here.storage, here.apart) == (str(home), str(home), False)
    home.rename(tmp_path / "elsewhere")
    here = context.here()
    assert (here.home, here.storage, here.apart) == (str(own), str(own), True)
    assert here.outbox == own / "spool" / here.outbox.name
    shared = replace(context, storage=str(tmp_path / "elsewhere")).here()
    assert (shared.home, shared.storage, shared.apart) == (str(own), str(tmp_path / "elsewhere"), False)


def test_what_a_node_cannot_send_comes_to_the_drivers_disk_whole(context: Context, step: Step, tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_ports(1)[0]}"
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    with Recorder(theirs, uri) as recorder:
        log = recorder.trial(record_of(step, "look").begun(1, 0), is_new=True)
        log.artifact("printed.txt", b"words")
        log.metrics({"top1": 50.0}, step=1, epoch=1)
        log.finish("finished", {"top1": 51.0})
        ((name, files),) = recorder.hand_over(log, timeout_s=10.0).items()
        assert recorder.hand_over(log, timeout_s=0.1) == {}
        assert outboxes(theirs) == []
    assert b"words" in files.values()
    folder = keep(ours, name, files)
    assert outboxes(ours) == [folder]
    assert results_in([folder]) == {step.trial.id: "finished"}
    again = keep(ours, name, files)  # of the same number from another node: beside it, and MLflow keeps the first
    assert outboxes(ours) == [folder, again]
