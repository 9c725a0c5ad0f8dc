"""The pool of worker processes, with real processes that are really killed."""

import gc
import mmap
import multiprocessing
import os
import subprocess
import sys
import time
import weakref
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import cycle
from math import inf
from multiprocessing import forkserver
from pathlib import Path

import numpy as np
import pytest

from mien import worker
from mien.errors import InputError, LimitError, UsageError, WorkerError
from mien.worker_process import UNBOUND, Bounds, Failed
from mien.workers import Workers
from waiting import HANG, run, wait_for

kept = []
"""What tasks leave behind in their process."""

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def counted(folder, task):
    """Notes which process has begun which task, then does what the task says."""
    with (Path(folder) / f"{os.getpid()}.log").open("a") as log:
        log.write(f"{task}\n")
    match task:
        case ("raise", error):
            raise error
        case ("die", status):
            os._exit(status)
        case ("many", count):
            for number in range(count):
                yield np.full(100_000, number, np.uint8)
        case ("keep", size):
            kept.append(mmap.mmap(-1, size))
            yield len(kept)
        case ("meet", count):
            wait_for(lambda: made(folder) >= count)
            yield "met"
        case ("sleep", seconds):
            time.sleep(seconds)
            yield "slept"
        case ("first", seconds):
            yield "first"
            time.sleep(seconds)
        case number:
            time.sleep(0.002)
            yield number * number


def make(folder):
    (Path(folder) / f"{os.getpid()}.made").touch()
    return partial(counted, folder)


def refuse():
    raise UsageError("nothing can be made")


def die():
    os._exit(7)


def made(folder):
    return len(list(Path(folder).glob("*.made")))


def test_results_come_in_order_and_what_a_worker_needs_is_made_once(tmp_path, children):
    with Workers(partial(make, tmp_path), 2) as workers:
        tasks = [("meet", 2), *range(200)]  # or one might have done all before the other is there
        assert list(workers.results(tasks)) == [(tasks[0], "met"), *((number, number**2) for number in range(200))]
        assert made(tmp_path) == 2
        assert list(workers.results([3])) == [(3, 9)]  # by a process that is there already
        assert made(tmp_path) == 2
        assert len(children()) == 2
    assert children() == []


def test_a_task_may_have_many_results_or_none(tmp_path):
    with Workers(partial(make, tmp_path), 2) as workers:
        found = Counter(task for task, _ in workers.results([("many", 3), ("many", 0), 5, ("many", 1)]))
    assert found == {("many", 3): 3, 5: 1, ("many", 1): 1}


@pytest.mark.parametrize(
    ("bounds", "processes"),
    [(UNBOUND, 1), (Bounds(memory=8 * 2**30), 1), (Bounds(memory=2**30), 3)],
)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the memory is not limited")
def test_only_what_the_next_task_would_lack_of_its_memory_ends_a_process(tmp_path, bounds, processes):
    tasks = [("keep", 300 * 2**20), 1, ("keep", 300 * 2**20), 2, 3]
    with Workers(partial(make, tmp_path), 1, bounds) as workers:
        assert len(list(workers.results(tasks))) == len(tasks)
    assert made(tmp_path) == processes


def test_a_process_that_may_have_no_children_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # as a worker of Pool is
    with Workers(partial(make, tmp_path), 2) as workers, pytest.raises(WorkerError, match=r"Pool.*use one process"):
        list(workers.results([1]))


