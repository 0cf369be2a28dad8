"""Inception-v4 against timm, against the paper's figures, and each of its factors against its formula or count."""

import equality
import pytest
import torch
from references import published, reference
from torch import nn

from paribus.models.blocks import ConvNormAct, SqueezeExcite
from paribus.models.build import build, outline
from paribus.models.complexity import count, stages
from paribus.models.dropout import Dropout
from paribus.recipe import InceptionV4, Recipe, RecipeError
from paribus.recipe.model import by_name


def sibling(**fields: object) -> InceptionV4:
    model = Recipe().replace({"model": {"family": "inception_v4", "blocks": (1, 1, 1), "width": 0.05, **fields}}).model
    assert isinstance(model, InceptionV4)
    return model


def kernels(module: nn.Module) -> list[tuple[int, ...]]:
    return [part.conv.kernel_size for part in module.modules() if isinstance(part, ConvNormAct)]


def test_logits_and_one_step_equal_timm() -> None:
    # The masks of dropout differ from torch's own, so that it is left out where gradients are compared.
    ours = published("Inception-v4", {"dropout": 0.0})
    theirs, x = reference("timm", "inception_v4"), equality.noise(139)
    names = equality.copy(ours, theirs, x)
    equality.assert_same_logits(ours, theirs, x)
    equality.assert_same_step(ours, theirs, names, x)


@pytest.mark.parametrize("name", ["Inception-v4", "Inception-v4-figures"])
def test_counts_are_those_of_the_reference(name: str) -> None:
    entry = by_name(name)
    counted = count(entry.model, entry.size, entry.channels, entry.num_classes)
    assert counted.params == 42_679_816
    assert counted.macs / 1e9 == pytest.approx(12.254, rel=0.005)


def test_shapes_are_those_of_figure_9() -> None:
    assert {stage.name: stage.shape for stage in stages(by_name("Inception-v4").model, 299, 3, 1000)} == {
        "stem": (384, 35, 35),
        "stages.A": (384, 35, 35),
        "stages.reduction_a": (1024, 17, 17),
        "stages.B": (1024, 17, 17),
        "stages.reduction_b": (1536, 8, 8),
        "stages.C": (1536, 8, 8),
        "head": (1000,),
    }


def test_the_orders_are_those_of_the_release_and_of_the_figures() -> None:
    lying, standing = (1, 7), (7, 1)
    found = {}
    for order in ("released", "figure"):
        net = outline(sibling(order=order), 3, 10)
        b, c = net.get_submodule("stages.B.0"), net.get_submodule("stages.C.0")
        found[order] = [kernels(net.stem)[7:9], kernels(b.branches[2])[1:], kernels(c.branches[2])[1:3]]
    assert found == {
        "released": [[lying, standing], [standing, lying] * 2, [(3, 1), (1, 3)]],
        "figure": [[standing, lying], [lying, standing] * 2, [(1, 3), (3, 1)]],
    }


def test_every_average_pool_leaves_the_padding_out() -> None:
    net = build(sibling(), 3, 10)
    pools = [module for module in net.modules() if isinstance(module, nn.AvgPool2d)]
    assert len(pools) == 3  # one a module A, B, C
    assert all(torch.equal(pool(torch.ones(1, 1, 3, 3)), torch.ones(1, 1, 3, 3)) for pool in pools)


def test_block_counts_add_modules_and_keep_all_other_initial_values() -> None:
    shallow, deep = build(sibling(), 3, 10), build(sibling(blocks=(2, 3, 4)), 3, 10)
    assert [len(deep.get_submodule(f"stages.{grid}")) for grid in ("A", "B", "C")] == [2, 3, 4]
    values = deep.state_dict()
    assert all(torch.equal(value, values[name]) for name, value in shallow.state_dict().items())


