"""How many threads are taken: from a made-up tree of control groups, and from what processes see of themselves."""

import os
import shutil
import sys
from pathlib import Path

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.threads import MOST_THREADS, stop_spinning, thread_count, threads_each, usable_cores, worker_count
from waiting import run

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.fixture
def many_cores(monkeypatch):
    """A process that may run on 16 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def group(root: Path, cgroup: str, files: dict[str, str]) -> Path:
    """A system's root with /proc/self/cgroup and files below /sys/fs/cgroup."""
    for name, text in {"proc/self/cgroup": cgroup, **{f"sys/fs/cgroup/{key}": files[key] for key in files}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def version_1(folder: str, quota: int) -> dict[str, str]:
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}


@pytest.mark.usefixtures("many_cores")
@pytest.mark.parametrize(
    ("cgroup", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "1000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "100000 50000\n", "a/cpu.max": "300000 100000\n"}, 2),
        ("0::/../../pod\n", {"cpu.max": "500000 100000\n"}, 5),
        ("0::/host/docker/1f\n", {"cpu.max": "400000 100000\n"}, 4),
        ("3:cpuset:/\n2:cpu,cpuacct:/job\n0::/\n", version_1("cpu,cpuacct/job", 350000), 4),
        ("2:cpu,cpuacct:/host/docker/1f\n", version_1("cpu", 100000), 1),
        ("2:cpu:/job\n", version_1("cpu/job", -1), 16),
        ("2:cpuset:/job\n", version_1("cpuset/job", 100000), 16),
        ("1:cpu:/\n0::/unit\n", {**version_1("cpu", 900000), "unified/unit/cpu.max": "700000 100000\n"}, 7),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 16),
        ("0::/\n", {"cpu.max": "quick 0\n"}, 16),
        ("0::/\n", {"cpu.max": "100000 0\n"}, 16),
        ("nonsense", {"cpu.max": ""}, 16),
    ],
)
def test_quotas_of_control_groups_bound_the_cores(tmp_path, cgroup, files, cores):
    assert usable_cores(group(tmp_path, cgroup, files)) == cores


@pytest.mark.usefixtures("many_cores")
def test_a_system_without_control_groups_has_the_cores_of_the_affinity(tmp_path):
    assert usable_cores(tmp_path) == 16


def test_a_system_without_affinity_has_all_cores(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores(tmp_path) == os.cpu_count()


def test_any_text_in_the_place_of_control_groups_is_borne(tmp_path_factory):
    @given(st.text(), st.text())
    def borne(cgroup, quota):
        root = tmp_path_factory.mktemp("root")
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(cgroup, encoding="utf-8")
        (root / "sys/fs/cgroup").mkdir(parents=True)
        (root / "sys/fs/cgroup/cpu.max").write_text(quota, encoding="utf-8")
        assert 1 <= usable_cores(root) <= CORES

    borne()


def test_what_is_asked_for_counts_first_and_openmp_second():
    assert thread_count(3, {"OMP_NUM_THREADS": "7"}) == 3
    assert thread_count(None, {"OMP_NUM_THREADS": "7"}) == 7
    assert thread_count(None, {"OMP_NUM_THREADS": "4,2"}) == 4
    for unsound in ("", "0", "-1", "many", "99999"):
        assert thread_count(None, {"OMP_NUM_THREADS": unsound}) == usable_cores()
    assert thread_count(None, {}) == usable_cores()


def test_processes_share_the_threads_but_not_those_of_openmp():
    assert threads_each(8, 2, {}) == 4
    assert threads_each(2, 3, {}) == 1
    assert threads_each(8, 2, {"OMP_NUM_THREADS": "3"}) == 4
    assert threads_each(None, 2, {"OMP_NUM_THREADS": "3"}) == 3
    assert threads_each(None, 1, {}) == usable_cores()


@pytest.mark.parametrize("threads", [0, -1, MOST_THREADS + 1])
def test_a_number_out_of_range_is_one_line(threads):
    with pytest.raises(UsageError, match=rf"^threads is {threads}: expected 1\.\.1024$"):
        thread_count(threads)


def test_the_users_own_waiting_is_kept():
    for given_to, left in (({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")):
        environment = dict(given_to)
        stop_spinning(environment)
        assert environment == {"OMP_WAIT_POLICY": left}


def python(program: str, *words: str, before: tuple[str, ...] = (), **variables: str) -> str:
    """What a Python process prints that has neither of OpenMP's variables but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    command = [*before, sys.executable, "-c", program, *words]
    done = run(command, capture_output=True, text=True, env={**kept, **variables}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SPY = """
import builtins, os, subprocess, sys
load, seen = builtins.__import__, []
class ReachedError(BaseException):
    pass
def spy(name, *rest, **more):
    if name.partition(".")[0] == "torch":
        child = "import os; print(os.environ['OMP_WAIT_POLICY'])"
        seen.append(os.environ.get("OMP_WAIT_POLICY"))
        seen.append(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
        raise ReachedError
    return load(name, *rest, **more)
builtins.__import__ = spy
try:
    __import__(sys.argv[1])
except ReachedError:
    pass
print(*seen)
"""


@pytest.mark.parametrize(("variables", "policy"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")])
@pytest.mark.parametrize("module", ["mien.training.engine", "mien.evaluation.measured", "mien.networks"])
def test_threads_do_not_spin_by_the_time_torch_is_loaded(module, variables, policy):
    """Seen at the moment at which torch would be imported, which takes seconds and shows no more."""
    assert python(SPY, module, **variables) == f"{policy} {policy}"


@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset")
def test_a_process_bound_to_one_core_takes_one_thread():
    core = str(min(os.sched_getaffinity(0)))
    program = "from mien.threads import thread_count; print(thread_count())"
    assert python(program, before=("taskset", "-c", core)) == "1"


def test_onnxruntime_starts_as_many_threads_as_asked_for():
    program = """
from pathlib import Path
from mien.model.onnx_model import Bundle
def alive():
    return len(list(Path("/proc/self/task").iterdir()))
counts = [alive()]
kept = []
for threads in (1, 3, 6):
    kept.append(Bundle.load(threads=threads))
    counts.append(alive())
print([after - before for before, after in zip(counts, counts[1:])])
"""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs /proc")
    assert python(program) == "[0, 2, 5]"


def test_a_recognizer_sets_the_threads_of_opencv():
    from mien.recognition.recognizer import Recognizer

    before = cv2.getNumThreads()
    try:
        Recognizer(detector="none", threads=3)
        assert cv2.getNumThreads() == 3
        cv2.setNumThreads(1)
        Recognizer(detector="none")
        assert cv2.getNumThreads() == 1
        cv2.setNumThreads(MOST_THREADS)
        Recognizer(detector="none")
        assert cv2.getNumThreads() == thread_count()
    finally:
        cv2.setNumThreads(before)


@pytest.mark.usefixtures("many_cores")
@pytest.mark.parametrize(
    ("megabytes", "threads", "workers"), [(128, None, 1), (1024, None, 3), (1024, 2, 2), (2**20, None, 16)]
)
def test_no_more_workers_are_started_than_the_memory_of_a_container_holds(tmp_path, megabytes, threads, workers):
    here = group(tmp_path, "0::/pod\n", {"pod/memory.max": f"{megabytes * 2**20}\n"})
    at_hand = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**40
    assert worker_count(None, threads, here) == min(workers, at_hand // 2**28 - 1)
    assert worker_count(40, threads, here) == 40
