"""The driver of a search: from what is known to its end, and from there to the study that confirms it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.searches.search_preview import SearchPreview, make_search_preview
from paribus.engine.searches.tried import Go
from paribus.engine.searches.walk import Walk
from paribus.engine.variables import DRAIN_S, seconds
from paribus.execution.driver import drive
from paribus.execution.own_ray import guard
from paribus.execution.searches.search_ledger import SearchLedger
from paribus.execution.workers.trial_spec import Context, context_of, outbox_of
from paribus.host.home import home
from paribus.host.say import say, warn
from paribus.host.storage import storage
from paribus.report.searches.search_report import search_report
from paribus.report.searches.search_texts import found_text, search_plan_text, stale_search_text
from paribus.study.designs.arms import StudyError
from paribus.study.plan import Step, Trial
from paribus.study.searches.population import Lineage
from paribus.study.searches.search import Search
from paribus.study.searches.search_document import DESIGN, TUNING_DESIGN
from paribus.study.settings import Settings, settings_of
from paribus.tracking.errors import LedgerUnreachable


def drive_search(search: Search, options: Options, uri: str, settings: Settings | None = None) -> int:
    """Walk on from what the ledger knows, then confirm what was found; `settings` are those of a search in a study.

    Returns the exit code: 0 if it came to its end, 1 if nothing was found, a trial of the confirmation failed or the
    ledger does not have all of it, 3 if results of other code are in the way.

    Raises:
        KeyboardInterrupt: it was stopped; the text says how far it is and how to go on.
        LeaseHeld: another live driver runs the search.
        LedgerUnreachable: MLflow does not answer, and what the search knows is there.
        ClusterError: there is no cluster, or a trial asks for more than it has.
        StudyError, SchedulerError: a sampler or scheduler that cannot be, or settings that never fit each other.
    """
    guard(joins=bool(options.stack))  # a scheduler of Tune's own loads Ray
    design = TUNING_DESIGN if settings else DESIGN
    folder, settings = home(), settings or settings_of(search, options.declared)
    ledger = SearchLedger(
        search, uri, outbox_of(storage(), search.name, settings), folder, settings, design, share=options.share
    )
    try:
        records = ledger.known()
        if records is None:
            raise LedgerUnreachable(
                f"MLflow at {uri} does not answer, and what the search has tried is there: start it (paribus up), and "
                "the same command goes on"
            )
        preview = replace(make_search_preview(search, folder, records, ledger.curves, options), settings=settings)
        say(search_plan_text(preview))
        if preview.stale:
            warn(f"\n{stale_search_text(preview)}")
            return 3
        code = _drive(preview, options, folder, ledger)
    finally:
        ledger.close()
    best = preview.walk.best()
    if code or not search.confirm or not best:
        return code if best else 1
    study = search.confirmation([each.levels for each in best])
    say(f"\nconfirming the best {len(best)} on {search.confirm} fresh replicates and the evaluation split")
    return drive(study, options.of_confirmation(), uri)


def _drive(preview: SearchPreview, options: Options, folder: Path, ledger: SearchLedger) -> int:
    """Train and tell."""
    driven = Driven.of(preview, folder, ledger)

    def work() -> int | None:
        ledger.open(preview)
        driven.tidy()
        _train(driven, options)
        if driven.trouble is not None:
            raise driven.trouble
        return _conclude(driven) if driven.over else None

    def where() -> str:
        counts = preview.counts()
        left = sum(counts.get(state, 0) for state in ("running", "paused", "interrupted", "to come"))
        return f"with {left} trials to go" if left else "before its end"

    return ledger.to_its_end(work, driven.ended, where)


def _train(driven: Driven, options: Options) -> None:
    """Hand out trials until the walk is over."""
    search = driven.preview.search
    first = driven.next_step()
    if first == "over" or first is None:
        return
    from paribus.execution.executor import cluster_for, execute_proposed

    with cluster_for(search.examples, options.cpus, options.stack) as where:
        # It loads Ray, which has to learn before how the cluster is guarded.
        from paribus.execution.searches.search_progress import SearchProgress

        waiting: list[Step] = [first]
        say(f"\nsearching on {where}; MLflow: {driven.ledger.uri}")

        def next_step() -> Step | Literal["over"] | None:
            return waiting.pop() if waiting else driven.next_step()

        left = partial(_left, driven)
        execute_proposed(next_step, left, first, driven.context, [SearchProgress(driven)], driven.ledger)


def _left(driven: Driven) -> int:
    """Trials that are to be handed out yet, as far as that is known: a scheduler may end some before."""
    running = sum(each.state == "running" for each in driven.walk.tried.values())
    return max(0, driven.walk.planned - driven.walk.num_ended - running)


def _conclude(driven: Driven) -> int:
    """Send what is left, say what was found, and keep it; 1 if the ledger does not have all of it."""
    ledger, preview = driven.ledger, driven.preview
    ledger.drain(seconds(*DRAIN_S))
    driven.record_cuts()
    lacking, missing = ledger.drain(seconds(*DRAIN_S)), ledger.missing(driven.ended)
    report = search_report(preview)
    say()
    say(found_text(report))
    ledger.publish(report)
    failures = sum(each.state == "failed" and each.is_lost for each in preview.walk.tried.values())
    is_whole = not lacking and missing is not None and not missing
    ledger.finish("FINISHED" if is_whole and report.best else "FAILED", driven.ended)
    if failures:
        warn(f"\n{failures} trials have no result; the same command tries them again")
    if not is_whole:
        num = "what it has is not known" if missing is None else f"{len(missing)} results are not in it"
        told = "".join(f"\n  {text}" for text in lacking)
        warn(f"\nthe ledger at {ledger.uri} does not have all of it: {num}.{told}\nThe same command sends the rest")
        return 1
    return 0 if report.best else 1


@dataclass(kw_only=True)
class Driven:
    """A walk under way: its steps as workers take them, and what they report as the walk is told it.

    `ended` has the outcome of each trial that ended in this run, by trial id.
    """

    preview: SearchPreview
    context: Context
    ledger: SearchLedger
    ended: dict[str, str] = field(default_factory=dict)
    over: bool = False
    trouble: StudyError | None = None
    _cuts: list[tuple[Step, str, int]] = field(default_factory=list)
    _trials: dict[int, Trial] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _attempts: dict[int, int] = field(default_factory=dict)
    _steps_done: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, preview: SearchPreview, folder: Path, ledger: SearchLedger) -> Driven:
        """Before anything is trained."""
        context = context_of(preview.search.name, folder, ledger.uri, preview.settings)
        driven = cls(preview=preview, context=context, ledger=ledger)
        driven._attempts = {number: max(record.attempts, default=0) for number, record in preview.records.items()}
        driven._steps_done = {number: record.step for number, record in preview.records.items()}
        return driven

    @property
    def walk(self) -> Walk:
        """What is known."""
        return self.preview.walk

    def next_step(self) -> Step | Literal["over"] | None:
        """What a worker is to train now; None where it has to wait."""
        found: Go | Literal["over"] | None = None
        with self._minding():
            found = self.walk.next()
            if found == "over":
                self.tidy()  # a budget or a space may have ended just now
            self.ledger.keep_heard(self.walk.order)
        if self.trouble is not None:
            return "over"
        self.over = found == "over"
        return self._step(found) if isinstance(found, Go) else found

    def number_of(self, trial_id: str) -> int:
        """The number of a trial that was handed out."""
        return self._numbers[trial_id]

    def seen(self, number: int, epoch: int, steps: int, metrics: Mapping[str, float]) -> None:
        """A trial reports an epoch."""
        self._steps_done[number] = steps
        if (value := metrics.get(self.preview.search.metric)) is not None:
            self.walk.seen(number, epoch, value)

    def paused(self, number: int, epoch: int, spent_s: float) -> list[int]:
        """A trial waits at a rung. Returns those that are cut now."""
        cut: list[int] = []
        with self._minding():
            self.walk.paused(number, epoch, spent_s)
            cut = self.tidy()
        return cut

    def finished(self, number: int, result: Mapping[str, Any], spent_s: float) -> list[int]:
        """A trial ended. Returns those that are cut now."""
        outcome = result["outcome"]
        self.ended[self._trials[number].id] = outcome
        kept = dict(result.get("kept", ()))
        reason, failure = str(result.get("reason") or ""), result.get("failure")
        cut: list[int] = []
        with self._minding():
            self.walk.ended(number, outcome, kept, seconds=spent_s, reason=reason, failure=failure)
            cut = self.tidy()
        return cut

    def lost(self, number: int, reason: str) -> list[int]:
        """Ray gave a trial up. Returns those that are cut now."""
        step = self._as_step(number, self._attempts[number])
        self.ledger.record_lost(step, reason)
        return self.finished(number, {"outcome": "failed", "reason": reason, "failure": "node"}, 0.0)

    def record_cuts(self) -> None:
        """Write down the trials that were stopped, once the ledger has what their workers said last: a worker that
        says then that it was interrupted would be the later one. A driver that is killed before stops them again."""
        for step, reason, steps_done in self._cuts:
            self.ledger.record_cut(step, reason, steps_done)
        self._cuts.clear()
        self.ledger.flush()

    @contextmanager
    def _minding(self) -> Iterator[None]:
        """Keep what a sampler or a scheduler raises, and hand out no more: Tune, in whose loop this is, would make
        another error of it."""
        try:
            yield
        except StudyError as error:
            self.trouble = self.trouble or error

    def tidy(self) -> list[int]:
        """Stop those that will never go on; their numbers."""
        hopeless = self.walk.hopeless()
        self.ledger.keep_heard(self.walk.order)
        for number, reason in hopeless.items():
            self.walk.cut(number, reason)
            step = self._as_step(number, self._attempts.get(number, 1))
            self._cuts.append((step, reason, self._steps_done.get(number, 0)))
            # At once, and not when it is written down: a population would keep a checkpoint a member and generation.
            shutil.rmtree(self.context.folder(step.trial.id, self._code(number)), ignore_errors=True)
            self.ended[step.trial.id] = "stopped"
        return list(hopeless)

    def _step(self, go: Go) -> Step:
        number = go.tried.number
        self._attempts[number] = self._attempts.get(number, 0) + 1
        step = replace(self._as_step(number, self._attempts[number]), until=go.until)
        if number not in self.preview.records and go.is_new:
            step = replace(step, run_id="")
        self._numbers[step.trial.id] = number
        self.ledger.ids.add(step.trial.id)
        return step

    def _as_step(self, number: int, attempt: int) -> Step:
        tried = self.walk.tried[number]
        trial = self._trial(number)
        record = self.preview.records.get(number)
        memory = tried.proposal.memory if tried.proposal else {}
        return Step(
            trial=trial,
            action="start",
            attempt=attempt,
            run_id=record.run_id if record else None,
            code=trial_code(trial.recipe),
            proposal=json.dumps(memory) if memory else "",
            lineage=self._lineage(tried.parent),
        )

    def _trial(self, number: int) -> Trial:
        if number not in self._trials:
            tried = self.walk.tried[number]
            parent = "" if tried.parent is None else self._id(tried.parent)
            self._trials[number] = self.preview.trial(number, tried.levels, parent)
        return self._trials[number]

    def _id(self, number: int) -> str:
        record = self.preview.records.get(number)
        return record.trial_id if record else self._trial(number).id

    def _lineage(self, parent: int | None) -> Lineage | None:
        """Whose checkpoint a trial goes on from, and where that lies: by the code that the parent ran through."""
        if parent is None:
            return None
        epochs = self.walk.until(parent)
        return Lineage(parent=parent, trial=self._id(parent), code=self._code(parent), epochs=epochs)

    def _code(self, number: int) -> str:
        """The code by which its checkpoint is found: today's once it was handed out, before that its record's."""
        record = self.preview.records.get(number)
        if record is not None and record.trial_id not in self._numbers:
            return record.code
        return trial_code(self._trial(number).recipe)