def test_width_multiplies_the_filters_of_every_conv() -> None:
    narrow, plain = outline(sibling(width=0.25), 3, 10), outline(sibling(width=1.0), 3, 10)
    pairs = list(zip(narrow.modules(), plain.modules(), strict=True))
    convs = [(mine, other) for mine, other in pairs if isinstance(mine, nn.Conv2d) and isinstance(other, nn.Conv2d)]
    assert len(convs) > 40
    assert all(mine.out_channels * 4 == other.out_channels for mine, other in convs)


def test_reduction_a_has_the_filters_k_l_m_n() -> None:
    k, l, m, n = 20, 30, 50, 70  # noqa: E741  # the paper's letters
    net = outline(sibling(width=1.0, reduction_a=(k, l, m, n)), 3, 10)
    module = net.get_submodule("stages.reduction_a.0")
    shapes = [part.weight.shape[:2] for part in module.modules() if isinstance(part, nn.Conv2d)]
    assert shapes == [(n, 384), (k, 384), (l, k), (m, l)]
    assert next(net.get_submodule("stages.B").parameters()).shape[1] == 384 + m + n


def test_dropout_acts_on_the_pooled_features_alone() -> None:
    dropouts = {name: part.rate for name, part in outline(sibling(dropout=0.2), 3, 10).named_modules()
                if isinstance(part, Dropout)}  # fmt: skip
    assert dropouts == {"head.dropout": 0.2}
    assert not [part for part in outline(sibling(), 3, 10).modules() if isinstance(part, Dropout)]


def test_squeeze_and_excitation_is_on_the_concat_of_every_module_of_a_grid() -> None:
    net = outline(sibling(se={"place": "standard", "reduction": 4, "stages": (1, 3)}), 3, 10)
    excited = [name for name, part in net.named_modules() if isinstance(part, SqueezeExcite)]
    assert excited == ["stages.A.0.se", "stages.reduction_b.0.se", "stages.C.0.se"]


def test_without_a_norm_every_conv_has_a_bias() -> None:
    convs = [part for part in outline(sibling(norm="none"), 3, 10).modules() if isinstance(part, ConvNormAct)]
    assert all(part.conv.bias is not None and isinstance(part.norm, nn.Identity) for part in convs)


def test_the_small_stem_keeps_every_pixel() -> None:
    shapes = [stage.shape[1:] for stage in stages(sibling(), 28)]
    assert shapes == [(28, 28), (28, 28), (13, 13), (13, 13), (6, 6), (6, 6), ()]
    plain, small = (outline(sibling(stem=stem), 3, 10).state_dict() for stem in ("imagenet", "small"))
    assert {name: value.shape for name, value in plain.items()} == {name: value.shape for name, value in small.items()}


@pytest.mark.parametrize(("stem", "size"), [("imagenet", 75), ("small", 7)])
def test_the_smallest_input_passes_and_a_smaller_one_names_the_minimum(stem: str, size: int) -> None:
    model = sibling(stem=stem)
    model.check_size(size)
    assert build(model, 5, 3).eval()(equality.noise(size, channels=5)).shape == (2, 3)
    with pytest.raises(ValueError, match=f"{size - 1} pixels is too small for Inception-v4.*: its minimum is {size}"):
        model.check_size(size - 1)
    with pytest.raises(RuntimeError):
        outline(model, 3, 10)(equality.noise(size - 1).to("meta"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": (4, 0, 3)}, "greater than or equal to 1"),
        ({"blocks": (4, 7)}, "blocks"),
        ({"order": "paper"}, "'released' or 'figure'"),
        ({"reduction_a": (192, 224, 256, 0)}, "greater than or equal to 1"),
        ({"stem": "imagnet"}, "'small' or 'imagenet'"),
        ({"dropout": 1.0}, "less than 1"),
        ({"se": {"place": "standard", "stages": (4,)}}, "se.stages names 4, but this net has stages 1 to 3"),
    ],
)
def test_bad_values_say_what_is_allowed(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        sibling(**changes)
