"""`paribus judge --html`: one page of results from elsewhere, which proves itself as a study's page does."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from paribus.commands.main import main
from paribus.report.page.sheet import document_in, seal_in, seal_of


def test_a_judgement_is_a_page_whose_runs_are_judged_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw, table, page = np.random.default_rng(2), tmp_path / "runs.csv", tmp_path / "page.html"
    rows = [
        (arm, seed, round(80 + effect + float(draw.normal(0, 0.2)), 4), "finished")
        for arm, effect in (("relu", 0.0), ("<gelu>", 1.0), ("wild", 0.0))
        for seed in range(6)
    ]
    rows[13] = ("wild", 1, "inf", "diverged")
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("act", "seed", "acc", "outcome"), *rows])
    words = [str(table), "--baseline", "relu", "--margin", "0.5", "--html", str(page)]
    assert main(["judge", *words]) == 0
    assert f"wrote {page}" in capsys.readouterr().err

    def said(text: str) -> tuple[int, str]:
        page.write_text(text)
        code = main(["verify", str(page)])
        return code, capsys.readouterr().out

    text = page.read_text()
    assert said(text)[0] == 0
    assert text.index("<h1>&lt;gelu&gt; is better than relu by ") < text.index('<figure id="effects"')
    assert "keep: &lt;gelu&gt; is better" in text
    assert text.count("<title>pair ") == 11, "each seed's point, but for the pair that failed to train"
    assert document_in(text)["verdicts"]["contrasts"][0]["verdict"] == "better"
    assert not re.search(r"\bnan\b", text)
    value = str(rows[6][2])
    for old, new in (
        (f",{value},", f",{rows[6][2] + 0.01},"),
        ("<td>better</td>", "<td>worse</td>"),
        ("<b>keep", "<b>drop"),
        ("larger is taken for better", "smaller is taken for better"),
        ('"diverged"', '"failed"'),
    ):
        altered = text.replace(old, new, 1)
        assert altered != text, old
        assert said(altered.replace(seal_in(altered), seal_of(altered)))[0] == 1, old
    page.write_text(text)
    assert main(["verify", str(page), "--ledger", "http://127.0.0.1:9"]) == 2
    assert "made elsewhere" in capsys.readouterr().out
    assert main(["judge", *words[:-1], str(tmp_path / "none" / "page.html")]) == 2, "before anything is read"
