"""Fashion-MNIST and CIFAR, from torchvision's copy, a download, or Debian's package dataset-fashion-mnist."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.sources.source import Arrays, Source, array_source

TORCHVISION = {"fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100"}
# Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_IDX_STEMS = {"train": "train", "test": "t10k"}


def torchvision_source(name: str, root: Path | None = None, download: bool = False) -> Source:
    """One of `TORCHVISION` from the folder `root`; the same pixels give the same shards wherever they came from.

    `root` is the folder that torchvision was given, or for fashion_mnist one with the four idx files (`*-ubyte.gz`).

    Raises:
        DataError: no copy there and no `download`, or a download that failed.
    """
    if name == "fashion_mnist":
        if root is None and not download and DEBIAN_FASHION_MNIST.is_dir():
            root = DEBIAN_FASHION_MNIST
        if root is not None and (root / "train-images-idx3-ubyte.gz").exists():
            splits = {split: _idx_arrays(root, split) for split in _IDX_STEMS}
            return array_source(name, FASHION_CLASSES, splits, {"source": "Fashion-MNIST"})
    if root is None:
        raise DataError(f"{name} is not on this machine: {_how_to_get(name)}")
    train, test = (_open(name, root, is_train, download) for is_train in (True, False))
    splits = {"train": _arrays("train", train), "test": _arrays("test", test)}
    made = {"source": "Fashion-MNIST" if name == "fashion_mnist" else TORCHVISION[name]}
    return array_source(name, tuple(train.classes), splits, made)


def _open(name: str, root: Path, train: bool, download: bool) -> Any:
    from torchvision import datasets

    try:
        return getattr(datasets, TORCHVISION[name])(str(root), train=train, download=download)
    except (RuntimeError, OSError) as error:
        if download:
            raise DataError(f"the download of {name} to {root} failed: {str(error).strip()}") from error
        raise DataError(f"no copy of {name} in {root} ({error}): {_how_to_get(name)}") from error


def _arrays(split: str, dataset: Any) -> Arrays:
    images = np.asarray(dataset.data, np.uint8)
    return _numbered(split, images if images.ndim == 4 else images[..., None], np.asarray(dataset.targets, np.int64))


def _numbered(split: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Arrays:
    return images, labels, tuple(f"{split}-{number:05d}" for number in range(len(images)))


def _idx_arrays(root: Path, split: str) -> Arrays:
    stem = _IDX_STEMS[split]
    images = _read_idx(root / f"{stem}-images-idx3-ubyte.gz")
    labels = _read_idx(root / f"{stem}-labels-idx1-ubyte.gz")
    if images.ndim != 3 or len(images) != len(labels):
        raise DataError(f"{root}: the {split} images {images.shape} and labels {labels.shape} do not belong together")
    return _numbered(split, images[..., None], labels.astype(np.int64))


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in a gzipped idx file of bytes (LeCun's format: two zeros, type 8, number of axes, lengths, data)."""
    try:
        data = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing: the folder needs all four idx files") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path} does not unpack ({error}): copy it again") from None
    axes = data[3] if len(data) > 3 else 0
    shape = np.frombuffer(data[4 : 4 + 4 * axes], ">u4")
    body = np.frombuffer(data[4 + 4 * axes :], np.uint8)
    if data[:3] != b"\0\0\x08" or len(body) != np.prod(shape, dtype=np.int64):
        raise DataError(f"{path} is no idx file of bytes, or is cut: copy it again")
    return body.reshape(shape)


def _how_to_get(name: str) -> str:
    debian = ", or install Debian's package dataset-fashion-mnist" if name == "fashion_mnist" else ""
    return f"say with --root where torchvision's copy of {name} lies, or let it be fetched with --download{debian}"
