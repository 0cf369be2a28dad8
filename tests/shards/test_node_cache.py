"""Shards on the node's own disk: one download for all, never half a file, never too many, no reader disturbed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest
from data_servers import QUICK, Fault, FaultyLine, Nginx, until

from paribus.errors import DataError
from paribus.shards.storage.locations import ShardLocation
from paribus.shards.storage.node_cache import NodeCache, node_cache

SIZE = 400_000
# What a process of a trial does: open a shard through the cache and say what it read.
OPEN = """
import sys
from hashlib import sha256
from paribus.shards.storage.locations import ShardLocation
root, file, size, digest = sys.argv[1:]
with ShardLocation(root).open(file, int(size), digest) as opened:
    print(sha256(opened.read()).hexdigest())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten files of `SIZE` bytes, and one of half."""
    folder = tmp_path_factory.mktemp("files")
    for number in range(10):
        (folder / f"{number}.tar").write_bytes(bytes([number]) * SIZE)
    (folder / "half.tar").write_bytes(b"h" * (SIZE // 2))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARIBUS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "shards"


def digest(folder: Path, number: object) -> str:
    return sha256((folder / f"{number}.tar").read_bytes()).hexdigest()


def start(root: str, folder: Path, number: object, **env: str) -> "subprocess.Popen[str]":
    file = f"{number}.tar"
    size = str((folder / file).stat().st_size)
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OPEN, root, file, size, digest(folder, number)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_shard_is_downloaded_once_and_kept_under_its_hash(web: Nginx, folder: Path, cache: Path) -> None:
    place = ShardLocation(web.address + web.path(folder), retry_policy=QUICK)
    before = len(web.asked("/1.tar"))
    for _ in range(2):
        with place.open("1.tar", SIZE, digest(folder, 1)) as opened:
            assert opened.read() == b"\1" * SIZE
    path = place.fetch("1.tar", SIZE, digest(folder, 1))
    assert path == cache / digest(folder, 1)
    assert path.read_bytes() == b"\1" * SIZE
    assert len(web.asked("/1.tar")) == before + 1


def test_processes_that_want_one_shard_download_it_once(web: Nginx, folder: Path, cache: Path) -> None:
    before = len(web.asked("/2.tar"))
    racers = [start(web.address + web.path(folder), folder, 2) for _ in range(3)]
    for racer in racers:
        out, err = racer.communicate(timeout=60)
        assert (out.strip(), err) == (digest(folder, 2), "")
    assert len(web.asked("/2.tar")) == before + 1
    assert [path.name for path in cache.glob("[!.]*")] == [digest(folder, 2)]


def test_a_killed_downloader_blocks_nobody_and_leaves_nothing(web: Nginx, folder: Path, cache: Path) -> None:
    with FaultyLine(web.port, Fault("stall", 100_000)) as line:
        root = line.address + web.path(folder)
        killed = start(root, folder, 3)
        until(lambda: bool(list(cache.glob("*.partial"))) and len(line.requests) == 1)
        waiting = start(root, folder, 3)
        time.sleep(0.2)
        assert waiting.poll() is None
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        out, err = waiting.communicate(timeout=60)
        assert (out.strip(), err) == (digest(folder, 3), "")
    assert [path.name for path in cache.glob("[!.]*")] == [digest(folder, 3)]


def test_what_a_killed_downloader_left_is_swept_by_the_next_download(web: Nginx, folder: Path, cache: Path) -> None:
    with FaultyLine(web.port, Fault("stall", 100_000)) as line:
        killed = start(line.address + web.path(folder), folder, 3)
        until(lambda: bool(list(cache.glob("*.partial"))) and len(line.requests) == 1)
        killed.kill()
        killed.communicate()
    assert len(list(cache.glob("*.partial"))) == 1
    ShardLocation(web.address + web.path(folder)).fetch("4.tar", SIZE, digest(folder, 4))
    assert [path.name for path in cache.glob("[!.]*")] == [digest(folder, 4)]


@pytest.mark.parametrize("root", ["/404", "/503"])
def test_a_failed_download_leaves_nothing(web: Nginx, folder: Path, cache: Path, root: str) -> None:
    with pytest.raises(DataError, match=root):
        ShardLocation(web.address + root, retry_policy=QUICK).open("1.tar", SIZE, digest(folder, 1))
    assert list(cache.glob("[!.]*")) == []


class Counted:
    """A cache of `shards` shards, and what it downloads."""

    def __init__(self, folder: Path, shards: float) -> None:
        self.cache = NodeCache(folder, int(shards * SIZE))
        self.downloads: list[int] = []

    def open(self, number: int) -> BinaryIO:
        def download(sink: BinaryIO) -> None:
            self.downloads.append(number)
            sink.write(bytes([number]) * SIZE)

        return self.cache.open(str(number), SIZE, download)

    def read(self, *numbers: int) -> None:
        for number in numbers:
            with self.open(number) as opened:
                assert opened.read() == bytes([number]) * SIZE

    def kept(self) -> set[int]:
        return {int(path.name) for path in self.cache.folder.glob("[!.]*")}


def test_the_longest_unopened_is_dropped_first(tmp_path: Path) -> None:
    counted = Counted(tmp_path, 3.5)
    counted.read(0, 1, 2, 0, 3)
    assert counted.kept() == {0, 2, 3}
    counted.read(0, 4)
    assert counted.kept() == {0, 3, 4}
    assert counted.downloads == [0, 1, 2, 3, 4]


def test_what_is_being_read_is_dropped_last(tmp_path: Path) -> None:
    counted = Counted(tmp_path, 3)
    with counted.open(0) as opened:
        counted.read(1, 2, 3, 4, 5)
        assert counted.kept() == {0, 4, 5}
        assert opened.read() == b"\0" * SIZE


def test_a_reader_keeps_what_is_dropped_under_it_and_a_small_cache_says_so(tmp_path: Path) -> None:
    counted = Counted(tmp_path, 2)
    readers = [counted.open(0), counted.open(1)]
    with pytest.warns(UserWarning, match=r"less than is being read at one time.*raise PARIBUS_CACHE_GIB"):
        readers.append(counted.open(2))
    assert counted.kept() == {1, 2}
    for number, reader in enumerate(readers):
        with reader:
            assert reader.read() == bytes([number]) * SIZE


def held(cache: Path) -> int:
    """Bytes in the cache at one moment in which nobody is given room."""
    cache.mkdir(parents=True, exist_ok=True)
    total = 0
    with (cache / ".room").open("w") as room:
        flock(room, LOCK_EX)
        for path in list(cache.iterdir()):
            with suppress(FileNotFoundError):
                total += path.stat().st_size
    return total


def test_processes_share_one_bound(web: Nginx, folder: Path, cache: Path) -> None:
    """Two processes that each read all ten shards twice, in a cache of three."""
    code = """
