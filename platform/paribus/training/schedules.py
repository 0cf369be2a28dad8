"""The learning rate as a pure function of the step."""

import math

from paribus.recipe import Cosine, Exponential, OneCycle, Recipe, RecipeError, Step
from paribus.recipe.components.own import function
from paribus.recipe.schedule import Schedule


def lr_at(step: int, recipe: Recipe, num_steps: int, steps_per_epoch: int) -> float:
    """The rate of 0-based `step` out of `num_steps`.

    During the warm-up it is `warmup_lr` (Inception-v4, section 3.3). The schedule itself runs over the whole budget:
    warm-up covers its beginning and shifts nothing, so that milestones stay where the paper has them.
    """
    schedule = recipe.schedule
    if step < schedule.warmup_epochs * steps_per_epoch:
        return schedule.warmup_lr
    return recipe.optimizer.lr * factor_at(step, schedule, num_steps, steps_per_epoch)


def factor_at(step: int, schedule: Schedule, num_steps: int, steps_per_epoch: int) -> float:
    """The rate of 0-based `step` as a multiple of the optimizer's rate, warm-up aside."""
    done = step / num_steps
    if isinstance(schedule, Step):
        return float(schedule.factor ** sum(done >= milestone for milestone in schedule.milestones))
    if isinstance(schedule, Exponential):
        return float(schedule.factor ** (step // (schedule.every_epochs * steps_per_epoch)))
    if isinstance(schedule, Cosine):
        return schedule.final_fraction + (1 - schedule.final_fraction) * (1 + math.cos(math.pi * done)) / 2
    if isinstance(schedule, OneCycle):
        return _one_cycle(done, schedule)
    factor = float(function(schedule.kind, "schedule", schedule.arguments, "done")(done))
    if not 0 <= factor < math.inf:
        raise RecipeError(f"schedule {schedule.kind!r} gives {factor} at {done:g} of the budget: a factor is 0 or more")
    return factor


def _one_cycle(done: float, schedule: OneCycle) -> float:
    if done < schedule.peak:
        return schedule.initial_fraction + (1 - schedule.initial_fraction) * done / schedule.peak
    return 1 + (schedule.final_fraction - 1) * (done - schedule.peak) / (1 - schedule.peak)
