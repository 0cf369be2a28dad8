"""A picture of a shard set: a row a class, with images from all over its shards."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from paribus.errors import DataError
from paribus.images.decode import as_image, decode
from paribus.shards.index import Index, read_index
from paribus.shards.manifest import Manifest, read_manifest
from paribus.shards.reading import ShardReader
from paribus.shards.shard_places import shards_place
from paribus.shards.storage.locations import ShardLocation

MAX_CLASSES, MAX_IMAGES = 20, 10
_TILE, _GAP, _MARGIN, _CAPTION, _TITLE = (112, 84), 6, 16, 170, 54
_PAPER, _INK, _PALE, _FRAME = "#ffffff", "#1f2328", "#6e7781", "#eceef1"
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(place: ShardLocation, path: Path, split: str = "train") -> None:
    """Write up to 10 images from each of up to 20 classes of `split`, spread over classes and shards alike, to `path`.

    Of a set behind an address they come from its first shard alone, which has to be fetched whole.

    Raises:
        DataError: a set that cannot be read, or a picture that cannot be written.
    """
    manifest = read_manifest(place)
    index = read_index(place, manifest, split)
    first_only = shards_place(place, manifest, split).folder is None
    chosen = _chosen(index, len(manifest.classes), first_only)
    reader = ShardReader(place, manifest, split, index)
    columns = max(len(rows) for rows in chosen.values())
    sheet = Image.new("RGB", _sheet_size(len(chosen), columns), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write_title(draw, manifest, split, len(chosen), "its first shard" if first_only else f"{len(index):,} samples")
    counts = np.bincount(index.labels, minlength=len(manifest.classes))
    for line, (label, rows) in enumerate(chosen.items()):
        top = _TITLE + _MARGIN + line * (_TILE[1] + _GAP)
        _write_caption(draw, manifest.classes[label], int(counts[label]), top)
        for column, row in enumerate(rows.tolist()):
            left = _MARGIN + _CAPTION + column * (_TILE[0] + _GAP)
            sheet.paste(_tile(reader.read(row), manifest.channels), (left, top))
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:
        raise DataError(f"the contact sheet {path} cannot be written: {error}") from None


def _chosen(index: Index, num_classes: int, first_shard_only: bool) -> dict[int, NDArray[np.int64]]:
    """Rows by class: of evenly spaced classes that have images, evenly spaced ones of those that decode."""
    usable = index.rows["height"] > 0
    if first_shard_only:
        usable &= index.shard_of == 0
    present = np.flatnonzero(np.bincount(index.labels[usable], minlength=num_classes))
    if not len(present):
        raise DataError("there is no image that decodes: `paribus shards verify` names what is wrong")
    return {
        label: _spaced(np.flatnonzero(usable & (index.labels == label)), MAX_IMAGES)
        for label in _spaced(present, MAX_CLASSES).tolist()
    }


def _spaced(values: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of `values`, evenly spaced, the first and the last among them."""
    return values[np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(np.int64))]


def _sheet_size(lines: int, columns: int) -> tuple[int, int]:
    width = 2 * _MARGIN + _CAPTION + max(columns, 4) * (_TILE[0] + _GAP) - _GAP
    return width, 2 * _MARGIN + _TITLE + lines * (_TILE[1] + _GAP) - _GAP


def _write_title(draw: ImageDraw.ImageDraw, manifest: Manifest, split: str, shown: int, where: str) -> None:
    draw.text((_MARGIN, _MARGIN), f"{manifest.name}: {split}", _INK, _font(20))
    text = f"{shown:,} of {len(manifest.classes):,} classes, from {where}, digest {manifest.digest[:12]}"
    draw.text((_MARGIN, _MARGIN + 26), text, _PALE, _font(12))


def _write_caption(draw: ImageDraw.ImageDraw, name: str, count: int, top: int) -> None:
    font, room = _font(14), _CAPTION - 2 * _GAP
    lines = _wrapped(draw, name, font, room)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, top + 2 + 17 * number), line, _INK, font)
    draw.text((_MARGIN, top + 4 + 17 * len(lines)), f"{count:,}", _PALE, _font(12))


@lru_cache(maxsize=4)
def _font(size: int) -> _Font:
    # Pillow's own font knows ASCII alone, and classes have names in many languages; few machines lack DejaVu.
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def _wrapped(draw: ImageDraw.ImageDraw, text: str, font: _Font, room: int) -> list[str]:
    """`text` in at most three lines, cut off with an ellipsis."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > 3:
        lines = [*lines[:2], lines[2] + "…"]
    return [_cut(draw, line, font, room) for line in lines]


def _cut(draw: ImageDraw.ImageDraw, line: str, font: _Font, room: int) -> str:
    if draw.textlength(line, font) <= room:
        return line
    length = len(line)
    while length and draw.textlength(line[:length] + "…", font) > room:
        length -= 1
    return line[:length] + "…"


def _tile(data: bytes, channels: int) -> Image.Image:
    """The whole image within a tile; small ones are enlarged by a whole number, so that their pixels are seen."""
    image = as_image(decode(data, channels)).convert("RGB")
    scale = min(_TILE[0] / image.width, _TILE[1] / image.height)
    if scale >= 2:
        image = image.resize((image.width * int(scale), image.height * int(scale)), Image.Resampling.NEAREST)
    elif scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    tile = Image.new("RGB", _TILE, _FRAME)
    tile.paste(image, ((_TILE[0] - image.width) // 2, (_TILE[1] - image.height) // 2))
    return tile
