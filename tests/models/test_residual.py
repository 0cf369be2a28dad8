"""The residual unit against formulas written out: orders, shortcuts, sums, stochastic depth, squeeze-and-excitation."""

from collections.abc import Callable, Mapping
from typing import Any

import equality
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.build import build
from paribus.models.dropout import StochasticDepth, dropout_layers, seed_dropout
from paribus.models.residual import ORDERS, Around, ConvSpec, Style, Unit
from paribus.recipe import ResNet, WideResNet


def made(
    style: Style, out: int = 4, stride: int = 1, survival: float = 1.0, kernels: tuple[int, ...] = (3, 3), **fields: Any
) -> Unit:
    """A unit from 4 channels, all its values random, in training mode."""
    with torch.device("meta"):
        convs = [ConvSpec(kernel, out, 1 if at else stride) for at, kernel in enumerate(kernels)]
        unit = Unit(ResNet(**fields), style, 4, convs, stage=1, survival=survival)
    return equality.fill(unit).train()  # type: ignore[return-value]


def x() -> Tensor:
    return equality.noise(6, channels=4, num=3)


def bn(values: Tensor, norm: nn.Module) -> Tensor:
    assert isinstance(norm, nn.BatchNorm2d)
    return F.batch_norm(values, None, None, norm.weight, norm.bias, training=True)


