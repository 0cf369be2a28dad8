"""The simulator: real trials in place of training, everything else as it runs."""

import json
import math
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paribus import Adaptive, Choice, Float, Search, Study
from paribus.commands.main import main
from paribus.engine.samplers.known import sampler_of
from paribus.engine.samplers.sampler import Told
from paribus.engine.simulation.comparison import Mean, compare, top_k_trials
from paribus.engine.simulation.curves import Curves, read_curves
from paribus.engine.simulation.hpo_tables import _PlainUnpickler, residuals
from paribus.engine.simulation.on_table import OnTable
from paribus.engine.simulation.simulated_search import at_seed, simulate_search
from paribus.engine.simulation.simulated_study import simulate_studies
from paribus.study.designs.arms import StudyError

TABLES = Path(__file__).parents[1] / "tables"
RATES = (0.01, 0.1, 1.0, 10.0)


def rows() -> list[dict[str, Any]]:
    """Four rates x 2 replicates x 3 epochs: the larger the better, but 10, which diverges in epoch 2."""
    found = []
    for setting, rate in enumerate(RATES):
        for replicate in (1, 2):
            for epoch in (1, 2) if rate == 10 else (1, 2, 3):
                gone = rate == 10 and epoch == 2
                found.append(
                    {
                        "setting": setting,
                        "replicate": replicate,
                        "epoch": epoch,
                        "optimizer.lr": rate,
                        "outcome": "diverged" if rate == 10 else "finished",
                        "top1": None if gone else 10.0 * setting + epoch + 0.1 * replicate,
                        "seconds": None if gone else 2.0,
                    }
                )
    return found


def table(folder: Path, found: list[dict[str, Any]]) -> str:
    path = folder / "small.parquet"
    pq.write_table(pa.Table.from_pylist(found), path)
    return str(path)


@pytest.fixture
def curves(tmp_path: Path) -> Curves:
    return read_curves(table(tmp_path, rows()), "top1")


def search(**fields: Any) -> Search:
    given = {
        "sampler": "random",
        "scheduler": "none",
        "trials": 4,
        "confirm": 0,
        "fixed": {"budget": "3 epochs"},
        **fields,
    }
    return Search(name="small", space={"optimizer.lr": Float(0.01, 10.0, log=True)}, **given)


def test_a_table_is_read_with_its_levels_values_seconds_and_outcomes(curves: Curves) -> None:
    assert [each["optimizer.lr"] for each in curves.settings] == list(RATES)
    assert curves.values.shape == (4, 2, 3)
    np.testing.assert_allclose(curves.values[1, 1], [11.2, 12.2, 13.2])
    np.testing.assert_array_equal(np.isnan(curves.values[3, 0]), [False, True, True])
    assert curves.seconds[3, 0, 1] == 1.0, "the epoch in which it diverged took half of one"
    assert curves.outcomes[3] == ("diverged", "diverged")


def test_what_a_search_did_not_see_says_how_good_a_setting_is(curves: Curves) -> None:
    assert curves.other_mean(1, 0) == pytest.approx(13.2)
    assert curves.other_mean(3, 0) == pytest.approx(np.nanmin(curves.values)), "diverging is as bad as the worst"


def test_settings_that_lack_a_replicate_are_left_out(tmp_path: Path) -> None:
    found = [row for row in rows() if not (row["setting"] == 1 and row["replicate"] == 2)]
    kept = read_curves(table(tmp_path, found), "top1")
    assert [each["optimizer.lr"] for each in kept.settings] == [0.01, 1.0, 10.0]
    np.testing.assert_allclose(kept.values[1, 0], [21.1, 22.1, 23.1])


def test_a_proposal_becomes_the_nearest_setting_that_was_not_tried(curves: Curves) -> None:
    asked = search()
    on_table = OnTable(sampler_of(asked), asked, curves)
    told: list[Told] = []
    for number in range(8):
        proposal = on_table.propose(number, told)
        assert proposal is not None
        told.append(Told(number=number, levels=proposal.levels, state="finished", values=(0.0,)))
    tried = [each.levels["optimizer.lr"] for each in told]
    assert sorted(tried[:4]) == sorted(tried[4:]) == list(RATES), "each once, then each again"
    assert on_table.nearest({"optimizer.lr": 0.5})["optimizer.lr"] == 1.0, "on a logarithm"
    fresh = OnTable(sampler_of(asked), asked, curves).propose(7, told[:7])
    assert fresh is not None
    assert fresh.levels == told[7].levels, "what is told decides, not what was asked before"


