"""Are a page's trials those that a ledger holds? Outcome, numbers, steps, times and examples of each, by its id."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paribus.host.home import home
from paribus.host.secrets import without_secrets
from paribus.recipe.components.recorded import as_recorded
from paribus.report.doubts.chance import judged_when_read
from paribus.report.page.packed_examples import unpack
from paribus.report.page.trial_lines import as_line
from paribus.report.page.verification import ALTERED, Verification
from paribus.report.study_report import TrialRow
from paribus.study.document import read_study
from paribus.tracking.errors import LedgerError
from paribus.tracking.ledger import Ledger

if TYPE_CHECKING:
    from paribus.metrics.examples import Examples
    from paribus.study.words import Arm
    from paribus.tracking.trials.record import TrialRecord

# Where a run lies is no part of what it found: a ledger may have been moved.
_PLACE = ("run", "state")


def beside_ledger(found: Verification, document: Mapping[str, Any], uri: str) -> Verification:
    """The verification with what the ledger at `uri` says of the page's trials; its notes are not compared.

    Raises:
        LedgerError, LedgerUnreachable: it does not answer, or refuses.
    """
    try:
        with as_recorded(document["study"].get("components", {})):
            study = read_study(json.dumps(document["study"]))
        lines = document["trials"]
        examples = unpack(document["examples"]) if document["examples"] else {}
        with Ledger(uri, judge=judged_when_read(home())) as ledger:
            records = {record.trial_id: record for record in ledger.trials(study.name)}
            told = [
                _fault(line, records.get(line["id"]), study.trained, tuple(study.own_metrics), examples.get(n), ledger)
                for n, line in enumerate(lines)
            ]
    except (KeyError, TypeError, IndexError) as error:
        told = [f"its trials cannot be read ({error})"]
        lines = []
    faults = [fault for fault in told if fault]
    where = without_secrets(uri)
    fact = f"beside the ledger {where}: {len(lines) - len(faults)} of {len(lines)} trials are what it holds"
    code = ALTERED if faults else found.code
    return replace(found, code=code, facts=(*found.facts, fact), faults=(*found.faults, *faults))


def _fault(
    line: Mapping[str, Any],
    record: TrialRecord | None,
    arms: Sequence[Arm],
    own: Sequence[str],
    examples: Examples | None,
    ledger: Ledger,
) -> str:
    """What of one trial is otherwise in the ledger; "" where nothing is."""
    name = f"{arms[line['arm']].name} · r{line['replicate']} (trial {line['id'][:12]})"
    if record is None:
        return f"{name}: this ledger has no such trial"
    row = TrialRow(
        trial_id=line["id"],
        arm=arms[line["arm"]],
        replicate=line["replicate"],
        state=record.outcome or "interrupted",
        record=record,
    )
    held = as_line(row, arms, own)
    told = [*_otherwise(line, held), *([] if examples is None else _examples(examples, record, ledger))]
    return f"{name}: {'; '.join(told)}" if told else ""


def _otherwise(line: Mapping[str, Any], held: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*line, *held)):
        one, other = line.get(key), held.get(key)
        if key in _PLACE or one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _otherwise(one, other)
        elif not (isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=1e-9)):
            yield f"{key} is {one} in the page and {other} in the ledger"


def _examples(told: Examples, record: TrialRecord, ledger: Ledger) -> list[str]:
    try:
        held = ledger.examples(record.run_id)
    except LedgerError as error:
        if error.status != 404:
            raise
        held = None
    if held is None:
        return ["the ledger has no per-example results of it"] if told.columns else []
    other = [name for name, column in told.columns.items() if column.tolist() != held.column(name).tolist()]
    return [f"its examples are others in the ledger ({', '.join(other)})"] if other else []
