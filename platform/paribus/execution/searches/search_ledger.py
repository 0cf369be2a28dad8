"""A search's part of the driver's dealings with the ledger: what is kept with its run, and the trials that it cuts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.engine.searches.search_preview import SearchPreview
from paribus.engine.searches.search_records import Curves
from paribus.engine.searches.tried import is_lost
from paribus.execution.run_ledger import RunLedger, view_of
from paribus.execution.workers.failures import BEYOND_ATTEMPTS
from paribus.execution.workers.trial_spec import record_of
from paribus.report.drawing.markup import as_plain_markdown
from paribus.report.searches.search_report import RESULT_FILE, SearchReport, search_markdown
from paribus.study.plan import Step
from paribus.study.searches.search import Search
from paribus.study.searches.search_document import DESIGN, SEARCH_FILE, write_search
from paribus.study.settings import Settings
from paribus.tracking import Recorder, StudyHeader, StudyRun
from paribus.tracking.curves import curves_of
from paribus.tracking.environment import environment
from paribus.tracking.ledger import Ledger

if TYPE_CHECKING:
    from paribus.tracking.trials.record import TrialRecord

# How long the last cuts are sent for when the search ends; what is left waits on disk.
_FLUSH_S = 10.0


class SearchLedger(RunLedger):
    """One search's parent run, lease and leftovers."""

    def __init__(
        self,
        search: Search,
        uri: str,
        outbox: Path,
        home: Path,
        settings: Settings,
        design: str = DESIGN,
        share: int = 1,
    ) -> None:
        super().__init__(search.name, uri, outbox, home, settings, share)
        self.search, self.design = search, design
        self.ids: set[str] = set()
        self._preview: SearchPreview | None = None
        self._recorder: Recorder | None = None
        # How many events of the walk's order the ledger has.
        self._heard = 0

    def curves(self, records: list[TrialRecord]) -> Curves:
        """The search's metric by epoch, of each run."""
        with Ledger(self.uri) as ledger:
            return curves_of(ledger, records, self.search.metric)

    def open(self, preview: SearchPreview) -> None:
        """Take the search's lease, close orphans, and write down what is about to run.

        Raises:
            LeaseHeld: another live driver runs the search.
        """
        self._preview = preview
        self.ids = {record.trial_id for record in preview.records.values()}
        # Those to be trained again are counted when they end again.
        known = [each for each in preview.records.values() if not is_lost(each.outcome, each.failure)]
        self._done = Counter(each.outcome for each in known if each.outcome)
        self._take(trains=True)

    def keep_heard(self, order: Sequence[tuple[int, int]]) -> None:
        """Write down in which order the scheduler was told of trials, before anything follows from it: from that, and
        from no clock, another driver knows what was decided. While MLflow is away, all of it waits for its answer."""
        if len(order) == self._heard or self._trouble:
            return

        def keep(run: StudyRun) -> None:
            run.keep_heard(order, self._heard)
            self._heard = len(order)

        self._try(keep)

    def record_cut(self, step: Step, reason: str, steps_done: int) -> None:
        """Write down that a paused trial is stopped."""
        if self._recorder is None:
            self._recorder = Recorder(self.outbox, self.uri)
        # After every attempt that a worker has begun, and from where the last one was: its curve stays.
        record = record_of(step, self.name).begun(step.attempt + BEYOND_ATTEMPTS, steps_done)
        log = self._recorder.trial(record, settings=self.settings)
        log.finish("stopped", {}, replace(log.record, reason=reason))

    def publish(self, report: SearchReport) -> None:
        """Keep what was found with the search: as data, and as Markdown that a person reads in MLflow."""
        text = search_markdown(report)

        def store(run: StudyRun) -> None:
            self._describe(run)
            run.artifact(RESULT_FILE, json.dumps(report.as_dict(), indent=2).encode())
            run.describe(f"{text}\n\n{run.ways()}")

        self._try(store)

    def flush(self) -> None:
        """Send the cuts; what the server does not take waits on disk."""
        if self._recorder is not None:
            self._recorder.close(_FLUSH_S)
            self._recorder = None

    def close(self) -> None:
        """Close the connections."""
        self.flush()
        super().close()

    def _describe(self, run: StudyRun) -> None:
        if self._described:
            return
        run.artifact(SEARCH_FILE, write_search(self.search).encode())
        run.refuse_shared(sorted(self.ids))
        run.artifact("environment.json", json.dumps(environment(), indent=2).encode())
        self._described = True

    def _own_ids(self) -> Collection[str]:
        return self.ids

    def _header(self) -> StudyHeader:
        assert self._preview is not None
        search = self.search
        return StudyHeader(
            name=search.name,
            question=search.question,
            design=self.design,
            num_planned=self._preview.walk.planned,
            code=" ".join(sorted({record.code for record in self._preview.records.values()})),
            note=f"**{as_plain_markdown(search.question)}**\n\nA search over {search.trials} settings; exploratory "
            "until what it finds is confirmed",
            source=sys.argv[0],
            commit=str((environment().get("git") or {}).get("commit", "")),
            settings=self.settings,
            view=view_of(search, (path for path, _ in search.domains), by_arm=False),
        )
