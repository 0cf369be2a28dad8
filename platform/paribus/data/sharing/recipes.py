"""Which trials read one stream, and how the reader of a node opens it."""

import json
import os
from collections import OrderedDict
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from paribus.data.sharing.protocol import Source, Stream
from paribus.errors import DataError
from paribus.recipe.part import Part, is_bookkeeping
from paribus.recipe.recipe import Recipe

if TYPE_CHECKING:
    from paribus.data.batches import Feed

# What the uint8 pixels of a training batch do not depend on: arms that differ in these alone share one stream. The
# digest stands for the name; what is normalised or cut out is so on the device.
_BESIDES = {"name", "eval_split", "max_undecodable", "cutout", "erasing", "mix", "normalise"}
_MAX_OPEN = 4


def stream_of(recipe: Recipe, feed: "Feed", home: Path) -> Stream:
    """The training stream that `feed`, opened from `recipe` and `home`, reads."""
    facts = {"digest": feed.digest, "size": feed.size, "channels": feed.channels}
    facts |= {"data": _bearing(recipe.data), "augment": _bearing(recipe.augment)}
    identity = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    spec = json.dumps({"recipe": recipe.model_dump_json(), "home": str(home), "digest": feed.digest})
    shape = (recipe.data.batch_size, feed.size, feed.size, feed.channels)
    return Stream(identity, spec, feed.steps_per_epoch, shape)


class Sources:
    """Opens what `stream_of` describes, with a thread for every CPU of this process, and keeps the last few open."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Source] = OrderedDict()
        self._lock = Lock()

    def __call__(self, spec: str) -> Source:
        """The feed of a stream's `spec`.

        Raises:
            DataError: what `open_feed` raises, or the data there are other than the client's.
        """
        from paribus.data.feed import open_feed

        with self._lock:
            if spec not in self._open:
                found = json.loads(spec)
                recipe = Recipe.model_validate_json(found["recipe"])
                threads = len(os.sched_getaffinity(0))
                feed = open_feed(recipe, Path(found["home"]), threads=threads)
                # The rows of one set would be given the keys and classes of another.
                if feed.digest != found["digest"]:
                    raise DataError(f"{recipe.data.shards or recipe.data.name} was made anew since the trial opened it")
                self._open[spec] = feed
            self._open.move_to_end(spec)
            while len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
            return self._open[spec]


def _bearing(part: Part) -> dict[str, object]:
    values = part.model_dump(mode="json")
    return {name: values[name] for name in values if name not in _BESIDES and not is_bookkeeping(type(part), name)}
