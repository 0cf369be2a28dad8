"""A judgement for people: in a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from paribus.report.drawing.tables import markdown_table, show_effect, show_p
from paribus.results.judgement import DROP, KEEP, UNRESOLVED, Judgement

_ANSWERS = {
    KEEP: "keep: {better}",
    DROP: "drop: no arm is better than {baseline}",
    UNRESOLVED: "unresolved: no arm is shown to be better than {baseline}, and not all are shown not to be",
}


def as_text(found: Judgement) -> str:
    """The answer, a table, and what is to be known of it."""
    rows = _rows(found)
    lines = [[*rows[0]], *([*row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([_title(found), "", *table, "", *_notes(found), "", _answer(found)])


def as_markdown(found: Judgement) -> str:
    """The same in Markdown."""
    notes = "".join(f"- {line}\n" for line in _notes(found))
    return f"**{_answer(found)}**\n\n{_title(found)}\n\n{markdown_table(_rows(found))}\n{notes}"


def _title(found: Judgement) -> str:
    made = found.comparison
    unit = f" {made.metric.unit}" if made.metric.unit else ""
    margin = f"margin ±{made.margin:g}{unit}" if made.margin else "no margin"
    sides = f"{_counted(len(made.arms) - 1, 'arm')} against {made.baseline.name} on {made.metric.name}"
    return (
        f"{made.name}: {sides}, {_counted(made.replicates, 'seed')}, {_counted(len(made.results), 'run')}; {margin}, "
        f"{100 * (1 - made.alpha):g} % intervals"
    )


def _rows(found: Judgement) -> list[dict[str, str]]:
    return [
        {
            "arm": contrast.arm.name,
            "arm minus baseline": show_effect(contrast),
            "n": str(contrast.n),
            "failed to train": f"{contrast.stability.arm_failed} vs {contrast.stability.baseline_failed} of "
            f"{contrast.stability.n}",
            "p differs (Holm)": show_p(contrast.p_superiority_holm) if contrast.interval else "-",
            "verdict": contrast.verdict or "-",
        }
        for contrast in found.contrasts
    ]


def _notes(found: Judgement) -> list[str]:
    own = [f"{contrast.arm.name}: {note}" for contrast in found.contrasts for note in found.notes_of(contrast)]
    return [*own, *found.notes]


def _answer(found: Judgement) -> str:
    better = ", ".join(
        f"{contrast.arm.name} is {contrast.verdict}" for contrast in found.contrasts if contrast.arm in found.kept
    )
    return _ANSWERS[found.code].format(better=better, baseline=found.comparison.baseline.name)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
