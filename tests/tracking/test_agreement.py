"""However many create a run at once, and whatever their clocks say, all of them have the same one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from paribus.study.settings import Settings
from paribus.tracking import MlflowRest, Recorder, StudyHeader, TrialRecord, open_study, replay
from paribus.tracking import tags as words
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow import agreement
from paribus.tracking.mlflow.agreement import ensure_run
from paribus.tracking.mlflow.runs import create_run, get_run, search_runs
from paribus.tracking.studies.choice import ensure_study_run

pytestmark = pytest.mark.cluster
TAGS = {words.TRIAL_ID: "t", words.KIND: words.TRIAL_KIND}
HOUR_MS = 3_600_000
NOW_MS = 1_800_000_000_000


@pytest.fixture
def experiment_id(rest: MlflowRest, study: str) -> str:
    return open_study(rest, StudyHeader(name=study)).experiment_id


def ensured(creator: tuple[str, str, int]) -> str:
    """In a thread or process of its own: the run of the trial `t`, by a clock that is `creator[2]` ms behind."""
    uri, experiment_id, behind_ms = creator
    with MlflowRest(uri) as own:
        return ensure_run(own, experiment_id, words.TRIAL_ID, "t", TAGS, NOW_MS - behind_ms)[0].run_id


def trial_runs(rest: MlflowRest, experiment_id: str) -> list[str]:
    found = search_runs(rest, [experiment_id], f"tags.`{words.TRIAL_ID}` = 't'")
    return [run.run_id for run in found if words.DUPLICATE_OF not in run.tags]


def test_who_looked_in_vain_and_creates_late_by_a_clock_that_is_slow_takes_the_run_that_stands(
    rest: MlflowRest, experiment_id: str
) -> None:
    first, created = ensure_run(rest, experiment_id, words.TRIAL_ID, "t", TAGS, NOW_MS, looked=True)
    assert created
    late, created = ensure_run(rest, experiment_id, words.TRIAL_ID, "t", TAGS, NOW_MS - HOUR_MS, looked=True)
    assert (late.run_id, created) == (first.run_id, False)
    assert trial_runs(rest, experiment_id) == [first.run_id]
    assert words.UNDECIDED not in get_run(rest, first.run_id).tags


@pytest.mark.parametrize("apart_ms", [0, HOUR_MS], ids=["one clock", "clocks hours apart"])
def test_threads_and_processes_that_create_at_once_all_have_the_same_run(
    uri: str, rest: MlflowRest, experiment_id: str, apart_ms: int
) -> None:
    creators = [(uri, experiment_id, place * apart_ms) for place in range(6)]
    with ThreadPoolExecutor(6) as threads, ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        elsewhere = processes.map(ensured, [(uri, experiment_id, place * apart_ms) for place in (7, 3)])
        ids = {*threads.map(ensured, creators), *elsewhere}
    assert trial_runs(rest, experiment_id) == list(ids)
    given_up = [run for run in search_runs(rest, [experiment_id]) if words.DUPLICATE_OF in run.tags]
    assert all(run.status == "KILLED" for run in given_up)


@pytest.mark.parametrize("differing", [False, True])
def test_attempts_that_tell_a_run_of_its_params_at_once_are_all_taken(
    uri: str, ledger: Ledger, study: str, begin: Callable[..., TrialRecord], tmp_path: Path, differing: bool
) -> None:
    """MLflow looks which params there are and then inserts: of two requests at once one meets the database's refusal.
    The worker of a paused trial and the one that goes on with it tell the same run so."""
    attempts = range(1, 9)
    for attempt in attempts:
        with Recorder(tmp_path / str(attempt), None) as recorder:
            params = {f"param.{number}": str(attempt if differing else 0) for number in range(60)}
            recorder.trial(begin(attempt, params=params)).finish("interrupted" if attempt < 8 else "finished")
    with ThreadPoolExecutor(len(attempts)) as threads:
        sent = [*threads.map(lambda attempt: replay(tmp_path / str(attempt), uri), attempts)]
    assert [each.rejected for each in sent] == [()] * len(attempts)
    (trial,) = ledger.trials(study)
    assert (trial.outcome, len(trial.attempts), len(trial.params)) == ("finished", 8, 60)
    assert bool(trial.conflicts) == differing


@pytest.mark.parametrize("behind_ms", [-HOUR_MS, HOUR_MS], ids=["earlier than the dead one", "later"])
@pytest.mark.parametrize("looked", [True, False])
def test_a_run_whose_creator_died_undecided_holds_nobody_up_for_ever(
    rest: MlflowRest, experiment_id: str, monkeypatch: pytest.MonkeyPatch, behind_ms: int, looked: bool
) -> None:
    monkeypatch.setattr(agreement, "PATIENCE_S", 0.2)
    create_run(rest, experiment_id, "t", {**TAGS, words.UNDECIDED: "true"}, NOW_MS)
    found, _ = ensure_run(rest, experiment_id, words.TRIAL_ID, "t", TAGS, NOW_MS + behind_ms, looked=looked)
    assert trial_runs(rest, experiment_id) == [found.run_id]
    again, created = ensure_run(rest, experiment_id, words.TRIAL_ID, "t", TAGS)
    assert (again.run_id, created) == (found.run_id, False)
    assert words.UNDECIDED not in again.tags


def test_a_study_run_of_settings_that_nobody_names_is_never_that_of_a_quick_look(rest: MlflowRest, study: str) -> None:
    """A outbox of the last release names no settings; the experiment may hold a quick look alone by then."""
    from paribus.tracking.mlflow.runs import ensure_experiment

    experiment_id = ensure_experiment(rest, study)
    look = ensure_study_run(rest, experiment_id, study, Settings("0123abcd", "budget=2 epochs"))
    declared = ensure_study_run(rest, experiment_id, study, None)
    assert declared.run_id != look.run_id
    assert words.DUPLICATE_OF not in get_run(rest, declared.run_id).tags
    assert ensure_study_run(rest, experiment_id, study, None).run_id == declared.run_id