def conv(values: Tensor, layer: Any) -> Tensor:
    return F.conv2d(values, layer.weight, layer.bias, layer.stride, layer.weight.shape[-1] // 2)


def middle(unit: Unit, values: Tensor) -> Tensor:
    """conv, BN, ReLU, conv: what all orders share."""
    return conv(F.relu(bn(conv(values, unit.convs[0]), unit.pre[1].norm)), unit.convs[1])


# Figure 4 of He et al. 2016b, (a) to (e), with h the shortcut where the shape changes.
FORMULAS: dict[str, tuple[Callable[[Unit, Tensor, Tensor], Tensor], Callable[[Unit, Tensor], Tensor]]] = {
    "original": (
        lambda u, x, h: F.relu(h + bn(middle(u, x), u.last.norm)),
        lambda u, x: bn(conv(x, u.projection[0]), u.projection[1]),
    ),
    "bn_after_add": (
        lambda u, x, h: F.relu(bn(h + middle(u, x), u.after.norm)),
        lambda u, x: conv(x, u.projection),
    ),
    "relu_before_add": (
        lambda u, x, h: h + F.relu(bn(middle(u, x), u.last.norm)),
        lambda u, x: bn(conv(x, u.projection[0]), u.projection[1]),
    ),
    "relu_only_preactivation": (
        lambda u, x, h: h + bn(middle(u, F.relu(x)), u.last.norm),
        lambda u, x: bn(conv(F.relu(x), u.projection[0]), u.projection[1]),
    ),
    "preactivation": (
        lambda u, x, h: h + middle(u, F.relu(bn(x, u.pre[0].norm))),
        lambda u, x: conv(F.relu(bn(x, u.pre[0].norm)), u.projection),
    ),
}


def assert_close(given: Tensor, expected: Tensor) -> None:
    assert expected.std() > 0.05
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("order", FORMULAS)
def test_each_order_is_its_picture_in_figure_4(order: Any) -> None:
    formula, shortcut = FORMULAS[order]
    unit = made(Style(order=order))
    assert_close(unit(x()), formula(unit, x(), x()))
    changing = made(Style(order=order), out=6, stride=2)
    assert_close(changing(x()), formula(changing, x(), shortcut(changing, x())))
    assert set(FORMULAS) == set(ORDERS)


@pytest.mark.parametrize("order", FORMULAS)
def test_each_order_starts_and_ends_a_net_with_what_its_units_lack(order: Any) -> None:
    net = build(ResNet(depth=8, order=order), 3, 10)
    inside: dict[str, Tensor] = {}
    net.stages[0].register_forward_pre_hook(lambda module, inputs: inside.update(first=inputs[0].clone()))
    net.stages[2].register_forward_hook(lambda module, inputs, output: inside.update(last=output.clone()))
    images = equality.noise(8)
    pooled = net.pooled(images)
    raw = conv(images, net.conv1)
    first = {
        "relu_only_preactivation": lambda: bn(raw, net.first.norm),
        "preactivation": lambda: raw,
    }.get(order, lambda: F.relu(bn(raw, net.first.norm)))
    last = {
        "relu_only_preactivation": lambda: F.relu(inside["last"]),
        "preactivation": lambda: F.relu(bn(inside["last"], net.last.norm)),
    }.get(order, lambda: inside["last"])
    torch.testing.assert_close(inside["first"], first())
    torch.testing.assert_close(pooled, last().mean((2, 3)))
    # A dead channel is read off the last ReLU's zeros; in (c) that ReLU lies in the branch, beside a linear projection.
    assert (pooled >= 0).all() or order == "relu_before_add"


def test_the_first_identity_shortcut_reads_what_is_activated_or_raw() -> None:
    # Appendix of He et al. 2016b: activated right after conv1, before the two paths part.
    unit = made(Style(order="preactivation", activates_first=True))
    active = F.relu(bn(x(), unit.pre[0].norm))
    assert_close(unit(x()), active + middle(unit, active))
    for first, expected in (("activated", [True, False]), ("raw", [False, False])):
        net = build(ResNet(depth=14, order="preactivation", first_shortcut=first), 3, 10)  # type: ignore[arg-type]
        assert [unit.shortcut_activated for unit in net.stages[0]] == expected
        assert [unit.shortcut_activated for unit in net.stages[1]] == [True, False]


def branch(unit: Unit) -> Tensor:
    return bn(middle(unit, x()), unit.last.norm)


def gate(unit: Unit) -> Tensor:
    assert unit.gate is not None
    return torch.sigmoid(conv(x(), unit.gate))


def padded(values: Tensor) -> Tensor:
    return torch.cat([values, torch.zeros(3, 2, 3, 3)], 1)


SHORTCUTS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], Callable[[Unit], Tensor]]] = {
    "scaled": ({}, {"shortcut_scale": 0.5}, lambda u: 0.5 * x() + branch(u)),
    "both scaled": ({}, {"shortcut_scale": 0.5, "residual_scale": 0.5}, lambda u: 0.5 * x() + 0.5 * branch(u)),
    "none": ({}, {"shortcut_scale": 0.0}, branch),
    "none, scaled": ({}, {"shortcut_scale": 0.0, "residual_scale": 0.3}, lambda u: 0.3 * branch(u)),
    "exclusive": ({"shortcut": "exclusive_gate"}, {}, lambda u: (1 - gate(u)) * x() + gate(u) * branch(u)),
    "gated": ({"shortcut": "shortcut_gate"}, {}, lambda u: (1 - gate(u)) * x() + branch(u)),
    "C": ({"projection": "C"}, {}, lambda u: bn(conv(x(), u.projection[0]), u.projection[1]) + branch(u)),
}
CHANGING: dict[str, tuple[Mapping[str, Any], Callable[[Unit], Tensor]]] = {
    "A": ({"projection": "A"}, lambda u: padded(x()[:, :, ::2, ::2]) + branch(u)),
    "A_pool": ({"projection": "A_pool"}, lambda u: padded(F.avg_pool2d(x(), 2)) + branch(u)),
    "B": ({"projection": "B"}, lambda u: bn(conv(x(), u.projection[0]), u.projection[1]) + branch(u)),
    "B 3x3": ({"projection_kernel": 3}, lambda u: bn(conv(x(), u.projection[0]), u.projection[1]) + branch(u)),
    "gated": (
        {"projection": "A", "shortcut": "exclusive_gate"},
        lambda u: (1 - gate(u)) * padded(x()[:, :, ::2, ::2]) + gate(u) * branch(u),
    ),
}


@pytest.mark.parametrize("kind", SHORTCUTS)
def test_each_shortcut_is_its_formula(kind: str) -> None:
    style, fields, formula = SHORTCUTS[kind]
    unit = made(Style(order="original", **style), **fields)
    assert_close(unit(x()), F.relu(formula(unit)))


@pytest.mark.parametrize("kind", CHANGING)
def test_each_shortcut_that_changes_the_shape_is_its_formula(kind: str) -> None:
    style, formula = CHANGING[kind]
    unit = made(Style(order="original", **style), out=6, stride=2)
    assert_close(unit(x()), F.relu(formula(unit)))
    assert sum(parameter.numel() for parameter in unit.projection.parameters()) == {  # type: ignore[union-attr]
        "B": 4 * 6 + 2 * 6,
        "B 3x3": 9 * 4 * 6 + 2 * 6,
    }.get(kind, 0)


