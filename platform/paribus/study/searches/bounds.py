"""What bounds a search: constraints on results, a budget of time, and the epochs that its trials have in common."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as brief
from typing import Any

from paribus.metrics.metric import Metric
from paribus.recipe import Recipe
from paribus.study.checks import check_word
from paribus.study.designs.arms import StudyError

# What a trial costs, as its record has it, with the unit; less is better of each.
COSTS = {
    "num_params": "parameters",
    "flops": "FLOPs",
    "total_s": "s",
    "train_s": "s",
    "gpu_s": "GPU-seconds",
    "peak_memory_mib": "MiB",
}
_CONSTRAINT = re.compile(r"\s*([\w.:]+)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*")
_BUDGET = re.compile(r"\s*([.\d]+)\s*(GPU-)?(minutes?|hours?|days?)\s*", re.IGNORECASE)
_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}


@dataclass(frozen=True)
class Constraint:
    """A bound on a result, such as `peak_memory_mib < 2000`."""

    name: str
    is_upper: bool
    bound: float

    def excess(self, value: float) -> float:
        """By how much `value` breaks it; 0 or below where it is kept."""
        return value - self.bound if self.is_upper else self.bound - value


@dataclass(frozen=True)
class TimeBudget:
    """Seconds that the trials may take together: of workers, or of GPUs."""

    seconds: float
    of_gpus: bool


def constraint_of(text: Any, metrics: Mapping[str, Metric]) -> Constraint:
    """The constraint that a person wrote. Raises StudyError where it is none."""
    found = _CONSTRAINT.fullmatch(text) if isinstance(text, str) else None
    try:
        bound = float(found[3]) if found else None
    except ValueError:
        bound = None
    if found is None or bound is None:
        raise StudyError(
            f"the constraint {brief(text)}: write NAME < NUMBER or NAME > NUMBER, as 'peak_memory_mib < 2000'"
        )
    check_word("the constraint's", found[1], (*metrics, *COSTS))
    return Constraint(found[1], is_upper="<" in found[2], bound=bound)


BUDGET_WORDS = "write an amount and a unit, such as '30 minutes', '2 hours' or '8 GPU-hours'"


def time_budget_of(text: str) -> TimeBudget:
    """The budget that a person wrote. Raises StudyError where it is none."""
    found = _BUDGET.fullmatch(text)
    try:
        amount = float(found[1]) if found else 0.0
    except ValueError:
        amount = 0.0
    if found is None or not amount > 0:
        raise StudyError(f"budget = {text!r}: {BUDGET_WORDS}")
    return TimeBudget(amount * _SECONDS[found[3].lower().rstrip("s")], of_gpus=bool(found[2]))


def no_rungs(metric: Metric, metrics: Mapping[str, Metric], recipe: Recipe, searched: Iterable[str]) -> str:
    """Why no scheduler can judge such trials after some of their epochs, with what would do; "" where one can."""
    budget, every = recipe.budget, recipe.evaluation.every_epochs
    if budget.unit != "epochs" or any(path.partition(".")[0] == "budget" for path in searched):
        return (
            "decides after whole epochs: give all trials one budget in epochs, such as fixed={'budget': '9 epochs'}, "
            "and leave it out of the space"
        )
    if not metric.every_epoch:
        return (
            f"decides by {metric.name} after an epoch, and that is known at its end alone: search for "
            f"{', '.join(name for name, each in metrics.items() if each.every_epoch)}, or take 'none'"
        )
    if every != 1:
        return f"decides after epochs, and evaluation.every_epochs = {every}: set it to 1"
    return ""


def usual_scheduler(metric: Metric, metrics: Mapping[str, Metric], recipe: Recipe, searched: Iterable[str]) -> str:
    """What ends trials early where nobody says: top-K after one epoch, and nothing where that cannot judge them."""
    one = recipe.budget.unit == "epochs" and math.ceil(recipe.budget.amount) < 2
    return "none" if one or no_rungs(metric, metrics, recipe, searched) else "top_k"
