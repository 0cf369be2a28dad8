"""What a person asked for on the command line, beside the study itself."""

from dataclasses import dataclass, replace

from paribus.study import Study, StudyError
from paribus.study.searches.search import Search


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the study verbs; each verb uses those that `--help` lists for it.

    `pilot` are the replicates of the baseline that a pilot trains; None: it is none. `declared` is the study as its
    file has it, before --base and --set; None: it is not varied. `stack` is the address of the Ray of the local stack,
    where one is up and to be joined; `share` is the study's weight beside others on its cluster.
    """

    ledger: str | None = None
    accept_code: bool = False
    redo: bool = False
    cpus: int | None = None
    html: str | None = None
    markdown: str | None = None
    latex: str | None = None
    json: bool = False
    fresh: bool = False
    pilot: int | None = None
    share: int = 1
    stack: str = ""
    declared: Study | Search | None = None

    def __post_init__(self) -> None:
        if self.cpus is not None and (type(self.cpus) is not int or self.cpus < 1):
            raise StudyError(f"cpus = {self.cpus!r}: of the Ray that is started, a whole number from 1")
        if type(self.share) is not int or self.share < 1:
            raise StudyError(f"share = {self.share!r}: a study's weight beside others, a whole number from 1")

    def of_confirmation(self) -> "Options":
        """The same options for the study that confirms a search."""
        declared = self.declared.confirmation([]) if isinstance(self.declared, Search) else None
        return replace(self, declared=declared)
