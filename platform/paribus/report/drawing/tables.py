"""The verdict table: rows of plain values for download, and the same for people as text, Markdown or in a terminal."""

from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from typing import TYPE_CHECKING

from paribus.analysis.contrasts import Contrast
from paribus.analysis.statistics.intervals import MIN_PAIRS, Interval
from paribus.analysis.study_analysis import StudyAnalysis
from paribus.metrics.metric import Metric
from paribus.report.drawing.columns import aligned
from paribus.report.drawing.markup import as_markdown_cell
from paribus.report.export import rows_as_csv
from paribus.report.numbers import amount, decimals_for, show_number, with_interval

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from paribus.report.study_report import ArmRow

# What stands in place of a verdict beside a baseline that was trained again.
NOISE_FLOOR = "noise floor"
Value = str | int | float | None

_COLOURS = {"better": "green", "worse": "red", "equivalent": "cyan", "unresolved": "yellow", "same": "magenta"}


def verdict_rows(analysis: StudyAnalysis, secondary: bool = True) -> list[dict[str, Value]]:
    """One row of plain values per contrast (None where there is no number), primary metric first."""
    contrasts = (*analysis.on_primary, *(analysis.secondary if secondary else ()))
    return [_row(contrast, analysis) for contrast in contrasts]


def _row(contrast: Contrast, analysis: StudyAnalysis) -> dict[str, Value]:
    stability = contrast.stability
    return {
        "study": analysis.study,
        "arm": contrast.arm.name,
        "baseline": contrast.baseline.name,
        "metric": contrast.metric.name,
        "unit": contrast.metric.unit,
        "verdict": contrast.verdict or (NOISE_FLOOR if contrast.arm.again else None),
        "after_looks": _after_looks(contrast, analysis).strip(" ()"),
        "mean_delta": _number(contrast.mean),
        "n": contrast.n,
        "sd": _number(contrast.sd),
        **_ends("", contrast.interval),
        **_ends("bootstrap_", contrast.bootstrap),
        **_ends("simultaneous_", contrast.simultaneous),
        **_ends("both_chances_", contrast.crossed),
        "hedges_g": _number(contrast.hedges_g),
        "p_superiority_holm": _number(contrast.p_superiority_holm),
        "p_equivalence_holm": _number(contrast.p_equivalence_holm),
        "margin": contrast.margin,
        "further_replicates": _number(contrast.further_replicates),
        "further_for_stability": _number(contrast.further_for_stability),
        "pairs_ended": stability.n,
        "arm_failed": stability.arm_failed,
        "baseline_failed": stability.baseline_failed,
        "failed_difference": _number(stability.difference),
        **_ends("failed_", stability.interval),
        "p_stability": _number(stability.p) if stability.n else None,
        "p_stability_holm": _number(stability.p_holm) if stability.n else None,
        "p_log_rank": stability.log_rank_p,
        "rho": contrast.pairing.rho if contrast.pairing else None,
        "exploratory": "exploratory" if analysis.exploratory else "",
        "deltas": " ".join(f"r{r}:{delta:.6g}" for r, delta in zip(contrast.replicates, contrast.deltas, strict=True)),
        "notes": "; ".join(contrast.notes),
    }


def _after_looks(contrast: Contrast, analysis: StudyAnalysis) -> str:
    """` (after a look at 6)`, beside a verdict that could be had before."""
    judged = contrast.primary and contrast.stability.n >= MIN_PAIRS
    phrase = analysis.looks.phrase()
    return f" ({phrase})" if judged and phrase else ""


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _ends(prefix: str, interval: Interval | None) -> dict[str, Value]:
    return {
        f"{prefix}low": interval.low if interval else None,
        f"{prefix}high": interval.high if interval else None,
    }