def test_a_script_on_standard_input_may_start_workers():
    script = """
from functools import partial
from operator import itemgetter
from mien.workers import Workers
with Workers(partial(itemgetter, 0), 1) as workers:
    print([result for _, result in workers.results([[[5]]])], __file__)
"""
    done = subprocess.run([sys.executable, "-"], input=script, check=False, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[5] <stdin>\n", "")


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux lists its descriptors")
def test_a_worker_that_was_replaced_leaves_no_descriptor(tmp_path):
    deaths, count = [], 12  # whose tracebacks keep the worker; what other tests left may open a few meanwhile
    with Workers(partial(make, tmp_path), 1) as workers:
        assert list(workers.do(2)) == [4]
        gc.collect()
        before = descriptors()
        for _ in range(count):
            with pytest.raises(WorkerError) as died:
                list(workers.do(("die", 3)))
            deaths.append(died)
            assert list(workers.do(2)) == [4]
        wait_for(lambda: descriptors() < before + count)


@needs_signals
def test_how_a_worker_died_is_known_while_others_start(tmp_path, monkeypatch):
    """To start a process asks all others for their exit codes, each of which can be read once."""
    read, waits = forkserver.read_signed, cycle([0.1, 0.0, 0.05])

    def slowly(descriptor):
        time.sleep(next(waits))
        return read(descriptor)

    monkeypatch.setattr(forkserver, "read_signed", slowly)
    with Workers(partial(make, tmp_path), 3) as workers:
        results = [result for _, result in workers.results([("die", 3)] * 12)]
    assert {str(result.error) for result in results} == {"the worker process that read it died (exit status 3)"}


def test_an_error_ends_its_task_only(tmp_path):
    tasks = [1, ("raise", InputError("a.jpg: broken")), ("raise", OSError("disk")), ("raise", MemoryError()), 2]
    with Workers(partial(make, tmp_path), 2) as workers:
        first, *failed, last = (result for _, result in workers.results(tasks))
    assert (first, last) == (1, 4)
    assert [(type(result.error), str(result.error)) for result in failed] == [
        (InputError, "a.jpg: broken"),
        (WorkerError, "OSError: disk"),
        (LimitError, "not enough memory"),
    ]
    assert made(tmp_path) in {2, 3}  # one that had not enough memory is replaced


def test_a_worker_that_dies_is_replaced_and_its_task_named(tmp_path):
    tasks = [0, ("die", 3), *range(20)]
    with Workers(partial(make, tmp_path), 2) as workers:
        results = list(workers.results(tasks))
    assert [task for task, _ in results] == tasks
    assert str(results[1][1].error) == "the worker process that read it died (exit status 3)"
    assert [result for task, result in results if not isinstance(task, tuple)] == [0, *(n * n for n in range(20))]
    assert made(tmp_path) in {2, 3}  # a quick one may have done the rest before it was replaced


@needs_signals
@pytest.mark.parametrize("seed", [1, 2])
def test_workers_killed_at_random_moments_lose_and_double_nothing(tmp_path, seed, children):
    rng = np.random.default_rng(seed)
    moments = set(rng.choice(np.arange(5, 590), 5, replace=False).tolist())
    results = []
    with Workers(partial(make, tmp_path), 2) as workers:
        for count, result in enumerate(workers.results(range(600))):
            results.append(result)
            if count in moments and (running := children()):
                with suppress(ValueError):  # closed already
                    running[rng.integers(len(running))].kill()
    assert [task for task, _ in results] == list(range(600))
    failed = [result for _, result in results if isinstance(result, Failed)]
    assert len(failed) <= 5
    assert all("signal 9" in str(result.error) for result in failed)
    assert all(result == task * task for task, result in results if not isinstance(result, Failed))


def test_tasks_that_are_forgotten_are_not_kept_while_the_first_is_slow(tmp_path):
    references = []

    def tasks():
        yield "sleep", 0.5
        for _ in range(60):
            task = np.zeros(10)
            references.append(weakref.ref(task))
            yield task
            del task

    with Workers(partial(make, tmp_path), 2) as workers:
        results = workers.results(tasks(), forget=True)
        assert next(results) == (None, "slept")
        assert sum(reference() is not None for reference in references) <= 3  # one for each worker, one on its way
        assert [task for task, _ in results] == [None] * 60
    assert len(references) == 60


def test_memory_is_bounded_while_the_first_task_is_slow(tmp_path):
    tasks = [("sleep", 1.5), *[("many", 100)] * 30]  # 300 MB of results behind it
    begun = []
    with Workers(partial(make, tmp_path), 2) as workers:
        results = workers.results(tasks)
        assert next(results)[1] == "slept"
        begun = sum(len(log.read_text().splitlines()) for log in tmp_path.glob("*.log"))
        assert sum(1 for _ in results) == 3000
    assert begun <= 9  # 64 MB are held, of 10 MB a task


def test_tasks_are_read_no_further_ahead_than_needed(tmp_path):
    read = []

    def tasks():
        for number in range(5000):
            read.append(number)
            yield ("sleep", 1.0) if number == 0 else number

    with Workers(partial(make, tmp_path), 2) as workers:
        next(workers.results(tasks()))
        assert len(read) <= 258


def test_closing_the_results_ends_the_workers_at_once(tmp_path, children):
    workers = Workers(partial(make, tmp_path), 2)
    results = workers.results([1, ("sleep", 600), ("sleep", 600)])
    assert next(results) == (1, 1)
    results.close()
    assert children() == []
    assert list(workers.results([2])) == [(2, 4)]  # the pool itself goes on
    workers.close()
    assert children() == []


def test_a_result_is_given_before_the_next_one_is_there(tmp_path):
    with Workers(partial(make, tmp_path), 1) as workers:
        results = workers.do(("first", HANG))
        assert next(results) == "first"
        results.close()


def test_a_process_for_one_task_is_ended_after_it(tmp_path, children):
    with Workers(partial(make, tmp_path), 1) as workers:
        assert [list(workers.do(number, Bounds(once=True))) for number in (2, 3)] == [[4], [9]]
        assert made(tmp_path) == 2
        assert children() == []


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        ValueError("OpenCV(4.12.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9437184 bytes"),
        RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"),
        RuntimeError(
            "FAIL : running Conv node. bfc_arena.cc:360 Failed to allocate memory for requested buffer of size 9"
        ),
        OSError(12, "Cannot allocate memory"),
        BlockingIOError(11, "Resource temporarily unavailable"),
    ],
)
def test_memory_that_a_library_was_refused_is_a_limit(tmp_path, error):
    with Workers(partial(make, tmp_path), 1) as workers, pytest.raises(LimitError, match="not enough memory"):
        list(workers.do(("raise", error)))


