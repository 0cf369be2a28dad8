"""From a recipe's model part to a network."""

import torch

from paribus.models.blocks import ConvNet
from paribus.models.initialise import initialise
from paribus.models.wide_resnet import SmallWideResNet
from paribus.models.wide_resnet_imagenet import ImageNetWideResNet
from paribus.recipe.model import Model


def build(model: Model, in_channels: int, num_classes: int, init_seed: int = 0) -> ConvNet:
    """The network of `model` on the CPU, initialised from `init_seed` by parameter name.

    It maps images (N, in_channels, H, W) to logits (N, num_classes). The global generators are left as they were.
    """
    net = outline(model, in_channels, num_classes).to_empty(device="cpu")
    initialise(net, init_seed, fan="in" if model.stem == "small" else "out")
    return net


def outline(model: Model, in_channels: int, num_classes: int) -> ConvNet:
    """The network on the meta device: shapes without values, for counting."""
    family = SmallWideResNet if model.stem == "small" else ImageNetWideResNet
    # On the meta device torch's own initialisers draw nothing, so that the global generator stays untouched.
    with torch.device("meta"):
        return family(model, in_channels, num_classes)
