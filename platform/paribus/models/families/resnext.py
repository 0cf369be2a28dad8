"""ResNeXts (Xie et al. 2017, arXiv 1611.05431): figure 3 (c), the form with a grouped conv, and table 1."""

from paribus.models.blocks import widened
from paribus.models.families.residual_net import ResidualNet, bottleneck, planned, stem_conv
from paribus.models.residual import ConvSpec, Style
from paribus.recipe.families.resnext import ResNeXt, group_width

_BASES = (64, 128, 256, 512)
_EXPANSION = 4


def resnext(model: ResNeXt, in_channels: int, num_classes: int) -> ResidualNet:
    """conv1 64, then stages of base width 64 to 256 (small images) or 64 to 512, four times as many channels out."""
    bases = _BASES[: model.num_stages]
    stages = planned(bases, model.num_units, lambda base, stride: _convs(model, base, stride))
    channels = widened(bases[0], model.width)
    conv1 = stem_conv(model, in_channels, channels, model.stem)
    return ResidualNet(model, Style(order=model.order), conv1, channels, stages, num_classes, stem=model.stem)


def _convs(model: ResNeXt, base: int, stride: int) -> list[ConvSpec]:
    groups = model.cardinality
    inner = groups * group_width(base, model.width, model.resolved_base_width)
    out = widened(base, model.width) * _EXPANSION
    return bottleneck((inner, inner, out), stride, groups)
