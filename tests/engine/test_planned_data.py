"""A trial trains on the data that it was planned with, or not at all."""

from pathlib import Path

import pytest

from paribus.data import DataError, data_digest
from paribus.execution.workers.worker import check_data
from paribus.recipe import Recipe, preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.study.plan import Trial, trials
from paribus.study.study import Study


def planned(recipe: Recipe, home: Path) -> Trial:
    study = Study(name="same-data", base=recipe, factors={"model.dropout": (0.0, 0.1)}, replicates=1)
    return trials(study, lambda each: data_digest(each, home))[0]


def test_other_shards_at_the_same_place_are_refused(tmp_path: Path) -> None:
    make_shards(synthetic(), tmp_path / "set", shard_size=5)
    recipe = preset("synthetic").replace({"data.shards": str(tmp_path / "set")})
    trial = planned(recipe, tmp_path)
    check_data(trial, data_digest(recipe, tmp_path))
    (tmp_path / "set").rename(tmp_path / "old")
    make_shards(synthetic(), tmp_path / "set", shard_size=7)
    with pytest.raises(DataError, match=r"set on .* planned with others: give every node the same shards"):
        check_data(trial, data_digest(recipe, tmp_path))
