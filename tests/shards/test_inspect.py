"""What `paribus shards inspect` says and shows of a set."""

from pathlib import Path

import numpy as np
import pytest
from data_sources import changed
from PIL import Image

from paribus.data import DataError
from paribus.shards.making.contact_sheet import MAX_CLASSES, MAX_IMAGES, contact_sheet
from paribus.shards.making.shards import make_shards
from paribus.shards.making.summary import inspect
from paribus.shards.making.summary_text import summary_lines
from paribus.shards.sources.source import File, Listing, Source
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.shards.sources.synthetic.textured_set import textured_set
from paribus.shards.storage.locations import ShardLocation


@pytest.fixture(scope="session")
def many_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 classes of pictures in two sizes, in shards of 25."""
    folder = tmp_path_factory.mktemp("sets") / "many"
    source = textured_set(classes=40, sizes=((64, 48), (48, 72)), images=6, test_images=1)
    make_shards(source, folder, shard_size=25)
    return folder


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Stripes of which three do not decode."""

    def change(split: str, row: int, file: File) -> File:
        return File(suffix="png", data=b"\x89PNG and no more") if split == "train" and row in (0, 5, 6) else file

    make_shards(changed(synthetic(), change), tmp_path / "set", keep_undecodable=True, shard_size=10)
    return tmp_path / "set"


def lines(folder: Path, width: int = 80) -> list[str]:
    return list(summary_lines(inspect(ShardLocation(str(folder))), width))


