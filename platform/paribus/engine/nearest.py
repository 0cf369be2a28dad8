"""The spread of paired differences where a study has no pairs yet: of its baseline's runs, or of the nearest study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev, variance
from typing import TYPE_CHECKING

from paribus.recipe.identity import result_bearing
from paribus.recipe.paths import leaves

if TYPE_CHECKING:
    from paribus.recipe import Recipe
    from paribus.study.plan import Trial
    from paribus.study.study import Study
    from paribus.study.words import Arm
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


def unpaired_spread(study: Study, by_arm: Mapping[Arm, Mapping[int, float]]) -> tuple[float, str] | None:
    """The sd of a difference of two unpaired runs of the study's own baselines, and of those that were trained again.

    It is that of one run, pooled over them, times the root of two: what a pilot tells before any arm is trained.
    """
    runs = runs_of_baselines(study, by_arm)
    if runs is None or not runs.sd:
        return None
    return runs.sd * 2**0.5, f"of unpaired runs ({runs.num} of the baseline), until arms have replicates"


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What `num` runs of baselines tell of chance: the sd of one, pooled over them, of so many degrees of freedom."""

    sd: float
    freedom: int
    num: int


def runs_of_baselines(study: Study, by_arm: Mapping[Arm, Mapping[int, float]]) -> Runs | None:
    """The spread of the baselines' runs, and of those trained again; None below two degrees of freedom."""
    runs = [list(by_arm[arm].values()) for arm in (*study.baselines, *study.floors) if len(by_arm.get(arm, ())) > 1]
    freedom = sum(len(values) - 1 for values in runs)
    if freedom < _LEAST - 1:
        return None
    sd = (sum((len(values) - 1) * variance(values) for values in runs) / freedom) ** 0.5
    return Runs(sd=sd, freedom=freedom, num=sum(map(len, runs)))


def values_by_arm(
    drawn: Iterable[Trial], measured: Mapping[str, TrialRecord], metric: str
) -> dict[Arm, dict[int, float]]:
    """The metric of the finished trials of a plan, by arm and replicate."""
    found: dict[Arm, dict[int, float]] = {}
    for trial in drawn:
        record = measured.get(trial.id)
        if record is not None and record.outcome == "finished" and metric in record.metrics:
            found.setdefault(trial.arm, {})[trial.replicate] = record.metrics[metric]
    return found


def _arms(records: Sequence[TrialRecord], metric: str) -> list[_Arm]:
    """The recipes of which three replicates or more have the metric, the newest first."""
    found: dict[tuple[str, str], _Arm] = {}
    for record in records:
        # Members of a population descend from each other, and were trained at more settings than their last one.
        if record.outcome != "finished" or metric not in record.metrics or record.lineage:
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
