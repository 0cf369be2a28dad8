"""The driver: from a plan to a judged study, whatever crashes on the way. Stateless: the ledger remembers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from paribus.engine.looks import check_fresh
from paribus.engine.nearest import trials_near
from paribus.engine.options import Options
from paribus.engine.preview import Preview, make_preview
from paribus.engine.variables import DRAIN_S, seconds
from paribus.execution.study_ledger import StudyLedger
from paribus.execution.workers.trial_spec import context_of, outbox_of
from paribus.host.home import home
from paribus.host.say import say, warn
from paribus.host.storage import storage
from paribus.report.doubts.chance import judged_when_read
from paribus.report.plan_outlook import pilot_text
from paribus.report.texts import plan_text, stale_text
from paribus.study.plan import Action
from paribus.study.settings import settings_of
from paribus.study.study import Study


def drive(study: Study, options: Options, uri: str, only: frozenset[Action] | None = None) -> int:
    """Plan, train what is left, and judge.

    Returns the exit code: 0 if every trial has a result, 1 if some failed or the ledger does not have all of it at the
    end, 3 if results of other code are in the way.

    Raises:
        KeyboardInterrupt: it was stopped; the text says how far it is and how to go on.
        LeaseHeld: another live driver runs the study.
        ClusterError: there is no cluster, or a trial asks for more than it has.
        AnalysisError: no result could be judged: the margin is below what the evaluation split can show.
        StudyError: a fresh judgement is asked for of planned looks.
    """
    if options.fresh:
        check_fresh(study)  # before hours of training end in it
    folder = home()
    settings = settings_of(study, options.declared)
    ledger = StudyLedger(study, uri, outbox_of(storage(), study.name, settings), folder, options.share)
    try:
        records = ledger.known()
        note = "" if records is not None else f"MLflow at {uri} does not answer: results wait on disk until it does"
        near = partial(trials_near, study, uri, judged_when_read(folder)) if records is not None else tuple
        preview = make_preview(study, folder, records, options, only=only, note=note, near=near)
        say(plan_text(preview))
        if preview.plan.counts().get("stale"):
            warn(f"\n{stale_text(preview)}")
            return 3
        by_looks = study.adaptive is not None and only is None and options.pilot is None
        return _drive(preview, options, folder, ledger, by_looks=by_looks)
    finally:
        ledger.close()


def _drive(preview: Preview, options: Options, folder: Path, ledger: StudyLedger, *, by_looks: bool) -> int:
    """Train and judge."""
    ended: dict[str, str] = {}
    last = preview

    def work() -> int | None:
        nonlocal last
        ledger.open(preview)
        last, stopped = _train(preview, options, folder, ledger, ended, by_looks=by_looks)
        if stopped:
            ledger.finish("KILLED", ended)
            return 1
        if not all(step.trial.id in ended for step in last.plan.todo):
            return None
        if options.pilot is not None:
            return _conclude_pilot(last, options, ledger, folder, ended)
        return _conclude(last, ledger, folder, ended, fresh=options.fresh)

    def where() -> str:
        left = sum(step.trial.id not in ended for step in last.plan.todo)
        return f"with {left} trials to go" if left else "before the verdicts"

    return ledger.to_its_end(work, ended, where)


def _train(
    preview: Preview, options: Options, folder: Path, ledger: StudyLedger, ended: dict[str, str], *, by_looks: bool
) -> tuple[Preview, bool]:
    """Run the trials that are left, `by_looks` those of one planned look after another: a retry goes no further.

    `ended` receives each one's outcome by trial id as it ends. Returns the last plan, and whether it stopped because
    the ledger that the next look needs does not answer.
    """
    if not preview.plan.todo:
        return preview, False
    from paribus.execution.executor import cluster_for, execute

    study = preview.plan.study
    context = context_of(study.name, folder, ledger.uri, preview.settings)
    recipes = [study.recipe_of(arm) for arm in study.arms]
    with cluster_for(recipes, options.cpus, options.stack) as where:
        # It loads Ray, which has to learn before how the cluster is guarded.
        from paribus.execution.progress import Progress

        while preview.plan.todo:
            now: dict[str, str] = {}
            say(f"\ntraining {len(preview.plan.todo)} trials on {where}; MLflow: {ledger.uri}")
            try:
                beat = partial(_beat, ledger, ended, now)
                told = Progress(preview.plan, now, beat=beat, lost=ledger.record_lost, aside=ledger.put_aside)
                execute(preview.plan, context, [told], ledger)
            finally:
                ended.update(now)
            if not by_looks or len(now) < len(preview.plan.todo):
                break
            found = _next_look(preview, options, folder, ledger, ended)
            if found is None:
                return preview, True
            preview = found
    return preview, False


def _beat(ledger: StudyLedger, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    ledger.beat({**before, **now})


def _next_look(
    preview: Preview, options: Options, folder: Path, ledger: StudyLedger, ended: Mapping[str, str]
) -> Preview | None:
    """The plan after a look at what has ended: what the next one asks for, or nothing more; None without a ledger.

    What ended in this run is not tried again in it, whatever the ledger has of it.

    Raises:
        LedgerError: it refuses results that the look needs.
    """
    study = preview.plan.study
    ledger.drain(seconds(*DRAIN_S))
    records = ledger.known()
    if records is None:
        warn(f"\nMLflow at {ledger.uri} does not answer, and the next look needs it: the same command goes on")
        return None
    found = make_preview(study, folder, records, options)
    again = {step.trial.id for step in found.plan.todo} & set(ended)
    steps = [replace(step, action="leave") if step.trial.id in again else step for step in found.plan.steps]
    found = replace(found, plan=replace(found.plan, steps=tuple(steps)))
    ledger.next_look(found)
    if found.plan.todo:
        arms = {step.trial.arm for step in found.plan.todo if not step.trial.arm.again}
        say(f"\na look: {len(arms)} of {len(study.arms)} arms go on (a baseline as long as any other does)")
    return found


def _conclude(preview: Preview, ledger: StudyLedger, folder: Path, ended: dict[str, str], *, fresh: bool) -> int:
    """Send what is left, and print the verdicts of what the ledger has; 1 if it does not have all of it."""
    lacking, missing = ledger.drain(seconds(*DRAIN_S)), ledger.missing(ended)
    if missing is None:
        warn(
            f"\nall trials have ended, but MLflow at {ledger.uri} does not answer: their records "
            f"wait in {ledger.outbox}. The same command sends them and prints the verdicts"
        )
        ledger.finish("KILLED", ended)
        return 1
    from paribus.report.drawing.terminal import show
    from paribus.report.judging import judge

    report = judge(preview.plan.study, ledger.uri, folder, preview.settings, fresh=fresh)
    say()
    show(report)
    ledger.publish(report)
    failures = Counter(ended.values())["failed"]
    # A retry alone leaves the rest of the study to the next run.
    left = preview.plan.counts().get("leave", 0)
    there = {trial_id: outcome for trial_id, outcome in ended.items() if trial_id not in missing}
    ledger.finish("FAILED" if failures else "KILLED" if left or missing else "FINISHED", there)
    if failures:
        noun = "trial" if failures == 1 else "trials"
        warn(f"\n{failures} {noun} failed: `status` says why, `retry` runs them again")
    if lacking or missing:
        warn(_lacking_text(lacking, len(missing), len(ended)))
    return 1 if failures or lacking or missing else 0


def _conclude_pilot(
    preview: Preview, options: Options, ledger: StudyLedger, folder: Path, ended: Mapping[str, str]
) -> int:
    """Say what the baseline's runs tell of chance and time, and what the study then takes; nothing is judged.

    The study is left as one that is to be gone on with.
    """
    lacking, records = ledger.drain(seconds(*DRAIN_S)), ledger.known()
    ledger.finish("KILLED", ended)
    if records is None:
        warn(f"\nMLflow at {ledger.uri} does not answer: the pilot's results wait in {ledger.outbox}")
        return 1
    say(f"\n{pilot_text(make_preview(preview.plan.study, folder, records, replace(options, pilot=None)))}")
    for text in lacking:
        warn(f"the ledger lacks: {text}")
    return 1 if lacking or "failed" in ended.values() else 0


def _lacking_text(lacking: list[str], num_missing: int, num_ended: int) -> str:
    """What the ledger lacks, and the commands that send it."""
    lines = [f"\n{num_missing} of the {num_ended} results of this run are not in the ledger"] if num_missing else [""]
    lines += [f"the ledger lacks: {text}" for text in lacking]
    if num_missing and not lacking:
        lines.append(
            "and nothing waits on disk: a full disk, a deleted run? The same command trains these trials again"
        )
    else:
        lines.append(
            "The same command sends it again once that is mended, and so does `paribus ledger send`; who deletes a "
            "folder gives up what is in it"
        )
    return "\n".join(lines)
