"""A page proves itself: it is what its own trials make, and whatever is altered in it is found, sealed again or not."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_reports import report_of_trials

from paribus.analysis.looks import Chosen, Looks
from paribus.commands.main import main
from paribus.report.drawing.html_page import KIND, study_sheet, write_html
from paribus.report.page.document import document_of, report_of
from paribus.report.page.made import made_page
from paribus.report.page.packed_examples import pack, unpack
from paribus.report.page.sheet import PageError, Sheet, document_in, seal_in, seal_of, sealed
from paribus.report.page.verification import ALTERED, PROVEN, verify_page
from paribus.report.study_report import StudyReport
from paribus.study import Adaptive, Claim, Study
from paribus.study.plan import Trial

KINDS = {KIND: study_sheet}


def fate(trial: Trial) -> float | str:
    width = trial.arm.as_dict()["model.width"]
    if width == 4.0 and trial.replicate in (2, 3):
        return "diverged" if trial.replicate == 2 else "failed"
    return {1.0: 90.0, 2.0: 92.0, 4.0: 90.25}[width] + 0.25 * (trial.replicate % (2 + int(width)))


@pytest.fixture(scope="module")
def report() -> StudyReport:
    """Three widths over five replicates; of the widest one diverged and one has no result."""
    looks = Looks(own=(3,), chosen=(Chosen(what="margin", was="1", now="0.5", pairs=3),))
    widths: dict[str, Any] = {"factors": {"model.width": (1.0, 2.0, 4.0)}, "baseline": {"model.width": 1.0}}
    claim = Claim("wider is better", "WRN, Table 4", direction="better")
    question = "Is it <wider> & better, by -1 | more?"
    asked = Study(name="width", question=question, replicates=5, fixed={"optimizer.lr": 0.1}, claim=claim, **widths)
    return report_of_trials(asked, fate, looks=looks)


@pytest.fixture(scope="module")
def page(report: StudyReport) -> str:
    return made_page(KIND, document_of(report), study_sheet)


def again_sealed(page: str) -> str:
    """As whoever alters a page would seal it."""
    return page.replace(seal_in(page), seal_of(page)) if seal_in(page) else page


def test_a_page_is_what_its_own_trials_make_and_shows_the_verdicts_of_the_report(
    page: str, report: StudyReport
) -> None:
    found, document = verify_page(page, KINDS)
    assert (found.code, found.faults) == (PROVEN, ())
    assert document["verdicts"] == json.loads(json.dumps(report.as_dict()))
    made_again = report_of(document)
    assert [row.record.metrics for row in made_again.trials] == [row.record.metrics for row in report.trials]  # type: ignore[union-attr]
    assert made_again.cost.rows == report.cost.rows
    assert made_again.judged.contrasts[0].crossed == report.judged.contrasts[0].crossed is not None
    assert "judged again from its own runs" in found.facts[1]


@pytest.mark.parametrize(
    "fields",
    [
        {"replicates": Adaptive((3, 6))},
        {"noise_floor": True, "baseline": {"model.width": 1.0}},
        {"metric": "log_likelihood", "margin": 0.01},
        {"factors": {}, "ablate": {"Nesterov's step": {"optimizer.nesterov": False}}},
        {"factors": {"model.width": (1.0, 2.0), "optimizer.nesterov": (True, False)}},
    ],
    ids=str,
)
def test_a_page_of_each_kind_of_study_gives_the_verdicts_of_its_report(fields: dict[str, Any]) -> None:
    asked = Study(**{"name": "kind", "factors": {"model.width": (1.0, 2.0)}, "replicates": 4, **fields})
    told = report_of_trials(asked, lambda trial: 90.0 + 0.25 * (int(trial.id[:8], 16) % 7))
    found, document = verify_page(made_page(KIND, document_of(told), study_sheet), KINDS)
    assert (found.code, found.faults) == (PROVEN, ())
    shows, is_told = document["verdicts"], json.loads(json.dumps(told.as_dict()))
    assert shows["verdicts"][0] == is_told["verdicts"][0], "on the primary metric, to the last digit"
    assert {**shows, "verdicts": []} == {**is_told, "verdicts": []}


def in_data(pattern: str, new: str) -> Callable[[str], str]:
    """Alters what the data of a page hold, once."""

    def alter(page: str) -> str:
        begin = page.index('id="paribus-data"')
        return page[:begin] + re.sub(pattern, new, page[begin:], count=1)

    return alter


def shown(pattern: str, new: str) -> Callable[[str], str]:
    """Alters what a page shows, once."""

    def alter(page: str) -> str:
        body = page.index("<body>")
        return page[:body] + re.sub(pattern, new, page[body:], count=1)

    return alter


def both(*steps: Callable[[str], str]) -> Callable[[str], str]:
    def alter(page: str) -> str:
        for step in steps:
            page = step(page)
        return page

    return alter


ALTERATIONS: dict[str, tuple[Callable[[str], str], str]] = {
    "a digit of a table": (shown(r"<td>\+2\.05 \[", "<td>+2.06 ["), "Verdicts, k=2, delta"),
    "a digit of an arm's mean": (shown(r"<td>90\.3", "<td>90.5"), "Arms, k=1 (baseline), mean top-1 (%)"),
    "a verdict's word": (shown(r"<td>better \(", "<td>worse ("), "Verdicts, k=2, verdict"),
    "a verdict's word in the figure": (shown(r'<b class="better">better', '<b class="better">worse'), "better"),
    "the first sentence": (shown(r"<h1>k=2 is better", "<h1>k=2 is worse"), "the first sentence"),
    "a note": (shown(r"intervals cover training chance", "intervals cover all chance"), "What to know"),
    "a note of the ledger": (shown(r"mixed processors in 2", "mixed processors in 1"), "Told by the ledger"),
    "a mark of the figure": (shown(r'cx="(\d)', r'cx="1\1'), "figure"),
    "a curve": (shown(r'points="0*(\d)', r'points="9\1'), "Learning curves, figure"),
    "a cost": (shown(r"(\d) s</td>", r"9\1 s</td>"), "What each conclusion cost"),
    "what is fixed": (shown(r"optimizer\.lr = 0\.1", "optimizer.lr = 0.2"), "Fixed in every arm"),
    "a link": (shown(r'href="http://127', 'href="http://128'), "Every trial"),
    "the style": (lambda page: page.replace("--better: #00674b", "--better: #a83c00"), "the title, style"),
    "a metric of a row": (in_data(r'"top1":92\.25', '"top1":92.2500001'), "the verdicts in its data, verdicts[0]"),
    "a row's outcome": (in_data(r'"outcome":"diverged"', '"outcome":"failed"'), "failed"),
    "a row's time": (in_data(r'"total_s":5\.', '"total_s":6.'), "seconds"),
    "a row's weights": (in_data(r'"weights":"\w', '"weights":"z'), "How to check this page"),
    "a row that is gone": (in_data(r'"trials":\[\{.*?\},\{"id"', '"trials":[{"id"'), "mean_delta"),
    "the margin": (in_data(r'"margin":0\.5', '"margin":0.4'), "margin"),
    "an arm's level": (in_data(r'"model\.width":\[1\.0,2\.0', '"model.width":[1.0,3.0'), "k=3"),
    "the looks": (in_data(r'"looks":\{"own":\[3\]', '"looks":{"own":[4]'), "after a look at 4"),
    "an example": (in_data(r'"correct":\["\|b1","(.{40}).', r'"correct":["|b1","\1A'), ""),
    "a verdict in full precision": (in_data(r'"mean_delta":2\.05', '"mean_delta":2.05000001'), "mean_delta"),
    "a number wherever it stands": (
        both(shown(r"<td>\+2\.05 \[", "<td>+2.09 ["), in_data(r'"mean_delta":2\.05', '"mean_delta":2.09')),
        "mean_delta",
    ),
    "something beside it": (lambda page: page.replace("</body>", "<p>p < 0.001</p></body>"), "its runs give nothing"),
    "white space": (lambda page: page.replace("<h2>Arms", "<h2 >Arms"), "source"),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_what_is_altered_is_found_and_told_where(name: str, page: str) -> None:
    alter, where = ALTERATIONS[name]
    altered = alter(page)
    assert altered != page
    assert seal_of(altered) != seal_in(altered)
    found, _ = verify_page(again_sealed(altered), KINDS)
    assert found.code == ALTERED
    assert not any("seal" in fault for fault in found.faults)
    assert where in " ".join(found.faults)


def test_a_seal_that_is_altered_or_gone_is_told(page: str) -> None:
    for other in (page.replace(seal_in(page), "0" * 64), page.replace(seal_in(page), "none")):
        found, _ = verify_page(other, KINDS)
        assert found.code == ALTERED
        assert "its seal is" in found.faults[0]


def test_one_byte_anywhere_is_found(page: str) -> None:
    """Also where it is sealed again: then it may be another page's beginning or end that can't be verified at all."""
    draw, seal = np.random.default_rng(5), page.index(seal_in(page))
    for place in draw.integers(0, len(page), 16):
        if seal <= place < seal + 64:
            continue
        other = {"0": "1", "1": "2", "a": "b"}.get(page[place], "0")
        altered = page[:place] + other + page[place + 1 :]
        assert seal_of(altered) != seal_in(altered)
        try:
            assert verify_page(again_sealed(altered), KINDS)[0].code == ALTERED, page[place - 40 : place + 40]
        except PageError:
            continue


def test_a_last_bit_that_decides_a_printed_digit_is_no_alteration(study: Study) -> None:
    """A mean of exactly 1.125 is 1.12 here, and 1.13 where another processor adds in another order."""
    deltas = (1.0, 1.25, 1.125, 1.0, 1.25)
    tie = report_of_trials(
        study, lambda trial: 90.0 + (trial.arm.as_dict()["model.width"] == 2.0) * deltas[trial.replicate - 1]
    )
    page = made_page(KIND, document_of(tie), study_sheet)
    assert "<td>+1.12 [" in page
    other, wrong = (again_sealed(page.replace("<td>+1.12 [", f"<td>{number} [")) for number in ("+1.13", "+1.14"))
    assert verify_page(other, KINDS)[0].code == PROVEN
    assert verify_page(wrong, KINDS)[0].code == ALTERED


def test_a_page_of_other_code_says_so_where_it_cannot_be_drawn_again(page: str) -> None:
    document = {**document_in(page), "made": {**document_in(page)["made"], "maker": "00000000"}}
    alike = sealed(study_sheet(document), document)
    assert verify_page(alike, KINDS)[0].code == PROVEN
    with pytest.raises(PageError, match=r"Paribus \S+ \(rule 2, code 00000000\), and this is other code"):
        verify_page(again_sealed(alike.replace("<h2>Arms", "<h2>The arms")), KINDS)
    altered = in_data(r'"top1":92\.25', '"top1":92.5')(alike)
    assert verify_page(again_sealed(altered), KINDS)[0].code == ALTERED
    for made, says in (({"rule": 1}, "judges by rule 2"), ({"format": 9}, "format 9"), ({"kind": "x"}, "cannot read")):
        with pytest.raises(PageError, match=says):
            verify_page(sealed(study_sheet(document), {**document, "made": {**document["made"], **made}}), KINDS)


def test_examples_that_a_page_cannot_hold_take_only_the_interval_that_needs_them(report: StudyReport) -> None:
    examples = dict(enumerate(report.basis.examples.values()))  # type: ignore[union-attr]
    metric = report.judged.metric
    kept, left = pack(examples, metric), pack(examples, metric, most=100)
    assert unpack(kept)[3].column("correct").tolist() == examples[3].column("correct").tolist()
    assert unpack(left)[3].n == 0
    assert unpack(left)[3].keys_digest == examples[3].keys_digest
    document = {**document_of(report), "examples": left}
    found = report_of(document).judged
    assert found.contrasts[0].crossed is None
    assert [each.verdict for each in found.contrasts] == [each.verdict for each in report.judged.contrasts]
    assert found.num_eval == 400


class _Shown(HTMLParser):
    """The text that a person reads, and what is fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.fetched: list[str] = []
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag
        self.fetched += [f"{tag} {name}" for name, _ in attrs if name in ("src", "srcset", "data") or tag == "link"]

    def handle_data(self, data: str) -> None:
        if self._in not in ("style", "script"):
            self.texts.append(data)


