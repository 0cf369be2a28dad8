"""`paribus ledger backup|restore|move`: the local ledger as a whole, into a file, out of one, or to PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from paribus.host.say import say
from paribus.recipe.errors import RecipeError

STORED = ("backup", "restore", "move")


def run_stored(home: Path, action: str, named: list[str], asked: str | None) -> int:
    """Do `action` with the one file or address in `named`; the exit code."""
    from paribus.tracking.address import folder_of

    what = "a database, postgresql://USER@HOST/DATABASE" if action == "move" else "one FILE"
    if len(named) != 1:
        raise RecipeError(f"`paribus ledger {action}` takes {what}, and {len(named) or 'nothing'} was given")
    if asked is not None:
        raise RecipeError(
            f"`paribus ledger {action}` is for the ledger in PARIBUS_HOME ({home}): what the server at --ledger keeps, "
            "its own machine backs up"
        )
    folder, file = folder_of(home), Path(named[0])
    if action == "move":
        from paribus.tracking.database.move import move

        num = move(folder, named[0], say)
        say(f"{num} rows arrived: `paribus up` serves the ledger from there. The SQLite file stays where it was")
        return 0
    from paribus.tracking.database.backup import backup, restore

    done = backup(folder, file) if action == "backup" else restore(folder, file)
    verb = "backed up to" if action == "backup" else "restored from"
    say(f"{verb} {file}: the {done.kind} database and {done.num_artifacts} files ({done.num_bytes / 2**20:.1f} MiB)")
    return 0


def use_database(address: str) -> None:
    """Put the local ledger at `address` from the next start of its server on."""
    from paribus.host.home import home
    from paribus.tracking.address import folder_of
    from paribus.tracking.database.choice import choose

    choose(folder_of(home()), address)
