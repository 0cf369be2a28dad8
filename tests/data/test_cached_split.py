"""Where decoded pixels stay changes nothing but speed: every kind of file, every choice, every reason."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from paribus.data import Batch, DataError, Feed, open_feed, open_originals
from paribus.data.cache import choice as cache_choice
from paribus.images.crop import may_scale
from paribus.recipe import Recipe
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder

CROPPED: dict[str, object] = {"augment.crop": "random_resized", "augment.flip": True}
SIDES = {"large": (170, 190), "small": (70, 150)}


def files() -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    """A name, an image and how it is saved: JPEGs turned all ways and of all layouts, other formats, other modes."""
    generator = np.random.Generator(np.random.Philox(key=3))
    china, flower = load_sample_images().images

    def piece(number: int) -> Image.Image:
        height, width = SIDES["large" if number % 8 == 0 else "small"]
        photo = (china, flower)[number % 2]
        top, left = (int(generator.integers(0, free)) for free in (427 - height, 640 - width))
        return Image.fromarray(photo[top : top + height, left : left + width])

    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for subsampling in (0, 1, 2):
            name = f"turned_{orientation}_{subsampling}.jpg"
            yield name, piece(orientation), {"subsampling": subsampling, "exif": exif, "quality": 88}
    exif[0x0112] = 6
    modes = {"grey": "L", "cmyk": "CMYK", "palette": "P", "alpha": "RGBA", "bits": "1"}
    for number, (name, mode) in enumerate(modes.items(), start=1):
        suffix = "jpg" if name in ("grey", "cmyk") else "png"
        yield f"{name}.{suffix}", piece(number).convert(mode), {}
    yield "progressive.jpg", piece(1), {"progressive": True, "exif": exif}
    yield "turned.png", piece(2), {"exif": exif}
    yield "lossy.webp", piece(3), {}
    yield "deep.png", Image.fromarray(np.asarray(piece(4).convert("L")).astype(np.uint16) * 257), {}


@pytest.fixture(scope="module", params=["colour", "grey"])
def kinds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of `files` in two splits, in colour or all of them of one channel; one was cut short."""
    root, folder = tmp_path_factory.mktemp("kinds") / "kinds", tmp_path_factory.mktemp("sets") / "kinds"
    for split in ("train", "test"):
        for number, (name, image, options) in enumerate(files()):
            path = root / split / "ab"[number % 2] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if request.param == "colour":
                image.save(path, **options)
            elif path.suffix != ".webp":  # which knows no grey
                image.convert("L").save(path, **options | {"subsampling": 0})
    cut = root / "train" / "a" / "cut.jpg"
    cut.write_bytes((root / "train" / "a" / "turned_1_0.jpg").read_bytes()[:-400])
    manifest = make_shards(image_folder(root), folder, shard_size=7, keep_undecodable=True)
    assert manifest.channels == (3 if request.param == "colour" else 1)
    return folder


def recipe_of(shards: Path, size: int, resident: str, **changes: object) -> Recipe:
    changes |= {"data.shards": str(shards), "data.size": size, "data.batch_size": 5, "data.cache": resident}
    return Recipe().replace({"data.max_undecodable": 0.1, **changes})


def stream(feed: Feed) -> list[Batch]:
    return [*feed.batches(1, 2, epoch=0), *feed.batches(1, 2, epoch=1), *feed.evaluation()]


def assert_same(left: list[Batch], right: list[Batch]) -> None:
    assert [batch.keys for batch in left] == [batch.keys for batch in right]
    for one, other in zip(left, right, strict=True):
        assert torch.equal(one.pixels, other.pixels)
        assert torch.equal(one.images, other.images)


