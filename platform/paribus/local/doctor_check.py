"""What one look of the doctor finds."""

from dataclasses import dataclass
from typing import Literal

from paribus.host.secrets import without_secrets


@dataclass(frozen=True, kw_only=True)
class Check:
    """`problem`: something will not work. `warning`: it works, not as well. `remedy` says what to do.

    Neither text shows the password of an address, whatever the shell exports and servers answer.
    """

    name: str
    level: Literal["ok", "warning", "problem"]
    text: str
    remedy: str = ""

    def __post_init__(self) -> None:
        for name in ("text", "remedy"):
            object.__setattr__(self, name, without_secrets(getattr(self, name)))


def ok(name: str, text: str) -> Check:
    return Check(name=name, level="ok", text=text)


def warning(name: str, text: str, remedy: str) -> Check:
    return Check(name=name, level="warning", text=text, remedy=remedy)


def problem(name: str, text: str, remedy: str) -> Check:
    return Check(name=name, level="problem", text=text, remedy=remedy)
