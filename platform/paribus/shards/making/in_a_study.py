"""What a study, or any command, says to train on a shard set: to be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.recipe import PRESETS, Recipe
from paribus.shards.catalog import named_folder

if TYPE_CHECKING:
    from paribus.shards.manifest import Manifest

# The side of the network's input where images have none in common: that of ImageNet's nets, or what they come to.
_MOST_SIDE = 224
# What a processor without a GPU trains on in minutes.
_SMALL_SIDE = 64


def in_a_study(manifest: Manifest, folder: Path) -> list[str]:
    """The lines that say how a study and a command name the set in `folder`, with all that its images need set."""
    if list(manifest.splits) == [Recipe().data.train_split]:
        return [
            "no study trains on it yet, for it has no split to judge on: make it again in another folder with "
            "--hold-out test=0.2, which sets a fifth of train apart, or beside a folder of test images"
        ]
    fields = _fields(manifest, folder)
    if list(fields) == ["data.name"] and manifest.name in PRESETS:
        return [f"a study trains on it by base={manifest.name!r}, any command by --base {manifest.name}"]
    settings = " ".join(f"--set {path}={shlex.quote(str(value))}" for path, value in fields.items())
    return [f"a study trains on it by fixed={fields!r},", f"any command by {settings}", *_hints(manifest, fields)]


def _hints(manifest: Manifest, fields: dict[str, str | int]) -> Iterator[str]:
    """What of these fields is slow."""
    side = min(manifest.largest)
    if side > _SMALL_SIDE and "data.size" not in fields:
        yield (
            f"its images go into the net as they are stored, {manifest.largest[1]} x {manifest.largest[0]} pixels: "
            f"data.size={_SMALL_SIDE} takes about {(side / _SMALL_SIDE) ** 2:.0f} times less work"
        )


def _fields(manifest: Manifest, folder: Path) -> dict[str, str | int]:
    usual = Recipe().data
    fields: dict[str, str | int] = {"data.name": manifest.name}
    if folder.resolve() != named_folder(manifest.name).resolve():
        fields["data.shards"] = str(folder.resolve())
    others = [name for name in manifest.splits if name != usual.train_split]
    if others and usual.eval_split not in others and manifest.name not in PRESETS:
        fields["data.eval_split"] = others[0]
    if len({*manifest.smallest, *manifest.largest}) > 1 and manifest.name not in PRESETS:
        fields["data.size"] = min(_MOST_SIDE, *manifest.largest)
    train = manifest.splits.get(usual.train_split)
    if train is not None and train.samples < usual.batch_size:
        fields["data.batch_size"] = train.samples
    return fields
