"""The Study page over a real ledger: finished, running, partial, failed, foreign and missing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from paribus.analysis import analyse
from paribus.report.headline import headline
from paribus.study import Study
from paribus.study.settings import settings_of
from paribus.study.words import Arm, Claim
from paribus.tracking import MlflowRest, StudyHeader
from paribus.tracking import open_study as open_study_run
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run
from paribus.tracking.mlflow.server import ServerProcess
from paribus.tracking.studies.replication import Choice, Look, Replication
from paribus_dashboards.frame import STUDY_PAGES
from paribus_dashboards.parts import plain

pytestmark = pytest.mark.cluster

OpenStudy = Callable[..., AppTest]
Said = Callable[[AppTest], str]
MakeStudy = Callable[..., Study]
SMALL = {"factors": {"model.depth": (16, 22)}, "baseline": {"model.depth": 16}, "claim": None}


def table(app: AppTest, column: str) -> Any:
    """The table that has this column."""
    return next(each.value for each in (*app.dataframe, *app.get("table")) if column in each.value.columns)


def contrasts_of(app: AppTest) -> Any:
    """The table of contrasts, with the words of its badges."""
    found = table(app, "p differs (Holm)")
    found["verdict"] = [re.sub(r":\w+-badge\[\S* ?(.*)\]", r"\1", cell) for cell in found["verdict"]]
    return found


def pictures(app: AppTest) -> list[str]:
    """The HTML of each picture on the page."""
    return [json.loads(each.proto.json)["html"] for each in app.get("bidi_component")]


def test_verdicts_are_those_of_the_analysis_with_every_replicates_point(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    reader = Ledger(mlflow_server.uri)
    expected = analyse(whole_study, reader.results(whole_study.name, per_example=True))
    reader.close()
    app = open_study(mlflow_server.uri, whole_study.name)
    text = said(app)
    verdicts = contrasts_of(app)
    assert list(verdicts["verdict"]) == [c.verdict for c in expected.contrasts]
    assert [int(n) for n in verdicts["n"]] == [contrast.n for contrast in expected.contrasts]
    (picture,) = pictures(app)
    assert picture.count(" points</title>") == sum(contrast.n for contrast in expected.contrasts)
    assert plain(headline(expected)) in text
    assert expected.claim is not None
    assert expected.claim.claim.source in text
    assert "397 evaluation images" in text
    assert [button.label for button in app.get("download_button")] == ["CSV", "Markdown", "LaTeX"] * 2


def test_every_trial_stands_beside_its_mlflow_run(
    open_study: OpenStudy, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    reader = Ledger(mlflow_server.uri)
    urls = {trial.url: trial for trial in reader.trials(whole_study.name)}
    reader.close()
    trials = table(open_study(mlflow_server.uri, whole_study.name, page="trials"), "top-1 (%)")
    assert set(trials["MLflow"]) == set(urls)
    for _, row in trials.iterrows():
        record = urls[row["MLflow"]]
        assert (row["arm"], row["replicate"]) == (record.arm_name, record.replicate)
        assert row["outcome"].endswith(str(record.outcome))


def test_instability_and_fixed_factors_are_told(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, whole_study.name, page="stability")
    assert "3 of 40 trials failed to train, in 1 of 8 arms" in said(app)
    arms, stability = (each.value for each in app.get("table"))
    assert list(arms["which failed"]) == ["r1 diverged, r3 diverged, r5 diverged"]
    assert "In 3 contrasts no run failed on either side" in said(app)
    (survival,) = pictures(app)
    assert "7 more arms: nothing failed" in survival
    assert set(stability["baseline failed to train"]) == {"3 of 5"}
    assert set(stability["arm failed to train"]) == {"0 of 5"}
    fixed = said(open_study(mlflow_server.uri, whole_study.name)).partition("- **model**")[2]
    assert "batch_size = " in fixed
    assert "residual_scale = " not in fixed


def test_every_page_of_a_study_leads_to_every_other_and_keeps_study_settings_and_metric(
    open_study: OpenStudy, said: Said, filler: Any, make_study: MakeStudy, mlflow_server: ServerProcess
) -> None:
    study = make_study("page_row", **SMALL, replicates=3)
    look = study.vary(fixed={"budget": "2 epochs"})
    filler.finished(look, declared=study)
    chosen = {"settings": settings_of(look).digest, "metric": "log_likelihood"}
    kept = {"study": study.name, **chosen}
    for page in STUDY_PAGES:
        app = open_study(mlflow_server.uri, study.name, page=page, **chosen)
        assert "page_row · budget=2 epochs" in said(app)
        row = {each.proto.page: dict(parse_qsl(each.proto.query_string)) for each in app.get("page_link")}
        assert row == {"overview": {}, **dict.fromkeys(STUDY_PAGES, kept)}


def test_a_secondary_metric_is_shown_without_verdicts(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, whole_study.name)
    app.get("button_group")[0].set_value("log_likelihood").run()
    said(app)
    assert set(contrasts_of(app)["verdict"]) == {"secondary"}
    assert app.query_params["metric"] == "log_likelihood"
    sent = open_study(mlflow_server.uri, whole_study.name, metric="log_likelihood")
    assert set(contrasts_of(sent)["verdict"]) == {"secondary"}


def test_curves_are_of_the_arms_that_are_compared_with_one_another(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, whole_study.name, page="curves")
    app.selectbox(key="stratum").select("residual_scale=1 · depth=40").run()
    said(app)
    (picture,) = pictures(app)
    assert "residual_scale=0.1 · depth=40 (n = 5)" in picture
    assert "residual_scale=1 · depth=40 (n = 2)" in picture  # three of its five diverged
    assert "depth=16" not in picture
    assert app.query_params["stratum"] == "residual_scale=1 · depth=40"


def test_partial_results_of_a_running_study(
    open_study: OpenStudy, said: Said, filler: Any, make_study: MakeStudy, mlflow_server: ServerProcess
) -> None:
    study = make_study("page_running", **SMALL, replicates=3)

    def fate(arm: Arm, replicate: int) -> str:
        return ("finished", "running", "missing")[replicate - 1]

    with filler.driver(study, fate):
        trials = table(open_study(mlflow_server.uri, study.name, page="trials"), "steps")
        assert len(pictures(open_study(mlflow_server.uri, study.name, page="curves"))) == 1
        app = open_study(mlflow_server.uri, study.name)
        text = said(app)
    assert "2 of 6 trials have ended (2 finished) · 2 running" in text
    assert "no interval" in contrasts_of(app)["delta"][0]
    assert "After 2 of 6 trials: " in text
    assert "2 of 6 trials have ended: numbers and verdicts may still change" in text
    assert list(trials["outcome"]).count("● running") == 2
    assert len(pictures(app)) == 1


def test_a_study_that_has_only_just_started(
    open_study: OpenStudy, said: Said, filler: Any, make_study: MakeStudy, mlflow_server: ServerProcess
) -> None:
    study = make_study("page_started", **SMALL)
    with filler.driver(study, lambda arm, replicate: "missing"):
        text = said(open_study(mlflow_server.uri, study.name))
        curves = said(open_study(mlflow_server.uri, study.name, page="curves"))
        trials = said(open_study(mlflow_server.uri, study.name, page="trials"))
    assert "No trial has ended yet" in text
    assert "No trial has reached the end of its first epoch" in curves
    assert "No trial has started yet" in trials
    assert "unresolved" not in text


def test_pairs_that_ended_and_none_of_which_trained_are_not_called_not_ended(
    open_study: OpenStudy, said: Said, filler: Any, make_study: MakeStudy, mlflow_server: ServerProcess
) -> None:
    study = make_study("page_dead", **SMALL)
    filler.finished(study, lambda arm, replicate: "diverged" if arm.as_dict()["model.depth"] == 16 else "dead")
    text = said(open_study(mlflow_server.uri, study.name))
    assert "in no pair did both train" in text
    assert "ended yet" not in text


def test_failed_and_interrupted_trials_are_listed_with_their_reasons(
    open_study: OpenStudy, said: Said, filler: Any, make_study: MakeStudy, mlflow_server: ServerProcess
) -> None:
    study = make_study("page_failed", **SMALL, replicates=4)

    def fate(arm: Arm, replicate: int) -> str:
        return (
            "finished"
            if arm.as_dict()["model.depth"] == 16
            else ("failed", "finished", "finished", "missing")[replicate - 1]
        )

    filler.finished(study, fate)
    app = open_study(mlflow_server.uri, study.name)
    said(app)
    failed = table(app, "reason")
    assert list(failed["outcome"]) == [":red-badge[! failed]"]
    assert "oom: the worker was killed" in failed["reason"][0]
    assert failed["MLflow"][0].startswith(f"[run]({mlflow_server.uri}")


def test_a_trial_has_a_page_with_why_it_failed_its_recipe_beside_its_baselines_and_its_attempts(
    open_home: Callable[[str], AppTest],
    said: Said,
    filler: Any,
    make_study: MakeStudy,
    mlflow_server: ServerProcess,
) -> None:
    study = make_study("page_trial", **SMALL, replicates=2)
    filler.finished(study, lambda arm, replicate: "failed" if arm.as_dict()["model.depth"] == 22 else "finished")
    with Ledger(mlflow_server.uri) as ledger, MlflowRest(mlflow_server.uri) as rest:
        failed = next(trial for trial in ledger.trials(study.name) if trial.outcome == "failed")
        put = get_run(rest, failed.run_id).artifact_uri
        rest.put_artifact(put, "traceback.txt", b"RuntimeError: of http://user:hunter2@host/data")
        rest.put_artifact(put, "printed.txt", b"UserWarning: said by a library to http://user:hunter2@host")
    app = open_home(mlflow_server.uri)
    app.switch_page("pages/trial.py")
    app.query_params["trial"] = failed.trial_id
    app.run()
    text = said(app)
    assert "oom: the worker was killed" in text
    assert f"runs/{failed.run_id}/artifacts?workflowType=machine_learning)" in text
    assert "In what it differs from depth=16" in text
    log, printed = app.code
    assert "RuntimeError: of http://***@host/data" in log.value
    assert "UserWarning: said by a library to http://***@host" in printed.value
    differs = table(app, "baseline")
    assert (differs["field"][0], differs["here"][0], differs["baseline"][0]) == ("model.depth", "22", "16")
    assert list(table(app, "from step")["attempt"]) == ["1"]
    app.query_params["trial"] = "no such"
    assert "no trial, or several, whose id begins with 'no such'" in said(app.run())


def test_trials_of_other_settings_under_the_same_name_are_left_out(
    open_study: OpenStudy, said: Said, filler: Any, make_study: MakeStudy, mlflow_server: ServerProcess
) -> None:
    filler.finished(make_study("page_foreign", **SMALL, base="fashion_mnist", replicates=2))
    study = make_study("page_foreign", **SMALL, replicates=3)
    filler.finished(study)
    app = open_study(mlflow_server.uri, study.name)
    assert "4 more trials go by this name" in said(app)
    assert len(table(open_study(mlflow_server.uri, study.name, page="trials"), "steps")) == 6


def test_a_study_without_its_definition_still_shows_its_caveats(
    open_study: OpenStudy, said: Said, mlflow_server: ServerProcess
) -> None:
    rest = MlflowRest(mlflow_server.uri)
    open_study_run(rest, StudyHeader(name="page_bare", caveats=("data.name = digits",))).finish("FINISHED")
    rest.close()
    text = said(open_study(mlflow_server.uri, "page_bare"))
    assert "no study.json" in text
    assert "data.name = digits" in text


def test_an_unknown_study_is_told_and_another_can_be_chosen(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, "no_such_study")
    assert "no study called 'no_such_study'" in said(app)
    app.selectbox[0].select(whole_study.name).run()
    assert whole_study.name in [title.value for title in app.title]
    assert app.query_params["study"] == whole_study.name


def test_what_was_read_stays_on_the_page_while_the_ledger_is_away(
    open_study: OpenStudy, said: Said, wire: Any, whole_study: Study
) -> None:
    app = open_study(wire.uri, whole_study.name)
    wire.cut()
    time.sleep(1.6)  # what was read a second ago is shown again
    text = said(app.run())
    assert f"No MLflow server answers at {wire.uri}" in text
    assert "What you see was read at" in text
    assert len(contrasts_of(app)) == 6
    wire.mend()
    assert "No MLflow server answers" not in said(app.run())


def test_a_page_opened_during_an_outage_says_so(
    open_study: OpenStudy, said: Said, wire: Any, whole_study: Study
) -> None:
    wire.cut()
    text = said(open_study(wire.uri, whole_study.name))
    assert f"No MLflow server answers at {wire.uri}" in text
    wire.mend()


def test_a_quick_look_has_a_page_of_its_own_and_the_study_keeps_its_verdicts(
    open_study: OpenStudy,
    open_home: Callable[[str], AppTest],
    said: Said,
    filler: Any,
    make_study: MakeStudy,
    mlflow_server: ServerProcess,
) -> None:
    study = make_study("page_settings", **SMALL, replicates=4)
    look = study.vary(fixed={"budget": "2 epochs"}, replicates=2)
    filler.finished(study, declared=study)
    filler.finished(look, declared=study)
    app = open_study(mlflow_server.uri, study.name)
    assert [title.value for title in app.title] == ["page_settings"]
    assert contrasts_of(app)["n"][0] == "4"
    app.selectbox[0].select_index(1).run()
    said(app)
    assert [title.value for title in app.title] == ["page_settings · budget=2 epochs"]
    assert contrasts_of(app)["n"][0] == "2"
    assert app.query_params["settings"] == settings_of(look).digest
    home = said(open_home(mlflow_server.uri))
    assert "8 of 8 trials have ended" in home


def test_pairs_that_are_none_and_mixed_processors_are_told_and_the_claim_is_unresolved(
    open_study: OpenStudy, said: Said, filler: Any, make_study: MakeStudy, mlflow_server: ServerProcess
) -> None:
    study = make_study("page_broken", **SMALL | {"claim": Claim("deeper does no harm", "ours")}, margin=50.0)

    def facts(arm: Arm, replicate: int) -> dict[str, Any]:
        deep = arm.as_dict()["model.depth"] == 22
        stream = ("a", "x" if deep and replicate == 2 else "b")
        return {"stream_hashes": stream, "cpu": "Xeon" if deep else "EPYC"}

    filler.finished(study, facts=facts)
    text = said(open_study(mlflow_server.uri, study.name))
    assert "Replicate 2: the data streams of depth=22 differ" in text
    assert "Mixed processors in the contrast: EPYC (5 trials), Xeon (5 trials)" in text
    assert "claim unresolved" in text
    assert "the pairing is broken" in text


def test_a_verdict_after_a_look_says_so_on_both_pages(
    open_study: OpenStudy,
    open_home: Callable[[str], AppTest],
    said: Said,
    filler: Any,
    make_study: MakeStudy,
    mlflow_server: ServerProcess,
) -> None:
    study = make_study("page_looked", **SMALL)
    choice = Choice(what="margin", key="9.0", was="9 points", seed=0, pairs=3, last=3)
    looked = Replication(asked={0: 5}, looks=(Look(seed=0, pairs=3, last=3, when_ms=1),), choices=(choice,))
    with filler.driver(study, lambda arm, replicate: "finished", study) as run:
        run.keep_replication(looked)
        run.finish("FINISHED", {"finished": 10})
    app = open_study(mlflow_server.uri, study.name)
    assert "After a look at 3: replicates or a seed were added" in said(app)
    assert contrasts_of(app)["verdict"][0].endswith("(after a look at 3; margin chosen after a look at 3)")
    assert "The margin was 9 points when verdicts on 3 pairs could be had" in said(app)
    assert "after a look at 3" in said(open_home(mlflow_server.uri))
