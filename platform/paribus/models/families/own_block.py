"""Residual nets of a user's own blocks: the family's net, with a block in place of each unit's convs."""

from dataclasses import dataclass

from torch import nn

from paribus.models.blocks import widened
from paribus.models.families.residual_net import ResidualNet, planned, stem_conv
from paribus.models.layers import marked
from paribus.models.residual import ConvSpec, Style
from paribus.recipe.components.component import Value, arguments_of, kind_of
from paribus.recipe.components.own import call, load
from paribus.recipe.errors import RecipeError
from paribus.recipe.families.own_block import ResNetOfBlocks, WideResNetOfBlocks

_SMALL_WIDTHS, _IMAGENET_WIDTHS = (16, 32, 64), (64, 128, 256, 512)


@dataclass(frozen=True, kw_only=True)
class BlockSpec(ConvSpec):
    """A user's block as the one layer of a branch, to `channels` at `stride`."""

    value: Value

    def layer(self, in_channels: int, bias: bool) -> nn.Module:
        return block(self.value, in_channels, self.channels, self.stride)


def block(value: Value, in_channels: int, channels: int, stride: int) -> nn.Module:
    """A user's block: (N, in_channels, H, W) to (N, channels, ceil(H / stride), ceil(W / stride))."""
    kind = kind_of(value)
    target = load(kind, "block")
    given = {"in_channels": in_channels, **dict.fromkeys(("channels", "out_channels"), channels), "stride": stride}

    def make() -> nn.Module:
        module = call(target, given, arguments_of(value))
        if not isinstance(module, nn.Module):
            raise RecipeError(f"block {kind!r} makes a {type(module).__name__}: it should make a torch.nn.Module")
        return module

    return marked(make)


def wide_resnet_of_blocks(model: WideResNetOfBlocks, in_channels: int, num_classes: int) -> ResidualNet:
    """`wide_resnet` with a user's block for every B(M)."""
    small = model.stem == "small"
    style = Style(order="preactivation" if small else "original")
    return _net(model, style, 16 if small else 64, in_channels, num_classes)


def resnet_of_blocks(model: ResNetOfBlocks, in_channels: int, num_classes: int) -> ResidualNet:
    """`resnet` with a user's block for every pair of 3x3 convs."""
    style = Style(
        order=model.order,
        shortcut=model.shortcut,
        gate_bias=model.gate_bias,
        projection=model.projection,
        activates_first=model.first_shortcut == "activated",
    )
    stem_channels = widened((_SMALL_WIDTHS if model.stem == "small" else _IMAGENET_WIDTHS)[0], model.width)
    return _net(model, style, stem_channels, in_channels, num_classes)


def _net(
    model: WideResNetOfBlocks | ResNetOfBlocks, style: Style, stem_channels: int, in_channels: int, num_classes: int
) -> ResidualNet:
    bases = _SMALL_WIDTHS if model.stem == "small" else _IMAGENET_WIDTHS

    def branch(base: int, stride: int) -> list[ConvSpec]:
        return [BlockSpec(kernel=3, channels=widened(base, model.width), stride=stride, value=model.block)]

    conv1 = stem_conv(model, in_channels, stem_channels, model.stem)
    stages = planned(bases, model.num_units, branch)
    return ResidualNet(model, style, conv1, stem_channels, stages, num_classes, stem=model.stem)
