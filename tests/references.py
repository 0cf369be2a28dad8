"""Nets of torchvision, timm and pytorchcv beside the published nets of ours that they should equal."""

import warnings
from collections.abc import Mapping
from typing import Any

import equality
import torch
import torchvision
from torch import Tensor, nn

from paribus.models.blocks import ConvNet
from paribus.models.build import outline
from paribus.recipe.model import by_name

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm
    from pytorchcv.model_provider import get_model

# What names a unit's shortcut in the libraries that run it before the branch.
SHORTCUT = {"torchvision": "", "timm": "", "pytorchcv": "identity_conv", "timm v2": "downsample"}


def reference(library: str, name: str, **options: Any) -> nn.Module:
    """The net called `name` of a library in `SHORTCUT`, without values, in evaluation mode."""
    with torch.device("meta"):
        if library == "torchvision":
            net = torchvision.models.get_model(name, weights=None, **options)
        elif library == "pytorchcv":
            net = get_model(name, pretrained=False, **options)
        else:
            net = timm.create_model(name, pretrained=False, **options)
    made: nn.Module = net.to_empty(device="cpu").eval()
    return made


def published(name: str, changes: Mapping[str, object] | None = None) -> ConvNet:
    """Our published net called `name`, with `changes` of its fields, with random values, in evaluation mode."""
    entry = by_name(name)
    model = type(entry.model).model_validate(entry.model.model_dump() | dict(changes or {}))
    net = outline(model, entry.channels, entry.num_classes)
    equality.fill(net)
    return net.eval()


def assert_equal(
    name: str, library: str, theirs_name: str, x: Tensor, changes: Mapping[str, object] | None = None
) -> None:
    """Our published net `name`, with `changes`, gives the logits of the library's net on `x`, all values random."""
    mine, theirs = published(name, changes), reference(library, theirs_name)
    equality.copy(mine, theirs, x, shortcut=SHORTCUT[library])
    equality.assert_same_logits(mine, theirs, x)
