"""From a recipe's model part to a network."""

from collections.abc import Callable
from typing import Any

import torch

from paribus.models.blocks import ConvNet
from paribus.models.brought import brought_net
from paribus.models.families.inception_resnet import inception_resnet
from paribus.models.families.inception_v1 import inception_v1
from paribus.models.families.inception_v2 import inception_v2
from paribus.models.families.inception_v3 import inception_v3
from paribus.models.families.inception_v4 import inception_v4
from paribus.models.families.nin import nin
from paribus.models.families.own_block import resnet_of_blocks, wide_resnet_of_blocks
from paribus.models.families.resnet import resnet
from paribus.models.families.resnext import resnext
from paribus.models.families.senet import senet
from paribus.models.families.wide_resnet import wide_resnet
from paribus.models.families.xception import Xception as XceptionNet
from paribus.models.initialise import initialise
from paribus.recipe.families.brought import Brought
from paribus.recipe.families.family import Family
from paribus.recipe.families.inception_resnet import InceptionResNet
from paribus.recipe.families.inception_v1 import InceptionV1
from paribus.recipe.families.inception_v2 import InceptionV2
from paribus.recipe.families.inception_v3 import InceptionV3
from paribus.recipe.families.inception_v4 import InceptionV4
from paribus.recipe.families.nin import NIN
from paribus.recipe.families.own_block import ResNetOfBlocks, WideResNetOfBlocks
from paribus.recipe.families.resnet import ResNet
from paribus.recipe.families.resnext import ResNeXt
from paribus.recipe.families.senet import SENet
from paribus.recipe.families.wide_resnet import WideResNet
from paribus.recipe.families.xception import Xception

# One line for each family of recipe/model.py: its net from (model, in_channels, num_classes).
NETS: dict[type[Family], Callable[[Any, int, int], ConvNet]] = {
    WideResNet: wide_resnet,
    ResNet: resnet,
    ResNeXt: resnext,
    SENet: senet,
    NIN: nin,
    InceptionV1: inception_v1,
    InceptionV2: inception_v2,
    Xception: XceptionNet,
    InceptionV4: inception_v4,
    InceptionResNet: inception_resnet,
    InceptionV3: inception_v3,
    WideResNetOfBlocks: wide_resnet_of_blocks,
    ResNetOfBlocks: resnet_of_blocks,
}


def build(model: Family, in_channels: int, num_classes: int, init_seed: int = 0) -> ConvNet:
    """The network of `model` on the CPU, initialised from `init_seed` by parameter name.

    It maps images (N, in_channels, H, W) to logits (N, num_classes). The global generators are left as they were.
    """
    net = outline(model, in_channels, num_classes).to_empty(device="cpu")
    initialise(net, init_seed)
    return net


def outline(model: Family, in_channels: int, num_classes: int) -> ConvNet:
    """The network on the meta device: shapes without values, for counting."""
    # On the meta device torch's own initialisers draw nothing, so that the global generator stays untouched.
    with torch.device("meta"):
        if isinstance(model, Brought):
            return brought_net(model, in_channels, num_classes)
        return NETS[type(model)](model, in_channels, num_classes)
