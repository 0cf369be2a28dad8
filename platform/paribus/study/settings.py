"""The settings of a study: base, fixed fields and budget. The same study at other settings is another study run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from paribus.recipe import Recipe, preset
from paribus.recipe.identity import result_bearing
from paribus.recipe.paths import leaves
from paribus.study.words import show_level

if TYPE_CHECKING:
    from paribus.study.searches.search import Search
    from paribus.study.study import Study

_ABSENT = object()
_MOST_NAMED = 4
_LONGEST = 160


@dataclass(frozen=True)
class Settings:
    """What a study run is known by: a digest, and the `name` of what differs from the study's file.

    `name` is "" for the settings that the file declares; `digest` is "" where an earlier release kept none.
    """

    digest: str = ""
    name: str = ""

    @property
    def declared(self) -> bool:
        """Whether these are the settings of the study's file."""
        return not self.name

    def title(self, study: str) -> str:
        """`width`, or `width · budget=2 epochs` at other settings than the file's."""
        return f"{study} · {self.name}" if self.name else study


def settings_of(study: Study | Search, declared: Study | Search | None = None) -> Settings:
    """The settings of `study`, named by what differs from those of `declared`, the study as its file has it.

    The digest is over what the study has `settled`.
    """
    found = _digest(study)
    if declared is None or found == _digest(declared):
        return Settings(digest=found)
    words = ", ".join(_differences(study, declared))
    name = words if len(words) <= _LONGEST else f"{words[:_LONGEST]} ... ({found[:8]})"
    return Settings(digest=found, name=name or f"settings {found[:8]}")


def _digest(study: Study | Search) -> str:
    return sha256(study.settled.encode()).hexdigest()[:16]


def _differences(study: Study | Search, declared: Study | Search) -> Iterator[str]:
    """As a person asked for them: `base=cifar10`, `budget=2 epochs`; else field by field."""
    theirs = _fields(declared.base_recipe)
    changed = {path: value for path, value in _fields(study.base_recipe).items() if theirs.get(path, _ABSENT) != value}
    named = isinstance(study.base, str) and _base(study) != _base(declared)
    if named:
        yield f"base={study.base}"
    for path, level in study.fixed.items():
        covered = [field for field in changed if field == path or field.startswith(f"{path}.")]
        if covered:
            yield f"{path}={show_level(level)}"
        changed = {field: value for field, value in changed.items() if field not in covered}
    if not named:
        yield from (f"{path}={value}" for path, value in list(changed.items())[:_MOST_NAMED])
        if len(changed) > _MOST_NAMED:
            yield f"and {len(changed) - _MOST_NAMED} more"


def _fields(recipe: Recipe) -> dict[str, Any]:
    return dict(leaves(result_bearing(recipe)))


def _base(study: Study | Search) -> Recipe:
    return preset(study.base) if isinstance(study.base, str) else study.base
