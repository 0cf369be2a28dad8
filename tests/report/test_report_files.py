"""A report's place is looked at before the work is done, and its file is never half written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paribus import run
from paribus.commands.main import main
from paribus.report.files import check_place, write_whole
from paribus.study import Study, StudyError

STUDY = """from paribus import Study
study = Study(name="wide", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0)
"""


def places(folder: Path) -> dict[Path, str]:
    """Places where no report can be written, and what is said of each."""
    (folder / "plain").write_text("a file")
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    return {
        folder: "is a folder",
        folder / "none" / "report.html": "there is no folder",
        folder / "plain" / "report.html": "there is no folder",
        folder / "pipe": "is no plain file",
        folder / ("x" * 300): "File name too long",
        folder / ("x" * 300) / "report.html": "File name too long|there is no folder",
        folder / "loop": "symbolic links|no folder",
        Path("/proc/report.html"): "cannot be written",
        Path("/dev/null/report.html"): "there is no folder",
    }


def test_a_place_that_takes_no_report_is_a_sentence(tmp_path: Path) -> None:
    for path, says in places(tmp_path).items():
        with pytest.raises(StudyError, match=says):
            check_place(path)
        if path.name != "pipe":
            with pytest.raises(StudyError, match=says.replace("is a folder", "Is a directory")):
                write_whole(path, "text")
    assert not list(tmp_path.glob(".paribus-*"))


@pytest.mark.parametrize("option", ["--html", "--markdown"])
def test_it_is_refused_before_any_ledger_is_asked(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "home"))
    study = tmp_path / "wide.py"
    study.write_text(STUDY)
    # Nothing listens there: a command that asked it first would say so.
    words = ["report", str(study), "--ledger", "http://127.0.0.1:9", option, str(tmp_path / "none" / "report")]
    assert main(words) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_report_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.md"
    write_whole(path, "before")
    path.chmod(0o640)
    write_whole(path, "after \udcff")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("after ?", 0o640)
    link = tmp_path / "link.md"
    link.symlink_to(path)
    write_whole(link, "through the link")
    assert link.is_symlink()
    assert path.read_text() == "through the link"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.md", "report.md"]


def test_a_full_disk_leaves_the_report_before_and_nothing_half_written(tmp_path: Path) -> None:
    import resource
    import signal

    path = write_whole(tmp_path / "report.md", "before")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(StudyError, match="File too large"):
            write_whole(path, "x" * (1 << 18))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_that_is_to_write_a_report_looks_at_its_place_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run(study, html=...)`, in a notebook; no cluster answers, so that training would fail otherwise."""
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    study = Study(name="wide", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0)
    with pytest.raises(StudyError, match="there is no folder"):
        run(study, html=str(tmp_path / "none" / "report.html"), ledger="http://127.0.0.1:1")
