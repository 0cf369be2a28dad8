"""SENet-154 (Hu et al. 2018, arXiv 1709.01507, appendix): ResNeXt units with squeeze-and-excitation and a deep stem."""

from torch import nn

from paribus.models.blocks import NormAct, conv, widened
from paribus.models.families.residual_net import ResidualNet, bottleneck, planned, stem_conv
from paribus.models.residual import ConvSpec, Style
from paribus.recipe.families.resnet import Stem
from paribus.recipe.families.resnext import group_width
from paribus.recipe.families.senet import SENet

_BASES = (64, 128, 256, 512)
_EXPANSION = 4
_STEM = (64, 64, 128)


def senet(model: SENet, in_channels: int, num_classes: int) -> ResidualNet:
    """Three 3x3 convs 64, 64, 128 or conv1 64, then four stages, four times 64 to 512 channels out."""
    stages = planned(_BASES, model.blocks, lambda base, stride: _convs(model, base, stride))
    style = Style(order="original", projection_kernel=model.projection_kernel)
    if model.stem == "imagenet_7x7":
        channels = widened(_BASES[0], model.width)
        conv1 = stem_conv(model, in_channels, channels, model.stem)
    else:
        channels, conv1 = widened(_STEM[-1], model.width), _deep(model, in_channels)
    stem: Stem = "small" if model.stem == "small" else "caffe"
    return ResidualNet(model, style, conv1, channels, stages, num_classes, stem=stem)


def _deep(model: SENet, in_channels: int) -> nn.Module:
    """Three 3x3 convs, the first at stride 2 but for small images; the norm and ReLU of the last are the net's own."""
    layers, channels, bias = nn.Sequential(), in_channels, model.norm == "none"
    for at, base in enumerate(_STEM):
        if at > 0:
            layers.append(NormAct(model.norm, channels, inplace=True, act=model.activation))
        width = widened(base, model.width)
        layers.append(conv(channels, width, 3, 2 if at == 0 and model.stem == "imagenet" else 1, bias))
        channels = width
    return layers


def _convs(model: SENet, base: int, stride: int) -> list[ConvSpec]:
    group, groups = group_width(base, model.width, model.base_width), model.cardinality
    first = group // 2 if model.halves_first else group
    out = widened(base, model.width) * _EXPANSION
    return bottleneck((first * groups, group * groups, out), stride, groups)
