"""Where preparing batches spends its time, and the advice drawn from it."""

import time
from pathlib import Path

import pytest
import torch

from paribus.data import open_feed
from paribus.data.stages import Stages
from paribus.recipe import preset

PHOTOS = preset("synthetic").replace(
    {"data.name": "photos", "data.size": 64, "data.batch_size": 8, "data.resident": "never",
     "augment.crop": "random_resized", "augment.flip": True}
)  # fmt: skip


def test_time_within_a_stage_counts_once() -> None:
    stages = Stages()
    with stages.timing("decode"):
        with stages.timing("storage", within="decode"):
            time.sleep(0.03)
        time.sleep(0.01)
    assert stages.seconds["storage"] >= 0.03
    assert 0.005 <= stages.seconds["decode"] < stages.seconds["storage"]
    assert stages.bottleneck == "storage"


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
    stages = Stages()
    with stages.timing(stage):  # type: ignore[arg-type]
        time.sleep(0.001)
    assert cure in stages.advice(0.5, 2.0, 1, "s3://bucket/set")
