"""The pictures of evaluation examples, by their keys, where the set that they belong to can be read on this machine."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Final

from PIL import Image

from paribus.errors import DataError
from paribus.images.decode import as_image, decode
from paribus.recipe import RecipeError
from paribus.report.drawing.html_parts import shown
from paribus.shards.catalog import find
from paribus.shards.fraction import evaluated_split, read_evaluated
from paribus.shards.reading import ShardReader
from paribus.shards.shard_places import shards_place

if TYPE_CHECKING:
    from pathlib import Path

    from paribus.analysis.exploratory.flips import Flip
    from paribus.study import Study
    from paribus.study.words import Arm

_SIDE_PX: Final = 112


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """PNG files by key, and the classes' names; none where `refused` says why."""

    pictures: Mapping[str, bytes] = field(default_factory=dict)
    classes: Sequence[str] = ()
    refused: str = ""


def gallery(study: Study, arm: Arm, digest: str, keys: Sequence[str], home: Path | None = None) -> Gallery:
    """The pictures of these keys in the set whose digest the arm's trials have; nothing is fetched over a network."""
    try:
        data = study.recipe_of(arm).data
        found = find(data, home)
        if found.manifest.digest != digest:
            return Gallery(refused="the set that is here by that name is another than the trials were judged on")
        split = evaluated_split(data)
        if shards_place(found.place, found.manifest, split).folder is None:
            return Gallery(refused="the set lies behind an address, and a picture would take a whole shard")
        index = read_evaluated(found.place, found.manifest, data)
        rows = {key: row for row, key in enumerate(index.keys)}
        reader = ShardReader(found.place, found.manifest, split, index)
        pictures = {
            key: _tile(reader.read(rows[key]), found.manifest.channels) for key in dict.fromkeys(keys) if key in rows
        }
    except (DataError, RecipeError) as error:
        return Gallery(refused=str(error))
    return Gallery(pictures=pictures, classes=tuple(found.manifest.classes))


def gallery_html(found: Gallery, flips: Sequence[Flip], n: int, keys: Sequence[str]) -> str:
    """The pictures of these flips in rows, each with its key, its class and what either side mostly says."""
    items = "".join(_item(found, each, n, keys[each.place]) for each in flips if keys[each.place] in found.pictures)
    return f'<ul class="gallery">{items}</ul>' if items else ""


def _item(found: Gallery, each: Flip, n: int, key: str) -> str:
    label, arm, baseline = (
        found.classes[name] if 0 <= name < len(found.classes) else str(name)
        for name in (each.label, each.arm_says, each.baseline_says)
    )
    told = f"arm: {arm}, right in {each.arm_right} of {n}; baseline: {baseline}, right in {each.baseline_right}"
    source = base64.b64encode(found.pictures[key]).decode()
    return (
        f'<li><img src="data:image/png;base64,{source}" alt="{shown(f"{key}, of class {label}")}">'
        f"<b>{shown(label)}</b> <code>{shown(key)}</code><br>{shown(told)}</li>"
    )


def _tile(data: bytes, channels: int) -> bytes:
    """The picture as a PNG of about `_SIDE_PX`; a small one is enlarged by a whole number, so that its pixels show."""
    image = as_image(decode(data, channels)).convert("RGB")
    if (scale := _SIDE_PX // max(image.size)) >= 2:
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    else:
        image.thumbnail((_SIDE_PX, _SIDE_PX))
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()
