"""Inception-v3 against torchvision, timm and the paper's tables and figures; each factor by its formula or count."""

import math
from typing import Any

import equality
import pytest
import references
import torch
from torch import nn

from paribus.models.blocks import ConvNormAct
from paribus.models.build import build, outline
from paribus.models.complexity import Complexity, count, stages
from paribus.models.dropout import Dropout
from paribus.models.families.inception_blocks import InceptionNet
from paribus.recipe import InceptionV3, Recipe, RecipeError
from paribus.recipe.model import by_name

PARAMS = {
    "Inception-v3": 23_834_568,
    "Inception-v3-aux": 27_161_264,
    "Inception-v3-table1": 24_410_696,
    "Inception-v3-151": 23_834_568,
    "Inception-v3-79": 23_834_568,
    "Inception-v2-Rethinking": 27_161_264 - 28_768 + 9_536 - 2 * 768 + 768,  # one conv for three, a bias for a BN
}
GMACS = {"Inception-v3": 5.713, "Inception-v3-table1": 6.045, "Inception-v3-151": 5.713, "Inception-v3-79": 5.362}
SMALL = {"family": "inception_v3", "blocks": (1, 3, 1), "width": 0.125}
GRIDS = ("grid35", "to17", "grid17", "to8", "grid8")


def small(**fields: Any) -> InceptionV3:
    model = Recipe().replace({"model": SMALL | fields}).model
    assert isinstance(model, InceptionV3)
    return model


def released(**fields: Any) -> InceptionV3:
    return small(**{"stem": "imagenet", "blocks": (3, 4, 2), "width": 1.0} | fields)


def cost(model: InceptionV3, size: int = 299) -> Complexity:
    return count(model, size, 3, 1000)


def net_of(model: InceptionV3) -> InceptionNet:
    net = outline(model, 3, 10)
    assert isinstance(net, InceptionNet)
    return net


def convs(net: nn.Module, part: str) -> list[tuple[tuple[int, ...], int, bool]]:
    """Kernel, channels out and whether a ReLU follows, of every conv of a part."""
    found = [each for each in net.get_submodule(part).modules() if isinstance(each, ConvNormAct)]
    return [(each.conv.kernel_size, each.conv.out_channels, each.act) for each in found]


def branch(module: str, at: int, **fields: Any) -> list[tuple[tuple[int, ...], int, bool]]:
    return convs(net_of(released(**fields)), f"stages.{module}.branches.{at}")


@pytest.mark.parametrize(("name", "params"), PARAMS.items())
def test_parameters_are_those_of_the_releases(name: str, params: int) -> None:
    entry = by_name(name)
    assert count(entry.model, entry.size, 3, 1000).params == params


@pytest.mark.parametrize(("name", "gmacs"), GMACS.items())
def test_multiply_adds_are_those_of_the_literature(name: str, gmacs: float) -> None:
    entry = by_name(name)
    assert count(entry.model, entry.size, 3, 1000).macs / 1e9 == pytest.approx(gmacs, rel=5e-3)


@pytest.mark.parametrize("name", ["Inception-v3", "Inception-v3-table1", "Inception-v3-151", "Inception-v2-Rethinking"])
def test_grids_are_those_of_table_1(name: str) -> None:
    entry = by_name(name)
    assert {stage.name: stage.shape for stage in stages(entry.model, entry.size, 3, 1000)} == {
        "stem": (288 if name.endswith("table1") else 192, 35, 35),
        "stages.grid35": (288, 35, 35),
        "stages.to17": (768, 17, 17),
        "stages.grid17": (768, 17, 17),
        "stages.to8": (1280, 8, 8),
        "stages.grid8": (2048, 8, 8),
        "head": (1000,),
    }


@pytest.mark.parametrize(
    ("library", "options"), [("torchvision", {"aux_logits": False, "init_weights": False}), ("timm", {})]
)
def test_logits_equal_the_reference(library: str, options: dict[str, Any]) -> None:
    mine, theirs, x = (
        references.published("Inception-v3"),
        references.reference(library, "inception_v3", **options),
        equality.noise(75),
    )
    equality.copy(mine, theirs, x)
    equality.assert_same_logits(mine, theirs, x)


