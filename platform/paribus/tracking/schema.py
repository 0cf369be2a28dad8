"""The version of what a ledger holds: a tag of each study's experiment, which programs before schema 2 did not set."""

from __future__ import annotations

from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.rest import Json, MlflowRest

# 2: `paribus.code` is a digest of what the trial's own recipe runs through; 1: of all files.
SCHEMA = 2


def schema_of(experiment: Json) -> int:
    """The schema of an experiment, as MLflow describes it; 1 where it has no number."""
    tags = {tag["key"]: tag["value"] for tag in experiment.get("tags", ())}
    text = tags.get(words.SCHEMA, "1")
    return int(text) if text.isdecimal() else 1


def check_schema(experiment: Json) -> None:
    """Raise LedgerError where a later program wrote the experiment: this one would misread it."""
    found = schema_of(experiment)
    if found > SCHEMA:
        raise LedgerError(
            f"The study {experiment['name']!r} was written by a later Paribus (schema {found} of the ledger; this "
            f"program reads up to {SCHEMA}): update Paribus to read it, or use another ledger."
        )


def set_schema(rest: MlflowRest, experiment_id: str, schema: int) -> None:
    """Write the schema's number to an experiment."""
    body = {"experiment_id": experiment_id, "key": words.SCHEMA, "value": str(schema)}
    rest.post("experiments/set-experiment-tag", body)
