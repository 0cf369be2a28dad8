"""What the driver hands to a worker: one trial as plain text, and what all trials of a study share."""

import json
from dataclasses import dataclass
from typing import Any

from paribus.recipe import Recipe, Seeds
from paribus.recipe.paths import leaves
from paribus.study.plan import Step, Trial
from paribus.study.words import Arm, column_names, level_from_json


@dataclass(frozen=True, kw_only=True)
class Context:
    """What all trials of one run of a study share; `uri` is None where there is no ledger to send to.

    `checkpoint_s` are the seconds between a trial's checkpoints.
    """

    study: str
    home: str
    uri: str | None
    code: str
    checkpoint_s: float = 30.0


def encode(step: Step) -> str:
    """The step as JSON; Ray Tune carries it as the only parameter of a trial."""
    trial = step.trial
    return json.dumps(
        {
            "id": trial.id,
            "arm": trial.arm.levels,
            "replicate": trial.replicate,
            "seeds": trial.seeds.model_dump(),
            "recipe": trial.recipe.model_dump(),
            "attempt": step.attempt,
            "run_id": step.run_id,
        }
    )


def decode(text: str) -> Step:
    """The step that `encode` wrote."""
    fields: dict[str, Any] = json.loads(text)
    trial = Trial(
        id=fields["id"],
        arm=Arm(tuple((path, level_from_json(level)) for path, level in fields["arm"])),
        replicate=fields["replicate"],
        seeds=Seeds(**fields["seeds"]),
        recipe=Recipe.read(json.dumps(fields["recipe"])),
    )
    return Step(trial=trial, action="start", attempt=fields["attempt"], run_id=fields["run_id"])


def params_of(trial: Trial) -> dict[str, str]:
    """MLflow's params of a trial: its levels by short name (whole paths where two share one), then the whole recipe."""
    names = column_names([path for path, _ in trial.arm.levels])
    levels = {name: str(level) for name, (_, level) in zip(names, trial.arm.levels, strict=True)}
    whole = {path: str(value) for path, value in leaves(trial.recipe.model_dump())}
    return {**levels, "replicate": str(trial.replicate), **whole}
