"""ResNets v1 and v2 against torchvision, timm and pytorchcv, and each of their factors against its formula."""

import warnings

import pytest
import torch
import torchvision
import twins
from torch import nn

from paribus.models.blocks import ConvNet
from paribus.models.build import outline
from paribus.recipe.model import by_name

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm
    from pytorchcv.model_provider import get_model


def images(size: int, channels: int = 3, num: int = 2) -> torch.Tensor:
    return torch.randn(num, channels, size, size, generator=torch.Generator().manual_seed(0))


def reference(library: str, name: str) -> nn.Module:
    with torch.device("meta"):
        net: nn.Module = {
            "torchvision": lambda: torchvision.models.get_model(name, weights=None),
            "timm": lambda: timm.create_model(name, pretrained=False),
            "pytorchcv": lambda: get_model(name, pretrained=False),
        }[library.split()[0]]()
    return net.to_empty(device="cpu").eval()


def ours(name: str) -> ConvNet:
    entry = by_name(name)
    net = outline(entry.model, entry.channels, entry.num_classes)
    twins.fill(net)
    return net.eval()


# Where these libraries run a unit's shortcut before its branch.
SHORTCUT = {"torchvision": "", "timm": "", "pytorchcv": "identity_conv", "timm v2": "downsample"}
REFERENCES = [
    ("ResNet-18", "torchvision", "resnet18", 64),
    ("ResNet-50", "torchvision", "resnet50", 64),
    ("ResNet-101", "timm", "resnet101", 64),
    ("ResNet-152", "torchvision", "resnet152", 64),
    ("PreResNet-18-raw", "timm v2", "resnetv2_18", 64),
    ("PreResNet-50", "timm v2", "resnetv2_50", 64),
    ("PreResNet-101", "timm v2", "resnetv2_101", 64),
    ("ResNet-20-B", "pytorchcv", "resnet20_cifar10", 32),
    ("ResNet-110-B", "pytorchcv", "resnet110_cifar10", 32),
    ("PreResNet-110-raw", "pytorchcv", "preresnet110_cifar10", 32),
]


@pytest.mark.parametrize(("name", "library", "theirs_name", "size"), REFERENCES)
def test_logits_equal_the_reference(name: str, library: str, theirs_name: str, size: int) -> None:
    mine, theirs = ours(name), reference(library, theirs_name)
    twins.copy(mine, theirs, images(size), shortcut=SHORTCUT[library])
    twins.assert_same_logits(mine, theirs, images(size))
