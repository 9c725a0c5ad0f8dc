"""Kill, clone afresh, resume: the same weights. Real trainings on a tiny data set."""

import json
import os
import signal

import numpy as np
import psutil
import pytest
from safetensors import safe_open

from processes import is_alive
from waiting import wait_for

EPOCHS = 12
SETTINGS = [
    f"epochs={EPOCHS}",
    "batch_size=14",
    "preprocess.frame_size=16",
    "preprocess.input_size=16",
    "resolutions=[]",
    "precision=fp32",
    "loss.mixup_last_epochs=0",
]

LIST = f"""
data = "tiny"

[data_sets.tiny]
csv = "QUEUE_CSV"

[[trainings]]
name = "whole"
recipe = "mien_s"
set = {json.dumps(SETTINGS)}
after = [["data", "info", "{{data}}", "--json"], ["data", "info", "nowhere"]]
"""


@pytest.fixture
def csv(tmp_path):
    faces = np.random.default_rng(0).integers(0, 256, (70, 48 * 48), np.uint8)
    usages = ["Training"] * 28 + ["PublicTest"] * 42
    rows = [f"{row % 7},{' '.join(map(str, faces[row]))},{usage}" for row, usage in enumerate(usages)]
    path = tmp_path / "tiny.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return str(path)


def tensors(path):
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping


def test_killed_cloned_and_resumed_it_ends_with_the_same_weights(
    repository, write_list, clone, csv, new_queue, tmp_path, mien
):
    """Against a training that nothing interrupted: `mien train` itself, without the queue."""
    write_list(LIST)
    first = new_queue(repository, QUEUE_CSV=csv)
    process = first.begin("run")
    wait_for(lambda: first.epochs("whole") >= 2)
    training = psutil.Process(wait_for(lambda: first.running()["process"]))
    process.kill()
    os.killpg(training.pid, signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not is_alive(training))
    killed_after = first.epochs("whole")
    assert 2 <= killed_after < EPOCHS
    assert first.states() == {"whole": "ready"}

    whole = tmp_path / "uninterrupted"
    sets = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ["train", "--recipe", "mien_s", "--data", first.home / "data" / "tiny", "--run", whole, *sets]
    assert mien(*words).returncode == 0

    first("pack")
    second = new_queue(clone(), QUEUE_CSV=csv)
    assert not second.home.exists()
    output = second("run")
    assert "whole: restored" in output
    before, after = second.stretches("whole")
    assert (before["result"], before["epochs"]) == ("killed", [0, killed_after])
    assert (after["result"], after["epochs"][1]) == ("done", EPOCHS)
    assert 2 <= after["epochs"][0] <= killed_after + 1
    rows, document = second.status()
    assert rows["whole"]["state"] == "done"
    assert "nowhere" in rows["whole"]["message"]
    assert '"source": "tiny.csv"' in (second.home / "logs" / "whole.log").read_text()
    assert 0 < document["hours"]["trained"] <= document["hours"]["up"] <= document["hours"]["at_hand"]

    for name in ("last.safetensors", "best.safetensors"):
        expected, found = tensors(whole / name), tensors(second.home / "runs" / "whole" / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            assert value.tobytes() == found[key].tobytes(), (name, key)
