"""Templates for Kubernetes, `ray up` and Slurm, against the schemas and checkers that are at hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

INFRA = Path(__file__).resolve().parents[2] / "infra"
VERSION = "1.37"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing here")
    return found


@pytest.mark.parametrize("overlay", ["kind", "cloud"])
def test_an_overlay_builds_and_fits_the_schemas(overlay: str) -> None:
    """KubeRay's own schemas are not in any package: of its kinds, the templates of pods are checked."""
    words = [program("kubectl"), "kustomize", INFRA / "kubernetes/overlays" / overlay]
    built = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    things: dict[str, list[dict[str, Any]]] = {}
    for each in yaml.safe_load_all(built):
        things.setdefault(each["kind"], []).append(each)
    (cluster,) = things.pop("RayCluster")
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **group["template"]} for group in groups]
    for thing in (*pods, *(each for kind in things.values() for each in kind)):
        kubernetes_validate.validate(thing, VERSION, strict=True)
        assert thing["metadata"].get("namespace", "paribus") == "paribus"
    _fits_together(pods, things)


def _fits_together(pods: list[dict[str, Any]], things: dict[str, list[dict[str, Any]]]) -> None:
    claims = {each["metadata"]["name"] for each in things["PersistentVolumeClaim"]}
    services = {each["metadata"]["name"]: each for each in things["Service"]}
    specs = [pod["spec"] for pod in pods]
    for each in (*things["Deployment"], *things.get("StatefulSet", [])):
        template = each["spec"]["template"]
        specs.append(template["spec"])
        assert each["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert services[each["metadata"]["name"]]["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"]
        named = {volume["name"] for volume in spec["volumes"]} | {"database"}
        assert {
            volume.get("persistentVolumeClaim", {"claimName": "data"})["claimName"] for volume in spec["volumes"]
        } <= claims
        for container in spec["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= named


def test_the_schemas_find_what_is_wrong() -> None:
    """A field that Kubernetes has not, in a pod, is refused: the checks above can fail."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "a", "imag": "b"}]},
    }
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, VERSION, strict=True)


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_ray_up_takes_the_file(cloud: str) -> None:
    """By the schema that Ray ships; its workers are spot machines, its head is none."""
    found = find_spec("ray")
    assert found is not None
    assert found.origin is not None
    schema = json.loads((Path(found.origin).parent / "autoscaler/ray-schema.json").read_text())
    config = yaml.safe_load((INFRA / f"ray_up/{cloud}.yaml").read_text())
    jsonschema.validate(config, schema)
    types = config["available_node_types"]
    assert config["head_node_type"] in types
    assert "spot" in json.dumps(types["spot"]["node_config"]).lower()
    assert "spot" not in json.dumps(types["head"]["node_config"]).lower()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "max_worker": 1}, schema)


def test_the_slurm_script_is_clean() -> None:
    script = INFRA / "slurm/study.sbatch"
    done = subprocess.run([program("shellcheck"), script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    asks = [line.split("#SBATCH ")[1] for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    assert "--requeue" in asks
    assert "--signal=B:USR1@300" in asks
    alone = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert alone.returncode == 1
    assert "name a study" in alone.stderr
