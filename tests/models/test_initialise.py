"""Initial values: by name, by formula, and without a global generator."""

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from paribus.models.blocks import ConvNet
from paribus.models.build import build
from paribus.models.initialise import initialise
from paribus.recipe import WideResNet


def test_building_leaves_every_global_generator_alone() -> None:
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    build(WideResNet(dropout=0.3, dropout_placement="branch"), 3, 10, init_seed=3)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_equal(before[1], np.random.get_state())
    assert before[2] == random.getstate()


def test_arms_share_the_values_of_the_parameters_that_they_share() -> None:
    shallow = build(WideResNet(depth=16), 3, 10, init_seed=9).state_dict()
    deep = build(WideResNet(depth=28, residual_scale=0.1, dropout=0.3, dropout_placement="branch"), 3, 10, init_seed=9)
    shared = [name for name, value in shallow.items() if deep.state_dict()[name].shape == value.shape]
    assert len(shared) == len(shallow)
    assert all(torch.equal(shallow[name], deep.state_dict()[name]) for name in shared)


def test_another_seed_or_name_gives_other_values() -> None:
    one, other = build(WideResNet(), 3, 10, init_seed=1), build(WideResNet(), 3, 10, init_seed=2)
    assert not torch.equal(one.conv1.weight, other.conv1.weight)
    assert not torch.equal(one.stages[0][0].convs[0].weight, one.stages[0][0].convs[1].weight)


@pytest.mark.parametrize(("stem", "depth", "width", "fan"), [("small", 28, 4.0, "in"), ("imagenet", 18, 1.0, "out")])
def test_convolutions_have_the_variance_of_he_et_al(stem: str, depth: int, width: float, fan: str) -> None:
    net = build(WideResNet(depth=depth, width=width, stem=stem), 3, 10)  # type: ignore[arg-type]
    large = [module for module in net.modules() if isinstance(module, nn.Conv2d) and module.weight.numel() > 20_000]
    assert len(large) > 8
    for module in large:
        channels = module.in_channels if fan == "in" else module.out_channels
        sd = math.sqrt(2 / (math.prod(module.kernel_size) * channels))
        assert module.weight.std().item() == pytest.approx(sd, rel=0.03)
        assert abs(module.weight.mean().item()) < 4 * sd / math.sqrt(module.weight.numel())


def test_norms_start_as_the_identity_and_biases_at_zero() -> None:
    net = build(WideResNet(width=2.0), 3, 10)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.weight, torch.ones_like(module.weight))
            assert torch.equal(module.bias, torch.zeros_like(module.bias))
            assert torch.equal(module.running_mean, torch.zeros_like(module.bias))
            assert torch.equal(module.running_var, torch.ones_like(module.bias))
            assert module.num_batches_tracked == 0
    assert torch.equal(net.head.classifier.bias, torch.zeros(10))
    assert net.head.classifier.weight.abs().max().item() <= 1 / math.sqrt(128)


class LayerNormNet(ConvNet):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(3)


def test_a_layer_without_a_rule_is_refused() -> None:
    with pytest.raises(TypeError, match="no rule to initialise 'weight' of a LayerNorm"):
        initialise(LayerNormNet(), 0)
