"""A dataset of the user's, named in the recipe: read as any other set, named by its contents, refused in words."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from paribus.data import DataError, data_digest, open_feed
from paribus.engine.code_digest import trial_code
from paribus.plugins import stand_beside
from paribus.recipe import Recipe, RecipeError, Seeds, preset, trial_id
from paribus.shards.catalog import check_inputs
from paribus.testing import check_dataset, check_recipe

MODULE = """
from io import BytesIO
from pathlib import Path
import numpy as np
from PIL import Image

SHADE = 7
HERE = Path(__file__).parent


class Scans:
    classes = ("flat", "steep")
    form = "array"

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return {"train": 20, "test": 10}[self.split]

    def __getitem__(self, row):
        image = np.full((8, 8), SHADE * row % 256, np.uint8)
        image[: row % 2 * 4] += 100
        if self.form == "array":
            return image, row % 2
        if self.form == "picture":
            return Image.fromarray(image), np.int64(row % 2)
        stream = BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        return stream.getvalue(), row % 2


class Pictures(Scans):
    form = "picture"


class Files(Scans):
    form = "bytes"


class Labelled(Scans):
    def __init__(self, split):
        super().__init__(split)
        self.labels = [row % 2 for row in range(len(self))]


class Shifting(Scans):
    def __len__(self):
        return int((HERE / "length").read_text()) if (HERE / "length").exists() else super().__len__()

    def __getitem__(self, row):
        image, label = super().__getitem__(row)
        return image + (HERE / "brighter").exists(), label


class Random(Scans):
    def __getitem__(self, row):
        return np.random.randint(0, 255, (8, 8)).astype(np.uint8), 0


class Keeping(Scans):
    count = 0

    def __getitem__(self, row):
        Keeping.count += 1
        return np.full((8, 8), Keeping.count, np.uint8), 0


class Empty(Scans):
    def __len__(self):
        return 0


class Floats(Scans):
    def __getitem__(self, row):
        return np.zeros((8, 8)), 0


class Words(Scans):
    def __getitem__(self, row):
        return np.zeros((8, 8), np.uint8), "flat"


class Negative(Scans):
    def __getitem__(self, row):
        return np.zeros((8, 8), np.uint8), -1


class Nameless(Scans):
    classes = ("flat",)


class Broken(Scans):
    def __getitem__(self, row):
        return b"no image", 0


def failing(split):
    raise FileNotFoundError("scans.h5")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "study" / "my_scans.py"
    file.parent.mkdir()
    file.write_text(MODULE)
    stand_beside(file.parent)
    yield file
    stand_beside()


def recipe_of(name: str) -> Recipe:
    return preset("synthetic").replace({"data.name": f"my_scans:{name}", "data.batch_size": 6})


def reread(file: Path, text: str) -> None:
    """The file with another text, imported anew, as by the next command."""
    file.write_text(text)
    stand_beside()
    sys.modules.pop(file.stem, None)
    stand_beside(file.parent)


def keys_and_pixels(recipe: Recipe, home: Path, start_step: int = 0) -> list[tuple[str, bytes]]:
    batches = open_feed(recipe, home).batches(1, 2, epoch=0, start_step=start_step)
    return [
        (key, image.numpy().tobytes()) for batch in batches for key, image in zip(batch.keys, batch.pixels, strict=True)
    ]


@pytest.mark.parametrize("name", ["Scans", "Pictures", "Files", "Labelled"])
def test_rows_are_trained_on_as_they_are_given_and_resumed_anywhere(name: str, tmp_path: Path) -> None:
    recipe = recipe_of(name)
    feed = open_feed(recipe, tmp_path)
    assert (feed.num_train, feed.num_eval, feed.classes, feed.channels) == (20, 10, ("flat", "steep"), 1)
    (batch, *_) = feed.evaluation()
    for key, image, label in zip(batch.keys, batch.pixels, batch.labels, strict=True):
        row = int(key.removeprefix("test-"))
        expected = np.full((8, 8, 1), 7 * row % 256, np.uint8)
        expected[: row % 2 * 4] += 100
        np.testing.assert_array_equal(image.numpy(), expected)
        assert label == row % 2
    whole = keys_and_pixels(recipe, tmp_path)
    assert len({key for key, _ in whole}) == 18
    assert keys_and_pixels(recipe, tmp_path, start_step=2) == whole[12:]
    assert keys_and_pixels(recipe.replace({"data.cache": "never"}), tmp_path) == whole


