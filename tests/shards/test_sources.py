"""Sources from outside: Fashion-MNIST from Debian's files, torchvision's layouts, real photographs."""

import gzip
import hashlib
import pickle
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_sources import files

from paribus.data import DataError, open_feed
from paribus.images.decode import decode
from paribus.recipe import preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder
from paribus.shards.sources.source import Listing
from paribus.shards.sources.torchvision.known_sets import DEBIAN_FASHION_MNIST, torchvision_source

needs_debian = pytest.mark.skipif(
    not DEBIAN_FASHION_MNIST.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)
IDX = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


@needs_debian
def test_fashion_mnist_is_the_same_from_debian_and_from_torchvisions_copy(tmp_path: Path) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in IDX:
        (raw / name).write_bytes(gzip.decompress((DEBIAN_FASHION_MNIST / f"{name}.gz").read_bytes()))
    debian, torchvision = torchvision_source("fashion_mnist"), torchvision_source("fashion_mnist", tmp_path)
    for source in (debian, torchvision):
        assert {split: len(listing) for split, listing in source.splits.items()} == {"train": 60_000, "test": 10_000}
    assert debian.classes == torchvision.classes
    assert debian.made == torchvision.made
    for split in ("train", "test"):
        left, right = debian.splits[split], torchvision.splits[split]
        assert left.keys == right.keys
        np.testing.assert_array_equal(left.labels, right.labels)
        assert all(left.load(row).data == right.load(row).data for row in range(0, len(left), 300))


@needs_debian
def test_fashion_mnist_trains_from_shards(tmp_path: Path) -> None:
    source = torchvision_source("fashion_mnist")
    splits = {
        split: Listing(
            keys=listing.keys[:count], labels=listing.labels[:count], sizes=listing.sizes[:count], load=listing.load
        )
        for (split, listing), count in zip(source.splits.items(), (1000, 200), strict=True)
    }
    make_shards(replace(source, splits=splits), tmp_path / "data" / "fashion_mnist", shard_size=300)
    feed = open_feed(preset("fashion_mnist"), tmp_path)
    assert (feed.num_train, feed.num_eval, feed.channels, feed.size, feed.num_classes) == (1000, 200, 1, 28, 10)
    batches = list(feed.batches(1, 2, epoch=0))
    assert len(batches) == 1000 // 128
    assert batches[0].images.shape == (128, 1, 28, 28)
    labels = dict(zip(splits["train"].keys, splits["train"].labels.tolist(), strict=True))
    assert all(labels[key] == label for key, label in zip(batches[0].keys, batches[0].labels.tolist(), strict=True))


@pytest.mark.parametrize("damage", ["missing", "cut", "cut inside", "mismatched"])
@needs_debian
def test_damaged_idx_files_are_named(tmp_path: Path, damage: str) -> None:
    for name in IDX:
        (tmp_path / f"{name}.gz").write_bytes((DEBIAN_FASHION_MNIST / f"{name}.gz").read_bytes())
    victim = tmp_path / "t10k-labels-idx1-ubyte.gz"
    if damage == "missing":
        victim.unlink()
    elif damage == "cut":
        victim.write_bytes(victim.read_bytes()[:-100])
    elif damage == "cut inside":
        victim.write_bytes(gzip.compress(gzip.decompress(victim.read_bytes())[:-5]))
    else:
        victim.write_bytes((tmp_path / "train-labels-idx1-ubyte.gz").read_bytes())
    with pytest.raises(DataError, match=r"t10k-labels|do not belong together"):
        torchvision_source("fashion_mnist", tmp_path)