@pytest.mark.parametrize("tier", ["memory", "mapped"])
@pytest.mark.parametrize("decoding", ["exact", "fast"])
@pytest.mark.parametrize("crop", ["random_resized", "none"])
@pytest.mark.parametrize("size", [36, 64])
def test_no_kind_of_file_tells_whether_it_stayed(
    kinds: Path, data_home: Path, monkeypatch: pytest.MonkeyPatch, tier: str, decoding: str, crop: str, size: int
) -> None:
    if tier == "mapped":
        monkeypatch.setattr(cache_choice, "MEMORY_SHARE", 0)
    changes: dict[str, object] = {"augment.crop": crop, "augment.flip": True, "data.decoding": decoding}
    kept = open_feed(recipe_of(kinds, size, "always", **changes), data_home)
    assert [split.kind for split in kept.cache_choice.values()] == [tier, tier]
    expected = open_feed(recipe_of(kinds, size, "never", **changes), data_home)
    assert [split.kind for split in expected.cache_choice.values()] == ["stream", "stream"]
    assert_same(stream(kept), stream(expected))
    assert kept.undecodable_keys == expected.undecodable_keys == ["a/cut"]


def opened(shards: Path, home: Path, size: int, resident: str, **changes: object) -> Feed:
    return open_feed(recipe_of(shards, size, resident, **changes), home)


@pytest.mark.parametrize("decoding", ["fast", "exact"])
def test_images_that_fast_decoding_scales_are_read_each_time(kinds: Path, tmp_path: Path, decoding: str) -> None:
    feed = opened(kinds, tmp_path, 64, "always", **CROPPED, **{"data.decoding": decoding})
    rows = [file for file in files() if feed.channels == 3 or not file[0].endswith("webp")]
    kept = [image.size for _, image, _ in rows if decoding == "exact" or min(image.size) < 160]
    assert 0 < len(rows) - len(kept) < len(rows) / 2 or decoding == "exact"
    (pixels,) = (tmp_path / "cache" / "pixels").glob("*-train-stored-*/pixels")
    assert pixels.stat().st_size == sum(width * height for width, height in kept) * feed.channels


def test_where_most_would_be_scaled_none_stays_and_the_reason_is_given(kinds: Path, data_home: Path) -> None:
    small = {**CROPPED, "data.size": 24}
    feed = opened(kinds, data_home, 24, "auto", **small)
    assert feed.cache_choice["train"].kind == "stream"
    assert feed.cache_choice["test"].kind == "memory"
    assert "data.decoding = 'fast' reads" in str(feed.cache_choice["train"])
    with pytest.raises(DataError, match=r"cannot stay decoded: set data.decoding to 'exact' or data.cache to 'auto'"):
        opened(kinds, data_home, 24, "always", **small)
    assert (
        opened(kinds, data_home, 24, "always", **small, **{"data.decoding": "exact"}).cache_choice["train"].kind
        == "memory"
    )


def test_nothing_is_kept_where_all_that_decodes_would_be_scaled(photo_folder: Path, tmp_path: Path) -> None:
    images = Path(shutil.copytree(photo_folder, tmp_path / "images"))
    for number, path in enumerate(sorted(images.glob("train/*/*"))):
        path.write_bytes(b"no image") if number % 4 else Image.new("RGB", (90, 80)).save(path)
    make_shards(image_folder(images), tmp_path / "set", keep_undecodable=True)
    changes = {**CROPPED, "augment.normalise": False, "data.batch_size": 12, "data.max_undecodable": 0.8}
    feed = opened(tmp_path / "set", tmp_path, 8, "auto", **changes)
    assert "reads 6 of the 6 images of 'train' at a smaller scale" in str(feed.cache_choice["train"])
    with pytest.raises(DataError, match="cannot stay decoded"):
        opened(tmp_path / "set", tmp_path, 8, "always", **changes)


