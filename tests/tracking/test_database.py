"""The ledger in a real PostgreSQL: nothing lost when it dies, the same verdicts after a move, backup and restore."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from postgres import PASSWORD, Postgres, serve
from shelf import Shelf

from paribus.commands.main import main
from paribus.study import Study
from paribus.tracking import LedgerError, Recorder, TrialRecord, waiting
from paribus.tracking.database import place
from paribus.tracking.database.backup import restore
from paribus.tracking.database.choice import choose
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess, start_server

pytestmark = pytest.mark.cluster
Make = Callable[..., TrialRecord]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with serve() as server, pytest.MonkeyPatch.context() as shell:
        shell.setenv("PGPASSFILE", str(server.pgpass))
        yield server


def told(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the ledger of PARIBUS_HOME has of a study, verdicts and ids among it, from a server of the command's own."""
    capsys.readouterr()
    assert main(["report", name, "--json"]) == 0
    report = capsys.readouterr().out
    assert main(["export", name]) == 0
    return report + capsys.readouterr().out


def test_a_database_is_named_without_a_password_and_refused_in_words(
    postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path))
    for address, why in {
        "mysql://me@host/db": "is no database for a ledger",
        "postgresql://me@host": "is no database for a ledger",
        "postgresql://me:hunter2@host/db": "leave it out",
        "postgresql://me@host/db?password=hunter2": "leave it out",
        postgres.address("missing"): 'database "missing" does not exist',
        "postgresql://me@127.0.0.1:1/db": "refused",
    }.items():
        assert main(["up", "--ledger", address]) == 1
        said = capsys.readouterr().err
        assert why in said
        assert "hunter2" not in said
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    with pytest.raises(LedgerError, match=r"password.*PGPASSFILE"):
        choose(tmp_path / "mlflow", postgres.address("postgres"))
    assert not (tmp_path / "mlflow").exists()  # nothing was started, nothing kept
    (tmp_path / "database").write_text("postgresql://me:x@h/db")
    with pytest.raises(LedgerError, match="damaged"):
        place.database_of(tmp_path)


def test_a_ledger_moves_to_postgres_with_its_verdicts_and_loses_nothing_when_that_dies(
    postgres: Postgres,
    tmp_path: Path,
    begin: Make,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path))
    study = Study(
        name=f"moved-{uuid.uuid4().hex[:8]}", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0
    )
    there, copy, copy_of_postgres = postgres.create("moved"), tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    server = start_server(tmp_path / "mlflow")
    try:
        shelf = Shelf(server.uri, tmp_path)
        shelf.fill(study)
        shelf.opened(study).finish("FINISHED", {})
        shelf.close()
        before = told(study.name, capsys)
        assert study.name in before
        assert shelf.trials(study)[0].id in before
        assert main(["ledger", "backup", str(copy)]) == 0  # while it is served
        assert main(["ledger", "move", there]) == 1
        assert "`paribus down` first" in capsys.readouterr().err
    finally:
        server.stop()
    assert main(["up", "--ledger", there]) == 1
    assert "paribus ledger move" in capsys.readouterr().err
    assert main(["ledger", "move", there]) == 0
    assert main(["ledger", "backup", str(copy_of_postgres)]) == 0
    _restored(copy, tmp_path / "sqlite", place.SQLITE)
    assert _rows(tmp_path / "sqlite") == _rows(tmp_path)
    home = tmp_path / "postgres"
    _restored(copy_of_postgres, home, postgres.create("restored"))
    monkeypatch.setenv("PARIBUS_HOME", str(home))
    assert main(["ledger", "restore", str(copy_of_postgres)]) == 1
    assert "has records already" in capsys.readouterr().err
    again = start_server(home / "mlflow")
    try:
        assert told(study.name, capsys).replace(again.uri, server.uri) == before
        _no_password_shows(again)
        _killed_in_mid_study(postgres, again.uri, home / "worker", begin)
    finally:
        again.stop()


def _restored(file: Path, home: Path, database: str) -> None:
    """Restore what is whole, after what is not has changed nothing."""
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("PARIBUS_HOME", str(home))
        home.mkdir()
        choose(home / "mlflow", database)
        cut = home / "cut.tar.gz"
        cut.write_bytes(file.read_bytes()[:-200])
        with pytest.raises(LedgerError, match=r"is no whole backup of a ledger \(Compressed file ended"):
            restore(home / "mlflow", cut)
        assert {each.name for each in (home / "mlflow").glob("*")} <= {"database"}
        assert main(["ledger", "restore", str(file)]) == 0
    assert file.stat().st_mode & 0o777 == 0o600


def _rows(home: Path) -> list[str]:
    with closing(place.read_only(place.sqlite_file(home / "mlflow"))) as base:
        return list(base.iterdump())


def _no_password_shows(server: ServerProcess) -> None:
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    assert len(family) > 1
    assert not [word for process in family for word in process.cmdline() if PASSWORD in word]
    assert PASSWORD not in Path(server.log).read_text()


def _killed_in_mid_study(postgres: Postgres, uri: str, outbox: Path, begin: Make, num_trials: int = 24) -> None:
    """Record a study while the database dies three times; all of it arrives, once."""
    with Recorder(outbox, uri, flush_s=0.02) as recorder:
        for replicate in range(num_trials):
            log = recorder.trial(begin(replicate=replicate), is_new=True)
            for step in range(1, 41):
                log.metrics({"top1": step + replicate / 100}, step=step, epoch=step)
                time.sleep(0.001)
            log.finish("finished", {"top1": 77.0})
            if replicate % 8 == 4:
                postgres.kill()
                time.sleep(0.3)
                postgres.start()
        assert recorder.close(120)
    assert waiting(outbox).num_unsent == 0
    assert not waiting(outbox).rejected
    with Ledger(uri) as ledger:
        trials = ledger.trials(begin().study)
        assert sorted(trial.replicate for trial in trials) == list(range(num_trials))
        assert {trial.outcome for trial in trials} == {"finished"}
        curves = ledger.histories(trials, "top1")
        for trial in trials:
            told = [step + trial.replicate / 100 for step in range(1, 41)]
            assert [point.value for point in curves[trial.run_id]] == told
