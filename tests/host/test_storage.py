"""The folder that nodes share: what is refused, and that a folder is known by what is in it and not by its path."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paribus.host.home import HomeError
from paribus.host.storage import check_storage, identity, is_same, storage


def test_a_folder_is_known_by_its_identity_and_another_one_at_its_path_is_another(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "shared"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: identity(folder), range(32)))  # drivers that come at once agree
    (known,) = found
    assert len(known) == 32
    assert is_same(folder, known)
    assert [path.name for path in folder.iterdir()] == [".identity"]
    folder.rename(tmp_path / "moved")
    assert not is_same(folder, known)
    assert identity(folder) != known
    assert not is_same(folder, known)
    assert is_same(tmp_path / "moved", known)
    assert is_same(folder, "")  # nothing is known of the driver's


def test_what_cannot_be_an_identity_is_none_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".identity")
    assert identity(tmp_path) == ""
    assert not is_same(tmp_path, "0" * 32)


def test_storage_is_the_home_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARIBUS_STORAGE", raising=False)
    assert storage() == tmp_path / "home"
    check_storage()
    assert not (tmp_path / "home").exists()  # what is only looked at is not made
    monkeypatch.setenv("PARIBUS_STORAGE", str(tmp_path / "shared"))
    check_storage()
    assert storage() == tmp_path / "shared"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("s3://bucket/studies", "PARIBUS_STORAGE=s3://bucket/studies: it has to be a folder that every node has"),
        ("{}/file", "{}/file is no folder. Name one, or unset it"),
        ("{}/file/below", "{}/file is no folder. Name one, or unset it"),
        (
            "/proc/storage",
            "PARIBUS_STORAGE=/proc/storage cannot be written to (No such file or directory): name a folder of yours",
        ),
    ],
)
def test_a_storage_that_cannot_be_written_is_refused_in_words(
    named: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PARIBUS_STORAGE", named.format(tmp_path))
    with pytest.raises(HomeError) as caught:
        check_storage()
    assert said.format(tmp_path) in str(caught.value)


@pytest.mark.skipif(os.getuid() != 0, reason="mounts need root")
@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ("mount -t tmpfs -o ro none {}", "Read-only file system"),
        ("mount -t tmpfs -o size=64k none {0} && head -c 60000 /dev/zero > {0}/fills", "No space left on device"),
    ],
)
def test_one_that_was_written_once_and_takes_no_more_is_refused(mount: str, why: str, tmp_path: Path) -> None:
    identity(tmp_path)  # of an earlier study
    command = (
        f'{mount.format(tmp_path)}; exec "$0" -c "from paribus.host.storage import check_storage; check_storage()"'
    )
    said = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, sys.executable],
        env={**os.environ, "PARIBUS_STORAGE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    assert (
        f"PARIBUS_STORAGE={tmp_path} cannot be written to ({why}): name a folder of yours with some room" in said.stderr
    )
