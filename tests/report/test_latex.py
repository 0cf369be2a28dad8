"""Rows as a LaTeX table: every sign is printed as it is, and numbers are aligned."""

from paribus.report.drawing.latex import latex_table, latex_text


def test_cells_are_printed_as_they_are_and_columns_of_numbers_stand_at_the_right() -> None:
    rows = [
        {"arm": "scale_a=0.1 & b", "delta": "−0.69 [−1.2, +0.1] points", "n": "14", "p": "< 0.001"},
        {"arm": "50 % {x}\\y~^", "delta": "-", "n": "-", "p": None},
    ]
    table = latex_table(rows)
    assert table.splitlines() == [
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"arm & delta & n & p \\",
        r"\midrule",
        r"scale\_a=0.1 \& b & $-$0.69 [$-$1.2, +0.1] points & 14 & \textless{} 0.001 \\",
        r"50 \% \{x\}\textbackslash{}y\textasciitilde{}\textasciicircum{} & - & - &  \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert latex_table([]) == ""
    assert latex_text("a\nb") == "a b"


def test_a_caption_makes_it_a_table_that_floats() -> None:
    table = latex_table([{"n": "3"}], caption="width_2: all")
    assert table.startswith("\\begin{table}\n\\centering\n\\caption{width\\_2: all}\n\\begin{tabular}{r}")
    assert table.endswith("\\end{tabular}\n\\end{table}\n")
