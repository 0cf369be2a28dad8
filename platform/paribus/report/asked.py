"""Which trials of a study with planned looks are asked for by now: those of looks to come may never be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.errors import DataError
from paribus.recipe import RecipeError
from paribus.report.study_report import TrialRow
from paribus.study import Study

if TYPE_CHECKING:
    from paribus.study.words import Arm


def asked_for(study: Study, rows: tuple[TrialRow, ...], asked: Mapping[Arm, int]) -> tuple[TrialRow, ...]:
    """The trials that are begun, or `asked` for by now: those of looks to come may never be."""
    if study.adaptive is None:
        return rows
    return tuple(row for row in rows if row.record or row.replicate <= asked.get(row.arm, 0))


def asked_now(study: Study, rows: Sequence[TrialRow], home: Path) -> Mapping[Arm, int]:
    """The replicates of each arm that planned looks ask for by now; {} without any."""
    if study.adaptive is None:
        return {}
    from paribus.analysis.stages import asked_by_looks
    from paribus.engine.preview import num_eval_of

    num_eval = None  # where the data are not here, looks round to nothing
    with suppress(DataError, RecipeError):
        num_eval = min(num_eval_of(study, home))
    return asked_by_looks(study, [row.record.result() for row in rows if row.record and row.record.outcome], num_eval)
