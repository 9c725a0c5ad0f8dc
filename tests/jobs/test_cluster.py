"""The engine of Ray: a real local Ray, its manners, and an actor that is really killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from threading import Thread

import psutil
import pytest
from process_tree import below

import mien.jobs
from jobs.inputs_of_jobs import draw, draw_plain, rows, started
from jobs.moody import CountedClassifier, Moody
from mien.errors import MissingExtraError, UsageError, WorkerError
from mien.jobs import cluster, cluster_watch
from mien.recognition.recognizer import Recognizer
from processes import is_alive, told
from waiting import HANG, wait_for

pytest.importorskip("ray", reason="the extra cluster is not installed")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = draw(tmp_path_factory.mktemp("cluster") / "in", 60, broken=3)
    draw_plain(folder)
    (folder / "hanging.png").unlink()
    return folder


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory):
    """The rows of this machine's engine."""
    home = tmp_path_factory.mktemp("here")
    recognizer = Recognizer(CountedClassifier(home), Moody(), threads=1)
    mien.jobs.run([folder], home / "out", recognizer)
    return rows(home / "out")


def listeners(processes):
    """Addresses at which processes listen."""
    found = set()
    for _, connections in told(processes, lambda process: process.net_connections("inet")):
        found |= {connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN}
        others = {connection.raddr.ip for connection in connections if connection.raddr}
        assert {address.removeprefix("::ffff:") for address in others} <= {"127.0.0.1", "::1"}
    return {address.removeprefix("::ffff:") for address in found}


def loaded(loads):
    """How many processes have noted that they loaded the model."""
    return sum(file.stat().st_size > 0 for file in loads.iterdir())


def test_rows_and_manners_of_a_ray_of_ones_own(folder, expected, tmp_path):
    """An actor is killed, an input kills its reader; rows are those of one machine, and nothing is left behind."""
    out, loads = tmp_path / "out", tmp_path / "loads"
    loads.mkdir()
    with (tmp_path / "said").open("wb") as said, (tmp_path / "errors").open("wb") as errors:
        arguments = ("--cluster", "local", "--loads", loads, "--until", tmp_path / "go")
        driver = started(folder, out, *arguments, stdout=said, stderr=errors)
        wait_for(lambda: loaded(loads) == 3 or driver.poll() is not None)  # it and two actors
        running = below(driver.pid)
        addresses = listeners(running)
        servers = [process for process, name in told(running, psutil.Process.name) if name in {"raylet", "gcs_server"}]
        environments = [process.environ() for process in servers]
        victim = next(process for process in running if (loads / f"{process.pid}.loads").exists())
        victim.kill()
        wait_for(lambda: loaded(loads) == 4 or driver.poll() is not None)  # and the one in its place
        (tmp_path / "go").touch()
        assert driver.wait(HANG) == 0, (tmp_path / "errors").read_text()
    assert rows(out) == expected
    assert (tmp_path / "said").read_bytes() == b""
    messages = set((tmp_path / "errors").read_text().splitlines())
    death = "a process of the cluster died; its part is done again"  # if Ray says so before the job ends
    assert messages - {death} == {row["error"] for row in expected if row["error"]}
    assert addresses == {"127.0.0.1"}
    assert len(environments) == 2
    for variables in environments:
        assert variables["RAY_USAGE_STATS_ENABLED"] == "0"
        assert variables["RAY_USAGE_STATS_REPORT_URL"].startswith("http://127.0.0.1")
        assert variables["RAY_AUTH_MODE"] == "token"
    wait_for(lambda: not any(map(is_alive, running)))
    counts = {file.stem: len(file.read_text().splitlines()) for file in loads.iterdir()}
    assert set(counts.values()) == {1}
    assert len(counts) == 4


def test_ray_is_said_to_be_missing(monkeypatch, folder, tmp_path):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mien\[cluster\]'"):
        mien.jobs.run([folder], tmp_path / "out", running=mien.jobs.Running(cluster="local"))
    assert not (tmp_path / "out").exists()


def test_what_an_actor_raises_is_said_in_one_line():
    inner = UsageError("out/parts/a.parquet: cannot be written (No space left on device)")
    outer = RuntimeError("a traceback\nof many lines")
    outer.cause = inner
    assert cluster._said(outer) is inner
    assert str(cluster._said(RuntimeError("many\nlines\n"))) == "the cluster failed (RuntimeError: lines)"


def test_only_what_the_caller_prints_between_two_parts_reaches_standard_output(capsys, caplog):
    prints = cluster_watch.Prints(sys.stdout)
    with redirect_stdout(prints):
        sys.stdout.write("(raylet) A worker died or was killed while executing a task\n")
        prints.lent = True
        sys.stdout.write("done\n")
        thread = Thread(target=sys.stdout.write, args=["(raylet) noise\n"])
        thread.start()
        thread.join()
    assert capsys.readouterr().out == "done\n"
    assert caplog.messages == ["a process of the cluster died; its part is done again"]


