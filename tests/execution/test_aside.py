"""Nodes that are put aside, those that are lost, and those that are left."""

from __future__ import annotations

from typing import Any

import pytest

from paribus.execution.aside import left_out


def node(name: str, cpus: float = 2.0) -> dict[str, Any]:
    return {"NodeID": name, "Resources": {"CPU": cpus} if cpus else {}}


@pytest.mark.parametrize(
    ("living", "expected"),
    [
        ([node("ape"), node("bee")], ""),  # bee has room
        ([node("ape"), node("head", 0.0)], "no disk"),
        ([node("head", 0.0)], ""),  # ape was lost, and may come back by another id
        ([node("ape"), node("new")], ""),
        ([], ""),
    ],
)
def test_a_study_ends_only_where_nodes_that_live_are_put_aside_and_no_other_has_room(
    living: list[dict[str, Any]], expected: str
) -> None:
    assert left_out(living, {"gone": "no data", "ape": "no disk"}, [{"CPU": 1.0}]) == expected
