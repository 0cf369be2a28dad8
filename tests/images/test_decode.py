"""From bytes to pixels: every mode, every break, and the fixed views."""

from io import BytesIO
from struct import pack
from zlib import compress, crc32

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from paribus.errors import UndecodableError
from paribus.images.decode import decode, is_grey, resize, view
from paribus.images.header import exif_orientation
from paribus.images.png import encode_png


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


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_of_sixteen_bits_the_upper_eight_are_kept(kind: str, channels: int) -> None:
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    data = stored(Image.fromarray(deep), kind)
    pixels = decode(data, channels)
    np.testing.assert_array_equal(pixels, np.repeat((deep >> 8).astype(np.uint8)[:, :, None], channels, axis=2))
    assert is_grey(data)


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)], ids=["grey", "RGB", "LA", "RGBA"])
def test_of_pngs_with_sixteen_bits_in_every_colour_type_too(kind: int, samples: int) -> None:
    deep = np.random.Generator(np.random.Philox(key=1)).integers(0, 65536, (5, 7, samples), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in (
        (b"IHDR", pack(">IIBBBBB", 7, 5, 16, kind, 0, 0, 0)),
        (b"IDAT", compress(rows)),
        (b"IEND", b""),
    ):
        data += pack(">I", len(body)) + name + body + pack(">I", crc32(name + body))
    colours = deep[:, :, :3] if samples > 2 else np.repeat(deep[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(decode(data, 3), colours >> 8)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_samples_of_thirty_two_bits_are_refused_rather_than_guessed_at(dtype: type) -> None:
    with pytest.raises(UndecodableError, match="8-bit or 16-bit"):
        decode(stored(Image.fromarray(np.full((4, 4), 40_000, dtype)), "TIFF"), 1)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_transparency_is_dropped_and_the_first_frame_taken(photo: NDArray[np.uint8], kind: str) -> None:
    frames = [Image.fromarray(photo).convert("RGBA"), Image.new("RGBA", (96, 64), (0, 0, 0, 255))]
    # Opaque, because a WebP may change the colours of what nobody sees.
    frames[0].putalpha(Image.new("L", (96, 64), 255 if kind == "GIF" else 130))
    buffer = BytesIO()
    extra = {"exact": True, "lossless": True} if kind == "WEBP" else {}
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **extra)
    pixels = decode(buffer.getvalue(), 3)
    assert np.abs(pixels.astype(int) - photo).mean() < (8 if kind == "GIF" else 0.01)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(photo: NDArray[np.uint8], kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, kind, exif=exif)
    with Image.open(BytesIO(buffer.getvalue())) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert expected.shape[:2] == ((64, 96) if orientation < 5 else (96, 64))
    np.testing.assert_array_equal(decode(buffer.getvalue(), 3), expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_is_read_in_either_byte_order_and_ignored_where_it_makes_no_sense(order: str) -> None:
    def exif(tag: int, kind: int, count: int, value: int) -> bytes:
        mark = b"II*\0" if order == "<" else b"MM\0*"
        entry = pack(f"{order}HHIH2x", 0x010F, 2, 1, 0) + pack(f"{order}HHIH2x", tag, kind, count, value)
        return b"Exif\0\0" + mark + pack(f"{order}IH", 8, 2) + entry + bytes(4)

    assert exif_orientation(exif(0x0112, 3, 1, 6)) == 6
    assert exif_orientation(exif(0x0112, 3, 1, 6)[6:]) == 6
    for nonsense in (exif(0x0112, 3, 1, 9), exif(0x0112, 3, 1, 0), exif(0x0112, 4, 1, 6), exif(0x0113, 3, 1, 6)):
        assert exif_orientation(nonsense) == 1
    for cut in range(40):
        assert exif_orientation(exif(0x0112, 3, 1, 6)[:cut]) in (1, 6)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    header = pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + pack(">I", 13) + chunk + pack(">I", crc32(chunk)) + bytes(3000)
    jpeg = bytearray(stored(Image.new("RGB", (16, 16)), "JPEG"))
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = pack(">HH", 65_000, 65_000)
    for data, pixels in ((png, "3,600,000,000"), (bytes(jpeg), "4,225,000,000")):
        with pytest.raises(UndecodableError, match=f"{pixels} pixels, more than the 89,478,485 allowed"):
            decode(data, 3)
    bitmap = bytearray(stored(Image.new("RGB", (1, 1)), "BMP"))
    bitmap[18:26] = pack("<ii", 60_000, 60_000)
    with pytest.raises(UndecodableError, match=r"3600000000 pixels.*89,478,485 are allowed"):
        decode(bytes(bitmap), 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an image: it is empty"),
        (b"<html>404 Not Found</html>", "not an image: it begins with b'<html>40'"),
        (b"\xff\xd8\xff\xe0", "a JPEG that ends inside its header"),
        (b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0", "a JPEG whose scan has no frame header before it"),
    ],
)
def test_what_is_no_image_is_said_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableError) as raised:
        decode(data, 3)
    assert str(raised.value) == reason


def test_a_jpeg_that_is_cut_off_is_no_image(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(UndecodableError, match="truncated"):
        decode(stored(Image.fromarray(photo), "JPEG")[:-400], 3)


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
