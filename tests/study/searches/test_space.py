"""Spaces: what a field may take, for which settings of others it is asked, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from paribus import Choice, Float, Int
from paribus.recipe import RecipeError, preset
from paribus.study import StudyError
from paribus.study.searches.space import Space, levels_of

DIGITS = preset("digits")
CONDITIONAL = {
    "optimizer.beta1": Float(0.8, 0.95, when={"optimizer.kind": "adamw"}),
    "optimizer.momentum": Float(0.0, 0.95, when={"optimizer.kind": ("sgd",)}),
    "optimizer.kind": Choice("sgd", "adamw"),
    "optimizer.lr": Float(1e-4, 1.0, log=True),
}


def test_what_others_depend_on_is_asked_first_and_what_is_not_asked_is_not_set() -> None:
    space = Space(CONDITIONAL, DIGITS)
    assert next(iter(space))[0] == "optimizer.kind"
    sgd = space.levels_at([0.1, 0.5, 0.5, 0.5])
    adam = space.levels_at([0.9, 0.5, 0.5, 0.5])
    assert set(sgd) == {"optimizer.kind", "optimizer.lr", "optimizer.momentum"}
    assert set(adam) == {"optimizer.kind", "optimizer.lr", "optimizer.beta1"}
    assert sgd["optimizer.lr"] == pytest.approx(0.01)
    assert DIGITS.replace(adam).optimizer.beta1 == adam["optimizer.beta1"]  # type: ignore[union-attr]
    assert (
        space.fault({**sgd, "optimizer.beta1": 0.9})
        == "'optimizer.beta1' is set, and is asked only when optimizer.kind is 'adamw'"
    )


def test_every_setting_of_a_countable_space_comes_once() -> None:
    space = Space(
        {
            "optimizer.kind": Choice("sgd", "adamw"),
            "optimizer.momentum": Float(0.0, 0.9, step=0.3, when={"optimizer.kind": "sgd"}),
            "data.batch_size": Int(16, 64, step=16),
        },
        DIGITS,
    )
    settings = list(space.every())
    assert len(settings) == space.size() == 4 * 4 + 1 * 4
    assert len({frozenset(levels.items()) for levels in settings}) == len(settings)
    assert {levels.get("optimizer.momentum") for levels in settings} == {0.0, 0.3, 0.6, 0.9, None}
    assert Space({"optimizer.lr": Float(0.1, 1.0)}, DIGITS).size() is None


def test_a_range_is_covered_evenly_from_end_to_end() -> None:
    whole = Int(1, 8, log=True)
    drawn = [whole.at(share / 1000) for share in range(1000)]
    assert {*drawn} == {*range(1, 9)}
    assert drawn.count(1) > drawn.count(8), "on a logarithm the small ones have more room"
    assert [Int(2, 10, step=4).at(share) for share in (0.0, 0.34, 0.999)] == [2, 6, 10]
    assert [Float(0.0, 1.0, step=0.5).at(share) for share in (0.0, 0.34, 0.999)] == [0.0, 0.5, 1.0]
    assert Choice(True, 1, "1").at(0.99) == "1"


def test_the_base_recipes_own_setting_is_one_of_the_space() -> None:
    space = Space(CONDITIONAL, DIGITS)
    own = space.asked(levels_of(DIGITS, space.domains))
    assert own == {"optimizer.kind": "sgd", "optimizer.lr": 0.1, "optimizer.momentum": 0.9}
    assert space.fault(own) == ""


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Float(1.0, 0.1), "low is below high; a single value goes into fixed"),
        (lambda: Float(0.0, 1.0, log=True), "a logarithmic range begins above 0"),
        (lambda: Float(0.0, 1.0, step=0.3), "does not divide the range into whole steps: end it at 0.9"),
        (lambda: Float(0.0, float("inf")), "high is a finite number"),
        (lambda: Float(0.1, 1.0, log=True, step=0.1), "a step is linear and log is not"),
        (lambda: Int(1, 4.5), "high is a whole number; Float is for others"),  # type: ignore[arg-type]
        (lambda: Int(1, 4, step=2), "that divides the range"),
        (lambda: Choice(), "name the levels to choose from"),
        (lambda: Choice([1, 2]), "give the levels one by one"),
        (lambda: Choice(1, 1), "has the level 1 2 times"),
        (lambda: Choice({1: 2}), "use plain numbers"),
        (lambda: Space({}, DIGITS), "map paths to what they may take"),
        (lambda: Space({"optimizer.lr": 0.1}, DIGITS), "give Float(low, high)"),
        (lambda: Space({"optimizer.rate": Float(0, 1)}, DIGITS), "the space has optimizer.rate = 0"),
        (lambda: Space({"optimizer.lr": Float(-1, 1)}, DIGITS), "the space has optimizer.lr = -1"),
        (
            lambda: Space({"optimizer.lr": Float(0.1, 1, when={"optimizer.kin": "sgd"})}, DIGITS),
            "there is no such field: did you mean 'optimizer.kind'?",
        ),
        (
            lambda: Space({"optimizer.lr": Float(0.1, 1, when={"optimizer.kind": "lion"})}, DIGITS),
            "and it is always 'sgd': search it too, or drop the condition",
        ),
        (
            lambda: Space(
                {"optimizer.lr": Float(0.1, 1, when={"data.batch_size": 3}), "data.batch_size": Choice(1, 2)}, DIGITS
            ),
            "which is none of Choice(1, 2)",
        ),
        (
            lambda: Space({"optimizer.lr": Float(0.1, 1, when={"optimizer.lr": 0.1})}, DIGITS),
            "a condition names another field",
        ),
        (
            lambda: Space(
                {
                    "optimizer.lr": Float(0.1, 1, when={"data.batch_size": 1}),
                    "data.batch_size": Choice(1, 2, when={"optimizer.lr": 0.1}),
                },
                DIGITS,
            ),
            "depend on each other in a circle",
        ),
        (lambda: list(Space({"optimizer.lr": Float(0.1, 1)}, DIGITS).every()), "cannot be counted: give it a step"),
    ],
)
def test_a_space_that_cannot_be_is_refused_in_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises((StudyError, RecipeError)) as refused:
        make()
    assert sentence in str(refused.value)