def test_what_does_not_fit_is_streamed_and_the_reason_is_given(
    stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PARIBUS_CACHE_GIB", str(10_000 / 2**30))
    feed = opened(stripes, tmp_path, 8, "auto")
    # 64 and 32 images of 8x8x3 bytes.
    assert {split: where.kind for split, where in feed.cache_choice.items()} == {"train": "stream", "test": "memory"}
    assert str(feed.cache_choice["train"]).startswith("stream (0.0 MiB, of at most ")
    assert [path.parent.name[16:29] for path in (tmp_path / "elsewhere").rglob("pixels/*/pixels")] == ["-test-stored-"]
    with pytest.raises(DataError, match="raise PARIBUS_CACHE_GIB"):
        opened(stripes, tmp_path, 8, "always")


def test_a_cache_that_finds_no_room_after_all_is_not_waited_for(
    stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds both splits, but the first is in use when the second wants its place."""
    monkeypatch.setenv("PARIBUS_CACHE_GIB", str(26_000 / 2**30))
    held = opened(stripes, tmp_path, 8, "auto")
    other = opened(stripes, tmp_path, 10, "auto")
    assert held.cache_choice["train"].kind == "memory"
    assert other.cache_choice["train"].kind == "stream"
    assert "no other is unused" in other.cache_choice["train"].why


def test_a_set_may_keep_a_quarter_of_the_memory_and_more_than_that_is_mapped(
    stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_choice, "memory_bytes", lambda: 4 * 64 * 8 * 8 * 3)
    assert opened(stripes, tmp_path, 8, "auto").cache_choice["train"].kind == "memory"
    monkeypatch.setattr(cache_choice, "memory_bytes", lambda: 4 * 64 * 8 * 8 * 3 - 1)
    assert opened(stripes, tmp_path, 8, "auto").cache_choice["train"].kind == "mapped"


def test_memory_is_what_this_process_may_have() -> None:
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 < cache_choice.memory_bytes() <= total


def test_a_container_s_memory_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of control groups of either version; the word "max", or no file, is none."""
    monkeypatch.setattr(cache_choice, "_CGROUPS", tmp_path)
    machine = cache_choice.memory_bytes()
    (tmp_path / "memory").mkdir()
    for limit, expected in (("max", machine), (str(2**60), machine), (str(2**27), 2**27)):
        (tmp_path / "memory.max").write_text(limit)
        (tmp_path / "memory" / "memory.limit_in_bytes").write_text(limit)
        assert cache_choice.memory_bytes() == expected


def test_views_of_one_size_share_a_cache_and_others_do_not(stripes: Path, photos: Path, tmp_path: Path) -> None:
    def caches() -> int:
        return len([path for path in (tmp_path / "cache" / "pixels").iterdir() if path.is_dir()])

    opened(stripes, tmp_path, 8, "always")
    assert caches() == 2
    opened(stripes, tmp_path, 8, "always", **{"augment.crop": "pad", "augment.pad": 2})
    open_originals(recipe_of(stripes, 8, "always"), tmp_path)
    assert caches() == 2
    opened(photos, tmp_path, 32, "always", **CROPPED)
    assert caches() == 4
    opened(photos, tmp_path, 32, "always", **CROPPED, **{"data.decoding": "exact"})
    assert caches() == 5


def test_whole_originals_stay_only_where_asked(photos: Path, tmp_path: Path) -> None:
    open_originals(recipe_of(photos, 32, "auto"), tmp_path)
    assert not (tmp_path / "cache").exists()
    originals = open_originals(recipe_of(photos, 32, "always"), tmp_path)
    expected = open_originals(recipe_of(photos, 32, "never"), tmp_path)
    rows = np.arange(8)
    for one, other in zip(originals.prepared(rows, 3, np.copy), expected.prepared(rows, 3, np.copy), strict=True):
        assert all(np.array_equal(left, right) for left, right in zip(one.images, other.images, strict=True))


def test_a_cut_cache_is_decoded_again(stripes: Path, tmp_path: Path) -> None:
    expected = stream(opened(stripes, tmp_path, 8, "always"))
    (pixels,) = (tmp_path / "cache" / "pixels").glob("*-train-*/pixels")
    size = pixels.stat().st_size
    os.truncate(pixels, size // 2)
    assert_same(stream(opened(stripes, tmp_path, 8, "always")), expected)
    assert pixels.stat().st_size == size == 64 * 8 * 8 * 3


def test_fast_crops_are_cut_from_the_whole_exactly_where_none_is_scaled() -> None:
    heights, widths = np.array([159, 160, 160, 1000]), np.array([1000, 159, 160, 160])
    assert may_scale(heights, widths, 64).tolist() == [False, False, True, True]
    assert not may_scale(heights, widths, 7).any()
