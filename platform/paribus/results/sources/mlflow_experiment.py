"""An experiment on an MLflow server, whoever logged it."""

from __future__ import annotations

from paribus.results.runs import ResultsError, Runs, as_text
from paribus.results.sources.run_names import said_by
from paribus.tracking import MlflowRest
from paribus.tracking.mlflow.runs import find_experiment, search_runs
from paribus.tracking.studies.record import is_study_run


def read_experiment(uri: str, name: str) -> Runs:
    """One row a run: its params, and the last value of each metric; a metric called as a param is `metrics.NAME`.

    Raises:
        ResultsError: there is no such experiment.
        LedgerError: the server does not answer.
    """
    with MlflowRest(uri) as rest:
        experiment = find_experiment(rest, name)
        if experiment is None:
            raise ResultsError(f"MLflow at {rest.uri} has no experiment {name!r}")
        # A study's own run is no trial of it.
        found = [run for run in search_runs(rest, [experiment]) if not is_study_run(run)]
    params = dict.fromkeys(key for run in found for key in run.params)
    rows: list[dict[str, str]] = []
    metrics: dict[str, None] = {}
    for run in found:
        values = {
            f"metrics.{key}" if key in params else key: as_text(latest.value) for key, latest in run.metrics.items()
        }
        metrics |= dict.fromkeys(values)
        named = {key: text for key, text in said_by(run.name).items() if key not in params}
        rows.append({"run_name": run.name, "status": run.status, **named, **run.params, **values})
    return Runs(
        source=f"experiment {name}",
        rows=tuple(rows),
        metrics=tuple(metrics),
        settings=(*params, *dict.fromkeys(key for row in rows for key in row if key in ("group", "seed"))),
        outcome="status",
        notes=("of each metric its last logged value counts",),
    )
