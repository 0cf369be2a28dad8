"""What a mixture is and how it is counted and said: to the letter, without a ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from trial_records import record_of

from paribus.engine.code_digest import trial_code
from paribus.report.doubts.mixtures import made_with, mixtures
from paribus.study import Study
from paribus.study.plan import Trial, trials
from paribus.tracking.trials.record import Attempt, TrialRecord

STUDY = Study(name="mix", base="synthetic", factors={"model.width": (0.25, 0.5)}, replicates=3, margin=4.0)
WIDE = STUDY.arms[1]
THREE = replace(STUDY, factors={"model.width": (0.25, 0.5, 1.0)})


def records(facts: Callable[[Trial], Mapping[str, Any]], study: Study = STUDY) -> list[TrialRecord]:
    return [record_of(trial, **facts(trial)) for trial in trials(study, lambda recipe: "data")]


def versions(**told: str) -> dict[str, Any]:
    return {"versions": told}


def cpu(name: str) -> dict[str, str]:
    return {"cpu": name}


@pytest.mark.parametrize(
    ("fact", "one", "other", "name", "shown"),
    [
        ("code", "0123456789", "abcdefghij", "code", ("01234567", "abcdefgh")),
        ("cpu", "AMD EPYC", "Intel Xeon", "processors", ("AMD EPYC", "Intel Xeon")),
        ("device", "NVIDIA A100", "NVIDIA H200", "devices", ("NVIDIA A100", "NVIDIA H200")),
        ("versions", {"torch": "2"}, {"torch": "3"}, "library versions", ("torch 2", "torch 3")),
    ],
)
def test_a_thing_that_differs_between_the_sides_of_pairs_is_named_with_its_counts(
    fact: str, one: Any, other: Any, name: str, shown: tuple[str, str]
) -> None:
    found = mixtures(STUDY, records(lambda t: {fact: other if t.arm == WIDE and t.replicate == 3 else one}))
    assert found == (
        f"mixed {name} in the contrast: {shown[0]} (5 trials), {shown[1]} (1 trials); in 1 pairs the two sides differ "
        "in it, so that their difference is not the factor's alone",
    )


def test_whole_replicates_that_differ_are_mixed_and_paired() -> None:
    found = mixtures(STUDY, records(lambda t: cpu("A" if t.replicate == 1 else "B")))
    assert found == ("mixed processors in the contrast: B (4 trials), A (2 trials)",)


def test_trials_that_a_gpu_trained_without_determinism_are_said_to_be_of_one_time() -> None:
    free = replace(STUDY, factors={"numerics.deterministic": (True, False)})
    (found,) = mixtures(free, records(lambda t: {"device": "NVIDIA H200"}, free))
    assert found == (
        "3 of 6 trials were trained on a GPU with numerics.deterministic=False: trained again they would give other "
        "numbers, beside the seeds and the factor"
    )
    assert mixtures(free, records(lambda t: {"device": "cpu"}, free)) == ()
    assert mixtures(STUDY, records(lambda t: {"device": "NVIDIA H200"})) == ()


def test_all_alike_or_all_unrecorded_is_no_mixture_and_partly_recorded_is_one() -> None:
    assert mixtures(STUDY, records(lambda t: cpu("A"))) == ()
    assert mixtures(STUDY, records(lambda t: {})) == ()
    assert mixtures(STUDY, []) == ()
    for fact, name in (
        ("code", "code"),
        ("cpu", "processors"),
        ("device", "devices"),
        ("versions", "library versions"),
    ):
        value = {"A": "1"} if fact == "versions" else "A"
        told = records(lambda t, fact=fact, value=value: {fact: value} if t.replicate == 1 else {})
        shown = "A 1" if fact == "versions" else "A"
        assert f"mixed {name} in the contrast: not recorded (4 trials), {shown} (2 trials)" in mixtures(STUDY, told)


def test_contrasts_are_counted_and_those_that_are_all_alike_are_not() -> None:
    *_, far = THREE.arms
    found = mixtures(THREE, records(lambda t: cpu("B" if t.arm == far else "A"), THREE))
    assert found == (
        "mixed processors in 1 of 2 contrasts: A (6 trials), B (3 trials); in 3 pairs the two sides differ in it, so "
        "that their difference is not the factor's alone",
    )
    base = next(iter(THREE.baselines))
    (note,) = mixtures(THREE, records(lambda t: cpu("B" if t.arm == base else "A"), THREE))
    assert note.startswith("mixed processors in 2 of 2 contrasts: A (6 trials), B (3 trials); in 6 pairs")


def test_what_differs_between_contrasts_alone_is_no_mixture() -> None:
    study = Study(
        name="mix",
        base="synthetic",
        factors={"model.width": (0.25, 0.5), "model.depth": (10, 16)},
        baseline={"model.width": 0.25},
        replicates=3,
        margin=4.0,
    )
    deep = lambda t: cpu("B" if dict(t.arm.levels)["model.depth"] == 16 else "A")  # noqa: E731
    assert mixtures(study, records(deep, study)) == ()


@pytest.mark.parametrize("outcome", ["finished", "diverged", "dead", "stuck", None, "failed", "stopped"])
def test_trials_without_a_result_are_in_no_mixture(outcome: Any) -> None:
    told = records(lambda t: cpu("B" if t.arm == WIDE and t.replicate == 2 else "A"))
    told = [replace(r, outcome=outcome) if r.cpu == "B" else r for r in told]
    assert bool(mixtures(STUDY, told)) == (outcome in ("finished", "diverged", "dead", "stuck"))


def test_a_trial_without_its_partner_is_in_no_pair() -> None:
    told = records(lambda t: cpu("B" if t.arm == WIDE else "A"))
    alone = [r for r in told if not (r.arm != WIDE and r.replicate == 1)]
    (note,) = mixtures(STUDY, alone)
    assert "B (3 trials), A (2 trials); in 2 pairs" in note


def test_at_most_four_values_are_listed_and_the_rest_counted() -> None:
    each = lambda t: cpu(f"P{2 * t.replicate + (t.arm == WIDE)}")  # noqa: E731
    (six,) = mixtures(STUDY, records(each))
    assert "P2 (1 trials), P3 (1 trials), P4 (1 trials), P5 (1 trials) and 2 more; in 3 pairs" in six
    four = replace(STUDY, replicates=2)
    assert " more" not in mixtures(four, records(each, four))[0]


def test_of_versions_those_packages_alone_are_named_that_differ() -> None:
    old, new = versions(torch="2", numpy="1"), versions(torch="3", numpy="1")
    (note,) = mixtures(STUDY, records(lambda t: new if t.arm == WIDE else old))
    assert "torch 2 (3 trials), torch 3 (3 trials)" in note
    more = versions(torch="2", numpy="1", pillow="9")
    (note,) = mixtures(STUDY, records(lambda t: more if t.arm == WIDE else old))
    assert "torch 2, numpy 1 (3 trials), pillow 9 (3 trials)" in note, "one without a package of its own is told whole"
    (note,) = mixtures(STUDY, records(lambda t: {} if t.arm == WIDE else old))
    assert "torch 2, numpy 1 (3 trials), not recorded (3 trials)" in note


def test_on_a_gpu_its_host_processor_says_nothing() -> None:
    for device, num_mixed in (("NVIDIA H200", 0), ("cpu", 1)):
        told = records(lambda t, device=device: {**cpu("B" if t.arm == WIDE else "A"), "device": device})
        assert len(mixtures(STUDY, told)) == num_mixed
    beside = records(lambda t: {**cpu("A"), "device": "NVIDIA H200" if t.arm == WIDE else "cpu"})
    assert [note.partition(":")[2].partition(";")[0] for note in mixtures(STUDY, beside)] == [
        " A (3 trials), GPU (3 trials)",
        " cpu (3 trials), NVIDIA H200 (3 trials)",
    ]


def test_attempts_tell_before_the_trial_and_each_place_once() -> None:
    (record, *_) = records(lambda t: {**cpu("last"), **versions(torch="3"), "device": "cpu", "code": "c"})
    attempts = {
        1: Attempt(cpu="first", versions={"torch": "2"}),
        2: Attempt(cpu="first", versions={"torch": "2"}),
        3: Attempt(cpu="second", versions={"torch": "3"}),
        4: Attempt(host="h"),
    }
    assert made_with(replace(record, attempts=attempts)) == {
        "code": "c",
        "processor": "first then second",
        "device": "cpu",
        "versions": "torch 2 then torch 3",
    }
    assert made_with(record) == {"code": "c", "processor": "last", "device": "cpu", "versions": "torch 3"}
    assert made_with(replace(record, code="", cpu="", device="", versions={})) == {
        "code": "",
        "processor": "",
        "device": "",
        "versions": "",
    }


def test_a_trial_that_went_on_with_other_versions_is_a_mixture_of_its_own() -> None:
    told = records(lambda t: versions(torch="2"))
    moved = {1: Attempt(versions={"torch": "2"}), 2: Attempt(versions={"torch": "3"})}
    told[0] = replace(told[0], attempts=moved)
    assert mixtures(STUDY, told) == (
        "mixed library versions in the contrast: torch 2 (5 trials), torch 2 then torch 3 (1 trials); in 1 pairs the "
        "two sides differ in it, so that their difference is not the factor's alone",
    )


def test_arms_that_run_through_different_modules_are_held_against_their_own_code() -> None:
    two = replace(STUDY, factors={"model": ("WRN-16-1", "ResNet-20")}, baseline={"model": "WRN-16-1"}, base="cifar10")
    own = {arm: trial_code(two.recipe_of(arm)) for arm in two.arms}
    assert len(set(own.values())) == 2
    assert mixtures(two, records(lambda t: {"code": own[t.arm]}, two)) == ()
    told = records(lambda t: {"code": own[t.arm] if t.replicate > 1 else f"old {t.arm.name}"}, two)
    (note,) = mixtures(two, told)
    assert note.startswith("mixed code in the contrast: this program's (4 trials), an earlier program's (2 trials)")
    some = records(lambda t: {"code": own[t.arm]} if t.replicate > 1 else {}, two)
    (note,) = mixtures(two, some)
    assert note.startswith("mixed code in the contrast: this program's (4 trials), not recorded (2 trials)")
