"""Which of a study's runs is meant: one per settings, so that a quick look never replaces the study."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerError, LedgerUnreachable
from paribus.tracking.mlflow.agreement import ensure_run, is_decided
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Run, log_batch, oldest, rename_run, search_runs

if TYPE_CHECKING:
    from paribus.study import Study
    from paribus.study.settings import Settings

STUDY_FILE = "study.json"


def study_runs(rest: MlflowRest, *experiments: str) -> list[Run]:
    """The study runs of these experiments, one per study and settings, oldest first."""
    by_settings: dict[tuple[str, str], list[Run]] = {}
    for run in search_runs(rest, list(experiments), f"tags.`{words.KIND}` = '{words.STUDY_KIND}'"):
        by_settings.setdefault((run.experiment_id, run.tags.get(words.SETTINGS, "")), []).append(run)
    found = [oldest(runs) for runs in by_settings.values()]
    return sorted((run for run in found if run is not None), key=lambda run: (run.start_ms, run.run_id))


def chosen(runs: Iterable[Run], settings: str = "") -> Run | None:
    """The study run of the settings with that digest; without one, of those that the study's file declares.

    The last release kept no settings; its one run stands for the declared ones until there is another.
    """
    if settings:
        return oldest(run for run in runs if run.tags.get(words.SETTINGS) == settings)
    declared = [run for run in runs if _is_declared(run)]
    return oldest(run for run in declared if run.tags.get(words.SETTINGS)) or oldest(declared)


def ensure_study_run(rest: MlflowRest, experiment_id: str, study: str, settings: Settings | None) -> Run:
    """The study run of these settings, created if missing; safe to race. None: of the declared ones.

    A run of the last release, which kept no settings, is adopted if its study file has these, or if it has none to
    tell and these are the declared ones.
    """
    runs = study_runs(rest, experiment_id)
    tags = {words.KIND: words.STUDY_KIND, words.STUDY: study}
    if settings is None:  # an outbox of the last release
        if (found := chosen(runs)) and is_decided(found):
            return found
        return ensure_run(rest, experiment_id, words.KIND, study, tags, looked=not found, among=_is_declared)[0]
    if (found := chosen(runs, settings.digest) or _adopted(rest, runs, study, settings)) and is_decided(found):
        return found
    tags |= _tags(settings)
    return ensure_run(rest, experiment_id, words.SETTINGS, settings.title(study), tags, looked=not found)[0]


def name_run(rest: MlflowRest, run: Run, study: str, settings: Settings) -> None:
    """Let the run say whose settings it holds, in its tags and in its name."""
    wanted = _tags(settings)
    if any(run.tags.get(key) != value for key, value in wanted.items()):
        log_batch(rest, run.run_id, tags=wanted)
    if run.name != settings.title(study):
        rename_run(rest, run.run_id, settings.title(study))


def rename_others(rest: MlflowRest, experiment_id: str, kept: str, declared: Study) -> None:
    """Name the runs that stood for the declared settings until the study's file was changed, all but the run `kept`."""
    from paribus.study.settings import Settings, settings_of

    for run in study_runs(rest, experiment_id):
        if run.run_id == kept or run.tags.get(words.SETTINGS_NAME):
            continue
        written = study_written(rest, run)
        digest = run.tags.get(words.SETTINGS, "")
        unknown = Settings(digest=digest, name="of an earlier release" if not digest else f"settings {digest[:8]}")
        found = settings_of(written, declared) if written else unknown
        name_run(rest, run, declared.name, found if found.name else unknown)


def study_written(rest: MlflowRest, run: Run) -> Study | None:
    """The study as it was last run in `run`; None where the run keeps none that can be read."""
    from paribus.recipe import RecipeError
    from paribus.study import StudyError
    from paribus.study.document import read_study

    try:
        return read_study(rest.get_artifact(run.artifact_uri, STUDY_FILE))
    except LedgerUnreachable:
        raise
    except (LedgerError, StudyError, RecipeError):
        return None


def _adopted(rest: MlflowRest, runs: Iterable[Run], study: str, settings: Settings) -> Run | None:
    from paribus.study.settings import settings_of

    for run in runs:
        written = study_written(rest, run)
        untold = written is None and words.SETTINGS not in run.tags and settings.declared
        if untold or (written is not None and settings_of(written).digest == settings.digest):
            name_run(rest, run, study, settings)
            return run
    return None


def _is_declared(run: Run) -> bool:
    return not run.tags.get(words.SETTINGS_NAME)


def _tags(settings: Settings) -> dict[str, str]:
    return {words.SETTINGS: settings.digest, words.SETTINGS_NAME: settings.name}