def test_one_step_with_the_auxiliary_head_equals_torchvision() -> None:
    # The masks of dropout differ from torch's own. Below 299 pixels torchvision's head does not run in training.
    model = by_name("Inception-v3-aux").model.model_copy(update={"dropout": 0.0})
    mine, x = equality.fill(outline(model, 3, 1000)).eval(), equality.noise(299)
    theirs = references.reference("torchvision", "inception_v3", init_weights=False, transform_input=False, dropout=0.0)
    names = equality.copy(mine, theirs, equality.noise(75))
    ours, other = mine.get_submodule("auxiliary.grid17"), theirs.get_submodule("AuxLogits")
    of_head = equality.copy(ours, other, equality.noise(17, channels=768))
    equality.assert_same_logits(ours, other, equality.noise(20, channels=768))
    names |= {f"AuxLogits.{theirs_name}": f"auxiliary.grid17.{name}" for theirs_name, name in of_head.items()}
    assert len(names) == sum(isinstance(part, (nn.Conv2d, nn.BatchNorm2d, nn.Linear)) for part in mine.modules())
    equality.assert_same_step(mine, theirs, names, x, model.auxiliary.weight)


def test_figure_5_has_a_5x5_as_released_or_two_3x3() -> None:
    first, second = ((1, 1), 48, True), ((1, 1), 64, True)
    assert branch("grid35.0", 1) == [first, ((5, 5), 64, True)]
    assert branch("grid35.0", 1, large_conv="two_3x3") == [first, ((3, 3), 55, True), ((3, 3), 64, True)]
    assert branch("grid35.0", 2) == [second, ((3, 3), 96, True), ((3, 3), 96, True)]
    saved = cost(released()).macs - cost(released(large_conv="two_3x3")).macs
    whole = 3 * 25 * 48 * 64 * 35**2
    assert saved / whole == pytest.approx(1 - 18 / 25, abs=0.005)  # section 3.1: 28 % saved


def test_figure_6_factorises_n_x_n() -> None:
    first = ((1, 1), 128, True)
    assert branch("grid17.0", 1) == [first, ((1, 7), 128, True), ((7, 1), 192, True)]
    tall, wide = ((7, 1), 128, True), ((1, 7), 128, True)
    assert branch("grid17.0", 2) == [first, tall, wide, tall, ((1, 7), 192, True)]
    assert branch("grid17.0", 2, kernel=3)[1:3] == [((3, 1), 128, True), ((1, 3), 128, True)]
    assert branch("grid17.0", 2, factorised=(8,)) == [first, ((7, 7), 128, True), ((7, 7), 192, True)]
    assert [branch(f"grid17.{at}", 1)[0][1] for at in range(4)] == [128, 160, 160, 192]


def test_figure_7_expands_the_filter_bank() -> None:
    pair = [((1, 3), 384, True), ((3, 1), 384, True)]
    assert branch("grid8.0", 1) == [((1, 1), 384, True), *pair]
    assert branch("grid8.0", 2) == [((1, 1), 448, True), ((3, 3), 384, True), *pair]
    assert branch("grid8.0", 1, factorised=(17,)) == [((1, 1), 384, True), ((3, 3), 768, True)]


def test_figure_10_shrinks_by_convs_beside_a_pool() -> None:
    assert branch("to17.0", 0) == [((3, 3), 384, True)]
    assert branch("to17.0", 1) == [((1, 1), 64, True), ((3, 3), 96, True), ((3, 3), 96, True)]
    assert branch("to8.0", 1)[1:] == [((1, 7), 192, True), ((7, 1), 192, True), ((3, 3), 192, True)]
    assert branch("to17.0", 2) == []


@pytest.mark.parametrize(
    ("grid", "module", "at", "wanted"),
    [
        (35, "grid35.0", 1, [((1, 5), 48, True), ((5, 1), 64, True)]),
        (35, "grid35.0", 2, [((1, 3), 64, True), ((3, 1), 96, True), ((1, 3), 96, True), ((3, 1), 96, True)]),
        (35, "to17.0", 1, [((1, 3), 64, True), ((3, 1), 96, True), ((3, 3), 96, True)]),
        (17, "to8.0", 1, [((1, 7), 192, True), ((7, 1), 192, True), ((3, 3), 192, True)]),
    ],
)
def test_each_grid_is_factorised_on_its_own(grid: int, module: str, at: int, wanted: list[Any]) -> None:
    assert branch(module, at, factorised=(grid,))[1:] == wanted
    whole = [kernel for part in GRIDS for kernel, _, _ in convs(net_of(released(factorised=())), f"stages.{part}")]
    assert all(height == width for height, width in whole)


@pytest.mark.parametrize("n", [3, 7])
def test_factorising_saves_what_section_3_2_says(n: int) -> None:
    whole, split = (cost(released(kernel=n, factorised=grids)).macs for grids in ((), (17,)))
    reduced = (128, 160, 160, 192)
    # Three convs in each module, and one of 192 to 192 in the reduction; the first half of a pair keeps its channels.
    squares = 192 * 192 + sum(c * 192 + c * c + c * 192 for c in reduced)
    pairs = 2 * 192 * 192 + sum((c * c + c * 192) + 2 * c * c + (c * c + c * 192) for c in reduced)
    assert whole - split == 17**2 * (n * n * squares - n * pairs)


