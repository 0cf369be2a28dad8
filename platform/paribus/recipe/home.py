"""Where Paribus keeps what it makes on this machine: data, checkpoints, the spool, the local ledger."""

import os
from pathlib import Path


def home() -> Path:
    """PARIBUS_HOME; else `.paribus` in the checkout around the working directory; else `~/.paribus`."""
    if named := os.environ.get("PARIBUS_HOME"):
        return Path(named).expanduser().resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "platform" / "paribus").is_dir():
            return folder / ".paribus"
    return Path.home() / ".paribus"
