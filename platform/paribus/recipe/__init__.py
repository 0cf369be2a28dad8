"""What a run is: model, data, optimizer, schedule, budget, evaluation. Imports no torch and nothing else of ours."""

from paribus.recipe.budget import Budget, Evaluation, Numerics, Resources, Training
from paribus.recipe.data import Augment, Data
from paribus.recipe.errors import RecipeError
from paribus.recipe.families.inception_resnet import InceptionResNet
from paribus.recipe.families.inception_v1 import InceptionV1
from paribus.recipe.families.inception_v2 import InceptionV2
from paribus.recipe.families.inception_v3 import InceptionV3
from paribus.recipe.families.inception_v4 import InceptionV4
from paribus.recipe.families.nin import NIN
from paribus.recipe.families.resnet import ResNet
from paribus.recipe.families.resnext import ResNeXt
from paribus.recipe.families.senet import SENet
from paribus.recipe.families.wide_resnet import WideResNet
from paribus.recipe.families.xception import Xception
from paribus.recipe.identity import canonical_json, trial_id
from paribus.recipe.optimizer import SGD, AdamW, RMSProp
from paribus.recipe.presets import PRESETS, preset
from paribus.recipe.recipe import Recipe
from paribus.recipe.schedule import Cosine, Exponential, OneCycle, Step
from paribus.recipe.seeds import Seeds, key

__all__ = [
    "NIN",
    "PRESETS",
    "SGD",
    "AdamW",
    "Augment",
    "Budget",
    "Cosine",
    "Data",
    "Evaluation",
    "Exponential",
    "InceptionResNet",
    "InceptionV1",
    "InceptionV2",
    "InceptionV3",
    "InceptionV4",
    "Numerics",
    "OneCycle",
    "RMSProp",
    "Recipe",
    "RecipeError",
    "ResNeXt",
    "ResNet",
    "Resources",
    "SENet",
    "Seeds",
    "Step",
    "Training",
    "WideResNet",
    "Xception",
    "canonical_json",
    "key",
    "preset",
    "trial_id",
]
