"""Names are shown as they are, whatever signs they have, by what reads Markdown."""

import pytest

from paribus.report.drawing.markup import as_markdown_cell, as_plain_markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("`code` *bold* ~gone~", r"\`code\` \*bold\* \~gone\~"),
        ("[a](http://x) ![p](http://x)", r"[a]\(http://x) \![p]\(http://x)"),
        ("two\nlines", "two lines"),
        ("p < 0.001, residual_scale=0.1 · [+0.1, +0.2]", "p < 0.001, residual_scale=0.1 · [+0.1, +0.2]"),
        ("&lt;b&gt; R & D", "&amp;lt;b&amp;gt; R & D"),
    ],
)
def test_markdown_shows_the_text_itself(text: str, shown: str) -> None:
    assert as_plain_markdown(text) == shown


def test_a_cell_keeps_its_pipes() -> None:
    assert as_markdown_cell("a|b | c") == r"a\|b \| c"
