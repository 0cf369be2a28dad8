"""The effects of factors over all arms of a designed study, as rows for download and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING, Any

from paribus.analysis.effects import Effect
from paribus.analysis.study_analysis import StudyAnalysis
from paribus.report.drawing.tables import markdown_table, show_p
from paribus.report.numbers import show_number, with_interval

if TYPE_CHECKING:
    from rich.table import Table

_KINDS: Mapping[str, str] = {"main": "main effect", "interaction": "interaction", "trend": "trend"}


def effect_rows(analysis: StudyAnalysis) -> list[dict[str, Any]]:
    """One row of plain values per effect; None where there is no number."""
    return [_row(effect) for effect in analysis.effects]


def _row(effect: Effect) -> dict[str, Any]:
    plain = {**asdict(effect), "metric": effect.metric.name, "unit": effect.metric.unit, "n": effect.n}
    return {name: None if isinstance(value, float) and isnan(value) else value for name, value in plain.items()}


def effect_display_rows(analysis: StudyAnalysis) -> list[dict[str, str]]:
    """The table for people: every number with its n, its interval and what it is mixed with."""
    mixed = any(effect.mixed_with for effect in analysis.effects)
    robust = any(effect.robust for effect in analysis.effects)
    return [
        {
            "effect": f"{_KINDS[effect.kind]} of {effect.name}" if effect.kind != "interaction" else effect.name,
            "size": _size(effect),
            **({"by medians": _robust(effect)} if robust else {}),
            "backgrounds": str(effect.num_backgrounds),
            "n": str(effect.n),
            "failed to train": "{} vs {} of {}".format(*effect.failed) if effect.kind == "main" else "",
            "p (Holm)": show_p(effect.p_holm),
            **({"mixed with": effect.mixed_with or "-"} if mixed else {}),
        }
        for effect in analysis.effects
    ]


def _size(effect: Effect) -> str:
    if effect.note:
        return effect.note
    unit = f"{effect.metric.unit} {effect.metric.short}".strip()
    if effect.interval is None:
        return (
            f"{show_number(effect.mean, '+.3g')} {unit}, no interval" if effect.n else "no replicate has every cell yet"
        )
    return f"{with_interval(effect.mean, effect.interval, '+.3g')} {unit}"


def _robust(effect: Effect) -> str:
    if effect.robust is None:
        return "-"
    return with_interval(effect.robust_mean, effect.robust, "+.3g")


def effects_as_markdown(analysis: StudyAnalysis) -> str:
    """The table for people in Markdown; "" for a study without effects."""
    return markdown_table(effect_display_rows(analysis))


def rich_effects(analysis: StudyAnalysis) -> Table:
    """The table for people as a rich table."""
    from rich.table import Table

    table = Table(
        title=f"{analysis.study}: effects of factors over all arms that train, "
        f"{100 * (1 - analysis.alpha):g} % intervals over training chance",
        title_justify="left",
    )
    rows = effect_display_rows(analysis)
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    return table
