"""Contrasts in the order and the groups in which a person asks to see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from paribus.analysis.verdicts import VERDICTS

if TYPE_CHECKING:
    from paribus.analysis.contrasts import Contrast

# The best first, then what is settled, then what is open.
_BY_VERDICT: Final = ("better", "better (stabler)", "equivalent", "equivalent, with a small difference")
ORDERS: Final[Mapping[str, str]] = {
    "study": "as in the study",
    "effect": "best effect first",
    "verdict": "by verdict",
    "arm": "by name",
}
_KEYS: Final[Mapping[str, Callable[[Contrast], Any]]] = {
    "study": lambda contrast: 0,
    "effect": lambda contrast: -contrast.metric.sign * contrast.mean if contrast.n else float("inf"),
    "verdict": lambda contrast: _place_of(contrast.verdict or ""),
    "arm": lambda contrast: contrast.arm.name,
}


def groupings(contrasts: Sequence[Contrast]) -> dict[str, str]:
    """By what they may be put together, with words: nothing, the baseline, a factor in which arms differ."""
    paths: dict[str, set[object]] = {}
    for contrast in contrasts:
        for path, level in contrast.arm.levels:
            paths.setdefault(path, set()).add(level)
    found = {"": "no groups"}
    if len({contrast.baseline for contrast in contrasts}) > 1:
        found["baseline"] = "by baseline"
    return found | {path: f"by {path.rpartition('.')[2]}" for path, levels in paths.items() if len(levels) > 1}


def arranged(contrasts: Sequence[Contrast], order: str, group: str = "") -> tuple[list[Contrast], dict[int, str]]:
    """The contrasts in one of ORDERS, groups together as `groupings` has them; and each group's title by its place.

    Groups come in the order of their first contrast in the study.
    """
    titles = [_title(contrast, group) for contrast in contrasts]
    places = {title: place for place, title in enumerate(dict.fromkeys(titles))}
    paired = sorted(zip(contrasts, titles, strict=True), key=lambda pair: (places[pair[1]], _KEYS[order](pair[0])))
    heads: dict[int, str] = {}
    for place, (_, title) in enumerate(paired):
        if title and title not in heads.values():
            heads[place] = title
    return [contrast for contrast, _ in paired], heads


def _title(contrast: Contrast, group: str) -> str:
    if group == "baseline":
        return f"against {contrast.baseline.name}"
    levels = dict(contrast.arm.levels)
    return f"{group.rpartition('.')[2]} = {levels.get(group, 'as in the base')}" if group else ""


def _place_of(verdict: str) -> int:
    words = [*_BY_VERDICT, *(word for word in VERDICTS if word not in (*_BY_VERDICT, "unresolved", "no data"))]
    return words.index(verdict) if verdict in words else len(words) + (verdict == "no data")
