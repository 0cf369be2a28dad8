"""Small shard sets as fixtures, and servers of them: stripes, and crops of the photographs that scikit-learn brings.

Every run of pytest loads this file, so that what takes long to import is imported where it is needed.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from data_servers import Nginx, object_server, serve
from PIL import Image

from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder
from paribus.shards.sources.synthetic.builtin import synthetic


@pytest.fixture(scope="session")
def data_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 training samples in 13 shards and 32 test samples in 7."""
    folder = tmp_path_factory.mktemp("sets") / "stripes"
    make_shards(synthetic(), folder, shard_size=5)
    return folder


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 + 8 JPEG crops, of many sizes, of two real photographs: china and flower."""
    from sklearn.datasets import load_sample_images

    root = tmp_path_factory.mktemp("images") / "photos"
    generator = np.random.Generator(np.random.Philox(key=7))
    for name, picture in zip(("china", "flower"), load_sample_images().images, strict=True):
        for split, count in (("train", 12), ("test", 4)):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                height, width = (int(side) for side in generator.integers(40, 160, 2))
                top = int(generator.integers(0, picture.shape[0] - height))
                left = int(generator.integers(0, picture.shape[1] - width))
                crop = Image.fromarray(picture[top : top + height, left : left + width])
                crop.save(root / split / name / f"crop.{number:02d}.jpg", quality=90)
    return root


@pytest.fixture(scope="session")
def photos(photo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs as shards of three samples."""
    folder = tmp_path_factory.mktemp("sets") / "photos"
    make_shards(image_folder(photo_folder), folder, shard_size=3)
    return folder


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training shards of four samples and a validation shard of four, with keys in folders with dots."""
    from foreign_shards import photo, write

    folder = tmp_path_factory.mktemp("foreign") / "set"
    for shard in range(3):
        numbers = range(4 * shard, 4 * shard + 4)
        samples = [{"__key__": f"v1.0/{n:05d}", "jpg": photo(n), "cls": n % 3, "json": {"row": n}} for n in numbers]
        write(folder / f"train-{shard:04d}.tar", samples)
    write(folder / "val-0000.tar", [{"jpg": photo(50 + n), "cls": n % 3} for n in range(4)])
    return folder


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """An nginx on every folder that tests make."""
    with serve(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(scope="session")
def objects() -> Iterator[int]:
    """The port of an object server."""
    with object_server() as port:
        yield port


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that an object server takes, and nobody's own."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "open-sesame",
        "AWS_REGION": "us-east-1",
        "GOOGLE_SKIP_SIGNATURE": "true",
    }.items():
        monkeypatch.setenv(name, value)
