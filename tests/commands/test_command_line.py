"""The command line before anything trains: help, examples, and errors that are sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from paribus.commands.main import main

VERBS = (
    *("plan", "pilot", "run", "status", "report", "retry", "export", "evaluate", "ledger"),
    *("up", "down", "doctor", "models", "shards", "data"),
)
STUDY = '''#!/usr/bin/env python
"""Does a wider net help?"""

from paribus import Study, main

study = Study(name="wide", base="synthetic", factors={factors}, margin=4.0)

if __name__ == "__main__":
    main(study)
'''
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No ledger, no cluster, a home of the test's own."""
    for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "PARIBUS_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "home"))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(factors: str = '{"model.width": (0.25, 0.5)}', text: str = STUDY) -> Path:
        path = tmp_path / "wide.py"
        path.write_text(text.replace("{factors}", factors))
        path.chmod(0o755)
        return path

    return make


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that is wrong says on stderr; its exit code has to be 2."""
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("paribus: ")
    assert len(said.err.splitlines()) == 1
    return said.err


@pytest.mark.parametrize(
    "words", [(), *((verb,) for verb in VERBS), ("shards", "make"), ("models", "list"), ("data", "hash")]
)
def test_every_help_works(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*words, "--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: paribus")
    assert len(said.splitlines()) > 4


@pytest.mark.parametrize("words", [(), *((verb,) for verb in VERBS[:7])])
def test_help_shows_examples(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    assert "example" in capsys.readouterr().out


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(verb in said for verb in VERBS)


@pytest.mark.parametrize("words", [["--help"], ["plan"]])
def test_help_and_plan_import_nothing_heavy(words: list[str], write: Write) -> None:
    path = str(write(text=STUDY.replace("synthetic", "digits")))  # the plan makes the set
    words = [*words, path] if words == ["plan"] else words
    code = (
        "import sys\n"
        "from paribus.commands.main import main\n"
        f"try:\n    main({words})\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'ray', 'mlflow', 'pandas', 'sklearn', 'plotly', 'scipy.stats', 'httpx'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_study_files_own_help_has_its_question_and_examples(write: Write) -> None:
    path = write()
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Does a wider net help?" in done.stdout
    assert "wide.py run --replicates 10" in done.stdout


def test_a_plan_with_no_ledger_trains_and_starts_nothing(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(write()), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["counts"] == {"start": 10}
    assert "no ledger is up" in plan["note"]
    assert not (Path(os.environ["PARIBUS_HOME"]) / "mlflow").exists()


def test_base_and_settings_change_the_plan(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write())

    def ids(*words: str) -> set[str]:
        assert main(["plan", path, "--json", *words]) == 0
        return {trial["id"] for trial in json.loads(capsys.readouterr().out)["trials"]}

    plain = ids()
    other_base, longer = ids("--base", "digits"), ids("--set", "budget=3 steps")
    assert len(plain | other_base | longer) == 10 + 15 + 10, "the digits base is an arm of its own"
    assert ids("--replicates", "2") < plain
    assert ids("--set", "resources.cpus=2") == plain, "what a trial runs on is no part of its identity"
    monkeypatch.setenv("PARIBUS_BASE", "digits")
    assert ids() == other_base


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--base", "digit"], "digits"),
        (["--set", "model.dept=16"], "model.depth"),
        (["--set", "model.depth=17"], "17"),
        (["--set", "model.depth=deep"], "deep"),
        (["--set", "model.dropout=1.5"], "1.5"),
        (["--set", "model.residual_scale=-1"], "-1"),
        (["--set", "model.depth"], "PATH=VALUE"),
        (["--set", "model.width=2"], "model.width"),
        (["--set", "model=ResNet50"], "no network 'ResNet50': the nearest are ResNet-50, "),
        (
            ["--set", "model=GoogLeNet", "--set", "data.size=28"],
            "28 pixels is too small for GoogLeNet: its minimum is 31",
        ),
        (["--set", "model.family=resnet", "--set", "model.depth=21"], "the nearest are 20 and 26"),
        (
            ["--set", "model.family=resnext", "--set", "model.cardinality=300"],
            "the largest cardinality that does is 269",
        ),
        (["--set", "model.family=inception_v3", "--set", "model.resolution=200"], "should be 299, 151 or 79"),
        (["--set", "model.family=inception_v4", "--set", "model.blocks=4,7"], "too few values"),
        (["--replicates", "0"], "0"),
    ],
)
def test_a_wrong_option_is_a_sentence(
    words: list[str], says: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in refusal(capsys, "plan", write(text=STUDY.replace('"synthetic"', '"digits"')), *words)


def test_a_net_for_larger_images_than_the_data_has_names_its_minimum(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(text=STUDY.replace('"synthetic"', '"digits"'))
    assert main(["plan", str(path), "--set", "model=Inception-v4"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("paribus: digits: an input of 8 pixels is too small for Inception-v4: its minimum is 75")
    assert main(["plan", str(path), "--set", "model=Inception-v4", "--set", "data.size=75"]) == 0
    assert main(["plan", str(path), "--set", "model=Inception-v4", "--set", "model.stem=small"]) == 0


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        ('{"model.widht": (1.0, 2.0)}', "model.width"),
        ('{"model.width": ("wide", 2.0)}', "wide"),
        ('{"model.width": ()}', "model.width"),
        ('{"model.width": (1.0, 1.0)}', "1.0"),
        ('{"model.depth": (10, 15)}', "15"),
        ('{"model.dropout": (0.0, 1.0)}', "1.0"),
        ('{"model.residual_scale": (1.0, -0.1)}', "-0.1"),
    ],
)
def test_a_wrong_study_is_a_sentence(factors: str, says: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refusal(capsys, "plan", write(factors))


def test_a_file_that_is_no_study_is_a_sentence(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(text="from paribus import Study\n")
    assert "holds 0 studies" in refusal(capsys, "plan", path)
    write()
    assert "wide.py" in refusal(capsys, "plan", tmp_path / "wise.py")
    (tmp_path / "notes.txt").write_text("no study")
    assert "notes.txt" in refusal(capsys, "run", tmp_path / "notes.txt")


def test_a_margin_below_one_evaluation_image_is_refused_before_training(
    write: Write, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No server is there, and none is needed: it is refused before anything is sent.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    path = write(text=STUDY.replace("margin=4.0", "margin=0.5"))
    assert main(["run", str(path)]) == 2
    assert "margin 0.5" in capsys.readouterr().err


def test_an_address_that_is_no_servers_is_a_sentence(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(write()), "--ledger", "sqlite:///mlflow.db"]) == 1
    assert "http" in capsys.readouterr().err
    assert main(["status", str(write()), "--ledger", "http://127.0.0.1:9"]) == 1
    assert "No MLflow server answers at http://127.0.0.1:9" in capsys.readouterr().err


SEARCH = '''"""Which rate is best?"""
from paribus import Float, Search
search = Search(name="rates", base="synthetic", space={"optimizer.lr": Float(0.01, 1.0, log=True)}, trials=4)
'''


def test_what_cannot_be_piloted_says_why(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a pilot trains the first of the study's replicates, and so takes 1 to 5" in refusal(
        capsys, "pilot", write(), "--replicates", 6
    )
    assert "pilot is for a study whose arms are known, and rates finds settings first" in refusal(
        capsys, "pilot", write(text=SEARCH)
    )


def test_models_and_shards_are_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "list", "--family", "wide_resnet"]) == 0
    assert "WRN-28-10" in capsys.readouterr().out
    folder = tmp_path / "digits"
    assert main(["shards", "make", "digits", str(folder)]) == 0
    assert main(["shards", "verify", str(folder)]) == 0
    capsys.readouterr()


HOMES = {
    "a file": "file",
    "below a file": "file/deeper",
    "a device": "/dev/null",
    "read-only": "/sys/paribus",
    "too long": "/tmp/" + "x" * 300,
    "a link to itself": "loop",
    "nobody's": "~nobody-of-this-name/x",
}


@pytest.mark.parametrize("where", HOMES.values(), ids=HOMES)
@pytest.mark.parametrize("verb", ["plan", "status", "up", "down", "doctor"])
def test_a_home_that_cannot_be_used_is_one_sentence_that_names_it(
    verb: str,
    where: str,
    write: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    home = where if where[0] in "/~" else str(tmp_path / where)
    monkeypatch.setenv("PARIBUS_HOME", home)
    code = main([verb, str(write())] if verb in ("plan", "status") else [verb])
    said = "".join(capfd.readouterr())
    if verb == "doctor" and code != 2:
        assert "PROBLEM" in said
    assert code in (1, 2), said
    assert home in said
    assert "PARIBUS_HOME" in said or "cannot be made" in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("PARIBUS_CACHE_GIB", text) for text in ("abc", "", "nan", "inf", "-1", "1e300")),
        *(("PARIBUS_CHECKPOINT_S", text) for text in ("abc", "0")),
        *(("PARIBUS_DRAIN_S", text) for text in ("abc", "nan")),
    ],
)
def test_a_variable_that_is_no_number_is_refused_by_the_plan(
    variable: str, value: str, write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not by a worker, or at the end of a study."""
    monkeypatch.setenv(variable, value)
    assert main(["plan", str(write())]) in (1, 2)
    assert variable in capsys.readouterr().err


def test_a_name_over_the_limit_of_file_systems_is_refused_when_the_study_is_built(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, size in (("x" * 300, 300), ("é" * 70, 140), ("x" * 121, 121)):
        said = refusal(capsys, "plan", write(text=STUDY.replace('"wide"', repr(name))))
        assert f"has {size} bytes: at most 120" in said
    assert main(["plan", str(write(text=STUDY.replace('"wide"', repr("x" * 120))))]) == 0
