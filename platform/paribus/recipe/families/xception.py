"""Xception, the part of a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from paribus.recipe.families.family import Published, Residual


class Xception(Residual):
    """Xception (Chollet 2017, arXiv 1610.02357, figure 5): modules of depthwise separable convs with residual sums.

    Three flows, which `se.stages` counts from 1: entry (128, 256, 728 channels, each halving the map), middle
    (`middle_modules` of 728), exit (1024, then 1536 and 2048 without a sum). `shortcut_scale` = 0 is the net without
    residual connections (figure 9), `intermediate` the activation between the depthwise and the pointwise conv (figure
    10: none is best). The `imagenet` stem has a stride and no padding, the `small` one neither stride nor loss of
    pixels. `hidden` are fully connected layers before the classifier; the JFT nets have two of 4096 (section 4.3).

    The paper states no epsilon for batch norm: it is 1e-5 here, as in timm's `legacy_xception`; Keras has 1e-3, and
    pads the pools of even maps at their far side alone.
    """

    family: Literal["xception"] = "xception"
    stem: Literal["small", "imagenet"] = "small"
    middle_modules: int = Field(8, ge=1, le=1000, description="depth of the middle flow, three convs a module")
    intermediate: Literal["none", "relu", "elu"] = "none"
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="units of each fully connected layer before the classifier"
    )

    @property
    def num_stages(self) -> int:
        return 3

    @property
    def min_size(self) -> int:
        return 7 if self.stem == "imagenet" else 1

    @property
    def name(self) -> str:
        depth = "" if self.middle_modules == 8 else f"-middle{self.middle_modules}"
        return self.with_se(f"Xception{depth}" + ("" if self.width == 1 else f"-x{self.width:g}"))

    @classmethod
    def published(cls) -> dict[str, Published]:
        model = cls(stem="imagenet", dropout=0.5, dropout_placement="head")
        jft = cls(stem="imagenet", hidden=(4096, 4096))
        return {
            "Xception": Published(model, 3, 299, 1000, f"{_PAPER}, Figure 5 and Table 3"),
            "Xception-JFT-fc": Published(jft, 3, 299, 17_000, f"{_PAPER}, Table 2, with fully connected layers"),
        }


_PAPER = "Chollet 2017 (1610.02357)"
