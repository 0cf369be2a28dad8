"""Each augmentation against a plain, slow reference, sample by sample."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare, kstest

from paribus.data.augment import Draw, crop_boxes, flip, pad_crop, varied
from paribus.recipe.data import Augment
from paribus.shards.counters import sample_ids

KEYS = [f"sample-{number}" for number in range(50)]


def draw_of(keys: list[str], seed: int = 3, epoch: int = 1) -> Draw:
    return Draw(sample_ids(keys), seed, epoch)


def images_of(shape: tuple[int, ...], num: int = 50) -> NDArray[np.uint8]:
    return np.random.Generator(np.random.Philox(key=5)).integers(0, 256, (num, *shape), dtype=np.uint8)


@pytest.mark.parametrize(("shape", "pad"), [((8, 8, 1), 4), ((8, 8, 1), 7), ((9, 6, 3), 2), ((32, 32, 3), 4)])
def test_pad_crop_is_numpys_reflect_padding_and_a_slice(shape: tuple[int, int, int], pad: int) -> None:
    images, draw = images_of(shape), draw_of(KEYS)
    height, width, _ = shape
    tops, lefts = draw.integers(2 * pad + 1, "crop row"), draw.integers(2 * pad + 1, "crop column")
    for got, image, top, left in zip(pad_crop(images, pad, draw), images, tops, lefts, strict=True):
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
        np.testing.assert_array_equal(got, padded[top : top + height, left : left + width])


def test_flip_mirrors_columns_of_half_the_samples() -> None:
    images, draw = images_of((5, 6, 3)), draw_of(KEYS)
    mirrored = draw.uniforms("flip") < 0.5
    assert 10 < mirrored.sum() < 40
    for got, image, mirror in zip(flip(images, draw), images, mirrored, strict=True):
        np.testing.assert_array_equal(got, np.fliplr(image) if mirror else image)


@pytest.mark.parametrize(("height", "width"), [(20, 20), (30, 50), (90, 11), (1, 1)])
@pytest.mark.parametrize("min_area", [0.08, 0.5, 1.0])
def test_crop_boxes_are_the_first_of_ten_that_fits_else_the_central_one(
    height: int, width: int, min_area: float
) -> None:
    draw = draw_of(KEYS)
    boxes = crop_boxes(np.full(50, height), np.full(50, width), min_area, draw)
    for row, box in enumerate(zip(*boxes, strict=True)):
        one = draw_of([KEYS[row]])
        assert box == _plain_box(height, width, min_area, one)


def _plain_box(height: int, width: int, min_area: float, draw: Draw) -> tuple[int, int, int, int]:
    for attempt in range(10):
        area = height * width * (min_area + (1 - min_area) * draw.uniforms(f"area {attempt}")[0])
        aspect = math.exp(math.log(4 / 3) * (2 * draw.uniforms(f"aspect {attempt}")[0] - 1))
        h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 1 <= h <= height and 1 <= w <= width:
            top = int(draw.uniforms("box row")[0] * (height - h + 1))
            left = int(draw.uniforms("box column")[0] * (width - w + 1))
            return top, left, h, w
    h, w = min(height, round(width * 4 / 3)), min(width, round(height * 4 / 3))
    return (height - h) // 2, (width - w) // 2, h, w


def test_crop_boxes_cover_the_area_that_was_asked_for() -> None:
    keys = [f"box-{number}" for number in range(4000)]
    top, left, h, w = crop_boxes(np.full(4000, 400), np.full(4000, 400), 0.08, draw_of(keys))
    share = h * w / 400**2
    assert share.min() > 0.079
    assert share.max() <= 1
    assert (w / h).min() > 0.74
    assert (w / h).max() < 1.35
    assert (top + h <= 400).all()
    assert (left + w <= 400).all()
    # Boxes near the whole area often do not fit and are drawn again; below 3/4 every box fits, so those are uniform.
    small = share[share < 0.7]
    assert kstest(small, "uniform", args=(0.08, 0.62)).pvalue > 1e-3


def test_a_samples_draw_does_not_know_its_batch() -> None:
    augment = Augment(crop="pad", pad=3, flip=True)
    images = images_of((8, 8, 3))
    together = varied(images, augment, draw_of(KEYS))
    for row in (0, 7, 49):
        alone = varied(images[row : row + 1], augment, draw_of([KEYS[row]]))
        np.testing.assert_array_equal(alone[0], together[row])
    backwards = varied(images[::-1], augment, draw_of(KEYS[::-1]))
    np.testing.assert_array_equal(backwards[::-1], together)


def test_draws_differ_between_seeds_epochs_and_purposes() -> None:
    seen = {draw_of(KEYS, seed, epoch).uniforms(purpose).tobytes()
            for seed in range(5) for epoch in range(5) for purpose in ("flip", "crop row", "crop column")}  # fmt: skip
    assert len(seen) == 75


def test_crop_rows_and_columns_are_uniform_and_independent() -> None:
    draw = draw_of([f"k{number}" for number in range(8100)])
    table = np.zeros((9, 9))
    np.add.at(table, (draw.integers(9, "crop row"), draw.integers(9, "crop column")), 1)
    assert chisquare(table.ravel()).pvalue > 1e-3
