"""Past results out of a CSV file: a column a field of the recipe, named by its path, and one for the metric."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paribus.engine.searches.past_fit import Gathered, asked_for
from paribus.recipe.errors import nearest
from paribus.recipe.paths import leaves
from paribus.study.designs.arms import StudyError
from paribus.study.searches.bounds import COSTS
from paribus.study.searches.domains import Domain, Float, Int, label
from paribus.study.searches.search import Search
from paribus.study.words import show_level

# What `paribus export` of a search writes beside the fields and the metric.
_OURS = ("number", "state", "outcome", "epochs", "last_seen", "seconds", "reason")
_DID_NOT_TRAIN = ("diverged", "dead", "stuck")
MOST_ROWS = 5000


def read_file(source: str, found: Gathered) -> None:
    """Add the rows of a file.

    Raises:
        StudyError: there is no such file, or it is none of these; a column that is unknown or missing; a cell that is
            no number where one is due.
    """
    search = found.search
    try:
        with Path(source).open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            rows, columns = list(table), list(table.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"start has {source!r}, which can't be read from {Path.cwd()}: {error}") from None
    if len(rows) > MOST_ROWS:
        raise StudyError(f"{source} has {len(rows):,} rows, and {MOST_ROWS:,} are the most to learn from")
    _check_columns(search, source, columns)
    fixed = {path: value for path, value in leaves(search.base_recipe.model_dump()) if path in columns}
    fixed = {path: value for path, value in fixed.items() if path not in search.space}
    for number, row in enumerate(rows, start=2):  # the first line has the columns' names
        if None in row or None in row.values():
            raise StudyError(f"{source}, line {number}: it has not as many cells as there are columns")
        _add(found, source, number, row, fixed)


def _check_columns(search: Search, source: str, columns: Sequence[str]) -> None:
    paths = [path for path, _ in leaves(search.base_recipe.model_dump())]
    known = [*search.space, *search.metrics, *COSTS, *paths, *_OURS]
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise StudyError(f"{source} has the column {twice[0]!r} more than once")
    if strange := [name for name in columns if name not in known]:
        raise StudyError(
            f"{source} has the column {strange[0]!r}, which is no field of a recipe and no metric: "
            f"{nearest(strange[0], known)}"
        )
    for name in asked_for(search):
        if name not in columns:
            raise StudyError(
                f"{source} has no column {name!r}{_of_other_sign(search, columns)}: what a search learns from"
            )
    if missing := [path for path, domain in search.domains if path not in columns and not domain.when]:
        raise StudyError(f"{source} has no column {missing[0]!r}, which the space asks of every setting")


def _of_other_sign(search: Search, columns: Sequence[str]) -> str:
    """That a metric is there of which the better values are the worse ones here."""
    own = search.primary
    for name in columns:
        other = search.metrics.get(name)
        if other is not None and other.sign != own.sign:
            more, less = ("less", "more") if own.sign > 0 else ("more", "less")
            return f" (it has {name}, of which {more} is better, where of {own.name} {less} is)"
    return ""


def _add(found: Gathered, source: str, number: int, row: Mapping[str, str], fixed: Mapping[str, Any]) -> None:
    search = found.search
    for path, value in fixed.items():
        if row[path].strip() and not _same(row[path].strip(), value):
            found.leave(source, f"{path} = {row[path].strip()} and not {value}")
            return
    levels: dict[str, Any] = {}
    for path, domain in search.domains:
        if text := row.get(path, "").strip():
            levels[path] = _level(text, domain)
    if row.get("outcome", "").strip() in _DID_NOT_TRAIN:
        found.add(source, search.domains.asked(levels), {})
        return
    if not row[search.metric].strip():
        found.leave(source, f"no value of {search.metric}")
        return
    metrics = {}
    for name in asked_for(search):
        text = row[name].strip()
        try:
            metrics[name] = float(text) if text else math.nan
        except ValueError:
            raise StudyError(f"{source}, line {number}: {name} = {text!r} is no number") from None
    found.add(source, search.domains.asked(levels), metrics)


def _level(text: str, domain: Domain) -> Any:
    """The level that a cell names; the text itself where it names none, which then is outside of the domain."""
    try:
        if isinstance(domain, Float):
            return float(text)
        if isinstance(domain, Int):
            return int(float(text)) if float(text) == int(float(text)) else float(text)
    except (ValueError, OverflowError):
        return text
    words = {word: option for option in domain.options for word in (str(option), show_level(option), label(option))}
    return words.get(text, text)


def _same(text: str, value: Any) -> bool:
    if text in (str(value), show_level(value)):
        return True
    try:
        return not isinstance(value, (str, bool)) and float(text) == float(value)
    except (TypeError, ValueError):
        return False
