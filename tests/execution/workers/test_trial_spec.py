"""What a worker is handed, and what of a trial MLflow shows as columns."""

from dataclasses import replace
from pathlib import Path

from populations import population, recorded, search, steps

from paribus.engine.options import Options
from paribus.engine.searches.search_preview import make_search_preview
from paribus.execution.searches.search_driver import Driven
from paribus.execution.searches.search_ledger import SearchLedger
from paribus.execution.workers.trial_spec import decode, encode, outbox_of, params_of, record_of
from paribus.shards.catalog import data_digest
from paribus.study import Study
from paribus.study.plan import Step, trials
from paribus.study.settings import settings_of

TWINS = Study(
    name="twins",
    design="explicit",
    arms_listed=(
        {"optimizer.kind": "sgd", "schedule.kind": "cosine", "model.depth": 16},
        {"optimizer.kind": "rmsprop", "schedule.kind": "exponential", "model.depth": 16},
    ),
    baseline={"optimizer.kind": "sgd", "schedule.kind": "cosine", "model.depth": 16},
    replicates=1,
)


def test_every_parameter_is_in_mlflow_once_and_by_its_path() -> None:
    trial = trials(TWINS, lambda _: "0")[1]
    params = params_of(trial)
    assert (params["optimizer.kind"], params["schedule.kind"]) == ("rmsprop", "exponential")
    assert params["model.depth"] == "16"
    assert {"depth", "kind"}.isdisjoint(params)
    net = Study(name="n", factors={"model": ("ResNet-20", "ResNet-32")}, baseline={"model": "ResNet-20"})
    assert params_of(trials(net, lambda _: "0")[1])["model"] == "ResNet-32"
    assert trial.arm.name == "optimizer.kind=rmsprop · schedule.kind=exponential · depth=16"


def test_a_step_reads_as_it_was_written() -> None:
    trial = trials(TWINS, lambda _: "0")[1]
    found = decode(encode(Step(trial=trial, action="retry", attempt=3, run_id="r")))
    assert (found.trial, found.attempt, found.run_id) == (trial, 3, "r")


def test_a_member_of_a_population_is_told_where_its_parents_checkpoint_lies_and_older_ones_go(tmp_path: Path) -> None:
    """Both may have been trained through other code, in another run of the same command."""
    made, walk = search(), population(search())
    for _ in zip(range(12), steps(walk), strict=False):
        pass
    digest = data_digest(made.base_recipe, tmp_path)
    known = [replace(record, code=f"code-{record.replicate}") for record in recorded(made, walk.tried, digest)]
    curves = {f"run-{number}": each.seen for number, each in walk.tried.items()}
    preview = make_search_preview(made, tmp_path, known, lambda own: curves, Options(accept_code=True))
    settings = settings_of(made)
    ledger = SearchLedger(made, "http://127.0.0.1:1", outbox_of(tmp_path, made.name, settings), tmp_path, settings)
    folders = [tmp_path / "checkpoints" / made.name / f"{record.trial_id}-code-{record.replicate}" for record in known]
    for folder in folders:
        folder.mkdir(parents=True)
    driven = Driven.of(preview, tmp_path, ledger)
    driven.tidy()
    assert [folder.exists() for folder in folders] == [False] * 6 + [True] * 6, "at once, and not at the search's end"
    step = driven.next_step()
    assert isinstance(step, Step)
    assert step.lineage is not None
    parent = known[step.lineage.parent]
    assert step.lineage.epochs == 6
    assert (step.lineage.trial, step.lineage.code) == (parent.trial_id, f"code-{parent.replicate}")
    assert step.until == 0, "to its end"
    assert decode(encode(step)).lineage == step.lineage
    assert record_of(step, made.name).lineage["parent"] == step.lineage.parent
    assert driven.context.folder(step.lineage.trial, step.lineage.code) == folders[step.lineage.parent]
    ledger.close()
