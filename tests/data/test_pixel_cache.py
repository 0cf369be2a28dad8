"""Decoded pixels in a file that processes share: made once, gone on with after a kill, mended, bounded."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from paribus.data.cache import pixel_cache
from paribus.data.cache.pixel_cache import Layout, Making, PixelCache, open_cache
from paribus.data.cache.room import NoRoomError, allowance
from paribus.errors import DataError
from paribus.images.crop import Original

NUM, BROKEN, TURNED = 40, 7, 9
HEIGHTS, WIDTHS = np.arange(10, 10 + NUM), np.arange(30, 30 + NUM)[::-1].copy()
HEIGHTS[11] = 0
LAYOUT = Layout.of(HEIGHTS, WIDTHS, 3)
BLOCK_BYTES = 20_000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_cache, "_BLOCK_BYTES", BLOCK_BYTES)


def image(row: int) -> Original | None:
    """Noise of the row's own, except of one that does not decode; another is stored turned."""
    if row == BROKEN:
        return None
    generator = np.random.Generator(np.random.Philox(key=row))
    size = (HEIGHTS[row], WIDTHS[row]) if row != TURNED else (WIDTHS[row], HEIGHTS[row])
    return Original(generator.integers(0, 256, (*size, 3), dtype=np.uint8), 6 if row == TURNED else 1)


class Decoder:
    """`image`, and the rows that were asked for."""

    def __init__(self, before: Callable[[int], None] = lambda row: None) -> None:
        self.rows: list[int] = []
        self._before = before

    def __call__(self, row: int) -> Original | None:
        self._before(row)
        self.rows.append(row)
        return image(row)


def opened(folder: Path, decode: Callable[[int], Original | None] = image, limit: int = 1 << 40) -> PixelCache:
    return open_cache(folder, LAYOUT, Making(decode, "decoding", threads=2), limit)


def assert_whole(cache: PixelCache) -> None:
    for row in range(NUM):
        expected = image(row) if HEIGHTS[row] else None
        if expected is None:
            assert cache.turns[row] == 0
        else:
            pixels, turn = cache.original(row)
            assert turn == expected.orientation
            np.testing.assert_array_equal(pixels, expected.pixels)


def test_every_sample_is_decoded_once_and_then_never_again(tmp_path: Path) -> None:
    decode = Decoder()
    assert_whole(opened(tmp_path / "cache", decode))
    assert sorted(decode.rows) == [row for row in range(NUM) if HEIGHTS[row]]
    assert len(LAYOUT.blocks) > 4
    assert [row for rows in LAYOUT.blocks for row in rows] == list(range(NUM))
    again = Decoder()
    assert_whole(opened(tmp_path / "cache", again))
    assert again.rows == []


VICTIM = """
import os, signal, sys
from pathlib import Path
from test_pixel_cache import BLOCK_BYTES, Decoder, opened, pixel_cache
pixel_cache._BLOCK_BYTES = BLOCK_BYTES
opened(Path(sys.argv[1]), Decoder(lambda row: os.kill(os.getpid(), signal.SIGKILL) if row == 30 else None))
"""


def test_a_maker_that_is_killed_loses_at_most_the_blocks_in_its_hands(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with script(VICTIM, folder) as victim:
        assert victim.wait() == -signal.SIGKILL
    decode = Decoder()
    assert_whole(opened(folder, decode))
    assert 30 in decode.rows
    before = [rows for rows in LAYOUT.blocks if rows.stop <= 30]
    # Two threads were at work, and one of them met the end.
    assert sum(bool(set(rows) & set(decode.rows)) for rows in before) <= 1 < len(before)


def test_a_stopped_maker_is_gone_on_with(tmp_path: Path) -> None:
    def stop(row: int) -> None:
        if row == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path / "cache", Decoder(stop))
    decode = Decoder()
    assert_whole(opened(tmp_path / "cache", decode))
    assert not set(LAYOUT.blocks[0]) & set(decode.rows)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 10)


def grow(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 10)


def flip_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-10, os.SEEK_END)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("damage", [cut, grow, flip_a_byte, Path.unlink])
@pytest.mark.parametrize("name", ["pixels", "turns", "blocks", "seal.json"])
def test_a_damaged_cache_is_mended(tmp_path: Path, damage: Callable[[Path], None], name: str) -> None:
    folder = tmp_path / "cache"
    opened(folder)
    damage(folder / name)
    decode = Decoder()
    assert_whole(opened(folder, decode))
    if name in ("pixels", "turns") and damage is not Path.unlink:
        assert min(decode.rows, default=NUM) >= 28
    again = Decoder()
    opened(folder, again)
    assert again.rows == []


