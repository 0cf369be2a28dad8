"""The house: no circle of files, and no folder in which nobody finds anything."""

from pathlib import Path

import grimp
import networkx as nx
import pytest

import paribus

ROOT = Path(paribus.__file__).parent


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
