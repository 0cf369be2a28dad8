"""Tables under a heading `file` or `command` in any README are true: what they name exists, and nothing is left out."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from paribus.metrics.examples import Examples
from paribus.study.study_file import load_study

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
_CODE = re.compile(r"`([^`]+)`")


def tracked() -> list[Path]:
    """Every file that git knows or would take, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).exists()]


def tables(readme: Path, heading: str) -> list[list[str]]:
    """The first cells of every table whose first column has this heading, one list per table."""
    found: list[list[str]] = []
    inside = False
    for line in readme.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0].lower() == heading:
            found.append([])
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            found[-1].append(cells[0])
    return found


def names(cells: list[str]) -> list[str]:
    return [name for cell in cells for name in _CODE.findall(cell)]


@cache
def make_targets() -> set[str]:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^ +make (\w+)", shown, re.MULTILINE))


@cache
def verbs() -> set[str]:
    shown = subprocess.run([str(BIN / "paribus"), "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^    (\w+) ", shown, re.MULTILINE))


READMES = sorted(path for path in tracked() if path.name == "README.md")


@pytest.mark.parametrize("readme", READMES, ids=str)
def test_the_files_of_a_readme_are_the_files_that_are_there(readme: Path) -> None:
    folder = readme.parent
    listed = [name.rstrip("/") for table in tables(ROOT / readme, "file") for name in names(table)]
    if not listed:
        return
    missing = [name for name in listed if not list((ROOT / folder).glob(name))]
    assert missing == [], f"{readme} names what is not there"
    there = {path.relative_to(folder).parts[0] for path in tracked() if folder in path.parents}
    said = {path.relative_to(ROOT / folder).parts[0] for name in listed for path in (ROOT / folder).glob(name)}
    unsaid = {name for name in there - said if not name.startswith((".", "__init__", "README", "conftest"))}
    assert unsaid == set(), f"{readme} does not name what is there"


@pytest.mark.parametrize("readme", READMES, ids=str)
def test_a_readme_that_names_files_of_a_folder_within_names_all_of_them(readme: Path) -> None:
    assert unsaid_within(ROOT, readme, tracked()) == [], f"{readme} has rows of other files beside these: add theirs"


def unsaid_within(root: Path, readme: Path, known: list[Path]) -> list[str]:
    """Files of the folders below a README's own that lie beside files which it names, and that it does not name."""
    folder = readme.parent
    listed = [name for table in tables(root / readme, "file") for name in names(table)]
    said = {path.relative_to(root) for name in listed for path in (root / folder).glob(name)}
    within = {path.parent for path in said} - {folder, *folder.parents} - said
    return sorted(
        str(path)
        for path in set(known) - said
        if path.parent in within and not path.name.startswith((".", "__init__", "README", "conftest"))
    )


def test_a_file_left_out_of_a_folder_within_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "room" / "kinds").mkdir(parents=True)
    known = [Path("room/kinds") / name for name in ("one.py", "two.py", "__init__.py")]
    for path in known:
        (tmp_path / path).touch()
    readme = Path("room/README.md")
    (tmp_path / readme).write_text("| file | what |\n|---|---|\n| `kinds/one.py` | one |\n")
    assert unsaid_within(tmp_path, readme, known) == ["room/kinds/two.py"]
    (tmp_path / readme).write_text("| file | what |\n|---|---|\n| `kinds` | all |\n")
    assert unsaid_within(tmp_path, readme, known) == []


def test_the_front_page_has_a_table_of_commands_and_one_of_files() -> None:
    assert tables(ROOT / "README.md", "command")
    assert tables(ROOT / "README.md", "file")


@pytest.mark.parametrize("readme", READMES, ids=str)
def test_every_command_in_a_readme_is_one(readme: Path) -> None:
    for command in names([cell for table in tables(ROOT / readme, "command") for cell in table]):
        words = shlex.split(command)
        if words[0] == "make":
            assert words[1] in make_targets(), command
        elif words[0] == "paribus":
            assert set(words[1].split("|")) <= verbs(), command
        elif words[0] == "ray":
            assert (BIN / "ray").exists()
            scripts = [word for word in words if word.endswith(".py")]
            assert all((ROOT / script).is_file() for script in scripts), command
        else:
            assert (ROOT / words[0]).is_file(), command


def spans(page: Path) -> list[str]:
    """What a page sets as code, outside of blocks."""
    return _CODE.findall(re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))


def paths(page: Path) -> list[str]:
    """The paths among them."""
    found = [span for span in spans(page) if " " not in span and not span.startswith(("-", "#"))]
    return [span for span in found if "/" in span or (span.endswith((".md", ".toml", ".py")) and "NAME" not in span)]


CONTRIBUTING = ROOT / "CONTRIBUTING.md"


@pytest.mark.parametrize("path", sorted(set(paths(CONTRIBUTING))))
def test_every_path_in_contributing_is_there(path: str) -> None:
    """Of a file that is to be written (`NAME`) the folder is there, and others of its kind."""
    place = ROOT / path.replace("NAME", "*")
    assert list(place.parent.glob(place.name)), path


def test_every_command_in_contributing_is_one() -> None:
    commands = [shlex.split(span) for span in spans(CONTRIBUTING)]
    assert {words[1] for words in commands if words[0] == "make"} <= make_targets()
    assert {words[1] for words in commands if words[0] == "paribus" and len(words) > 1} <= verbs()
    tests = [words[3] for words in commands if words[1:3] == ["-m", "pytest"]]
    assert tests
    assert all((ROOT / name).is_dir() for name in tests)


def test_contributing_says_how_to_add_each_thing_and_its_links_lead_somewhere() -> None:
    text = CONTRIBUTING.read_text()
    rows = re.findall(r"^\| (?:a|an) ([\w ]+) \|", text, re.MULTILINE)
    assert {"model family", "metric", "dataset source", "page of the dashboard"} <= set(rows)
    assert {"sampler of searches", "scheduler of trials"} <= set(rows)
    headings = {re.sub(r"\W+", "-", title.lower()) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= headings


def test_every_make_target_is_listed_and_has_a_recipe() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
    assert make_targets() == phony
    assert phony >= {"study", "test", "check", "up", "down", "bench"}


def test_a_false_table_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("| file | what |\n|---|---|\n| `a.py`, `b/` | x |\n\n| other | y |\n|---|---|\n| `c` | z |\n")
    assert names(tables(page, "file")[0]) == ["a.py", "b/"]
    assert tables(page, "command") == []


def test_the_parts_and_the_study_that_the_readme_shows_are_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert [name for name, _ in blocks] == ["my_parts.py", "mine.py"]
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_parts", raising=False)
    study = load_study("mine.py")
    sys.modules.pop("my_parts")  # other tests have one of their own
    assert [arm.name for arm in study.arms] == ["activation=relu", "activation=my_parts:Snake"]
    assert study.primary.unit == "points"
    label, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0])
    assert study.primary.of(Examples(label=label, predicted=predicted)) == 50.0
