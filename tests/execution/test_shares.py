"""How studies share a cluster: by weight, with nothing left idle, in turns where places cannot be divided."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.execution.turns.shares import limit_of, wait_s
from paribus.tracking.studies.places import Places

TURN_S = 300.0


def limits(parts: dict[str, Places]) -> dict[str, int]:
    """What each works out for itself."""
    return {key: limit_of(key, parts, TURN_S) for key in parts}


def part(alone: int = 4, wants: int = 100, share: int = 1, used_s: float = 0.0, limit: int | None = 0) -> Places:
    return Places(cluster="here", share=share, alone=alone, wants=wants, limit=limit, used_s=used_s)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([part(), part()], [2, 2]),
        ([part(share=3), part()], [3, 1]),
        # What one has no use for is the others'.
        ([part(wants=1), part()], [1, 3]),
        ([part(wants=0), part()], [0, 4]),
        ([part(share=9, wants=2), part(), part()], [2, 1, 1]),
        # Trials of two places beside trials of one.
        ([part(alone=4), part(alone=8)], [2, 4]),
        # Alone, or with less to do than there is room for.
        ([part(wants=9)], [4]),
        ([part(wants=1), part(wants=2)], [1, 2]),
        # The third place is for who had less; with the same for both, for the first by name.
        ([part(alone=3, used_s=5.0), part(alone=3, used_s=4.0)], [1, 2]),
        ([part(alone=3), part(alone=3)], [2, 1]),
        ([part(alone=1, used_s=900.0), part(alone=1), part(alone=1, used_s=1.0)], [0, 1, 0]),
    ],
)
def test_places_are_shared_by_weight_and_none_is_left_idle(parts: list[Places], expected: list[int]) -> None:
    found = limits({str(number): each for number, each in enumerate(parts)})
    assert [*found.values()] == expected


def test_a_place_that_cannot_be_divided_is_kept_for_a_turn_and_given_up_before_it_is_taken() -> None:
    holder, other = part(alone=1, limit=1, used_s=299.0), part(alone=1)
    assert limits({"a": holder, "b": other}) == {"a": 1, "b": 0}
    # So does one that had the cluster for itself.
    assert limits({"b": replace(holder, limit=None), "a": other}) == {"b": 1, "a": 0}
    assert limits({"a": replace(holder, used_s=301.0), "b": other}) == {"a": 0, "b": 0}
    assert limits({"a": replace(holder, used_s=301.0, limit=0), "b": other}) == {"a": 0, "b": 1}


def test_a_place_that_two_have_taken_at_once_is_the_firsts() -> None:
    assert limits({"a": part(alone=1, limit=1, used_s=9.0), "b": part(alone=1, limit=1)}) == {"a": 1, "b": 0}


def test_a_waiting_study_knows_for_how_long_at_the_most() -> None:
    parts = {"a": part(alone=1, limit=1, used_s=100.0), "b": part(alone=1)}
    assert wait_s("b", parts, TURN_S) == pytest.approx(200.0)
    assert wait_s("c", {**parts, "c": part(alone=1, used_s=1.0)}, TURN_S) == pytest.approx(501.0)


@pytest.mark.parametrize("places", [1, 3, 4])
@pytest.mark.parametrize("shares", [(1, 1), (2, 1), (1, 1, 1), (5, 2, 1)])
def test_over_hours_each_has_its_weight_of_the_cluster_though_drivers_know_each_other_only_by_heartbeats(
    places: int, shares: tuple[int, ...]
) -> None:
    beat_s, hours = 10.0, 12
    told = {str(number): part(alone=places, share=share) for number, share in enumerate(shares)}
    had = dict.fromkeys(told, 0.0)
    changes = 0
    for _ in range(int(hours * 3600 / beat_s)):
        for key in told:  # one after another, each with what the others wrote last
            limit = limit_of(key, told, TURN_S)
            changes += limit < (told[key].limit or 0)
            used_s = told[key].used_s + beat_s * limit / places / told[key].share
            told[key] = replace(told[key], limit=limit, used_s=used_s)
            had[key] += beat_s * limit
    total = sum(had.values())
    for share, got in zip(shares, had.values(), strict=True):
        assert got / total == pytest.approx(share / sum(shares), abs=0.02)
    assert total == pytest.approx(places * hours * 3600, rel=0.02), "places stood idle, or were given twice"
    # Every change costs what ran a restart: not more than a turn's worth of them.
    assert changes <= 2 * hours * 3600 / TURN_S
