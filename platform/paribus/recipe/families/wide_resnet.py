"""Wide ResNets, the part of a recipe."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from paribus.recipe.families.family import Published, Residual
from paribus.recipe.families.resnet import IMAGENET_UNITS

_BASIC_DEPTHS, _BOTTLENECK_DEPTHS = (18, 34), (50, 101, 152)


class WideResNet(Residual):
    """A Wide ResNet (Zagoruyko and Komodakis 2016, arXiv 1605.07146), `y = shortcut(x) + residual_scale * f(x)`.

    With the `small` stem: WRN-n-k of Table 1, depth n = 6N + 4 and three stages of N pre-activation blocks B(M) of
    width 16k, 32k, 64k; N = (n - 4) / 6 whatever M, as Table 2 counts. With the `imagenet` stem: the four-stage
    post-activation nets of Tables 7 and 8, depth 18 or 34 of basic and 50, 101 or 152 of bottleneck blocks. `width` is
    the paper's k, and `block` the kernels of a block's convs, its M, or `bottleneck`.

    Raises:
        ValueError: a depth that does not fit the stem and the block; it names the nearest ones that do.
    """

    family: Literal["wide_resnet"] = "wide_resnet"
    depth: int = Field(16, ge=1, le=10_000, description="layers; it has to fit the stem and the block")
    block: tuple[int, ...] | Literal["bottleneck"] = (3, 3)
    stem: Literal["small", "imagenet"] = "small"

    @field_validator("block", mode="before")
    @classmethod
    def _block_from_text(cls, value: object) -> object:
        """`3,1,3`, `B(3,1,3)` and `[3, 1, 3]` all mean the kernels (3, 1, 3)."""
        if value == "bottleneck":
            return value
        kernels: object = value
        if isinstance(value, str):
            texts = value.strip().removeprefix("B").strip("()[] ").removesuffix(",").split(",")
            kernels = [int(text) if text.strip().isdecimal() else text for text in texts]
        if not isinstance(kernels, (list, tuple)) or any(type(kernel) is not int for kernel in kernels):
            raise ValueError("should be kernel sizes such as (3, 3) or (3, 1, 3), or 'bottleneck'")
        return tuple(kernels)

    @field_validator("block")
    @classmethod
    def _kernels(cls, value: tuple[int, ...] | str) -> tuple[int, ...] | str:
        if isinstance(value, tuple) and (not 1 <= len(value) <= 8 or any(kernel not in (1, 3) for kernel in value)):
            raise ValueError("a block B(M) has 1 to 8 convolutions with kernels 1 or 3, such as (3, 3) or (3, 1, 3)")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.stem == "small":
            self._fits_small()
        else:
            self._fits_imagenet()
        if self.se.place == "inside" and self.block != "bottleneck" and 3 not in self.block[:-1]:
            raise ValueError(
                f"se.place 'inside' lies behind a 3x3 conv that is not the last, and block {self.block} has none: "
                "take a block such as (3, 3) or (1, 3, 1), or se.place 'standard'"
            )
        return self

    def _fits_small(self) -> None:
        if self.block == "bottleneck":
            raise ValueError(
                "block 'bottleneck' belongs to the imagenet stem (Table 8); with the small stem give kernels: (3, 3)"
            )
        if self.depth < 10 or (self.depth - 4) % 6:
            below = self.depth - (self.depth - 4) % 6
            near = f"the nearest are {below} and {below + 6}" if self.depth > 10 else "the nearest is 10"
            raise ValueError(f"depth {self.depth} is not 6N + 4 (three stages of N blocks, WRN Table 1): {near}")

    def _fits_imagenet(self) -> None:
        allowed = _BOTTLENECK_DEPTHS if self.block == "bottleneck" else _BASIC_DEPTHS
        if self.block not in ("bottleneck", (3, 3)):
            raise ValueError("with the imagenet stem the block is (3, 3) (Table 7) or 'bottleneck' (Table 8)")
        if self.depth not in allowed:
            near = min(allowed, key=lambda depth: abs(depth - self.depth))
            raise ValueError(
                f"depth {self.depth} with the imagenet stem and block {self.block!r}: allowed are "
                f"{', '.join(map(str, allowed))}; the nearest is {near}"
            )

    @property
    def num_stages(self) -> int:
        return 3 if self.stem == "small" else 4

    @property
    def num_units(self) -> tuple[int, ...]:
        """Residual units of each stage: (N, N, N), or four numbers with the imagenet stem."""
        return (((self.depth - 4) // 6,) * 3) if self.stem == "small" else IMAGENET_UNITS[self.depth]

    @property
    def name(self) -> str:
        """The paper's name, such as `WRN-28-10`."""
        kernels = self.block if isinstance(self.block, str) else f"B({','.join(map(str, self.block))})"
        kind = "" if self.block == (3, 3) else f"-{kernels}"
        return self.with_se(f"WRN-{self.depth}-{self.width:g}{kind}")

    @classmethod
    def published(cls) -> dict[str, Published]:
        table: dict[str, Published] = {}
        for depth, width in _CIFAR:
            model = cls(depth=depth, width=width)
            table[model.name] = Published(model, 3, 32, 10, f"{_PAPER}, Tables 4 to 6")
        for depth, kernels in _TABLE_2:
            model = cls(depth=depth, width=2.0, block=kernels)
            table.setdefault(model.name, Published(model, 3, 32, 10, f"{_PAPER}, Table 2"))
        for depth, num_convs in _TABLE_3:
            model = cls(depth=depth, width=2.0, block=(3,) * num_convs)
            table.setdefault(model.name, Published(model, 3, 32, 10, f"{_PAPER}, Table 3"))
        for depth, width in _BASIC:
            model = cls(depth=depth, width=width, stem="imagenet")
            table[f"{model.name}-imagenet"] = Published(model, 3, 224, 1000, f"{_PAPER}, Table 7")
        for depth, width in _BOTTLENECK:
            model = cls(depth=depth, width=width, stem="imagenet", block="bottleneck")
            table[model.name] = Published(model, 3, 224, 1000, f"{_PAPER}, Table 8")
        for depth in (16, 40):
            model = cls(depth=depth)
            table[f"{model.name}-digits"] = Published(model, 1, 8, 10, "the preset digits")
        return table


_PAPER = "Zagoruyko and Komodakis 2016"
_CIFAR = ((40, 1.0), (40, 2.0), (40, 4.0), (40, 8.0), (40, 10.0), (28, 2.0), (28, 10.0), (28, 12.0), (22, 8.0),
          (22, 10.0), (16, 1.0), (16, 2.0), (16, 4.0), (16, 8.0), (16, 10.0), (52, 1.0))  # fmt: skip
# Table 2 counts depth as 6N + 4 whatever the block, and each row has its own depth.
_TABLE_2 = ((40, (1, 3, 1)), (40, (3, 1)), (40, (1, 3)), (40, (3, 1, 1)), (28, (3, 3)), (22, (3, 1, 3)))
# Table 3 holds the convolutions, and so the parameters, constant: N = 12, 6, 4 and 3 blocks of l convolutions.
_TABLE_3 = ((76, 1), (40, 2), (28, 3), (22, 4))
_BASIC = ((18, 1.0), (18, 1.5), (18, 2.0), (18, 3.0), (34, 1.0), (34, 1.5), (34, 2.0))
_BOTTLENECK = ((50, 1.0), (50, 2.0), (101, 2.0))
