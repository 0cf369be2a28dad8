"""What an Optuna database holds: studies of others', read as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class StoredTrial:
    """One trial as Optuna keeps it; `attributes` are its user's, `values` its objectives, () without a result."""

    number: int
    state: str
    params: Mapping[str, Any]
    attributes: Mapping[str, Any]
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class StoredStudy:
    """A study's trials, and of each objective whether it is minimised."""

    minimised: tuple[bool, ...]
    trials: tuple[StoredTrial, ...]


def trials_of(path: Path) -> dict[str, StoredStudy]:
    """Every study of an SQLite file by name. Needs a file that this release of Optuna can read."""
    import optuna
    from optuna.study import StudyDirection

    storage = f"sqlite:///{path}"
    found = {}
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        found[name] = StoredStudy(
            minimised=tuple(direction == StudyDirection.MINIMIZE for direction in study.directions),
            trials=tuple(
                StoredTrial(
                    number=trial.number,
                    state=trial.state.name.lower(),
                    params=trial.params,
                    attributes=trial.user_attrs,
                    values=tuple(trial.values or ()),
                )
                for trial in study.get_trials(deepcopy=False)
            ),
        )
    return found
