"""torchvision's sets by the names of their classes: each layout here is written by the test and read by torchvision."""

import hashlib
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from data_sources import files
from PIL import Image

from paribus.data import DataError
from paribus.images.decode import decode
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.torchvision.any_set import any_torchvision

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def save(path: Path, number: int, colour: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20 + number, 12), COLOURS[colour]).save(path)
    return path


@pytest.fixture
def dtd(tmp_path: Path) -> Path:
    """Describable Textures: files, three splits, ten partitions, and a `loader`."""
    folder = tmp_path / "dtd" / "dtd"
    lists: dict[str, list[str]] = {"train1": [], "val1": [], "test1": [], "train2": [], "val2": [], "test2": []}
    for number in range(9):
        name = f"{('banded', 'dotted', 'woven')[number % 3]}/image_{number:04d}.jpg"
        save(folder / "images" / name, number, number % 3)
        lists[("train1", "val1", "test1")[number // 3]].append(name)
        lists[("test2", "train2", "val2")[number // 3]].append(name)
    (folder / "labels").mkdir()
    for name, lines in lists.items():
        (folder / "labels" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_files_are_stored_as_they_are_where_the_set_has_a_loader(dtd: Path) -> None:
    source = any_torchvision("DTD", dtd)
    assert (source.name, source.classes) == ("dtd", ("banded", "dotted", "woven"))
    assert {split: len(listing) for split, listing in source.splits.items()} == {"train": 3, "val": 3, "test": 3}
    for split in source.splits:
        for key, file in files(source, split).items():
            assert file.data == (dtd / f"{key}.jpg").read_bytes()
    assert source.splits["val"].keys[0] == "dtd/dtd/images/banded/image_0003"
    assert source.splits["val"].labels.tolist() == [0, 1, 2]


def test_arguments_reach_the_set_and_the_manifest(dtd: Path) -> None:
    source = any_torchvision("DTD,partition=2", dtd)
    assert source.made == {"source": "torchvision DTD", "partition": 2}
    assert source.splits["train"].keys[0].endswith("image_0003")
    only = any_torchvision("DTD,split=val", dtd)
    assert {split: len(listing) for split, listing in only.splits.items()} == {"train": 3}


def test_classes_of_several_names_and_a_split_called_val(tmp_path: Path) -> None:
    from torchvision import datasets

    wnids = ("n01440764", "n02102040")
    for split in ("train", "val"):
        for label, wnid in enumerate(wnids):
            save(tmp_path / "imagenette2-160" / split / wnid / f"{split}_{label}.JPEG", label, label)
    source = any_torchvision("Imagenette,size=160px", tmp_path)
    theirs = datasets.Imagenette(tmp_path, "train", "160px").classes
    assert source.classes == tuple(", ".join(names) for names in theirs)
    assert set(source.splits) == {"train", "val"}


def test_pixels_are_stored_where_there_is_no_loader(tmp_path: Path) -> None:
    """German traffic signs: files without a loader, class folders for training, a list for tests, no names."""
    folder = tmp_path / "gtsrb" / "GTSRB"
    for label in range(3):
        save(folder / "Training" / f"{label:05d}" / "00000.ppm", label, label)
    save(folder / "Final_Test" / "Images" / "00000.ppm", 7, 2)
    (tmp_path / "gtsrb" / "GT-final_test.csv").write_text("Filename;ClassId\n00000.ppm;2\n")
    source = any_torchvision("GTSRB", tmp_path)
    assert source.classes == ("0", "1", "2")
    stored = files(source, "train")
    assert list(stored) == ["train-000000", "train-000001", "train-000002"]
    assert {file.suffix for file in stored.values()} == {"png"}
    np.testing.assert_array_equal(decode(stored["train-000001"].data, 3), np.full((12, 21, 3), COLOURS[1]))
    assert len(pickle.dumps(source.splits["train"].load)) < 1000


def test_grey_sets_stay_grey(tmp_path: Path) -> None:
    """Fashion-MNIST's idx files, of a few images."""
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.arange(6 * 28 * 28, dtype=np.uint32).reshape(6, 28, 28).astype(np.uint8)
    for stem in ("train", "t10k"):
        (raw / f"{stem}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 6, 28, 28) + images.tobytes())
        (raw / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 6) + bytes([9, 0, 0, 3, 0, 0]))
    source = any_torchvision("FashionMNIST", tmp_path)
    assert source.classes[9] == "Ankle boot"
    assert source.splits["test"].labels.tolist() == [9, 0, 0, 3, 0, 0]
    manifest = make_shards(source, tmp_path / "set")
    assert (manifest.channels, manifest.smallest) == (1, (28, 28))
    np.testing.assert_array_equal(decode(source.splits["train"].load(4).data, 1)[..., 0], images[4])


def test_cifars_own_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only torchvision's list of MD5 sums is replaced by that of the test's files."""
    from torchvision import datasets

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    data = np.random.Generator(np.random.Philox(3)).integers(0, 256, (4, 3072)).astype(np.uint8)
    batch = {"data": data, "labels": [1, 0, 2, 1]}
    meta = {"label_names": ["plane", "car", "bird"]}
    written = {"data_batch_1": batch, "test_batch": batch, "batches.meta": meta}
    sums = {}
    for name, content in written.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": sums["batches.meta"]})
    source = any_torchvision("CIFAR10", tmp_path)
    assert source.classes == ("plane", "car", "bird")
    stored = decode(source.splits["train"].load(2).data, 3)
    np.testing.assert_array_equal(stored.transpose(2, 0, 1).ravel(), data[2])


def test_a_set_that_is_made_up_needs_no_root() -> None:
    source = any_torchvision("FakeData,size=5,num_classes=3")
    assert {split: len(listing) for split, listing in source.splits.items()} == {"train": 5}
    assert len(source.classes) <= 3
    assert decode(source.splits["train"].load(0).data, 3).shape == (224, 224, 3)


def test_a_plain_folder_of_classes_is_its_train_split(photo_folder: Path) -> None:
    source = any_torchvision("ImageFolder", photo_folder / "train")
    assert source.classes == ("china", "flower")
    assert len(source.splits["train"]) == 24


def test_files_that_share_a_name_but_for_the_suffix_are_numbered(tmp_path: Path) -> None:
    for name in ("a/x.jpg", "a/x.png", "b/y.png"):
        save(tmp_path / name, 1)
    assert list(any_torchvision("ImageFolder", tmp_path).splits["train"].keys) == [
        f"train-{row:06d}" for row in range(3)
    ]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("Flower102", r"no set 'Flower102': did you mean Flowers102"),
        ("VisionDataset", "no set 'VisionDataset'"),
        ("wrap_dataset_for_transforms_v2", "has no set"),
        ("DTD,partitoin=2", r"no argument 'partitoin'.*did you mean 'partition'"),
        ("DTD,partition", "no argument 'partition' with a value"),
        ("DTD,split=vall", "Unknown value 'vall' for argument split"),
        ("DTD,partition=11", "cannot be read from"),
        ("Imagenette,size=7px", "Unknown value '7px' for argument size"),
        ("Flowers102", "torchvision:Flowers102 cannot be read from .*download=True"),
        ("PhotoTour", "needs a value for name: torchvision:PhotoTour,name=VALUE"),
        ("CelebA", "cannot be read"),
    ],
)
def test_what_is_asked_wrongly_is_told(dtd: Path, spec: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        any_torchvision(spec, dtd)


def test_a_set_without_root_or_download_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="say with --root"):
        any_torchvision("DTD")
    with pytest.raises(DataError, match="torchvision cannot download ImageFolder"):
        any_torchvision("ImageFolder", tmp_path, download=True)


def test_samples_without_a_class_are_told(tmp_path: Path) -> None:
    """Pairs of pictures for optical flow: images, but no class."""
    for name in ("Training", "Testing"):
        for folder in ("image_2", "image_3", "calib", "label_2"):
            (tmp_path / "Kitti" / "raw" / name.lower() / folder).mkdir(parents=True)
    save(tmp_path / "Kitti" / "raw" / "training" / "image_2" / "000000.png", 1)
    (tmp_path / "Kitti" / "raw" / "training" / "label_2" / "000000.txt").write_text("Car 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
    with pytest.raises(DataError, match="train sample 0, is not an image with the number of its class"):
        any_torchvision("Kitti", tmp_path)
