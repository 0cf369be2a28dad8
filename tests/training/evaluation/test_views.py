"""Crop geometry against the papers' own words and numbers."""

from collections import Counter

import pytest

from paribus.images.decode import sides
from paribus.training.evaluation.views import VIEWS, Box, View, corners_and_centre, scaled_short, squares, views

# An ImageNet image of 375 x 500, whose shorter side becomes 256: 256 x 341.
LANDSCAPE = (375, 500)


def test_ten_crops_are_four_corners_and_the_centre_of_the_central_256_and_their_mirrors() -> None:
    # AlexNet, section 2 (the central 256 x 256) and section 4.1 (five 224 x 224 patches and their reflections).
    left = (341 - 256) // 2
    places = [(0, left), (0, left + 32), (32, left), (32, left + 32), (16, left + 16)]
    expected = {View(256, Box(top, x, 224, 224), mirrored) for top, x in places for mirrored in (False, True)}
    assert set(views("10", *LANDSCAPE, 224)) == expected
    assert len(views("10", *LANDSCAPE, 224)) == 10


def test_twelve_crops_add_the_whole_square_shrunk_to_the_input() -> None:
    extra = set(views("12", *LANDSCAPE, 224)) - set(views("10", *LANDSCAPE, 224))
    assert extra == {View(256, Box(0, 42, 256, 256), mirrored, shrunk=True) for mirrored in (False, True)}


def test_144_crops_are_those_of_googlenet() -> None:
    # Section 7: shorter side 256, 288, 320, 352; left, centre and right square; four corners, the centre and the
    # square itself resized; and mirrors: 4 x 3 x 6 x 2.
    found = views("144", *LANDSCAPE, 224)
    assert len(found) == len(set(found)) == 144
    assert Counter(look.short for look in found) == {256: 36, 288: 36, 320: 36, 352: 36}
    assert Counter(look.mirrored for look in found) == {False: 72, True: 72}
    whole = {look.box for look in found if look.shrunk and look.short == 288}
    width = round(500 * 288 / 375)
    assert whole == {Box(0, 0, 288, 288), Box(0, (width - 288) // 2, 288, 288), Box(0, width - 288, 288, 288)}
    corners = {look.box[:2] for look in found if look.short == 352 and not look.shrunk and look.box.left < 200}
    assert {(0, 0), (0, 128), (128, 0), (128, 128), (64, 64)} <= corners, "of the left square, 352 - 224 = 128"
    assert set(views("12", *LANDSCAPE, 224)) < set(found)


def test_a_portrait_has_top_centre_and_bottom_squares() -> None:
    assert squares(341, 256) == (Box(0, 0, 256, 256), Box(42, 0, 256, 256), Box(85, 0, 256, 256))
    tall = {look.box for look in views("144", 500, 375, 224) if look.shrunk and look.short == 256}
    assert tall == {Box(0, 0, 256, 256), Box(42, 0, 256, 256), Box(85, 0, 256, 256)}
    turned = {
        look._replace(box=Box(look.box.left, look.box.top, *look.box[2:])) for look in views("144", 500, 375, 224)
    }
    assert turned == set(views("144", *LANDSCAPE, 224)), "a portrait is a landscape, turned"


def test_the_squares_of_a_square_image_are_one_and_count_three_times() -> None:
    found = Counter(views("144", 300, 300, 224))
    assert len(found) == 48
    assert set(found.values()) == {3}


def test_dense_looks_are_whole_images_at_the_scales_of_resnet() -> None:
    # ResNet, section 3.4: shorter side in {224, 256, 384, 480, 640}; VGG, section 3.2: mirrored too.
    found = views("dense", *LANDSCAPE, 224)
    assert [look.short for look in found if not look.mirrored] == [224, 256, 384, 480, 640]
    assert all(look.box == Box(0, 0, *sides(*LANDSCAPE, look.short)) for look in found)
    assert sum(look.mirrored for look in found) == 5


@pytest.mark.parametrize(
    ("size", "shorts"),
    [(224, (256, 288, 320, 352)), (299, (342, 384, 427, 470)), (28, (32, 36, 40, 44)), (8, (9, 10, 11, 13))],
)
def test_scales_are_ratios_of_the_inputs_side(size: int, shorts: tuple[int, ...]) -> None:
    assert tuple(scaled_short(scale, size) for scale in (256, 288, 320, 352)) == shorts
    assert sorted({look.short for look in views("144", size, size, size)}) == list(shorts)


@pytest.mark.parametrize("crops", VIEWS)
@pytest.mark.parametrize("size", [4, 8, 28, 79, 224, 299])
@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (375, 500), (500, 375), (33, 1000), (1000, 33), (224, 225)])
def test_no_look_leaves_the_image(crops: str, size: int, shape: tuple[int, int]) -> None:
    found = views(crops, *shape, size)
    for look in found:
        height, width = sides(*shape, look.short)
        assert 0 <= look.box.top <= look.box.top + look.box.height <= height
        assert 0 <= look.box.left <= look.box.left + look.box.width <= width
        assert crops == "dense" or look.shrunk or look.box[2:] == (size, size)
        assert View(look.short, look.box, not look.mirrored, look.shrunk) in found, "every look has its mirror"


def test_five_boxes_of_a_square_that_is_the_input_are_one() -> None:
    assert set(corners_and_centre(Box(3, 5, 8, 8), 8)) == {Box(3, 5, 8, 8)}
