"""A net from outside as one of ours: logits in, masks and initial values by our seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from paribus.models.blocks import ConvNet
from paribus.models.dropout import Dropout, Masked
from paribus.models.layers import marked
from paribus.recipe.components.own import call, load
from paribus.recipe.errors import RecipeError
from paribus.recipe.families.brought import Brought


class BroughtNet(ConvNet):
    """`net(images)` are the logits; there is no feature to look at before them, so that `pooled` are the logits too."""

    def __init__(self, make: Callable[[], nn.Module], name: str) -> None:
        super().__init__()
        self.net, self.head, self.called = marked(make), nn.Identity(), name

    def pooled(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            shown = f"{tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
            raise RecipeError(f"model {self.called!r} gives {shown} of images: it should give logits (N, classes)")
        return logits


class RowDepth(Masked):
    """`m * x / (1 - rate)`, `m` Bernoulli(1 - rate) one for each image: a dropped path of timm and torchvision."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * self.mask(x.new_empty((len(x), *[1] * (x.ndim - 1)))) / (1 - self.rate)


def brought_net(model: Brought, in_channels: int, num_classes: int) -> BroughtNet:
    """Images (N, in_channels, H, W) to logits (N, num_classes)."""

    def make() -> nn.Module:
        net = _made(model, in_channels, num_classes)
        if not isinstance(net, nn.Module):
            raise RecipeError(f"model {model.family!r} makes a {type(net).__name__}: it should make a torch.nn.Module")
        _mask_by_seed(net)
        return net

    return BroughtNet(make, model.family)


def _made(model: Brought, in_channels: int, num_classes: int) -> Any:
    library, _, name = model.family.partition(":")
    if library == "timm":
        create = load("timm:create_model")
        return create(name, pretrained=False, in_chans=in_channels, num_classes=num_classes, **model.arguments)
    made = call(
        load(model.family, "model"),
        {"in_channels": in_channels, "in_chans": in_channels, "num_classes": num_classes},
        {**model.arguments, **({"num_classes": num_classes} if library == "torchvision" else {})},
    )
    if library == "torchvision":
        if hasattr(made, "aux_logits"):
            made.aux_logits = False
        _first_conv_of(made, in_channels)
    return made


def _first_conv_of(net: nn.Module, in_channels: int) -> None:
    """Give the first conv of a net for 3 channels `in_channels`."""
    name, first = next((name, each) for name, each in net.named_modules() if isinstance(each, nn.Conv2d))
    if first.in_channels == in_channels:
        return
    sides: Any = {"kernel_size": first.kernel_size, "stride": first.stride, "padding": first.padding}
    new = nn.Conv2d(in_channels, first.out_channels, bias=first.bias is not None, **sides)
    parent, _, last = name.rpartition(".")
    setattr(net.get_submodule(parent), last, new)


def _mask_by_seed(net: nn.Module) -> None:
    """Put our masks in place of what draws from the global generator: dropout and dropped paths.

    Those with a rate of 0 draw nothing, and stay: some nets read their attributes.
    """
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, (nn.Dropout, nn.Dropout2d)) and child.p:
                setattr(module, name, Dropout(child.p) if isinstance(child, nn.Dropout) else _Planes(child.p))
            elif type(child).__name__ in ("DropPath", "StochasticDepth") and not isinstance(child, Masked):
                rate = float(getattr(child, "drop_prob", 0.0) or getattr(child, "p", 0.0))
                if rate:
                    setattr(module, name, RowDepth(rate))


class _Planes(Masked):
    """Dropout of whole maps, `x * m / (1 - rate)` with one m a channel of an image."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask(x.new_empty((*x.shape[:2], 1, 1))) / (1 - self.rate) if self.training else x
