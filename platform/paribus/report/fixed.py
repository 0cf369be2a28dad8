"""What all arms of a study share, for which its findings hold: a person's own choices apart from a preset's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.host.secrets import without_secrets
from paribus.report.drawing.markup import as_plain_markdown

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """Settings as `name = value`: `own` as they were written into the study; those of the `preset` by their part."""

    base: str
    own: tuple[str, ...]
    preset: Mapping[str, tuple[str, ...]]


def fixed_in(report: StudyReport) -> Fixed:
    """What is fixed in every arm of a judged study. Raises ValueError for a report that was not judged."""
    study = report.study
    chosen = study.fixed if study is not None else {}
    preset: dict[str, list[str]] = {}
    for path, value in report.judged.caveats.items():
        if not any(path == each or path.startswith(f"{each}.") for each in chosen):
            part, _, name = path.partition(".")
            preset.setdefault(part if name else "", []).append(_line(name or path, value))
    return Fixed(
        base=study.base if study is not None and isinstance(study.base, str) else "",
        own=tuple(_line(path, value) for path, value in chosen.items()),
        preset={part: tuple(lines) for part, lines in preset.items()},
    )


def fixed_line(caveats: Mapping[str, Any]) -> str:
    """All that is fixed as a line of Markdown; "" where nothing is."""
    told = ", ".join(f"`{path}` {as_plain_markdown(str(value))}" for path, value in caveats.items())
    return without_secrets(f"Fixed in every arm: {told}") if told else ""


def _line(name: str, value: Any) -> str:
    return without_secrets(f"{name} = {value}")