def test_a_field_that_is_not_asked_does_not_count(tmp_path: Path) -> None:
    found = [{**row, "optimizer.kind": "sgd" if row["setting"] else "rmsprop"} for row in rows()]
    space = {
        "optimizer.kind": Choice("sgd", "rmsprop"),
        "optimizer.lr": Float(0.01, 10.0, log=True, when={"optimizer.kind": "sgd"}),
    }
    asked = Search(name="s", space=space, sampler="random", confirm=0, fixed={"budget": "3 epochs"})
    on_table = OnTable(sampler_of(asked), asked, read_curves(table(tmp_path, found), "top1"))
    assert on_table.nearest({"optimizer.kind": "rmsprop"}) == {"optimizer.kind": "rmsprop"}


def test_the_clock_is_that_of_the_workers(curves: Curves) -> None:
    alone = simulate_search(search(), curves, workers=1)
    together = simulate_search(search(), curves, workers=4)
    assert alone.clock == pytest.approx(3 * 6.0 + 3.0), "three whole trials, and one that diverges in its second epoch"
    assert together.clock == pytest.approx(6.0)
    for end in (alone, together):
        assert (end.whole, end.cut, end.failed, end.epochs) == (3, 0, 1, 3 * 3 + 2)
        assert end.found + end.searched == pytest.approx(23.1 + 23.2), "the best, once seen and once not"


def test_a_scheduler_saves_the_epochs_that_it_should(curves: Curves) -> None:
    end = simulate_search(search(scheduler="top_k(k=1)"), curves, workers=2)
    assert end.epochs in (4 + 2, 4 + 1), (
        "all of them one epoch, the best of the first epoch two more, or until it diverges"
    )
    assert end.cut == 3


def test_where_a_space_ends_early_the_scheduler_decides_among_what_there_is(tmp_path: Path) -> None:
    whole = [row for row in rows() if row["setting"] < 3]
    space = {"optimizer.lr": Choice(0.01, 0.1, 1.0)}
    asked = Search(
        name="s", space=space, sampler="grid", scheduler="asha", trials=9, confirm=0, fixed={"budget": "3 epochs"}
    )
    end = simulate_search(at_seed(asked, 0), read_curves(table(tmp_path, whole), "top1"), workers=1)
    assert (end.whole, end.cut, end.epochs) == (1, 2, 3 + 2)
    assert end.found == pytest.approx(23.15, abs=0.06)


def test_the_same_seed_is_the_same_search_and_another_is_another() -> None:
    found = read_curves(str(TABLES / "digits_curves.parquet"), "log_likelihood")
    asked = digits_search(trials=9, sampler="tpe", scheduler="asha(eta=3)")
    ends = [simulate_search(at_seed(asked, repeat), found, workers=3) for repeat in (0, 0, 1)]
    assert ends[0] == ends[1] != ends[2]
    assert ends[0].whole + ends[0].cut + ends[0].failed == 9
    assert ends[0].epochs < 9 * 12


def digits_search(**fields: Any) -> Search:
    from dataclasses import replace

    from paribus.study.study_file import load_study

    found = load_study(str(TABLES / "digits_search.py"))
    assert isinstance(found, Search)
    return replace(found, **fields)