def display_rows(analysis: StudyAnalysis, secondary: bool = False) -> list[dict[str, str]]:
    """The table for people, every number with its n and interval; columns are the same in every row."""
    contrasts = (*analysis.on_primary, *(analysis.secondary if secondary else ()))
    mark = " (exploratory)" if analysis.exploratory else ""
    several = len({contrast.baseline for contrast in contrasts}) > 1
    return [
        {
            "arm": contrast.arm.name,
            **({"baseline": contrast.baseline.name} if several else {}),
            "delta": f"{show_effect(contrast)}{mark}",
            "n": str(contrast.n),
            "failed to train": show_failures(contrast),
            "effect size": "-" if isnan(contrast.hedges_g) else show_number(contrast.hedges_g, "+.2f"),
            "p differs (Holm)": show_p(contrast.p_superiority_holm) if contrast.interval else "-",
            f"p within ±{analysis.margin:g} (Holm)": show_p(contrast.p_equivalence_holm) if contrast.interval else "-",
            "verdict": f"{contrast.verdict or _no_verdict(contrast)}{mark}{_after_looks(contrast, analysis)}",
        }
        for contrast in contrasts
    ]


def _no_verdict(contrast: Contrast) -> str:
    """Why a row has none."""
    return NOISE_FLOOR if contrast.arm.again else "secondary"


def show_effect(contrast: Contrast) -> str:
    """`+0.52 [+0.11, +0.93] points top-1`, or why there is no such number."""
    if contrast.n == 0:
        return f"no pairs ({contrast.metric.short})"
    return sized(contrast.mean, contrast.interval, contrast.metric)


def sized(mean: float, interval: Interval | None, metric: Metric) -> str:
    """A mean of differences of a metric, with as many digits as its interval bears, and what it is counted in."""
    unit = f"{metric.unit} {metric.short}".strip()
    if interval is None:
        return f"{show_number(mean, '+.3g')} {unit}, no interval"
    return f"{with_interval(mean, interval, as_borne(interval))} {unit}"


def as_borne(interval: Interval) -> str:
    """The format of numbers that have this interval."""
    return f"+.{decimals_for(interval.half_width)}f"


def show_p(p: float) -> str:
    """A p for people: `0.031`, `< 0.001`, `-` where there is none."""
    if isnan(p):
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.9995 else "1"


def show_failures(contrast: Contrast) -> str:
    """`3 vs 0 of 10`: how often the arm failed to train, and how often its baseline."""
    stability = contrast.stability
    return f"{stability.arm_failed} vs {stability.baseline_failed} of {stability.n}"


def arm_display_rows(analysis: StudyAnalysis, arms: "Sequence[ArmRow]") -> list[dict[str, str]]:
    """The arms by themselves, for people: mean and sd of the primary metric with n, failures and cost.

    A column in which no arm has anything to tell is left out.
    """
    metric = analysis.metric
    rows = [
        {
            "arm": f"{row.arm.name}{' (baseline)' if row.is_baseline else ''}",
            f"mean {metric.short} ({metric.of_level})": show_level(row.mean, metric.digits),
            "sd": show_level(row.sd, metric.digits),
            "n": str(row.n),
            "failed to train": f"{row.failed_to_train} of {row.ended}",
            "no result": str(row.failed) if row.failed else "-",
            **sizes(row),
        }
        for row in arms
    ]
    return told(rows)


def sizes(row: "ArmRow") -> dict[str, str]:
    """What an arm's nets are and take: parameters, FLOPs, seconds."""
    return {
        "parameters": amount(row.params),
        "FLOPs an image": amount(row.flops),
        "seconds a trial": "-" if row.seconds is None else show_number(row.seconds),
    }


