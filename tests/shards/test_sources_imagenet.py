"""ImageNet as distributed, in miniature: nested tars of real JPEGs, the development kit's own formats, a blacklist."""

import hashlib
import pickle
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from data_sources import files
from PIL import Image
from scipy.io import savemat
from sklearn.datasets import load_sample_images

from paribus.data import DataError, open_feed
from paribus.recipe import preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.imagenet.devkit import ARCHIVE, FOLDER, read_devkit
from paribus.shards.sources.imagenet.files import TRAIN_TAR, VAL_TAR, imagenet

# ILSVRC2012_ID: (WNID, words). The ids are not in the order of the WordNet ids, as in the original; 1861 is a parent.
SYNSETS = {
    1: ("n02119789", "kit fox, Vulpes macrotis"),
    2: ("n02100735", "English setter"),
    3: ("n01440764", "tench, Tinca tinca"),
    4: ("n02105855", "Shetland sheepdog, Shetland sheep dog, Shetland"),
    1861: ("n00001740", "entity"),
}
WNIDS = ["n01440764", "n02100735", "n02105855", "n02119789"]
TRUTH = [3, 1, 4, 4, 2, 1, 3, 2]
NUM_TRAIN = 6


def image(number: int, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    photo = load_sample_images().images[number % 2]
    top, left = 7 * number % 300, 13 * number % 500
    buffer = BytesIO()
    Image.fromarray(photo[top : top + 60, left : left + 80]).convert(mode).save(buffer, kind)
    return buffer.getvalue()


def train_files() -> dict[str, bytes]:
    contents = {
        f"{wnid}_{10 * place + number}.JPEG": image(NUM_TRAIN * place + number)
        for place, wnid in enumerate(WNIDS)
        for number in range(NUM_TRAIN)
    }
    # The originals' oddities: a PNG that is called JPEG, and pictures in CMYK.
    contents["n02105855_2933.JPEG"] = image(50, "PNG")
    contents["n02100735_7.JPEG"] = image(51, mode="CMYK")
    return contents


def tar_of(contents: dict[str, bytes], form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, data in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
    return buffer.getvalue()


def devkit_files(folder: Path) -> dict[str, bytes]:
    fields = [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children")]
    rows = [
        (float(number), wnid, words, "a gloss", 4.0 if number > 1000 else 0.0, np.arange(4.0))
        for number, (wnid, words) in SYNSETS.items()
    ]
    savemat(folder / "meta.mat", {"synsets": np.array(rows, fields)[:, None]})
    truth = "".join(f"{number}\n" for number in TRUTH)
    return {
        f"{FOLDER}/data/meta.mat": (folder / "meta.mat").read_bytes(),
        f"{FOLDER}/data/ILSVRC2012_validation_ground_truth.txt": truth.encode(),
    }


@pytest.fixture(scope="session")
def distributed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three files; each class tar in another of tar's formats."""
    root = tmp_path_factory.mktemp("ilsvrc")
    contents = train_files()
    forms = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]
    inner = {
        f"{wnid}.tar": tar_of({name: data for name, data in contents.items() if name.startswith(wnid)}, form)
        for wnid, form in zip(WNIDS, forms, strict=True)
    }
    (root / TRAIN_TAR).write_bytes(tar_of(dict(reversed(inner.items()))))
    val = {f"ILSVRC2012_val_{number:08d}.JPEG": image(100 + number) for number in range(1, len(TRUTH) + 1)}
    (root / VAL_TAR).write_bytes(tar_of(val))
    with tarfile.open(root / ARCHIVE, "w:gz") as tar:
        for name, data in devkit_files(root).items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
    return root


@pytest.fixture
def extracted(distributed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What torchvision itself unpacks from those files; only its list of MD5 sums is replaced by theirs."""
    from torchvision import datasets

    meta = {
        kind: (name, hashlib.md5((distributed / name).read_bytes()).hexdigest())
        for kind, name in (("train", TRAIN_TAR), ("val", VAL_TAR), ("devkit", ARCHIVE))
    }
    monkeypatch.setattr("torchvision.datasets.imagenet.ARCHIVE_META", meta)
    for name, _ in meta.values():
        (tmp_path / name).write_bytes((distributed / name).read_bytes())
    for split in ("train", "val"):
        datasets.ImageNet(tmp_path, split)
    (tmp_path / TRAIN_TAR).unlink()
    (tmp_path / VAL_TAR).unlink()
    return tmp_path


def test_every_image_has_the_number_that_torchvision_gives_it(distributed: Path, extracted: Path) -> None:
    from torchvision import datasets

    source = imagenet(distributed)
    assert list(source.classes) == WNIDS
    for split in ("train", "val"):
        listing = source.splits[split]
        theirs = {Path(path).stem: label for path, label in datasets.ImageNet(extracted, split).samples}
        ours = {key.split("/")[-1]: label for key, label in zip(listing.keys, listing.labels.tolist(), strict=True)}
        assert ours == theirs
    expected = {f"ILSVRC2012_val_{place:08d}": WNIDS.index(SYNSETS[number][0]) for place, number in enumerate(TRUTH, 1)}
    val = source.splits["val"]
    assert dict(zip(val.keys, val.labels.tolist(), strict=True)) == expected


def test_tars_and_what_they_unpack_to_are_the_same_set(distributed: Path, extracted: Path, tmp_path: Path) -> None:
    from_tars = make_shards(imagenet(distributed), tmp_path / "tars", shard_size=5)
    from_folders = make_shards(imagenet(extracted), tmp_path / "folders", shard_size=5)
    assert from_tars.digest == from_folders.digest
    assert {name: split.samples for name, split in from_tars.splits.items()} == {"train": 26, "val": 8}


def test_the_imagenet_recipe_trains_from_it(distributed: Path, tmp_path: Path) -> None:
    make_shards(imagenet(distributed), tmp_path / "data" / "imagenet", shard_size=5)
    changes = {"data.size": 32, "data.batch_size": 4, "data.eval_batch_size": 4, "model.depth": 50}
    feed = open_feed(preset("imagenet").replace(changes), tmp_path)
    assert (feed.num_train, feed.num_eval, feed.classes) == (26, 8, tuple(WNIDS))
    labels = [label for batch in feed.evaluation() for label in batch.labels.tolist()]
    assert sorted(labels) == sorted(WNIDS.index(SYNSETS[number][0]) for number in TRUTH)
    assert sum(len(batch.keys) for batch in feed.batches(1, 2, epoch=0)) == 24


def test_files_are_stored_as_they_are_and_called_what_they_are(distributed: Path) -> None:
    stored = files(imagenet(distributed), "train")
    contents = train_files()
    assert {key.split("/")[-1]: file.data for key, file in stored.items()} == {
        name.removesuffix(".JPEG"): data for name, data in contents.items()
    }
    assert all(key.startswith(key.split("/")[-1].split("_")[0] + "/") for key in stored)
    assert stored["n02105855/n02105855_2933"].suffix == "png"
    assert stored["n02100735/n02100735_7"].suffix == "jpg"


def test_what_a_mac_leaves_beside_the_images_is_none_of_them(
    distributed: Path, extracted: Path, tmp_path: Path
) -> None:
    for name in ("train/.DS_Store", "train/n01440764/._n01440764_0.JPEG", "val/.DS_Store"):
        (extracted / name).write_bytes(b"a note")
    packed = tmp_path / "packed"
    packed.mkdir()
    inner = tar_of({"./._n01440764_1.JPEG": b"a note", "./n01440764_1.JPEG": image(1)})
    (packed / TRAIN_TAR).write_bytes(tar_of({"./n01440764.tar": inner}))
    (packed / VAL_TAR).write_bytes(
        tar_of({"./._ILSVRC2012_val_00000001.JPEG": b"a note", "./ILSVRC2012_val_00000001.JPEG": image(1)})
    )
    (packed / ARCHIVE).symlink_to(distributed / ARCHIVE)
    assert list(imagenet(extracted).splits["train"].keys) == sorted(imagenet(distributed).splits["train"].keys)
    assert list(imagenet(packed).splits["train"].keys) == ["n01440764/n01440764_1"]
    assert list(imagenet(packed).splits["val"].keys) == ["ILSVRC2012_val_00000001"]


def test_the_kit_may_be_unpacked(distributed: Path, tmp_path: Path) -> None:
    with tarfile.open(distributed / ARCHIVE) as tar:
        tar.extractall(tmp_path, filter="data")
    assert read_devkit(tmp_path) == read_devkit(distributed)
    assert read_devkit(tmp_path / FOLDER) == read_devkit(distributed)
    assert read_devkit(distributed).wnids == tuple(WNIDS)


def test_loading_goes_to_worker_processes_as_a_few_bytes_a_row(distributed: Path) -> None:
    listing = imagenet(distributed).splits["train"]
    data = pickle.dumps(listing.load)
    assert len(data) < 100 * len(listing) + 2000
    assert pickle.loads(data)(3) == listing.load(3)


def test_the_blacklist_leaves_images_out(distributed: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("2\n\n7\n")
    source = imagenet(distributed, tmp_path / "list.txt")
    left = [int(key.rsplit("_", 1)[1]) for key in source.splits["val"].keys]
    assert left == [1, 3, 4, 5, 6, 8]
    assert source.made == {"source": "ILSVRC2012", "left_out": 2}
    assert source.splits["val"].load(1).data == image(103)


@pytest.mark.parametrize(("line", "words"), [("9", "line 2: '9' .*1 to 8"), ("seven", "line 2: 'seven'")])
def test_a_wrong_line_of_the_blacklist_is_named(distributed: Path, tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "list.txt").write_text(f"2\n{line}\n")
    with pytest.raises(DataError, match=words):
        imagenet(distributed, tmp_path / "list.txt")


def test_a_part_of_the_set_is_legal_and_said(
    distributed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (VAL_TAR, ARCHIVE):
        (tmp_path / name).symlink_to(distributed / name)
    contents = {name: data for name, data in train_files().items() if name.startswith(WNIDS[1])}
    (tmp_path / TRAIN_TAR).write_bytes(tar_of({f"{WNIDS[1]}.tar": tar_of(contents)}))
    source = imagenet(tmp_path)
    assert source.classes == (WNIDS[1],)
    assert [key[-1] for key in source.splits["val"].keys] == ["5", "8"]
    said = capsys.readouterr().err
    assert "1 of 1,000 classes, 7 of 1,281,167 training images, 2 of 50,000 validation images" in said


def broken(root: Path, kind: str) -> None:
    path = root / TRAIN_TAR
    data = bytearray(path.read_bytes())
    if kind == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "header":
        place = data.index(b"n02100735_12.JPEG")
        data[place : place + 8] = bytes(8)
        path.write_bytes(data)
    elif kind == "text":
        path.write_bytes(b"no tar at all" * 100)
    elif kind == "stranger":
        path.write_bytes(tar_of({"n99999999.tar": tar_of({"n99999999_1.JPEG": image(1)})}))
    elif kind == "no kit":
        (root / ARCHIVE).unlink()
    elif kind == "cut kit":
        kit = (root / ARCHIVE).read_bytes()
        (root / ARCHIVE).write_bytes(kit[: len(kit) // 2])
    elif kind == "no val":
        (root / VAL_TAR).unlink()
    elif kind == "odd val":
        (root / VAL_TAR).write_bytes(tar_of({"ILSVRC2012_val_00000009.JPEG": image(1)}))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("cut", r"ILSVRC2012_img_train.tar.*is no whole tar .*after '.*copy it again"),
        ("header", r"img_train.tar: n02100735.tar.*damaged after 'n02100735_11.JPEG'"),
        ("text", "is no whole tar"),
        ("stranger", "'n99999999' among the training images is no class of the kit"),
        ("no kit", "neither ILSVRC2012_devkit_t12.tar.gz nor the folder"),
        ("cut kit", "devkit_t12.tar.gz does not unpack .*copy it again"),
        ("no val", "neither ILSVRC2012_img_val.tar nor the folder val"),
        ("odd val", "'ILSVRC2012_val_00000009.JPEG' has no class.*to 00000008"),
    ],
)
def test_what_is_broken_or_missing_is_named(distributed: Path, tmp_path: Path, kind: str, words: str) -> None:
    for name in (TRAIN_TAR, VAL_TAR, ARCHIVE):
        (tmp_path / name).write_bytes((distributed / name).read_bytes())
    broken(tmp_path, kind)
    with pytest.raises(DataError, match=words):
        imagenet(tmp_path)


def test_a_ground_truth_of_no_class_is_named_by_its_line(distributed: Path, tmp_path: Path) -> None:
    with tarfile.open(distributed / ARCHIVE) as tar:
        tar.extractall(tmp_path, filter="data")
    (tmp_path / FOLDER / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n1861\n")
    with pytest.raises(DataError, match="line 2: '1861' is none of its 4 classes"):
        read_devkit(tmp_path)


def test_a_tar_that_shrinks_while_it_is_read_is_named(distributed: Path, tmp_path: Path) -> None:
    for name in (TRAIN_TAR, VAL_TAR, ARCHIVE):
        (tmp_path / name).write_bytes((distributed / name).read_bytes())
    listing = imagenet(tmp_path).splits["train"]
    with (tmp_path / TRAIN_TAR).open("r+b") as handle:
        handle.truncate(2000)
    with pytest.raises(DataError, match="became shorter while it was read"):
        listing.load(0)
