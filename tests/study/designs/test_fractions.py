"""Fractions and squares: the baseline is an arm, every factor is balanced, and what is mixed is said."""

from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pytest

from paribus import Study
from paribus.study import StudyError
from paribus.study.designs.fractions import aliases
from paribus.study.words import Level

TWO: dict[str, tuple[Level, ...]] = {
    "model.depth": (16, 10),
    "model.width": (1.0, 2.0),
    "model.dropout": (0.0, 0.3),
    "optimizer.lr": (0.1, 0.05),
    "optimizer.nesterov": (True, False),
    "optimizer.weight_decay": (0.0005, 0.0),
    "augment.flip": (False, True),
}
THREE: dict[str, tuple[Level, ...]] = {
    "model.depth": (16, 10, 22),
    "model.width": (1.0, 2.0, 0.5),
    "optimizer.lr": (0.1, 0.05, 0.2),
    "optimizer.weight_decay": (0.0005, 0.0, 0.001),
}


def first(factors: dict[str, tuple[Level, ...]], number: int) -> dict[str, tuple[Level, ...]]:
    return dict(list(factors.items())[:number])


def fraction(number: int, resolution: int, **more: Any) -> Study:
    return Study(name="f", factors=first(TWO, number), design="fractional", resolution=resolution, **more)


def signs(study: Study) -> np.ndarray[Any, Any]:
    centre = study.baselines[0].as_dict()
    return np.array([[1 if level == centre[path] else -1 for path, level in arm.levels] for arm in study.arms])


# Montgomery (2012), table 8.14: runs of the smallest regular fraction.
@pytest.mark.parametrize(
    ("number", "resolution", "runs"),
    [(3, 3, 4), (5, 3, 8), (7, 3, 8), (4, 4, 8), (5, 4, 16), (6, 4, 16), (7, 4, 16), (5, 5, 16), (6, 5, 32)],
)
def test_a_fraction_has_the_published_number_of_arms_and_keeps_its_resolution(
    number: int, resolution: int, runs: int
) -> None:
    made = fraction(number, resolution)
    columns = signs(made).T
    assert len(made.arms) == runs
    # Resolution: no product of fewer columns is the same in every arm.
    words = [
        size
        for size in range(1, number + 1)
        for chosen in combinations(range(number), size)
        if abs(prod(columns[index] for index in chosen).sum()) == runs  # type: ignore[attr-defined]
    ]
    assert not words or min(words) >= resolution


def test_the_baseline_is_the_first_arm_of_a_fraction_whichever_levels_it_has() -> None:
    made = fraction(5, 4, baseline={"model.depth": 10, "optimizer.lr": 0.05})
    assert made.arms[0].as_dict()["model.depth"] == 10
    assert made.arms[0].as_dict()["optimizer.nesterov"] is True
    assert {made.baseline_of(arm) for arm in made.arms} == {made.arms[0]} == set(made.baselines)


def test_the_fractions_are_the_same_in_every_release_because_trials_are_known_by_them() -> None:
    made = signs(fraction(5, 3))
    assert ["".join("+" if sign > 0 else "-" for sign in row) for row in made] == [
        "+++++",
        "++-+-",
        "+-+-+",
        "+----",
        "-++--",
        "-+--+",
        "--++-",
        "---++",
    ]


def test_aliases_are_the_effects_whose_columns_are_equal_or_opposite() -> None:
    made = fraction(6, 4)
    columns = dict(zip(["depth", "k", "dropout", "lr", "nesterov", "weight_decay"], signs(made).T, strict=True))
    columns |= {f"{a}:{b}": columns[a] * columns[b] for a, b in combinations(list(columns), 2)}
    found = aliases(made.factors, 4)
    assert len(found) == 7  # two chains of three interactions would leave 15 of them in 7 chains
    for chain in found:
        assert all(abs((columns[chain[0]] * columns[part]).sum()) == len(made.arms) for part in chain)
    for one, two in combinations(found, 2):
        assert (columns[one[0]] * columns[two[0]]).sum() == 0
    assert aliases(first(TWO, 5), 5) == ()


