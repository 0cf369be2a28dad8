"""What a ledger holds, a study run a line, and the one that a person means by a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from paribus.host.secrets import without_secrets
from paribus.recipe.errors import nearest
from paribus.report.progress import counted, show_ago
from paribus.report.searches.search_reading import is_search, is_tuning, kind_of
from paribus.report.views.overview import word_of
from paribus.study.designs.arms import StudyError
from paribus.study.searches.tuning import TUNING

if TYPE_CHECKING:
    from paribus.report.reading import Judgement, LedgerReader
    from paribus.tracking.studies.record import StudyRecord

# Between a study's name and its settings, in every title.
_BETWEEN = " · "
_READERS = 8
_MOST_SETTINGS = 10


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A study run at a glance. `found` says in words what came of it: its verdict counts, or a search's best; "" where
    its driver wrote nothing down by today's rule."""

    record: StudyRecord
    verdicts: Mapping[str, int]
    claim: str
    found: str

    @property
    def kind(self) -> str:
        """`study`, `search` or `tuning`."""
        return "tuning" if is_tuning(self.record) else "search" if is_search(self.record) else "study"

    @property
    def state(self) -> str:
        """One of STANDINGS."""
        return word_of(self.record)

    def cells(self, now_s: float | None = None) -> dict[str, str]:
        """What a line of the list says, by column."""
        progress = counted(self.record)
        ended = f"{progress.num_ended} of {progress.num_planned}"
        return {
            "name": without_secrets(self.record.title),
            "kind": kind_of(self.record),
            "state": self.state,
            "trials": f"{ended} ended" if progress.num_ended < progress.num_planned else ended,
            "found": without_secrets(self.found) or "-",
            "touched": show_ago(self.record.updated_ms, now_s),
        }

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for `--json`; times are of UTC."""
        record = self.record
        return {
            "name": record.name,
            "settings": without_secrets(record.settings.name),
            "digest": record.settings.digest,
            "kind": self.kind,
            "state": self.state,
            "planned": counted(record).num_planned,
            "outcomes": dict(record.counts),
            "verdicts": dict(self.verdicts),
            "claim": self.claim or None,
            "found": without_secrets(self.found),
            "question": without_secrets(record.question),
            "started": _utc(record.started_ms),
            "touched": _utc(record.updated_ms),
            "url": record.url,
        }


def listed(reader: LedgerReader, records: Sequence[StudyRecord]) -> list[Listed]:
    """Each at a glance: one small file is asked for of each that has ended, and no trial is read."""
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda record: _listed(reader, record), records))


def _listed(reader: LedgerReader, record: StudyRecord) -> Listed:
    if is_search(record):
        return Listed(record=record, verdicts={}, claim="", found=reader.best_written(record))
    judgement = reader.written(record)
    counts = judgement.counts if judgement else {}
    return Listed(
        record=record,
        verdicts=counts,
        claim=judgement.claim if judgement else "",
        found=_verdicts(judgement) if judgement else "",
    )


def _verdicts(judgement: Judgement) -> str:
    """`1 better, 2 unresolved; the claim: supported`."""
    told = ", ".join(f"{count} {word}" for word, count in judgement.counts.items())
    return "; ".join(filter(None, [told, f"claim {judgement.claim}" if judgement.claim else ""]))


def named(records: Sequence[StudyRecord], text: str, settings: str | None = None) -> StudyRecord:
    """The study run that a person means: by name, or by title as the list has it (`width · budget=2 epochs`).

    `settings` are the words that the list has, or the beginning of their digest; None: those of the study's file, or
    the only ones that there are.

    Raises:
        StudyError: there is none, or there are several; it says what there is.
    """
    name, _, more = text.partition(_BETWEEN)
    wanted = settings if settings is not None else more or None
    own = [record for record in records if record.name == name]
    if not own:
        raise StudyError(_unknown(records, name))
    if wanted is not None:
        found = [each for each in own if wanted in (each.settings.name, without_secrets(each.settings.name))]
        found = found or [each for each in own if wanted and each.settings.digest.startswith(wanted)]
    else:
        found = [each for each in own if each.settings.declared] or own
    if len(found) == 1 or (found and wanted is None and found[0].settings.declared):
        return found[0]
    raise StudyError(_which(own, name, wanted))


def _unknown(records: Sequence[StudyRecord], name: str) -> str:
    names = list(dict.fromkeys(record.name for record in records))
    if f"{name}{TUNING}" in names:
        return (
            f"the study {name!r} has no trials yet, for its arms are being tuned: `paribus studies --kind tuning "
            f"{name}` lists that"
        )
    if not names:
        return f"no study {name!r}: the ledger is empty"
    return f"the ledger has no study {name!r} (`paribus studies` lists what there is): {nearest(name, names)}"


def _which(own: Sequence[StudyRecord], name: str, wanted: str | None) -> str:
    shown = [f"{each.settings.name or 'those of its file'} ({each.settings.digest[:8]})" for each in own]
    more = f" and {len(shown) - _MOST_SETTINGS} more" if len(shown) > _MOST_SETTINGS else ""
    there = without_secrets("; ".join(shown[:_MOST_SETTINGS]) + more)
    if wanted is None:
        return f"{name!r} was run at several settings, and none is that of its file: choose by --settings: {there}"
    return f"{name!r} was not run, or more than once, at the settings {wanted!r}: there are {there}"


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
