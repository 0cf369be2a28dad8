"""A study file is an ordinary Python file; one that is not usable is a sentence with its line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from paribus.study import StudyError
from paribus.study.study_file import load_study

STUDY = """
from paribus import Study, main
study = Study(name="wide", base="synthetic", factors={"model.width": LEVELS}, margin=4.0)
"""
PLAIN = STUDY.replace("LEVELS", "(0.25, 0.5)")
DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass
@dataclass(frozen=True)
class Widths:
    low: float = 0.25
    high: float = 0.5
LEVELS = (Widths().low, Widths().high)
"""


def written(folder: Path, **files: str) -> Path:
    """The files in `folder`, `/` spelt `__` and `.py` left out; `wide.py` among them."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "wide.py"


ORDINARY = {
    "a module beside it": {"wide": "from my_levels import LEVELS" + STUDY, "my_levels": "LEVELS = (0.25, 0.5)"},
    "a package beside it": {
        "wide": "from mine.levels import LEVELS" + STUDY,
        "mine__init": "",
        "mine__levels": "LEVELS = (0.25, 0.5)",
    },
    "a dataclass whose annotations are text": {"wide": DATACLASS + STUDY},
    "two names for one study": {"wide": PLAIN + "other = study"},
    "its own name for a module of Python's": {"wide": "import json\njson.dumps({})" + PLAIN, "mine": ""},
}


@pytest.mark.parametrize("files", ORDINARY.values(), ids=ORDINARY)
def test_a_study_file_is_an_ordinary_python_file(files: dict[str, str], tmp_path: Path) -> None:
    path, before = written(tmp_path, **files), (list(sys.path), set(sys.modules))
    assert load_study(str(path)).factors == {"model.width": (0.25, 0.5)}
    assert sys.path == before[0]
    mine = {
        name
        for name in set(sys.modules) - before[1]
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", ""))
    }
    assert mine == set(), "another file, with other modules beside it, may be loaded next"
    assert not list(tmp_path.glob("__pycache__/wide*"))


def test_a_file_in_a_package_imports_relatively_and_from_beside_it(tmp_path: Path) -> None:
    package = tmp_path / "outer" / "inner"
    path = written(
        package,
        wide="from .levels import LEVELS\nfrom ..top import ONE\nimport levels" + STUDY,
        levels="LEVELS = (0.25, 0.5)",
    )
    (package / "__init__.py").touch()
    (package.parent / "__init__.py").touch()
    (package.parent / "top.py").write_text("ONE = 1")
    assert load_study(str(path)).factors == {"model.width": (0.25, 0.5)}


def test_a_package_called_like_a_module_of_python_is_the_files_own(tmp_path: Path) -> None:
    package = tmp_path / "platform"
    path = written(package, wide="from .levels import LEVELS" + STUDY, levels="LEVELS = (0.25, 0.5)")
    (package / "__init__.py").touch()
    import platform

    assert load_study(str(path)).factors == {"model.width": (0.25, 0.5)}
    assert sys.modules["platform"] is platform


def test_two_files_with_modules_of_one_name_beside_them_keep_their_own(tmp_path: Path) -> None:
    for name, levels in {"first": "(0.25, 0.5)", "second": "(0.5, 1.0)"}.items():
        written(tmp_path / name, wide="from my_levels import LEVELS" + STUDY, my_levels=f"LEVELS = {levels}")
    found = [load_study(str(tmp_path / name / "wide.py")).factors["model.width"] for name in ("first", "second")]
    assert found == [(0.25, 0.5), (0.5, 1.0)]


def test_a_relative_path_from_another_folder_finds_the_modules_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "studies", **ORDINARY["a module beside it"])
    monkeypatch.chdir(tmp_path)
    assert load_study("studies/wide.py").name == "wide"
    monkeypatch.chdir("studies")
    assert load_study("wide.py").name == "wide"


FAULTS = {
    "raises": ("\n\nraise ZeroDivisionError('mine')", r"wide\.py, line 3, raised ZeroDivisionError: mine"),
    "raises without words": ("assert False", r"wide\.py, line 1, raised AssertionError"),
    "does not parse": ("study = 1\nx =", r"wide\.py, line 2: invalid syntax"),
    "has an open bracket": ("x = 1\nstudy = (\n", r"wide\.py, line 2: '\(' was never closed"),
    "too deep": ("study = " + "(" * 500, r"wide\.py.*too many nested parentheses"),
    "too deep to compile": ("study = " + "-" * 100_000 + "1", r"wide\.py"),
    "holds a zero byte": ("study = 1\0", r"wide\.py.*null bytes"),
    "exits": ("import sys\nsys.exit(0)", r"wide\.py, line 2, calls sys\.exit"),
    "quits in a module beside": ("import leaves", r"wide\.py, line 1, calls sys\.exit"),
    "does not parse in a module beside": ("import open", r"open\.py, line 1: '\[' was never closed"),
    "raises in a module beside": ("import breaks", r"wide\.py, line 1, raised KeyError: 'x'(.|\n)*breaks\.py"),
    "imports what is not there": ("import not_there_at_all", r"line 1, raised ModuleNotFoundError.*not_there_at_all"),
    "has no study": ("from paribus import Study", r"holds 0 studies: assign exactly one"),
    "has two": (PLAIN + "more = study.vary(replicates=2)", r"holds 2 studies \(study, more\)"),
    "runs it while it is read": (PLAIN + "main(study)", r"line 4: .*if __name__ == \"__main__\""),
    "has a wrong study": (PLAIN.replace("width", "widht"), r"wide\.py, line 3: .*model\.width"),
    "has a wrong claim in a module beside": ("import claims", r"wide\.py, line 1: .*claims\.py, line 1: .*no preset"),
    "recurses": ("def f():\n    f()\nf()", r"line 3, raised RecursionError"),
}


@pytest.mark.parametrize(("text", "says"), FAULTS.values(), ids=FAULTS)
def test_a_study_file_with_a_fault_is_a_sentence_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    beside = {"leaves": "raise SystemExit", "breaks": "{}['x']", "claims": "import paribus; paribus.preset('x')"}
    beside["open"] = "x = ["
    path = written(tmp_path, wide=text, **beside)
    with pytest.raises(StudyError, match=says) as raised:
        load_study(str(path))
    said = str(raised.value)
    assert "paribus/study/study_file" not in said
    assert "importlib" not in said, "the user's frames alone"
    assert len(said) < 4000


def test_what_is_no_readable_file_is_a_sentence(tmp_path: Path) -> None:
    folder, pipe, latin, loop = (tmp_path / f"{name}.py" for name in ("folder", "pipe", "latin", "loop"))
    folder.mkdir()
    os.mkfifo(pipe)
    latin.write_bytes("name = 'Größe'".encode("latin-1"))
    loop.symlink_to(loop)
    (tmp_path / "mine.py").write_text(
        "from paribus import Study\nstudy = Study(name='mine', factors={'model.width': (1.0, 2.0)})\n"
    )
    says = {
        folder: "is a folder",
        pipe: "is no plain file",
        latin: "UTF-8",
        loop: "cannot be read",
        tmp_path / f"{'x' * 300}.py": "cannot be read: File name too long",
        latin / "beneath.py": "no study file",
        tmp_path / "none.py": "there are .*mine.py",
        Path("/proc/self/mem"): "is no Python file",
    }
    for path, words in says.items():
        with pytest.raises(StudyError, match=words):
            load_study(str(path))


def test_a_file_that_may_not_be_read_is_a_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, wide=PLAIN)
    path.chmod(0)
    tmp_path.chmod(0o755)
    if os.access(path, os.R_OK):
        pytest.skip("root may read every file")
    with pytest.raises(StudyError, match=r"cannot be read: Permission denied"):
        load_study(str(path))


def test_the_command_says_it_with_exit_code_2_and_no_frame_of_ours(tmp_path: Path) -> None:
    path = written(tmp_path, wide="def levels():\n    return 1 / 0\n\nlevels()")
    done = subprocess.run(
        [sys.executable, "-m", "paribus", "plan", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"paribus: {path}, line 4, raised ZeroDivisionError: division by zero\n")
    assert "line 2, in levels" in done.stderr
    assert "commands/main.py" not in done.stderr


CAUGHT = """
from paribus import Study
try:
    Study(name="wide", factors={"model.widht": (1.0, 2.0)})
except ValueError:
    {}["a fault of the script's own"]
"""


@pytest.mark.parametrize(
    ("text", "code", "end"),
    [
        (PLAIN.replace("width", "widht"), 2, "^wide.py, line 3: no recipe field 'model.widht': did you mean [^\n]*\n$"),
        (CAUGHT, 1, r"^Traceback (.|\n)*line 6, in <module>\n(.|\n)*\nKeyError: .*\n$"),
    ],
    ids=["a wrong study", "another fault"],
)
def test_a_script_that_builds_a_wrong_study_ends_as_the_command_does(
    text: str, code: int, end: str, tmp_path: Path
) -> None:
    """`./wide.py plan` in the words of `paribus plan wide.py`; other errors, and caught ones, are Python's."""
    written(tmp_path, wide=text)
    command = [sys.executable, "wide.py", "plan"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert re.search(end, done.stderr), done.stderr