def test_the_sentence_and_the_picture_come_first_and_nothing_is_fetched_or_nan(report: StudyReport, page: str) -> None:
    reader = _Shown()
    reader.feed(page)
    text = " ".join(reader.texts)
    assert reader.fetched == []
    assert "nan" not in re.findall(r"[a-z]+", text.lower())
    assert page.index("<h1>") < page.index('<figure id="effects"') < page.index("<table") < page.index('id="curves"')
    assert "Is it <wider> & better, by −1 | more?" in text
    assert "−0." in text
    assert len(page.encode()) < 200_000
    nothing = report_of_trials(report.study, lambda trial: "diverged")  # type: ignore[arg-type]
    empty = made_page(KIND, document_of(nothing), study_sheet)
    assert "nan" not in re.findall(r"[a-z]+", empty.split('<script type="application/json"')[0].lower())
    assert verify_page(empty, KINDS)[0].code == PROVEN


def test_the_command_says_proven_altered_or_that_it_cannot_tell(
    report: StudyReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_html(report, tmp_path / "page.html")

    def said(*words: str) -> tuple[int, str]:
        code = main(["verify", str(path), *words])
        return code, capsys.readouterr().out

    code, text = said()
    assert code == 0
    assert text.startswith(f"{path}: proven\n  made on ")
    path.write_text(path.read_text().replace("<td>+2.05 [", "<td>+2.50 ["))
    code, text = said()
    assert code == 1
    assert "its seal is broken" in text
    assert "Verdicts, k=2, delta: the page shows '+2.50 [" in text
    told: dict[str, Any] = json.loads(said("--json")[1])
    assert told["code"] == 1
    for text, says in (("<html>an older page</html>", "no trials are in it"), ("\x00", "no trials are in it")):
        path.write_text(text)
        assert said()[0] == 2
        assert says in said()[1]
    path.write_bytes(b"\xff\xfe")
    assert said() == (2, f"{path}: cannot be verified\n  it is no text in UTF-8\n")
    path.unlink()
    assert said()[0] == 2


STRANGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "activation": lambda study: study["base"]["model"].update(activation="strange:make"),
    "optimizer": lambda study: study["base"]["optimizer"].update(kind="strange:make"),
    "schedule": lambda study: study["base"]["schedule"].update(kind="strange:make"),
    "loss": lambda study: study["base"].update(loss="strange:make"),
    "family": lambda study: study["base"]["model"].update(family="strange:make"),
    "metric": lambda study: study.update(metric="strange:make"),
    "metrics": lambda study: study["fixed"].update(metrics=["strange:make"]),
    "level": lambda study: study["factors"].update({"model.activation": ["relu", "strange:make"]}),
}


@pytest.mark.parametrize("place", STRANGE)
def test_nothing_that_a_strangers_page_names_is_imported(
    place: str, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "strange.py").write_text(f"open({str(ran)!r}, 'w')\ndef make(*args, **more): open({str(ran)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    document = document_in(page)
    STRANGE[place](document["study"])
    altered = sealed(Sheet(title="", body="", verdicts=None), document)
    assert verify_page(altered, KINDS)[0].code == ALTERED
    assert not ran.exists()
