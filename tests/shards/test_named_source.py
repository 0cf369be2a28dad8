"""Which source the words of a command line mean, and which options have no effect on it."""

import argparse
from pathlib import Path

import pytest

from paribus.data import DataError
from paribus.shards.making.named_source import add_source_options, named_source
from paribus.shards.sources.source import Source
from paribus.shards.sources.synthetic.builtin import synthetic


def source_of(*words: object) -> Source:
    parser = argparse.ArgumentParser()
    add_source_options(parser)
    parser.set_defaults(json=True)
    return named_source(parser.parse_args(list(map(str, words))))


def test_synthetic_alone_is_the_stripes_of_ever() -> None:
    assert source_of("synthetic").made == synthetic().made
    assert source_of("synthetic").splits["train"].load(0).data == synthetic().splits["train"].load(0).data


def test_synthetic_with_classes_and_size_is_the_textured_set() -> None:
    source = source_of("synthetic", "--classes", 3, "--size", "40x30,30x40", "--images", 4, "--seed", 7)
    assert (source.name, len(source.classes)) == ("textures", 3)
    assert {split: len(listing) for split, listing in source.splits.items()} == {"train": 12, "test": 3}
    assert source.made == {"source": "textures", "sizes": "40x30,30x40", "seed": 7}


def test_a_table_is_known_by_its_suffix(photo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "set.CSV").write_text("file,label\ntrain/china/crop.00.jpg,a\n")
    assert source_of(tmp_path / "set.CSV", "--root", photo_folder, "--columns", "path=file").classes == ("a",)


def test_foreign_shards_and_folders(stripes: Path, photo_folder: Path) -> None:
    spec = f"webdataset:{stripes}/train-000000.tar"
    source = source_of(spec, "--add-split", f"val={stripes}/test-000000.tar")
    assert {split: len(listing) for split, listing in source.splits.items()} == {"train": 5, "val": 5}
    assert source_of(photo_folder).classes == ("china", "flower")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["synthetic", "--classes", "3"], "synthetic with --classes: .*need both --classes and --size"),
        (["synthetic", "--images", "3"], "synthetic with --images: .*with no option synthetic is .*stripes"),
        (["synthetic", "--classes", "3", "--size", "40"], "--size '40': it takes WIDTHxHEIGHT"),
        (["synthetic", "--classes", "3", "--size", "40x-3"], "--size '40x-3'"),
        (["digits", "--classes", "3"], "digits has no use for --classes"),
        (["cifar10", "--blacklist", "x"], "cifar10 has no use for --blacklist, it takes --root, --download"),
        (["imagenet"], "imagenet: say with --root"),
        (["imagenet", "--root", "/nowhere"], "/nowhere is no folder"),
        (["imagenet", "--root", "/nowhere", "--download"], "imagenet has no use for --download"),
        (["none.csv"], "the table none.csv cannot be read"),
        (["x.csv", "--columns", "path"], "--columns path: it takes NAME=VALUE"),
        (["x.csv", "--columns", "path=a,path=b"], "--columns path=b: it takes NAME=VALUE, each name once"),
        (["webdataset:x.tar", "--add-split", "train=y.tar"], "--add-split train"),
        (["imagnet"], r"neither a known set nor a folder of images; did you mean 'imagenet'\?"),
        (["webdatset:x.tar"], "neither a known set"),
        (["a-{00..09}.tar"], r"did you mean 'webdataset:a-\{00..09\}.tar'\?"),
    ],
)
def test_what_is_asked_wrongly_is_told(words: list[str], text: str) -> None:
    with pytest.raises(DataError, match=text):
        source_of(*words)