@pytest.mark.parametrize("number", [3, 4])
def test_in_a_square_every_two_levels_of_two_factors_meet_once(number: int) -> None:
    made = Study(name="f", factors=first(THREE, number), design="latin_square")
    assert len(made.arms) == 9
    assert made.baselines == made.arms[:1]
    for one, two in combinations(first(THREE, number), 2):
        assert len({(arm.as_dict()[one], arm.as_dict()[two]) for arm in made.arms}) == 9


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"factors": first(TWO, 2), "design": "fractional"}, "at least three factors"),
    ({"factors": {**first(TWO, 2), "optimizer.lr": (0.1, 0.2, 0.3)}, "design": "fractional"}, "two levels a factor"),
    ({"factors": {**first(TWO, 2), "optimizer.lr": (0.2, 0.3)}, "design": "fractional"}, "the baseline's is 0.1"),
    ({"factors": first(TWO, 4), "design": "fractional", "resolution": 6}, "resolution = 6: allowed are 3, 4, 5"),
    ({"factors": first(TWO, 4), "design": "fractional", "resolution": True}, "resolution = True"),
    ({"factors": first(TWO, 4), "design": "fractional", "exclude": ({"model.depth": (10,)},)}, "exclude would take"),
    ({"factors": first(THREE, 2), "design": "latin_square"}, "three factors, or four"),
    ({"factors": {**first(THREE, 2), "augment.flip": (False, True)}, "design": "latin_square"}, "one number of levels"),
    ({"factors": {**first(THREE, 2), "optimizer.lr": (1.0, 2.0, 3.0)}, "design": "latin_square"}, "without the base"),
]


@pytest.mark.parametrize(("fields", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_is_no_fraction_is_refused_with_what_would_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        Study(name="f", **fields)


def test_a_fraction_of_many_factors_is_refused_at_once() -> None:
    factors: dict[str, tuple[Level, ...]] = {f"model.field{index}": (0, 1) for index in range(40)}
    with pytest.raises(StudyError, match="40 factors: a fractional design takes at most 15"):
        Study(name="f", factors=factors, design="fractional")


@pytest.mark.parametrize(
    ("design", "exclude", "left"),
    [
        ("factorial", ({"model.depth": (22,), "model.width": (2.0, 0.5)},), 7),
        ("one_at_a_time", ({"model.depth": (22,)},), 4),
        ("factorial", ({"model.depth": (10,)}, {"model.width": (0.5,)}), 4),
    ],
)
def test_excluded_combinations_are_no_arms(design: Any, exclude: Any, left: int) -> None:
    made = Study(name="f", factors=first(THREE, 2), design=design, exclude=exclude)
    assert len(made.arms) == left
    for pattern in exclude:
        assert not any(all(arm.as_dict()[path] in pattern[path] for path in pattern) for arm in made.arms)


def test_a_component_that_is_excluded_may_be_written_as_a_mapping() -> None:
    odd = {"kind": "elu", "alpha": 0.5}
    made = Study(
        name="f",
        factors={"model.activation": ("relu", odd), "model.depth": (16, 22)},
        exclude=({"model.activation": (odd,), "model.depth": (22,)},),
    )
    assert len(made.arms) == 3


def test_a_fraction_of_more_trials_than_any_study_has_is_refused() -> None:
    with pytest.raises(StudyError, match="64 arms x 100,000 replicates: at most"):
        fraction(7, 5, replicates=100_000)


@pytest.mark.parametrize(
    ("exclude", "words"),
    [
        (({"model.dept": (22,)},), "'model.dept' is no factor"),
        (({"model.depth": (23,)},), "no arm has such levels together"),
        (({"model.depth": (16, 10, 22)},), "exclude leaves none of the 9 arms"),
        (({"model.depth": 22},), "mappings from paths to tuples"),
        (({},), "mappings from paths to tuples"),
        ("model.depth", "mappings from paths to tuples"),
        (({"model.depth": (16,), "model.width": (1.0,)},), "has no baseline to be compared with"),
    ],
)
def test_an_exclusion_that_is_a_slip_is_refused(exclude: Any, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        Study(name="f", factors=first(THREE, 2), exclude=exclude)
