"""The training images of a split: those of the source below, cropped, padded, flipped and transformed."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.data.augment import Draw, crop_boxes, mirrored, varied
from paribus.data.pixel_source import Crops, Positions, RowSource
from paribus.data.transforms import is_transformed, transformed
from paribus.images.decode import Pixels
from paribus.recipe.data import Augment
from paribus.shards.index import Index


@dataclass(frozen=True)
class Augmented:
    """A source of rows, varied on the host as `augment` says; cutout and erasing come later, on the device."""

    below: RowSource
    index: Index
    augment: Augment

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        return self.below.ahead(positions)

    def fill(
        self, positions: Positions, out: Pixels, draw: Draw | None = None, crops: Crops | None = None
    ) -> NDArray[np.bool_]:
        if draw is None:
            return self.below.fill(positions, out, None, crops)
        good = self.below.fill(positions, out, draw, self.crops(positions, draw))
        if (images := self.finished(out, draw)) is not out:
            out[:] = images
        return good

    @property
    def changes(self) -> bool:
        """Whether anything is done to the images of the source below."""
        augment = self.augment
        return augment.crop != "none" or augment.flip or is_transformed(augment)

    def image(self, row: int) -> Pixels | None:
        return self.below.image(row)

    def crops(self, positions: Positions, draw: Draw) -> Crops | None:
        """Where the images at `positions` are cut, if they are cut from the stored ones."""
        if self.augment.crop != "random_resized":
            return None
        rows = self.index.rows[positions]
        heights, widths = rows["height"].astype(np.int64), rows["width"].astype(np.int64)
        boxes = crop_boxes(heights, widths, self.augment.min_area, draw)
        flipped = mirrored(draw) if self.augment.flip else np.zeros(len(positions), bool)
        return Crops(np.stack(boxes, axis=1), flipped)

    def finished(self, images: Pixels, draw: Draw) -> Pixels:
        """Viewed or cropped images, padded, flipped, and through the recipe's transforms; the same array if none."""
        augment = self.augment
        if augment.crop == "pad" or (augment.flip and augment.crop != "random_resized"):
            images = varied(images, augment, draw)
        return transformed(images, augment, draw) if is_transformed(augment) else images
