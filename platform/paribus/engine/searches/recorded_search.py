"""A search by the ledger alone, as it is looked at: neither its file nor its data need be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from paribus.engine.samplers.drawn import Random
from paribus.engine.schedulers import TuneScheduler
from paribus.engine.searches.population import walk_of
from paribus.engine.searches.search_preview import CurvesOf, SearchPreview, scheduled
from paribus.engine.searches.search_records import tried_of
from paribus.engine.searches.tried import Tried
from paribus.study.searches.search import Search
from paribus.study.settings import Settings
from paribus.tracking.trials.record import TrialRecord


def recorded_preview(
    search: Search,
    settings: Settings,
    records: Sequence[TrialRecord],
    curves: CurvesOf,
    home: Path,
    *,
    live: bool,
    ended_by: str = "",
) -> SearchPreview:
    """What the records of its run say of a search; `live` where a driver is at work on it.

    `ended_by` is why it ended before its planned number of settings.

    Raises:
        StudyError, SchedulerError: a scheduler that cannot be, or does not fit the search.
    """
    from paribus.shards.catalog import data_digest

    scheduler, epochs = scheduled(search)
    if isinstance(scheduler, TuneScheduler):
        scheduler = scheduler.recorded
    own = _own(search, records)
    seen = curves(list(own.values())) if own and scheduler.name != "none" else {}
    tried = [_now(each, live) for each in tried_of(own, seen, scheduler, epochs, again=False)]
    # It is asked for nothing: what its own sampler needs may not be here.
    walk = walk_of(search, epochs, Random(search.proposed, search.seed), scheduler, tried)
    if ended_by:
        walk.planned, walk.ended_by = max(own, default=-1) + 1, ended_by
    return SearchPreview(
        search=search,
        settings=settings,
        walk=walk,
        records=own,
        stale=(),
        notes=(),
        power=None,
        digest=partial(data_digest, home=home),
    )


def _own(search: Search, records: Sequence[TrialRecord]) -> Mapping[int, TrialRecord]:
    """By number, the newest where other data made another trial of one setting."""
    found: dict[int, TrialRecord] = {}
    for record in sorted(records, key=lambda each: each.started_ms):
        number = record.replicate - 1
        if number >= 0 and not search.domains.fault(record.arm.as_dict()):
            found[number] = record
    return found


def _now(each: Tried, live: bool) -> Tried:
    """A trial that has not ended, while somebody is at work: it waits at a rung, or is being trained."""
    return replace(each, state="running") if live and each.state == "interrupted" else each
