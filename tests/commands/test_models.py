"""`paribus models`, through the parser that the command line gives it."""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from paribus.commands.models import register
from paribus.models.named import NAMED
from paribus.recipe.errors import RecipeError


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args(["models", *arguments])
    return int(args.run(args))


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert run("list", "--json", *arguments) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short table, which is counted quickly; tests/golden counts them all."""
    names = ("WRN-28-10", "WRN-16-1", "WRN-50-2-bottleneck", "WRN-40-1", "ResNet-20", "ResNet-18")
    monkeypatch.setattr("paribus.commands.models.NAMED", {name: NAMED[name] for name in names})


@pytest.mark.usefixtures("few")
def test_list_prints_every_network_of_a_family_with_its_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(listed(capsys)) == 6
    rows = {row["name"]: row for row in listed(capsys, "--family", "wide_resnet")}
    assert rows["WRN-28-10"]["params"] == 36_479_194
    assert rows["WRN-50-2-bottleneck"]["size"] == 224
    assert {row["family"] for row in rows.values()} == {"wide_resnet"}


@pytest.mark.usefixtures("few")
def test_list_sorts_by_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    rows = listed(capsys, "--family", "wide_resnet", "--sort", "flops")
    flops = [row["flops"] for row in rows]
    assert flops == sorted(flops, key=float)  # type: ignore[arg-type]
    assert flops != [row["flops"] for row in listed(capsys, "--family", "wide_resnet")]


@pytest.mark.usefixtures("few")
def test_list_is_a_table_of_family_network_cost_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--family", "wide_resnet") == 0
    head, *rows, _ = capsys.readouterr().out.splitlines()
    assert head.split() == ["family", "network", "parameters", "GFLOPs", "activations", "input", "source"]
    row = next(row for row in rows if " WRN-28-10 " in row)
    assert row.split()[:6] == ["wide_resnet", "WRN-28-10", "36,479,194", "10.487", "2,596,874", "32x32"]
    assert "Zagoruyko" in row


def test_a_family_that_is_none_names_those_that_are() -> None:
    with pytest.raises(RecipeError, match=r"no family 'wide_resnets': did you mean 'wide_resnet'"):
        run("list", "--family", "wide_resnets")


def test_describe_prints_the_stages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("describe", "WRN-16-1", "--size", "8", "--channels", "1") == 0
    text = capsys.readouterr().out
    assert "64x2x2" in text
    assert "174,778" in text


def test_describe_draws_the_net_at_the_size_that_was_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "net.svg"
    assert run("describe", "WRN-16-1", "--size", "8", "--channels", "1", "--svg", str(file)) == 0
    assert f"drawn in {file}" in capsys.readouterr().err
    words = [text.text for text in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "WRN-16-1: 0.17 million parameters, 0.003 GFLOPs at 8×8"
    assert {"1 × 8 × 8", "64 × 2 × 2", "conv 3×3 /2"} <= set(words)


def test_expand_draws_more(tmp_path: Path) -> None:
    short, long = tmp_path / "short.svg", tmp_path / "long.svg"
    assert run("describe", "WRN-40-1", "--svg", str(short)) == 0
    assert run("describe", "WRN-40-1", "--svg", str(long), "--expand") == 0
    assert "× 5" in short.read_text(encoding="utf-8")
    assert long.read_text(encoding="utf-8").count("conv 3×3") > 3 * short.read_text(encoding="utf-8").count("conv 3×3")


def test_expand_without_a_picture_is_refused() -> None:
    with pytest.raises(RecipeError, match="--svg"):
        run("describe", "WRN-16-1", "--expand")


def test_a_picture_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot write .*nowhere"):
        run("describe", "WRN-16-1", "--svg", str(tmp_path / "nowhere" / "net.svg"))


def test_an_unknown_network_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"no network 'WRN-28-100': .*WRN-28-10"):
        run("describe", "WRN-28-100")


def test_a_size_below_the_minimum_of_the_net_names_it() -> None:
    with pytest.raises(RecipeError, match=r"--size 40: .* Inception-v4: its minimum is 75"):
        run("describe", "Inception-v4", "--size", "40")


def test_a_size_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("describe", "WRN-16-1", "--size", "0")
    assert "'0' should be a whole number from 1" in capsys.readouterr().err


def test_registering_imports_no_torch_and_no_graphviz() -> None:
    heavy = "{'torch', 'pygraphviz'} & set(sys.modules)"
    code = f"import sys, paribus.commands.models, paribus.models.named; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
