"""A folder of a process that lives is never cleared, wherever it lives; what a killed one left always is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paribus.host.held_folder import HeldFolder, clear_abandoned

HOLD = """
import sys
from pathlib import Path
from paribus.host.held_folder import HeldFolder
print(HeldFolder(Path(sys.argv[1]), "paribus-tune-").path, flush=True)
sys.stdin.read()
"""
# A process namespace of its own, as a container has: what it calls process 1 is another one here.
ELSEWHERE = ("unshare", "--pid", "--fork", "--mount-proc")


@contextmanager
def holder(place: Path, *before: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    command = [*before, sys.executable, "-c", HOLD, str(place)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def namespaces() -> tuple[str, ...]:
    """The words that start a command in another process namespace, where this user may make one."""
    tried = subprocess.run([*ELSEWHERE, "true"], capture_output=True, check=False)
    return ELSEWHERE if tried.returncode == 0 else ()


def test_the_folder_of_a_living_process_stays_also_from_another_process_namespace(tmp_path: Path) -> None:
    with holder(tmp_path, *namespaces()) as (_, folder):
        assert folder.is_dir()
        mine = HeldFolder(tmp_path, "paribus-tune-")
        assert folder.is_dir()
        assert mine.path.is_dir()
        clear_abandoned(tmp_path, "paribus-tune-")
        assert folder.is_dir()
        assert mine.path.is_dir()
        mine.release(remove=True)
        assert not mine.path.exists()


def test_what_a_killed_process_left_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    with holder(tmp_path) as (process, folder):
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("x")
        process.kill()
        process.wait()
        HeldFolder(tmp_path, "paribus-tune-").release(remove=True)
        assert not folder.exists()


def test_a_folder_that_holds_no_lock_is_left_for_a_week_and_a_link_for_ever(tmp_path: Path) -> None:
    new, old = tmp_path / "paribus-tune-new", tmp_path / "paribus-tune-old"
    new.mkdir()
    old.mkdir()
    os.utime(old, (1e9, 1e9))
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "paribus-tune-link").symlink_to(target)
    clear_abandoned(tmp_path, "paribus-tune-")
    assert new.is_dir()
    assert not old.exists()
    assert target.is_dir()
