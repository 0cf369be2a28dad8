"""Nets of torchvision, timm and pytorchcv beside the published nets of ours that they should equal."""

import warnings
from collections.abc import Callable, Mapping

import torch
import torchvision
import twins
from torch import Tensor, nn

from paribus.models.blocks import ConvNet
from paribus.models.build import outline
from paribus.recipe.families.family import Family
from paribus.recipe.model import by_name

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm
    from pytorchcv.model_provider import get_model

# What names a unit's shortcut in the libraries that run it before the branch.
SHORTCUT = {"torchvision": "", "timm": "", "pytorchcv": "identity_conv", "timm v2": "downsample"}
_MAKERS: dict[str, Callable[[str], nn.Module]] = {
    "torchvision": lambda name: torchvision.models.get_model(name, weights=None),
    "timm": lambda name: timm.create_model(name, pretrained=False),
    "pytorchcv": lambda name: get_model(name, pretrained=False),
}


def images(size: int, channels: int = 3, num: int = 2) -> Tensor:
    """Random images (num, channels, size, size), the same on each call."""
    return torch.randn(num, channels, size, size, generator=torch.Generator().manual_seed(0))


def reference(library: str, name: str) -> nn.Module:
    """The net called `name` of a library in `SHORTCUT`, without values, in evaluation mode."""
    with torch.device("meta"):
        net = _MAKERS[library.split()[0]](name)
    return net.to_empty(device="cpu").eval()


def published(name: str, changes: Mapping[str, object] | None = None) -> ConvNet:
    """Our published net called `name`, with `changes` of its fields, with random values, in evaluation mode."""
    entry = by_name(name)
    model = type(entry.model).model_validate(entry.model.model_dump() | dict(changes or {}))
    return filled(model, entry.channels, entry.num_classes)


def filled(model: Family, channels: int = 3, num_classes: int = 10) -> ConvNet:
    """`model` with random values, in evaluation mode."""
    net = outline(model, channels, num_classes)
    twins.fill(net)
    return net.eval()


def num_params(name: str) -> int:
    """Trainable numbers of our published net called `name`."""
    entry = by_name(name)
    return sum(each.numel() for each in outline(entry.model, entry.channels, entry.num_classes).parameters())


def assert_equal(
    name: str, library: str, theirs_name: str, x: Tensor, changes: Mapping[str, object] | None = None
) -> None:
    """Our published net `name`, with `changes`, gives the logits of the library's net on `x`, all values random."""
    mine, theirs = published(name, changes), reference(library, theirs_name)
    twins.copy(mine, theirs, x, shortcut=SHORTCUT[library])
    twins.assert_same_logits(mine, theirs, x)
