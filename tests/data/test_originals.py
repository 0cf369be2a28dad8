"""The uncropped evaluation split: the keys of the feed, what training sees of them, any rows, no broken image."""

from pathlib import Path

import numpy as np
import pytest
import torch

from paribus.data import DataError, open_feed, open_originals
from paribus.images.decode import Pixels
from paribus.recipe import Recipe
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder


def recipe_of(shards: Path, **changes: object) -> Recipe:
    paths = {path.replace("__", "."): value for path, value in changes.items()}
    return Recipe().replace({"data.shards": str(shards), "data.batch_size": 4, "data.eval_batch_size": 3, **paths})


@pytest.mark.parametrize("resident", ["auto", "always", "never"])
@pytest.mark.parametrize("crop", ["none", "random_resized"])
@pytest.mark.parametrize("normalise", [True, False])
def test_what_is_seen_is_what_training_evaluates(
    photos: Path, data_home: Path, resident: str, crop: str, normalise: bool
) -> None:
    changes = {"data__size": 32, "augment__crop": crop, "augment__normalise": normalise}
    recipe = recipe_of(photos, **changes)
    feed = open_feed(recipe, data_home)
    originals = open_originals(recipe.replace({"data.cache": resident}), data_home)
    assert list(originals.keys) == feed.eval_keys
    assert (originals.digest, originals.size, originals.num_classes) == (feed.digest, feed.size, feed.num_classes)
    batches = list(originals.prepared(np.arange(8), 3, originals.seen))
    assert [len(batch.rows) for batch in batches] == [3, 3, 2]
    for mine, theirs in zip(batches, feed.evaluation(), strict=True):
        assert torch.equal(originals.scaled(mine.images), theirs.images)
        assert originals.labels[mine.rows].tolist() == theirs.labels.tolist()


@pytest.mark.parametrize("resident", ["auto", "never"])
@pytest.mark.parametrize("threads", [0, 2])
def test_any_rows_may_be_asked_for(stripes: Path, data_home: Path, resident: str, threads: int) -> None:
    recipe = recipe_of(stripes, data__cache=resident)
    every = [image for batch in open_feed(recipe, data_home).evaluation() for image in batch.images]
    originals = open_originals(recipe, data_home, threads=threads)
    rows = np.array([0, 3, 4, 11, 30])
    found = [image for batch in originals.prepared(rows, 2, lambda pixels: pixels) for image in batch.images]
    for row, image in zip(rows, found, strict=True):
        assert torch.equal(originals.scaled([image])[0], every[row])
    assert list(originals.prepared(rows[:0], 2, originals.seen)) == []


def test_images_are_as_they_were_stored(photos: Path, data_home: Path) -> None:
    originals = open_originals(recipe_of(photos, data__size=32), data_home)

    def shape(pixels: Pixels) -> tuple[int, ...]:
        return pixels.shape

    shapes = {image for batch in originals.prepared(np.arange(8), 8, shape) for image in batch.images}
    assert len(shapes) > 4
    assert all(40 <= side < 160 for image in shapes for side in image[:2])


def test_an_image_that_does_not_decode_is_named_unless_it_is_left_out(
    photo_folder: Path, data_home: Path, tmp_path: Path
) -> None:
    root = tmp_path / "broken"
    for path in photo_folder.rglob("*.jpg"):
        target = root / path.relative_to(photo_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        broken = path.match("test/flower/crop.01.jpg")
        target.write_bytes(b"no image" if broken else path.read_bytes())
    make_shards(image_folder(root), tmp_path / "shards", keep_undecodable=True)
    originals = open_originals(recipe_of(tmp_path / "shards", data__size=32), data_home)
    with pytest.raises(DataError, match="flower/crop_01 of broken does not decode"):
        list(originals.prepared(np.arange(8), 3, originals.seen))
    row = originals.keys.index("flower/crop_01")
    rest = np.delete(np.arange(8), row)
    assert sum(len(batch.rows) for batch in originals.prepared(rest, 3, originals.seen)) == 7
