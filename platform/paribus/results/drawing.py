"""A judgement for people: in a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from paribus.report.drawing.columns import aligned
from paribus.report.drawing.markup import as_plain_markdown as plain
from paribus.report.drawing.tables import markdown_table, show_effect, show_failures, show_p
from paribus.report.headline import lead
from paribus.results.judgement import DROP, KEEP, UNRESOLVED, Judgement

_ANSWERS = {
    KEEP: "keep: {better}",
    DROP: "drop: no arm is better than {baseline}",
    UNRESOLVED: "unresolved: no arm is shown to be better than {baseline}, and not all are shown not to be",
}


def as_text(found: Judgement) -> str:
    """The answer, a table, and what is to be known of it."""
    rows = judgement_rows(found)
    table = aligned([[*rows[0]], *([*row.values()] for row in rows)])
    return "\n".join([title_of(found), "", *table, "", *judgement_notes(found), "", answer(found)])


def as_markdown(found: Judgement) -> str:
    """The same in Markdown, the notes folded as GitHub shows them."""
    notes = "".join(f"- {plain(line)}\n" for line in judgement_notes(found))
    folded = f"<details><summary>Notes</summary>\n\n{notes}\n</details>\n"
    told = f"**{plain(answer(found))}**\n\n{plain(lead(found.contrasts))}\n\n{plain(title_of(found))}"
    return f"{told}\n\n{markdown_table(judgement_rows(found))}\n{folded}"


def title_of(found: Judgement) -> str:
    """What was compared with what, over how many seeds and runs, by which margin."""
    made = found.comparison
    unit = f" {made.metric.unit}" if made.metric.unit else ""
    margin = f"margin ±{made.margin:g}{unit}" if made.margin else "no margin"
    sides = f"{_counted(len(made.arms) - 1, 'arm')} against {made.baseline.name} on {made.metric.name}"
    return (
        f"{made.name}: {sides}, {_counted(made.replicates, 'seed')}, {_counted(len(made.results), 'run')}; {margin}, "
        f"{100 * (1 - made.alpha):g} % intervals"
    )


def judgement_rows(found: Judgement) -> list[dict[str, str]]:
    """The table for people."""
    return [
        {
            "arm": contrast.arm.name,
            "arm minus baseline": show_effect(contrast),
            "n": str(contrast.n),
            "failed to train": show_failures(contrast),
            "p differs (Holm)": show_p(contrast.p_superiority_holm) if contrast.interval else "-",
            "verdict": contrast.verdict or "-",
        }
        for contrast in found.contrasts
    ]


def judgement_notes(found: Judgement) -> list[str]:
    """What is to be known of each contrast, and of all."""
    own = [f"{contrast.arm.name}: {note}" for contrast in found.contrasts for note in found.notes_of(contrast)]
    return [*own, *found.notes]


def answer(found: Judgement) -> str:
    """`keep: gelu is better`."""
    better = ", ".join(
        f"{contrast.arm.name} is {contrast.verdict}" for contrast in found.contrasts if contrast.arm in found.kept
    )
    return _ANSWERS[found.code].format(better=better, baseline=found.comparison.baseline.name)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
