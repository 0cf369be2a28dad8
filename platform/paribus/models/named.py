"""The networks that papers name: what `paribus models list` prints and the golden table holds. Imports no torch."""

from dataclasses import dataclass

from paribus.recipe.errors import RecipeError, nearest
from paribus.recipe.model import Model, WideResNet


@dataclass(frozen=True)
class Named:
    """A model with the input and classes it was published for."""

    model: Model
    channels: int  # of the input
    size: int  # side of the input in pixels
    num_classes: int
    source: str


_WRN = "Zagoruyko and Komodakis 2016"
_CIFAR = ((40, 1.0), (40, 2.0), (40, 4.0), (40, 8.0), (40, 10.0), (28, 2.0), (28, 10.0), (28, 12.0), (22, 8.0),
          (22, 10.0), (16, 1.0), (16, 2.0), (16, 4.0), (16, 8.0), (16, 10.0), (52, 1.0))  # fmt: skip
# Table 2 counts depth as 6N + 4 whatever the block, and each row has its own depth.
_TABLE_2 = ((40, (1, 3, 1)), (40, (3, 1)), (40, (1, 3)), (40, (3, 1, 1)), (28, (3, 3)), (22, (3, 1, 3)))
# Table 3 holds the convolutions, and so the parameters, constant: N = 12, 6, 4 and 3 blocks of l convolutions.
_TABLE_3 = ((76, 1), (40, 2), (28, 3), (22, 4))
_BASIC = ((18, 1.0), (18, 1.5), (18, 2.0), (18, 3.0), (34, 1.0), (34, 1.5), (34, 2.0))
_BOTTLENECK = ((50, 1.0), (50, 2.0), (101, 2.0))


def _table() -> dict[str, Named]:
    table: dict[str, Named] = {}
    for depth, width in _CIFAR:
        model = WideResNet(depth=depth, width=width)
        table[model.name] = Named(model, 3, 32, 10, f"{_WRN}, Tables 4 to 6")
    for depth, kernels in _TABLE_2:
        model = WideResNet(depth=depth, width=2.0, block=kernels)
        table.setdefault(model.name, Named(model, 3, 32, 10, f"{_WRN}, Table 2"))
    for depth, num_convs in _TABLE_3:
        model = WideResNet(depth=depth, width=2.0, block=(3,) * num_convs)
        table.setdefault(model.name, Named(model, 3, 32, 10, f"{_WRN}, Table 3"))
    for depth, width in _BASIC:
        model = WideResNet(depth=depth, width=width, stem="imagenet")
        table[f"{model.name}-imagenet"] = Named(model, 3, 224, 1000, f"{_WRN}, Table 7")
    for depth, width in _BOTTLENECK:
        model = WideResNet(depth=depth, width=width, stem="imagenet", block="bottleneck")
        table[model.name] = Named(model, 3, 224, 1000, f"{_WRN}, Table 8")
    for depth in (16, 40):
        model = WideResNet(depth=depth)
        table[f"{model.name}-digits"] = Named(model, 1, 8, 10, "the preset digits")
    return table


NAMED: dict[str, Named] = _table()


def named(name: str) -> Named:
    """The network called `name`; RecipeError names the nearest one if there is none."""
    if name not in NAMED:
        raise RecipeError(f"no network {name!r}: {nearest(name, NAMED)}")
    return NAMED[name]
