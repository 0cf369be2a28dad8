"""`paribus ledger upgrade`: an earlier release's ledger is brought along, with a backup, and put back on request."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from paribus.host.say import say
from paribus.recipe.code.releases import KNOWN, code_then
from paribus.recipe.errors import RecipeError
from paribus.recipe.recipe import Recipe
from paribus.tracking.address import folder_of, ledger_at
from paribus.tracking.database.backup import copy_sqlite
from paribus.tracking.database.place import SQLITE, database_of, sqlite_file
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.server import running_server
from paribus.tracking.upgrade import Backup, Upgraded, restore, upgrade

_FOLDER = "ledger-backups"
_TRIED_S = 15.0


def run_upgrade(home: Path, asked: str | None, studies: list[str], restored: Path | None) -> int:
    """Upgrade the ledger, or put back what a backup tells of; the exit code."""
    if studies:
        raise RecipeError(f"`paribus ledger upgrade` takes the whole ledger: leave out {', '.join(studies)}")
    with ledger_at(home, asked, start=True) as uri:
        assert uri is not None
        rest = MlflowRest(uri, budget_s=_TRIED_S)
        with rest:
            if restored is not None:
                say(f"{restore(rest, Backup(restored))} trials have the code again that {restored} tells of")
                return 0
            stem = home / _FOLDER / time.strftime("%Y%m%dT%H%M%S")
            backup = Backup(stem.with_suffix(".jsonl"))
            copied = _copy(home, uri, stem.with_suffix(".db"))
            found = upgrade(rest, KNOWN, _renewed, backup, _show)
    say(_in_words(found))
    if backup.path.exists():
        say(f"what was replaced is in {backup.path}: `paribus ledger upgrade --restore {backup.path}` puts it back")
        if copied:
            say(f"{copied} is the whole database as it was before")
    elif copied:
        copied.unlink()
    return 0


def _renewed(old: str, recipe_file: bytes) -> str | None:
    try:
        return code_then(old, Recipe.read(recipe_file.decode()))
    except (RecipeError, UnicodeDecodeError):
        return None


def _copy(home: Path, uri: str, to: Path) -> Path | None:
    """A copy of the local server's database, where it is SQLite, whole also while the server writes; else None."""
    server, database = running_server(folder_of(home)), sqlite_file(folder_of(home))
    if server is None or server.uri != uri or database_of(folder_of(home)) != SQLITE or not database.is_file():
        return None
    to.parent.mkdir(parents=True, exist_ok=True)
    copy_sqlite(database, to)
    return to


def _show(study: str, seen: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{study}: {seen} of {total} trials", end="\n" if seen == total else "", file=sys.stderr, flush=True)


def _in_words(found: Upgraded) -> str:
    lines = [f"{found.renewed} trials of an earlier release now have the code of their own recipe"]
    if found.unreadable:
        lines.append(f"{found.unreadable} trials of it keep their old code, for their recipe is not in the ledger")
    if others := sum(found.kept.values()):
        lines.append(
            f"{others} trials were left as they are: they have a code of this kind already, or one of a release whose "
            "results may differ (`plan` says which are stale, `run --accept-code` counts them all the same)"
        )
    if found.studies:
        lines.append(f"studies that were brought to this schema: {', '.join(found.studies)}")
    return "\n".join(lines)
