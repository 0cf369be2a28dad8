"""Schedules against closed forms, at every step."""

import math

import pytest

from paribus.recipe import Cosine, Exponential, OneCycle, Recipe, Step
from paribus.recipe.schedule import Schedule
from paribus.training.schedules import lr_at

NUM_STEPS, PER_EPOCH = 200, 10


def rates(schedule: Schedule, num_steps: int = NUM_STEPS, per_epoch: int = PER_EPOCH) -> list[float]:
    recipe = Recipe(schedule=schedule)
    return [lr_at(step, recipe, num_steps, per_epoch) for step in range(num_steps)]


def test_the_step_schedule_of_wrn_drops_at_60_120_and_160_of_200_epochs() -> None:
    per_epoch = 390
    expected = [0.1 * 0.2 ** ((epoch >= 60) + (epoch >= 120) + (epoch >= 160)) for epoch in range(200)]
    given = rates(Step(), 200 * per_epoch, per_epoch)
    assert given[::per_epoch] == pytest.approx(expected)
    assert given[per_epoch - 1 :: per_epoch] == pytest.approx(expected)  # not a step early, not a step late


def test_the_exponential_schedule_of_inception_falls_every_two_epochs() -> None:
    given = rates(Exponential())
    assert given == pytest.approx([0.1 * 0.94 ** (step // 20) for step in range(NUM_STEPS)])


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_the_cosine_schedule_is_half_a_cosine(final: float) -> None:
    expected = [0.1 * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * t / NUM_STEPS))) for t in range(NUM_STEPS)]
    assert rates(Cosine(final_fraction=final)) == pytest.approx(expected)


def test_one_cycle_rises_to_the_rate_at_its_peak_and_falls_to_its_end() -> None:
    given = rates(OneCycle(peak=0.25, initial_fraction=0.04, final_fraction=0.01))
    assert given[0] == pytest.approx(0.004)
    assert given[50] == pytest.approx(0.1)
    assert max(given) == given[50]
    assert given[25] == pytest.approx((0.004 + 0.1) / 2)
    assert given[125] == pytest.approx((0.1 + 0.001) / 2)
    assert given[-1] == pytest.approx(0.001 + 0.099 / 150)


@pytest.mark.parametrize("kind", [Step, Exponential, Cosine, OneCycle])
def test_the_warm_up_is_one_tiny_rate_and_then_the_schedule_itself(kind: type) -> None:
    warm = rates(kind(warmup_epochs=1.5, warmup_lr=1e-5))
    assert warm[:15] == [1e-5] * 15
    assert warm[15:] == rates(kind())[15:]


def test_the_whole_rate_is_there_from_the_first_step_without_warm_up() -> None:
    assert rates(Cosine())[0] == pytest.approx(0.1)
