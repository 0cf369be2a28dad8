"""Bad input: every fault is named, and nothing is trained or evaluated on it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from data_sources import changed

from paribus.data import Batch, DataError, data_digest, open_feed
from paribus.recipe import Recipe, preset
from paribus.shards.making.shards import make_shards
from paribus.shards.making.verify import verify
from paribus.shards.sources.image_folder import image_folder
from paribus.shards.sources.source import File
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.shards.storage.locations import ShardLocation

RECIPE = preset("synthetic")


def read_all(recipe: Recipe, home: Path) -> list[str]:
    """Train an epoch and evaluate; the training keys."""
    feed = open_feed(recipe, home)
    keys = [key for batch in feed.batches(1, 2, epoch=0) for key in batch.keys]
    assert len([key for batch in feed.evaluation() for key in batch.keys]) == feed.num_eval
    return keys


def delete(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2048])


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(512))


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)


DAMAGES = [(delete, "missing"), (empty, "empty"), (truncate, "truncated"), (append, "grown"), (alter, "altered")]


@pytest.mark.parametrize(("damage", "word"), DAMAGES, ids=[word for _, word in DAMAGES])
@pytest.mark.parametrize("resident", ["always", "never"])
@pytest.mark.parametrize("file", ["train-000004.tar", "test-000002.tar"])
def test_a_damaged_shard_is_named(
    stripes: Path, tmp_path: Path, damage: Callable[[Path], None], word: str, resident: str, file: str
) -> None:
    folder = Path(shutil.copytree(stripes, tmp_path / "set"))
    recipe = RECIPE.replace({"data.shards": str(folder), "data.cache": resident})
    assert len(read_all(recipe, tmp_path / "sound")) == 64
    damage(folder / file)
    with pytest.raises(DataError, match=rf"{file}.*{word}.*make the shards again"):
        read_all(recipe, tmp_path / "home")
    report = verify(ShardLocation(str(folder)))
    assert len(report.faults) == 1
    assert file in report.faults[0]
    assert word in report.faults[0]
    assert [path for path in (tmp_path / "home" / "cache").glob("*") if "partial" in path.name] == []


def test_a_renamed_shard_is_missing_under_its_name(stripes: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(stripes, tmp_path / "set"))
    (folder / "train-000004.tar").rename(folder / "part-4.tar")
    with pytest.raises(DataError, match=r"train-000004.tar.*missing"):
        read_all(RECIPE.replace({"data.shards": str(folder)}), tmp_path / "home")
    report = verify(ShardLocation(str(folder)))
    assert ["train-000004.tar" in fault for fault in report.faults] == [True]
    assert any("part-4.tar" in warning for warning in report.warnings)


@pytest.mark.parametrize("world_size", [1, 3])
def test_shards_of_one_sample_are_read_like_any(tmp_path: Path, world_size: int) -> None:
    """Ranks take rows, not shards: it matters to none of them how few a shard holds."""
    pixels = []
    for size in (1, 64):
        make_shards(synthetic(), tmp_path / str(size), shard_size=size)
        recipe = RECIPE.replace({"data.shards": str(tmp_path / str(size)), "data.cache": "never"})
        recipe = recipe.replace({"data.shuffle_shards": 128})
        feeds = [open_feed(recipe, tmp_path, rank=rank, world_size=world_size) for rank in range(world_size)]
        batches = [batch for feed in feeds for batch in feed.batches(1, 2, epoch=0)]
        pixels.append([(batch.keys, batch.images.numpy().tobytes()) for batch in batches])
    assert pixels[0] == pixels[1]


@pytest.mark.parametrize("file", ["train.index.npy", "train.keys.txt"])
@pytest.mark.parametrize(("damage", "word"), [(delete, "missing"), (truncate, "altered"), (alter, "altered")])
def test_a_damaged_index_is_named(
    stripes: Path, tmp_path: Path, damage: Callable[[Path], None], word: str, file: str
) -> None:
    folder = Path(shutil.copytree(stripes, tmp_path / "set"))
    damage(folder / file)
    with pytest.raises(DataError, match=rf"{file}.*{word}"):
        read_all(RECIPE.replace({"data.shards": str(folder)}), tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"format": 2}'])
def test_a_broken_manifest_is_named(stripes: Path, tmp_path: Path, text: str) -> None:
    folder = Path(shutil.copytree(stripes, tmp_path / "set"))
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest.json is no manifest of Paribus"):
        data_digest(RECIPE.replace({"data.shards": str(folder)}), tmp_path)


def test_shards_of_another_set_are_noticed(stripes: Path, tmp_path: Path) -> None:
    """Each file is whole and honestly listed, but one was swapped together with its entry in the manifest."""
    folder = Path(shutil.copytree(stripes, tmp_path / "set"))
    text = (folder / "manifest.json").read_text()
    swap = {"train-000001.tar": "train-000002.tar", "train-000002.tar": "train-000001.tar"}
    shards = [line for line in text.splitlines() if "train-00000" in line]
    for line in shards:
        name = line.split('"')[3]
        text = text.replace(f'"{name}"', f'"@{swap.get(name, name)}"')
    (folder / "manifest.json").write_text(text.replace('"@', '"'))
    recipe = RECIPE.replace({"data.shards": str(folder), "data.cache": "never"})
    with pytest.raises(DataError, match=r"altered|other samples"):
        read_all(recipe, tmp_path / "home")


def broken_set(folder: Path, split: str, bad: tuple[int, ...]) -> Path:
    """Stripes with undecodable files among them."""

    def change(name: str, row: int, file: File) -> File:
        return replace(file, data=b"no image", pixels=None) if name == split and row in bad else file

    make_shards(changed(synthetic(), change), folder, shard_size=5, keep_undecodable=True)
    return folder


@pytest.mark.parametrize("resident", ["always", "never"])
def test_undecodable_training_samples_are_skipped_up_to_the_limit(tmp_path: Path, resident: str) -> None:
    folder = broken_set(tmp_path / "set", "train", (3, 40))
    recipe = RECIPE.replace({"data.shards": str(folder), "data.cache": resident, "data.max_undecodable": 2 / 64})
    keys = read_all(recipe, tmp_path / "home")
    assert len(keys) == 62
    assert not {"train-0003", "train-0040"} & set(keys)
    feed = open_feed(recipe, tmp_path / "home")
    sizes = [len(batch.images) for epoch in (0, 1) for batch in feed.batches(1, 2, epoch)]
    assert sum(sizes) == 124
    assert feed.undecodable_keys == ["train-0003", "train-0040"]
    with pytest.raises(DataError, match=r"do not decode \(train-00.*\): data.max_undecodable allows 1 of 64"):
        read_all(recipe.replace({"data.max_undecodable": 1 / 64}), tmp_path / "home")
    with pytest.raises(DataError, match="allows 0 of 64"):
        read_all(recipe.replace({"data.max_undecodable": 0.001}), tmp_path / "home")


@pytest.mark.parametrize("start", [0, 4, 8])
def test_a_trial_that_resumes_fails_where_one_that_never_stopped_does(tmp_path: Path, start: int) -> None:
    folder = broken_set(tmp_path / "set", "train", tuple(range(0, 64, 6)))
    changes = {"data.shards": str(folder), "data.batch_size": 4, "data.max_undecodable": 8 / 64}
    feed = open_feed(RECIPE.replace(changes), tmp_path / "home")
    served: list[Batch] = []
    with pytest.raises(DataError, match="allows 8 of 64"):
        served.extend(feed.batches(1, 2, 0, start))
    assert start + len(served) == 10


def test_memory_and_stream_skip_the_same_samples(tmp_path: Path) -> None:
    folder = broken_set(tmp_path / "set", "train", (3, 40))
    streams = []
    for resident in ("always", "never"):
        recipe = RECIPE.replace({"data.shards": str(folder), "data.cache": resident, "data.max_undecodable": 0.5})
        batches = open_feed(recipe, tmp_path / "home").batches(1, 2, epoch=0)
        streams.append([(batch.keys, batch.images.numpy().tobytes()) for batch in batches])
    assert streams[0] == streams[1]


def test_a_batch_of_which_nothing_decodes_is_an_error(tmp_path: Path) -> None:
    folder = broken_set(tmp_path / "set", "train", (3,))
    recipe = RECIPE.replace({"data.shards": str(folder), "data.batch_size": 1, "data.max_undecodable": 0.5})
    with pytest.raises(DataError, match=r"train-0003.*nothing is left of their batch"):
        read_all(recipe, tmp_path / "home")


@pytest.mark.parametrize("resident", ["always", "never"])
def test_evaluation_allows_no_undecodable_sample(tmp_path: Path, resident: str) -> None:
    folder = broken_set(tmp_path / "set", "test", (7,))
    recipe = RECIPE.replace({"data.shards": str(folder), "data.cache": resident, "data.max_undecodable": 0.9})
    with pytest.raises(DataError, match=r"test-0007\): evaluation allows none"):
        read_all(recipe, tmp_path / "home")


def test_making_shards_stops_at_an_image_that_does_not_decode_and_names_it(photo_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(photo_folder, tmp_path / "photos"))
    victim = folder / "train" / "flower" / "crop.05.jpg"
    victim.write_bytes(victim.read_bytes()[:300])
    with pytest.raises(DataError, match=r"1 of photos's images do not decode: train: flower/crop_05.jpg"):
        make_shards(image_folder(folder), tmp_path / "set")
    assert not (tmp_path / "set").exists()
    assert make_shards(image_folder(folder), tmp_path / "set", keep_undecodable=True).undecodable == 1
    assert "flower/crop_05" in verify(ShardLocation(str(tmp_path / "set"))).faults[0]


def test_a_class_folder_without_images_is_named(photo_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(photo_folder, tmp_path / "photos"))
    (folder / "train" / "temple").mkdir()
    (folder / "test" / "temple").mkdir()
    with pytest.raises(DataError, match=r"photos/train/temple has no images: fill it, or remove it"):
        image_folder(folder)
    (folder / "test" / "temple").rmdir()
    (folder / "train" / "temple" / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"different classes \(temple\)"):
        image_folder(folder)


@pytest.mark.parametrize("missing", ["all", "train", "classes"])
def test_a_folder_that_is_no_image_folder_says_what_one_is(tmp_path: Path, missing: str) -> None:
    root = tmp_path / "images"
    if missing != "all":
        (root / ("train" if missing == "classes" else "val")).mkdir(parents=True)
    with pytest.raises(DataError, match="train"):
        image_folder(root)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data.batch_size": 65}, ["64 training samples", "batch_size = 65"]),
        ({"data.train_fraction": 0.2}, ["12 training samples", "0.2 of 64", "batch_size = 16"]),
        ({"data.eval_split": "val"}, ["no split 'val'", "train, test"]),
        ({"data.train_split": "test"}, ["both 'test'"]),
        ({"augment.crop": "pad", "augment.pad": 8}, ["augment.pad = 8", "8 pixels"]),
        ({"augment.cutout": 9}, ["augment.cutout = 9", "8 pixels"]),
    ],
)
def test_a_recipe_that_does_not_fit_its_data_is_told_why(
    data_home: Path, changes: dict[str, object], words: list[str]
) -> None:
    with pytest.raises(DataError) as error:
        open_feed(RECIPE.replace(changes), data_home)
    assert all(word in str(error.value) for word in words), error.value


def test_a_batch_is_shared_among_any_number_of_ranks(data_home: Path) -> None:
    whole = next(open_feed(RECIPE, data_home).batches(1, 2, 0)).keys
    shares = [next(open_feed(RECIPE, data_home, rank=rank, world_size=18).batches(1, 2, 0)).keys for rank in range(18)]
    assert [len(share) for share in shares] == [1] * 16 + [0] * 2
    assert [key for share in shares for key in share] == whole


def test_images_of_many_sizes_need_a_size(photos: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace({"data.shards": str(photos), "data.batch_size": 4})
    with pytest.raises(DataError, match=r"measure \d+x\d+ to \d+x\d+ pixels: say with data.size"):
        open_feed(recipe, tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cifar10", ["paribus shards make cifar10 --download", "--root"]),
        ("fashion_mnist", ["paribus shards make fashion_mnist"]),
        ("digitz", ["did you mean 'digits'", "paribus shards make IMAGES"]),
        ("imagenet", ["paribus shards make imagenet --root FOLDER", "data.shards"]),
        ("my_photos", ["paribus shards make IMAGES", "data.shards"]),
    ],
)
def test_a_set_that_is_not_there_says_which_command_makes_it(tmp_path: Path, name: str, words: list[str]) -> None:
    with pytest.raises(DataError) as error:
        data_digest(RECIPE.replace({"data.name": name}), tmp_path)
    assert all(word in str(error.value) for word in words), error.value


def test_a_channel_that_never_changes_cannot_be_normalised(tmp_path: Path) -> None:

    def flat(split: str, row: int, file: File) -> File:
        assert file.pixels is not None
        pixels = file.pixels.copy()
        pixels[:, :, 1] = 9
        return replace(file, pixels=pixels)

    make_shards(changed(synthetic(), flat), tmp_path / "set")
    recipe = RECIPE.replace({"data.shards": str(tmp_path / "set")})
    with pytest.raises(DataError, match=r"channel 1 is constant.*augment.normalise"):
        open_feed(recipe, tmp_path)
    assert open_feed(recipe.replace({"augment.normalise": False}), tmp_path).num_train == 64
