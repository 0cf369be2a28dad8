"""One split of a shard set, ready to be read: where its rows come from, and which of its pixels stay."""

from dataclasses import dataclass, replace
from pathlib import Path

from paribus.data.cache.cached_split import CachePlan
from paribus.data.cache.choice import CacheChoice, open_cached
from paribus.data.cache.on_device import Upload
from paribus.data.own_stages import OwnStage, Staged, load_stages
from paribus.data.pixel_source import RowSource
from paribus.data.stream import Stream, Viewing
from paribus.errors import DataError
from paribus.images.decode import View
from paribus.recipe.recipe import Recipe
from paribus.shards.fraction import evaluated_split, read_evaluated
from paribus.shards.index import Index, read_index
from paribus.shards.manifest import Manifest
from paribus.shards.reading import ShardReader
from paribus.shards.storage.locations import ShardLocation


@dataclass(frozen=True, kw_only=True)
class OpenSplit:
    """The split `name`: `rows` gives its pixels, viewed as `viewing` says, through the user's stages `own` if any.

    Where a recipe holds samples out of its training split, those alone are its evaluation split, by the latter's name.
    `cache_choice` says where decoded pixels are, and why; `upload` has those on a device. `reader` keeps the time that
    reading takes.
    """

    name: str
    index: Index
    reader: ShardReader
    viewing: Viewing
    own: tuple[OwnStage, ...]
    rows: RowSource
    cache_choice: CacheChoice
    upload: Upload

    @property
    def where(self) -> CacheChoice:
        """`cache_choice`, or that the pixels are on the device, once they were asked for."""
        return self.cache_choice if self.upload.split is None else replace(self.cache_choice, kind="device")


def cuts_training(recipe: Recipe) -> bool:
    """Whether random crops are cut out of the stored training images."""
    return recipe.augment.crop == "random_resized"


def evaluated(recipe: Recipe) -> View:
    """What of an image the evaluation of training sees."""
    return "centre" if cuts_training(recipe) else "fit"


def open_split(
    recipe: Recipe, place: ShardLocation, manifest: Manifest, split: str, viewing: Viewing, caches: Path
) -> OpenSplit:
    """A split of the set at `place`, seen as `viewing` says; what of it stays decoded lies in a folder of `caches`.

    Raises:
        DataError: a damaged index or shard, stages that fail, or too little disk for what must stay decoded.
    """
    data, trains = recipe.data, split == recipe.data.train_split
    index = read_index(place, manifest, split) if trains else read_evaluated(place, manifest, data)
    stored = split if trains else evaluated_split(data)
    reader = ShardReader(place, manifest, stored, index)
    own, upload = load_stages(recipe.data.stages), Upload(None)
    rows: RowSource
    if own:
        rows, choice = _staged(recipe, split, reader, viewing, own)
    else:
        cropped = trains and cuts_training(recipe)
        if not cropped and manifest.smallest == manifest.largest == (viewing.size, viewing.size):
            # All views of such a set are the stored images, and then all recipes share one cache.
            viewing = replace(viewing, kind="stored")
        stream, plan = Stream(reader, viewing), CachePlan(reader, manifest, stored, viewing, cropped)
        cached, choice = open_cached(recipe.data.cache, plan, stream, caches)
        rows, upload = stream if cached is None else cached, Upload(cached)
    return OpenSplit(
        name=split,
        index=reader.index,
        reader=reader,
        viewing=viewing,
        own=own,
        rows=rows,
        cache_choice=choice,
        upload=upload,
    )


def _staged(
    recipe: Recipe, split: str, reader: ShardReader, viewing: Viewing, own: tuple[OwnStage, ...]
) -> tuple[RowSource, CacheChoice]:
    """Images that pass through stages of the user's, and why none of them stays."""
    if recipe.data.cache == "always":
        raise DataError(
            "data.cache is 'always', and data.stages run on each image each time that it is read, so that none can "
            "stay decoded: leave one of them out"
        )
    rows = Staged(reader, split, viewing, own)
    rows.check()
    why = f"data.stages ({', '.join(recipe.data.stages)}) run on each image each time that it is read"
    return rows, CacheChoice("stream", why)
