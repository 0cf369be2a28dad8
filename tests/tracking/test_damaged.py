"""Damaged or hostile files of our own, and addresses that are none: a sentence, never a traceback, a hang or a leak."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paribus.tracking import LedgerError, MlflowRest, Recorder, TrialRecord, replay, waiting
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import running_server

Make = Callable[..., TrialRecord]
SECRET = b"a secret of this machine"


def spooled(outbox: Path, trial: TrialRecord) -> Path:
    """A trial that ended and waits on disk; its folder."""
    recorder = Recorder(outbox, None)
    log = recorder.trial(trial)
    log.metrics({"top1": 5.0}, step=1, epoch=1)
    log.artifact("curves", b"curves")
    log.finish("finished", {"top1": 5.0})
    recorder.close()
    (folder,) = outbox.glob("*/*")
    return folder


SENT = [
    "[]",
    "null",
    "{",
    "7",
    '"x"',
    "[" * 100_000,
    '{"offset": null, "run_id": ""}',
    '{"offset": 1e999, "run_id": ""}',
]
SENT += [f'{{"offset": {offset}, "run_id": ""}}' for offset in (10**30, 10**6, -1, 3, "true", '"12"', 2.5)]
SENT += ['{"offset": 0, "run_id": 7}', '{"offset": 0, "run_id": "../../x"}', '{"offset": 0, "run_id": "", "files": 3}']


@pytest.mark.cluster
@pytest.mark.parametrize("sent", SENT, ids=[text[:30] for text in SENT])
def test_a_note_of_what_was_sent_that_is_damaged_costs_nothing(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, sent: str
) -> None:
    (spooled(outbox, begin()) / "sent").write_text(sent)
    summary = replay(outbox, uri, budget_s=1.0)
    assert (summary.num_sent, summary.rejected) == (1, ())
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.metrics) == ("finished", {"top1": 5.0})
    assert ledger.artifact(trial.run_id, "curves") == b"curves"
    assert not list(outbox.glob("*/*"))


@pytest.mark.cluster
@pytest.mark.parametrize("way", ["../", "absolute", "link", "pipe", "folder", "gone", ".", "", "../../.."])
def test_a_record_that_names_a_file_outside_its_spool_sends_nothing_of_it(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, tmp_path: Path, way: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)
    folder = spooled(outbox, begin())
    file = {"../": "../../../secret", "absolute": str(secret), "link": "link", "pipe": "pipe", "folder": "folder"}.get(
        way, way
    )
    (folder / "link").symlink_to(secret)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    text = (folder / "records.jsonl").read_text().replace('"file":"0-curves"', f'"file":{json.dumps(file)}')
    (folder / "records.jsonl").write_text(text)
    before = time.monotonic()
    summary = replay(outbox, uri)
    assert time.monotonic() - before < 20
    assert summary.rejected == ()
    (trial,) = ledger.trials(study)
    assert (trial.outcome, trial.metrics) == ("finished", {"top1": 5.0})
    assert trial.lost_artifact.startswith("curves: ")
    with pytest.raises(LedgerError):
        ledger.artifact(trial.run_id, "curves")
    assert secret.read_bytes() == SECRET


LINES = [b"[" * 200_000, b"\xff\xfe\x00", b"null", b"[1]", b'{"kind": 7}', b'{"kind": ["end"]}', b"9" * 5000, b"{}"]


@pytest.mark.cluster
@pytest.mark.parametrize("line", LINES, ids=[repr(line[:16]) for line in LINES])
def test_a_line_that_is_no_record_is_dropped_and_the_rest_arrives(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, line: bytes
) -> None:
    folder = spooled(outbox, begin())
    first, *rest = (folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(first + line + b"\n" + b"".join(rest))
    assert replay(outbox, uri).num_sent == 1
    assert [trial.outcome for trial in ledger.trials(study)] == ["finished"]


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["folder", "pipe", "empty", "no header", "a header of nothing"])
def test_a_spool_that_is_none_holds_no_other_up_and_is_told_of(
    uri: str, outbox: Path, begin: Make, ledger: Ledger, study: str, kind: str
) -> None:
    spooled(outbox, begin())
    bad = outbox / study / "0bad.1" / "records.jsonl"
    bad.parent.mkdir()
    if kind == "folder":
        bad.mkdir()
    elif kind == "pipe":
        os.mkfifo(bad)
    else:
        text = {"empty": "", "no header": '{"kind":"tags","tags":{}}\n'}.get(kind, '{"kind":"header"}\n')
        bad.write_text(text)
    before = time.monotonic()
    summary = replay(outbox, uri)
    assert time.monotonic() - before < 20
    assert summary.num_sent == 1
    assert any("0bad.1" in text for text in summary.rejected)
    assert [trial.outcome for trial in ledger.trials(study)] == ["finished"]
    assert waiting(outbox).num_bytes >= 0


ADDRESSES = [
    "http://[::1",
    "http://host:99999",
    "http://host:abc",
    "http://host:0",
    "http://a..b",
    "http://" + "x" * 64 + ".org",
    "http://ho st:5000",
    "http://host\t:5000",
    "http://127.0.0.1:5000/#/experiments/1",
    "http://127.0.0.1:5000/?x=1",
    "//127.0.0.1:5000",
    "127.0.0.1:5000",
    "http://\x00",
    "",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_none_is_said_to_be_none_with_what_to_do(address: str) -> None:
    with pytest.raises(LedgerError, match=r"tracking address is .*MLFLOW_TRACKING_URI=http://127\.0\.0\.1:PORT"):
        MlflowRest(address)


@pytest.mark.parametrize("address", ["http://xn--a.example:1", "http://\u2603\u200d.example:1", "http://256.1.1.1:1"])
def test_an_address_that_only_the_line_can_judge_is_a_sentence_too(address: str) -> None:
    with MlflowRest(address, budget_s=0.1) as rest, pytest.raises(LedgerError, match=r"address|MLFLOW_TRACKING_URI"):
        rest.get("experiments/search")


def test_certificates_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "none.pem"))
    with MlflowRest("https://127.0.0.1:9", budget_s=0.1) as rest, pytest.raises(LedgerError, match=r"none\.pem.*unset"):
        rest.get("experiments/search")


@pytest.mark.parametrize(
    "state", ["[]", "null", "{", "[" * 100_000, '{"uri": 1}', '{"uri":1,"pid":"x","pid_start":1,"folder":2,"log":3}']
)
def test_a_damaged_note_of_a_server_is_no_server(tmp_path: Path, state: str) -> None:
    (tmp_path / "server.json").write_text(state)
    assert running_server(tmp_path) is None