def test_dropout_on_the_shortcut_drops_what_the_shortcut_adds() -> None:
    unit = made(Style(order="original"), dropout=0.5, dropout_placement="shortcut")
    layers = dropout_layers(unit)
    seed_dropout(layers, 1, 0)
    given = unit(x())
    seed_dropout(layers, 1, 0)
    kept = layers["join.shortcut_drop"](torch.ones_like(x()))
    assert sorted(kept.unique().tolist()) == [0.0, 2.0]
    assert_close(given, F.relu(kept * x() + branch(unit)))


def test_a_gate_starts_at_its_bias_on_every_unit() -> None:
    net = build(ResNet(depth=8, shortcut="exclusive_gate", gate_bias=-6.0), 3, 10)
    assert [unit.gate.bias.unique().tolist() for stage in net.stages for unit in stage] == [[-6.0]] * 3


def test_option_c_projects_every_unit_and_b_only_changing_ones() -> None:
    def projected(projection: str) -> list[bool]:
        net = build(ResNet(depth=14, projection=projection), 3, 10)  # type: ignore[arg-type]
        return [any(True for _ in unit.projection.parameters()) for stage in net.stages for unit in stage]

    assert projected("A") == [False] * 6
    assert projected("B") == [False, False, True, False, True, False]
    assert projected("C") == [True] * 6


def test_an_order_can_keep_its_relu_from_the_shortcut() -> None:
    unit = made(Style(order=Around("R", "BR", "B", "", shared=False)), out=6, stride=2)
    shortcut = bn(conv(x(), unit.projection[0]), unit.projection[1])
    assert_close(unit(x()), shortcut + bn(middle(unit, F.relu(x())), unit.last.norm))


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("order", FORMULAS)
def test_no_unit_overwrites_its_input(order: Any, norm: str) -> None:
    before = x()
    made(Style(order=order), norm=norm)(before)
    assert torch.equal(before, x())


def test_without_norms_every_conv_of_the_branch_has_a_bias() -> None:
    unit = made(Style(order="original"), norm="none")
    assert_close(unit(x()), F.relu(x() + conv(F.relu(conv(x(), unit.convs[0])), unit.convs[1])))
    assert all(each.bias is not None for each in unit.convs)


@pytest.mark.parametrize(
    ("rule", "chances"), [("linear", [0.9, 0.8, 0.7, 0.6, 0.5]), ("uniform", [0.5, 0.5, 0.5, 0.5, 0.5])]
)
def test_the_chance_of_a_unit_follows_its_rule(rule: str, chances: list[float]) -> None:
    model = ResNet(depth=12, blocks=(2, 1, 2), stochastic_depth={"survival": 0.5, "rule": rule, "mode": "row"})  # type: ignore[arg-type]
    layers = [layer for layer in build(model, 3, 10).modules() if isinstance(layer, StochasticDepth)]
    assert [1 - layer.rate for layer in layers] == pytest.approx(chances)
    assert {layer.mode for layer in layers} == {"row"}


@pytest.mark.parametrize("mode", ["batch", "row"])
def test_stochastic_depth_leaves_out_whole_branches(mode: str) -> None:
    unit = made(Style(order="original"), survival=0.6, stochastic_depth={"survival": 0.6, "mode": mode})
    layers = dropout_layers(unit)
    full, empty = F.relu(x() + branch(unit)), F.relu(x())
    kept = []
    for step in range(200):
        seed_dropout(layers, 3, step)
        given = unit(x())
        kept.append([torch.allclose(one, whole, atol=1e-5) for one, whole in zip(given, full, strict=True)])
        left_out = [torch.equal(one, none) for one, none in zip(given, empty, strict=True)]
        assert left_out == [not here for here in kept[-1]]
    assert sum(map(sum, kept)) / 600 == pytest.approx(0.6, abs=0.1)
    assert all(len(set(images)) == 1 for images in kept) == (mode == "batch")


def test_in_evaluation_a_branch_counts_with_its_chance() -> None:
    unit = made(Style(order="original"), survival=0.6, residual_scale=0.5, stochastic_depth={"survival": 0.6}).eval()
    plain = made(Style(order="original")).eval()
    y = plain.last(plain.convs[1](plain.pre[1](plain.convs[0](x()))))
    assert_close(unit(x()), F.relu(x() + 0.5 * 0.6 * y))


