"""The noise floor: baselines that are trained again with other seeds (A/A), so that what no effect looks like is seen.

Such an arm has its baseline's recipe and, in replicate r, seeds drawn for another purpose: its trials are others by
name and by chance. No verdict is asked of it, and it is in no family of tests.
"""

from collections.abc import Sequence

from paribus.recipe import Seeds
from paribus.recipe.seeds import key
from paribus.study.words import Arm


def floor_arms(baselines: Sequence[Arm]) -> tuple[Arm, ...]:
    """Each baseline again."""
    alone = len(baselines) == 1
    label = "baseline again (A/A)" if alone else ""
    return tuple(Arm(arm.levels, label or f"{arm.name} again (A/A)", again=True) for arm in baselines)


def floor_seeds(study_seed: int, replicate: int) -> Seeds:
    """The seeds of one replicate of a noise floor: drawn as a replicate's are, for another purpose."""
    return Seeds(**{name: key("noise floor", study_seed, replicate, name) for name in Seeds.model_fields})