def test_two_makers_at_once_are_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    decode = Decoder(lambda row: time.sleep(0.005))
    caches: list[PixelCache] = []
    makers = [threading.Thread(target=lambda: caches.append(opened(tmp_path / "cache", decode))) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(decode.rows) == NUM - 1
    for cache in caches:
        assert_whole(cache)
    assert "another process is decoding: waiting for it" in capfd.readouterr().err


def test_what_fetches_bytes_ahead_runs_while_a_cache_is_made_and_only_then(tmp_path: Path) -> None:
    seen: list[str] = []

    @contextmanager
    def ahead() -> Iterator[None]:
        seen.append("begun")
        yield
        seen.append("ended")

    def decode(row: int) -> Original | None:
        assert seen == ["begun"]
        return image(row)

    for _ in range(2):
        open_cache(tmp_path / "cache", LAYOUT, Making(decode, "decoding", 2, ahead), 1 << 40)
    assert seen == ["begun", "ended"]


def test_an_image_of_another_size_than_the_index_says_is_an_error(tmp_path: Path) -> None:
    def larger(row: int) -> Original:
        return Original(np.zeros((HEIGHTS[row] + 1, WIDTHS[row], 3), np.uint8), 1)

    with pytest.raises(DataError, match="sample 0 decodes to 11x69 pixels where the index says 10x69"):
        opened(tmp_path / "cache", larger)


def test_long_work_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pixel_cache, "_QUIET_S", 0)
    opened(tmp_path / "cache")
    assert f"decoding: {NUM}/{NUM}" in capfd.readouterr().err
    opened(tmp_path / "cache")
    assert capfd.readouterr().err == ""


def test_the_longest_unused_cache_makes_room_and_one_in_use_does_not(tmp_path: Path) -> None:
    size = sum(file.stat().st_blocks * 512 for file in made(tmp_path / "size"))
    in_use = opened(tmp_path / "all" / "in_use")
    for name in ("old", "older"):
        made(tmp_path / "all" / name)
    now = time.time()
    for age, name in enumerate(("old", "older", "in_use"), start=1):
        pixels = tmp_path / "all" / name / "pixels"
        os.utime(pixels, (now - 100 * age, pixels.stat().st_mtime))
    opened(tmp_path / "all" / "new", limit=3 * size + 1000)
    assert {path.name for path in (tmp_path / "all").iterdir() if path.is_dir()} == {"in_use", "old", "new"}
    newer = opened(tmp_path / "all" / "newer", limit=2 * size + 1000)
    assert {path.name for path in (tmp_path / "all").iterdir() if path.is_dir()} == {"in_use", "newer"}
    assert_whole(in_use)
    with pytest.raises(NoRoomError, match=r"MiB together, .* free \(no other is unused\).*PARIBUS_CACHE_GIB"):
        opened(tmp_path / "all" / "too_many", limit=2 * size + 1000)
    assert not (tmp_path / "all" / "too_many").exists()
    assert_whole(newer)


def made(folder: Path) -> list[Path]:
    opened(folder)
    return list(folder.iterdir())


def test_the_bound_is_said_or_a_share_of_the_disk_and_never_less_than_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_CACHE_GIB", "0.5")
    assert allowance(tmp_path / "new", 0.5) == 1 << 29
    monkeypatch.delenv("PARIBUS_CACHE_GIB")
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    assert 0.4 * free < allowance(tmp_path / "new", 0.5) < 0.6 * free
    opened(tmp_path / "old")
    assert allowance(tmp_path / "old", 0.0) >= LAYOUT.num_bytes > 0
    assert allowance(tmp_path / "new", 0.0) == 0


def test_a_full_disk_is_an_error_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    """The kernel refuses to let a file grow past 4 KiB, as it would on a full disk."""
    decode = Decoder()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(NoRoomError, match="File too large"):
            opened(tmp_path / "cache", decode)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert decode.rows == []
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []


READER = """
import sys
from pathlib import Path
import numpy as np
from test_pixel_cache import opened
cache = opened(Path(sys.argv[1]))
print(int(cache.pixels.sum(dtype=np.int64)), flush=True)
sys.stdin.read()
"""


def test_processes_map_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    total = int(opened(folder).pixels.sum(dtype=np.int64))
    readers = [script(READER, folder) for _ in range(2)]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert int(reader.stdout.readline()) == total
        inodes = set()
        for reader in readers:
            mapped = smaps(reader.pid, str(folder / "pixels"))
            inodes.add(mapped["inode"])
            # All of it is here, and none of it is this process's own.
            assert mapped["Rss"] * 1024 >= LAYOUT.num_bytes
            assert mapped["Shared_Clean"] + mapped["Shared_Dirty"] == mapped["Rss"]
            assert mapped["Pss"] <= mapped["Rss"] / 2 + 4
        assert inodes == {(folder / "pixels").stat().st_ino}
    finally:
        for reader in readers:
            reader.communicate()


def script(code: str, folder: Path) -> subprocess.Popen[str]:
    """A Python process that runs `code`, with this file to import and `folder` to work in."""
    command = [sys.executable, "-c", code, str(folder)]
    here = Path(__file__).parent
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=here)


def smaps(pid: int, path: str) -> dict[str, int]:
    """What the kernel says of the mapping of `path`: KiB, and the inode."""
    lines = iter(Path(f"/proc/{pid}/smaps").read_text().splitlines())
    header = next(line for line in lines if line.endswith(path))
    found = {"inode": int(header.split()[4])}
    for line in lines:
        name, *values = line.split()
        if not name.endswith(":"):
            break
        if values[-1] == "kB":
            found[name[:-1]] = int(values[0])
    return found
