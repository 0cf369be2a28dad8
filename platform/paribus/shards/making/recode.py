"""Photographs made smaller on their way into shards: the short side to a number of pixels, as JPEG."""

from dataclasses import dataclass, replace

import simplejpeg  # type: ignore[import-untyped]

from paribus.errors import DataError, UndecodableError
from paribus.images.decode import decode, is_grey, resize, sides
from paribus.shards.sources.source import File


@dataclass(frozen=True, kw_only=True)
class Recoding:
    """Large images get a short side of `short_side` pixels and are stored as JPEG of `quality`, 4:2:0.

    They are decoded in full, turned upright and resized with antialiasing. Images whose short side is not larger keep
    their bytes, whatever their format; so do files that do not decode.
    """

    short_side: int
    quality: int = 90

    def __post_init__(self) -> None:
        if self.short_side < 1 or not 1 <= self.quality <= 100:
            raise DataError(
                f"a short side of {self.short_side} pixels at quality {self.quality}: the side must be at least 1, "
                "the quality 1 to 100"
            )

    @property
    def made(self) -> dict[str, str | int | bool]:
        """The options as the manifest names them."""
        return {"short_side": self.short_side, "quality": self.quality}

    @property
    def num_bytes(self) -> int:
        """About the most that a file takes: half a byte a pixel of the square (photographs at quality 90: a third)."""
        return max(1024, self.short_side**2 // 2)

    def __call__(self, file: File) -> File:
        """`file` as it will be stored."""
        try:
            pixels = decode(file.data, 1 if is_grey(file.data) else 3)
        except UndecodableError:
            return file
        height, width, channels = pixels.shape
        if min(height, width) <= self.short_side:
            return replace(file, pixels=pixels)
        small = resize(pixels, *sides(height, width, self.short_side))
        space = "GRAY" if channels == 1 else "RGB"
        data = simplejpeg.encode_jpeg(small, self.quality, space, "Gray" if channels == 1 else "420", fastdct=False)
        return File(suffix="jpg", data=data)
