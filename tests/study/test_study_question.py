"""A study file is its own command, and its docstring its question."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from paribus import Study

STUDY = '''"""Does depth help
on digits?  4 arms.

More text, which is no part of the question.
"""

from paribus import Study, main

study = Study(name="asked", factors={"model.depth": (16, 40)}, fixed={"budget": "1 steps"}, replicates=3)

if __name__ == "__main__":
    main(study)
'''


def _run(tmp_path: Path, *arguments: str, text: str = STUDY) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "asked.py").write_text(text)
    environment = {**os.environ, "PARIBUS_HOME": str(tmp_path / "home")}
    command = [sys.executable, "asked.py", *arguments]
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)


def test_the_question_is_the_docstrings_first_question(tmp_path: Path) -> None:
    done = _run(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    assert "Does depth help on digits?" in " ".join(done.stdout.split())
    assert "4 arms" not in done.stdout
    assert "More text" not in done.stdout


def test_a_wrong_study_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = _run(tmp_path, "plan", text=STUDY.replace('"model.depth"', '"model.dept"'))
    assert done.returncode != 0
    assert "no recipe field 'model.dept': did you mean 'model.depth'?" in done.stderr
    assert not (tmp_path / "home").exists()


def test_what_a_study_once_did_itself_says_where_it_is_now() -> None:
    study = Study(name="wide", factors={"model.width": (1.0, 2.0)})
    with pytest.raises(AttributeError, match=r"from paribus import verdicts`, and write verdicts\(study\)"):
        study.report()
    with pytest.raises(AttributeError, match="a Study has no 'repport'"):
        study.repport()
