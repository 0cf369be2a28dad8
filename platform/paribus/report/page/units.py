"""A page as a list of what it shows, each with where it stands: so that a difference can be told to a person."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html.parser import HTMLParser
from typing import NamedTuple

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_TITLES = ("h1", "h2", "title")
_UNSEEN = ("style", "script")


class Unit(NamedTuple):
    """A text, or a tag with its attributes, and where: section, and in a table the row's name and the column's."""

    where: str
    text: str
    is_text: bool


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.units: list[Unit] = []
        self._tags: list[str] = []
        self._section = "the page's head"
        self._heads: list[str] = []
        self._cell, self._row = -1, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tags.append(tag)
        if tag == "table":
            self._heads = []
        if tag == "tr":
            self._cell, self._row = -1, ""
        if tag == "td":
            self._cell += 1
        told = " ".join([tag, *(f'{name}="{value}"' for name, value in attrs)])
        self.units.append(Unit(self._where(), told, is_text=False))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._tags:
            while self._tags.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not data.strip():
            return
        inside = self._tags[-1] if self._tags else ""
        if inside == "script":
            return
        if "th" in self._tags:
            self._heads.append(data)
        if inside in _TITLES:
            self._section = {"h1": "the first sentence", "title": "the title"}.get(inside, data)
        if "td" in self._tags and self._cell == 0:
            self._row += data
        self.units.append(Unit(self._where(), data.strip(), is_text=inside not in _UNSEEN))

    def _where(self) -> str:
        parts = [self._section]
        if "td" in self._tags or "th" in self._tags:
            parts += [self._row] if self._row else []
            parts += [self._heads[self._cell]] if 0 <= self._cell < len(self._heads) else []
        elif "svg" in self._tags:
            parts.append("figure")
        elif "style" in self._tags:
            parts.append("style")
        return ", ".join(parts)


def units_of(page: str) -> list[Unit]:
    """What a page shows, in its order; its data are left out."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.units


def num_numbers(units: list[Unit]) -> int:
    """How many numbers the texts hold."""
    return sum(len(_NUMBER.findall(unit.text)) for unit in units if unit.is_text)


def pairs_that_differ(page: list[Unit], again: list[Unit]) -> list[tuple[Unit | None, Unit | None]]:
    """What the page shows beside what it should, wherever the two differ; None on the side that has nothing there."""
    one, other = ([unit.text for unit in side] for side in (page, again))
    found: list[tuple[Unit | None, Unit | None]] = []
    for tag, begin, end, first, last in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag != "equal":
            width = max(end - begin, last - first)
            left = [*page[begin:end], *[None] * (width - (end - begin))]
            right = [*again[first:last], *[None] * (width - (last - first))]
            found += zip(left, right, strict=True)
    return found
