"""Manifests and scripts for clusters run commands that there are; KubeRay's schema, where it is there, accepts them."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from jobs.inputs_of_jobs import draw, rows

EXAMPLES = Path(__file__).parents[1] / "examples"
CRD = os.environ.get("MIEN_RAYJOB_CRD")
"""Path of KubeRay's ``ray.io_rayjobs.yaml`` (helm-chart/kuberay-operator/crds), 1.4 MB, which is not kept here."""


def documents(name):
    return {found["kind"]: found for found in yaml.safe_load_all((EXAMPLES / name).read_text(encoding="utf-8"))}


def entrypoint():
    return documents("rayjob.yaml")["RayJob"]["spec"]["entrypoint"]


def indexed():
    return documents("array_job.yaml")["Job"]["spec"]["template"]["spec"]["containers"][0]["args"][0]


def options_of(command):
    words = shlex.split(command.partition("||")[0])
    assert words[:2] == ["mien", "predict"]
    return [word for word in words if word.startswith("--")]


def test_they_run_options_that_there_are(mien):
    helped = mien("predict", "--help").stdout
    for command in (entrypoint(), indexed()):
        assert all(re.search(rf"{option}\b", helped) for option in options_of(command))
        assert command.endswith("|| test $? -eq 1")
    assert documents("array_job.yaml")["Job"]["spec"]["completions"] == 8


def test_ray_is_the_one_that_is_pinned():
    pinned = re.search(r"^ray==(.*)$", (EXAMPLES.parent / "constraints.txt").read_text(), re.MULTILINE)
    assert documents("rayjob.yaml")["RayJob"]["spec"]["rayClusterSpec"]["rayVersion"] == pinned[1]


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_the_tasks_of_slurm_do_every_part_once(mien, tmp_path, monkeypatch):
    """The script is run by sh for every task; `srun` here prints its arguments, which then are run."""
    (tmp_path / "srun").write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
    (tmp_path / "srun").chmod(0o755)
    draw(tmp_path / "photos", 70)
    monkeypatch.chdir(tmp_path)
    for task in range(2):
        task_of = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
        environment = {**os.environ, **task_of, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        said = subprocess.run(
            ["sh", EXAMPLES / "slurm.sh"], env=environment, capture_output=True, text=True, check=True
        )
        assert not (tmp_path / "faces/_SUCCESS").exists()
        program, *arguments = said.stdout.splitlines()
        assert program == "mien"
        assert mien(*arguments, "--detector", "none").returncode == 0
    assert (tmp_path / "faces/_SUCCESS").exists()
    assert len(rows(tmp_path / "faces")) == 70


@pytest.mark.skipif(CRD is None, reason="MIEN_RAYJOB_CRD names no file")
def test_kuberay_accepts_the_manifest():
    versions = yaml.safe_load(Path(CRD).read_text())["spec"]["versions"]
    schema = strict(next(each for each in versions if each["name"] == "v1")["schema"]["openAPIV3Schema"])
    validate = jsonschema.Draft202012Validator(schema).validate
    validate(documents("rayjob.yaml")["RayJob"])
    wrong = documents("rayjob.yaml")["RayJob"]
    wrong["spec"]["rayClusterSpec"]["enableAutoscaling"] = True
    with pytest.raises(jsonschema.ValidationError, match="enableAutoscaling"):
        validate(wrong)
    # Its schema of a pod is Kubernetes' own: the others' pods are held to it too.
    pod = schema["properties"]["spec"]["properties"]["submitterPodTemplate"]
    for name, kind in (("array_job.yaml", "Job"), ("kubernetes.yaml", "Deployment")):
        jsonschema.Draft202012Validator(pod).validate(documents(name)[kind]["spec"]["template"])


def strict(schema):
    """A schema of Kubernetes as one of JSON that refuses keys which it does not know."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    done = {
        key: {name: strict(value) for name, value in values.items()} if key == "properties" else strict(values)
        for key, values in schema.items()
        if key not in {"format", "default"} or key == "properties"
    }
    if (
        "properties" in done
        and not schema.get("x-kubernetes-preserve-unknown-fields")
        and "additionalProperties" not in done
    ):
        done["additionalProperties"] = False
    return done
