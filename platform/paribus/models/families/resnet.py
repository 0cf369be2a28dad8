"""ResNets v1 (He et al. 2016a, arXiv 1512.03385, table 1, section 4.2) and v2 (2016b, 1603.05027, figures 1 and 4)."""

from paribus.models.blocks import widened
from paribus.models.families.residual_net import ResidualNet, bottleneck, planned, stem_conv
from paribus.models.residual import ConvSpec, Style
from paribus.recipe.families.resnet import ResNet

_SMALL_WIDTHS, _IMAGENET_WIDTHS = (16, 32, 64), (64, 128, 256, 512)
_EXPANSION = 4


def resnet(model: ResNet, in_channels: int, num_classes: int) -> ResidualNet:
    """conv1, then stages of 16, 32, 64 (small images) or 64 to 512 channels, four times as many out of bottlenecks."""
    bases = _SMALL_WIDTHS if model.stem == "small" else _IMAGENET_WIDTHS
    stages = planned(bases, model.num_units, lambda base, stride: _convs(model, widened(base, model.width), stride))
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
    return bottleneck((width, width, width * _EXPANSION), stride, stride_on=model.stride_on)
