"""`__all__` is the public API: every name in it is there, every room has a docstring, light rooms stay light."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import paribus

ROOT = Path(paribus.__file__).parent
ROOMS = ["paribus", *(f"paribus.{room.name}" for room in pkgutil.iter_modules([str(ROOT)]) if room.name != "__main__")]
MODULES = sorted(
    ".".join(("paribus", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
)
HEAVY = ("torch", "ray", "mlflow", "pandas", "optuna", "plotly", "sklearn", "scipy.stats", "streamlit", "pyarrow")


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_in_all_is_there(room: str) -> None:
    module = importlib.import_module(room)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(module, name)] == []


def test_the_front_door_is_small_and_known() -> None:
    assert set(paribus.__all__) == {
        "Adaptive",
        "Choice",
        "Float",
        "Int",
        "Search",
        "Tuning",
        "Claim",
        "Recipe",
        "Study",
        "main",
        "plan",
        "preset",
        "run",
        "status",
        "verdicts",
    }
    # A room that is imported would take the place of a function of its name.
    assert set(paribus.__all__).isdisjoint(room.removeprefix("paribus.") for room in ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    path = ROOT.joinpath(*module.split(".")[1:])
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert ast.get_docstring(ast.parse(source.read_text())), f"{module} has no docstring"


def test_the_source_root_is_no_package() -> None:
    assert not (ROOT.parent / "__init__.py").exists(), "it would shadow Python's own platform module"


@pytest.mark.parametrize(
    "module", ["paribus", "paribus.commands.main", "paribus.study", "paribus.recipe", "paribus.tracking"]
)
def test_what_a_plan_needs_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


TESTS = Path(__file__).resolve().parents[1]


def test_every_name_of_ours_that_tests_and_benchmarks_import_is_there() -> None:
    """Benchmarks are not run with the tests, and import inside functions, where a renamed class goes unseen."""
    missing = []
    for file in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "paribus":
                missing += [
                    f"{file.name}: {node.module}.{each.name}" for each in node.names if not _has(node, each.name)
                ]
    assert missing == []


def _has(imported: ast.ImportFrom, name: str) -> bool:
    """Whether a module is there and speaks of a name; importing them all would take a quarter of a minute."""
    path = ROOT.joinpath(*(imported.module or "").split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    inside = path / name
    return inside.is_dir() or inside.with_suffix(".py").is_file() or (file.is_file() and name in _words_of(file))


@cache
def _words_of(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", file.read_text()))
