"""Searches walked into a real ledger by their own driver, with made values in the place of training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from paribus.engine.options import Options
from paribus.engine.searches.search_preview import make_search_preview
from paribus.execution.searches.search_driver import Driven
from paribus.execution.searches.search_ledger import SearchLedger
from paribus.execution.workers.trial_spec import outbox_of, record_of
from paribus.report.searches.search_report import search_report
from paribus.study.plan import Step
from paribus.study.searches.search import Search
from paribus.study.searches.search_document import DESIGN, TUNING_DESIGN
from paribus.study.searches.space import Levels
from paribus.study.settings import Settings, settings_of
from paribus.tracking import Recorder

# A setting's final value, or how else its trial ended.
Fate = Callable[[Levels], float | str]


@dataclass(frozen=True)
class Walker:
    """Walks searches into the ledger at `uri`, one trial at a time, by the driver's own steps."""

    uri: str
    home: Path

    def walk(self, search: Search, fate: Fate, settings: Settings | None = None, most: int = 10_000) -> list[Levels]:
        """Up to `most` steps; returns the best settings. `settings` are those of a search that tunes an arm."""
        design, settings = TUNING_DESIGN if settings else DESIGN, settings or settings_of(search)
        ledger = SearchLedger(
            search, self.uri, outbox_of(self.home, search.name, settings), self.home, settings, design
        )
        preview = make_search_preview(search, self.home, ledger.known(), ledger.curves, Options())
        preview = replace(preview, settings=settings)
        driven = Driven.of(preview, self.home, ledger)
        ledger.open(preview)
        for _ in range(most):
            step = driven.next_step()
            if not isinstance(step, Step):
                break
            self._train(driven, step, fate)
        driven.record_cuts()
        if driven.over:
            ledger.publish(search_report(preview))
        ledger.finish("FINISHED" if driven.over else "KILLED", driven.ended)
        ledger.close()
        return [each.levels for each in preview.walk.best()]

    def _train(self, driven: Driven, step: Step, fate: Fate) -> None:
        search, number = driven.preview.search, driven.number_of(step.trial.id)
        epochs = math.ceil(search.base_recipe.budget.amount)
        seen = driven.walk.tried[number].seen
        end = fate(step.trial.arm.as_dict())
        with Recorder(self.home / "worker", self.uri, flush_s=0.05) as recorder:
            record = record_of(step, search.name).begun(step.attempt, len(seen))
            log = recorder.trial(record, settings=driven.preview.settings)
            if isinstance(end, str):
                log.finish(end, {}, log.record)
                driven.finished(number, {"outcome": end}, 1.0)
                return
            for epoch in range(len(seen) + 1, (step.until or epochs) + 1):
                value = {search.metric: end * (1 - math.exp(-epoch))}
                log.metrics(value, step=epoch, epoch=epoch)
                driven.seen(number, epoch, epoch, value)
            if step.until:
                log.finish("interrupted", {}, log.record)
                driven.paused(number, step.until, 1.0)
                return
            final = {search.metric: end, "total_s": 2.0}
            log.finish("finished", final, log.record)
            driven.finished(number, {"outcome": "finished", "kept": final}, 1.0)
