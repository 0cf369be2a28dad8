"""Checkpoints on real disks: atomic, few, checked, and survived when the disk is full."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from paribus.recipe import Recipe, Seeds
from paribus.training import CheckpointError, Checkpoints, fit


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a 1 MiB tmpfs needs root's rights; the same fault is tested with a file size limit")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def file_limit() -> Iterator[None]:
    """No file of this process may grow past 256 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def state(num_kib: int) -> dict[str, torch.Tensor]:
    return {"values": torch.arange(num_kib * 256, dtype=torch.float32)}


def test_the_last_two_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load() is None
    for step in (9, 10, 100):
        checkpoints.save(step, {"step": step})
    assert [path.name.split("-")[1] for path in sorted(tmp_path.iterdir())] == ["000000000010", "000000000100"]
    assert checkpoints.load() == {"step": 100}


def test_clearing_leaves_nothing_behind(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "trial")
    checkpoints.save(1, {})
    (tmp_path / "trial" / "step-000000000002-x.99.tmp").write_bytes(b"half")
    checkpoints.clear()
    assert not (tmp_path / "trial").exists()
    checkpoints.clear()


def test_one_is_due_by_steps_or_by_time(tmp_path: Path) -> None:
    assert [step for step in range(1, 10) if Checkpoints(tmp_path, every_steps=4).due(step)] == [4, 8]
    assert not Checkpoints(tmp_path).due(1)
    assert Checkpoints(tmp_path, every_s=0.0).due(1)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rubbish"])
def test_a_damaged_file_is_passed_over_with_a_warning(damage: str, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"step": 1})
    checkpoints.save(2, {"step": 2})
    newest = max(tmp_path.iterdir())
    content = newest.read_bytes()
    flipped = bytes([content[0], content[1] ^ 1]) + content[2:]
    newest.write_bytes({"flip": flipped, "cut": content[:-100], "empty": b"", "rubbish": b"\x80" * 50}[damage])
    assert checkpoints.load() == {"step": 1}
    assert newest.name in checkpoints.warnings[0]


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path}/exploded",)

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"bomb": Bomb()})
    assert checkpoints.load() is None
    assert not (tmp_path / "exploded").exists()


def test_a_full_disk_is_an_error_that_names_folder_and_space_and_keeps_the_one_before(tiny_disk: Path) -> None:
    checkpoints = Checkpoints(tiny_disk / "trial")
    checkpoints.save(1, state(600))
    with pytest.raises(CheckpointError, match=r"into .*/disk/trial: No space left on device \(0.4 MiB free\)"):
        checkpoints.save(2, state(600))
    assert len(list((tiny_disk / "trial").iterdir())) == 1
    loaded = checkpoints.load()
    assert loaded is not None
    assert torch.equal(loaded["values"], state(600)["values"])


@pytest.mark.usefixtures("file_limit")
def test_a_file_that_may_not_grow_leaves_nothing_half_written(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(100))
    with pytest.raises(CheckpointError, match="File too large"):
        checkpoints.save(2, state(600))
    assert [path.name.split("-")[1] for path in tmp_path.iterdir()] == ["000000000001"]


@pytest.mark.usefixtures("file_limit")
def test_training_goes_on_without_room_for_checkpoints_and_says_so(
    tmp_path: Path, feed: object, tiny: Recipe, seeds: Seeds
) -> None:
    recipe = tiny.replace({"model.width": 2.0})
    result = fit(recipe, seeds, feed, checkpoint=Checkpoints(tmp_path / "trial", every_steps=6))  # type: ignore[arg-type]
    assert result.outcome == "finished"
    assert result.examples is not None
    assert len(result.warnings) == 2
    assert "cannot write a checkpoint" in result.warnings[0]
    assert str(tmp_path / "trial") in result.warnings[0]
    assert not list((tmp_path / "trial").iterdir())


def test_a_trial_shorter_than_the_interval_writes_nothing(
    tmp_path: Path, feed: object, tiny: Recipe, seeds: Seeds
) -> None:
    fit(tiny, seeds, feed, checkpoint=Checkpoints(tmp_path / "trial"))  # type: ignore[arg-type]
    assert not (tmp_path / "trial").exists()
