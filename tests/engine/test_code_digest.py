"""A node compares its code and its libraries with the driver's, and says what differs and where."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paribus.engine.code_digest import OtherCodeError, check_node, trial_code, versions
from paribus.execution.workers.failures import classify
from paribus.recipe import Recipe

RECIPE = Recipe()


@contextmanager
def files_opened() -> Iterator[list[str]]:
    """The files that this process opens for the while."""
    opened: list[str] = []
    on = True

    def note(event: str, args: tuple[object, ...]) -> None:  # an audit hook stays for ever: it falls silent
        if on and event == "open":
            opened.append(str(args[0]))

    sys.addaudithook(note)
    try:
        yield opened
    finally:
        on = False


def test_a_node_with_the_same_code_and_libraries_may_train() -> None:
    assert versions().keys() == {"paribus", "torch"}
    assert all(versions().values())
    check_node(RECIPE, trial_code(RECIPE), versions())


def test_a_node_reads_the_versions_of_its_libraries_once_and_not_for_every_trial() -> None:
    """Installed ones are told by files that take milliseconds to read, and a process has loaded others by then."""
    check_node(RECIPE, trial_code(RECIPE), versions())
    with files_opened() as opened:
        check_node(RECIPE, trial_code(RECIPE), versions())
    assert [path for path in opened if path.endswith("METADATA")] == []


@pytest.mark.parametrize("name", ["paribus", "torch"])
def test_another_version_of_a_library_is_refused_with_both_and_the_nodes_name(name: str) -> None:
    own = versions()[name]
    with pytest.raises(OtherCodeError) as caught:
        check_node(RECIPE, trial_code(RECIPE), {**versions(), name: "0.0.1"})
    assert f"{name} {own} here, 0.0.1 there" in str(caught.value)
    assert str(caught.value).startswith(platform.node())
    assert classify(caught.value) == "node"


def test_other_code_is_refused_with_both_digests() -> None:
    with pytest.raises(OtherCodeError, match=f"code {trial_code(RECIPE)} here, 0123456789abcdef there"):
        check_node(RECIPE, "0123456789abcdef", versions())
