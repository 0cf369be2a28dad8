"""What a worker is handed, and what of a trial MLflow shows as columns."""

from paribus.execution.trial_spec import decode, encode, params_of
from paribus.study import Study
from paribus.study.plan import Step, trials

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


def test_two_parameters_of_one_short_name_stay_two_in_mlflow() -> None:
    trial = trials(TWINS, lambda _: "0")[1]
    params = params_of(trial)
    assert (params["optimizer.kind"], params["schedule.kind"]) == ("rmsprop", "exponential")
    assert params["depth"] == "16"
    assert "kind" not in params
    assert trial.arm.name == "optimizer.kind=rmsprop · schedule.kind=exponential · depth=16"


def test_a_step_reads_as_it_was_written() -> None:
    trial = trials(TWINS, lambda _: "0")[1]
    found = decode(encode(Step(trial=trial, action="retry", attempt=3, run_id="r")))
    assert (found.trial, found.attempt, found.run_id) == (trial, 3, "r")
