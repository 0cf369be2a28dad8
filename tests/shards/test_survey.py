"""Mean, sd and sizes of a set: exact, whatever the images' sizes, and however they are parted among makers."""

import numpy as np
import pytest

from paribus.images.decode import Pixels
from paribus.images.png import encode_png
from paribus.shards.making.survey import Survey
from paribus.shards.sources.source import File


def surveyed(images: list[Pixels], known: bool = True) -> Survey:
    survey = Survey()
    for number, pixels in enumerate(images):
        file = File(suffix="png", data=encode_png(pixels), pixels=pixels if known else None)
        assert survey.see(file, f"train: {number}", train=True) == pixels.shape[:2]
    return survey


@pytest.fixture
def images() -> list[Pixels]:
    generator = np.random.Generator(np.random.Philox(key=3))
    sides = generator.integers(1, 90, (20, 2)).tolist()
    return [generator.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in sides]


@pytest.mark.parametrize("known", [True, False])
def test_sums_are_those_of_all_pixels_to_the_last_digit(images: list[Pixels], known: bool) -> None:
    # The tallest image that there may be, all white: its columns' squares just fit.
    images.append(np.full((65_535, 2, 3), 255, np.uint8))
    survey = surveyed(images, known)
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]).astype(np.int64)
    assert survey.pixels == len(pixels)
    assert survey.total == pixels.sum(0).tolist()
    assert survey.squares == (pixels**2).sum(0).tolist()
    mean, sd = survey.mean_and_sd(3)
    np.testing.assert_allclose(mean, pixels.mean(0) / 255, rtol=1e-9)
    np.testing.assert_allclose(sd, pixels.std(0) / 255, rtol=1e-9)
    assert survey.smallest == (min(image.shape[0] for image in images), min(image.shape[1] for image in images))
    assert survey.largest == (65_535, max(image.shape[1] for image in images))


def test_parts_add_up_to_the_whole_in_any_order(images: list[Pixels]) -> None:
    parts = [surveyed(images[start::3]) for start in range(3)]
    whole = Survey()
    for part in reversed(parts):
        whole.add(part)
    assert whole == surveyed(images)
    empty = Survey()
    empty.add(Survey())
    assert empty == Survey()


def test_grey_images_count_in_every_channel_and_one_coloured_one_makes_the_set_coloured(images: list[Pixels]) -> None:
    grey = [image[:, :, :1] for image in images]
    assert surveyed(grey).grey
    assert surveyed(grey, known=False).grey
    assert surveyed(grey).total == surveyed(grey, known=False).total
    assert len(set(surveyed(grey).total)) == 1
    assert not surveyed([*grey, images[0]]).grey
    assert not surveyed([*grey, images[0]], known=False).grey


def test_what_is_not_for_training_is_measured_and_not_summed(images: list[Pixels]) -> None:
    survey = Survey()
    survey.see(File(suffix="png", data=b"", pixels=images[0]), "test: 0", train=False)
    assert survey.pixels == 0
    assert survey.largest == images[0].shape[:2]