@pytest.mark.parametrize(
    ("wall", "used", "over"),
    [
        (3.0, 0.39, False),  # the machine is busy: it would have been done
        (3.0, 0.4, True),  # it had its time, and is costly
        (10.1, 0.1, True),  # it has waited long enough
        (3.0, inf, True),  # the system does not say
    ],
)
def test_a_late_task_goes_on_only_while_it_had_little_of_the_processor(monkeypatch, wall, used, over):
    clock, spent = [0.0], [0.0 if used < inf else inf]
    monkeypatch.setattr(worker, "monotonic", lambda: clock[0])
    monkeypatch.setattr(worker, "_processor_time", lambda _: spent[0])
    time_of = worker._Time(Bounds(seconds=2.5, starved_seconds=7.5, cheap_cpu_seconds=0.4), 1)
    time_of.wait_for_result()
    assert time_of.left() == 2.5
    clock[0], spent[0] = wall, used
    assert time_of.is_over() == over
    assert time_of.limit() == ("busy" if used < 0.4 else "time")
    if not over:
        assert 0 < time_of.left() < 1


def test_what_cannot_be_made_or_started_is_said(tmp_path, children):
    with pytest.raises(UsageError, match="nothing can be made"), Workers(refuse, 2) as workers:
        list(workers.results([1, 2, 3]))
    with pytest.raises(WorkerError, match=r"do not start \(.*exit status 7\)"), Workers(die, 1) as workers:
        list(workers.results([1]))
    with pytest.raises(WorkerError, match="can be pickled"), Workers(lambda: None, 1) as workers:
        list(workers.results([1]))
    assert children() == []


def test_an_error_of_the_tasks_is_raised(tmp_path, children):
    def tasks():
        yield 1
        raise InputError("the list ends here")

    with pytest.raises(InputError, match="ends here"), Workers(partial(make, tmp_path), 2) as workers:
        list(workers.results(tasks()))
    assert children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are not forked by a server")
def test_the_server_that_forks_starts_before_there_is_work_and_ends_with_its_program():
    program = "import psutil; from mien.worker import start_server; start_server(); print(psutil.Process().children())"
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.count("psutil.Process(pid=") == 2  # it, and what cleans up after multiprocessing
    assert done.stderr == ""
