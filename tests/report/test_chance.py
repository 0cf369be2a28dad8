"""A ledger of the last release says `finished` of nets at chance: they are `stuck` when they are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from paribus.recipe import Recipe
from paribus.report.doubts.chance import judged_when_read
from paribus.shards.catalog import data_digest
from paribus.study.words import Arm
from paribus.tracking import tags as words
from paribus.tracking.mlflow.runs import Run
from paribus.tracking.trials.record import TrialRecord
from paribus.tracking.trials.stored import from_mlflow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the digits in it: 397 test images, 45 at most of one class."""
    folder = tmp_path_factory.mktemp("home")
    data_digest(Recipe(), folder)
    return folder


def record(home: Path | None, top1: float, outcome: str = "finished", **params: str) -> TrialRecord:
    run = Run(
        run_id="run",
        experiment_id="1",
        name="",
        status="FINISHED",
        start_ms=0,
        end_ms=1,
        artifact_uri="",
        tags={
            words.TRIAL_ID: "t",
            words.ARM: "[]",
            words.REPLICATE: "1",
            words.OUTCOME: outcome,
            words.DATA: data_digest(Recipe(), home) if home else "0" * 64,
            words.FINAL: f'{{"top1": {top1}}}',
        },
        params={"data.name": "digits", "data.shards": "None", "data.eval_split": "test", **params},
        metrics={},
    )
    return from_mlflow(run, "http://ledger")


def judged(home: Path, *given: Any, **params: str) -> TrialRecord:
    return judged_when_read(home)(record(*given, **params))


def test_one_at_chance_is_stuck_and_the_reason_says_by_which_frequencies(home: Path) -> None:
    found = judged(home, home, 12.3)
    assert found.outcome == "stuck"
    assert found.result().outcome == "stuck"
    assert not found.result().survived
    assert found.reason.startswith("top-1 12.30 % of 397 examples is at chance")
    assert found.reason.endswith("judged when read, by the data's own class frequencies")


def test_one_above_it_and_one_that_ended_otherwise_stay_what_they_are(home: Path) -> None:
    assert judged(home, home, 60.0).outcome == "finished"
    assert judged(home, home, 10.0, "diverged").outcome == "diverged"
    assert judged(home, home, 10.0, "failed").outcome == "failed"


def test_without_the_data_classes_are_taken_as_equally_frequent_and_that_is_said(home: Path, tmp_path: Path) -> None:
    for place, digest_from in ((tmp_path, home), (home, None)):  # no data here; other data under the name
        found = judged(place, digest_from, 12.3)
        assert found.outcome == "stuck"
        assert found.reason.endswith("judged when read, with all classes taken as equally frequent")
    assert judged(tmp_path, home, 60.0).outcome == "finished"


def test_data_that_nobody_knows_and_that_are_not_here_leave_the_outcome_as_it_was(home: Path, tmp_path: Path) -> None:
    assert judged(tmp_path, home, 1.0, **{"data.name": "photographs"}).outcome == "finished"
    assert Arm(()) == judged(tmp_path, home, 1.0).arm


def test_shards_elsewhere_are_judged_by_their_own_frequencies(home: Path, tmp_path: Path) -> None:
    shards = {"data.name": "photographs", "data.shards": str(home / "data" / "digits")}
    assert judged(tmp_path, home, 12.3, **shards).reason.endswith("by the data's own class frequencies")


def test_a_trial_that_was_evaluated_on_held_out_samples_is_judged_by_their_frequencies(
    home: Path, tmp_path: Path
) -> None:
    held_out = {"data.holdout": "0.1"}
    found = judged(home, home, 12.3, **held_out)
    assert found.reason.startswith("top-1 12.30 % of 140 examples is at chance")
    assert judged(tmp_path, home, 12.3, **held_out).outcome == "finished"  # nobody here knows their classes


@pytest.mark.parametrize(
    ("name", "num_examples", "num_classes"),
    [
        ("digits", 397, 10),
        ("fashion_mnist", 10_000, 10),
        ("cifar10", 10_000, 10),
        ("cifar100", 10_000, 100),
        ("imagenet", 50_000, 1000),
    ],
)
def test_sets_that_papers_name_are_judged_by_their_own_numbers(
    home: Path, tmp_path: Path, name: str, num_examples: int, num_classes: int
) -> None:
    """Stuck up to the 99.9 % point of a binomial with the share of one class, rounded up to whole examples."""
    share = -(-num_examples // num_classes) / num_examples
    most = int(stats.binom.isf(0.001, num_examples, share))
    at, above = (
        judged(tmp_path, None, 100 * right / num_examples, **{"data.name": name}) for right in (most, most + 1)
    )
    assert (at.outcome, above.outcome) == ("stuck", "finished")
    assert f"of {num_examples} examples is at chance" in at.reason
    assert f"({100 * share:.3g} % of them)" in at.reason


def test_the_most_frequent_class_counts_and_no_rarer_one(home: Path) -> None:
    most = int(stats.binom.isf(0.001, 397, 45 / 397))
    assert judged(home, home, 100 * most / 397).outcome == "stuck"
    assert "(11.3 % of them)" in judged(home, home, 100 * most / 397).reason
    assert judged(home, home, 100 * (most + 1) / 397).outcome == "finished"


def test_a_trial_without_a_top1_stays_what_it_is(home: Path) -> None:
    bare = record(home, 12.3)
    bare = replace(bare, metrics={"eval_loss": 2.3})
    assert judged_when_read(home)(bare) is bare
