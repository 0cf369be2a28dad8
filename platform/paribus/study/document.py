"""A study as a JSON document, so that the ledger holds what a report needs without the study's file."""

import json
from dataclasses import asdict, fields
from typing import Any

from paribus.recipe import Recipe, RecipeError, preset
from paribus.study.designs import StudyError
from paribus.study.study import Study
from paribus.study.words import Claim, level_from_json


def write_study(study: Study) -> str:
    """The study as JSON; its base is written out whole, because presets may change."""
    base = preset(study.base) if isinstance(study.base, str) else study.base
    plain = {field.name: getattr(study, field.name) for field in fields(Study) if field.name not in ("base", "claim")}
    claim = asdict(study.claim) if study.claim else None
    return json.dumps({**plain, "base": base.model_dump(), "claim": claim}, indent=2, default=dict)


def read_study(text: str | bytes) -> Study:
    """The study that `write_study` wrote.

    Raises:
        StudyError: the text is no such document.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        document["base"] = Recipe.read(json.dumps(document["base"]))
        document["factors"] = {path: _levels(levels) for path, levels in document["factors"].items()}
        document["fixed"] = _by_path(document["fixed"])
        document["baseline"] = None if document["baseline"] is None else _by_path(document["baseline"])
        document["arms_listed"] = tuple(_by_path(arm) for arm in document["arms_listed"])
        if claim := document["claim"]:
            claim["arms"] = {path: _levels(levels) for path, levels in claim["arms"].items()}
            document["claim"] = Claim(**claim)
        return Study(**document)
    except (StudyError, RecipeError):
        raise
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError, ValueError) as error:
        raise StudyError(f"this is no study document ({error}); paribus writes one as study.json of a study") from None


def _levels(levels: list[Any]) -> tuple[Any, ...]:
    return tuple(map(level_from_json, levels))


def _by_path(levels: dict[str, Any]) -> dict[str, Any]:
    return {path: level_from_json(level) for path, level in levels.items()}
