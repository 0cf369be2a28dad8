"""A user's own stages in the stream: samples go through a real `webdataset.DataPipeline`.

Ordered reader, decoder, the user's functions, view or crop. The reader gives the samples that it is asked for, so that
order, threads, ranks and resumption are what they are without stages.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.data.augment import Draw
from paribus.data.pixel_source import Crops, Positions
from paribus.data.stream import Viewing
from paribus.errors import DataError, UndecodableError
from paribus.host.shown import shown
from paribus.images.crop import Original, crop_original
from paribus.images.decode import Pixels, decode
from paribus.plugins import load
from paribus.recipe.errors import RecipeError
from paribus.shards.counters import keyed_hash
from paribus.shards.reading import ShardReader

Sample = dict[str, Any]
# Ours alone: a user's function neither sees nor changes them.
_ROW, _PLACE, _BOX, _FLIP, STEP = "__row__", "__place__", "__box__", "__flip__", "__step__"
_PRIVATE = (_ROW, _PLACE, _BOX, _FLIP, STEP)


@dataclass(frozen=True)
class OwnStage:
    """A function of the user's, sample to sample, and the name that it has in the recipe."""

    name: str
    function: Callable[[Sample], Any]

    def __call__(self, sample: Sample) -> Sample:
        """The sample that comes out.

        Raises:
            DataError: the function failed, or gave what no sample of this set can be.
        """
        key, label, shape = sample["__key__"], sample["cls"], sample["image"].shape
        given = {name: value for name, value in sample.items() if name not in _PRIVATE}
        try:
            result = self.function(given)
        except Exception as error:  # a user's code may raise anything
            raise DataError(
                f"data.stages {self.name!r} failed on sample {key!r} ({type(error).__name__}: {shown(error)})"
            ) from error
        fault = self._fault(result, key, label, shape[2])
        if fault:
            raise DataError(f"data.stages {self.name!r} {fault} (sample {key!r})")
        return {**result, **{name: sample[name] for name in _PRIVATE}}

    def _fault(self, result: Any, key: str, label: int, channels: int) -> str:
        if result is None:
            return (
                "gave back nothing: it must return the sample. A stage cannot leave samples out, as which there are is "
                "the data's digest: make a set without them (`paribus shards make --only-classes`, or a table)"
            )
        if not isinstance(result, dict) or "image" not in result:
            return f"gave back {shown(result)}: it must return the sample, a dict with 'image' and 'cls'"
        image = result["image"]
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or 0 in image.shape:
            kind = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else shown(image)
            return f"made the image {kind}: it must stay an array (height, width, channels) of uint8"
        if image.shape[2] != channels:
            return f"made the image one of {image.shape[2]} channels: the set's have {channels}"
        if result.get("__key__") != key or result.get("cls") != label:
            return "changed the key or the class: both are the data's, so make a set with others instead"
        return ""


def load_stages(names: Sequence[str]) -> tuple[OwnStage, ...]:
    """The functions that `data.stages` names.

    Raises:
        RecipeError: there is none of that name, or it is no function.
    """
    stages = []
    for name in names:
        function = load(name)
        if not callable(function):
            raise RecipeError(f"data.stages {name!r} is {shown(function)}: name a function from sample to sample")
        stages.append(OwnStage(name, function))
    return tuple(stages)


@dataclass(frozen=True, kw_only=True)
class Ordered:
    """The first stage: the samples at `rows` (N,) of a split, in that order, as they are stored.

    A sample is `__key__`, `__url__` (its shard), `__split__`, `__seed__` (64 bits of its key, the augment seed and the
    epoch, for whatever a stage draws), `image` (the file's bytes) and `cls` (its class's number).
    """

    reader: ShardReader
    split: str
    rows: Positions
    draw: Draw | None
    crops: Crops | None
    step_size: int

    def __call__(self) -> Iterator[Sample]:
        index = self.reader.index
        ids = index.ids[self.rows]
        draw = Draw(ids, 0, 0) if self.draw is None else self.draw
        seeds = keyed_hash(ids, "own stages", draw.seed, draw.epoch).tolist()
        known = index.rows["height"][self.rows] > 0
        for place, row in enumerate(self.rows.tolist()):
            if not known[place]:
                continue  # it did not decode when the set was made
            yield {
                "__key__": index.keys[row],
                "__url__": self.reader.shards[int(index.shard_of[row])].file,
                "__split__": self.split,
                "__seed__": seeds[place],
                "image": self.reader.read(row),
                "cls": int(index.labels[row]),
                _ROW: row,
                _PLACE: place,
                STEP: place // self.step_size,
                _BOX: None if self.crops is None else tuple(self.crops.boxes[place].tolist()),
                _FLIP: False if self.crops is None else bool(self.crops.flips[place]),
            }


