"""The house: no circle of files, and no folder in which nobody finds anything."""

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

import grimp
import networkx as nx
import pytest

import paribus

ROOT = Path(paribus.__file__).parent
MOST_FILES = 17


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """What runs; an import for the type checker alone is none."""
    return grimp.build_graph("paribus", exclude_type_checking_imports=True)


def test_no_files_import_one_another_in_a_circle(graph: grimp.ImportGraph) -> None:
    arrows = nx.DiGraph(
        (file, other) for file in graph.modules for other in graph.find_modules_directly_imported_by(file)
    )
    assert len(arrows) > 200
    assert [sorted(files) for files in nx.strongly_connected_components(arrows) if len(files) > 1] == []


# Which rooms may import a library that is named in a contract; all others are its sources.
MAY_IMPORT = {
    "ray": {"execution"},
    "optuna": {"engine", "analysis"},
    "torch": {"training", "data", "models", "images", "keyed_draws", "testing"},
    "datasets": {"shards", "data"},
    "mlflow": set(),
    "streamlit": set(),
}


def test_the_contracts_of_imports_leave_out_no_room_and_no_import() -> None:
    """A room that a list of sources does not name may import what it likes, and nothing says so."""
    told = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = {contract["id"]: contract for contract in told["contracts"]}
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    rooms -= {"__init__", "__main__"}
    assert len(rooms) > 20
    assert {room.strip() for layer in contracts["rooms"]["layers"] for room in layer.split("|")} == rooms
    for name, allowed in MAY_IMPORT.items():
        sources = {source.removeprefix("paribus.") for source in contracts[name]["source_modules"]}
        assert sources in (rooms - allowed, {"paribus"}), name
    assert not [contract["id"] for contract in contracts.values() if "ignore_imports" in contract]


def test_dashboards_see_paribus_through_the_room_report_alone() -> None:
    """What a page shows is decided once, for the terminal, the files and the pages alike."""
    pages = sorted((Path(__file__).parents[2] / "dashboards").rglob("*.py"))
    assert len(pages) > 5
    seen = {
        f"{page.name}: {name}"
        for page in pages
        for node in ast.walk(ast.parse(page.read_text()))
        for name in _imported(node)
        if name.partition(".")[0] == "paribus"
    }
    assert len(seen) > 10
    assert [each for each in sorted(seen) if not each.partition(": ")[2].startswith("paribus.report.")] == []


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def test_a_constant_of_the_ledger_that_one_file_alone_uses_begins_with_an_underscore() -> None:
    """As in every other room; a public one that nobody imports looks like a setting."""
    folders = (ROOT, ROOT.parents[1] / "dashboards", ROOT.parents[1] / "tests")
    trees = {path: ast.parse(path.read_text()) for folder in folders for path in folder.rglob("*.py")}
    used = set()
    for node in (node for tree in trees.values() for node in ast.walk(tree)):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            used |= {alias.name for alias in node.names}
    for path, tree in trees.items():
        if path.is_relative_to(ROOT / "tracking"):
            targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
            names = [target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()]
            assert [name for name in names if name[0] != "_" and name not in used] == [], path


def test_no_folder_is_so_full_that_nobody_finds_a_file() -> None:
    """What belongs together gets a room of its own."""
    files = [*ROOT.rglob("*.py"), *(ROOT.parents[1] / "dashboards").rglob("*.py")]
    counts = Counter(file.parent for file in files if file.name != "__init__.py")
    assert len(counts) > 30
    assert {str(folder): count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_seconds_are_put_in_words_by_one_function_alone() -> None:
    """`host.time_left.duration`, so that a page, a report and a command say of one time the same."""
    in_words = re.compile(r"/ (?:60|3600)(?:\.0)?:[^}]*\} (?:min|h)\b")
    files = [*ROOT.rglob("*.py"), *(ROOT.parents[1] / "dashboards").rglob("*.py")]
    assert in_words.search('f"about {left_s / 60:.0f} min left"')
    assert [str(file) for file in files if in_words.search(file.read_text())] == []
