"""`paribus init` where it cannot do what it is asked, in-process; what it writes is tested from the wheel."""

import os
from pathlib import Path

import pytest

from paribus.commands.main import main
from paribus.host import home as host_home


def test_a_study_that_is_there_stays_and_its_folder_becomes_a_project_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a clone of somebody's project, which git brings without its `.paribus`."""
    (tmp_path / "mine.py").symlink_to(tmp_path / "nowhere.py")
    assert main(["init", str(tmp_path)]) == 2
    assert "stays as it is" in capsys.readouterr().err
    assert not (tmp_path / "nowhere.py").exists()
    assert host_home.is_project(tmp_path)
    assert (tmp_path / ".paribus" / ".gitignore").read_text() == "*\n"


def test_a_file_in_the_folders_place_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["init", str(tmp_path / "taken")]) == 1
    assert "taken" in capsys.readouterr().err


def test_a_project_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".paribus").mkdir()
    other = os.getuid() + 1
    monkeypatch.setattr(host_home.os, "getuid", lambda: other)
    assert main(["init", str(tmp_path)]) == 2
    assert "belongs to another user" in capsys.readouterr().err
    assert not (tmp_path / "mine.py").exists()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_study_can_be_run_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        assert main(["init", str(tmp_path / "new" / "folder")]) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "new" / "folder" / "mine.py").stat().st_mode & 0o777 == 0o755
