"""A fact of a trial is named in one place: no other module spells a tag, or reads the tags of a run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "platform" / "paribus"
SPELLS = {"tracking/tags.py"}
# What a study's own run holds, and what is true of any run of MLflow, whoever's it is.
READS = {"tracking/trials/stored.py", "tracking/tag_values.py", "tracking/upgrade.py", "tracking/mlflow/"}
READS |= {f"tracking/studies/{name}.py" for name in ("record", "runs", "choice", "lease", "places")}
NO_TAGS = {"paribus.keys_digest"}  # in the head of a Parquet file
TAG = re.compile(r"paribus\.[a-zA-Z_]+(\.[\w.]*)?|mlflow\.(note|source|parentRunId|runName|user)[\w.]*")


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in (PACKAGE, ROOT / "dashboards"):
        for path in sorted(folder.rglob("*.py")):
            name = str(path.relative_to(PACKAGE if folder == PACKAGE else ROOT))
            yield name, ast.parse(path.read_text())


def is_module(text: str) -> bool:
    """Whether `paribus.a.b` names a module or a folder of ours, or a name in one."""
    path = PACKAGE.parent / text.rstrip(".").replace(".", "/")
    return any(each.exists() or each.with_suffix(".py").exists() for each in (path, path.parent) if each != PACKAGE)


def spelled(tree: ast.Module) -> list[str]:
    """The texts of a module that are tags; what it says of itself is none."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    ]
    return [
        text
        for text in texts
        if TAG.fullmatch(text) and text not in NO_TAGS and text.rstrip(".") != "paribus" and not is_module(text)
    ]


def reads(tree: ast.Module) -> list[int]:
    """The lines that take something out of an attribute `tags`: `.tags[...]`, `.tags.get(...)`, `in x.tags`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            taken: list[ast.expr] = [node.value]
        elif isinstance(node, ast.Attribute) and node.attr in ("get", "items", "keys", "values"):
            taken = [node.value]
        elif isinstance(node, ast.Compare):
            taken = node.comparators
        else:
            continue
        found += [each.lineno for each in taken if isinstance(each, ast.Attribute) and each.attr == "tags"]
    return found


def test_a_tag_is_spelled_in_one_file_alone() -> None:
    found = {name: spelled(tree) for name, tree in sources() if name not in SPELLS}
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_tags_are_read_where_a_record_is_made_of_them_and_nowhere_else() -> None:
    found = {name: reads(tree) for name, tree in sources() if not any(name.startswith(place) for place in READS)}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_the_names_of_tags_stay_in_the_room_that_keeps_the_ledger() -> None:
    for name, tree in sources():
        if name.startswith("tracking/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                assert "paribus.tracking.tags" not in names, f"{name}:{node.lineno} imports the names of tags"


def test_what_is_looked_for_is_seen() -> None:
    """So that the tests above cannot pass by looking past it."""
    seen = ast.parse('"""paribus.doc"""\nx.tags.get("paribus.code")\ny = r.tags["paribus.stream_hash"]\n"a" in r.tags')
    assert spelled(seen) == ["paribus.code", "paribus.stream_hash"]
    assert sorted(reads(seen)) == [2, 3, 4]
    assert is_module("paribus.tracking.ledger")
    assert is_module("paribus.tracking.ledger.Ledger")
    assert not is_module("paribus.code")
