"""Study files: ordinary Python files that hold one study."""

from __future__ import annotations

import importlib.util
import re
import stat
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import CodeType, ModuleType

from pydantic import ValidationError

from paribus.host.plain_files import open_plain
from paribus.plugins import has_own, stand_beside
from paribus.recipe import Recipe
from paribus.recipe.errors import readable
from paribus.study import Study, StudyError, where
from paribus.study.document import read_study
from paribus.study.searches.search import Search
from paribus.study.searches.search_checks import CONFIRMED
from paribus.study.words import printable, question_of

# Set while a command reads a study file: the command runs the study, the file must not.
READING: ContextVar[bool] = ContextVar("READING", default=False)
_NAMED = 10
# How a file that holds a study builds it.
_BUILDS = re.compile(rb"\b(?:Study|Search)\s*\(")
_MOST_BYTES = 1 << 20
# What the ledger keeps with a study: enough to judge it where its file, or those of its components, are not.
_DOCUMENT = ".json"


def load_study(file: str) -> Study | Search:
    """The study or search in a file, its question taken from the file's docstring; or in a ledger's `study.json`.

    The file is run as `python FILE` runs it, with the modules beside it, and in a package with relative imports too;
    what it imported from there is forgotten afterwards, since a study is data and another file may come next.

    Raises:
        StudyError: no such file, one that cannot be read or parsed, that raises or exits, or that holds no study or
            several; it says the line, and shows the frames of the user's own files alone.
    """
    path = Path(file)
    _check_place(file, path)
    if path.suffix == _DOCUMENT:
        stand_beside()
        return read_study(_bytes(file, path))
    code = _compiled(file, path)
    stand_beside()
    with _module(path) as module, _told(file, path):
        exec(code, module.__dict__)  # a study file is Python, run by the person who named it
    names: dict[int, str] = {}
    for name, value in vars(module).items():
        if isinstance(value, (Study, Search)):
            names.setdefault(id(value), name)
    if len(names) != 1:
        shown = f" ({', '.join(names.values())})" if names else ""
        raise StudyError(
            f"{file!r} holds {len(names)} studies{shown}: assign exactly one Study(...) or Search(...) to a name"
        )
    study: Study | Search = vars(module)[next(iter(names.values()))]
    stand_beside(*places_of(path)[:2])
    if not any(map(has_own, _recipes(study))):
        stand_beside()
    return study if study.question else replace(study, question=question_of(module.__doc__) or printable(path.stem))


def load_only_study(file: str) -> Study:
    """`load_study` of a file that holds no search. Raises StudyError where it does."""
    found = load_study(file)
    if isinstance(found, Search):
        raise StudyError(
            f"{file!r} holds a search, and this is about a study: what a search confirms is the study "
            f"{found.name}{CONFIRMED}, whose study.json the ledger keeps"
        )
    return found


def _recipes(study: Study | Search) -> list[Recipe]:
    """Every recipe in which a component of the study can stand."""
    if isinstance(study, Study):
        return [study.recipe_of(arm) for arm in study.arms]
    return list(study.examples)


