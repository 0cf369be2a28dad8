"""What a person asked for on the command line, beside the study itself."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the study verbs; each verb uses those that `--help` lists for it."""

    ledger: str | None = None
    accept_code: bool = False
    redo: bool = False
    cpus: int | None = None
    html: str | None = None
    markdown: str | None = None
    json: bool = False
