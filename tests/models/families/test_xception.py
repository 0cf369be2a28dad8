"""Xception against timm, against the paper's table and figures, and each of its factors against its formula."""

import equality
import pytest
import torch
from references import published, reference
from torch.nn import functional as F

from paribus.models.build import build, outline
from paribus.models.complexity import count, stages
from paribus.models.families.xception import Separable
from paribus.recipe import Recipe, RecipeError, Xception
from paribus.recipe.model import by_name


def sibling(**fields: object) -> Xception:
    return Xception(width=0.05, middle_modules=1).model_copy(update=fields)


def test_logits_and_one_step_equal_timm() -> None:
    # The masks of dropout differ from torch's own, so that it is left out where gradients are compared.
    ours, theirs, x = published("Xception", {"dropout": 0.0}), reference("timm", "legacy_xception"), equality.noise(71)
    names = equality.copy(ours, theirs, x)
    equality.assert_same_logits(ours, theirs, x)
    equality.assert_same_step(ours, theirs, names, x)


def test_counts_and_shapes_are_those_of_the_paper() -> None:
    entry = by_name("Xception")
    counted = count(entry.model, entry.size, entry.channels, entry.num_classes)
    assert counted.params == 22_855_952  # table 3
    assert counted.macs / 1e9 == pytest.approx(8.357, rel=0.005)
    assert {stage.name: stage.shape for stage in stages(entry.model, 299, 3, 1000)} == {
        "stem": (64, 147, 147),
        "entry.0": (128, 74, 74),
        "entry.1": (256, 37, 37),
        "entry.2": (728, 19, 19),
        "middle": (728, 19, 19),
        "exit": (1024, 10, 10),
        "last": (2048, 10, 10),
        "head": (1000,),
    }


def test_there_are_36_convs_in_14_modules() -> None:
    net = outline(by_name("Xception").model, 3, 1000)
    separable = sum(isinstance(module, Separable) for module in net.modules())
    assert separable + len(net.stem) == 36  # section 3
    assert len(net.entry) + len(net.middle) + 1 + 2 == 14  # the stem and the last two count as modules


def test_the_jft_net_adds_two_fully_connected_layers() -> None:
    plain = Xception(stem="imagenet")
    added = 2048 * 4096 + 4096 + 4096 * 4096 + 4096 + (4096 - 2048) * 17_000
    wanted = count(plain, 299, 3, 17_000).params + added
    assert count(by_name("Xception-JFT-fc").model, 299, 3, 17_000).params == wanted


def test_a_middle_module_is_its_formula_written_out() -> None:
    unit = build(sibling(residual_scale=0.3), 3, 10).middle[0]
    x = branch = equality.noise(4, channels=36)
    for each in unit.convs:
        depthwise = F.conv2d(F.relu(branch), each.depthwise.weight, padding=1, groups=36)
        branch = F.batch_norm(F.conv2d(depthwise, each.pointwise.weight), None, None, training=True)
    before = x.clone()
    torch.testing.assert_close(unit(x), x + 0.3 * branch, atol=1e-5, rtol=1e-5)
    assert torch.equal(x, before)


@pytest.mark.parametrize(("kind", "act"), [("none", lambda x: x), ("relu", F.relu), ("elu", F.elu)])
def test_the_activation_lies_between_depthwise_and_pointwise(kind: str, act: object) -> None:
    layer = Separable(4, 6, kind, bias=False)  # type: ignore[arg-type]
    x = equality.noise(5, channels=4)
    depthwise = F.conv2d(x, layer.depthwise.weight, padding=1, groups=4)
    expected = F.conv2d(act(depthwise), layer.pointwise.weight)  # type: ignore[operator]
    torch.testing.assert_close(layer(x), expected)
    changed = Xception(intermediate=kind)  # type: ignore[arg-type]
    assert count(changed, 8) == count(Xception(), 8)


def test_without_residual_connections_the_net_has_no_shortcut_and_no_sum() -> None:
    net = build(sibling(shortcut_scale=0.0), 3, 10).eval()
    assert not [name for name, _ in net.named_parameters() if "projection" in name]
    unit, x = net.middle[0], equality.noise(4, channels=36)
    branch = x
    for each, pre in zip(unit.convs, unit.pre, strict=True):
        branch = each(pre(branch))
    torch.testing.assert_close(unit(x), unit.last(branch))


@pytest.mark.parametrize(("depth", "convs"), [(1, 15), (4, 24), (8, 36)])
def test_the_middle_flow_has_three_convs_a_module(depth: int, convs: int) -> None:
    net = outline(Xception(middle_modules=depth), 3, 10)
    assert sum(isinstance(module, Separable) for module in net.modules()) + 2 == convs


def test_a_deeper_middle_flow_keeps_the_other_initial_values() -> None:
    shallow, deep = (build(sibling(middle_modules=depth), 3, 10).state_dict() for depth in (1, 3))
    assert all(torch.equal(value, deep[name]) for name, value in shallow.items())


def test_the_small_stem_keeps_every_pixel() -> None:
    shapes = [stage.shape[1:] for stage in stages(sibling(), 32)]
    assert shapes[:-1] == [(32, 32), (16, 16), (8, 8), (4, 4), (4, 4), (2, 2), (2, 2)]


@pytest.mark.parametrize(("stem", "size"), [("imagenet", 7), ("small", 1)])
def test_the_smallest_input_passes(stem: str, size: int) -> None:
    model = sibling(stem=stem)
    model.check_size(size)
    assert build(model, 5, 3).eval()(equality.noise(size, channels=5)).shape == (2, 3)


def test_a_smaller_input_names_the_minimum() -> None:
    with pytest.raises(ValueError, match="6 pixels is too small for Xception: its minimum is 7"):
        Xception(stem="imagenet").check_size(6)
    with pytest.raises(RuntimeError):
        outline(Xception(stem="imagenet"), 3, 10)(equality.noise(6).to("meta"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"middle_modules": 0}, "middle_modules"),
        ({"intermediate": "gelu"}, "'none', 'relu' or 'elu'"),
        ({"hidden": (0,)}, "hidden"),
        ({"se.place": "pre", "se.stages": (1, 4)}, "se.stages names 4, but this net has stages 1 to 3"),
        ({"shortcut_scale": 0.0, "stochastic_depth.survival": 0.5}, "nothing else carries the signal"),
    ],
)
def test_bad_values_say_what_is_allowed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe().replace({"model.family": "xception"} | {f"model.{path}": value for path, value in changes.items()})
