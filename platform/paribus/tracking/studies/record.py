"""What the ledger says of a study, parsed from its run's tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paribus.tracking import tags as words
from paribus.tracking.mlflow.runs import Run, run_url
from paribus.tracking.notes import note_in
from paribus.tracking.studies.lease import Driver, driver_of
from paribus.tracking.studies.places import Paused, Places, paused_in, places_in
from paribus.tracking.studies.replication import Replication, read_replication
from paribus.tracking.tag_values import TagValues

if TYPE_CHECKING:
    from paribus.study.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """A study's parent run. `counts` are trials by outcome at the driver's last heartbeat; times in ms since 1970.

    `nodes_aside` are the nodes that its last run sent no more trials to, each with what was amiss; `places` are what
    its driver asked and had of its cluster when it last said so.
    """

    name: str
    run_id: str
    experiment_id: str
    status: str
    url: str
    question: str
    claim: Mapping[str, Any] | None
    caveats: tuple[str, ...]
    design: str
    num_planned: int
    counts: Mapping[str, int]
    driver: Driver | None
    started_ms: int
    updated_ms: int
    replication: Replication
    settings: Settings
    code: str = ""
    nodes_aside: Mapping[str, str] = field(default_factory=dict)
    paused: Paused | None = None
    places: Places | None = None
    note: str = field(default="", repr=False)

    @property
    def title(self) -> str:
        """`width`, or `width · budget=2 epochs` at other settings than the file's."""
        return self.settings.title(self.name)

    @property
    def noted(self) -> str:
        """What people noted on it; "" where they did not."""
        return note_in(self.note)

    @property
    def live(self) -> bool:
        """Whether a driver is running the study now."""
        return self.driver is not None and self.driver.alive


def is_study_run(run: Run) -> bool:
    """Whether the run is a study's own, and no trial's."""
    return run.tags.get(words.KIND) == words.STUDY_KIND


def study_record(run: Run, uri: str) -> StudyRecord:
    """The record of a study's parent run."""
    from paribus.study.settings import Settings

    tags = run.tags
    values = TagValues(tags)
    return StudyRecord(
        name=tags.get(words.STUDY, run.name),
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        status=run.status,
        url=run_url(uri, run.experiment_id, run.run_id),
        question=tags.get(words.QUESTION, ""),
        claim=values.json(words.CLAIM, None),
        caveats=tuple(map(str, values.json(words.CAVEATS, [], list))),
        design=tags.get(words.DESIGN, ""),
        num_planned=values.whole(words.PLANNED, 0),
        counts={word: int(count) for word, count in values.numbers(words.COUNTS).items()},
        driver=driver_of(tags.get(words.DRIVER, "")),
        started_ms=run.start_ms,
        updated_ms=values.whole(words.UPDATED, max(run.start_ms, run.end_ms)),
        replication=read_replication(tags.get(words.REPLICATION, "")),
        # No digest where an earlier release kept none.
        settings=Settings(digest=tags.get(words.SETTINGS, ""), name=tags.get(words.SETTINGS_NAME, "")),
        code=tags.get(words.CODE, ""),
        nodes_aside={str(name): str(why) for name, why in values.json(words.NODES_ASIDE, {}, dict).items()},
        paused=paused_in(tags),
        places=places_in(tags),
        note=tags.get(words.NOTE, ""),
    )
