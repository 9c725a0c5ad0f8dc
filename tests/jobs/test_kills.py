"""Jobs whose driver and workers are really killed, at seeded moments, start-up included."""

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from functools import partial

import numpy as np
import psutil
import pytest
from process_tree import below
from pyarrow import parquet

import mien.jobs
from jobs.inputs_of_jobs import draw, rows, started
from jobs.moody import Moody
from mien.recognition.recognizer import Recognizer
from processes import is_alive
from waiting import HANG, wait_for

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")

COUNT = 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("killed") / "in", COUNT, broken=3)


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory):
    """The rows of a run that nobody disturbs."""
    out = tmp_path_factory.mktemp("plain") / "out"
    mien.jobs.run([folder], out, Recognizer(detector=Moody(), threads=1))
    return rows(out)


def parts(out):
    return list((out / "parts").glob("*.parquet"))


def check_whole(out):
    """Every file under a final name can be read to its end, and no input is there twice."""
    found = Counter(row["source"] for file in parts(out) for row in parquet.read_table(file).to_pylist())
    assert set(found.values()) <= {1}


def finish(folder, out):
    assert started(folder, out).wait(HANG) == 0
    assert (out / "_SUCCESS").exists()
    leftovers = [*out.glob(".*"), *(out / "parts").glob(".*")]
    assert leftovers == []


def enough(driver, out, count):
    return len(parts(out)) >= count or driver.poll() is not None


def test_a_driver_killed_at_random_moments_is_resumed_at_once(folder, expected, tmp_path):
    out, rng = tmp_path / "out", np.random.default_rng(1)
    begun = time.monotonic()
    first = started(folder, out, "--seconds", 0.1)
    wait_for(lambda: parts(out) or first.poll() is not None)
    start_up = time.monotonic() - begun  # on this machine, busy as it is
    first.kill()
    assert first.wait() == -signal.SIGKILL
    children = []
    for moment, more in zip(rng.uniform(0.1, 0.9, 3), (0, 3, 0), strict=True):
        check_whole(out)
        before = len(parts(out))
        driver = started(folder, out, "--seconds", 0.1)
        if more:
            wait_for(partial(enough, driver, out, before + more))
        else:
            time.sleep(moment * start_up)
        children += below(driver.pid)
        driver.kill()
        driver.wait()
    check_whole(out)
    finish(folder, out)
    assert rows(out) == expected
    wait_for(lambda: not any(map(is_alive, children)))


def test_workers_killed_at_random_moments_cost_nothing(folder, expected, tmp_path):
    out, rng = tmp_path / "out", np.random.default_rng(2)
    driver = started(folder, out, "--seconds", 0.05)
    killed = 0
    while driver.poll() is None and killed < 4:
        time.sleep(rng.uniform(0.02, 0.2))
        if len(parts(out)) > 2 * killed and (readers := reading(driver)):
            with suppress(psutil.NoSuchProcess):
                readers[rng.integers(len(readers))].kill()
                killed += 1
    assert driver.wait(HANG) == 0
    assert killed > 0  # on a busy machine the job may be done before the fourth moment
    found = rows(out)
    twice = {row["source"] for row in found if "signal 9" in (row["error"] or "")}  # killed in both tries
    assert len(twice) <= killed // 2
    assert [row["source"] for row in found] == [row["source"] for row in expected]
    assert [row for row in found if row["source"] not in twice] == [
        row for row in expected if row["source"] not in twice
    ]


def reading(driver):
    """The processes that read: those whose parent is the server that forks."""
    try:
        servers = psutil.Process(driver.pid).children()
        return [child for server in servers for child in server.children()]
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("before", [pytest.param(0, marks=pytest.mark.slow), 7])
def test_a_kill_between_write_and_rename_leaves_no_part(before, folder, expected, tmp_path):
    out = tmp_path / "out"
    assert started(folder, out, "--dies-after", before).wait(HANG) == -signal.SIGKILL
    assert len(parts(out)) == before
    (left,) = (out / "parts").glob(".*")
    assert parquet.read_table(left).num_rows == 4  # it was written whole, and has no name yet
    finish(folder, out)
    assert rows(out) == expected


@pytest.mark.slow
def test_two_drivers_at_once_do_every_input_once(folder, expected, tmp_path):
    out = tmp_path / "out"
    both = [started(folder, out), started(folder, out)]
    assert [driver.wait(HANG) for driver in both] == [0, 0]
    assert rows(out) == expected
