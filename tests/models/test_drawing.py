"""Pictures of built nets: complete, true to the net, without overlaps, and the same on every run."""

from collections.abc import Iterator
from functools import cache
from itertools import combinations
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn

from paribus.models.blocks import ConvNet, ConvNormAct, Head
from paribus.models.build import outline
from paribus.models.drawing import draw
from paribus.models.drawing.figure import Figure, figure
from paribus.models.drawing.trace import trace
from paribus.models.named import NAMED
from paribus.recipe.families.family import Family, SqueezeExcite, StochasticDepth
from paribus.recipe.families.wide_resnet import WideResNet

FIRST = {type(entry.model): name for name, entry in reversed(NAMED.items())}
NAMES = sorted({*FIRST.values(), "WRN-16-1", "WRN-50-2-bottleneck", "Inception-v4", "Inception-v4-digits"})
SVG = "{http://www.w3.org/2000/svg}"


@cache
def net_of(name: str) -> tuple[ConvNet, int, int]:
    entry = NAMED[name]
    return outline(entry.model, entry.channels, entry.num_classes), entry.channels, entry.size


@cache
def named_figure(name: str, expand: bool = False) -> Figure:
    net, channels, size = net_of(name)
    return figure(trace(net, channels, size), net, expand)


def figure_of(model: Family, size: int = 32, expand: bool = False) -> Figure:
    net = outline(model, 3, 10)
    return figure(trace(net, 3, size), net, expand)


def texts(shown: Figure) -> list[str]:
    return [operation.text for operation in shown.graph.values()]


def drawn_params(shown: Figure) -> Iterator[int]:
    """Parameters of each drawn operation, times the units that it stands for."""
    for number, operation in shown.graph.items():
        times = 1
        for path in shown.scopes[number]:
            times *= shown.counts.get(path, 1)
        yield times * operation.params


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("expand", [False, True])
def test_every_parameter_is_drawn(name: str, expand: bool) -> None:
    net, shown = net_of(name)[0], named_figure(name, expand)
    assert sum(drawn_params(shown)) == sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_leads_from_the_image_to_an_output(name: str) -> None:
    graph = named_figure(name).graph
    read = {source for operation in graph.values() for source in operation.inputs}
    for number, operation in graph.items():
        assert set(operation.inputs) <= set(graph)
        assert (operation.kind == "output") == (number not in read)
        assert (operation.kind == "input") == (not operation.inputs)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overlaps_and_nothing_leaves_the_page(name: str) -> None:
    net, channels, size = net_of(name)
    root = ElementTree.fromstring(draw(net, channels, size, name))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    body = root.find(f"{SVG}g")
    assert body is not None
    boxes = []
    for rect in body.findall(f"{SVG}g/{SVG}rect"):
        x, y, wide, high = (float(rect.attrib[key]) for key in ("x", "y", "width", "height"))
        boxes.append((x, y, x + wide, y + high))
    assert len(boxes) == len(named_figure(name).graph)
    assert all(x0 >= -1 and y0 >= -1 and x1 <= width and y1 <= height for x0, y0, x1, y1 in boxes)
    for a, b in combinations(boxes, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)


def test_a_picture_is_the_same_on_every_run() -> None:
    net, channels, size = net_of("WRN-16-1")
    assert draw(net, channels, size, "WRN-16-1") == draw(net, channels, size, "WRN-16-1")


def test_equal_units_are_drawn_once() -> None:
    shown = figure_of(WideResNet(depth=40))
    assert sorted(shown.counts.values()) == [5, 5, 6]
    assert sum("conv" in text for text in texts(shown)) == 1 + 2 + 5 + 5
    assert sum("conv" in text for text in texts(figure_of(WideResNet(depth=40), expand=True))) == 1 + 36 + 2


def test_norm_and_activation_are_words_of_their_conv_but_lead_a_preactivation_unit() -> None:
    operations = [o for o in figure_of(WideResNet(depth=10)).graph.values() if o.path.startswith("stages.0")]
    assert [(o.text, o.notes) for o in operations] == [
        ("BN", ("ReLU",)), ("conv 3×3", ("BN", "ReLU")), ("conv 3×3", ()), ("+", ())
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (WideResNet(depth=10, residual_scale=0.1), "x + 0.1 f(x)"),
        (WideResNet(depth=10, dropout=0.3, dropout_placement="branch"), "dropout 0.3"),
        (WideResNet(depth=10, dropout=0.3, dropout_placement="head"), "dropout 0.3"),
        (WideResNet(depth=10, width=2, se=SqueezeExcite(place="standard", reduction=8)), "SE, r = 8"),
        (WideResNet(depth=10, width=2, se=SqueezeExcite(place="standard", squeeze="none")), "SE, r = 16"),
        (WideResNet(depth=16, stochastic_depth=StochasticDepth(survival=0.4)), "kept with p = 0.9 … 0.8"),
        (WideResNet(depth=10, stem="small", block=(1, 3)), "conv 1×1"),
    ],
)
def test_a_factor_of_the_recipe_is_seen(model: Family, text: str) -> None:
    assert text in texts(figure_of(model))
    assert sum(drawn_params(figure_of(model))) == sum(p.numel() for p in outline(model, 3, 10).parameters())


def test_a_scaled_shortcut_is_told_from_a_scaled_branch() -> None:
    assert "0.5 x + f(x)" in texts(figure_of(WideResNet(depth=10, shortcut_scale=0.5)))
    assert "0.5 x + 0.1 f(x)" in texts(figure_of(WideResNet(depth=10, shortcut_scale=0.5, residual_scale=0.1)))


def test_a_separable_conv_is_one_operation() -> None:
    found = texts(named_figure("Xception", expand=True))
    assert found.count("separable conv 3×3") == 34
    assert not any("depthwise" in text for text in found)


def test_a_grid_of_one_repeated_module_has_one_frame_with_its_name_and_count() -> None:
    shown = named_figure("Inception-v4")
    titles = {title: shown.counts.get(path) for path, title in shown.titles.items()}
    assert {count for title, count in titles.items() if title.startswith("stages.B")} == {7}
    concats = [operation for operation in shown.graph.values() if operation.kind == "concat"]
    assert sorted(len(concat.inputs) for concat in concats) == [2, 2, 2, 3, 3, 4, 4, 6]


class WithAuxiliary(ConvNet):
    """Two convs, and a head on the first that runs last."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.top = ConvNormAct(3, 8, 3, 2, padding="valid"), ConvNormAct(8, 16, (1, 7))
        self.side = nn.Sequential(ConvNormAct(8, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Head(4, 5))
        self.head = Head(16, 5)

    def features(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        stem = self.stem(images)
        pooled = self.top(stem).mean((2, 3))
        return pooled, (self.side(stem),) if self.training else ()


def test_an_auxiliary_head_is_drawn_where_it_branches_off() -> None:
    with torch.device("meta"):
        net = WithAuxiliary().eval()
    shown = figure(trace(net, 3, 16), net)
    assert not any(module.training for module in net.modules())
    assert texts(shown) == [
        "image", "conv 3×3 /2 V", "conv 1×1", "global average pool", "fully connected", "auxiliary logits",
        "conv 1×7", "global average pool", "fully connected", "logits",
    ]  # fmt: skip
    assert "auxiliary logits" in draw(net, 3, 16, "two heads")
