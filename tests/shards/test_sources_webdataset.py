"""Shards that others wrote with WebDataset's own writer, as a source."""

import gzip
import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import webdataset
from data_sources import files
from PIL import Image

from paribus.data import DataError
from paribus.shards.making.shards import make_shards
from paribus.shards.making.verify import verify
from paribus.shards.sources.webdataset_shards import Taken, webdataset_shards
from paribus.shards.storage.locations import ShardLocation


def image(number: int, kind: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (12, 9), (number, 20, 30)).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, samples: Iterable[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with webdataset.TarWriter(str(path)) as sink:
        for sample in samples:
            sink.write(sample)
    return path


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Two training shards with the same keys, as some writers make them, and one for tests."""
    folder = tmp_path / "foreign"
    for shard in range(2):
        samples = [
            {
                "__key__": f"{row:05d}",
                "jpg": image(10 * shard + row, "JPEG"),
                "cls": 5 * (row % 3),
                "json": {"row": row},
            }
            for row in range(4)
        ]
        write(folder / f"train-{shard:04d}.tar", samples)
    write(folder / "test-0.tar", [{"__key__": "a/b", "png": image(99), "cls": 10, "txt": "a caption"}])
    return folder


def test_foreign_shards_become_ours(shards: Path, tmp_path: Path) -> None:
    specs = {"train": f"{shards}/train-{{0000..0001}}.tar", "test": f"{shards}/test-0.tar"}
    source = webdataset_shards(specs)
    assert (source.name, source.classes) == ("foreign", ("0", "5", "10"))
    assert source.splits["train"].labels.tolist() == [0, 1, 2, 0] * 2
    stored = files(source, "train")
    assert list(stored)[3:5] == ["train-0000/00003", "train-0001/00000"]
    assert stored["train-0001/00002"].data == image(12, "JPEG")
    assert stored["train-0001/00002"].suffix == "jpg"
    assert {key: file.suffix for key, file in files(source, "test").items()} == {"a/b": "png"}
    manifest = make_shards(source, tmp_path / "ours", shard_size=3)
    assert manifest.splits["train"].samples == 8
    assert not verify(ShardLocation(str(tmp_path / "ours"))).faults


def test_our_own_shards_are_a_source(stripes: Path) -> None:
    source = webdataset_shards({"train": f"{stripes}/train-{{000000..000012}}.tar"})
    assert len(source.splits["train"]) == 64
    assert source.classes == ("0", "1", "2", "3")
    assert source.splits["train"].keys[0] == "train-0000"


def test_the_class_may_be_a_name_or_a_field_of_json(shards: Path, tmp_path: Path) -> None:
    write(tmp_path / "t.tar", [{"__key__": name, "png": image(1), "cls": name.encode()} for name in ("dog", "cat")])
    named = webdataset_shards({"train": f"{tmp_path}/t.tar"})
    assert (named.classes, named.splits["train"].labels.tolist()) == (("cat", "dog"), [1, 0])
    by_field = webdataset_shards({"train": f"{shards}/train-0000.tar"}, Taken(label="json:row"))
    assert by_field.classes == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("sample", "field", "words"),
    [
        ({"png": image(1)}, None, "nothing beside their images that could tell a class"),
        ({"png": image(1), "json": {"breed": 1}}, None, "Say with --label which of these: breed"),
        ({"png": image(1), "json": {"label": 1}}, "klass", "--label json:klass is nothing .* which of these: label"),
        ({"png": image(1), "json": {"label": 1.5}}, "label", "--label json:label is nothing that these samples have"),
        ({"png": image(1), "json": b"[no json"}, "label", "--label json:label is nothing that these samples have"),
        ({"png": image(1), "cls": b" "}, None, "sample 'x' has a class that is empty"),
        ({"txt": "words", "cls": 1}, None, r"have no image among their files \(cls, txt\)"),
        ({"png": image(1), "jpg": image(2), "cls": 1}, None, r"several images \(jpg, png\): .*--image jpg"),
    ],
)
def test_a_sample_without_image_or_class_is_named(
    tmp_path: Path, sample: dict[str, Any], field: str | None, words: str
) -> None:
    encoded = {name: json.dumps(part).encode() if isinstance(part, dict) else part for name, part in sample.items()}
    write(tmp_path / "t.tar", [{"__key__": "x", **encoded}])
    with pytest.raises(DataError, match=words):
        webdataset_shards({"train": f"{tmp_path}/t.tar"}, Taken(label=f"json:{field}" if field else None))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("train-{0000..0003}.tar", r"train-0002.tar is no file"),
        ("train-{0000.tar", "braces without their partners"),
        ("s3://bucket/train-0.tar", "is an address, .*paribus shards index 's3://bucket/train-0.tar'"),
        ("empty.tar", "holds no sample"),
        ("cut.tar", "cut.tar is no whole tar"),
        ("packed.tar.gz", r"packed\.tar\.gz is compressed: .*gunzip"),
    ],
)
def test_shards_that_are_missing_or_broken_are_named(shards: Path, spec: str, words: str) -> None:
    data = (shards / "train-0000.tar").read_bytes()
    (shards / "cut.tar").write_bytes(data[: 512 * 3 + 100])
    (shards / "packed.tar.gz").write_bytes(gzip.compress(data))
    write(shards / "empty.tar", [])
    with pytest.raises(DataError, match=words):
        webdataset_shards({"train": spec if "://" in spec else f"{shards}/{spec}"})