def test_between_leaves_out_the_relus_inside_factorised_convs_alone() -> None:
    plain = {"between": "none"}
    assert [act for _, _, act in branch("grid35.0", 2, **plain)] == [True, False, True]
    assert [act for _, _, act in branch("grid35.0", 1, large_conv="two_3x3", **plain)] == [True, False, True]
    assert [act for _, _, act in branch("grid17.0", 2, **plain)] == [True, False, True, False, True]
    assert [act for _, _, act in branch("to17.0", 1, **plain)] == [True, False, True]
    assert [act for _, _, act in branch("to8.0", 1, **plain)] == [True, False, True, True]
    assert all(act for _, _, act in convs(net_of(released(**plain)), "stages.grid8"))
    relu, none = build(small(), 3, 10).eval(), build(small(between="none"), 3, 10).eval()
    assert not torch.allclose(relu(equality.noise(16)), none(equality.noise(16)))


def test_reductions_differ_in_order_and_cost_but_not_in_parameters() -> None:
    kinds = ("parallel", "pool_first", "pool_last")
    nets = {kind: build(small(reduction=kind), 3, 10).eval() for kind in kinds}
    values = nets["parallel"].state_dict()
    for net in nets.values():
        assert net.state_dict().keys() == values.keys()
        assert all(torch.equal(value, values[name]) for name, value in net.state_dict().items())
    x = equality.noise(15, channels=nets["parallel"].stages["to17"][0].branches[0][0].conv.in_channels)
    shrunk = {kind: net.stages["to17"](x) for kind, net in nets.items()}
    assert {tensor.shape[1:] for tensor in shrunk.values()} == {(60 + x.shape[1], 7, 7)}
    for tensor in shrunk.values():  # what is passed through is the same
        torch.testing.assert_close(tensor[:, 60:], nn.functional.max_pool2d(x, 3, 2))
    assert not torch.allclose(shrunk["pool_first"][:, :60], shrunk["parallel"][:, :60])


def test_reductions_cost_as_figure_9_says() -> None:
    kinds = ("parallel", "pool_first", "pool_last")
    parallel, first, last = (cost(released(reduction=kind)).macs for kind in kinds)
    strided = 9 * (288 * 384 + 96 * 96), 9 * (192 * 320 + 192 * 192)
    before = 288 * 64 + 9 * 64 * 96, 2 * 768 * 192 + 2 * 7 * 192 * 192
    assert last - parallel == strided[0] * (35**2 - 17**2) + strided[1] * (17**2 - 8**2)
    assert parallel - first == before[0] * (35**2 - 17**2) + before[1] * (17**2 - 8**2)


def test_the_resolution_changes_the_first_layers_and_no_value() -> None:
    nets = [build(small(stem="imagenet", resolution=side), 3, 10) for side in (299, 151, 79)]
    values = nets[0].state_dict()
    for net in nets[1:]:
        assert all(torch.equal(value, values[name]) for name, value in net.state_dict().items())
    shapes = [stages(released(resolution=side), side)[0].shape for side in (299, 151, 79)]
    assert shapes == [(192, 35, 35), (192, 35, 35), (192, 36, 36)]


def test_another_side_than_the_resolution_is_the_naive_arm() -> None:
    model = by_name("Inception-v3").model
    for size, gmacs in ((151, 1.082), (79, 0.212)):
        assert cost(model, size).macs / 1e9 == pytest.approx(gmacs, rel=5e-3)
    assert Recipe().replace({"model": "Inception-v3", "data.size": 151}).data.size == 151


def auxiliary(**fields: Any) -> dict[str, Any]:
    return {"auxiliary": {"weight": 0.3} | fields}


def test_the_auxiliary_head_is_figure_8_and_starts_as_released() -> None:
    net = build(small(width=1.0, **auxiliary()), 3, 10)
    assert isinstance(net, InceptionNet)
    assert convs(net, "auxiliary.grid17") == [((1, 1), 128, True), ((5, 5), 768, True)]
    head = net.auxiliary["grid17"]
    assert head.hidden.conv.weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert head.classifier.weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert head.reduce.conv.weight.std().item() == pytest.approx(math.sqrt(2 / 768), rel=0.02)


@pytest.mark.parametrize("size", [8, 28, 40])
def test_the_auxiliary_head_runs_in_training_alone_and_adds_nothing_else(size: int) -> None:
    without, net = build(small(), 3, 10), build(small(**auxiliary()), 3, 10)
    shared = without.state_dict()
    added = net.state_dict().keys() - shared.keys()
    assert added
    assert all(name.startswith("auxiliary.grid17.") for name in added)
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in shared.items())
    assert net.auxiliary_weight == 0.3
    x = equality.noise(size)
    assert [side.shape for side in net.train().features(x)[1]] == [(2, 10)]
    assert net.eval().features(x)[1] == without.train().features(x)[1] == ()
    torch.testing.assert_close(build(small(**auxiliary()), 3, 10).eval()(x), build(small(), 3, 10).eval()(x))