def test_rivals_have_as_many_epochs(curves: Curves) -> None:
    rows_ = compare(search(), curves, workers=2, repeats=3)
    assert [row.name for row in rows_] == ["random, none", "random, whole trials", "random, top-K after 1 epoch"]
    assert rows_[0].behind == Mean(value=0.0, half_width=0.0, n=3)
    assert top_k_trials(210, 12) == 100, "100 + 10 x 11"
    assert Mean.of([1.0, 3.0, math.nan]).half_width == pytest.approx(12.706, abs=1e-3)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"fixed": {"budget": "6 epochs"}}, "train 6 epochs, and those of the table small.parquet 3 epochs"),
        ({"constraints": ("num_params < 9",)}, "has several objectives, constraints or a time budget"),
        (
            {"space": {"optimizer.lr": Float(0.2, 0.3)}},
            "no setting of the table small.parquet lies in the space of 's'",
        ),
        ({"space": {"optimizer.momentum": Float(0.2, 0.3)}}, "'optimizer.momentum' is not set"),
        ({"scheduler": "pbt"}, "trained from their start, and none that went on from another one's checkpoint"),
    ],
)
def test_a_search_that_the_table_does_not_fit_is_told_why(curves: Curves, fields: Any, sentence: str) -> None:
    given = {"space": {"optimizer.lr": Float(0.01, 10.0)}, "fixed": {"budget": "3 epochs"}, **fields}
    with pytest.raises(StudyError) as refused:
        simulate_search(Search(name="s", sampler="random", confirm=0, **given), curves, workers=1)
    assert sentence in str(refused.value)


def test_a_table_that_is_none_is_told_why(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="cannot be read as Parquet"):
        read_curves(str(tmp_path / "absent.parquet"), "top1")
    with pytest.raises(StudyError, match="has no column 'top5': it has setting, replicate, epoch"):
        read_curves(table(tmp_path, rows()), "top5")
    with pytest.raises(StudyError, match="has all 2 replicates"):
        read_curves(table(tmp_path, [row for row in rows() if (row["setting"] + row["replicate"]) % 2]), "top1")
    with pytest.raises(StudyError, match="no table 'nb201:mnist': there are nb201:cifar10, nb201:cifar100"):
        residuals("nb201:mnist")
    with pytest.raises(StudyError, match="no table 'nas:cifar10'"):
        residuals("nas:cifar10")


def test_seeds_of_real_nets_deviate_as_was_measured() -> None:
    assert residuals("nb201:cifar10").std() == pytest.approx(0.21, abs=0.005), "points, the best fifth"


def test_a_table_of_others_can_name_no_code() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"it names builtins\.print"):
        _PlainUnpickler(BytesIO(pickle.dumps(print))).load()


def test_simulated_studies_go_through_the_looks() -> None:
    study = Study(
        name="s",
        factors={"model.depth": (16, 22)},
        baseline={"model.depth": 16},
        replicates=Adaptive((4, 8, 16)),
        margin=1.0,
    )
    deviations = np.random.default_rng(0).standard_normal(1000) / 2**0.5
    none, large = (simulate_studies(study, deviations, effect=effect, repeats=60) for effect in (0.0, 4.0))
    assert none.false_difference <= 0.1
    assert none.covered >= 0.9
    assert none.false_equivalence == 0, "without an effect it is no error"
    assert (large.false_difference, large.false_equivalence, large.resolved) == (0, 0, 1)
    assert 8 <= large.trials < none.trials < 32, "what is clear ends at an early look"


def test_the_command_prints_a_table_and_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = tmp_path / "search.py"
    small.write_text((TABLES / "digits_search.py").read_text().replace("trials=60", "trials=9"))
    arguments = [str(small), "--table", str(TABLES / "digits_curves.parquet"), "--repeats", "2"]
    assert main(["simulate", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "digits_search on digits_curves.parquet: 400 settings" in printed
    assert [line.split("  ")[0] for line in printed.splitlines()[3:6]] == [
        "tpe, asha",
        "random, whole trials",
        "random, top-K after 1 epoch",
    ]
    study = tmp_path / "study.py"
    study.write_text("from paribus import Study\nstudy = Study(name='a', factors={'model.depth': (10, 16)})\n")
    more = [str(study), "--table", "nb201:cifar10", "--repeats", "5", "--effects", "0,3", "--json"]
    assert main(["simulate", *more]) == 0
    assert [each["effect"] for each in json.loads(capsys.readouterr().out)] == [0, 3]
    assert main(["simulate", *more[:-2], "a,b"]) == 2
    assert "--effects 'a,b': numbers with commas, in margins" in capsys.readouterr().err
    assert main(["simulate", *arguments[:-1], "1"]) == 2
    assert "--repeats 1: a whole number, 2 or more" in capsys.readouterr().err
