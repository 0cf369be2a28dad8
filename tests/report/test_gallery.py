"""Pictures of evaluation examples: those of the very set that trials were judged on, by key, and why there are none."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from paribus.analysis.exploratory.flips import Flip
from paribus.images.decode import decode
from paribus.report.views.gallery import gallery, gallery_html
from paribus.shards.catalog import find
from paribus.shards.fraction import read_evaluated
from paribus.shards.reading import ShardReader
from paribus.study import Study


def test_pictures_are_those_of_their_keys_and_another_set_is_refused(tmp_path: Path) -> None:
    study = Study(name="shown", factors={"model.depth": (16, 22)}, replicates=2)
    arm = study.arms[0]
    data = study.recipe_of(arm).data
    set_ = find(data, tmp_path)
    index = read_evaluated(set_.place, set_.manifest, data)
    keys = [index.keys[row] for row in (7, 3)]
    found = gallery(study, arm, set_.manifest.digest, [*keys, "none of these"], tmp_path)
    assert list(found.pictures) == keys
    reader = ShardReader(set_.place, set_.manifest, data.eval_split, index)
    for row, key in zip((7, 3), keys, strict=True):
        pixels = decode(reader.read(row), 1)[:, :, 0]
        shown = np.asarray(Image.open(BytesIO(found.pictures[key])))[:, :, 0]
        scale = len(shown) // len(pixels)
        assert (shown[::scale, ::scale] == pixels).all()
    flip = Flip(place=1, label=4, arm_right=3, baseline_right=0, arm_says=4, baseline_says=9)
    html = gallery_html(found, [flip], 3, keys)
    assert base64.b64decode(re.findall('base64,([^"]+)', html)[0]) == found.pictures[keys[1]]
    assert f"{keys[1]}, of class {set_.manifest.classes[4]}" in html
    assert "arm: 4, right in 3 of 3; baseline: 9, right in 0" in html
    other = gallery(study, arm, "0" * 64, keys, tmp_path)
    assert "another than the trials were judged on" in other.refused
    assert not other.pictures
