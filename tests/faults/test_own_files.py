"""Each of our own files, damaged in each of several ways: a sentence of ours that names it, or mended; never a hang.

Every case runs in this process under a time-out, so that a reader which waits for a pipe fails its test.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from paribus.data import DataError, data_digest, open_feed
from paribus.recipe import RecipeError, preset
from paribus.shards.catalog import check_inputs
from paribus.shards.making.shards import make_shards
from paribus.shards.making.verify import verify
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.shards.storage.locations import ShardLocation
from paribus.shards.storage.node_cache import NodeCache
from paribus.study import Study, StudyError
from paribus.study.document import read_study, write_study

pytestmark = pytest.mark.timeout(30)
Damage = Callable[[Path], object]


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def replaced(make: Damage) -> Damage:
    def damage(path: Path) -> None:
        remove(path)
        make(path)

    return damage


def text(words: str) -> Damage:
    return replaced(lambda path: path.write_text(words))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[700 % len(data)] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, Damage] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"\n0"),
    "flipped": flip,
    "empty": text(""),
    "no UTF-8": replaced(lambda path: path.write_bytes(b"\xff\xfe\0" * 20)),
    "brackets": text("[" * 200_000),
    "braces": text('{"a":' * 200_000),
    "not a number": text("NaN"),
    "null": text("null"),
    "a list": text("[1, [2]]"),
    "a number": text("1" * 5000),
    "other names": text('{"digest": 3, "name": null}'),
    "a pipe": replaced(os.mkfifo),
    "a folder": replaced(Path.mkdir),
    "a link to nothing": replaced(lambda path: path.symlink_to("nowhere")),
    "a link to itself": replaced(lambda path: path.symlink_to(path)),
    "a device": replaced(lambda path: path.symlink_to("/dev/full")),
    "gone": remove,
}


@contextmanager
def mended_or_named(name: object) -> Iterator[None]:
    """The block succeeds, or says in a sentence of ours where the trouble lies."""
    said = ""
    try:
        yield
    except (DataError, StudyError, RecipeError) as error:
        said = str(error)
    assert not said or str(name) in said


damaged = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


@dataclass(frozen=True)
class Sets:
    """A sound set, and the keys of its first epoch."""

    folder: Path
    keys: list[str]


def keys_of(folder: Path, home: Path) -> list[str]:
    recipe = preset("synthetic").replace({"data.shards": str(folder), "data.cache": "always"})
    feed = open_feed(recipe, home)
    pixels = [f"{batch.images.sum():.3f}" for batch in feed.batches(1, 2, epoch=0)]
    keys = [key for batch in feed.batches(1, 2, epoch=0) for key in batch.keys]
    assert len([key for batch in feed.evaluation() for key in batch.keys]) == feed.num_eval
    return [*keys, *pixels]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    folder = tmp_path_factory.mktemp("sound") / "set"
    make_shards(synthetic(), folder, shard_size=16)
    return Sets(folder, keys_of(folder, folder.parent / "home"))


@pytest.fixture
def copy(sets: Sets, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sets.folder, tmp_path / "set"))


@damaged
@pytest.mark.parametrize("file", ["manifest.json", "train.index.npy", "test.keys.txt", "train-000002.tar"])
def test_a_shard_set(file: str, damage: Damage, sets: Sets, copy: Path, tmp_path: Path) -> None:
    damage(copy / file)
    # One bit of a manifest is one of what it says: of a shard, perhaps, which then is named.
    file = r"manifest\.json|train" if (file, damage) == ("manifest.json", flip) else file
    with pytest.raises(DataError, match=file):
        keys_of(copy, tmp_path / "home")
    try:
        faults = verify(ShardLocation(str(copy)), 1, quiet=True).faults
    except DataError as error:
        faults = [str(error)]
    assert any(re.search(file, fault) for fault in faults)


MANIFESTS = {
    "channels of another number": ('"channels": 3', '"channels": 1'),
    "no channels": ('"channels": 3', '"channels": 0'),
    "a mean that is NaN": ('"mean": [', '"mean": [NaN, '),
    "a side of a thousand million": ('"smallest": [', '"smallest": [1000000000, '),
    "bytes that no file has": ('"bytes": ', '"bytes": 99999999999999999999'),
    "samples that nobody counted": ('"samples": ', '"samples": 99999999999999999999'),
    "half a sample": ('"samples": ', '"samples": 0.5'),
    "a format of tomorrow": ('"format": 2', '"format": 3'),
}


@pytest.mark.parametrize(("old", "new"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_says_what_cannot_be(old: str, new: str, copy: Path, tmp_path: Path) -> None:
    path = copy / "manifest.json"
    words = " ".join(path.read_text().split()).replace("[ ", "[")
    assert old in words
    path.write_text(words.replace(old, new, 1))
    recipe = preset("synthetic").replace({"data.shards": str(copy)})
    with pytest.raises(DataError, match=r"manifest\.json|manifest says"):
        check_inputs([recipe], tmp_path)
    with pytest.raises(DataError, match=r"manifest\.json|manifest says"):
        open_feed(recipe, tmp_path)


@damaged
@pytest.mark.parametrize("file", ["pixels", "turns", "blocks", "seal.json"])
def test_a_cache_of_pixels_is_mended_or_names_itself(file: str, damage: Damage, sets: Sets, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert keys_of(sets.folder, home) == sets.keys
    caches = [folder for folder in (home / "cache" / "pixels").iterdir() if folder.is_dir()]
    for folder in caches:
        if file != "seal.json":
            os.utime(folder / file, ns=(0, 0))
        damage(folder / file)
    with mended_or_named(caches[0].parent):
        assert keys_of(sets.folder, home) == sets.keys


@damaged
def test_a_copy_in_the_nodes_cache_is_fetched_again_or_names_the_cache(damage: Damage, tmp_path: Path) -> None:
    cache, data = NodeCache(tmp_path / "shards", 1 << 20), bytes(4096)
    cache.open("a" * 64, len(data), lambda sink: sink.write(data) and None).close()
    damage(tmp_path / "shards" / ("a" * 64))
    with mended_or_named(tmp_path / "shards"):  # noqa: SIM117
        with cache.open("a" * 64, len(data), lambda sink: sink.write(data) and None) as opened:
            assert len(opened.read()) == len(data)


@pytest.mark.parametrize("name", [".room", "b" * 64 + ".partial"])
def test_a_pipe_in_the_nodes_cache_is_not_waited_for(name: str, tmp_path: Path) -> None:
    cache = NodeCache(tmp_path / "shards", 1 << 20)
    (tmp_path / "shards").mkdir()
    os.mkfifo(tmp_path / "shards" / name)
    with mended_or_named(tmp_path / "shards"):
        cache.open("b" * 64, 4, lambda sink: sink.write(b"data") and None).close()


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    """What a maker left that was stopped after its first shard."""
    import paribus.shards.making.staging as module

    class StoppedError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StoppedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.Staging, "publish", stop)
        with pytest.raises(StoppedError):
            make_shards(synthetic(), tmp_path / "set", shard_size=16, workers=1)
    return tmp_path / ".set.partial"


@damaged
@pytest.mark.parametrize("file", ["plan.json", "facts/train-000001.tar"])
def test_a_half_made_set_is_made_to_its_end(file: str, damage: Damage, staging: Path, sets: Sets) -> None:
    damage(staging / file)
    target = staging.parent / "set"
    with mended_or_named(staging):
        make_shards(synthetic(), target, shard_size=16, workers=1)
    if not target.exists():
        make_shards(synthetic(), target, shard_size=16, workers=1, restart=True)
    digests = {data_digest(preset("synthetic").replace({"data.shards": str(place)})) for place in (target, sets.folder)}
    assert len(digests) == 1


@damaged
def test_the_document_of_a_study(damage: Damage, tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    sound = Study(name="s", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0)
    path.write_text(write_study(sound))
    damage(path)
    if path.is_file():  # it comes out of the ledger, as bytes
        with mended_or_named(""):
            read_study(path.read_bytes())


@pytest.mark.parametrize("value", ["abc", "", "-1", "0", "nan", "inf", "1e400", "1" * 400, "\udcff"])
def test_a_limit_of_the_cache_that_is_no_number_is_a_sentence(
    value: str, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_CACHE_GIB", value)
    with pytest.raises(DataError, match="PARIBUS_CACHE_GIB is"):
        keys_of(sets.folder, tmp_path)


@pytest.mark.parametrize("value", ["/dev/null", "/proc/none", "x" * 300])
def test_a_cache_where_none_can_be_is_a_sentence(
    value: str, sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_CACHE", value)
    with pytest.raises(DataError, match=value[:9]):
        keys_of(sets.folder, tmp_path)
