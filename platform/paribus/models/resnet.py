"""ResNets v1 (He et al. 2016a, arXiv 1512.03385, table 1, section 4.2) and v2 (2016b, 1603.05027, figures 1 and 4)."""

from paribus.models.blocks import widened
from paribus.models.residual import ConvSpec, ResidualNet, Style, stem_conv
from paribus.recipe.families.resnet import ResNet

_SMALL_WIDTHS, _IMAGENET_WIDTHS = (16, 32, 64), (64, 128, 256, 512)
_EXPANSION = 4


def resnet(model: ResNet, in_channels: int, num_classes: int) -> ResidualNet:
    """conv1, then stages of 16, 32, 64 (small images) or 64 to 512 channels, four times as many out of bottlenecks."""
    bases = _SMALL_WIDTHS if model.stem == "small" else _IMAGENET_WIDTHS
    stages = [
        [_convs(model, widened(base, model.width), 2 if at == 0 and stage > 0 else 1) for at in range(num_units)]
        for stage, (base, num_units) in enumerate(zip(bases, model.num_units, strict=True))
    ]
    style = Style(
        order=model.order,
        shortcut=model.shortcut,
        gate_bias=model.gate_bias,
        projection=model.projection,
        activates_first=model.first_shortcut == "activated",
    )
    channels = widened(bases[0], model.width)
    conv1 = stem_conv(model, in_channels, channels, model.stem)
    return ResidualNet(model, style, conv1, channels, stages, num_classes, stem=model.stem)


def _convs(model: ResNet, width: int, stride: int) -> list[ConvSpec]:
    if model.block == "basic":
        return [ConvSpec(3, width, stride), ConvSpec(3, width)]
    on_first = model.stride_on == "1x1"
    return [
        ConvSpec(1, width, stride if on_first else 1),
        ConvSpec(3, width, 1 if on_first else stride),
        ConvSpec(1, width * _EXPANSION),
    ]
