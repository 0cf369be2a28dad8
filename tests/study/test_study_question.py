"""A study file is its own command, and its docstring its question."""

import os
import subprocess
import sys
from pathlib import Path

STUDY = '''"""Does depth help
on digits?  4 arms.

More text, which is no part of the question.
"""

from paribus import Study

study = Study(name="asked", factors={"model.depth": (16, 40)}, fixed={"budget": "1 steps"}, replicates=3)

if __name__ == "__main__":
    study.main()
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
