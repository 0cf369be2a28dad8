"""Neutral settings are neutral: a scale of 1, no dropout, width 1, a gate at 1, and survival 1 change no bit."""

from typing import Any

import pytest
import torch
from factors import SIBLINGS, Sibling, variant
from torch import Tensor, nn

from paribus.models.blocks import ConvNet, SqueezeExcite
from paribus.models.build import build
from paribus.models.dropout import dropout_layers, seed_dropout
from paribus.models.residual import Join
from paribus.recipe import ResNet, WideResNet
from paribus.recipe.families.family import Family, Residual

RESIDUAL = [sibling for family, sibling in SIBLINGS.items() if issubclass(family, Residual)]
EXCITED = [sibling for sibling in SIBLINGS.values() if "se.place" in sibling.factors]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def by_family(sibling: Sibling) -> str:
    return sibling.base.family


def images(size: int) -> Tensor:
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))


def made(model: Family, **changes: Any) -> ConvNet:
    net = build(variant(model, changes), 3, 4, init_seed=3)
    seed_dropout(dropout_layers(net), 1, 0)
    return net


def trained_pass(net: ConvNet, size: int) -> tuple[Tensor, ...]:
    """Pooled features, logits and auxiliary logits in training mode."""
    pooled, sides = net.train().features(images(size))
    return pooled, net.head(pooled), *sides


def assert_same_bits(one: ConvNet, other: ConvNet, size: int) -> None:
    for expected, given in zip(trained_pass(one, size), trained_pass(other, size), strict=True):
        assert torch.equal(expected, given)
    assert torch.equal(one.eval()(images(size)), other.eval()(images(size)))


@pytest.mark.parametrize("scale", [1.0, 0.3])
@pytest.mark.parametrize("sibling", RESIDUAL, ids=by_family)
def test_every_residual_sum_is_its_formula(sibling: Sibling, scale: float) -> None:
    net = made(sibling.base, residual_scale=scale)
    seen = []

    def check(join: nn.Module, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        shortcut, branch = inputs
        expected = shortcut + branch if scale == 1 else shortcut + scale * branch
        torch.testing.assert_close(output, expected, atol=0 if scale == 1 else 1e-6, rtol=0 if scale == 1 else 1e-6)
        seen.append(join)

    for module in net.modules():
        if isinstance(module, Join):
            module.register_forward_hook(check)
    net(images(sibling.size))
    assert len(seen) == sum(isinstance(module, Join) for module in net.modules()) > 0


@pytest.mark.parametrize(
    "neutral",
    [
        {"residual_scale": 1.0},
        {"dropout": 0.0, "dropout_placement": "branch"},
        {"dropout": 0.0, "dropout_placement": "shortcut"},
        {"dropout": 0.0, "dropout_placement": "head"},
        {"dropout": 0.5, "dropout_placement": "none"},
        {"stochastic_depth.survival": 1.0, "stochastic_depth.rule": "uniform", "stochastic_depth.mode": "row"},
    ],
    ids=str,
)
@pytest.mark.parametrize("sibling", RESIDUAL, ids=by_family)
def test_a_neutral_setting_changes_no_bit(sibling: Sibling, neutral: dict[str, Any]) -> None:
    assert_same_bits(made(sibling.base), made(sibling.base, **neutral), sibling.size)


@pytest.mark.parametrize("sibling", SIBLINGS.values(), ids=by_family)
def test_at_dropout_zero_no_layer_draws_a_mask(sibling: Sibling) -> None:
    placed = {"dropout_placement": "branch"} if isinstance(sibling.base, Residual) else {}
    assert not dropout_layers(made(sibling.base, **placed, dropout=0.0))
    assert dropout_layers(made(sibling.base, **placed, dropout=0.3))


@pytest.mark.parametrize("gate", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("sibling", EXCITED, ids=by_family)
def test_squeeze_and_excitation_with_its_gate_at_one_changes_no_bit(sibling: Sibling, gate: str) -> None:
    for row in sibling.factors["se.place"]:
        for place in row.values:
            plain = made(sibling.base, **row.given)
            excited = made(sibling.base, **row.given, **row.also, **{"se.place": place, "se.gate": gate})
            gates = [module for module in excited.modules() if isinstance(module, SqueezeExcite)]
            assert gates, place
            for module in gates:
                module.expand.weight.data.zero_()
                # At 40 sigmoid and tanh are one in float32.
                module.expand.bias.data.fill_(1.0 if gate == "relu" else 40.0)
            assert_same_bits(plain, excited, sibling.size)


@pytest.mark.parametrize(("stem", "depth", "wide_depth"), [("small", 14, 16), ("imagenet", 18, 18)])
def test_a_wide_resnet_of_width_one_is_the_plain_resnet(stem: str, depth: int, wide_depth: int) -> None:
    plain = made(ResNet(), stem=stem, depth=depth)
    if stem == "small":
        plain = made(ResNet(), depth=depth, order="preactivation", first_shortcut="raw")
    wide = made(WideResNet(), stem=stem, depth=wide_depth, width=1.0)
    assert plain.state_dict().keys() == wide.state_dict().keys()
    assert_same_bits(plain, wide, 8)
