"""The resampler against Pillow's, and the grids of scaled decoding."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from paribus.images.crop import crop_pixels
from paribus.images.resample import Axis, resample_scaled, scaled_axis

PHOTO: NDArray[np.uint8] = load_sample_images().images[0]


def pillow(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.int64]:
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    return np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR), np.int64).reshape(*size, -1)


@pytest.mark.parametrize("size", [(224, 224), (64, 112), (33, 10), (8, 8)])
@pytest.mark.parametrize("box", [(20, 30, 300, 330), (0, 0, 427, 640), (100, 7, 50, 61), (3, 0, 37, 500), (5, 6, 1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_resized_box_is_at_most_one_from_pillows(
    box: tuple[int, int, int, int], size: tuple[int, int], channels: int
) -> None:
    photo = PHOTO[:, :, :channels]
    photo.setflags(write=False)
    out = np.empty((*size, channels), np.uint8)
    crop_pixels(photo, box, out)
    top, left, height, width = box
    expected = pillow(photo[top : top + height, left : left + width], size)
    differences = np.abs(out.astype(int) - expected)
    assert differences.max() <= 1
    assert differences.mean() < 0.02
    mirrored = np.empty_like(out)
    crop_pixels(photo, box, mirrored, flip=True)
    np.testing.assert_array_equal(mirrored, out[:, ::-1])


def test_a_box_of_the_size_of_the_output_is_copied() -> None:
    out = np.empty((48, 64, 3), np.uint8)
    crop_pixels(PHOTO, (9, 11, 48, 64), out)
    np.testing.assert_array_equal(out, PHOTO[9:57, 11:75])


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 0, 5), (423, 0, 5, 5), (0, 636, 5, 5)])
def test_a_box_outside_the_image_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not lie in an image of 427x640"):
        crop_pixels(PHOTO, box, np.empty((4, 4, 3), np.uint8))


@pytest.mark.parametrize("eighths", [1, 2, 4])
def test_grids_in_a_scaled_image_lie_within_a_fifth_of_an_output_of_the_boxs(eighths: int) -> None:
    found = 0
    for start in range(0, 60, 7):
        for length in range(200, 400, 3):
            num = 20
            axis = scaled_axis(start, length, eighths, num)
            if axis is None:
                continue
            found += 1
            wanted = (start + length * np.linspace(0, 1, num + 1)) * eighths / 8
            got = axis.start + axis.scale * (axis.lead + np.arange(num + 1))
            assert np.abs(got - wanted).max() <= length * eighths / 8 / num / 5 + 1e-9
            assert got[-1] == pytest.approx(wanted[-1])
            assert 0 <= axis.start < axis.stop < (start + length) * eighths / 8 + 1
    assert found > 500


@pytest.mark.parametrize(("start", "length", "num"), [(41, 201, 80), (34, 251, 64), (0, 320, 100), (107, 333, 90)])
def test_a_scaled_grid_samples_a_ramp_where_the_box_does(start: int, length: int, num: int) -> None:
    # Value of the decoded pixel p, whose centre lies at 2 p + 1 of the full size: a ramp of half a step a pixel.
    full = np.linspace(0, 255, 512)
    half = np.rint(full.reshape(-1, 2).mean(axis=1)).astype(np.uint8)
    axis = scaled_axis(start, length, 4, num)
    assert axis is not None
    pixels = np.tile(half[:, None, None], (1, 4, 1))
    out = np.empty((num, 4, 1), np.uint8)
    resample_scaled(pixels, axis, Axis(0, 4, 0, 4 / 4), out)
    got = out[:, 1, 0]
    centres = start + (np.arange(num) + 0.5) * length / num - 0.5
    assert np.abs(got[2:-2] - np.interp(centres, np.arange(512), full)[2:-2]).max() < 0.8
