"""`paribus models`, through the parser that the command line gives it."""

import argparse
import json
import subprocess
import sys

import pytest

from paribus.models.commands import register


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args(["models", *arguments])
    return int(args.run(args))


def test_list_prints_every_network_with_its_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["WRN-28-10"]["params"] == 36_479_194
    assert rows["WRN-50-2-bottleneck"]["size"] == 224


def test_describe_prints_the_stages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("describe", "WRN-16-1", "--size", "8", "--channels", "1") == 0
    text = capsys.readouterr().out
    assert "64x2x2" in text
    assert "174,778" in text


def test_a_size_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("describe", "WRN-16-1", "--size", "0")
    assert "'0' should be a whole number from 1" in capsys.readouterr().err


def test_registering_imports_no_torch() -> None:
    code = "import sys, paribus.models.commands, paribus.models.named; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
