"""What the driver hands to a worker: one trial as plain text, and what all trials of a study share."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from paribus.engine.code_digest import versions
from paribus.engine.variables import CHECKPOINT_S, seconds
from paribus.execution.room import request_of
from paribus.host.storage import identity, is_same, storage
from paribus.recipe import Recipe, Seeds
from paribus.recipe.paths import leaves
from paribus.shards.storage.locations import ShardLocation
from paribus.study.plan import Step, Trial
from paribus.study.searches.population import lineage_of
from paribus.study.settings import Settings
from paribus.study.words import arm_as_json, arm_from_json
from paribus.tracking.trials.record import TrialRecord

# In a worker's report: that its trial fails by its node's fault, of which the worker dies when it is called next; the
# node's id and name; how a trial began that was taken up again; and records that the ledger did not take from a node.
FAULT, NODE, BEGAN, RECORDS = "node_fault", "node", "began", "records"
# That it saved itself and gave up its place, as it was asked to; or because its node is to be taken back.
GAVE_WAY, NOTICED = "gave_way", "noticed"
# In a trial's configuration: itself as JSON; of that its id and what it asks for, which Tune's events need each time.
TRIAL, TRIAL_ID, REQUEST = "trial", "trial_id", "request"
# And how often it was taken up again, and how often of those for what is amiss with a node.
RESTARTS, MOVES = "restarts", "moves"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What all trials of one run of a study share; `uri` is None where there is no ledger to send to.

    `checkpoint_s` are the seconds between a trial's checkpoints, `versions` those of the driver's libraries.
    Checkpoints and records lie in `storage` ("": in the home). `known` is the identity of both folders, by which a node
    sees whether it has the driver's. Where it is `apart`, it has a storage of its own. `movable` says that no fault was
    found that all nodes share, so that a trial may be sent away from one with something amiss. `asking` is the name by
    which the driver asks what runs to give way.
    """

    study: str
    home: str
    uri: str | None
    storage: str = ""
    known: tuple[str, str] = ("", "")
    apart: bool = False
    movable: bool = False
    asking: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    checkpoint_s: float = 30.0
    settings: Settings = field(default_factory=Settings)

    @property
    def outbox(self) -> Path:
        """Where the workers' records wait for the ledger."""
        return outbox_of(Path(self.storage or self.home), self.study, self.settings)

    def folder_of(self, step: Step) -> Path:
        """Where a trial's checkpoints and its crash log lie.

        By study, for another one may train the same trial just now; by code, for half a trial of each is no result.
        """
        return self.folder(step.trial.id, step.code)

    def folder(self, trial_id: str, code: str) -> Path:
        """`folder_of` a trial by its id and its code."""
        return Path(self.storage or self.home) / "checkpoints" / self.study / f"{trial_id}-{code}"

    def here(self) -> Context:
        """The same on this node: with folders of its own for those of the driver's that it does not have."""
        home, storage = self.home, self.storage or self.home
        if not is_same(Path(home), self.known[0]):
            home = str(Path(os.environ.get("PARIBUS_HOME") or home).expanduser().absolute())
        apart = not is_same(Path(storage), self.known[1])
        return replace(self, home=home, storage=home if apart else storage, apart=apart)


def context_of(study: str, home: Path, uri: str, settings: Settings) -> Context:
    """What the trials of a study or search share that this process drives."""
    return Context(
        study=study,
        home=str(home),
        uri=uri,
        storage=str(storage(home)),
        known=(identity(home), identity(storage(home))),
        versions=versions(),
        checkpoint_s=seconds(*CHECKPOINT_S),
        settings=settings,
    )


def outbox_of(storage: Path, study: str, settings: Settings) -> Path:
    """A folder of its own at each settings: two drivers of one study neither wait for nor send each other's records."""
    return storage / "spool" / (study if settings.declared else f"{study}.{settings.digest}")


def study_of(outbox: Path) -> str:
    """The study of a folder that `outbox_of` named: no study's name has a dot."""
    return outbox.name.partition(".")[0]


def as_pairs(numbers: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Numbers by name as a report brings them: of a dictionary Tune takes each apart, and keeps what each has been."""
    return tuple(numbers.items())


def config_of(step: Step) -> dict[str, Any]:
    """The configuration by which Ray Tune carries a step."""
    return {TRIAL: encode(step), TRIAL_ID: step.trial.id, REQUEST: request_of(step.trial.recipe)}


def encode(step: Step) -> str:
    """The step as JSON."""
    trial = step.trial
    return json.dumps(
        {
            "id": trial.id,
            "arm": arm_as_json(trial.arm),
            "replicate": trial.replicate,
            "seeds": trial.seeds.model_dump(),
            "recipe": _from_anywhere(trial.recipe).model_dump(),
            "attempt": step.attempt,
            "run_id": step.run_id,
            "code": step.code,
            "until": step.until,
            "proposal": step.proposal,
            "lineage": step.lineage.as_dict() if step.lineage else {},
        }
    )


def _from_anywhere(recipe: Recipe) -> Recipe:
    """The recipe with its shards by their whole path: a worker runs in another folder than the command that names them.

    Where data lie is no part of a trial's identity.
    """
    folder = None if recipe.data.shards is None else ShardLocation(recipe.data.shards).folder
    if folder is None or folder.is_absolute():
        return recipe
    return recipe.replace({"data.shards": os.path.abspath(folder)})


def decode(text: str) -> Step:
    """The step that `encode` wrote."""
    fields: dict[str, Any] = json.loads(text)
    trial = Trial(
        id=fields["id"],
        arm=arm_from_json(fields["arm"]),
        replicate=fields["replicate"],
        seeds=Seeds(**fields["seeds"]),
        recipe=Recipe.read(json.dumps(fields["recipe"])),
    )
    told = {name: fields[name] for name in ("attempt", "run_id", "code", "until", "proposal")}
    return Step(trial=trial, action="start", lineage=lineage_of(fields["lineage"]), **told)


def record_of(step: Step, study: str) -> TrialRecord:
    """The trial as the ledger knows it before it begins."""
    trial = step.trial
    return TrialRecord(
        trial_id=trial.id,
        study=study,
        arm=trial.arm,
        arm_name=trial.arm.name,
        replicate=trial.replicate,
        run_id=step.run_id or "",
        params=params_of(trial),
        seeds=trial.seeds.model_dump(),
        code=step.code,
        proposal=step.proposal,
        lineage=step.lineage.as_dict() if step.lineage else {},
    )


def params_of(trial: Trial) -> dict[str, str]:
    """MLflow's params of a trial: its replicate and the whole recipe by path, and each of them once.

    What of the arm's levels is no field, such as a net by its name, is there too.
    """
    whole = {path: str(value) for path, value in leaves(trial.recipe.model_dump())}
    named = {path: str(level) for path, level in trial.arm.levels if path not in whole}
    return {**named, "replicate": str(trial.replicate), **whole}
