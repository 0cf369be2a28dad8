"""`paribus evaluate` on a real ledger: trials that a study's workers trained, alone, together and without some keys."""

from __future__ import annotations

import json
import os
import re
import signal
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sandbox import Sandbox, Stack, environment, wait_for

from paribus.commands.main import main
from paribus.data import open_feed
from paribus.metrics.examples import COLUMNS
from paribus.metrics.known import METRICS
from paribus.metrics.per_class import per_class
from paribus.plugins import stand_beside
from paribus.recipe import Recipe, Seeds, preset
from paribus.study import Arm
from paribus.study.own_metrics import own_values
from paribus.tracking import Recorder
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run
from paribus.tracking.trials.record import TrialRecord
from paribus.training import fit

pytestmark = pytest.mark.cluster
OWN = Path(__file__).parents[2] / "studies" / "own"
MIRRORED = {"augment__flip": True, "budget": "10 epochs"}


@pytest.fixture(scope="module")
def office(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("office")
    cluster = stack.joined
    made = Sandbox(folder=folder, env=environment(stack.checkout, folder / "home", **cluster))
    yield made
    made.end()


@pytest.fixture(scope="module")
def study(office: Sandbox) -> Path:
    """Two widths, so two architectures, and two replicates of each: trained by workers on the cluster."""
    path = office.study(replicates=2, **MIRRORED)
    done = office.run(path)
    assert done.returncode == 0, done.stdout + done.stderr
    return path


@pytest.fixture(scope="module")
def trials(office: Sandbox, study: Path) -> list[TrialRecord]:
    return [trial for trial in office.trials(study) if trial.arm_name in ("k=0.25", "k=0.5")]


@pytest.fixture(autouse=True)
def _at_the_desk(office: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PARIBUS_HOME", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, office.env[name])


@pytest.fixture
def other(office: Sandbox) -> str:
    """A study's name of the test's own."""
    return f"other-{uuid.uuid4().hex[:8]}"


def record(office: Sandbox, study: str, recipe: Recipe, trial_id: str = "", outcome: str = "finished") -> str:
    """Train a trial here and record it as a worker would; its id."""
    trial_id = trial_id or uuid.uuid4().hex * 2
    feed = open_feed(recipe, office.home)
    result = fit(recipe, Seeds.draw(0, 1), feed)
    begun = TrialRecord(study=study, trial_id=trial_id, arm=Arm(()), arm_name="base", replicate=1).begun()
    with Recorder(office.home / "elsewhere", office.env["MLFLOW_TRACKING_URI"]) as recorder:
        log = recorder.trial(begun, is_new=True)
        log.artifact("recipe.json", recipe.model_dump_json().encode())
        weights = ""
        if result.weights is not None:
            log.artifact("weights.pt", result.weights)
            weights = sha256(result.weights).hexdigest()
        log.finish(outcome, result.metrics, replace(log.record, data=feed.digest, weights=weights))
        assert recorder.close()
    return trial_id


def evaluated(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main(["evaluate", *map(str, words), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["evaluate", *map(str, words)]) in (1, 2)
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    return said.err


def test_a_single_crop_gives_what_the_trial_reported(
    trials: list[TrialRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    trial = trials[0]
    for word in (trial.trial_id, trial.trial_id[:8], trial.run_id, f"{trial.study}:k=0.25r1"):
        found = evaluated(capsys, word)
        assert (found["crops"], found["n"], found["num_excluded"], found["ensemble"]) == ("1", 32, 0, None)
        (row,) = found["trials"]
        assert row["trial_id"] == trial.trial_id
        for metric in ("top1", "top5", "log_likelihood"):
            assert row[metric]["value"] == pytest.approx(trial.metrics[metric], rel=1e-5)
            assert row[metric]["low"] <= row[metric]["value"] <= row[metric]["high"]
            assert row[metric]["n"] == 32


def test_the_trials_own_file_of_examples_gives_what_is_found_again_class_by_class(
    office: Sandbox, trials: list[TrialRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    trial = trials[0]
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        kept = ledger.examples(trial.run_id, with_keys=True)
    assert set(kept.columns) == set(COLUMNS)
    assert list(kept.keys) == list(open_feed(preset("synthetic"), office.home).eval_keys)
    (row,) = evaluated(capsys, trial.trial_id, "--classes")["trials"]
    for name, metric in METRICS.items():
        assert metric.of(kept) == pytest.approx(trial.metrics[name])
        if not metric.negative_of:
            assert row[name]["value"] == pytest.approx(trial.metrics[name], rel=1e-4, abs=1e-4)
            assert (row[name]["low"] is None) == (metric.per_example is None)
    assert [(one["n"], one["right"]) for one in row["classes"]] == [(one.n, one.right) for one in per_class(kept)]
    assert sum(one["n"] for one in row["classes"]) == 32


def test_a_metric_of_ones_own_is_found_in_the_folder_where_the_command_is_called(
    office: Sandbox, other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_parts.py").write_text((OWN / "my_parts.py").read_text())
    monkeypatch.chdir(tmp_path)
    stand_beside(tmp_path)
    recipe = preset("synthetic").replace({"metrics": ("my_parts:macro_f1",), "budget": "10 epochs"})
    trial = record(office, other, recipe)
    examples = fit(recipe, Seeds.draw(0, 1), open_feed(recipe, office.home)).examples
    assert examples is not None
    expected = own_values(recipe.metrics, examples)
    stand_beside()
    (row,) = evaluated(capsys, trial)["trials"]
    (name,) = expected
    assert row[name]["value"] == pytest.approx(expected[name])
    assert row[name]["low"] is None, "no mean over images"
    assert main(["evaluate", trial]) == 0
    assert re.search(r"note: .*macro F1 .*no mean over images", capsys.readouterr().out)
    (tmp_path / "my_parts.py").unlink()
    stand_beside()
    assert "there is no module 'my_parts'" in refused(capsys, trial)
    stand_beside()


def test_an_ensemble_of_two_architectures_with_144_crops(
    office: Sandbox, trials: list[TrialRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(capsys, *(trial.trial_id[:10] for trial in trials), "--crops", 144)
    assert [row["name"] for row in found["trials"]] == ["k=0.25 · r1", "k=0.5 · r1", "k=0.25 · r2", "k=0.5 · r2"]
    best = max(found["trials"], key=lambda row: (row["top1"]["value"], row["log_likelihood"]["value"]))
    *over_single, over_best = found["gains"]
    assert [gain["of"] for gain in over_single] == [row["name"] for row in found["trials"]]
    for gain, row, trial in zip(over_single, found["trials"], trials, strict=True):
        assert gain["top1"]["value"] == pytest.approx(row["top1"]["value"] - trial.metrics["top1"])
        difference = row["log_likelihood"]["value"] - trial.metrics["log_likelihood"]
        assert gain["log_likelihood"]["value"] == pytest.approx(difference, abs=1e-5)
    assert over_best["top1"]["value"] == pytest.approx(found["ensemble"]["top1"]["value"] - best["top1"]["value"])
    mean = np.mean([row["log_likelihood"]["value"] for row in found["trials"]])
    assert found["ensemble"]["log_likelihood"]["value"] >= mean, (
        "the logarithm of a mean is above the mean of logarithms"
    )
    assert not any("mirrored" in note for note in found["notes"])
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        kept = ledger.trial(trials[0].run_id)
    assert kept.latest["crops_144/top1"].value == pytest.approx(found["trials"][0]["top1"]["value"])
    document = kept.evaluations["crops_144"]
    assert document["top1"] == found["trials"][0]["top1"]
    assert document["weights"] == kept.weights
    assert (kept.outcome, kept.status, kept.metrics) == ("finished", "FINISHED", trials[0].metrics)


@pytest.mark.parametrize("crops", ["10", "dense"])
def test_as_text(crops: str, study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"{study}:k=0.5 · r1", f"{study.stem}:k=0.25 · r2", "--crops", crops, "--device", "cpu"]
    assert main(["evaluate", *words, "--classes"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for metric in METRICS.values():
        assert (f"{metric.short}, {metric.of_level}" in said.out) != bool(metric.negative_of)
    assert said.out.count(", top-1 of each class, %") == 3
    assert len(re.findall(r"\] of 8(, most often taken for \w+)?$", said.out, re.MULTILINE)) == 3 * 4
    assert "note: ECE is no mean over images and has no interval over them" in said.out
    assert "synthetic, test split" in said.out
    assert "32 images" in said.out
    assert "ensemble of 2" in said.out
    assert "over its single crop: top-1" in said.out
    assert ("trained at several scales" in said.out) == (crops == "dense")
    assert "ensemble over its best, k=" in said.out
    assert "another test set of this size, not another training" in said.out


def test_the_best_of_a_study_is_the_highest_top1(
    study: Path, trials: list[TrialRecord], office: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = evaluated(capsys, f"{study.stem}:best")["trials"]
    everything = [trial.metrics["top1"] for trial in office.trials(study)]
    assert row["top1"]["value"] == pytest.approx(max(everything))


def test_leaving_keys_out_is_the_metric_of_the_rest_and_says_so(
    office: Sandbox, trials: list[TrialRecord], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        examples = ledger.examples(trials[1].run_id)
    listed, again = tmp_path / "blacklist.txt", tmp_path / "again.txt"
    listed.write_text("# too small\ntest-0003\n\ntest-0007   # twice\ntest-0003\n")
    again.write_text("test-0007\ntest-0003\n")
    found = evaluated(capsys, trials[1].trial_id, "--exclude", listed)
    feed = open_feed(preset("synthetic"), office.home)
    rows = [row for row, key in enumerate(feed.eval_keys) if key not in ("test-0003", "test-0007")]
    assert (found["n"], found["num_excluded"]) == (30, 2)
    assert found["trials"][0]["top1"]["value"] == pytest.approx(100 * examples.correct[rows].mean())
    likelihood = examples.log_likelihood[rows].astype(float).mean()
    assert found["trials"][0]["log_likelihood"]["value"] == pytest.approx(likelihood, rel=1e-5)
    same = evaluated(capsys, trials[1].trial_id, "--exclude", again)
    assert same["excluded_digest"] == found["excluded_digest"] != ""
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        kept = ledger.trial(trials[1].run_id)
    assert f"crops_1.without_{found['excluded_digest']}" in kept.evaluations
    assert not any("without" in key for key in kept.latest), "a subset's metric is never mistaken for the set's"
    assert main(["evaluate", trials[1].trial_id, "--exclude", str(again)]) == 0
    assert f"without 2 listed images (list {found['excluded_digest']})" in capsys.readouterr().out


def test_a_wrong_list_is_a_sentence(
    office: Sandbox, trials: list[TrialRecord], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trial, listed = trials[0].trial_id, tmp_path / "list.txt"
    assert "list.txt" in refused(capsys, trial, "--exclude", listed)
    listed.write_text("".join(f"photo-{number}\n" for number in range(7)) + "test-0001\n41\n")
    said = refused(capsys, trial, "--exclude", listed)
    assert "lists 8 keys that the evaluation split lacks (photo-0, photo-1, photo-2" in said
    assert "and 3 more" in said
    assert "look like 'test-0" in said
    listed.write_text("\n".join(open_feed(preset("synthetic"), office.home).eval_keys))
    assert "leaves out all 32" in refused(capsys, trial, "--exclude", listed)
    listed.write_bytes(b"\xff\xfe\x00")
    assert "list.txt" in refused(capsys, trial, "--exclude", listed)


def test_a_word_that_names_no_trial_names_the_nearest(
    study: Path, trials: list[TrialRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    known = trials[0].trial_id
    wrong = known[:7] + ("0" if known[7] != "0" else "1")
    assert f"{known[:12]} ({study.stem}, k=0.25 · r1)" in refused(capsys, wrong)
    assert "STUDY:best" in refused(capsys, "width")
    assert "4 hexadecimal digits" in refused(capsys, known[:3])
    assert f"did you mean '{study.stem}'?" in refused(capsys, f"{study.stem}x:best")
    assert "did you mean 'k=0.25 · r1'?" in refused(capsys, f"{study.stem}:k=0.25 · r11")
    assert "named twice" in refused(capsys, known, trials[0].run_id)
    assert "there is no device 'tpu'" in refused(capsys, known, "--device", "tpu")
    assert "resources.cpus = 0" in refused(capsys, known, "--cpus", "0")
    with pytest.raises(SystemExit):
        main(["evaluate", known, "--crops", "11"])
    assert "'11' is none of 1, 10, 12, 144, dense" in capsys.readouterr().err


def test_an_ambiguous_beginning_lists_the_trials(
    office: Sandbox, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shared, recipe = uuid.uuid4().hex, preset("synthetic").replace({"budget": "1 steps"})
    first, second = (record(office, other, recipe, shared + tail * 32) for tail in "ab")
    said = refused(capsys, shared)
    assert "begins the ids of 2 trials" in said
    assert said.count(f"({other}, base · r1)") == 2
    assert evaluated(capsys, shared + "a")["trials"][0]["trial_id"] == first
    assert evaluated(capsys, shared + "b")["trials"][0]["trial_id"] == second


def test_trials_of_one_name_and_other_settings_are_told_apart(
    office: Sandbox, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = preset("synthetic").replace({"budget": "1 steps"})
    ids = [record(office, other, recipe) for _ in range(2)]
    said = refused(capsys, f"{other}:base·r1")
    assert f"2 trials of the study '{other}' are called 'base·r1', with other settings" in said
    assert all(each[:12] in said for each in ids)
    names = [row["name"] for row in evaluated(capsys, *ids)["trials"]]
    assert names == [f"base · r1 ({each[:12]})" for each in ids]


def test_an_interrupted_evaluation_says_how_to_go_on(
    office: Sandbox, trials: list[TrialRecord], tmp_path: Path
) -> None:
    pipe, ends = tmp_path / "pipe", list[int]()
    os.mkfifo(pipe)  # a list that never comes: the command stays in its middle

    def waits_for_the_list() -> bool:
        with suppress(OSError):  # nobody reads yet
            ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(ends)

    command = office.start("paribus", "evaluate", trials[0].trial_id, "--exclude", pipe)
    wait_for(waits_for_the_list, "a command at work")
    command.send_signal(signal.SIGTERM)
    out, err = command.communicate(timeout=60)
    os.close(ends[0])
    assert (command.returncode, out) == (143, ""), err
    assert err == "\nparibus: interrupted: nothing of it was kept, and the same command starts again\n"


def test_trials_that_cannot_be_evaluated_say_why(
    office: Sandbox, other: str, trials: list[TrialRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = preset("synthetic").replace({"budget": "1 steps"})
    without = record(office, other, recipe.replace({"evaluation.keep_weights": False}))
    assert "--set evaluation.keep_weights=True" in refused(capsys, without)
    died = record(office, other, recipe, outcome="dead")
    assert "is dead: only trials that came to their end" in refused(capsys, died)
    digits = record(office, other, preset("digits").replace({"budget": "1 steps"}))
    said = refused(capsys, trials[0].trial_id, digits)
    assert "different evaluation data" in said
    assert "has synthetic (test, " in said
    assert "has digits (test, " in said
    said = refused(capsys, trials[0].trial_id, "--shards", office.home / "data" / "digits")
    assert "'digits' on this machine has" in said


def test_an_ensemble_of_two_families(office: Sandbox, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = preset("synthetic").replace({"budget": "2 epochs"})
    resnet = recipe.replace({"model.family": "resnet", "model.depth": 8, "model.width": 0.5})
    members = [record(office, study, model) for study, model in ((other, recipe), (f"{other}-2", resnet))]
    found = evaluated(capsys, *members, "--crops", "dense")
    assert [row["trial_id"] for row in found["trials"]] == members
    assert [row["name"] for row in found["trials"]] == [f"{other}: base · r1", f"{other}-2: base · r1"]
    alone = [evaluated(capsys, member, "--crops", "dense")["trials"][0] for member in members]
    for row, single in zip(found["trials"], alone, strict=True):
        assert {**row, "name": ""} == {**single, "name": ""}
    assert found["ensemble"]["top1"]["n"] == 32


def test_altered_weights_are_not_used(office: Sandbox, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    trial = record(office, other, preset("synthetic").replace({"budget": "1 steps"}))
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        run = ledger.trials(other)[0].run_id
        data = bytearray(ledger.artifact(run, "weights.pt"))
        data[len(data) // 2] ^= 1
        ledger.rest.put_artifact(get_run(ledger.rest, run).artifact_uri, "weights.pt", bytes(data))
    assert "its SHA-256 is not the one that" in refused(capsys, trial)


def test_trials_without_mirrors_in_training_are_said_to_be(
    office: Sandbox, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = record(office, other, preset("synthetic").replace({"budget": "1 steps"}))
    found = evaluated(capsys, trial, "--crops", 12)
    assert any("augment.flip = False" in note for note in found["notes"])
    assert found["gains"] == [], "this trial's record has no per-example results to pair with"
