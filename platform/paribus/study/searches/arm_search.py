"""The search that tunes one arm of a study."""

from dataclasses import replace

from paribus.study.designs.arms import StudyError
from paribus.study.searches.population import is_population
from paribus.study.searches.search import Search
from paribus.study.searches.tuning import TUNING
from paribus.study.study import Study
from paribus.study.words import Arm


def search_of(study: Study, arm: Arm) -> Search:
    """The search that tunes an arm. Raises StudyError where it would find a schedule of settings."""
    how = study.tuning
    if is_population(how.scheduler):
        raise StudyError(
            f"tuning.scheduler = {how.scheduler!r}: what a population finds is a schedule of settings, and an arm is "
            "judged at one setting: take another scheduler"
        )
    return Search(
        name=f"{study.name}{TUNING}",
        base=replace(study, tuned={}).recipe_of(arm),
        space=study.nuisance,
        metric=study.metric,
        trials=how.trials,
        sampler=how.sampler,
        scheduler=how.scheduler,
        holdout=how.holdout,
        confirm=0,
        seed=study.seed,
        question=f"Which {', '.join(study.nuisance)} suits {arm.name} best?",
        own_metrics=study.own_metrics,
    )