def test_sizes_are_those_of_the_images(many_classes: Path) -> None:
    train = inspect(ShardLocation(str(many_classes))).splits["train"]
    assert train.height == {"smallest": 48, "5 %": 48, "median": train.height["median"], "95 %": 72, "largest": 72}
    assert train.height["median"] in (48, 72)
    assert (train.width["smallest"], train.width["largest"]) == (48, 64)
    lengths = [
        len(listing.load(row).data)
        for listing in [textured_set(classes=40, sizes=((64, 48), (48, 72)), images=6).splits["train"]]
        for row in range(len(listing))
    ]
    assert (train.file_bytes["smallest"], train.file_bytes["largest"]) == (min(lengths), max(lengths))
    assert train.file_bytes["median"] == sorted(lengths)[len(lengths) // 2 - 1]
    assert (train.samples, train.shards) == (240, 10)
    assert train.shard_bytes == sum(path.stat().st_size for path in many_classes.glob("train-*.tar"))


def test_what_does_not_decode_is_named(damaged: Path) -> None:
    summary = inspect(ShardLocation(str(damaged)))
    assert summary.splits["train"].unreadable == 3
    assert summary.splits["train"].unreadable_keys == ["train-0000", "train-0005", "train-0006"]
    assert summary.splits["test"].unreadable == 0
    assert summary.splits["train"].height["smallest"] == 8
    shown = [line for line in lines(damaged) if "unreadable" in line]
    assert len(shown) == 1
    assert shown[0].endswith(": train-0000, train-0005, train-0006")


def test_few_classes_have_a_bar_each_in_proportion(stripes: Path) -> None:
    bars = [line for line in lines(stripes, 60) if "█" in line]
    assert [bar.split()[0] for bar in bars] == ["columns", "rows", "rising", "falling"] * 2
    assert len({bar.count("█") for bar in bars[:4]}) == len({bar.count("█") for bar in bars[4:]}) == 1
    assert max(map(len, bars)) <= 60


def test_bars_are_as_long_as_their_classes_are_large(tmp_path: Path) -> None:
    listing = synthetic().splits["train"]
    kept = np.r_[0:64:4, 1:33:4, 2:6:4]  # 16 columns, 8 rows, 1 rising
    some = Listing(
        keys=[listing.keys[row] for row in kept],
        labels=listing.labels[kept],
        sizes=listing.sizes[kept],
        load=_Some(listing, kept),
    )
    source = Source(name="uneven", classes=synthetic().classes, splits={"train": some}, made={}, in_order=True)
    make_shards(source, tmp_path / "set")
    shown = {line.split()[0]: line for line in lines(tmp_path / "set", 80) if line.startswith("  ")}
    lengths = {name: shown[name].count("█") for name in ("columns", "rows", "rising", "falling")}
    assert lengths["columns"] // 2 == lengths["rows"]
    assert 0 < lengths["rising"] <= lengths["columns"] // 16 + 1
    assert lengths["falling"] == 0
    assert shown["falling"].split()[1] == "0"


class _Some:
    def __init__(self, listing: Listing, rows: np.ndarray) -> None:
        self.listing, self.rows = listing, rows

    def __call__(self, row: int) -> File:
        return self.listing.load(int(self.rows[row]))


def test_many_classes_are_folded(many_classes: Path, tmp_path: Path) -> None:
    assert any("each of the 40 has 6 samples" in line for line in lines(many_classes))
    assert len(lines(many_classes)) < 20
    source = textured_set(classes=40, sizes=((16, 16),), images=10)
    train = source.splits["train"]
    rows = np.flatnonzero(np.arange(400) % 10 < 1 + train.labels % 10)
    some = Listing(
        keys=[train.keys[row] for row in rows],
        labels=train.labels[rows],
        sizes=train.sizes[rows],
        load=_Some(train, rows),
    )
    make_shards(Source(name="s", classes=source.classes, splits={"train": some}), tmp_path / "set")
    shown = lines(tmp_path / "set")
    assert any("smallest 1 (look-0000), median 6 (look-0005), largest 10 (look-0039)" in line for line in shown)
    bars = [line.split() for line in shown if "█" in line]
    assert [bar[0] for bar in bars] == ["1-2", "3-4", "5-6", "7-8", "9-10"]
    assert [bar[2] for bar in bars] == ["8"] * 5


def test_the_sheet_shows_classes_and_images_from_everywhere(many_classes: Path, tmp_path: Path) -> None:
    contact_sheet(ShardLocation(str(many_classes)), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"), np.int64)
    # Six images of a class, of which each is some dozens of pixels high: count the rows and columns that hold colours.
    colourful = np.ptp(pixels, axis=2) > 40
    assert _runs(colourful.any(axis=1)) == MAX_CLASSES
    assert _runs(colourful.any(axis=0)) == 6 < MAX_IMAGES


def test_the_sheet_shows_what_the_shards_hold(stripes: Path, tmp_path: Path) -> None:
    """Each of the four classes' first tile, shrunk back to 8x8 pixels, is an image of that class."""
    contact_sheet(ShardLocation(str(stripes)), tmp_path / "sheet.png", "test")
    with Image.open(tmp_path / "sheet.png") as opened:
        sheet = np.asarray(opened.convert("RGB"), np.int64)
    listing = synthetic().splits["test"]
    found = 0
    for row in range(len(listing)):
        pixels = listing.load(row).pixels
        assert pixels is not None
        large = np.kron(pixels, np.ones((10, 10, 1), np.uint8))
        corner = large[0, 0]
        places = zip(*np.nonzero((sheet == corner).all(axis=2)), strict=True)
        found += any(np.array_equal(sheet[y : y + 80, x : x + 80], large) for y, x in places)
    assert found == 32


def _runs(marks: np.ndarray) -> int:
    return int(np.count_nonzero(np.diff(np.r_[0, marks.astype(np.int8)]) == 1))


def test_a_sheet_leaves_out_what_does_not_decode(damaged: Path, tmp_path: Path) -> None:
    contact_sheet(ShardLocation(str(damaged)), tmp_path / "sheet.jpg")
    assert (tmp_path / "sheet.jpg").stat().st_size > 1000


def test_a_sheet_that_cannot_be_made_is_told(stripes: Path, tmp_path: Path) -> None:
    place = ShardLocation(str(stripes))
    with pytest.raises(DataError, match="cannot be written: unknown file extension"):
        contact_sheet(place, tmp_path / "sheet.tex")
    with pytest.raises(DataError, match=r"cannot be written: .*No such file"):
        contact_sheet(place, tmp_path / "nowhere" / "sheet.png")
    with pytest.raises(DataError, match="no split 'val'"):
        contact_sheet(place, tmp_path / "sheet.png", "val")
