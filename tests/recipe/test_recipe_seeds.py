"""Chance from counters. The golden numbers define every trial's identity: a change here orphans every ledger."""

import random
from itertools import product

import numpy as np
import pytest
from pydantic import ValidationError

from paribus.recipe import Seeds, key

PURPOSES = ("init", "order", "augment", "dropout")

GOLDEN_KEYS = [
    ((), 8203414616412130826),
    (("",), 4901076920429809431),
    ((0,), 323004822964316904),
    (("0",), 5396522946058089200),
    ((1, 23), 863826097944685928),
    ((12, 3), 5724312493805180191),
    (("replicate", 0, 1, "init"), 5239234499980629917),
    ((-1, "order"), 3276390126447873252),
    (("é", 1180591620717411303424), 4083555227933099728),
]
GOLDEN_SEEDS = [
    ((0, 1), (5239234499980629917, 4115078864109568566, 1155259691710873196, 1928502915090406681)),
    ((0, 2), (8103666172655736404, 8673944626407311538, 7704006733508801283, 4198033388568704582)),
    ((1, 1), (3791994253421647458, 2552723965536624655, 7869122516499577176, 571031860270349829)),
    ((2026, 5), (9176660156046549123, 2395507892921569327, 6073632471896949590, 5803846261760908322)),
]


@pytest.mark.parametrize(("parts", "number"), GOLDEN_KEYS)
def test_keys_are_for_ever(parts: tuple, number: int) -> None:
    assert key(*parts) == number


@pytest.mark.parametrize(("drawn", "seeds"), GOLDEN_SEEDS)
def test_seeds_are_for_ever(drawn: tuple[int, int], seeds: tuple[int, ...]) -> None:
    assert Seeds.draw(*drawn) == Seeds(**dict(zip(PURPOSES, seeds, strict=True)))


def test_no_two_purposes_replicates_or_studies_share_a_seed() -> None:
    drawn = [Seeds.draw(study, replicate) for study, replicate in product(range(-2, 40), range(1, 41))]
    numbers = [number for seeds in drawn for _, number in seeds]
    assert len(set(numbers)) == len(numbers) == 42 * 40 * 4


def test_seed_plus_thirty_one_epochs_does_not_alias() -> None:
    assert key(31, 0) != key(0, 1)
    assert Seeds.draw(31, 0) != Seeds.draw(0, 1)
    assert len({key(seed, epoch) for seed, epoch in product(range(100), range(100))}) == 10_000


TRICKY = [
    (),
    ("",),
    ("", ""),
    (0,),
    ("0",),
    (-1,),
    ("-1",),
    (1, 23),
    (12, 3),
    (123,),
    ("1", 23),
    (1, "23"),
    ("a", "b"),
    ("ab",),
    ("a", "b", ""),
    ("", "a", "b"),
    ("b", "a"),
    ("int:1",),
    ("str:1",),
    ("a\x00b",),
    ("a\x00", "b"),
    ("a", "\x00b"),
    ("\u00e9",),
    ("e\u0301",),  # the same letter to the eye, composed of two
    (2**63,),
    (2**64 + 2**63,),
    ("0", 0),
    (0, "0"),
]


def test_distinct_parts_give_distinct_keys() -> None:
    assert len({key(*parts) for parts in TRICKY}) == len(TRICKY)


def test_every_key_fits_63_bits_and_spreads_over_them() -> None:
    numbers = [key("spread", index) for index in range(4000)]
    assert all(0 <= number < 2**63 for number in numbers)
    for bit in range(63):
        ones = sum(number >> bit & 1 for number in numbers)
        assert abs(ones - 2000) < 5 * 1000**0.5, f"bit {bit} is 1 in {ones} of 4000"


@pytest.mark.parametrize("seven", [7, np.int64(7), np.uint8(7)], ids=lambda seven: type(seven).__name__)
def test_an_integer_counts_by_its_value(seven: int) -> None:
    assert key("x", seven) == key("x", 7)
    assert Seeds.draw(seven, 1) == Seeds.draw(7, 1)


@pytest.mark.parametrize("part", [7.0, None, (1, 2), b"7"])
def test_a_part_that_is_neither_integer_nor_text_is_refused(part: object) -> None:
    with pytest.raises(TypeError):
        key("x", part)


def test_seeds_are_frozen_and_bounded() -> None:
    seeds = Seeds.draw(0, 1)
    with pytest.raises(ValidationError, match="frozen"):
        seeds.init = 3
    for wrong in (-1, 2**63, 1.0, "1"):
        with pytest.raises(ValidationError):
            Seeds(init=wrong, order=0, augment=0, dropout=0)


def test_drawing_touches_no_global_generator() -> None:
    before = random.getstate(), np.random.get_state()[1].tobytes()
    Seeds.draw(3, 4)
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before
