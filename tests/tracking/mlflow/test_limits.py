"""MLflow's limits, each at its edge on a real server: what is longer comes back whole, or says that it was cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paribus.report.drawing.terminal import status_text
from paribus.report.judging import judge, standing
from paribus.shards.catalog import data_digest
from paribus.study import Study
from paribus.study.plan import Trial, trials
from paribus.tracking import LedgerError, MlflowRest, Recorder, StudyHeader, TrialRecord, open_study
from paribus.tracking import tags as words
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import Metric, create_run, ensure_experiment, get_run, log_batch

pytestmark = pytest.mark.cluster
Make = Callable[..., TrialRecord]


@pytest.fixture
def run_id(rest: MlflowRest, study: str) -> str:
    return create_run(rest, ensure_experiment(rest, study), "run", {}).run_id


@pytest.mark.parametrize("letter", ["v", "ä", '"'])
@pytest.mark.parametrize("length", [7999, 8000, 8001, 15_999, 16_001, 250_000])
def test_a_tag_of_any_length_comes_back_whole(rest: MlflowRest, run_id: str, length: int, letter: str) -> None:
    value = letter * (length - 3) + "end"
    log_batch(rest, run_id, tags={"paribus.long": value, "paribus.short": "x"})
    found = get_run(rest, run_id).tags
    assert found["paribus.long"] == value
    assert sorted(key for key in found if "paribus" in key) == ["paribus.long", "paribus.short"]


def test_a_run_is_created_with_a_long_tag_and_a_shorter_value_replaces_a_longer(rest: MlflowRest, study: str) -> None:
    experiment = ensure_experiment(rest, study)
    run_id = create_run(rest, experiment, "n" * 400, {"paribus.long": "a" * 30_000}).run_id
    assert get_run(rest, run_id).tags["paribus.long"] == "a" * 30_000
    for value in ("b" * 20_000, "[parts 2 0123456789abcdef] no head of ours", "c", ""):
        log_batch(rest, run_id, tags={"paribus.long": value})
        assert get_run(rest, run_id).tags["paribus.long"] == value


@pytest.mark.parametrize("length", [249, 250, 251, 400])
def test_keys_and_names_of_any_length_are_taken_and_stay_apart(rest: MlflowRest, study: str, length: int) -> None:
    experiment = ensure_experiment(rest, study)
    run_id = create_run(rest, experiment, "n" * length, {}).run_id
    keys = ["k" * (length - 1) + end for end in "ab"]
    log_batch(
        rest,
        run_id,
        [Metric(key, number, 1, 1) for number, key in enumerate(keys)],
        {key: key[-1] for key in keys},
        {key: key[-1] * 9000 for key in keys},
    )
    run = get_run(rest, run_id)
    assert len(run.name) == min(length, 250)
    assert sorted(latest.value for latest in run.metrics.values()) == [0.0, 1.0]
    assert sorted(run.params.values()) == ["a", "b"]
    assert sorted(run.tags[key] for key in run.tags if key[0] == "k") == ["a" * 9000, "b" * 9000]


def test_two_params_that_differ_after_6000_characters_stay_different(rest: MlflowRest, run_id: str) -> None:
    log_batch(rest, run_id, params={"fits": "v" * 6000, "a": "v" * 6000 + "a", "b": "v" * 6000 + "b"})
    params = get_run(rest, run_id).params
    assert params["fits"] == "v" * 6000
    assert params["a"] != params["b"]
    assert params["a"].startswith("v" * 5000)
    assert len(params["a"]) == 6000


def test_a_long_param_does_not_conflict_with_itself_in_the_next_attempt(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str
) -> None:
    for attempt, outcome in ((1, "interrupted"), (2, "finished")):
        with Recorder(outbox, uri) as recorder:
            recorder.trial(begin(attempt=attempt, params={"data.shards": "s" * 7000})).finish(outcome)
    (trial,) = ledger.trials(study)
    assert not trial.conflicts


def test_a_note_for_people_is_cut_at_a_line_and_says_so(rest: MlflowRest, run_id: str) -> None:
    log_batch(rest, run_id, tags={words.NOTE: "one line\n" * 2000})
    note = get_run(rest, run_id).tags[words.NOTE]
    assert len(note) <= 8000
    assert note.startswith("one line\none line\n")
    assert note.endswith("one line\n\n... cut here: the whole text has 18,000 characters.")


def test_a_study_keeps_a_question_claim_and_caveats_of_any_length(rest: MlflowRest, ledger: Ledger, study: str) -> None:
    claim = {"text": "no harm, " * 2000, "source": "section 3.3"}
    caveats = tuple(f"part.field{number} = {'x' * 200}" for number in range(100))
    header = StudyHeader(name=study, question="why " * 3000, claim=claim, caveats=caveats, note="n" * 9000)
    open_study(rest, header)
    record = ledger.study(study)
    assert record is not None
    assert (record.question, record.claim, record.caveats) == (header.question, claim, caveats)
    assert study in [found.name for found in ledger.studies()]


PLAN = Study(name="long", base="synthetic", factors={"model.width": (0.25, 0.5)}, replicates=3, margin=4.0)
HASHES = [f"{number:012x}" for number in range(3000)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def planned(study: str, home: Path) -> tuple[Study, list[Trial]]:
    asked = replace(PLAN, name=study)
    return asked, list(trials(asked, lambda recipe: data_digest(recipe, home)))


def _record(uri: str, outbox: Path, study: Study, trial: Trial, **facts: Any) -> None:
    with Recorder(outbox, uri) as recorder:
        log = recorder.trial(
            TrialRecord(
                study=study.name,
                trial_id=trial.id,
                arm=trial.arm,
                arm_name=trial.arm.name,
                replicate=trial.replicate,
            ).begun()
        )
        log.metrics({"top1": 50.0 + trial.replicate}, step=1, epoch=1)
        log.finish("finished", {"top1": 50.0 + trial.replicate}, replace(log.record, **facts))


def test_a_study_of_3000_epochs_is_judged_and_a_stream_that_leaves_at_the_last_is_named(
    uri: str, outbox: Path, home: Path, planned: tuple[Study, list[Trial]]
) -> None:
    study, drawn = planned
    for trial in drawn:
        other = trial.replicate == 2 and trial.arm == study.arms[1]
        hashes = [*HASHES[:-1], "f" * 12] if other else HASHES
        _record(uri, outbox, study, trial, stream_hashes=tuple(hashes))
    found = judge(study, uri, home)
    (note,) = [note for note in found.notes if "data streams" in note]
    assert note.startswith("replicate 2: ")
    assert [contrast.n for contrast in found.analysis.contrasts] == [3] * len(found.analysis.contrasts)


def test_stream_hashes_that_an_earlier_paribus_cut_are_compared_as_far_as_they_go(
    uri: str, outbox: Path, home: Path, rest: MlflowRest, ledger: Ledger, planned: tuple[Study, list[Trial]]
) -> None:
    study, drawn = planned
    for trial in drawn:
        _record(uri, outbox, study, trial, stream_hashes=tuple(HASHES))
    for trial in ledger.trials(study.name):
        if trial.arm == study.arms[0]:
            cut = json.dumps(["0" * 12, *HASHES] if trial.replicate == 3 else HASHES)[:8000]
            log_batch(rest, trial.run_id, tags={"paribus.stream_hash": cut})
    notes = [note for note in judge(study, uri, home).notes if "data streams" in note]
    assert [note.split(":")[0] for note in notes] == ["replicate 3"]


DAMAGE = (
    (words.ARM, '[["model.width", 0.', "its tag paribus.arm cannot be read"),
    (words.ARM, '[["model.width", {}]]', "its tag paribus.arm cannot be read"),
    (words.FINAL, '{"top1": 5', "its tag paribus.final cannot be read"),
    (words.FINAL, '{"top1": "<b>"}', "its tag paribus.final cannot be read"),
    (words.REPLICATE, "two", "its tag paribus.replicate cannot be read"),
    (words.NUM_STEPS, "[1", "its tag paribus.num_steps cannot be read"),
    (words.OUTCOME, "<script>alert(1)</script>", "none of finished, diverged, dead, "),
    (words.OUTCOME, "Finished", "'Finished', which is none of finished"),
    ("paribus.attempt.1", '{"resumed_step": ', ""),
    ("paribus.attempt.x", "1", ""),
)


def test_a_damaged_tag_costs_its_own_trial_alone_and_is_named(
    uri: str, outbox: Path, home: Path, rest: MlflowRest, ledger: Ledger, study: str
) -> None:
    asked = replace(PLAN, name=study, replicates=6)
    drawn = trials(asked, lambda recipe: data_digest(recipe, home))
    for trial in drawn:
        _record(uri, outbox, asked, trial)
    runs = {record.trial_id: record.run_id for record in ledger.trials(study)}
    for trial, (tag, value, _) in zip(drawn, DAMAGE, strict=False):
        log_batch(rest, runs[trial.id], tags={tag: value})
    records = {record.trial_id: record for record in ledger.trials(study)}
    judged = "\n".join(judge(asked, uri, home).notes)
    status = status_text(standing(asked, uri, home))
    for trial, (tag, _, said) in zip(drawn, DAMAGE, strict=False):
        for text in (judged, status):
            lines = [line for line in text.splitlines() if f"(run {runs[trial.id]}): " in line]
            assert len(lines) == bool(said)
            assert said in "".join(lines)
        assert (records[trial.id].outcome is None) == (tag == words.OUTCOME)
    assert records[drawn[-1].id].faults == ()


def test_a_damaged_study_run_is_read_with_the_others(rest: MlflowRest, ledger: Ledger, study: str) -> None:
    opened = open_study(rest, StudyHeader(name=study, claim={"text": "t"}, caveats=("a",), num_planned=4))
    broken = {words.CLAIM: '{"text": ', words.CAVEATS: '["', words.COUNTS: "{", words.PLANNED: "x", words.UPDATED: "y"}
    log_batch(rest, opened.run_id, tags=broken)
    (record,) = [found for found in ledger.studies() if found.name == study]
    assert (record.claim, record.caveats, record.counts, record.num_planned) == (None, (), {}, 0)


def test_more_than_a_request_holds_goes_in_several(rest: MlflowRest, run_id: str) -> None:
    tags = {f"paribus.t{number}": "ä" * 8000 for number in range(150)}
    params = {f"p{number}": "x" * 6000 for number in range(250)}
    points = [Metric("m", 1.0, number, number) for number in range(2500)]
    assert log_batch(rest, run_id, points, params, tags) > 3
    run = get_run(rest, run_id)
    assert {run.tags[key] for key in tags} == {"ä" * 8000}
    assert (len(run.params), run.metrics["m"].step) == (250, 2499)


def test_what_the_server_will_not_take_at_all_is_an_error(rest: MlflowRest, run_id: str) -> None:
    with pytest.raises(LedgerError, match="Invalid value"):
        log_batch(rest, run_id, params={"a=b": "1"})
