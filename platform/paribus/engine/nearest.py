"""The spread of paired differences in the nearest study of the ledger, where a study has no replicates yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev
from typing import TYPE_CHECKING

from paribus.recipe.identity import result_bearing
from paribus.recipe.paths import leaves

if TYPE_CHECKING:
    from paribus.recipe import Recipe
    from paribus.study.study import Study
    from paribus.tracking.ledger import Judge
    from paribus.tracking.trials.record import TrialRecord

# Of the newest trials so many are looked at: one request, which takes as long as reading two studies does.
MOST_TRIALS = 300
_LEAST, _MOST_NAMED = 3, 3
_DATA, _FAMILY = ("data.name", "data.shards", "data.eval_split"), "model.family"


@dataclass
class _Arm:
    """Finished trials of one recipe in one study run: what the recipe is, and the metric by the replicate's seeds."""

    study: str
    parent: str
    params: Mapping[str, str]
    values: dict[str, float] = field(default_factory=dict)


def trials_near(study: Study, uri: str, judge: Judge) -> list[TrialRecord]:
    """The newest finished trials on the study's data, as `judge` reads them; [] where no ledger tells them."""
    from paribus.tracking.errors import LedgerError
    from paribus.tracking.ledger import Ledger

    name = study.recipe_of(study.baselines[0]).data.name
    try:
        with Ledger(uri, judge=judge) as ledger:
            return ledger.finished_on({"data.name": name}, most=MOST_TRIALS)
    except LedgerError:  # a plan goes on without it
        return []


def nearest_spread(study: Study, records: Sequence[TrialRecord]) -> tuple[float, str] | None:
    """The sd of paired differences in the nearest study, and which it is; None where none is near.

    Near is what has the same data; of those, the same family, then the fewest fields that differ from the baseline's
    recipe. It is the median over the other arms of that study run of the sd of their differences from the nearest one;
    of an arm alone the sd of two unpaired runs.
    """
    own = _fields(study.recipe_of(study.baselines[0]))
    arms = [arm for arm in _arms(records, study.metric) if all(arm.params.get(path) == own[path] for path in _DATA)]
    for near in sorted(arms, key=lambda arm: (arm.params.get(_FAMILY) != own[_FAMILY], len(_differing(arm, own)))):
        spreads = [sd for other in arms if other.parent == near.parent and (sd := _paired_sd(near, other))]
        sd = median(spreads) if spreads else stdev(near.values.values()) * 2**0.5
        if sd:
            of_what = f"the median over {len(spreads)} contrasts" if spreads else "two unpaired runs"
            return sd, f"{of_what} of {near.study} in the ledger, {_unlike(near, own)}, until this study has replicates"
    return None


def _arms(records: Sequence[TrialRecord], metric: str) -> list[_Arm]:
    """The recipes of which three replicates or more have the metric, the newest first."""
    found: dict[tuple[str, str], _Arm] = {}
    for record in records:
        if record.outcome != "finished" or metric not in record.metrics:
            continue
        arm = found.setdefault((record.parent, record.arm_name), _Arm(record.study, record.parent, record.params))
        arm.values[str(sorted(record.seeds.items()))] = record.metrics[metric]
    return [arm for arm in found.values() if len(arm.values) >= _LEAST]


def _paired_sd(one: _Arm, other: _Arm) -> float:
    """The sd of the differences over the seeds that both have; 0 where they are too few, or one arm is the other."""
    if one is other:
        return 0.0
    deltas = [other.values[seeds] - value for seeds, value in one.values.items() if seeds in other.values]
    return stdev(deltas) if len(deltas) >= _LEAST else 0.0


def _fields(recipe: Recipe) -> dict[str, str]:
    """What bears on the result, as MLflow's params have it."""
    data = {path: str(value) for path, value in leaves(recipe.model_dump()) if path in (*_DATA, _FAMILY)}
    return data | {path: str(value) for path, value in leaves(result_bearing(recipe))}


def _differing(arm: _Arm, own: Mapping[str, str]) -> list[str]:
    """A field that an earlier release did not have is no difference."""
    return [path for path, value in own.items() if arm.params.get(path, value) != value]


def _unlike(arm: _Arm, own: Mapping[str, str]) -> str:
    differing = _differing(arm, own)
    if not differing:
        return "which has the same recipe"
    more = f" and {len(differing) - _MOST_NAMED} more" if len(differing) > _MOST_NAMED else ""
    return f"which differs in {', '.join(differing[:_MOST_NAMED])}{more}"
