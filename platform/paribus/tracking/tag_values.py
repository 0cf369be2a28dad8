"""Typed values out of a run's tags: one that is damaged is named and costs itself alone, never the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

if TYPE_CHECKING:
    from paribus.study.words import Arm, FailureClass, Outcome

_SHOWN = 60
_Number = TypeVar("_Number", int, None)


class TagValues:
    """The tags of one run; `faults` gathers a sentence for each that could not be read."""

    def __init__(self, tags: Mapping[str, str]) -> None:
        self.tags = tags
        self.faults: list[str] = []

    def json(self, key: str, default: Any, kind: type | tuple[type, ...] = dict) -> Any:
        """The JSON value of the tag, `default` where it is missing, empty, cut or of another type than `kind`."""
        text = self.tags.get(key)
        if not text:
            return default
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = ...
        return value if isinstance(value, kind) else self._unread(key, text, default)

    def whole(self, key: str, default: _Number) -> int | _Number:
        """The whole number of the tag."""
        text = self.tags.get(key)
        try:
            return int(text) if text else default
        except ValueError:
            self._unread(key, str(text), None)
            return default

    def numbers(self, key: str) -> dict[str, float]:
        """The JSON object of numbers in the tag, such as final metrics."""
        found = self.json(key, {})
        good = {name: number for name, number in found.items() if type(number) in (int, float)}
        if len(good) < len(found):
            self._unread(key, self.tags[key], None)
        return good

    def outcome(self, key: str) -> Outcome | None:
        """The trial's outcome; None where it has none, or one that no trial can have."""
        from paribus.study.words import Outcome

        text = self.tags.get(key) or None
        if text is not None and text not in get_args(Outcome):
            allowed = ", ".join(get_args(Outcome))
            self.faults.append(
                f"the ledger gives it the outcome {_short(text)}, which is none of {allowed}: it counts as not ended, "
                "and the study's command trains it again"
            )
            return None
        return cast("Outcome | None", text)

    def failure(self, key: str) -> FailureClass | None:
        """The class of the trial's failure; None where there is none, or none that we know."""
        from paribus.study.words import FailureClass

        text = self.tags.get(key) or None
        if text is not None and text not in get_args(FailureClass):
            self._unread(key, text, None)
            return None
        return cast("FailureClass | None", text)

    def arm(self, key: str) -> Arm:
        """The trial's arm; one without levels where the tag cannot be read."""
        from paribus.study.words import Arm, arm_from_json

        pairs = self.json(key, [], list)
        try:
            return arm_from_json(pairs)
        except (TypeError, ValueError):
            self._unread(key, self.tags[key], None)
            return Arm(())

    def _unread(self, key: str, text: str, default: Any) -> Any:
        self.faults.append(f"its tag {key} cannot be read (it begins {_short(text)}); it counts as missing")
        return default


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
