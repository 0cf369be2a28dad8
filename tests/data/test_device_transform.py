"""What happens to pixels on the device, against the textbook."""

import numpy as np
import pytest
import torch

from paribus.data.augment import Draw
from paribus.data.device_transform import Colour, DeviceTransform, cut_out
from paribus.recipe.data import Augment
from paribus.shards.counters import sample_ids
from paribus.shards.input_times import InputTimes

DRAW = Draw(sample_ids([f"sample-{number}" for number in range(50)]), 3, 1)


@pytest.mark.parametrize("side", [1, 2, 5, 8])
def test_cutout_fills_a_clipped_square_and_nothing_else(side: int) -> None:
    images = np.arange(50 * 3 * 8 * 9, dtype=np.float32).reshape(50, 3, 8, 9) + 1
    fill = np.array([-1, -2, -3], np.float64)
    cut = cut_out(torch.from_numpy(images), side, fill, DRAW).numpy()
    rows, columns = DRAW.integers(8, "cutout row"), DRAW.integers(9, "cutout column")
    for got, image, row, column in zip(cut, images, rows, columns, strict=True):
        expected = image.copy()
        for y in range(8):
            for x in range(9):
                if 0 <= y - (row - side // 2) < side and 0 <= x - (column - side // 2) < side:
                    expected[:, y, x] = fill
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 3])
def test_scaling_is_the_textbook_formula(channels: int, memory_format: torch.memory_format) -> None:
    images = np.random.Generator(np.random.Philox(key=5)).integers(0, 256, (50, 6, 5, channels), dtype=np.uint8)
    mean, sd = np.linspace(0.3, 0.5, channels), np.linspace(0.2, 0.4, channels)
    wanted = {True: (images / 255 - mean) / sd, False: images / 255}
    for normalise, expected in wanted.items():
        finish = DeviceTransform(Colour(mean, sd, normalise), Augment(), None, InputTimes())
        got = finish(torch.from_numpy(images), torch.device("cpu"), memory_format)
        assert got.dtype == torch.float32
        assert got.is_contiguous(memory_format=memory_format)
        np.testing.assert_allclose(got.numpy(), expected.transpose(0, 3, 1, 2), atol=2e-6)
