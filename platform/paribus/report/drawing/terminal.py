"""A study report in a terminal, a job's log or a pipe: verdicts, or how far the study is."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import IO

from paribus.host.secrets import without_secrets
from paribus.report.study_report import State, StudyReport, TrialRow
from paribus.study.words import FailureClass

ADVICE: Mapping[FailureClass, str] = {
    "preempted": "its node was taken back; the same command resumes it",
    "node": "mend the node that it names, or look at the log of the one that was lost; then run the same command again",
    "oom": "ask for a smaller data.batch_size or a larger device; it is not tried again until you say retry",
    "data": "mend the data (paribus shards verify names every fault), then say retry",
    "code": "mend the code, then say retry",
}
_NO_OUTCOME: Mapping[State, str] = {
    "running": "running",
    "interrupted": "cut off; the same command resumes it",
    "waiting": "not begun",
}


def show(report: StudyReport, file: IO[str] | None = None) -> None:
    """Print the verdicts, the arms, the claim and the notes to the terminal, or to `file`."""
    from rich.console import Console

    from paribus.report.drawing.cost_tables import rich_costs
    from paribus.report.drawing.effect_tables import rich_effects
    from paribus.report.drawing.node_tables import node_display_rows, rich_nodes
    from paribus.report.drawing.tables import rich_arms, rich_table

    # A job's log and a pipe have no width; a table folded at 80 columns is no table. In a notebook rich would show
    # HTML, whatever it prints to. `my_parts:Wave: ` is the name of an arm, and no waving hand.
    probe = Console(file=file, force_jupyter=False, emoji=False)
    if not probe.is_terminal:
        console = Console(file=file, width=160, highlight=False, force_jupyter=False, emoji=False)
    else:
        console = probe
    if report.settings.name:
        console.print(without_secrets(report.title), markup=False, highlight=False)
    console.print(rich_table(report.judged))
    if report.judged.effects:
        console.print(rich_effects(report.judged))
    console.print(rich_arms(report.judged, report.arms))
    if report.cost.rows:
        console.print(rich_costs(report.cost))
    if nodes := node_display_rows(report.study, report.records):
        console.print(rich_nodes(nodes))
    for line in report.lines():
        console.print(without_secrets(line), markup=False, highlight=False, soft_wrap=not probe.is_terminal)
    console.print(f"\nMLflow: {report.url}", markup=False, highlight=False, soft_wrap=True)


def text_of(report: StudyReport) -> str:
    """What `show` prints where there is no terminal."""
    text = StringIO()
    show(report, text)
    return text.getvalue()


def status_text(report: StudyReport) -> str:
    """How far the study is, as `status` prints it."""
    counts = report.counts()
    ended = {state: count for state, count in counts.items() if state not in _NO_OUTCOME}
    lines = [f"{report.title}: {sum(ended.values())} of {len(report.trials)} trials have ended"]
    lines += [f"    {count:>4} {state}" for state, count in sorted(ended.items())]
    lines += [f"    {counts[state]:>4} {word}" for state, word in _NO_OUTCOME.items() if counts.get(state)]
    lines += [line for row in report.begun if (line := _trial_line(row))]
    lines += [f"  note: {line}" for line in report.notes]
    return "\n".join(lines)


def _trial_line(row: TrialRow) -> str:
    """What a person may want to know, or do, of a trial that is not just finished; "" of the others."""
    record = row.record
    assert record is not None
    if row.state == "failed":
        return f"  failed   {row.name}: {record.reason}; {ADVICE.get(record.failure or 'code', '')}"
    if row.state == "stuck":
        return f"  stuck    {row.name}: {record.reason}"
    if row.state not in _NO_OUTCOME:
        return ""
    share = "" if record.progress is None else f" {100 * record.progress:.0f} %"
    return f"  {row.name}: {_NO_OUTCOME[row.state]}{share}, attempt {record.attempt}"
