"""Making shards that is stopped, killed, starved or raced goes on where it was, and ends in the same bytes."""

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data_sources import changed

from paribus.errors import DataError
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder
from paribus.shards.sources.source import File, Source
from paribus.shards.sources.synthetic.builtin import synthetic

# A maker of stripes, with options, whose sample 20 of the training split waits until it may go on.
MAKER = """
import sys, time
from dataclasses import dataclass, replace
from pathlib import Path
from paribus.errors import DataError
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.synthetic.builtin import synthetic

@dataclass(frozen=True)
class Slow:
    load: object
    gate: Path
    def __call__(self, row):
        if row == 20:
            self.gate.with_suffix(".reached").touch()
            while not self.gate.exists():
                time.sleep(0.02)
        return self.load(row)

if __name__ == "__main__":
    folder, workers, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    source = synthetic()
    train = source.splits["train"]
    slow = replace(train, load=Slow(train.load, folder.with_suffix(".gate")))
    source = replace(source, splits={**source.splits, "train": slow})
    try:
        print(make_shards(source, folder, shard_size=size, workers=workers, quiet=False).digest)
    except DataError as error:
        sys.exit(str(error))
"""


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never appeared"
        time.sleep(0.02)


@contextmanager
def maker(folder: Path, workers: int = 1, shard_size: int = 3) -> Iterator["subprocess.Popen[str]"]:
    """A process that makes stripes, once it stands at sample 20."""
    script = folder.with_suffix(".py")
    script.write_text(MAKER)
    command = [sys.executable, str(script), str(folder), str(workers), str(shard_size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(folder.with_suffix(".reached"))
            yield process
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


def wait_for_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, f"processes {pids} live on"
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_maker_is_gone_on_with_and_gives_the_same_bytes(tmp_path: Path, workers: int) -> None:
    folder = tmp_path / "set"
    with maker(folder, workers) as process:
        helpers = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for_end(helpers)
    assert not folder.exists()
    # A shard without its note is not done yet: the other worker may have been killed between the two.
    noted = [path.name for path in (tmp_path / ".set.partial" / "facts").iterdir()]
    done = {name: (tmp_path / ".set.partial" / "set" / name).stat().st_mtime_ns for name in noted}
    assert {f"train-{number:06d}.tar" for number in range(6)} <= set(done)
    loaded = []

    def note(split: str, row: int, file: File) -> File:
        loaded.append((split, row))
        return file

    manifest = make_shards(changed(synthetic(), note), folder, shard_size=3)
    assert not {("train", row) for row in range(18)} & set(loaded)
    assert {("train", row) for row in range(18, 21)} <= set(loaded)
    assert {name: (folder / name).stat().st_mtime_ns for name in done} == done
    whole = make_shards(synthetic(), tmp_path / "whole", shard_size=3)
    assert manifest.digest == whole.digest
    assert files_of(folder) == files_of(tmp_path / "whole")
    assert not (tmp_path / ".set.partial").exists()


def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, photo_folder: Path, photos: Path) -> None:
    make_shards(image_folder(photo_folder), tmp_path / "set", shard_size=3, workers=3)
    assert files_of(tmp_path / "set") == files_of(photos)


def test_a_half_made_set_of_another_plan_is_kept_until_its_maker_or_restart_comes(tmp_path: Path) -> None:
    folder = tmp_path / "set"

    def breaks(split: str, row: int, file: File) -> File:
        if row == 20:
            raise OSError("the disk was pulled out")
        return file

    with pytest.raises(DataError, match="train: train-0020 cannot be read: the disk was pulled out"):
        make_shards(changed(synthetic(), breaks), folder, shard_size=3)
    assert not folder.exists()
    with pytest.raises(DataError, match=r"half-made set of another plan \(shard_size: 3 there, 4 here\).*--restart"):
        make_shards(synthetic(), folder, shard_size=4)
    manifest = make_shards(synthetic(), folder, shard_size=4, restart=True)
    assert manifest.digest == make_shards(synthetic(), tmp_path / "whole", shard_size=4).digest
    assert files_of(folder) == files_of(tmp_path / "whole")


def test_a_maker_waits_for_another_and_takes_its_set_if_it_is_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    command = [sys.executable, str(folder.with_suffix(".py")), str(folder), "1"]
    with maker(folder) as first:
        racers = [
            subprocess.Popen([*command, size], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for size in ("3", "4")
        ]
        for racer in racers:
            assert racer.stderr is not None
            assert racer.stderr.readline() == f"another process is making {folder}: waiting for it\n"
        folder.with_suffix(".gate").touch()
        outputs = [process.communicate(timeout=60) for process in (first, *racers)]
    assert [process.returncode for process in (first, *racers)] == [0, 0, 1]
    assert outputs[0][0] == outputs[1][0]
    assert "was made already, by another process" in outputs[1][1]
    assert "exists and holds another set: remove it, or name another folder" in outputs[2][1]


def test_the_same_command_twice_is_safe(tmp_path: Path) -> None:
    first = make_shards(synthetic(), tmp_path / "set", shard_size=5)
    before = files_of(tmp_path / "set")
    assert make_shards(synthetic(), tmp_path / "set", shard_size=5) == first
    assert files_of(tmp_path / "set") == before
    with pytest.raises(DataError, match="exists and holds another set: remove it"):
        make_shards(synthetic(), tmp_path / "set", shard_size=6)
    # Somebody put another set in its place.
    make_shards(synthetic(), tmp_path / "other", shard_size=6)
    (tmp_path / "set").rename(tmp_path / "old")
    (tmp_path / "other").rename(tmp_path / "set")
    with pytest.raises(DataError, match="exists and holds another set: remove it"):
        make_shards(synthetic(), tmp_path / "set", shard_size=5)


def test_what_an_older_paribus_left_is_in_the_way_when_whole_and_dropped_when_half_made(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "manifest.json").write_text('{"format": 1}')
    with pytest.raises(DataError, match=r"set exists and is no sound set \(.*format 1 .*\): remove it"):
        make_shards(synthetic(), tmp_path / "set")
    (tmp_path / "set").rename(tmp_path / ".set.partial")
    make_shards(synthetic(), tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".set.lock", "set"]


def test_ctrl_c_ends_the_workers_and_says_how_to_go_on(tmp_path: Path) -> None:
    """Of a set that takes a minute to make."""
    command = [sys.executable, "-m", "paribus", "shards", "make", "synthetic", str(tmp_path / "set")]
    options = ["--classes", "10", "--size", "500x375", "--images", "20000", "--workers", "2"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        wait_for(tmp_path / ".set.partial")
        deadline = time.monotonic() + 60
        while len(helpers := children(process.pid)) < 2:
            assert time.monotonic() < deadline, "no workers"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; the same command goes on from here" in said
    assert "Traceback" not in said
    wait_for_end(helpers)


def test_a_worker_that_is_killed_ends_the_making_with_a_word(tmp_path: Path) -> None:
    with maker(tmp_path / "set", workers=2) as process:
        # The other child is multiprocessing's own, which clears up after the rest.
        workers = [pid for pid in children(process.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
        os.kill(workers[0], signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a worker process was killed" in said
    assert "--workers" in said


def uneven() -> Source:
    """Stripes whose first two shards are smaller than the others, because one sample claims to be huge."""
    train = synthetic().splits["train"]
    return replace(synthetic(), splits={"train": replace(train, sizes=np.where(np.arange(64) == 3, 64 << 20, 300))})


def test_a_disk_that_fills_is_an_error_and_what_is_done_is_kept(tmp_path: Path) -> None:
    """The kernel refuses to let a file grow past 16 KiB, as it would on a full disk."""
    code = """
import resource, sys
from pathlib import Path
from test_making_faults import uneven
from paribus.errors import DataError
from paribus.shards.making.shards import make_shards
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
try:
    make_shards(uneven(), Path(sys.argv[1]), shard_size=5)
except DataError as error:
    print(error)
"""
    here = Path(__file__)
    paths = {"PYTHONPATH": f"{here.parent}:{here.parent.parent}"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "set")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **paths},
    )
    assert "set was not written: [Errno 27]" in done.stdout
    assert "the same command goes on from there" in done.stdout
    assert not (tmp_path / "set").exists()
    partial = tmp_path / ".set.partial"
    assert sorted(files_of(partial / "set")) == ["train-000000.tar", "train-000001.tar"]
    assert files_of(partial / "work") == {}
    manifest = make_shards(uneven(), tmp_path / "set", shard_size=5)
    assert manifest.digest == make_shards(uneven(), tmp_path / "whole", shard_size=5).digest


def bomb(side: int) -> bytes:
    """A grey PNG of `side` x `side` black pixels in a few KB."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    packer = zlib.compressobj(9)
    # Deflate packs zeros a thousand times, so the file holds a part of its lines; readers are to refuse by the header.
    lines = packer.compress(bytes((side + 1) * 100)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def test_every_image_that_does_not_decode_is_named_and_may_then_be_kept(photo_folder: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    for path in photo_folder.rglob("*.jpg"):
        target = images / path.relative_to(photo_folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    whole = (images / "train" / "china" / "crop.00.jpg").read_bytes()
    bad = {
        "cut.jpg": whole[: len(whole) // 2],
        "empty.jpg": b"",
        "text.jpg": b"not an image\n",
        "bomb.png": bomb(60_000),
    }
    for name, data in bad.items():
        (images / "train" / "flower" / name).write_bytes(data)
    with pytest.raises(DataError, match="4 of images's images do not decode") as error:
        make_shards(image_folder(images), tmp_path / "set", shard_size=5, workers=2)
    for name in bad:
        assert f"train: flower/{name} (" in str(error.value)
    assert "begin again with --restart, or keep them with --keep-undecodable" in str(error.value)

    def read(split: str, row: int, file: File) -> File:
        raise AssertionError("all shards were done")

    source = changed(image_folder(images), read)
    manifest = make_shards(source, tmp_path / "set", shard_size=5, keep_undecodable=True)
    assert manifest.undecodable == 4
    rows = np.load(tmp_path / "set" / "train.index.npy")
    assert sorted(rows["length"][rows["height"] == 0].tolist()) == sorted(len(data) for data in bad.values())


def test_a_shard_may_hold_one_sample(tmp_path: Path) -> None:
    manifest = make_shards(synthetic(), tmp_path / "set", shard_size=1, workers=2)
    assert [shard.samples for shard in manifest.split("train").shards] == [1] * 64
