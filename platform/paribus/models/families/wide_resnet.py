"""Wide ResNets (Zagoruyko and Komodakis 2016, arXiv 1605.07146), Table 1 and Figure 1; for ImageNet, Tables 7 and 8."""

from paribus.models.blocks import widened
from paribus.models.families.residual_net import ResidualNet, bottleneck, planned, stem_conv
from paribus.models.residual import ConvSpec, Style
from paribus.recipe.families.wide_resnet import WideResNet

_SMALL_WIDTHS, _IMAGENET_WIDTHS = (16, 32, 64), (64, 128, 256, 512)
_EXPANSION = 4


def wide_resnet(model: WideResNet, in_channels: int, num_classes: int) -> ResidualNet:
    """conv1 16 and three pre-activation stages of 16k, 32k, 64k, or conv1 64 and four post-activation ones of 64k to
    512k; conv1 is never widened.

    With the ImageNet stem basic blocks widen every stage (Table 7); bottlenecks widen their two inner convs alone and
    stride on the 3x3 (Table 8).
    """
    small = model.stem == "small"
    channels, bases = (16, _SMALL_WIDTHS) if small else (64, _IMAGENET_WIDTHS)
    stages = planned(bases, model.num_units, lambda base, stride: _convs(model, base, stride))
    style = Style(order="preactivation" if small else "original")
    conv1 = stem_conv(model, in_channels, channels, model.stem)
    return ResidualNet(model, style, conv1, channels, stages, num_classes, stem=model.stem)


def _convs(model: WideResNet, base: int, stride: int) -> list[ConvSpec]:
    """One unit of the stage with base width `base`: a block B(M), of which the first conv strides, or a bottleneck."""
    width = widened(base, model.width)
    if model.block == "bottleneck":
        return bottleneck((width, width, base * _EXPANSION), stride)
    return [ConvSpec(kernel, width, 1 if at else stride) for at, kernel in enumerate(model.block)]
