"""Shards as a stranger writes them, with the stock TarWriter and crops of a real photograph, and their index."""

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
import webdataset
from PIL import Image
from sklearn.datasets import load_sample_image

from paribus.data import open_feed
from paribus.recipe import preset
from paribus.shards.in_place.indexing import Asked, Indexed, index_shards
from paribus.shards.index import read_index
from paribus.shards.making.verify import verify
from paribus.shards.storage.locations import ShardLocation

FLOWER = load_sample_image("flower.jpg")
RECIPE = preset("synthetic").replace(
    {"data.name": "mine", "data.size": 16, "data.batch_size": 4, "data.cache": "never", "data.eval_split": "val"}
)


def photo(number: int, kind: str = "JPEG") -> bytes:
    """A crop of a real photograph, another for each number."""
    buffer = BytesIO()
    top, left = 7 * number % 300, 11 * number % 500
    Image.fromarray(FLOWER[top : top + 30, left : left + 40]).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, samples: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as sink:
        for number, sample in enumerate(samples):
            sink.write({"__key__": f"{number:05d}", **sample})
    return path


def words(folder: Path | str) -> dict[str, str]:
    return {"train": f"{folder}/train-{{0000..0002}}.tar", "val": f"{folder}/val-0000.tar"}


def index(spec: Mapping[str, str], folder: Path, **asked: Any) -> Indexed:
    return index_shards(spec, folder, Asked(**asked))


def one(tmp_path: Path, samples: Iterable[Mapping[str, Any]], **asked: Any) -> tuple[list[str], list[str], Indexed]:
    """Classes of the samples of one shard, in order; their keys; and what was said."""
    path = write(tmp_path / "shards" / "a.tar", samples)
    indexed = index({"train": str(path)}, tmp_path / "index", **asked)
    place = ShardLocation(str(tmp_path / "index"))
    rows = read_index(place, indexed.manifest, "train")
    assert not verify(place).faults
    return [indexed.manifest.classes[label] for label in rows.labels], list(rows.keys), indexed


def pixels(shards: Path | str, home: Path) -> torch.Tensor:
    feed = open_feed(RECIPE.replace({"data.shards": str(shards)}), home)
    return torch.cat([batch.images for batch in (*feed.batches(1, 2, 0), *feed.evaluation())])