def test_the_auxiliary_head_has_a_norm_and_dropout_of_its_own() -> None:
    plain = net_of(small(**auxiliary(norm="none"))).auxiliary["grid17"]
    assert isinstance(plain.hidden.norm, nn.Identity)
    assert plain.hidden.conv.bias is not None
    assert isinstance(plain.reduce.norm, nn.BatchNorm2d)
    dropped = net_of(small(**auxiliary(dropout=0.7))).auxiliary["grid17"].dropout
    assert isinstance(dropped, Dropout)
    assert dropped.rate == 0.7


def test_dropout_norm_width_and_blocks_are_those_asked_for() -> None:
    assert [part.rate for part in net_of(small(dropout=0.5)).modules() if isinstance(part, Dropout)] == [0.5]
    plain = [part for part in net_of(small(norm="none")).modules() if isinstance(part, ConvNormAct)]
    assert all(part.conv.bias is not None and isinstance(part.norm, nn.Identity) for part in plain)
    assert all(part.norm.eps == 1e-3 for part in net_of(small()).modules() if isinstance(part, ConvNormAct))
    for narrow, wide in zip(net_of(small(width=0.5)).modules(), net_of(small(width=1.0)).modules(), strict=True):
        if isinstance(narrow, ConvNormAct) and isinstance(wide, ConvNormAct):
            assert narrow.conv.out_channels == int(wide.conv.out_channels / 2 + 0.5)
    shallow, deep = build(small(), 3, 10).state_dict(), build(small(blocks=(2, 3, 4)), 3, 10).state_dict()
    same = [name for name in shallow if not name.startswith(("stages.to17", "head"))]
    assert all(torch.equal(shallow[name], deep[name]) for name in same if shallow[name].shape == deep[name].shape)
    assert [len(net_of(small(blocks=(2, 3, 4))).stages[name]) for name in GRIDS] == [2, 1, 3, 1, 4]


def test_squeeze_and_excitation_stands_on_each_modules_concat() -> None:
    def excited(**fields: Any) -> list[str]:
        net = net_of(small(se={"place": "standard", **fields}))
        return [name for name in GRIDS if any("se.reduce" in each for each, _ in net.stages[name].named_modules())]

    assert excited() == list(GRIDS)
    assert excited(stages=[2]) == ["to17", "grid17"]
    assert count(small(se={"place": "standard"}), 16).params > count(small(), 16).params


def test_the_small_stem_keeps_every_pixel() -> None:
    assert [stage.shape[1] for stage in stages(small(), 32)[:-1]] == [32, 32, 15, 15, 7, 7]


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"stem": "small"}, 7),
        ({"stem": "imagenet"}, 75),
        ({"stem": "7x7"}, 75),
        *(({"stem": stem, "resolution": 151}, 39) for stem in ("imagenet", "table1")),
        *(({"stem": stem, "resolution": 79}, 21) for stem in ("imagenet", "table1")),
        *(({"stem": "imagenet", "reduction": kind}, 75) for kind in ("pool_first", "pool_last")),
    ],
)
def test_the_smallest_input_passes_and_a_smaller_one_names_the_minimum(fields: dict[str, Any], size: int) -> None:
    model = small(**fields)
    assert model.min_size == size
    outline(model, 5, 3).eval()(equality.noise(size, channels=5).to("meta"))
    with pytest.raises(ValueError, match=f"{size - 1} pixels is too small for Inception-v3.*: its minimum is {size}"):
        model.check_size(size - 1)
    with pytest.raises(RuntimeError):
        outline(model, 5, 3).eval()(equality.noise(size - 1, channels=5).to("meta"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel": 4}, "the nearest are 3 and 5"),
        ({"stem": "small", "resolution": 151}, "set resolution to 299, or stem to imagenet or table1"),
        ({"stem": "7x7", "resolution": 79}, "set resolution to 299"),
        ({"resolution": 150}, "299"),
        ({"factorised": (35, 16)}, "35"),
        ({"blocks": (1, 0, 1)}, "greater than or equal to 1"),
        ({"se": {"place": "inside"}}, "'none' or 'standard'"),
        ({"se": {"place": "standard", "stages": (4,)}}, "stages 1 to 3"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        small(**changes)


def test_one_net_has_one_identity_whatever_the_order_of_its_grids() -> None:
    assert small(factorised=(8, 35, 17)) == small(factorised=(35, 17, 8))
    assert small(factorised=17) == small(factorised=(17, 17))
    assert small(factorised="none") == small(factorised=())
