"""What a WebDataset pipeline in the stream costs, on one core: the fast path, the same as a pipeline, and own stages.

python -m pytest tests/benchmarks/data/bench_stages.py -s
"""

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch
from interleaved import Row, rates, table
from photographs import lay_out

from paribus.data import open_feed, pipeline
from paribus.recipe import Recipe, Seeds, preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder

NUM = 128
SEEDS = Seeds(init=1, order=1, augment=2, dropout=3)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_pipeline_costs_little_beside_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_stages.py").write_text("def same(sample):\n    return sample\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    make_shards(image_folder(lay_out(tmp_path / "images", NUM)), tmp_path / "data" / "photos", shard_size=64)
    fast = preset("imagenet").replace(
        {
            "data.name": "photos",
            "data.eval_split": "test",
            "data.size": 224,
            "data.batch_size": 32,
            "data.cache": "never",
        }
    )
    exact = fast.replace({"data.decoding": "exact"})
    recipes = {"fast": fast, "exact": exact, "own stage": exact.replace({"data.stages": ("my_stages:same",)})}
    feeds = {name: open_feed(recipe, tmp_path, threads=0) for name, recipe in recipes.items()}
    epochs = count()

    def fed(name: str) -> int:
        return sum(len(batch.pixels) for batch in feeds[name].batches(SEEDS.order, SEEDS.augment, next(epochs)))

    def piped(recipe: Recipe) -> int:
        return sum(len(batch.pixels) for batch in pipeline(recipe, SEEDS, next(epochs), tmp_path))

    best = rates(
        {
            "fast": lambda: fed("fast"),
            "exact": lambda: fed("exact"),
            "own stage": lambda: fed("own stage"),
            "pipeline, fast": lambda: piped(fast),
            "pipeline, exact": lambda: piped(exact),
        },
        rounds=5,
    )
    for name, rate in best.items():
        print(f"{name:20} {rate:7,.0f} images/s")
    sys.modules.pop("my_stages")
    assert table(
        [
            Row("pipeline, exact, of the feed's", best["pipeline, exact"] / best["exact"], 0.85),
            Row("an own stage that does nothing, of exact without", best["own stage"] / best["exact"], 0.6),
        ]
    )