import sys
from hashlib import sha256
from paribus.shards.storage.locations import ShardLocation
root, size, *digests = sys.argv[1:]
place = ShardLocation(root)
for turn in range(2):
    for number, digest in enumerate(digests):
        with place.open(f"{number}.tar", int(size), digest) as opened:
            half = opened.read(1000)
            assert sha256(half + opened.read()).hexdigest() == digest
"""
    digests = [digest(folder, number) for number in range(10)]
    arguments = [web.address + web.path(folder), str(SIZE)]
    env = {**os.environ, "PARIBUS_CACHE_GIB": str(3 * SIZE / 2**30 + 1e-9)}
    readers = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, *arguments, *some], env=env)
        for some in (digests, digests)
    ]
    most = 0
    while any(reader.poll() is None for reader in readers):
        most = max(most, held(cache))
    assert [reader.returncode for reader in readers] == [0, 0]
    assert SIZE <= most <= 3 * SIZE


def test_downloads_under_way_count_and_others_wait_for_their_room(tmp_path: Path) -> None:
    counted = Counted(tmp_path, 1)
    going, go = threading.Event(), threading.Event()

    def slow(sink: BinaryIO) -> None:
        going.set()
        assert go.wait(30)
        sink.write(b"\7" * SIZE)

    first = threading.Thread(target=lambda: counted.cache.open("7", SIZE, slow).close())
    second = threading.Thread(target=counted.read, args=(8,))
    first.start()
    assert going.wait(30)
    second.start()
    time.sleep(0.2)
    assert counted.downloads == []
    go.set()
    first.join(30)
    second.join(30)
    assert counted.kept() == {8}


def test_a_shard_larger_than_the_cache_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"may hold 0\.3 MiB, and one shard has 0\.4 MiB: raise PARIBUS_CACHE_GIB"):
        Counted(tmp_path, 0.9).open(0)


def test_a_copy_that_lost_bytes_is_downloaded_again(tmp_path: Path) -> None:
    counted = Counted(tmp_path, 3)
    counted.read(0)
    os.truncate(tmp_path / "0", 17)
    counted.read(0)
    assert counted.downloads == [0, 0]


def test_a_rotten_copy_is_forgotten_but_not_the_one_that_replaced_it(web: Nginx, folder: Path, cache: Path) -> None:
    place = ShardLocation(web.address + web.path(folder))
    file = ("5.tar", SIZE, digest(folder, 5))
    before = len(web.asked("/5.tar"))
    rotten = place.open(*file)
    with (cache / file[2]).open("r+b") as copy:
        copy.write(b"x")
    assert rotten.read(1) == b"x"
    assert place.forget(rotten, file[2])
    with rotten, place.open(*file) as good:
        assert good.read() == b"\5" * SIZE
        # Another reader of the rotten copy comes late.
        assert place.forget(rotten, file[2])
        assert (cache / file[2]).exists()
    assert len(web.asked("/5.tar")) == before + 2


def test_there_is_nothing_to_fetch_a_folders_file_from_again(folder: Path) -> None:
    place = ShardLocation(str(folder))
    with place.open("5.tar", SIZE, digest(folder, 5)) as opened:
        assert not place.forget(opened, digest(folder, 5))
    assert (folder / "5.tar").exists()


def test_a_file_that_the_disk_does_not_take_is_told_and_leaves_nothing(web: Nginx, folder: Path, cache: Path) -> None:
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({SIZE // 2},) * 2)\n" + OPEN
    arguments = [web.address + web.path(folder), "6.tar", str(SIZE), digest(folder, 6)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"the node cache {cache} cannot take a shard of 0.4 MiB (File too large" in done.stderr
    assert "name another disk with PARIBUS_CACHE" in done.stderr
    assert list(cache.glob("[!.]*")) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("only root may mount a disk of 1 MiB")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_gives_up_old_copies_first_and_is_told_when_none_are_left(small_disk: Path) -> None:
    counted = Counted(small_disk / "cache", 100)
    counted.read(0, 1, 2, 3)
    assert counted.kept() == {2, 3}
    (small_disk / "results").write_bytes(b"r" * 100_000)
    counted.read(4)
    assert counted.kept() == {3, 4}
    for number in (3, 4):
        (small_disk / "cache" / str(number)).unlink()
    (small_disk / "more").write_bytes(b"r" * 700_000)
    with pytest.raises(
        DataError, match=r"cannot take a shard of 0\.4 MiB \(the disk is full; 0\.\d MiB free\): make room"
    ):
        counted.read(5)
    assert counted.downloads == [0, 1, 2, 3, 4]
    assert list((small_disk / "cache").glob("*.partial")) == []


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"Not a directory.*name another disk with PARIBUS_CACHE"):
        Counted(tmp_path / "file" / "cache", 1).open(0)


def test_the_cache_lies_where_it_is_told_and_may_hold_what_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARIBUS_CACHE", raising=False)
    monkeypatch.delenv("PARIBUS_CACHE_GIB", raising=False)
    assert node_cache(tmp_path).folder == tmp_path / "cache" / "shards"
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert 0.4 * free < node_cache(tmp_path).limit < 0.6 * free
    monkeypatch.setenv("PARIBUS_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("PARIBUS_CACHE_GIB", "1.5")
    cache = node_cache(tmp_path)
    assert (cache.folder, cache.limit) == (tmp_path / "elsewhere" / "shards", 3 << 29)


@pytest.mark.parametrize("limit", ["0", "-1", "ten", "nan", "inf", ""])
def test_a_bound_that_is_none_is_refused(limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_CACHE_GIB", limit)
    with pytest.raises(DataError, match=f"PARIBUS_CACHE_GIB is '{limit}'"):
        node_cache(tmp_path)
