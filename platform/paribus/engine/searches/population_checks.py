"""What a population cannot do is refused before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from paribus.engine.samplers.known import DRAWN
from paribus.recipe import Recipe
from paribus.recipe.components.component import written
from paribus.study.designs.arms import StudyError
from paribus.study.searches.population import POPULATION, is_population
from paribus.study.searches.search import Search


def check_population(search: Search, size: int | None, home: Path) -> None:
    """Raise StudyError where the members of the population cannot go on from each other's checkpoints, or something is
    asked for that there is not under `pbt`; `size` is the number of settings of the space, if it has one."""
    sampler = written(search.sampler, "sampler")["kind"]
    if sampler not in DRAWN:
        raise StudyError(
            f"sampler = {search.sampler!r} learns from results, and under {POPULATION!r} settings come from better "
            "members: the sampler draws the first generation alone. Take 'sobol' or 'random'"
        )
    if sampler in ("grid", "brute_force") and size is not None and size < search.trials:
        raise StudyError(
            f"the space has {size} settings, and the population {search.trials} members: give trials={size} or less, "
            "or take the sampler 'sobol', which draws some twice"
        )
    if len(search.first) > search.trials:
        raise StudyError(
            f"the baseline and start= name {len(search.first)} settings, and the population has {search.trials} "
            f"members: give trials={len(search.first)} or more"
        )
    if search.confirm:
        raise StudyError(
            f"confirm = {search.confirm}: what {POPULATION!r} finds is a schedule of settings and the weights that it "
            "went through, and a study trains one setting from its start, so nothing of it can be confirmed. Give "
            "confirm=0; what is found stays exploratory"
        )
    if search.budget:
        raise StudyError(
            f"budget = {search.budget!r}: a population trains all of its generations or nothing to its end. Leave the "
            "budget out, and give fewer trials or epochs"
        )
    _check_forms(search, home)


def check_redo(search: Search, stale: Collection[int]) -> None:
    """Raise StudyError where trials would be trained again by which others were chosen."""
    if stale and search.rungs:
        raise StudyError(
            f"--redo: others of {search.name!r} were trained because of what the {len(stale)} trials of other code "
            "came to. Give the search another seed, which is another one, or say --accept-code to go on with it"
        )
    if stale and is_population(search.scheduler):
        raise StudyError(
            f"--redo: members of the population of {search.name!r} have gone on from the {len(stale)} trials of other "
            "code. Give the search another seed, which is another population, or say --accept-code to go on with it"
        )


def _check_forms(search: Search, home: Path) -> None:
    """Raise StudyError for a field at whose levels checkpoints have different forms, or lie after different steps."""
    from paribus.training.checkpoints.inherited import differing

    form, first = _forms(home), dict[str, dict[str, str]]()
    for levels in search.domains.ends():
        path = list(levels)[-1]  # those before it are what it depends on
        own = form(search.recipe_of(levels))
        if fault := differing(first.setdefault(path, own), own):
            raise StudyError(
                f"{path!r} is searched, and under {POPULATION!r} a member goes on from the checkpoint of another one, "
                f"which would not fit ({fault}): fix it, or take another scheduler"
            )


def _forms(home: Path) -> Callable[[Recipe], dict[str, str]]:
    from paribus.shards.catalog import find
    from paribus.shards.fraction import num_trained_on
    from paribus.training.checkpoints.inherited import form_of

    def form(recipe: Recipe) -> dict[str, str]:
        found = find(recipe.data, home)
        num_train = num_trained_on(found.place, found.manifest, recipe.data)
        steps = recipe.budget.num_steps(num_train, recipe.data.batch_size)
        per_epoch = num_train // recipe.data.batch_size
        counts = {"an epoch": f"{per_epoch} steps", "the whole training": f"{steps} steps"}
        return counts | form_of(recipe, found.manifest.channels, len(found.manifest.classes))

    return form
