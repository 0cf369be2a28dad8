"""Fast crops against exact ones: at most 2 of 255 in the mean, over photographs, sides, qualities and subsamplings."""

from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from paribus.data.augment import Draw, crop_boxes
from paribus.data.counters import sample_ids
from paribus.data.crop import crop

SIZES = (64, 112, 160, 224)
NUM_BOXES = 8
KEYS = [f"box-{number}" for number in range(NUM_BOXES)]


def photographs() -> dict[str, NDArray[np.uint8]]:
    """Colour photographs of 300x451 to 427x640 pixels, and a page of print-like texture, that packages carry."""
    found = dict(zip(("china", "flower"), load_sample_images().images, strict=True))
    for name in ("astronaut", "cat", "coffee", "rocket", "immunohistochemistry", "grass", "gravel"):
        found[name] = getattr(skimage.data, name)()
    grace_hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    found["grace_hopper"] = np.asarray(Image.open(grace_hopper))
    return found


PHOTOGRAPHS = photographs()


def as_jpeg(pixels: NDArray[np.uint8], quality: int, subsampling: int, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.fromarray(pixels).convert("RGB").save(buffer, "JPEG", quality=quality, subsampling=subsampling, exif=exif)
    return buffer.getvalue()


def errors(pixels: NDArray[np.uint8], size: int, quality: int, subsampling: int, orientation: int) -> list[float]:
    """Mean absolute difference, of 255, of each fast crop from the exact one."""
    data = as_jpeg(pixels, quality, subsampling, orientation)
    height, width = pixels.shape[:2] if orientation < 5 else pixels.shape[1::-1]
    draw = Draw(sample_ids([f"{key} {size} {orientation}" for key in KEYS]), 1, 1)
    found = []
    for box in zip(*crop_boxes(np.full(NUM_BOXES, height), np.full(NUM_BOXES, width), 0.08, draw), strict=True):
        exact, fast = (np.empty((size, size, 3), np.uint8) for _ in range(2))
        for out in (exact, fast):
            crop(data, 3, tuple(int(number) for number in box), out, exact=out is exact)  # type: ignore[arg-type]
        found.append(float(np.abs(exact.astype(int) - fast).mean()))
    return found


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_fast_crops_of_a_photograph_differ_by_at_most_two_in_the_mean(name: str) -> None:
    for size in SIZES:
        found: list[float] = []
        for orientation, (quality, subsampling) in enumerate(((75, 2), (90, 2), (90, 1), (97, 0)), start=1):
            turned = orientation if size == SIZES[0] else 5 + orientation % 4
            found += errors(PHOTOGRAPHS[name], size, quality, subsampling, turned)
        assert np.mean(found) <= 2, size
        assert max(found) <= 3.5, size
        if size == SIZES[0]:
            assert np.median(found) > 0.2, "nothing was decoded at a smaller scale"


def test_fast_crops_differ_by_at_most_two_in_the_mean_over_all_photographs() -> None:
    found = [
        error
        for pixels in PHOTOGRAPHS.values()
        for size in SIZES
        for error in errors(pixels, size, quality=90, subsampling=2, orientation=1)
    ]
    assert np.mean(found) <= 1
