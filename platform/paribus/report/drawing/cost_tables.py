"""What each conclusion of a study cost, as rows and sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from paribus.host.time_left import duration
from paribus.report.costs import BEFORE, LOST, CostRow, Kind, StudyCost
from paribus.report.drawing.tables import markdown_table

if TYPE_CHECKING:
    from rich.table import Table

_WORDS: Mapping[Kind, str] = {
    "failed": "lost: failed without a result",
    "cut off": "lost: cut off and gone over again",
    "trained again": "lost: results that were trained again",
    "stopped": "lost: stopped by a scheduler",
    "interrupted": "lost unless resumed: interrupted",
    "running": "running, up to the last that is known",
}


def cost_display_rows(cost: StudyCost) -> list[dict[str, str]]:
    """The table for people; GPU-hours and money are columns where there are any."""
    gpus = any(row.gpu_hours for row in cost.rows)
    money = any(row.money is not None for row in cost.rows) and cost.prices.currency
    several = len({row.baseline for row in cost.rows if row.baseline}) > 1
    return [
        {
            "what for": _name(row, several),
            "verdict": row.verdict or "-",
            "trials": str(row.trials),
            "time of workers": duration(3600 * row.worker_hours),
            **({"GPU-hours": f"{row.gpu_hours:.3g}"} if gpus else {}),
            **({cost.prices.currency: "-" if row.money is None else f"{row.money:.2f}"} if money else {}),
        }
        for row in cost.rows
    ]


def _name(row: CostRow, several: bool) -> str:
    against = f" against {row.baseline}" if several and row.baseline else ""
    before = {"search": f"the search {row.name}", "tuning": f"tuning {row.name}"}.get(row.kind)
    return before or _WORDS.get(row.kind) or f"{row.name}{against}"


def cost_lines(cost: StudyCost) -> list[str]:
    """The whole and what each conclusion took of it, in a sentence; [] where no trial tells its time."""
    if not cost.rows:
        return []
    whole = f"cost {show_hours(cost.hours(), cost.unit)}{_price(cost)}"
    if cost.conclusions:
        each = show_hours(cost.hours() / cost.conclusions, cost.unit)
        whole += f", {each} for each of {cost.conclusions} verdicts" if cost.conclusions > 1 else ", for one verdict"
    else:
        whole += ", and no contrast is resolved"
    lost = cost.hours(*LOST)
    share = f"; {show_hours(lost, cost.unit)} of it came to nothing" if lost else ""
    before = cost.hours(*BEFORE)
    found = f"; {show_hours(before, cost.unit)} of it to find what is compared" if before else ""
    untimed = f"; {cost.untimed} trials of an earlier release tell no time" if cost.untimed else ""
    shared = "; a baseline's time is shared by the contrasts that rest on it" if _shared(cost) else ""
    return [f"{whole}{found}{share}{shared}{untimed}"]


def _shared(cost: StudyCost) -> bool:
    return sum(row.kind == "contrast" for row in cost.rows) > 1


def _price(cost: StudyCost) -> str:
    return "" if cost.money is None else f" ({cost.money:.2f} {cost.prices.currency})"


def show_hours(hours: float, unit: str) -> str:
    """`3.2 GPU-hours`; of workers, whose hours may be seconds, `12 min of workers`."""
    return f"{hours:.3g} {unit}" if unit == "GPU-hours" else f"{duration(3600 * hours)} of workers"


def costs_as_markdown(cost: StudyCost) -> str:
    """The table for people in Markdown."""
    return markdown_table(cost_display_rows(cost))


def rich_costs(cost: StudyCost) -> Table:
    """The table for people as a rich table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="what each conclusion cost", title_justify="left")
    rows = cost_display_rows(cost)
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.values()))
    return table
