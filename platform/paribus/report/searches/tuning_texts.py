"""The tuning of a study's arms in words: what each was tuned to, and how far from converged it is."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.engine.searches.tuning import ArmTuning
from paribus.host.secrets import without_secrets


def budgets(found: Sequence[ArmTuning]) -> dict[str, int]:
    """By how many trials each arm was tuned, or will be: those without a result through no fault of theirs are none."""
    return {
        each.arm.name: each.preview.walk.planned - sum(one.is_lost for one in each.preview.walk.tried.values())
        for each in found
    }


def budgets_text(found: Sequence[ArmTuning]) -> str:
    """That every arm was tuned by as many trials as every other; where not, which by how many, and what would do."""
    numbers = budgets(found)
    most = max(numbers.values(), default=0)
    if len(set(numbers.values())) > 1:
        told = ", ".join(f"{name} by {number}" for name, number in numbers.items())
        return without_secrets(
            f"tuned by unequal numbers of trials ({told}): the budgets are unequal, and who was tuned by more has the "
            f"advantage; Tuning(trials={most}) makes them equal"
        )
    asked = found[0].preview.search.trials if found else 0
    more = f", though Tuning(trials={asked}) asks for fewer now: what was tried counts" if asked < most else ""
    return f"tuned in each arm, with {most} trials in every one{more}"


def tuned_lines(found: Sequence[ArmTuning]) -> list[str]:
    """A line an arm."""
    lines = []
    for each in found:
        search, walk = each.preview.search, each.preview.walk
        metric = search.primary
        if each.best is None:
            lines.append(
                f"  {each.arm.name}: {len(walk.tried)} of {walk.planned} settings tried, none trained to its end yet"
            )
            continue
        value = f"{metric.show(each.best.metrics[metric.name])} {metric.of_level}".rstrip()
        chosen = search.arm_of(each.best.levels).name
        lines.append(
            f"  {each.arm.name}: tuned to {chosen} ({value} of held-out data, #{each.best.number} of {walk.planned}); "
            f"{_late(each)}"
        )
    return [without_secrets(line) for line in lines]


def curve_line(each: ArmTuning) -> str:
    """The arm's tuning curve: the best value by trials, where it rose."""
    metric = each.preview.search.primary
    rises, last = [], None
    for number, value in each.history():
        if value != last:
            rises.append(f"{metric.show(value)} after {number + 1}")
            last = value
    return f"  {each.arm.name}: {', '.join(rises)}"


def _late(each: ArmTuning) -> str:
    gained, metric = each.gained_late(), each.preview.search.primary
    if not each.is_over:
        return "it has trials to go"
    if gained is None:
        return "too few trials to say whether it has converged"
    if gained == 0:
        return "the last third of its trials found no better"
    return f"the last third of its trials still gained {metric.show(gained)} {metric.unit}: it may not have converged"
