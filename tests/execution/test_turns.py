"""Which studies a driver shares its cluster with, by the ledger; and what it hands out in its turn."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest
from shelf import Shelf

from paribus.commands.main import main
from paribus.commands.study import search_verbs
from paribus.engine.options import Options
from paribus.execution.searches.search_ledger import SearchLedger
from paribus.execution.study_ledger import StudyLedger
from paribus.execution.turns.trial_queue import TrialQueue, in_order
from paribus.execution.turns.turn import Turn
from paribus.study import Study
from paribus.study.plan import Step
from paribus.study.searches.domains import Float
from paribus.study.searches.search import Search
from paribus.study.settings import settings_of
from paribus.tracking import tags as words
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run, log_batch
from paribus.tracking.studies.lease import driver_of

pytestmark = pytest.mark.cluster


@pytest.fixture(autouse=True)
def place(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shelf.uri)


def study_of(name: str) -> Study:
    return Study(
        name=f"{name}-{uuid.uuid4().hex[:8]}", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0
    )


@pytest.fixture
def cluster() -> str:
    return uuid.uuid4().hex


def at_work(shelf: Shelf, name: str, cluster: str, wants: int = 10) -> StudyLedger:
    """A driver of a study on a cluster of four places."""
    ledger = shelf.opened(study_of(name))
    ledger.turn.see(cluster, alone=4, wants=wants)
    ledger.agree()
    return ledger


def test_two_studies_on_a_cluster_share_it_and_one_elsewhere_a_finished_and_a_dead_one_do_not(
    shelf: Shelf, cluster: str
) -> None:
    first = at_work(shelf, "first", cluster)
    assert first.turn.limit is None, "alone, it has all there is"
    at_work(shelf, "elsewhere", uuid.uuid4().hex)
    done = at_work(shelf, "done", cluster)
    done.finish("FINISHED", {})
    second = at_work(shelf, "second", cluster)
    first.agree()
    assert (first.turn.limit, second.turn.limit) == (2, 2)
    assert first.turn.text() == f"shares the cluster with {second.name}: 2 of 4 places for now"
    with Ledger(shelf.uri) as ledger:
        run = get_run(ledger.rest, ledger.study(second.name).run_id)
        driver = driver_of(run.tags[words.DRIVER])
        # As after kill -9: all that it wrote is still there, and no such process.
        assert driver is not None
        log_batch(ledger.rest, run.run_id, tags={words.DRIVER: json.dumps({**vars_of(driver), "pid": 2**22 - 1})})
    first.agree()
    assert first.turn.limit is None


def vars_of(driver: object) -> dict[str, object]:
    return {name: getattr(driver, name) for name in ("host", "pid", "pid_start", "token", "heartbeat_ms")}


def test_a_study_that_has_nothing_left_to_train_leaves_its_places_to_the_others(shelf: Shelf, cluster: str) -> None:
    first, second = at_work(shelf, "first", cluster), at_work(shelf, "second", cluster)
    second.turn.leave()
    second.agree()
    first.agree()
    assert first.turn.limit is None


def test_a_study_with_one_trial_left_takes_one_place(shelf: Shelf, cluster: str) -> None:
    first, second = at_work(shelf, "first", cluster), at_work(shelf, "second", cluster, wants=1)
    first.agree()
    assert (first.turn.limit, second.turn.limit) == (3, 1)


def test_a_later_study_is_owed_nothing_for_the_time_before(shelf: Shelf, cluster: str) -> None:
    first = at_work(shelf, "first", cluster)
    first.turn.places = replace(first.turn.places, used_s=5000.0)
    first.agree()
    second = at_work(shelf, "second", cluster)
    assert second.turn.places.used_s == 5000.0


def test_a_study_that_waits_says_for_how_long(shelf: Shelf, cluster: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (shelf.opened(study_of(name)) for name in ("first", "second"))
    for ledger in (first, second, first):  # who was there first keeps the place for a turn
        ledger.turn.see(cluster, alone=1, wants=10)
        ledger.agree()
    assert (first.turn.limit, second.turn.limit) == (1, 0)
    told = f"waits: {first.name} has the one place of the cluster for now; its turn comes in at most 5 min"
    assert second.turn.text() == told
    assert main(["status", second.name]) == 0
    told = "waits: other studies have the places of the cluster; its turn comes in at most 5 min"
    assert told in capsys.readouterr().out


def test_pause_and_resume_are_heard_by_the_driver_and_by_the_next_one(
    shelf: Shelf, cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = at_work(shelf, "first", cluster), at_work(shelf, "second", cluster)
    assert main(["pause", first.name]) == 0
    assert f"`paribus resume {first.name}` lets it go on" in capsys.readouterr().out
    first.agree()
    second.agree()
    assert first.turn.over(1), "what runs gives way"
    assert second.turn.limit is None, "and the other has all places"
    assert main(["studies", first.name, "--state", "paused"]) == 0
    assert main(["status", first.name]) == 0
    told = capsys.readouterr().out
    assert f"{first.name}  study  paused" in told
    assert "its driver waits: `paribus resume` lets it go on" in told
    assert main(["pause", first.name]) == 0
    assert "is paused already, by " in capsys.readouterr().out

    first.finish("KILLED", {})
    later = shelf.opened(first.study)
    later.agree()
    assert later.turn.over(0), "a new driver waits too"
    assert main(["resume", first.name]) == 0
    later.agree()
    assert not later.turn.over(0)
    assert main(["resume", first.name]) == 0
    assert "is not paused" in capsys.readouterr().out


def test_status_of_a_search_by_its_file_says_that_it_is_paused(shelf: Shelf, cluster: str) -> None:
    space = {"optimizer.lr": Float(0.01, 1.0, log=True)}
    search = Search(name=f"s-{cluster[:8]}", base="synthetic", space=space, trials=2, scheduler="none", confirm=0)
    ledger = SearchLedger(search, shelf.uri, shelf.home / "searched", shelf.home, settings_of(search))
    ledger.open(search_verbs.previewed(search, Options(), start=True))
    try:
        assert "paused" not in search_verbs.recorded(search, Options()).text
        assert main(["pause", search.name]) == 0
        assert "its driver waits: `paribus resume` lets it go on" in search_verbs.recorded(search, Options()).text
    finally:
        ledger.close()


def test_what_is_over_or_unknown_is_not_paused(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    done = shelf.opened(study_of("done"))
    done.finish("FINISHED", {})
    assert main(["pause", done.name]) == 2
    assert "is finished: there is nothing of it to pause" in capsys.readouterr().err
    assert main(["pause", "nothing-of-that-name"]) == 2
    assert "the ledger has no study 'nothing-of-that-name'" in capsys.readouterr().err


@pytest.fixture
def queue(shelf: Shelf) -> TrialQueue:
    steps = [Step(trial=trial, action="start", attempt=1, run_id="", code="c") for trial in shelf.trials(study_of("q"))]
    turn = Turn("q", 1, 300.0)
    turn.see("here", alone=4, wants=len(steps))
    return TrialQueue(*in_order(steps), turn)


def test_no_more_is_handed_out_than_the_turn_allows(queue: TrialQueue) -> None:
    queue.turn.places = replace(queue.turn.places, limit=2)
    first, second = queue.next(), queue.next()
    assert isinstance(first, Step)
    assert isinstance(second, Step)
    assert queue.next() is None
    queue.ended(first.trial.id)
    assert isinstance(queue.next(), Step)
    queue.turn.places = replace(queue.turn.places, limit=1)
    assert queue.turn.over(queue.num_out)
    assert queue.next() == "over"


def test_no_more_is_handed_out_than_the_cluster_has_room_for(queue: TrialQueue) -> None:
    queue.places = 1
    first = queue.next()
    assert isinstance(first, Step)
    assert queue.next() is None, "Tune would ask Ray for a place, and give it back"
    queue.ended(first.trial.id)
    assert isinstance(queue.next(), Step)
    queue.places = None
    assert isinstance(queue.next(), Step), "how many have room is not known"


def test_what_gave_way_is_handed_out_again_as_another_attempt_of_the_same_run(queue: TrialQueue) -> None:
    wanted = queue.wants
    step = queue.next()
    assert isinstance(step, Step)
    queue.take_back()
    assert queue.wants == wanted
    again = queue.next()
    assert again == replace(step, attempt=2, run_id=None)
    found = [queue.next() for _ in range(wanted)]
    assert found[-1] == "over"
    assert len({each.trial.id for each in found[:-1] if isinstance(each, Step)} | {step.trial.id}) == wanted
