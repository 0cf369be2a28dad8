"""Names and sentences of people, shown as they are by what reads Markdown or HTML."""

from __future__ import annotations

import re

from paribus.host.secrets import without_secrets

# What begins a tag or an entity; the `<` of `< 0.001` begins none.
_TAG = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")
_SIGNS = re.compile(r"[`*~]|(?<=\])\(|!(?=\[)")


def as_plain_markdown(text: str) -> str:
    """The text such that Markdown shows it as it is, on one line: no tag, code, emphasis, link or picture."""
    one_line = " ".join(text.splitlines())
    return _SIGNS.sub(r"\\\g<0>", _TAG.sub(lambda found: {"<": "&lt;", "&": "&amp;"}[found[0]], one_line))


def as_safe_markdown(text: str) -> str:
    """`as_plain_markdown` without the secrets of addresses, for text of people and of the ledger."""
    return as_plain_markdown(without_secrets(text))


def as_markdown_cell(text: str) -> str:
    """`as_plain_markdown` for a cell of a table."""
    return as_plain_markdown(text).replace("|", r"\|")
