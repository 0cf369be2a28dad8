"""Is a page what its runs make? They are judged again by the same code, and all that is shown is compared with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paribus.report.page.made import Draw, plain
from paribus.report.page.sheet import FORMAT, PageError, Sheet, document_in, maker, seal_in, seal_of, sealed
from paribus.report.page.units import Unit, num_numbers, pairs_that_differ, units_of
from paribus.report.study_report import RULE

PROVEN, ALTERED, UNPROVABLE = 0, 1, 2
_MOST_TOLD = 12
# Of a number and the same one from another processor or library: the last digits differ.
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12
# A mean that lies between two printed digits goes to either with such a difference in what it is made of.
_NUDGES: Final = (1 + 1e-12, 1 - 1e-12)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What came out. `code` is 0 where all is proven, 1 where something is altered, 2 where nothing can be said.

    `facts` say what was compared, `faults` what differs and where.
    """

    code: int
    facts: tuple[str, ...]
    faults: tuple[str, ...] = ()


def verify_page(page: str, kinds: Mapping[str, Draw]) -> tuple[Verification, dict[str, Any]]:
    """Judge a page's own runs again and compare; with it the page's data. `kinds` draw each kind of page.

    Raises:
        PageError: it bears no data, or those of another format or rule.
    """
    document = document_in(page)
    made = document["made"]
    by = _check_made(made, kinds)
    told = document.get("verdicts")
    try:
        sheet = kinds[made["kind"]](document, 1.0)
        again = sealed(sheet, document)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        fault = f"its runs cannot be judged any more: {error or type(error).__name__}"
        return Verification(code=ALTERED, facts=(by,), faults=(*_seal_fault(page), fault)), document
    numbers = [*_differences(told, plain(sheet.verdicts), "")]
    faults = [*_seal_fault(page), *numbers]
    other = made["maker"] != maker()
    if page != again and not (other and not faults):
        faults += _shown_otherwise(page, again, document, kinds[made["kind"]])
    facts = (by, *_facts(again, sheet))
    if other and page != again and not faults:
        raise PageError(
            f"{by}, and this is other code ({maker()}), which would draw it otherwise. Its verdicts follow from its "
            "runs to 1e-9; whether it shows them, only the code that made it can tell"
        )
    return Verification(code=ALTERED if faults else PROVEN, facts=facts, faults=tuple(faults)), document


def _check_made(made: Mapping[str, Any], kinds: Mapping[str, Draw]) -> str:
    """By what the page was made, in words. Raises PageError where this release cannot judge alike."""
    try:
        by = f"made on {made['on']} by Paribus {made['version']} (rule {made['rule']}, code {made['maker']})"
        form, rule, kind = made["format"], made["rule"], made["kind"]
    except (KeyError, TypeError):
        raise PageError("it does not say by what it was made") from None
    if form != FORMAT or kind not in kinds:
        raise PageError(f"{by}, in a form that this release cannot read ({kind}, format {form})")
    if rule != RULE:
        raise PageError(f"{by}; this release judges by rule {RULE}, and other verdicts would prove nothing")
    return by


def _facts(again: str, sheet: Sheet) -> tuple[str, ...]:
    units = units_of(again)
    texts = sum(unit.is_text for unit in units)
    verdicts = len([*_numbers(plain(sheet.verdicts))])
    return (
        f"judged again from its own runs: {num_numbers(units):,} numbers in {texts:,} texts and "
        f"{len(units) - texts:,} marks that it shows, {verdicts:,} numbers of its verdicts to 1e-9",
    )


def _seal_fault(page: str) -> list[str]:
    borne = seal_in(page)
    if not borne:
        return ["its seal is gone"]
    return [] if seal_of(page) == borne else ["its seal is broken: something in it was altered after it was made"]


def _shown_otherwise(page: str, again: str, document: Mapping[str, Any], draw: Draw) -> list[str]:
    """Where the page shows something else than its runs give, but for digits that a last bit decides."""
    page, again = _unsealed(page), _unsealed(again)
    if page == again:
        return []
    shown, expected = units_of(page), units_of(again)
    differing = pairs_that_differ(shown, expected)
    if not differing:
        return ["its source differs from what its runs make, and shows the same"]
    nudged = [units_of(_unsealed(sealed(draw(document, scale), document))) for scale in _NUDGES]
    if all(len(units) == len(shown) for units in (expected, *nudged)):
        places = zip(shown, expected, *nudged, strict=True)
        differing = [(one, other) for one, other, *near in places if one.text not in {other.text, *_texts(near)}]
    told = [_difference(one, other) for one, other in differing]
    more = [f"and {len(told) - _MOST_TOLD} more differences"] if len(told) > _MOST_TOLD else []
    return [*told[:_MOST_TOLD], *more]


def _texts(units: Sequence[Unit]) -> list[str]:
    return [unit.text for unit in units]


def _unsealed(page: str) -> str:
    return page.replace(seal_in(page), "") if seal_in(page) else page


def _difference(one: Unit | None, other: Unit | None) -> str:
    where = (one or other or Unit("", "", is_text=True)).where
    says = f"shows {_short(one.text)}" if one else "shows nothing"
    gives = f"its runs give {_short(other.text)}" if other else "its runs give nothing there"
    return f"{where}: the page {says}, {gives}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 120 else f"{text[:117]}...")


def _differences(told: Any, found: Any, path: str) -> Iterator[str]:
    """Where the verdicts in the page are not those that its runs give, numbers to 1e-9."""
    if isinstance(told, dict) and isinstance(found, dict):
        for key in {**found, **told}:
            yield from _differences(told.get(key), found.get(key), f"{path}.{key}" if path else key)
    elif isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        for place, (one, other) in enumerate(zip(told, found, strict=True)):
            yield from _differences(one, other, f"{path}[{place}]")
    elif not _agree(told, found):
        yield f"the verdicts in its data, {path}: {_short(str(told))}, and its runs give {_short(str(found))}"


def _agree(told: Any, found: Any) -> bool:
    numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in (told, found))
    if numbers:
        return math.isclose(told, found, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    return type(told) is type(found) and bool(told == found)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, (list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _numbers(each)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value