@dataclass(frozen=True)
class Decode:
    """Bytes to `image` (H, W, C) uint8, in full and upright; WebDataset leaves a sample out that gives None."""

    channels: int

    def __call__(self, sample: Sample) -> Sample | None:
        try:
            return {**sample, "image": decode(sample["image"], self.channels)}
        except UndecodableError:
            return None


@dataclass(frozen=True)
class Cut:
    """A decoded `image` to its view, or its crop, of the input's size."""

    viewing: Viewing
    reader: ShardReader

    def __call__(self, sample: Sample) -> Sample:
        image, box = np.ascontiguousarray(sample["image"]), sample[_BOX]
        if box is None:
            return {**sample, "image": self.viewing.cut(image)}
        described = self.reader.index.rows[sample[_ROW]]
        stored = (int(described["height"]), int(described["width"]))
        if image.shape[:2] != stored:
            raise DataError(
                f"data.stages made {sample['__key__']!r} {image.shape[0]}x{image.shape[1]} pixels, of {stored[0]}x"
                f"{stored[1]}: augment.crop 'random_resized' draws its boxes for stored sizes, so keep the size or use "
                "another crop"
            )
        out = np.empty((self.viewing.size, self.viewing.size, image.shape[2]), np.uint8)
        crop_original(Original(image, 1), box, out, flip=sample[_FLIP])
        return {**sample, "image": out}


@dataclass(frozen=True)
class View:
    """Bytes to the view or crop in one step, as the feed without stages does it: only what a crop needs is decoded."""

    viewing: Viewing

    def __call__(self, sample: Sample) -> Sample | None:
        size, channels = self.viewing.size, self.viewing.channels
        if self.viewing.kind == "stored" and sample[_BOX] is None:
            image = self.viewing.of(sample["image"])
            return None if image is None else {**sample, "image": image}
        out = np.empty((size, size, channels), np.uint8)
        good = self.viewing.write(sample["image"], out, sample[_BOX], sample[_FLIP])
        return {**sample, "image": out} if good else None


def sample_stages(viewing: Viewing, reader: ShardReader, own: Sequence[OwnStage]) -> list[Any]:
    """The stages of WebDataset between `Ordered` and a batch."""
    # Imported here: no feed without stages needs WebDataset.
    from webdataset.filters import map as mapped

    if not own:
        return [mapped(View(viewing))]
    return [mapped(Decode(viewing.channels)), *map(mapped, own), mapped(Cut(viewing, reader))]


@dataclass(frozen=True)
class Staged:
    """A source of rows whose images pass through the stages of the recipe, each time that they are asked for."""

    reader: ShardReader
    split: str
    viewing: Viewing
    own: tuple[OwnStage, ...]

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        return self.reader.ahead(positions)

    def fill(
        self, positions: Positions, out: Pixels, draw: Draw | None = None, crops: Crops | None = None
    ) -> NDArray[np.bool_]:
        good = np.zeros(len(positions), bool)
        for sample in self.samples(positions, draw, crops):
            out[sample[_PLACE]] = sample["image"]
            good[sample[_PLACE]] = True
        return good

    def image(self, row: int) -> Pixels | None:
        found = [sample["image"] for sample in self.samples(np.array([row], np.int32))]
        return found[0] if found else None

    def samples(
        self, positions: Positions, draw: Draw | None = None, crops: Crops | None = None, step_size: int = 1
    ) -> Any:
        """The `webdataset.DataPipeline` of the samples at `positions`; those that do not decode are left out."""
        from webdataset.pipeline import DataPipeline

        first = Ordered(
            reader=self.reader, split=self.split, rows=positions, draw=draw, crops=crops, step_size=step_size
        )
        return DataPipeline(first, *sample_stages(self.viewing, self.reader, self.own))

    def check(self) -> None:
        """Run the stages on the first image twice.

        Raises:
            DataError: two runs that differ, or that draw from a global generator.
        """
        first = np.flatnonzero(self.reader.index.rows["height"])[:1].astype(np.int32)
        before = _global_state()
        runs = [[sample["image"] for sample in self.samples(first)] for _ in range(2)]
        if _global_state() != before:
            raise DataError(
                f"data.stages ({', '.join(stage.name for stage in self.own)}) draw from a global generator, so that a "
                "resumed or shared stream would be another: draw from numpy.random.default_rng(sample['__seed__'])"
            )
        if not all(np.array_equal(one, other) for one, other in zip(*runs, strict=True)):
            raise DataError(
                f"data.stages ({', '.join(stage.name for stage in self.own)}) make two images of one sample: what they "
                "draw must come from sample['__seed__'] alone, and they may keep nothing from sample to sample"
            )


def _global_state() -> tuple[object, object, bytes]:
    import torch

    _, numbers, at, *_ = np.random.get_state()
    return random.getstate(), (np.asarray(numbers).tobytes(), at), torch.get_rng_state().numpy().tobytes()
