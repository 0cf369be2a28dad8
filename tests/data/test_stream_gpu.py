"""A stream on a GPU: pinned batches, and the CPU's images."""

from pathlib import Path

import pytest
import torch

from paribus.data import open_feed
from paribus.recipe import preset


@pytest.mark.gpu
def test_batches_for_a_gpu_are_pinned_and_the_cpus_bit_for_bit(stripes: Path, tmp_path: Path) -> None:
    changes = {"data.shards": str(stripes), "data.cache": "never", "augment.crop": "pad", "augment.flip": True}
    recipe = preset("synthetic").replace({**changes, "augment.pad": 2, "augment.cutout": 3})
    feed, plain = open_feed(recipe, tmp_path, threads=2), open_feed(recipe, tmp_path, threads=0)
    feed.device = torch.device("cuda")
    for epoch in range(8):
        for ours, theirs in zip(feed.batches(1, 2, epoch), plain.batches(1, 2, epoch), strict=True):
            assert ours.pixels.is_pinned()
            assert torch.equal(ours.on(feed.device).cpu(), theirs.images)
