"""Study files: short Python files that hold one study."""

import importlib.util
from dataclasses import replace
from pathlib import Path

from paribus.study import Study, StudyError
from paribus.study.study import question_of


def load_study(file: str) -> Study:
    """The study in a file, its question taken from the file's docstring.

    Raises:
        StudyError: there is no such file, or it holds no study or several.
    """
    path = Path(file)
    if not path.is_file():
        nearby = sorted(other.as_posix() for other in path.parent.glob("*.py")) if path.parent.is_dir() else []
        raise StudyError(f"no study file {file!r}" + (f": there are {', '.join(nearby)}" if nearby else ""))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise StudyError(f"{file!r} is no Python file: a study is one short Python file, such as studies/width.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [value for value in vars(module).values() if isinstance(value, Study)]
    if len(found) != 1:
        raise StudyError(f"{file!r} holds {len(found)} studies: assign exactly one Study(...) to a name")
    study = found[0]
    return study if study.question else replace(study, question=question_of(module.__doc__) or path.stem)
