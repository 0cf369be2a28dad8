"""From bytes to pixels: every mode, every break, and the fixed views."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from paribus.data.decode import decode, is_grey, resize, view
from paribus.data.errors import UndecodableError
from paribus.data.png import encode_png


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = load_sample_images().images[0][100:164, 200:296]
    return pixels


def stored(image: Image.Image, kind: str) -> bytes:
    buffer = BytesIO()
    # Quality and sampling matter to JPEG alone: little loss, so that the comparison can be close.
    image.save(buffer, kind, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_png_is_lossless(photo: NDArray[np.uint8], channels: int) -> None:
    # The whole photograph takes more than one of deflate's stored blocks.
    for pixels in (photo[:, :, :channels], load_sample_images().images[1][:, :, :channels]):
        np.testing.assert_array_equal(decode(encode_png(pixels), channels), pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_eight_bit_mode_decodes_to_the_channels_asked_for(
    photo: NDArray[np.uint8], mode: str, channels: int
) -> None:
    data = stored(Image.fromarray(photo).convert(mode), "PNG")
    assert decode(data, channels).shape == (64, 96, channels)
    assert is_grey(data) == (mode in ("1", "L", "LA"))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_decodes_near_what_it_was_made_from(photo: NDArray[np.uint8], mode: str, channels: int) -> None:
    image = Image.fromarray(photo).convert(mode)
    expected = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(64, 96, channels)
    assert np.abs(decode(stored(image, "JPEG"), channels).astype(int) - expected).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_cut_file_does_not_decode(photo: NDArray[np.uint8], kind: str) -> None:
    data = stored(Image.fromarray(photo), kind)
    for length in (0, 1, 10, len(data) // 2, len(data) - 200):
        with pytest.raises(UndecodableError):
            decode(data[:length], 3)


def test_sixteen_bit_samples_are_refused_rather_than_clipped() -> None:
    data = stored(Image.fromarray(np.full((4, 4), 40_000, np.uint16)), "PNG")
    with pytest.raises(UndecodableError, match="8-bit"):
        decode(data, 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_broken_bytes_either_decode_or_are_named_undecodable(photo: NDArray[np.uint8], kind: str) -> None:
    data = stored(Image.fromarray(photo[:16, :16]), kind)
    generator = np.random.Generator(np.random.Philox(key=3))
    outcomes = set()
    for _ in range(300):
        broken = bytearray(data)
        for place in generator.integers(0, len(data), 3):
            broken[place] = int(generator.integers(0, 256))
        try:
            pixels = decode(bytes(broken), 3)
            assert pixels.ndim == 3
            outcomes.add("decoded")
        except UndecodableError:
            outcomes.add("undecodable")
    assert "undecodable" in outcomes


@pytest.mark.parametrize(("height", "width"), [(64, 96), (96, 64), (32, 32), (33, 200), (10, 12)])
@pytest.mark.parametrize("kind", ["fit", "centre"])
def test_views_are_squares_from_the_middle(height: int, width: int, kind: str) -> None:
    ramp = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))[..., None]
    seen = view(ramp, kind, 32)  # type: ignore[arg-type]
    assert seen.shape == (32, 32, 1)
    if (height, width) == (32, 32):
        np.testing.assert_array_equal(seen, ramp)
    else:
        assert abs(float(seen.mean()) - 127.5) < 6


def test_the_centre_view_leaves_out_an_eighth_of_the_short_side() -> None:
    image = np.zeros((256, 256, 1), np.uint8)
    image[16:240, 16:240] = 200
    assert (view(image, "centre", 224) == 200).all()
    assert not (view(image, "fit", 224) == 200).all()


def test_resizing_antialiases(photo: NDArray[np.uint8]) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))[..., None]
    assert np.abs(resize(stripes, 16, 16)[:, 1:-1].astype(float) - 127.5).max() < 3