@pytest.mark.parametrize("is_done", [False, True])
def test_a_cluster_whose_processes_only_die_is_given_up(is_done, monkeypatch):
    """Ray would start them again for ever. Deaths beside parts that are done end nothing."""
    monkeypatch.setattr(cluster_watch, "_SILENCE", 0.05)
    prints = cluster_watch.Prints(sys.stdout)
    before = signal.getsignal(signal.SIGUSR1)

    def die(watch):
        until = time.monotonic() + (0.3 if is_done else HANG)
        while time.monotonic() < until:
            prints.write("(raylet) A worker died or was killed while executing a task")
            watch.parts += is_done
            time.sleep(0.005)

    if is_done:
        with cluster_watch.Watch(prints) as watch:
            die(watch)
    else:
        with (
            pytest.raises(WorkerError, match=r"died \d+ times in 0.05 s and did no part: "),
            cluster_watch.Watch(prints) as watch,
        ):
            die(watch)
    assert signal.getsignal(signal.SIGUSR1) == before


def test_the_folder_of_a_driver_that_is_killed_is_removed():
    code = "from mien.jobs.cluster import _folder\nwith _folder() as folder: print(folder, flush=True); input()"
    driver = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder = Path(driver.stdout.readline().strip())
    assert folder.is_dir()
    (remover,) = below(driver.pid)
    driver.kill()
    driver.communicate()
    wait_for(lambda: not folder.exists() and not is_alive(remover))


def test_a_gpu_is_asked_for_with_the_device():
    from mien.cli.predict_job import running

    asked = running(2, "auto", None, 60.0, resume=True, device="cuda")
    assert (asked.gpus, asked.cluster, asked.workers) == (1.0, "auto", 2)
    assert running(None, None, None, 60.0, resume=True, device="auto").gpus == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_driver_that_ends_is_resumed_at_once_and_leaves_no_process(number, folder, expected, tmp_path):
    """The resumed job meets workers of the dead one that may still commit parts."""
    out, loads = tmp_path / "out", tmp_path / "loads"
    loads.mkdir()
    arguments = ("--cluster", "local", "--loads", loads)
    driver = started(folder, out, *arguments, "--seconds", 0.3)
    wait_for(lambda: list((out / "parts").glob("*.parquet")) or driver.poll() is not None)
    running = below(driver.pid)
    assert len(running) > 5
    driver.send_signal(number)
    assert driver.wait(HANG) != 0
    assert not (out / "_SUCCESS").exists()
    assert started(folder, out, *arguments).wait(HANG) == 0
    assert rows(out) == expected
    wait_for(lambda: not any(map(is_alive, running)))


@pytest.mark.slow
def test_actors_die_between_write_and_rename(folder, expected, tmp_path):
    """Each does so after three parts; what it wrote without a name is removed at the end."""
    out, loads = tmp_path / "out", tmp_path / "loads"
    loads.mkdir()
    assert started(folder, out, "--cluster", "local", "--loads", loads, "--dies-after", 3).wait(HANG) == 0
    assert rows(out) == expected
    assert len(list(loads.iterdir())) > 4
    assert [*out.glob(".*"), *(out / "parts").glob(".*")] == []


@pytest.mark.slow
def test_one_of_two_nodes_is_killed(folder, expected, tmp_path, monkeypatch):
    """Two simulated machines; the actors of one die with it, and its parts are done by the other."""
    for name, value in {**cluster._QUIET, **cluster._LOOPBACK, "RAY_AUTH_TOKEN": "secret" * 8}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "loads").mkdir()
    driver = started(folder, tmp_path / "out", tmp_path / "loads", script="two_nodes.py")
    assert driver.wait(HANG) == 0
    assert rows(tmp_path / "out") == expected


def test_the_cluster_of_this_machine_is_what_ray_start_noted(tmp_path, monkeypatch):
    """And no Ray that somebody has for himself, which Ray would take."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(UsageError, match=r"--cluster auto finds no cluster that `ray start` made here"):
        cluster.reached("auto")
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray/ray_current_cluster").write_text(address)
        assert cluster.reached("auto") == address
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(UsageError, match=r"127.0.0.1:9 does not answer"):
        cluster.reached("auto")


def test_a_cluster_that_does_not_answer_is_said_at_once(folder, tmp_path):
    with pytest.raises(UsageError, match=r"--cluster 127.0.0.1:9 does not answer \(Connection refused\)"):
        mien.jobs.run([folder], tmp_path / "out", running=mien.jobs.Running(cluster="127.0.0.1:9"))
    assert not (tmp_path / "out").exists()
