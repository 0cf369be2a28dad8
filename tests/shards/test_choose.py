"""Parts of a source: classes in the order of a list; splits held out that stay as they are when data are added."""

from dataclasses import replace

import numpy as np
import pytest
from data_sources import files

from paribus.errors import DataError
from paribus.shards.sources.choose import hold_out, only_classes, only_splits
from paribus.shards.sources.source import Source
from paribus.shards.sources.synthetic.builtin import digits, synthetic


def keys(source: Source, split: str) -> set[str]:
    return set(source.splits[split].keys)


def labels(source: Source, split: str) -> dict[str, str]:
    """The class of each sample, in words."""
    listing = source.splits[split]
    return {key: source.classes[label] for key, label in zip(listing.keys, listing.labels, strict=True)}


def test_classes_are_numbered_in_the_order_of_the_list() -> None:
    part = only_classes(digits(), ["7", "0", "3"])
    assert part.classes == ("7", "0", "3")
    for split in ("train", "test"):
        whole = {key: name for key, name in labels(digits(), split).items() if name in ("7", "0", "3")}
        assert labels(part, split) == whole
        assert list(part.splits[split].keys) == list(whole)
        assert part.splits[split].sizes.shape == part.splits[split].labels.shape == (len(whole),)
    assert part.made["classes"] == "3 of 10"
    stored = files(digits(), "test")
    assert all(file.data == stored[key].data for key, file in files(part, "test").items())


def test_a_class_may_be_called_by_its_first_word_where_that_means_one() -> None:
    names = ("n01440764 tench, Tinca tinca", "n01443537 goldfish", "crane bird", "crane")
    source = replace(synthetic(), classes=names)
    assert only_classes(source, ["n01443537", "n01440764"]).classes == (names[1], names[0])
    assert only_classes(source, ["crane"]).classes == ("crane",)
    assert only_classes(source, ["crane bird"]).classes == ("crane bird",)
    twins = replace(synthetic(), classes=("maillot", "maillot", "crane bird", "crane machine"))
    for name in ("maillot", "crane"):
        with pytest.raises(DataError, match=f"none called '{name}'"):
            only_classes(twins, [name])


def test_unknown_repeated_and_missing_classes_are_named() -> None:
    with pytest.raises(DataError, match=r"none called 'colums' \(did you mean 'columns'\?\), 'zzz'$"):
        only_classes(synthetic(), ["rows", "colums", "zzz"])
    with pytest.raises(DataError, match="names 'rows' twice"):
        only_classes(synthetic(), ["rows", "columns", "rows"])
    with pytest.raises(DataError, match="is empty"):
        only_classes(synthetic(), [])
    few = replace(synthetic().splits["test"], labels=np.zeros(32, np.int64))
    with pytest.raises(DataError, match="split 'test' has no sample of the 1 classes: leave it out with --split"):
        only_classes(replace(synthetic(), splits={**synthetic().splits, "test": few}), ["rows"])


def test_a_held_out_split_is_taken_from_train_and_is_about_as_large_as_asked() -> None:
    source = hold_out(digits(), "val", "0.1")
    assert keys(source, "train") | keys(source, "val") == keys(digits(), "train")
    assert not keys(source, "train") & keys(source, "val")
    assert keys(source, "test") == keys(digits(), "test")
    # 140 of 1400 expected, with an sd of 11.
    assert 100 < len(source.splits["val"]) < 180
    assert labels(source, "val").items() <= labels(digits(), "train").items()
    assert source.made["held_out.val"] == "1/10"
    stored = files(digits(), "train")
    assert all(file.data == stored[key].data for key, file in files(source, "val").items())


def test_a_sample_keeps_its_side_when_others_come_or_go() -> None:
    whole = hold_out(digits(), "val", "1/5")
    part = hold_out(only_classes(digits(), ["4", "9", "1"]), "val", "1/5")
    assert keys(part, "val") == keys(whole, "val") & keys(only_classes(digits(), ["1", "4", "9"]), "train")
    # More held out is more of the same, and another name is another draw.
    assert keys(hold_out(digits(), "val", "0.1"), "val") < keys(whole, "val")
    assert keys(hold_out(digits(), "dev", "1/5"), "dev") != keys(whole, "val")
    twice = hold_out(whole, "dev", "1/5")
    assert not keys(twice, "dev") & keys(twice, "val")
    assert keys(twice, "val") == keys(whole, "val")


@pytest.mark.parametrize("fraction", ["0", "1", "-0.1", "1.5", "a tenth", "1/0", "nan", ""])
def test_what_is_no_fraction_is_refused(fraction: str) -> None:
    with pytest.raises(DataError, match="is no fraction between 0 and 1"):
        hold_out(digits(), "val", fraction)


def test_splits_that_are_taken_or_would_be_empty_are_refused() -> None:
    with pytest.raises(DataError, match="'test' cannot be held out of 'train'"):
        hold_out(digits(), "test", "0.1")
    with pytest.raises(DataError, match="leaves one side empty"):
        hold_out(synthetic(), "val", "1/1000000")
    with pytest.raises(DataError, match="no split 'val': it has train, test"):
        only_splits(digits(), ["train", "val"])
    assert list(only_splits(digits(), ["train"]).splits) == ["train"]
