"""An Optuna study in a SQLite file."""

from __future__ import annotations

from pathlib import Path

from paribus.engine.searches.optuna_storage import trials_of
from paribus.results.runs import ResultsError, Runs, as_text, listed


def read_study(path: Path, name: str) -> Runs:
    """One row a trial: its params, its user attributes (where a seed may stand), its state and its value.

    Raises:
        ResultsError: several studies of which none is named, or none of that name.
    """
    studies = trials_of(path)
    if name not in studies and (name or len(studies) != 1):
        raise ResultsError(f"{path} has the studies {listed(studies)}: name one as {path}#STUDY")
    name, found = (name, studies[name]) if name else next(iter(studies.items()))
    rows = [
        {
            "number": str(trial.number),
            "state": trial.state,
            **{key: as_text(value) for key, value in trial.attributes.items()},
            **{key: as_text(value) for key, value in trial.params.items()},
            **{f"value{index or ''}": as_text(value) for index, value in enumerate(trial.values)},
        }
        for trial in found.trials
    ]
    return Runs(
        source=f"{path.name}#{name}",
        rows=tuple(rows),
        metrics=tuple(f"value{index or ''}" for index in range(len(found.minimised))),
        settings=tuple(dict.fromkeys(key for trial in found.trials for key in (*trial.params, *trial.attributes))),
        outcome="state",
        lower=found.minimised[0],
        notes=(
            "these trials are a search's: a sampler asked for settings by the values of those before, so that what "
            "came out best is exploratory until it is trained again on fresh seeds",
        ),
    )