def excited(unit: Unit, values: Tensor) -> Tensor:
    hidden = F.relu(conv(values.mean((2, 3), keepdim=True), unit.se.reduce))
    return values * torch.sigmoid(conv(hidden, unit.se.expand))


PLACES: dict[str, Callable[[Unit], Tensor]] = {
    "standard": lambda u: F.relu(x() + excited(u, branch(u))),
    "pre": lambda u: F.relu(x() + bn(middle(u, excited(u, x())), u.last.norm)),
    "post": lambda u: excited(u, F.relu(x() + branch(u))),
    "identity": lambda u: F.relu(excited(u, x()) + branch(u)),
    "inside": lambda u: F.relu(
        x() + bn(conv(excited(u, F.relu(bn(conv(x(), u.convs[0]), u.pre[1].norm))), u.convs[1]), u.last.norm)
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_squeeze_and_excitation_lies_where_figure_5_has_it(place: str) -> None:
    unit = made(Style(order="original"), se={"place": place, "reduction": 2})
    assert_close(unit(x()), PLACES[place](unit))
    assert unit.se.reduce.weight.shape == (2, 4, 1, 1)


@pytest.mark.parametrize("order", ["original", "preactivation"])
def test_before_the_branch_it_leaves_a_projection_alone(order: Any) -> None:
    unit = made(Style(order=order), out=6, stride=2, se={"place": "pre", "reduction": 2})
    formula, shortcut = FORMULAS[order]
    plain = made(Style(order=order), out=6, stride=2)
    plain.load_state_dict({name: value for name, value in unit.state_dict().items() if not name.startswith("se.")})
    nn.init.zeros_(unit.se.expand.weight)
    nn.init.constant_(unit.se.expand.bias, -100.0)
    # With the gate shut nothing but the shortcut is left of the unit's input.
    nothing = (
        bn(middle(unit, torch.zeros(3, 4, 6, 6)), unit.last.norm)
        if order == "original"
        else middle(unit, torch.zeros(3, 4, 6, 6))
    )
    end = F.relu if order == "original" else nn.Identity()
    assert_close(unit(x()), end(shortcut(plain, x()) + nothing))
    assert not torch.allclose(formula(plain, x(), shortcut(plain, x())), unit(x()))


def test_inside_a_bottleneck_it_lies_behind_the_3x3() -> None:
    unit = made(Style(order="original"), kernels=(1, 3, 1), se={"place": "inside", "reduction": 2})
    y = F.relu(bn(conv(x(), unit.convs[0]), unit.pre[1].norm))
    y = excited(unit, F.relu(bn(conv(y, unit.convs[1]), unit.pre[2].norm)))
    assert_close(unit(x()), F.relu(x() + bn(conv(y, unit.convs[2]), unit.last.norm)))


@pytest.mark.parametrize("block", [(3,), (1, 3), (1, 1)])
def test_a_block_without_an_inside_says_so(block: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="behind a 3x3 conv that is not the last"):
        WideResNet(block=block, se={"place": "inside"})  # type: ignore[arg-type]


@pytest.mark.parametrize("squeeze", ["average", "max", "none"])
@pytest.mark.parametrize("gate_name", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_squeeze_gate_and_bias_are_as_named(squeeze: str, gate_name: str, bias: bool) -> None:
    se = {"place": "post", "reduction": 2, "squeeze": squeeze, "gate": gate_name, "bias": bias}
    unit = made(Style(order="original"), se=se)
    for layer in (unit.se.reduce, unit.se.expand):  # so that no ReLU shuts everything
        layer.weight.data.abs_()
    plain = F.relu(x() + branch(unit))
    pooled = {"average": plain.mean((2, 3), keepdim=True), "max": plain.amax((2, 3), keepdim=True), "none": plain}
    assert (unit.se.reduce.bias is not None) == (unit.se.expand.bias is not None) == bias
    scale = conv(F.relu(conv(pooled[squeeze], unit.se.reduce)), unit.se.expand)
    assert_close(unit(x()), plain * {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu}[gate_name](scale))


def test_only_the_named_stages_have_it() -> None:
    net = build(ResNet(depth=14, se={"place": "standard", "stages": (1, 3)}), 3, 10)  # type: ignore[arg-type]
    has = [[not isinstance(unit.se, nn.Identity) for unit in stage] for stage in net.stages]
    assert has == [[True, True], [False, False], [True, True]]