def _write_cifar(
    root: Path, folder: str, files: dict[str, int], label_name: str, meta: tuple[str, dict[str, Any]]
) -> dict[str, str]:
    """Pickles in the CIFAR authors' format; the MD5 of each file."""
    (root / folder).mkdir()
    generator = np.random.Generator(np.random.Philox(key=1))
    entries: dict[str, dict[str, Any]] = {meta[0]: meta[1]}
    for name, num in files.items():
        data = generator.integers(0, 256, (num, 3072), dtype=np.uint8)
        entries[name] = {"data": data, label_name: generator.integers(0, 3, num).tolist()}
    sums = {}
    for name, entry in entries.items():
        data = pickle.dumps(entry)
        (root / folder / name).write_bytes(data)
        sums[name] = hashlib.md5(data).hexdigest()
    return sums


CIFAR = {
    "cifar10": ("CIFAR10", "cifar-10-batches-py", {**{f"data_batch_{n}": 6 for n in range(1, 6)}, "test_batch": 4},
                "labels", ("batches.meta", {"label_names": ["plane", "car", "bird"]})),
    "cifar100": ("CIFAR100", "cifar-100-python", {"train": 30, "test": 4},
                 "fine_labels", ("meta", {"fine_label_names": ["apple", "fish", "baby"]})),
}  # fmt: skip


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_is_read_by_torchvision_from_a_local_copy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in the true format with a few made-up images; only torchvision's list of MD5 sums is replaced by theirs."""
    from torchvision import datasets

    class_name, folder, files, label_name, meta = CIFAR[name]
    sums = _write_cifar(tmp_path, folder, files, label_name, meta)
    dataset = getattr(datasets, class_name)
    monkeypatch.setattr(dataset, "train_list", [[n, sums[n]] for n in files if "test" not in n])
    monkeypatch.setattr(dataset, "test_list", [[n, sums[n]] for n in files if "test" in n])
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": sums[meta[0]]})
    manifest = make_shards(torchvision_source(name, tmp_path), tmp_path / "data" / name)
    assert {split: entry.samples for split, entry in manifest.splits.items()} == {"train": 30, "test": 4}
    assert manifest.channels == 3
    assert manifest.smallest == (32, 32)
    assert manifest.classes == tuple(next(iter(meta[1].values())))
    feed = open_feed(preset(name).replace({"data.batch_size": 10}), tmp_path)
    assert next(iter(feed.batches(1, 2, epoch=0))).images.shape == (10, 3, 32, 32)


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "cifar100"])
def test_a_missing_copy_says_how_to_get_one(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"no copy of {name} in .*--root.*--download"):
        torchvision_source(name, tmp_path)


def test_photographs_are_stored_byte_for_byte(photo_folder: Path, photos: Path) -> None:
    stored = {}
    for path in sorted(photos.glob("*.tar")):
        split = path.name.split("-")[0]
        with tarfile.open(path) as tar:
            for member in tar.getmembers():
                handle = tar.extractfile(member)
                assert handle is not None
                stored[f"{split}/{member.name}"] = handle.read()
    originals = sorted(photo_folder.rglob("*.jpg"))
    assert len(originals) == 32
    for path in originals:
        key = path.relative_to(photo_folder).as_posix().replace("crop.", "crop_")
        assert stored[key] == path.read_bytes()
        label = 0 if path.parent.name == "china" else 1
        assert stored[key.replace(".jpg", ".cls")] == str(label).encode()


def test_classes_are_mixed_over_the_shards_of_a_folder(photo_folder: Path) -> None:
    labels = image_folder(photo_folder).splits["train"].labels.tolist()
    assert sorted(labels) != labels
    assert sum(a != b for a, b in pairwise(labels)) > 5


def test_grey_folders_make_one_channel(photo_folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    for path in photo_folder.rglob("*.jpg"):
        target = tmp_path / "grey" / path.relative_to(photo_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).convert("L").save(target)
    manifest = make_shards(image_folder(tmp_path / "grey"), tmp_path / "set")
    assert manifest.channels == 1
    images = [decode(file.data, 1) for file in files(image_folder(tmp_path / "grey"), "train").values()]
    pixels = np.concatenate([image.ravel() for image in images]) / 255
    np.testing.assert_allclose(manifest.mean, [pixels.mean()], rtol=1e-9)
