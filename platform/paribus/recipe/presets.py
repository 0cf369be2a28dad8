"""Ready recipes by name: `--base NAME` or PARIBUS_BASE picks one."""

from paribus.recipe.budget import Budget, Evaluation, Numerics, Resources, Training
from paribus.recipe.data import Augment, Data
from paribus.recipe.errors import RecipeError, nearest
from paribus.recipe.families.wide_resnet import WideResNet
from paribus.recipe.optimizer import SGD
from paribus.recipe.recipe import Recipe
from paribus.recipe.schedule import Step

# WRN, section 3: SGD with Nesterov momentum 0.9, lr 0.1, weight decay 5e-4, batch 128, 200 epochs, x0.2 at 60, 120 and
# 160, flips and random crops of 4-pixel reflect-padded images.
_CIFAR = Recipe(
    model=WideResNet(depth=28, width=10.0),
    data=Data(name="cifar10", batch_size=128),
    augment=Augment(crop="pad", flip=True),
    schedule=Step(),
    budget=Budget(amount=200.0),
    numerics=Numerics(precision="bfloat16", channels_last=True),
    resources=Resources(cpus=4.0, gpus=1.0),
)

PRESETS: dict[str, Recipe] = {
    # 1,797 scans of 8x8 pixels; a trial of WRN-16-1 is a few CPU-seconds. channels_last is 1.2 times as fast on CPUs.
    "digits": Recipe(optimizer=SGD(lr=0.1), numerics=Numerics(channels_last=True)),
    "fashion_mnist": Recipe(
        model=WideResNet(depth=16, width=1.0),
        data=Data(name="fashion_mnist", batch_size=128),
        augment=Augment(crop="pad", pad=2, flip=True),
        budget=Budget(amount=10.0),
        numerics=Numerics(channels_last=True),
    ),
    "cifar10": _CIFAR,
    "cifar100": _CIFAR.replace({"data.name": "cifar100"}),
    # Tables 7 and 8: the training of fb.resnet.torch, 90 epochs, x0.1 at 30 and 60, batch 256, weight decay 1e-4.
    "imagenet": Recipe(
        model=WideResNet(depth=50, width=2.0, block="bottleneck", stem="imagenet"),
        data=Data(name="imagenet", size=224, eval_split="val", batch_size=256),
        augment=Augment(crop="random_resized", flip=True),
        optimizer=SGD(lr=0.1, weight_decay=1e-4),
        schedule=Step(milestones=(1 / 3, 2 / 3), factor=0.1),
        budget=Budget(amount=90.0),
        numerics=Numerics(precision="bfloat16", channels_last=True, compile=True),
        resources=Resources(cpus=12.0, gpus=1.0),
    ),
    # A few textured images made from a formula: for measuring the machinery itself, not for findings.
    "synthetic": Recipe(
        model=WideResNet(depth=10, width=0.25),
        data=Data(name="synthetic", batch_size=16),
        optimizer=SGD(lr=0.05),
        budget=Budget(amount=2.0, unit="steps"),
        training=Training(),
        evaluation=Evaluation(every_epochs=1),
    ),
}


def preset(name: str) -> Recipe:
    """The recipe called `name`; RecipeError names the nearest one if there is none."""
    if name not in PRESETS:
        raise RecipeError(f"no preset {name!r}: {nearest(name, PRESETS, in_full=True)}")
    return PRESETS[name]
