"""What samples look like in strangers' shards: image and class are found, asked for, or left out and named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from foreign_shards import index, one, photo, pixels, words, write

from paribus.data import DataError
from paribus.shards.index import read_index
from paribus.shards.making.verify import verify
from paribus.shards.reading import ShardReader
from paribus.shards.sources.webdataset_shards import Taken, webdataset_shards
from paribus.shards.storage.locations import ShardLocation

LAYOUTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "jpg and cls": ({"cls": 2}, {}, "2"),
    "jpg and json, a usual field": ({"json": {"label": 2, "width": 30}}, {}, "2"),
    "jpg and txt": ({"txt": "tulip"}, {}, "tulip"),
    "jpg, cls and a caption": ({"txt": "a red flower", "cls": "tulip"}, {}, "tulip"),
    "timm: jpg, cls and json": ({"cls": 2, "json": {"label": 2, "class_name": "n1", "filename": "x"}}, {}, "2"),
    "Hugging Face: a target": ({"target.cls": 2}, {}, "2"),
    "img2dataset with a class": (
        {"txt": "red", "json": {"caption": "red", "url": "u", "key": "0", "breed": "tulip"}},
        {"label": "breed"},
        "tulip",
    ),
    "nested json": ({"json": {"meta": {"class_id": 2}, "id": 7}}, {"label": "meta.class_id"}, "2"),
    "a list in json": ({"json": {"objects": [{"name": "tulip"}]}}, {"label": "objects.0.name"}, "tulip"),
    "a field with a dot": ({"json": {"a.b": "tulip", "c": 1}}, {"label": "a.b"}, "tulip"),
    "one of two files": ({"cls": 1, "coarse.cls": 2}, {"label": "coarse.cls"}, "2"),
    "one of two documents": ({"a.json": {"x": 1}, "b.json": {"x": 2}}, {"label": "b.json:x"}, "2"),
    "json that is the class": ({"json": 2}, {}, "2"),
    "a whole float": ({"json": {"label": 2.0}}, {}, "2"),
}


@pytest.mark.parametrize(("parts", "asked", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_that_people_have(tmp_path: Path, parts: dict[str, Any], asked: dict[str, Any], expected: str) -> None:
    encoded = {name: json.dumps(part).encode() if "json" in name else part for name, part in parts.items()}
    encoded = {name: str(part).encode() if isinstance(part, int) else part for name, part in encoded.items()}
    found, keys, _ = one(tmp_path, [{"jpg": photo(n), **encoded} for n in range(3)], **asked)
    assert (found, keys) == ([expected] * 3, ["00000", "00001", "00002"])
    repacked = webdataset_shards({"train": str(tmp_path / "shards")}, Taken(label=asked.get("label")))
    assert repacked.classes == (expected,)


def test_an_image_is_found_or_asked_for(tmp_path: Path) -> None:
    pair = [{"left.jpg": photo(n), "right.png": photo(n + 9, "PNG"), "cls": n % 2} for n in range(4)]
    with pytest.raises(DataError, match=r"several images \(left.jpg, right.png\): say which .* --image left.jpg"):
        one(tmp_path, pair)
    for image in ("right.png", "right", ".right.png"):
        shutil.rmtree(tmp_path / "index", ignore_errors=True)
        _, _, indexed = one(tmp_path, pair, image=image)
        assert indexed.manifest.made["layout"].startswith("images from .right")
    rows = read_index(ShardLocation(str(tmp_path / "index")), indexed.manifest, "train")
    reader = ShardReader(ShardLocation(str(tmp_path / "index")), indexed.manifest, "train", rows)
    assert [reader.read(row) for row in range(4)] == [sample["right.png"] for sample in pair]
    shutil.rmtree(tmp_path / "index")
    named = [{"input.jpg": photo(n), "target.cls": n % 2} for n in range(4)]
    assert one(tmp_path, named)[0] == ["0", "1", "0", "1"]
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(
        DataError, match=r"--image middle.jpg: no sample of .* has such a file, they have cls, left.jpg, right.png"
    ):
        one(tmp_path, pair, image="middle.jpg")


@pytest.mark.parametrize(
    ("parts", "asked", "said"),
    [
        ({}, {}, "nothing beside their images that could tell a class: write a file KEY.cls"),
        ({"json": {"caption": "x", "id": 3}}, {}, "Say with --label which of these: caption, id$"),
        ({"json": {"caption": "x"}, "txt": "x"}, {}, "Say with --label which of these: caption, txt$"),
        ({"json": {"a": {"b": 1}}}, {"label": "a.c"}, "--label a.c is nothing that these samples have: .*: a.b"),
        ({"json": {"label": 1, "class_name": "x"}}, {}, "which of these: label, class_name"),
        ({"coarse.cls": 1, "fine.cls": 2}, {}, r"\(coarse.cls, fine.cls\): say which, with --label coarse.cls"),
    ],
)
def test_a_class_that_may_stand_in_several_places_is_asked_for(
    tmp_path: Path, parts: dict[str, Any], asked: dict[str, Any], said: str
) -> None:
    encoded = {name: json.dumps(part).encode() if name == "json" else part for name, part in parts.items()}
    with pytest.raises(DataError, match=said):
        one(tmp_path, [{"jpg": photo(n), **encoded} for n in range(3)], **asked)


def test_captions_are_not_taken_for_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.txt says 30 different things of 30 samples, as captions .*--label"):
        one(tmp_path, [{"jpg": photo(n), "txt": f"the flower number {n}"} for n in range(30)])


def test_class_numbers_are_kept_or_mapped_and_that_is_said(tmp_path: Path) -> None:
    samples = [{"jpg": photo(n), "cls": (3, 17, 999)[n % 3]} for n in range(6)]
    found, _, indexed = one(tmp_path, samples)
    assert (found, len(indexed.manifest.classes)) == (["3", "17", "999"] * 2, 1000)
    assert "0 to 999: 997 of these 1000 classes have no training sample" in indexed.notes[0]
    shutil.rmtree(tmp_path / "index")
    found, _, indexed = one(tmp_path, samples, class_numbers="map")
    assert (found, indexed.manifest.classes) == (["3", "17", "999"] * 2, ("3", "17", "999"))
    assert "numbered anew, from 0 (3 is 0, 17 is 1, 999 is 2)" in indexed.notes[0]
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(DataError, match=r"class numbers from 0 to 5000000 cannot be kept.*--class-numbers map"):
        one(tmp_path, [{"jpg": photo(n), "cls": 5_000_000 * n} for n in range(2)])


def test_the_names_of_classes_may_be_given_by_number_or_by_name(tmp_path: Path) -> None:
    names = ["tulip", "rose", "aster"]
    by_number = one(tmp_path, [{"jpg": photo(n), "cls": n % 3} for n in range(4)], classes=names)
    assert by_number[0] == ["tulip", "rose", "aster", "tulip"]
    shutil.rmtree(tmp_path / "index")
    by_name = one(tmp_path, [{"jpg": photo(n), "cls": "aster"} for n in range(2)], classes=names)
    assert by_name[0] == ["aster"] * 2
    assert "2 of the 3 classes have no sample" in by_name[2].notes[0]
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(DataError, match="such as 'rosa'; did you mean 'rose'"):
        one(tmp_path, [{"jpg": photo(n), "cls": "rosa"} for n in range(2)], classes=names)


def test_samples_without_class_or_image_are_counted_named_and_left_out_up_to_the_limit(tmp_path: Path) -> None:
    samples: list[dict[str, Any]] = [{"jpg": photo(n), "cls": n % 2} for n in range(40)]
    del samples[7]["cls"]
    found, keys, indexed = one(tmp_path, samples)
    assert (len(found), indexed.left_out, "00007" in keys) == (39, 1, False)
    said = (tmp_path / "index" / "left_out.txt").read_text()
    assert "sample '00007' has no file .cls for its class (jpg)" in said
    shutil.rmtree(tmp_path / "index")
    samples[9] = {"cls": 1}
    samples[11]["jpg"] = samples[11]["jpg"][:300]
    with pytest.raises(
        DataError, match=r"3 of the 40 samples of split 'train' cannot be used, .* 0.01 allows 1: .*00007"
    ):
        one(tmp_path, samples)
    # It goes on from there: the pass over the shards is not made again.
    found, _, indexed = one(tmp_path, samples, max_left_out=0.1)
    said = (tmp_path / "index" / "left_out.txt").read_text()
    assert (len(found), indexed.left_out) == (37, 3)
    assert "sample '00009' has 0 images" in said
    assert "sample '00011' has an image that does not decode" in said


def test_a_part_of_train_may_be_held_out_and_no_other_pass_changes_its_sides(foreign: Path, tmp_path: Path) -> None:
    spec = {"train": words(foreign)["train"]}
    manifest = index(spec, tmp_path / "index", hold_out=("val", "0.3")).manifest
    place = ShardLocation(str(tmp_path / "index"))
    sides = [set(read_index(place, manifest, split).keys) for split in ("train", "val")]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 12
    assert all(sides)
    assert not verify(place).faults
    assert pixels(tmp_path / "index", tmp_path).shape[1:] == (3, 16, 16)
    with pytest.raises(DataError, match="--hold-out val=2: it takes a fraction"):
        index(spec, tmp_path / "other", hold_out=("val", "2"))


def test_keys_that_repeat_from_shard_to_shard_get_the_shards_name(tmp_path: Path) -> None:
    for shard in range(2):
        write(tmp_path / "set" / f"{shard}.tar", [{"jpg": photo(10 * shard + n), "cls": n} for n in range(2)])
    manifest = index({"train": str(tmp_path / "set")}, tmp_path / "index").manifest
    keys = list(read_index(ShardLocation(str(tmp_path / "index")), manifest, "train").keys)
    assert keys == ["0/00000", "0/00001", "1/00000", "1/00001"]
