"""What people read of a search: what was tried, what came of it, and what of that stood up to confirmation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from paribus.engine.searches.population import Population
from paribus.engine.searches.search_preview import SearchPreview, tried_row
from paribus.engine.searches.tried import Tried
from paribus.host.secrets import without_secrets
from paribus.recipe import Recipe
from paribus.report.searches.confirmed import Chosen, Confirmed, choose, stood_up

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport
    from paribus.study.searches.search import Search

# Where the driver keeps a report's `as_dict` with the search.
RESULT_FILE = "found.json"


@dataclass(frozen=True, kw_only=True)
class SearchReport:
    """A search as the ledger has it. `best` are the settings to confirm, the best of what it saw first; `front` those
    of the Pareto front, where there are several objectives; `confirmation` is the study's report, None where it has not
    begun."""

    preview: SearchPreview
    best: tuple[Tried, ...]
    front: tuple[Tried, ...]
    outcomes: Mapping[str, int]
    confirmation: StudyReport | None = None

    @property
    def search(self) -> Search:
        """The search."""
        return self.preview.search

    @property
    def tried(self) -> tuple[Tried, ...]:
        """What was tried, in order."""
        return tuple(each for _, each in sorted(self.preview.walk.tried.items()))

    def chosen(self) -> Chosen:
        """The best, by the one rule: see `choose`. Everything that names a best names this one."""
        found = choose(self.search, self.best, self.confirmed(), self.confirmation)
        if not isinstance(self.preview.walk, Population) or found.number is None:
            return found
        return replace(
            found,
            levels=None,
            words="not confirmed, and no recipe has it: it came about through several settings, one after another",
        )

    def recipe(self) -> Recipe | None:
        """The recipe of what is `chosen`, as a study can take it for its base; None where nothing is, or has one."""
        levels = self.chosen().levels
        return None if levels is None else self.search.final_recipe.replace(levels)

    def history(self) -> list[tuple[int, float]]:
        """(number, best value up to it) after each trial that was trained to its end: how the search came on."""
        return self.preview.walk.history()

    def confirmed(self) -> list[Confirmed]:
        """What was confirmed, the baseline left out, in the order of the search."""
        return stood_up(self.search, self.best, self._baseline(), self.confirmation)

    def as_dict(self) -> dict[str, Any]:
        """The search as plain data."""
        search = self.search
        return {
            "search": search.name,
            "settings": self.preview.settings.name,
            "metric": search.metric,
            "outcomes": dict(self.outcomes),
            "ended_by": self.preview.walk.ended_by,
            "chosen": self.chosen().as_dict(),
            "best": [tried_row(each, search) for each in self.best],
            "front": [tried_row(each, search) for each in self.front],
            "history": self.history(),
            "trials": [tried_row(each, search) for each in self.tried],
            "confirmed": [vars(each) for each in self.confirmed()],
            "notes": list(self.preview.notes),
            **({"lineage": self.lineage()} if isinstance(self.preview.walk, Population) else {}),
        }

    def lineage(self) -> dict[int, list[int]]:
        """Of a population: through which trials each of the best came about, the first one first; else nothing."""
        walk = self.preview.walk
        if not isinstance(walk, Population):
            return {}
        return {each.number: [one.number for one in walk.line_of(each.number)] for each in self.best}

    def _baseline(self) -> float | None:
        """What the search saw of the baseline."""
        for each in self.tried:
            if each.state == "finished" and self.search.is_baseline(each.levels):
                return each.metrics[self.search.metric]
        return None


def search_report(preview: SearchPreview, confirmation: StudyReport | None = None) -> SearchReport:
    """The report of what is known."""
    walk = preview.walk
    outcomes: Counter[str] = Counter(each.outcome or each.state for each in walk.tried.values())
    front = tuple(walk.front()) if preview.search.against else ()
    return SearchReport(
        preview=preview, best=tuple(walk.best()), front=front, outcomes=outcomes, confirmation=confirmation
    )


def search_markdown(report: SearchReport) -> str:
    """What MLflow's page shows of the search."""
    search, metric = report.search, report.search.primary
    lines = [f"**{without_secrets(search.question)}**", "", "Exploratory until what it finds is confirmed.", ""]
    lines += [f"| # | setting | {metric.short} |", "|---|---|---|"]
    for each in report.best:
        value = metric.show(each.metrics[metric.name])
        lines.append(f"| {each.number} | {without_secrets(search.arm_of(each.levels).name)} | {value} |")
    came = [f"- #{number}: {without_secrets(text)}" for number, text in schedules(report).items()]
    return "\n".join([*lines, *(["", "How they came about:", "", *came] if came else [])])


def schedules(report: SearchReport) -> dict[int, str]:
    """Of a population: the settings that each of the best went through, in words."""
    walk, found = report.preview.walk, {}
    if isinstance(walk, Population):
        for number in report.lineage():
            line = groupby(walk.line_of(number), key=lambda each: report.search.arm_of(each.levels).name)
            found[number] = "; ".join(_stage(walk, name, [each.number for each in own]) for name, own in line)
    return found


def _stage(walk: Population, name: str, numbers: Sequence[int]) -> str:
    (first, _), (_, last) = walk.span_of(numbers[0]), walk.span_of(numbers[-1])
    epochs = f"epochs {first} to {last}" if last > first else f"epoch {last}"
    return f"{epochs} at {name} ({', '.join(f'#{number}' for number in numbers)})"
