"""Where preparing batches spends its time, and the advice drawn from it."""

import time
from pathlib import Path

import pytest
import torch

from paribus.data import open_feed
from paribus.recipe import preset
from paribus.shards.input_times import InputTimes

PHOTOS = preset("synthetic").replace(
    {"data.name": "photos", "data.size": 64, "data.batch_size": 8, "data.cache": "never",
     "augment.crop": "random_resized", "augment.flip": True}
)  # fmt: skip


def test_time_within_a_stage_counts_once() -> None:
    input_times = InputTimes()
    with input_times.timing("decode"):
        with input_times.timing("storage", within="decode"):
            time.sleep(0.03)
        time.sleep(0.01)
    assert input_times.seconds["storage"] >= 0.03
    assert 0.005 <= input_times.seconds["decode"] < input_times.seconds["storage"]
    assert input_times.bottleneck == "storage"


@pytest.mark.parametrize("threads", [0, 2])
def test_streamed_photographs_spend_their_time_in_decoding(photos: Path, data_home: Path, threads: int) -> None:
    torch.set_num_threads(1)
    feed = open_feed(PHOTOS.replace({"data.shards": str(photos), "resources.cpus": 3.0}), data_home, threads=threads)
    for epoch in range(5):
        for batch in feed.batches(1, 2, epoch):
            batch.on(torch.device("cpu"))
    advice = feed.bottleneck(0.42)
    assert advice.startswith("training waited for data 42% of its time; preparing it was storage ")
    assert f"raise resources.cpus (now 3, {threads} of them for data)" in advice


@pytest.mark.parametrize(
    ("stage", "cure"), [("storage", "PARIBUS_CACHE_GIB"), ("decode", "--short-side 256"), ("copy", "data.batch_size")]
)
def test_every_bottleneck_has_its_cure(stage: str, cure: str) -> None:
    input_times = InputTimes()
    with input_times.timing(stage):  # type: ignore[arg-type]
        time.sleep(0.001)
    assert cure in input_times.advice(0.5, 2.0, 1, "s3://bucket/set")
