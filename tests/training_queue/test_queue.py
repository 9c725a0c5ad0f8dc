"""How the queue starts, stops and survives: real processes, with a program in the place of `mien` that trains nothing.

It writes an epoch's line and checkpoint every 50 ms; the training's settings say how it ends.
"""

import re
import signal
import sys
from pathlib import Path

import psutil
import pytest

from processes import is_alive
from waiting import HANG, wait_for

PROGRAM = f"""#!{sys.executable}
import json, os, pathlib, sys, time

words = sys.argv[sys.argv.index("mien") + 1:]
if words[0] == "data":
    pathlib.Path(words[3]).mkdir()
    sys.exit()
assert words[0] == "train" and os.environ["PYTHONPATH"].endswith("/src") and "--resume" in words
run = pathlib.Path(words[words.index("--run") + 1])
run.mkdir(exist_ok=True)
ends = dict(word.split("=") for word in words if "=" in word)
log = run / "log.jsonl"
epochs = int(ends["epochs"])
(run / "config.toml").write_text(f"epochs = {{epochs}}")
done = log.read_text().count(chr(10)) if log.exists() else 0
if "fail_at" in ends and done == int(ends["fail_at"]):
    sys.exit("the loss is nan")
for epoch in range(done, epochs):
    time.sleep(0.05)
    (run / "last.safetensors").write_text(str(epoch))
    with log.open("a") as file:
        file.write(json.dumps({{"epoch": epoch, "accuracy": epoch / 1000, "seconds": 0.05, "faces_per_second": 100}}))
        file.write(chr(10))
    if epoch + 1 == int(ends.get("kill_at", 0)):
        os.kill(os.getpid(), 9)
if "kill_first" in ends:
    os.kill(os.getpid(), 9)
"""

ENDLESS = 'set = ["epochs=100000"]'
"""A training that goes on for as long as any test needs."""

LIST = """
data = "made"
drop_rows = "QUEUE_DROP"

[data_sets.made]
csv = "QUEUE_CSV"
"""


@pytest.fixture
def queue_of(repository, write_list, new_queue, tmp_path):
    """A queue whose list has trainings with these settings, by name."""
    program = tmp_path / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)

    def make(**trainings):
        entries = (f'[[trainings]]\nname = "{name}"\nrecipe = "any"\n{rest}\n' for name, rest in trainings.items())
        write_list(LIST + "\n".join(entries))
        return new_queue(repository, Path("..") / program.name, QUEUE_CSV=str(program), QUEUE_DROP="")

    return make


def test_stops_at_once_and_goes_on(queue_of):
    queue = queue_of(long=ENDLESS)
    started = queue("start")
    wait_for(lambda: queue.epochs("long") >= 3)
    training = psutil.Process(wait_for(lambda: queue.running()["process"]))
    assert f"process {queue.running()['queue']} " in started
    assert "a queue runs already" in queue("start", status=1)
    assert "a queue runs already" in queue("run", status=1)
    assert queue.states() == {"long": "running"}
    assert "running long" in " ".join(queue("status").split())
    stopped = queue("stop")
    stopped_after = queue.epochs("long")
    assert re.search(rf"long: {stopped_after} epochs in its log; the \d+ s after its checkpoint come again", stopped)
    assert not is_alive(training)
    assert queue.states() == {"long": "ready"}
    (stretch,) = queue.stretches("long")
    assert (stretch["result"], stretch["epochs"]) == ("stopped", [0, stopped_after])
    assert 0 <= stretch["lost"] <= stretch["ended"] - stretch["began"]
    assert "does not run" in queue("stop")
    queue("start")
    wait_for(lambda: queue.epochs("long") > stopped_after)
    queue("stop")
    assert queue.stretches("long")[1]["epochs"][0] == stopped_after


@pytest.mark.parametrize("command", ["start", "stop"])
def test_what_a_killed_queue_left_running_is_ended(queue_of, command):
    queue = queue_of(long=ENDLESS)
    process = queue.begin("run")
    wait_for(lambda: queue.epochs("long") >= 2)
    orphan = psutil.Process(wait_for(lambda: queue.running()["process"]))
    process.kill()
    process.communicate()
    assert is_alive(orphan)
    assert queue.status()[1]["queue"] is None
    output = queue(command)
    assert not is_alive(orphan)
    assert queue.stretches("long")[0]["result"] == "killed"
    if command == "start":
        assert "was killed; going on" in output
        queue("stop")


def test_goes_on_past_failures_and_names_them(queue_of):
    queue = queue_of(
        diverges='set = ["epochs=4", "fail_at=0"]',
        needs_it="depends = ['diverges']\nset = ['epochs=2']",
        killed_once='set = ["epochs=4", "kill_at=2"]',
        killed_always='set = ["epochs=0", "kill_first=1"]',
        fine='set = ["epochs=2"]',
    )
    assert "nothing is left" in queue("run", status=1)
    rows, _ = queue.status()
    assert {name: row["state"] for name, row in rows.items()} == {
        "diverges": "failed",
        "needs_it": "blocked",
        "killed_once": "done",
        "killed_always": "failed",
        "fine": "done",
    }
    assert "the loss is nan" in rows["diverges"]["message"]
    assert "killed by signal 9" in rows["killed_always"]["message"]
    assert [(line["result"], line["epochs"]) for line in queue.stretches("killed_once")] == [
        ("killed", [0, 2]),
        ("done", [2, 4]),
    ]
    assert "diverges: begins" not in queue("run", status=1)
    queue("retry", "diverges")
    assert "diverges: begins" in queue("run", status=1)


def test_ends_well_when_all_is_done(queue_of):
    queue = queue_of(fine='set = ["epochs=2"]')
    assert "all trainings are done" in queue("run")
    assert "done    fine" in queue("status")


def test_what_is_missing_is_said_in_one_line(queue_of, repository, new_queue):
    queue_of(fine='set = ["epochs=2"]')
    cases = {
        "QUEUE_CSV is not set": {"QUEUE_DROP": ""},
        "QUEUE_DROP is not set": {"QUEUE_CSV": __file__},
        "QUEUE_CSV is /no/where: no such file": {"QUEUE_CSV": "/no/where", "QUEUE_DROP": ""},
    }
    for message, environ in cases.items():
        for command in ("start", "run"):
            output = new_queue(repository, **environ)(command, status=1)
            assert message in output
            assert len(output.splitlines()) == 1


def test_a_commit_that_is_not_there_is_refused(queue_of, repository):
    queue = queue_of(fine='set = ["epochs=2"]')
    path = repository / "training_queue" / "trainings.toml"
    path.write_text(f'commit = "{"0" * 40}"\n' + path.read_text().partition("\n")[2])
    assert f"has no commit {'0' * 40}" in queue("start", status=1)


def test_two_queues_that_start_together_are_one(queue_of):
    queue = queue_of(long=ENDLESS)
    both = [queue.begin("run") for _ in range(2)]
    wait_for(lambda: any(process.poll() is not None for process in both))
    (loser,) = [process for process in both if process.poll() is not None]
    (winner,) = [process for process in both if process.poll() is None]
    assert loser.returncode == 1
    wait_for(lambda: queue.epochs("long") >= 1)  # by now the winner minds signals
    winner.send_signal(signal.SIGTERM)
    assert winner.wait(HANG) == 0
    loser.communicate()
    winner.communicate()
    assert len(queue.stretches("")) == 1
