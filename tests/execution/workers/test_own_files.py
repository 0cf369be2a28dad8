"""A user's own files reach workers that have never seen them, and what no node has is said before a trial is sent."""

from pathlib import Path
from typing import Any

import pytest

from paribus.engine.code_digest import trial_code
from paribus.execution.executor import cluster
from paribus.execution.turns.trial_queue import TrialQueue, in_order
from paribus.execution.turns.turn import Turn
from paribus.execution.workers.own_files import check_nodes, packed, references
from paribus.plugins import stand_beside
from paribus.recipe import Recipe, RecipeError


@pytest.mark.slow
@pytest.mark.cluster
def test_a_worker_imports_a_component_whose_file_is_not_there_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (tmp_path / "travelling.py").write_text("from luggage import Hat\n")
    (tmp_path / "luggage.py").write_text("from torch import nn\nclass Hat(nn.Hardtanh):\n    pass\n")
    stand_beside(tmp_path)
    recipes = [Recipe().replace({"model.activation": "travelling:Hat"})]
    code = trial_code(recipes[0])
    with packed(recipes) as modules, cluster(1, modules):
        import ray

        for name in ("travelling.py", "luggage.py"):
            (tmp_path / name).unlink()

        def found() -> Any:
            import luggage
            import travelling

            return travelling.Hat.__module__, Path(travelling.__file__), Path(luggage.__file__)

        module, *files = ray.get(ray.remote(found).options(num_cpus=0).remote())
        assert (module, *(file.name for file in files)) == ("luggage", "travelling.py", "luggage.py")
        # What counts is looked for beside the component's file: all that travels has to lie together there, too.
        assert ray.get(ray.remote(trial_code).options(num_cpus=0).remote(recipes[0])) == code
        check_nodes(references(recipes))
        _check_places()
        with pytest.raises(RecipeError, match=r"not found on the node .*there is no module 'nowhere'"):
            check_nodes((("activation", "nowhere:Hat"),))
    stand_beside()


def _check_places() -> None:
    """On a cluster of one CPU: of trials that ask for unlike amounts, more may have room than the largest tell."""
    from paribus.execution.turns.keep_turn import see

    queue = TrialQueue(*in_order(()), Turn("of its places", 1, 300.0))
    for requests, places in (([{"CPU": 0.25}], 4), ([{"CPU": 0.25}, {"CPU": 1.0}], None), ([{"CPU": 1.0}], 1)):
        see(queue, requests)
        assert queue.places == places
