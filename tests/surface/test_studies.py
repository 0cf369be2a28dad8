"""Every study is one short executable file with a question and a claim that has a source, and the ledger judges it."""

import os
import re
from pathlib import Path

import pytest

from paribus import Search, Study
from paribus.study.study_file import load_study

STUDIES = Path(__file__).parents[2] / "studies"
READ = {file: load_study(str(file)) for file in sorted(STUDIES.glob("*.py"))}
FILES = [file for file, study in READ.items() if isinstance(study, Study)]
SEARCHES = [file for file, search in READ.items() if isinstance(search, Search)]
_COST = re.compile(r"\d CPU-minutes")
_OUTCOME = "(reproduced|contradicted|not reproduced: within the margin|unresolved)"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_study_is_a_short_file_that_asks_and_claims_and_says_its_cost(file: Path) -> None:
    lines = file.read_text().splitlines()
    study = READ[file]
    assert isinstance(study, Study)
    assert len(lines) <= 25
    assert lines[0] == "#!/usr/bin/env python"
    assert os.access(file, os.X_OK)
    assert study.name == file.stem
    assert study.question.endswith("?")
    assert study.question in lines[1]
    assert _COST.search("\n".join(lines[1:4]))
    assert study.replicates >= 3
    assert study.claim is not None
    assert study.claim.source


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_ledger_has_a_verdict_on_every_contrast_of_a_study(file: Path) -> None:
    ledger = (STUDIES / "README.md").read_text()
    section = re.search(rf"^## {file.stem}: claim {_OUTCOME}\n(.*?)^## ", ledger, re.M | re.S)
    assert section, f"studies/README.md has no section '## {file.stem}: claim ...'"
    rows = [line for line in section[2].splitlines() if line.startswith("| ") and "| arm |" not in line]
    study = READ[file]
    assert isinstance(study, Study)
    contrasts = [(arm.name, study.baseline_of(arm).name) for arm in study.arms if study.baseline_of(arm) != arm]
    assert [tuple(row.strip("| ").split(" | ")[:2]) for row in rows] == contrasts


@pytest.mark.parametrize("file", SEARCHES, ids=lambda file: file.stem)
def test_a_search_is_a_short_file_that_asks_and_the_ledger_says_what_stood_up(file: Path) -> None:
    lines, search = file.read_text().splitlines(), READ[file]
    assert isinstance(search, Search)
    assert len(lines) <= 30
    assert lines[0] == "#!/usr/bin/env python"
    assert os.access(file, os.X_OK)
    assert search.name == file.stem
    assert search.question in lines[1]
    assert _COST.search("\n".join(lines[1:4]))
    assert search.confirm >= 3
    section = re.search(rf"^## {file.stem}: a search\n(.*?)^## ", (STUDIES / "README.md").read_text(), re.M | re.S)
    assert section, f"studies/README.md has no section '## {file.stem}: a search'"
    rows = [line for line in section[1].splitlines() if line.startswith("| ") and "| setting |" not in line]
    assert len(rows) == search.top
