"""Contract tests of components: what Paribus runs on ours, and on yours before a study trains. Run them on your own:

    from paribus.testing import check_activation

    def test_snake():
        check_activation("my_parts:Snake", alpha=0.5)

Each raises RecipeError, a sentence, for what breaks the contract: it cannot be made or pickled, does not keep shapes,
gives or passes back what is not finite, gives another result the second time, or draws from a global generator.
"""

from paribus.testing.components import (
    check_activation,
    check_attention,
    check_augmentation,
    check_block,
    check_loss,
    check_mix,
    check_model,
    check_norm,
    check_optimizer,
    check_schedule,
)
from paribus.testing.dataset import check_dataset
from paribus.testing.metric import check_metric
from paribus.testing.recipe import check_recipe
from paribus.testing.stage import check_stage

__all__ = [
    "check_activation",
    "check_attention",
    "check_augmentation",
    "check_block",
    "check_dataset",
    "check_loss",
    "check_metric",
    "check_mix",
    "check_model",
    "check_norm",
    "check_optimizer",
    "check_recipe",
    "check_schedule",
    "check_stage",
]