def _check_place(file: str, path: Path) -> None:
    """StudyError unless a plain file of Python lies there."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        near = _nearby(path.parent, path.stem)
        if not near and path.parent == Path():
            near = _nearby(Path("studies"), path.stem)
        raise StudyError(f"no study file {file!r}{near}") from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{file!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_ISDIR(mode):
        there = _nearby(path) or ", and none lies in it"
        raise StudyError(f"{file!r} is a folder: name one study file{there}")
    if not stat.S_ISREG(mode):
        raise StudyError(f"{file!r} is no plain file: a study is one short Python file, such as studies/width.py")
    if path.suffix not in (".py", _DOCUMENT):
        raise StudyError(f"{file!r} is no Python file: a study is one short Python file, such as studies/width.py")


def _nearby(folder: Path, wrong: str = "") -> str:
    """The studies that lie in the folder, those first whose name is near `wrong`; nothing that holds none."""
    files = sorted(path for path in folder.glob("*.py") if builds_one(path)) if folder.is_dir() else []
    by_name = {path.stem: path.as_posix() for path in files}
    if close := get_close_matches(wrong, by_name, n=1, cutoff=0.6):
        return f": did you mean {by_name[close[0]]}?"
    names = list(by_name.values())
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f": there are {', '.join(names[:_NAMED])}{more}" if names else ""


def builds_one(path: Path) -> bool:
    """Whether a file builds a study or a search, by its text: other files beside it are none to run or to name."""
    with suppress(OSError), open_plain(path) as file:
        return _BUILDS.search(file.read(_MOST_BYTES)) is not None
    return False


def _compiled(file: str, path: Path) -> CodeType:
    source = _bytes(file, path)
    try:
        return compile(importlib.util.decode_source(source), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise StudyError(_unparsed(file, error)) from None
    except UnicodeDecodeError as error:
        raise StudyError(f"{file} is not {error.encoding} ({error.reason}): save it as UTF-8") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise StudyError(f"{file} does not parse: {error or 'it is nested too deeply'}") from None


def _bytes(file: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(f"{file!r} cannot be read: {error.strerror or error}") from None


def _unparsed(file: str, error: SyntaxError) -> str:
    if error.lineno is None:  # not of its words but of its bytes
        return f"{file} does not parse: {error.msg}; save it as UTF-8 text"
    return f"{error.filename or file}, line {error.lineno}: {error.msg}"


def places_of(path: Path) -> tuple[Path, Path, str]:
    """The folder of a study file, the one in which its package lies, and the package's name with a dot at its end."""
    folder = path.resolve().parent
    root, package = folder, ""
    while root != root.parent and (root / "__init__.py").is_file():
        root, package = root.parent, f"{root.name}.{package}"
    return folder, root, package


@contextmanager
def _module(path: Path) -> Iterator[ModuleType]:
    """An empty module for the file, which finds what lies beside it; afterwards imports are as they were."""
    folder, root, package = places_of(path)
    # Never the name of a module that somebody imports: a study called json.py must not take Python's place.
    name = f"{package}_study_{path.stem.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "the name ends in .py"
    module = importlib.util.module_from_spec(spec)
    before, places = dict(sys.modules), list(sys.path)
    if top := package.partition(".")[0]:
        for other in [known for known in before if known == top or known.startswith(f"{top}.")]:
            del sys.modules[other]
    # Dataclasses look their own module up by its name.
    sys.modules[name] = module
    sys.path[:0] = list(dict.fromkeys([str(folder), str(root)]))
    try:
        yield module
    finally:
        sys.path[:] = places
        _forget(before, root)


def _forget(before: dict[str, ModuleType], root: Path) -> None:
    """Drop from Python's table what was imported from under `root`, and put back what it replaced."""
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
        if before.get(name) is not module and origin and Path(origin).resolve().is_relative_to(root):
            del sys.modules[name]
    for name, module in before.items():
        sys.modules.setdefault(name, module)


@contextmanager
def _told(file: str, path: Path) -> Iterator[None]:
    """What the block raises, as a StudyError with the line of the study file."""
    reading = READING.set(True)
    try:
        yield
    except SystemExit as error:
        met = where.frames(error, str(path))
        raise StudyError(
            f"{where.place(file, met)}, calls sys.exit({error.code!r}) while it is read: a study file only builds its "
            'study; what it does besides goes below `if __name__ == "__main__":`'
        ) from None
    except SyntaxError as error:  # of a module beside it
        raise StudyError(_unparsed(file, error)) from None
    except Exception as error:
        if type(error).__module__.startswith("paribus."):
            raise StudyError(where.sentence(error, file, str(path))) from None
        met = where.frames(error, str(path))
        if isinstance(error, ValidationError):  # of a part of a recipe that the file builds itself
            raise StudyError(f"{where.place(file, met)}: {error.title}: {readable(error)}") from None
        what = "".join(traceback.format_exception_only(error)).strip().removesuffix(":")
        shown = "".join(met.format()).rstrip()
        raise StudyError(f"{where.place(file, met)}, raised {what}\n{shown}") from None
    finally:
        READING.reset(reading)