def test_some_of_its_training_rows_can_be_held_out_and_evaluated_on(tmp_path: Path) -> None:
    whole, apart = (open_feed(recipe_of("Scans").replace({"data.holdout": share}), tmp_path) for share in (0.0, 0.3))
    assert (apart.num_train, apart.num_eval, apart.digest) == (14, 6, whole.digest)
    trained = {apart.train.index.keys[row] for row in apart.order.chosen.tolist()}
    assert trained.isdisjoint(apart.eval_keys)
    assert trained | set(apart.eval_keys) == set(whole.train.index.keys)
    assert [key for batch in apart.evaluation() for key in batch.keys] == apart.eval_keys


def test_the_digest_is_that_of_the_contents_on_any_machine_and_the_id_and_code_follow(
    module: Path, tmp_path: Path
) -> None:
    recipe, seeds = recipe_of("Scans"), Seeds.draw(0, 1)
    digest, code = data_digest(recipe, tmp_path), trial_code(recipe)
    assert data_digest(recipe, tmp_path / "elsewhere") == digest
    assert trial_id(recipe, seeds, digest) != trial_id(
        recipe_of("Files"), seeds, data_digest(recipe_of("Files"), tmp_path)
    )
    reread(module, MODULE.replace("SHADE = 7", "SHADE = 7  # of grey"))
    assert (data_digest(recipe, tmp_path), trial_code(recipe)) == (digest, code)
    reread(module, MODULE.replace("SHADE = 7", "SHADE = 8"))
    assert data_digest(recipe, tmp_path) != digest
    assert trial_code(recipe) != code


@pytest.mark.parametrize(
    ("file", "words"), [("brighter", "another image or class as row 0"), ("length", "has 12 rows")]
)
def test_data_that_changed_behind_the_set_are_refused_with_what_to_do(
    module: Path, tmp_path: Path, file: str, words: str
) -> None:
    recipe = recipe_of("Shifting")
    check_inputs([recipe], tmp_path)
    before = keys_and_pixels(recipe, tmp_path)
    (module.parent / file).write_text("12")
    reread(module, MODULE)
    with pytest.raises(DataError, match=rf"'my_scans:Shifting' .*{words}.*remove .*my_scans.Shifting-train-test-"):
        check_inputs([recipe], tmp_path)
    assert keys_and_pixels(recipe, tmp_path) == before, "a trial reads what its digest stands for"


REFUSED = {
    "Nowhere": "my_scans has no 'Nowhere'",
    "failing": r"failed when it was called with 'train' \(FileNotFoundError: scans.h5\)",
    "Empty": "has no rows of 'train'",
    "Floats": r"gives the image float64 \(8, 8\): it should be",
    "Words": "row 0 of 'train', is no image with the number of its class",
    "Negative": "has class -1: classes count from 0",
    "Nameless": "names 1 classes apart, and has one with the number 1",
    "Broken": "do not decode",
}


@pytest.mark.parametrize(("name", "words"), REFUSED.items(), ids=list(REFUSED))
def test_what_is_no_dataset_is_refused_in_words_and_leaves_no_set(tmp_path: Path, name: str, words: str) -> None:
    for _ in range(2):
        with pytest.raises((DataError, RecipeError), match=words):
            check_inputs([recipe_of(name)], tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Random", "draws from a global generator"),
        ("Keeping", "the second time"),
        ("Floats", "float64"),
        ("Broken", "raised"),
    ],
)
def test_the_contract_finds_what_is_not_the_same_set_each_time(name: str, words: str) -> None:
    checks: tuple[Callable[[], None], ...] = (
        lambda: check_dataset(f"my_scans:{name}"),
        lambda: check_recipe(recipe_of(name)),
    )
    for check in checks:
        with pytest.raises(RecipeError, match=words):
            check()


def test_the_example_keeps_the_contract(tmp_path: Path) -> None:
    stand_beside(Path(__file__).parents[2] / "studies" / "own")
    for split in ("train", "test"):
        check_dataset("my_data:Coins", split)
    feed = open_feed(preset("digits").replace({"data.name": "my_data:Coins"}), tmp_path)
    assert (feed.num_train, feed.num_eval, feed.size) == (1800, 780, 24)
