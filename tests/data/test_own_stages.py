"""A recipe's own stages: a real WebDataset pipeline in the training path, the same batches, and what it refuses."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import webdataset

from paribus.data import Batch, DataError, Feed, open_feed, pipeline
from paribus.data.sharing.recipes import stream_of
from paribus.engine.options import Options
from paribus.engine.preview import make_preview
from paribus.plugins import stand_beside
from paribus.recipe import Recipe, RecipeError, Seeds, preset, trial_id
from paribus.study import Study
from paribus.testing import check_recipe

SEEDS = Seeds(init=1, order=2, augment=3, dropout=4)
STRIPES = preset("synthetic").replace({"data.batch_size": 7})
MODULE = """
import random
import numpy as np


def same(sample):
    return sample


def inverted(sample):
    return {**sample, "image": 255 - sample["image"]}


def noisy(sample):
    draws = np.random.default_rng(sample["__seed__"])
    noise = draws.integers(0, 20, sample["image"].shape, dtype=np.uint8)
    return {**sample, "image": sample["image"] // 2 + noise}


def taller(sample):
    return {**sample, "image": np.concatenate([sample["image"]] * 2)}


def from_global(sample):
    return {**sample, "image": sample["image"] // (1 + np.random.randint(3))}


def from_python(sample):
    random.random()
    return sample


counted = []


def keeping(sample):
    counted.append(1)
    return {**sample, "image": sample["image"] // len(counted)}


def nothing(sample):
    pass


def floats(sample):
    return {**sample, "image": sample["image"] / 255}


def relabelled(sample):
    return {**sample, "cls": sample["cls"] + 1}


def failing(sample):
    raise KeyError("no such thing")


value = 3
"""


@pytest.fixture(autouse=True)
def my_data(tmp_path: Path) -> Iterator[None]:
    """The module of a user, beside the study; forgotten afterwards, for other tests have one of that name."""
    (tmp_path / "my_data.py").write_text(MODULE)
    stand_beside(tmp_path)
    yield
    stand_beside()


def staged(recipe: Recipe, *names: str) -> Recipe:
    return recipe.replace({"data.stages": tuple(f"my_data:{name}" for name in names)})


def epoch_of(feed: Feed, epoch: int = 0, start: int = 0) -> list[Batch]:
    return list(feed.batches(SEEDS.order, SEEDS.augment, epoch, start))


def same(left: list[Batch], right: list[Batch]) -> bool:
    return len(left) == len(right) > 0 and all(
        a.keys == b.keys and torch.equal(a.labels, b.labels) and torch.equal(a.images, b.images)
        for a, b in zip(left, right, strict=True)
    )


RECIPES = {
    "as stored": {},
    "padded and flipped": {"augment.crop": "pad", "augment.pad": 2, "augment.flip": True, "augment.cutout": 3},
    "fitted": {"data.size": 10},
    "cropped": {"data.size": 12, "augment.crop": "random_resized", "augment.flip": True, "data.decoding": "exact"},
}


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("photographs", [False, True], ids=["stripes", "photographs"])
def test_the_pipeline_a_stage_that_changes_nothing_and_the_fast_path_give_the_same_batches_to_the_bit(
    photos: Path, data_home: Path, changes: dict[str, object], photographs: bool
) -> None:
    recipe = STRIPES.replace(changes)
    if photographs:
        recipe = recipe.replace({"data.name": "photos", "data.shards": str(photos), "data.size": 20})
    fast = epoch_of(open_feed(recipe, data_home), epoch=1)
    assert same(list(pipeline(recipe, SEEDS, 1, data_home)), fast)
    through = open_feed(staged(recipe, "same"), data_home, threads=3)
    assert "data.stages (my_data:same)" in str(through.cache_choice["train"])
    assert same(epoch_of(through, epoch=1), fast)
    assert same(epoch_of(through, epoch=1, start=2), fast[2:])
    assert same(list(pipeline(staged(recipe, "same"), SEEDS, 1, data_home, start_step=2)), fast[2:])
    assert same(list(through.evaluation()), list(open_feed(recipe, data_home).evaluation()))


def test_fast_decoding_is_the_pipelines_too(photos: Path, data_home: Path) -> None:
    recipe = STRIPES.replace(
        {"data.name": "p", "data.shards": str(photos), "data.size": 8, "augment.crop": "random_resized"}
    )
    assert same(list(pipeline(recipe, SEEDS, 0, data_home)), epoch_of(open_feed(recipe, data_home)))


def test_it_is_webdatasets_own_pipeline_and_takes_others_stages(data_home: Path) -> None:
    made = pipeline(STRIPES, SEEDS, 0, data_home)
    assert type(made) is webdataset.DataPipeline
    tuples = webdataset.DataPipeline(
        *(made.stage(number) for number in range(2)),
        webdataset.map(lambda sample: {**sample, "image": sample["image"][::-1]}),
        webdataset.to_tuple("__key__", "image", "cls"),
        webdataset.batched(7),
    )
    keys, images, labels = next(iter(tuples))
    batch = next(iter(made))
    assert list(keys) == batch.keys
    assert np.array_equal(images[:, ::-1], batch.pixels.numpy())
    assert list(labels) == batch.labels.tolist()


def test_stages_run_in_their_order_on_training_and_evaluation(data_home: Path) -> None:
    plain, own = (open_feed(recipe, data_home) for recipe in (STRIPES, staged(STRIPES, "inverted")))
    for feeds in zip(epoch_of(plain), epoch_of(own), strict=True):
        assert torch.equal(255 - feeds[0].pixels, feeds[1].pixels)
    for views in zip(plain.evaluation(), own.evaluation(), strict=True):
        assert torch.equal(255 - views[0].pixels, views[1].pixels)
    twice = open_feed(staged(STRIPES, "noisy", "inverted"), data_home)
    once = open_feed(staged(STRIPES, "noisy"), data_home)
    assert torch.equal(epoch_of(twice)[0].pixels, 255 - epoch_of(once)[0].pixels)


def test_what_a_stage_draws_comes_from_the_sample_seed_and_epoch_and_from_nothing_else(data_home: Path) -> None:
    recipe = staged(STRIPES.replace({"data.size": 12}), "noisy")
    feed = open_feed(recipe, data_home, threads=0)
    first = epoch_of(feed)
    assert same(epoch_of(open_feed(recipe, data_home, threads=2)), first)
    assert same(epoch_of(feed, start=3), first[3:])
    ranks = [open_feed(recipe, data_home, rank=rank, world_size=2) for rank in range(2)]
    halves = [epoch_of(rank)[0].pixels for rank in ranks]
    assert torch.equal(torch.cat(halves), first[0].pixels)
    others = (epoch_of(feed, epoch=1), list(feed.batches(SEEDS.order, 99, 0)))
    assert all(not torch.equal(other[0].pixels, first[0].pixels) for other in others)


def test_stages_are_part_of_a_trials_name_and_stream_and_no_stage_is_not(data_home: Path) -> None:
    plain, own = STRIPES, staged(STRIPES, "inverted")
    assert trial_id(plain.replace({"data.stages": ()}), SEEDS, "d" * 64) == trial_id(plain, SEEDS, "d" * 64)
    assert trial_id(own, SEEDS, "d" * 64) != trial_id(plain, SEEDS, "d" * 64)
    streams = {stream_of(recipe, open_feed(recipe, data_home), data_home).identity for recipe in (plain, own)}
    assert len(streams) == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("from_global", "draw from a global generator.*default_rng"),
        ("from_python", "draw from a global generator"),
        ("keeping", "make two images of one sample"),
        ("nothing", "gave back nothing: it must return the sample"),
        ("floats", r"made the image float64 \(\d+, \d+, 3\).*uint8"),
        ("relabelled", "changed the key or the class"),
        ("failing", r"'my_data:failing' failed on sample '.*' \(KeyError"),
    ],
)
def test_a_stage_that_would_break_the_stream_is_refused_before_training(data_home: Path, name: str, words: str) -> None:
    state = random.getstate(), np.random.get_state()[1].tobytes()
    with pytest.raises(DataError, match=words):
        open_feed(staged(STRIPES, name), data_home)
    if "from" in name:
        random.setstate(state[0])
    assert name.startswith("from") or state == (random.getstate(), np.random.get_state()[1].tobytes())


def test_a_crop_of_an_image_that_changed_its_size_is_refused(data_home: Path) -> None:
    recipe = staged(STRIPES.replace({"augment.crop": "random_resized"}), "taller")
    with pytest.raises(DataError, match=r"made '.*' 16x8 pixels, of 8x8: .*keep the size"):
        epoch_of(open_feed(recipe, data_home))
    fitted = open_feed(staged(STRIPES, "taller"), data_home)
    assert epoch_of(fitted)[0].pixels.shape == (7, 8, 8, 3)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (("my_data",), "write module:Name"),
        (("my_date:same",), "there is no module 'my_date' beside the study"),
        (("my_data:sane",), "my_data has no 'sane'; did you mean 'same'"),
        (("my_data:value",), "is a int: name a class, or a function"),
    ],
)
def test_a_stage_that_is_not_there_is_refused_by_plan_as_by_training(
    data_home: Path, stages: tuple[str, ...], words: str
) -> None:
    recipe = STRIPES.replace({"data.stages": stages})
    for refuse in (lambda: check_recipe(recipe), lambda: open_feed(recipe, data_home)):
        with pytest.raises(RecipeError, match=words):
            refuse()


@pytest.mark.parametrize(
    ("stage", "crop", "words"),
    [
        ("my_data:failing", "none", "failed on sample"),
        ("my_data:keeping", "none", "make two images of one sample"),
        ("my_data:taller", "random_resized", "draws its boxes for stored sizes"),
    ],
)
def test_a_plan_tries_stages_on_a_real_image_of_the_arm_that_names_them(
    data_home: Path, stage: str, crop: str, words: str
) -> None:
    changes = {"augment.crop": crop}
    study = Study(
        name="mine",
        base="synthetic",
        fixed=changes,
        factors={"data.stages": ((), ("my_data:same",), (stage,))},
        margin=4.0,
    )
    with pytest.raises(DataError, match=rf"study 'mine', arm '[^']*{stage}[^']*': .*{words}"):
        make_preview(study, data_home, None, Options())
    fine = replace(study, factors={"data.stages": ((), ("my_data:noisy",))})
    assert make_preview(fine, data_home, None, Options()).plan.todo


def test_images_cannot_stay_decoded_where_stages_run(data_home: Path) -> None:
    recipe = staged(STRIPES, "same").replace({"data.cache": "always"})
    with pytest.raises(DataError, match="leave one of them out"):
        open_feed(recipe, data_home)


def test_a_study_trains_through_its_stages(data_home: Path) -> None:
    from paribus.training import fit

    recipe = staged(STRIPES, "noisy").replace({"budget": "3 steps"})
    results: list[Any] = [fit(recipe, SEEDS, open_feed(recipe, data_home)) for _ in range(2)]
    plain = fit(STRIPES.replace({"budget": "3 steps"}), SEEDS, open_feed(STRIPES, data_home))
    losses = [result.metrics["train_loss"] for result in (*results, plain)]
    assert losses[0] == losses[1] != losses[2]
    assert results[0].stream_hashes == plain.stream_hashes  # the order knows no stages
