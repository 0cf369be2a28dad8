"""A baseline that is trained again is an arm of its own: other seeds, other trials, and no arm that is compared."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from paribus.execution.workers.trial_spec import decode, encode, record_of
from paribus.recipe import Seeds
from paribus.study import Adaptive, Study, StudyError
from paribus.study.designs.noise_floor import floor_seeds
from paribus.study.document import read_places, read_study, write_places, write_study
from paribus.study.plan import Step, places, trials
from paribus.study.settings import settings_of
from paribus.tracking.trials.stored import from_mlflow, to_mlflow

PLAIN = Study(name="floor", factors={"model.width": (1.0, 2.0)}, replicates=4)
STUDY = replace(PLAIN, noise_floor=True)
SCALES = {"model.depth": (16, 40), "model.residual_scale": (0.1, 1.0)}
THREE = dict.fromkeys(("model.dropout", "training.label_smoothing", "optimizer.weight_decay"), (0.0, 0.1))
DESIGNS: list[dict[str, Any]] = [
    {"factors": SCALES, "baseline": {"model.residual_scale": 1.0}},
    {"ablate": {"training.label_smoothing": 0.0}, "fixed": {"training.label_smoothing": 0.1}},
    {"factors": {"model.width": (1.0, 2.0)}, "replicates": Adaptive((3, 5))},
    {"factors": THREE, "design": "fractional", "resolution": 3, "baseline": {"optimizer.weight_decay": 0.0}},
]


def drawn(study: Study) -> dict[str, Any]:
    return {trial.id: trial for trial in trials(study, lambda recipe: "d")}


@pytest.mark.parametrize("fields", DESIGNS, ids=["strata", "ablation", "looks", "fraction"])
def test_each_baseline_is_trained_again_with_seeds_that_no_arm_has(fields: dict[str, Any]) -> None:
    plain = Study(name="floor", **fields)
    study = replace(plain, noise_floor=True)
    assert study.arms == plain.arms
    assert [study.baseline_of(floor) for floor in study.floors] == list(study.baselines)
    own, without = drawn(study), drawn(plain)
    assert set(without) < set(own), "what was trained before stays"
    added = [trial for name, trial in own.items() if name not in without]
    assert len(added) == len(study.baselines) * study.replicates
    assert all(trial.arm in study.floors and trial.arm not in study.arms for trial in added)
    assert all(trial.recipe == study.recipe_of(study.baseline_of(trial.arm)) for trial in added)
    theirs = {trial.seeds for trial in without.values()}
    assert not theirs & {trial.seeds for trial in added}
    assert settings_of(study) == settings_of(plain), "the same study run goes on"


@pytest.mark.parametrize("fields", DESIGNS, ids=["strata", "ablation", "looks", "fraction"])
def test_a_noise_floor_goes_through_every_document(fields: dict[str, Any]) -> None:
    study = Study(name="floor", noise_floor=True, **fields)
    back = read_study(write_study(study))
    assert back.noise_floor
    assert (back.floors, [floor.name for floor in back.floors]) == (study.floors, [each.name for each in study.floors])
    assert drawn(back) == drawn(study)
    where = places(drawn(study).values())
    read = read_places(json.loads(write_places(where)), back)
    assert read == where
    assert [arm.name for arm, _ in read.values()] == [arm.name for arm, _ in where.values()]
    for trial in drawn(study).values():
        step = Step(trial=trial, action="start", attempt=1, run_id="", code="c")
        worker = decode(encode(step))
        assert worker == step
        record = from_mlflow(to_mlflow(record_of(worker, study.name)))
        assert (record.arm, record.seeds) == (trial.arm, trial.seeds.model_dump())
        assert ("again (A/A)" in record.arm_name) == trial.arm.again


def test_a_document_of_an_earlier_release_has_no_noise_floor() -> None:
    document = json.loads(write_study(PLAIN))
    del document["noise_floor"]
    assert read_study(json.dumps(document)).floors == ()


def test_its_name_says_what_it_is() -> None:
    assert [arm.name for arm in STUDY.floors] == ["baseline again (A/A)"]
    strata = Study(name="floor", noise_floor=True, **DESIGNS[0])
    assert [arm.name for arm in strata.floors] == [
        "depth=16 · residual_scale=1 again (A/A)",
        "depth=40 · residual_scale=1 again (A/A)",
    ]


def test_its_seeds_are_the_studys_own_and_differ_by_replicate_and_purpose() -> None:
    seeds = {floor_seeds(seed, replicate) for seed in (0, 1) for replicate in (1, 2)}
    assert len(seeds) == 4
    numbers = {number for each in seeds for number in each.model_dump().values()}
    assert len(numbers) == 16
    assert not numbers & set(Seeds.draw(0, 1).model_dump().values())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"noise_floor": "yes"}, "noise_floor = 'yes': True trains each baseline again, False does not"),
        ({"replicates": Adaptive((3, 5), trials=8)}, "at 3 replicates of 3 arms, takes 9"),
    ],
)
def test_what_cannot_be_is_said(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(StudyError, match=says):
        replace(STUDY, **fields)
