"""Fields that join a recipe later, and those without bearing: what a trial's identity makes of them."""

from pydantic import BaseModel

from paribus.recipe.identity import canonical_json, result_bearing
from paribus.recipe.part import Part, added, bookkeeping


class _Inner(Part):
    rate: float = 0.5


class _Before(Part):
    width: float = 1.0
    place: str = bookkeeping("here")


class _After(_Before):
    activation: str = added("relu")
    inner: _Inner = added(_Inner())


def _name(part: BaseModel) -> str:
    return canonical_json(result_bearing(part))


def test_a_field_that_was_added_changes_no_identity_at_its_neutral_value() -> None:
    assert _name(_After()) == _name(_After(activation="relu", inner=_Inner(rate=0.5))) == _name(_Before())


def test_a_field_that_was_added_is_told_apart_at_every_other_value() -> None:
    names = {_name(part) for part in (_After(), _After(activation="gelu"), _After(inner=_Inner(rate=0.25)))}
    assert len(names) == 3


def test_a_field_of_the_first_release_is_always_told() -> None:
    assert _name(_Before()) == '{"width":1.0}'
