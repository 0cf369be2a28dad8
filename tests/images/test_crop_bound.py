"""Fast crops against exact ones: at most 2 of 255 in the mean, over photographs, sides, qualities and subsamplings."""

from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped]
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from paribus.data.augment import Draw, crop_boxes
from paribus.images.crop import crop
from paribus.shards.counters import sample_ids

SIZES = (64, 112, 160, 224)
NUM_BOXES = 6
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


def differences(
    pixels: NDArray[np.uint8], size: int, quality: int, subsampling: int, orientation: int
) -> list[NDArray[np.int64]]:
    """Fast less exact, (H, W, C), of some random crops."""
    data = as_jpeg(pixels, quality, subsampling, orientation)
    height, width = pixels.shape[:2] if orientation < 5 else pixels.shape[1::-1]
    draw = Draw(sample_ids([f"{key} {size} {orientation}" for key in KEYS]), 1, 1)
    heights, widths = np.full(NUM_BOXES, height), np.full(NUM_BOXES, width)
    found = []
    for box in np.stack(crop_boxes(heights, widths, 0.08, draw), axis=1).tolist():
        exact, fast = (np.empty((size, size, 3), np.uint8) for _ in range(2))
        crop(data, 3, tuple(box), exact, exact=True)
        crop(data, 3, tuple(box), fast, exact=False)
        found.append(fast.astype(np.int64) - exact)
    return found


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_fast_crops_of_a_photograph_differ_by_at_most_two_in_the_mean(name: str) -> None:
    for size in SIZES:
        found: list[NDArray[np.int64]] = []
        for orientation, (quality, subsampling) in enumerate(((75, 2), (90, 2), (90, 1), (97, 0)), start=1):
            turned = orientation if size == SIZES[0] else 5 + orientation % 4
            found += differences(PHOTOGRAPHS[name], size, quality, subsampling, turned)
        assert np.abs(found).mean() <= 2, size
        assert np.abs(found).mean(axis=(1, 2, 3)).max() <= 3.5, size


def test_fast_crops_differ_by_little_over_one_in_the_mean_over_all_photographs() -> None:
    for size in SIZES:
        found = [
            crop
            for pixels in PHOTOGRAPHS.values()
            for crop in differences(pixels, size, quality=90, subsampling=2, orientation=1)
        ]
        assert np.abs(found).mean() <= 1.3, size
        # The fast transform darkens red and blue.
        assert np.abs(np.mean(found, axis=(0, 1, 2))).max() <= 1.5, size


@pytest.mark.parametrize(
    ("box", "size", "eighths"),
    [
        ((0, 0, 400, 640), 150, 4),
        ((0, 0, 400, 640), 224, 8),
        ((0, 0, 400, 400), 160, 4),
        ((3, 8, 400, 400), 64, 2),
        ((0, 0, 420, 640), 40, 1),
        ((0, 0, 200, 640), 224, 8),
        ((0, 0, 400, 640), 7, 8),
    ],
)
def test_as_few_pixels_are_decoded_as_the_outputs_need(
    box: tuple[int, int, int, int], size: int, eighths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    decode = simplejpeg.decode_jpeg

    def seen(*args: object, **options: object) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = decode(*args, **options)
        decoded.append(pixels.shape)
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", seen)
    crop(as_jpeg(PHOTOGRAPHS["china"], 90, 2, 1), 3, box, np.empty((size, size, 3), np.uint8), exact=False)
    # 427 rows; a row of blocks has 16.
    num_rows = min(427, (box[0] + box[2]) // 16 * 16 + 16)
    assert decoded == [(-(-num_rows * eighths // 8), 640 * eighths // 8, 3)]
