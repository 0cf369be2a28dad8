"""A study's part of the driver's dealings with the ledger: what is kept with its run."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.engine.looks import extended, history_of
from paribus.engine.preview import Preview
from paribus.execution.run_ledger import RunLedger, view_of
from paribus.report.doubts.chance import judged_when_read
from paribus.report.drawing.markup import as_plain_markdown
from paribus.report.fixed import fixed_line
from paribus.shards.catalog import data_digest
from paribus.study.document import write_places, write_study
from paribus.study.plan import places
from paribus.study.study import Study
from paribus.tracking import StudyHeader, StudyRun
from paribus.tracking.environment import environment
from paribus.tracking.ledger import Ledger
from paribus.tracking.studies.choice import STUDY_FILE, rename_others
from paribus.tracking.studies.runs import TRIALS_FILE

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport


_REPORT = "report.md"


class StudyLedger(RunLedger):
    """One study's parent run, lease and leftovers."""

    def __init__(self, study: Study, uri: str, outbox: Path, home: Path, share: int = 1) -> None:
        super().__init__(study.name, uri, outbox, home, share=share)
        self.study = study
        self._preview: Preview | None = None

    def open(self, preview: Preview) -> None:
        """Take the study's lease, close orphans, and write down what is about to run.

        Raises:
            LeaseHeld: another live driver runs the study.
        """
        untouched = {step.trial.id for step in preview.plan.steps if step.action in ("skip", "leave")}
        records = [record for record in preview.records or () if record.trial_id in untouched]
        self._done = Counter(record.outcome for record in records if record.outcome)
        self._preview, self.settings = preview, preview.settings
        self.turn.name = preview.title
        self._take(trains=bool(preview.plan.todo))

    def next_look(self, preview: Preview) -> None:
        """Tell how many trials the study has by now, where planned looks ask for more."""
        self._try(lambda run: run.plan(_num_asked(preview)))

    def publish(self, report: StudyReport) -> None:
        """Keep the verdicts with the study: as data, and as Markdown that a person reads in MLflow."""
        from paribus.report.drawing.markdown import markdown
        from paribus.report.study_report import VERDICTS_FILE

        text = markdown(report)

        def store(run: StudyRun) -> None:
            self._describe(run)
            run.artifact(VERDICTS_FILE, json.dumps(report.as_dict(), indent=2).encode())
            run.artifact(_REPORT, text.encode())
            # Of a long report MLflow shows the beginning alone: the way to all of it stands there.
            question, _, rest = text.partition("\n\n")
            ways = f"[The whole report]({run.url_of(_REPORT)}) · {run.ways()}"
            run.describe(f"{question}\n\n{ways}\n\n{rest}")

        self._try(store)

    def _describe(self, run: StudyRun) -> None:
        """Store with the study what it is, once."""
        if self._described:
            return
        assert self._preview is not None
        self._note_looks(run)  # by the study.json of before
        run.artifact(STUDY_FILE, write_study(self.study).encode())
        own = places(step.trial for step in self._preview.plan.steps)
        run.artifact(TRIALS_FILE, write_places(own).encode())
        asked = {"start", "resume", "retry", "later"}
        run.refuse_shared([step.trial.id for step in self._preview.plan.steps if step.action in asked])
        run.artifact("environment.json", json.dumps(environment(), indent=2).encode())
        if self._preview.settings.declared:
            rename_others(self._rest, run.experiment_id, run.run_id, self.study)
        self._described = True

    def _note_looks(self, run: StudyRun) -> None:
        """Write down what was asked for, and whether verdicts could be had by then; before study.json is replaced."""
        ledger = Ledger(self.uri, judge=judged_when_read(self.home))
        try:
            record = ledger.study(self.study.name, self._preview.settings.digest if self._preview else "")
            history = history_of(ledger, record)
            records, redone = ledger.trials(self.study.name), self._preview.redone() if self._preview else frozenset()
            known = extended(history, self.study, records, lambda recipe: data_digest(recipe, self.home), redone)
        finally:
            ledger.close()
        run.keep_replication(known)

    def _own_ids(self) -> set[str]:
        assert self._preview is not None
        return {step.trial.id for step in self._preview.plan.steps}

    def _header(self) -> StudyHeader:
        assert self._preview is not None
        return _header(self._preview)


def _num_asked(preview: Preview) -> int:
    """The trials that are there or asked for; those of looks to come may never be."""
    return sum(step.action != "later" for step in preview.plan.steps)


def _header(preview: Preview) -> StudyHeader:
    study = preview.plan.study
    return StudyHeader(
        name=study.name,
        question=study.question,
        claim=asdict(study.claim) if study.claim else None,
        caveats=tuple(f"{path} = {value}" for path, value in study.caveats().items()),
        design=study.design,
        num_planned=_num_asked(preview),
        code=" ".join(sorted({step.code for step in preview.plan.steps})),
        note=f"**{as_plain_markdown(study.question)}**\n\n"
        f"{len(study.arms)} arms x {study.replicates} replicates; not judged yet\n\n{fixed_line(study.caveats())}",
        source=sys.argv[0],
        commit=str((environment().get("git") or {}).get("commit", "")),
        settings=preview.settings,
        view=view_of(study, dict.fromkeys(path for arm in study.arms for path, _ in arm.levels)),
    )