def told(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The rows without the columns in which none has anything to tell."""
    known = {column for row in rows for column, cell in row.items() if cell != "-"}
    return [{column: cell for column, cell in row.items() if column in known} for row in rows]


def show_level(value: float | None, digits: int) -> str:
    """A mean or sd of a metric with so many digits; `-` where there is none."""
    return "-" if value is None else show_number(value, f".{digits}f")


def frame(analysis: StudyAnalysis, secondary: bool = True) -> "pd.DataFrame":
    """The rows of `verdict_rows` as a pandas frame."""
    import pandas as pd

    return pd.DataFrame(verdict_rows(analysis, secondary))


def as_csv(analysis: StudyAnalysis, secondary: bool = True) -> str:
    """The rows of `verdict_rows` as CSV; an empty string for a study without contrasts."""
    rows = verdict_rows(analysis, secondary)
    return f"{rows_as_csv(rows)}\n" if rows else ""


def as_markdown(analysis: StudyAnalysis, secondary: bool = False) -> str:
    """The table for people in Markdown."""
    return markdown_table(display_rows(analysis, secondary)) or "No contrasts yet.\n"


def arms_as_markdown(analysis: StudyAnalysis, arms: "Sequence[ArmRow]") -> str:
    """The rows of `arm_display_rows` in Markdown."""
    return markdown_table(arm_display_rows(analysis, arms))


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as a table in Markdown; "" where there are none."""
    if not rows:
        return ""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(map(as_markdown_cell, line))} |\n" for line in lines)


def as_text(analysis: StudyAnalysis, secondary: bool = False) -> str:
    """The table for people in plain text, columns aligned, with the lines of `summary` below it."""
    rows = display_rows(analysis, secondary)
    lines = [list(rows[0]), *(list(row.values()) for row in rows)] if rows else [["No contrasts yet."]]
    return "\n".join([*aligned(lines), "", *summary(analysis)]) + "\n"


def rich_table(analysis: StudyAnalysis, secondary: bool = False) -> "Table":
    """The table for people as a rich table."""
    from rich.table import Table
    from rich.text import Text

    title = (
        f"{analysis.study}: arm minus baseline, {100 * (1 - analysis.alpha):g} % intervals over training chance, "
        f"margin ±{analysis.margin:g} {analysis.metric.unit}"
    )
    table = Table(title=title, title_justify="left")
    rows = display_rows(analysis, secondary)
    for column in rows[0] if rows else ("No contrasts yet",):
        table.add_column(column, overflow="fold")
    for row in rows:
        style = next((colour for word, colour in _COLOURS.items() if row["verdict"].startswith(word)), "dim")
        cells: Sequence[Text] = [Text(cell, style=style if column == "verdict" else "") for column, cell in row.items()]
        table.add_row(*cells)
    return table


def rich_arms(analysis: StudyAnalysis, arms: "Sequence[ArmRow]") -> "Table":
    """The rows of `arm_display_rows` as a rich table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="arms by themselves", title_justify="left")
    rows = arm_display_rows(analysis, arms)
    for column in rows[0] if rows else ("No arms",):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.values()))
    return table


def summary(analysis: StudyAnalysis) -> list[str]:
    """What stands below the table: the claim, what pairing bought, and every note."""
    lines = []
    if analysis.claim:
        claim = analysis.claim
        lines.append(f"claim {claim.outcome}: {claim.claim.text} ({claim.claim.source})")
        lines += [f"  {line}" for line in (*claim.reasons, *claim.differences)]
    if analysis.pairing:
        lines.append(analysis.pairing.sentence())
    for contrast in analysis.contrasts:
        lines += contrast_lines(contrast)
    return [*lines, *analysis.notes]


def contrast_lines(contrast: Contrast) -> list[str]:
    """The other intervals of a contrast and its notes, each with the arm's name."""
    return [f"{contrast.arm.name}: {line}" for line in (*_other_intervals(contrast), *contrast.notes)]


def _other_intervals(contrast: Contrast) -> list[str]:
    named = (
        ("studentised bootstrap", contrast.bootstrap),
        ("simultaneous over its baseline's contrasts", contrast.simultaneous),
        ("for another test set too", contrast.crossed),
    )
    shown = [f"{name} {show_interval(interval)}" for name, interval in named if interval is not None]
    return [f"intervals beside the paired t one: {', '.join(shown)}"] if shown else []


def show_interval(interval: Interval) -> str:
    """`[+0.11, +0.93]`."""
    form = as_borne(interval)
    return f"[{show_number(interval.low, form)}, {show_number(interval.high, form)}]"
