"""Where a stack lives and what it listens on: all that tells two stacks on one machine apart."""

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paribus.host.home import checkout, project
from paribus.host.home import home as default_home
from paribus.host.ray_access import LOOPBACK, MODE, token_file
from paribus.local import ports as stack_ports
from paribus.tracking.address import folder_of


def default_folder() -> Path:
    """Where jobs start, so that `ray job submit` takes names from there.

    The project around the working directory, else the checkout that we run from, else the working directory itself.
    """
    return project() or checkout() or Path.cwd().resolve()


def home_page() -> Path:
    """The dashboard's first page: the checkout's, or the one that the wheel brought."""
    found = importlib.util.find_spec("paribus_dashboards")
    package = Path(found.origin) if found and found.origin else Path("paribus_dashboards", "__init__.py")
    return package.resolve().with_name("home.py")


def default_token_file() -> Path | None:
    return None if os.environ.get(MODE, "").lower() == "disabled" else token_file()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`ports` holds only the ports asked for (keys of `stack_ports.DEFAULTS`); the others are chosen.

    `host` is the address of this machine at which other machines join its Ray; on loopback none can.
    `token_file` holds what Ray asks for; None: it asks for nothing, as where the shell says RAY_AUTH_MODE=disabled.
    With `metrics` Ray serves its figures to Prometheus, on loopback and without a token.
    """

    home: Path = field(default_factory=default_home)
    folder: Path = field(default_factory=default_folder)
    page: Path = field(default_factory=home_page)
    ports: Mapping[str, int] = field(default_factory=stack_ports.from_environment)
    ray_temp: Path | None = None
    num_cpus: int | None = None
    object_store_mib: int | None = None
    host: str = LOOPBACK
    token_file: Path | None = field(default_factory=default_token_file)
    metrics: bool = False

    @property
    def ray_folder(self) -> Path:
        """Ray's sockets lie below it and may not have paths of more than about 100 characters: hence not `home`.

        A folder of its own also keeps the jobs of another cluster on the machine from finding this one.
        """
        if self.ray_temp is not None:
            return self.ray_temp
        name = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:8]
        return Path(os.environ.get("RAY_TMPDIR", "/tmp")) / f"paribus-{os.getuid()}-{name}"

    @property
    def ledger(self) -> Path:
        """MLflow's database and artifacts."""
        return folder_of(self.home)

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"
