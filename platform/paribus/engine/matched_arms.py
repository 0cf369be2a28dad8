"""Arms matched with their baselines: what the free number of each must be, counted once and kept under the home.

Nets are counted without values (the meta device), which needs torch and takes a few seconds; what was found is read
from then on, so that a plan starts in under a second. It is the same on every machine, for counts are whole numbers.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.engine.code_digest import trial_code, versions
from paribus.engine.preview import check_own
from paribus.errors import DataError
from paribus.host.atomic import new_file
from paribus.host.say import warn
from paribus.recipe import Recipe, RecipeError, canonical_json
from paribus.recipe.identity import result_bearing
from paribus.study import Study, StudyError
from paribus.study.designs.matching import FIGURES, Matched, is_unmatched, start_of, to_match
from paribus.study.designs.nearest_value import Counting, Number, UnreachedError, nearest
from paribus.study.document import matched_of, matched_rows
from paribus.study.words import Arm

if TYPE_CHECKING:
    from paribus.shards.manifest import Manifest


def matched(study: Study, home: Path) -> Study:
    """The study with the free number of every arm set, as `Study.match` asks; itself where there is nothing to set.

    Raises:
        StudyError: a free number that changes nothing, or that cannot bring an arm to its baseline's figure.
        DataError: the data, whose images and classes the nets are for, are not here.
    """
    if not is_unmatched(study):
        return study
    check_own(study)
    counted = _Counted(study, home)
    question = sha256(canonical_json([_question(study, arm, counted) for arm in study.arms]).encode()).hexdigest()
    file = home / "cache" / f"matched-{question[:16]}.json"
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        document = json.loads(file.read_bytes())
        known = replace(study, matched=matched_of(document["matched"]))
        if document["question"] == question and not is_unmatched(known):
            return known
    arms = to_match(study)
    warn(f"matching {len(arms)} arms of {study.name} on {FIGURES[study.match]} by {study.free}")
    found = [_match(study, arm, counted) for arm in arms]
    with suppress(OSError):  # a full or read-only disk costs the next process some seconds
        file.parent.mkdir(parents=True, exist_ok=True)
        with new_file(file) as out:
            out.write(json.dumps({"question": question, "matched": matched_rows(found)}).encode())
    return replace(study, matched=tuple(found))


class _Counted:
    """The figure that a study's arms are matched on, of any recipe."""

    def __init__(self, study: Study, home: Path) -> None:
        self._match, self._home = study.match, home

    def manifest(self, recipe: Recipe) -> Manifest:
        from paribus.shards.catalog import find

        return find(recipe.data, self._home).manifest

    def admits(self, recipe: Recipe) -> bool:
        """Whether the net takes the set's images."""
        from paribus.shards.catalog import input_size

        with suppress(DataError):
            return input_size(recipe, self.manifest(recipe)) > 0
        return False

    def __call__(self, recipe: Recipe) -> int:
        from paribus.models.complexity import count, count_params
        from paribus.shards.catalog import input_size

        manifest = self.manifest(recipe)
        channels, num_classes = manifest.channels, len(manifest.classes)
        if self._match == "params":
            return count_params(recipe.model, channels, num_classes)
        return count(recipe.model, input_size(recipe, manifest), channels, num_classes).flops


def _question(study: Study, arm: Arm, counted: _Counted) -> list[Any]:
    """All that the answer for `arm` follows from: no budget, say, as `--set` may give another."""
    asked: list[Any] = [study.match, study.free, study.match_tolerance, versions()["torch"], arm.levels]
    for recipe in (study.recipe_of(arm), study.recipe_of(study.baseline_of(arm))):
        parts = result_bearing(recipe)
        asked += [parts.get("model"), parts.get("data"), parts.get("augment")]
        asked += [counted.manifest(recipe).digest, trial_code(recipe)]
    return asked


def _match(study: Study, arm: Arm, counted: _Counted) -> Matched:
    recipe, baseline = study.recipe_of(arm), study.baseline_of(arm)
    target = counted(study.recipe_of(baseline))

    def admits(value: Number) -> bool:
        with suppress(RecipeError):
            return counted.admits(recipe.replace({study.free: value}))
        return False

    counting = Counting(admits, lambda value: counted(recipe.replace({study.free: value})))
    try:
        value = nearest(counting, start_of(study, arm, recipe), target)
    except UnreachedError as error:
        if not error.moves or abs(error.count / target - 1) > study.match_tolerance:
            raise StudyError(_unreached(study, arm, error, target)) from None
        value = error.value
    return Matched(arm=arm, value=value, figure=counting.at(value), target=target)


def _unreached(study: Study, arm: Arm, error: UnreachedError, target: int) -> str:
    figure = FIGURES[study.match]
    where = f"study {study.name!r}, arm {arm.name!r}: "
    if not error.moves:
        return (
            f"{where}free = {study.free!r} changes no {figure}: there are {error.count:,} whatever it is, and "
            f"{target:,} in the baseline; name a number that does, such as 'model.width'"
        )
    return (
        f"{where}no {study.free} comes to the {target:,} {figure} of its baseline {study.baseline_of(arm).name!r}: "
        f"the nearest is {error.value:g}, with {error.count:,} ({100 * (error.count / target - 1):+.3g} %); name "
        "another free number, or leave this arm out"
    )
