"""The network of a recipe: one frozen part per model family, told apart by `family`."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from paribus.recipe.part import Part

Placement = Literal["none", "branch", "shortcut", "head"]
IMAGENET_UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
_BASIC_DEPTHS, _BOTTLENECK_DEPTHS = (18, 34), (50, 101, 152)


class WideResNet(Part):
    """A Wide ResNet (Zagoruyko and Komodakis 2016, arXiv 1605.07146), `y = shortcut(x) + residual_scale * f(x)`.

    With the `small` stem: WRN-n-k of Table 1, depth n = 6N + 4 and three stages of N pre-activation blocks B(M) of
    width 16k, 32k, 64k; N = (n - 4) / 6 whatever M, as Table 2 counts. With the `imagenet` stem: the four-stage
    post-activation nets of Tables 7 and 8, depth 18 or 34 of basic and 50, 101 or 152 of bottleneck blocks.

    Raises:
        ValueError: a depth that does not fit the stem and the block; it names the nearest ones that do.
    """

    family: Literal["wide_resnet"] = "wide_resnet"
    depth: int = Field(16, ge=1, le=10_000)
    width: float = Field(1.0, gt=0, le=64, description="the widening factor k; may be fractional")
    block: tuple[int, ...] | Literal["bottleneck"] = (3, 3)
    stem: Literal["small", "imagenet"] = "small"
    dropout: float = Field(0.0, ge=0, lt=1)
    dropout_placement: Placement = "none"
    residual_scale: float = Field(1.0, gt=0, le=10)
    norm: Literal["batch", "none"] = "batch"

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
    def num_units(self) -> tuple[int, ...]:
        """Residual units of each stage: (N, N, N), or four numbers with the imagenet stem."""
        return (((self.depth - 4) // 6,) * 3) if self.stem == "small" else IMAGENET_UNITS[self.depth]

    @property
    def name(self) -> str:
        """The paper's name, such as `WRN-28-10`."""
        kernels = self.block if isinstance(self.block, str) else f"B({','.join(map(str, self.block))})"
        kind = "" if self.block == (3, 3) else f"-{kernels}"
        return f"WRN-{self.depth}-{self.width:g}{kind}"


# A further family joins this union, and `family` tells its members apart.
Model = WideResNet
