"""Wide ResNets (Zagoruyko and Komodakis 2016, arXiv 1605.07146), Table 1 and Figure 1; for ImageNet, Tables 7 and 8."""

from paribus.models.blocks import widened
from paribus.models.residual import ConvSpec, ResidualNet, Style, stem_conv
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
    stages = [
        [_convs(model, base, 2 if at == 0 and stage > 0 else 1) for at in range(num_units)]
        for stage, (base, num_units) in enumerate(zip(bases, model.num_units, strict=True))
    ]
    style = Style(order="preactivation" if small else "original")
    conv1 = stem_conv(model, in_channels, channels, model.stem)
    return ResidualNet(model, style, conv1, channels, stages, num_classes, stem=model.stem)


def _convs(model: WideResNet, base: int, stride: int) -> list[ConvSpec]:
    """One unit of the stage with base width `base`: a block B(M), of which the first conv strides, or a bottleneck."""
    width = widened(base, model.width)
    if model.block == "bottleneck":
        return [ConvSpec(1, width), ConvSpec(3, width, stride), ConvSpec(1, base * _EXPANSION)]
    return [ConvSpec(kernel, width, 1 if at else stride) for at, kernel in enumerate(model.block)]
