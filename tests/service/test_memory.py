"""What the parts of the service may use adds up to the whole, and fits the container of the examples."""

import re
from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.service.heap import Heap
from mien.service.limits import MEGABYTE, Limits
from mien.service.memory import Shares, memory_at_hand, usual_memory

EXAMPLES = Path(__file__).parents[2] / "examples"
GIGABYTE = 1024 * MEGABYTE


@pytest.mark.parametrize("total", [1, 1.5, 2, 4, 16])
@pytest.mark.parametrize(("workers", "videos"), [(1, 0), (1, 2), (2, 2), (2, 4), (8, 2)])
def test_the_shares_add_up(total, workers, videos):
    total = round(total * GIGABYTE)
    try:
        shares = Shares.of(total, workers, videos)
    except UsageError as error:
        assert "too little" in str(error)  # noqa: PT017 - either is right
        return
    assert shares.most <= total
    limits = shares.limits(Limits())
    assert limits.large_picture_memory >= limits.pixels * 20
    assert limits.video_memory > 2 * limits.video_body
    assert min(limits.body, limits.video_body, limits.picture_memory) > 0


def test_two_gigabytes_are_enough_for_all_defaults():
    limits = Shares.of(2 * GIGABYTE, 2, Limits().videos).limits(Limits())
    assert limits == Limits()


def test_more_than_is_at_hand_is_not_taken():
    assert usual_memory(2, None) == 2 * GIGABYTE
    assert usual_memory(2, GIGABYTE) == GIGABYTE
    assert usual_memory(8, 64 * GIGABYTE) == 8 * GIGABYTE


@pytest.mark.parametrize(
    ("line", "file"),
    [("0::/group", "group/memory.max"), ("4:memory:/docker/x", "memory/memory.limit_in_bytes"), ("0::/", "memory.max")],
)
def test_the_limit_of_a_control_group_counts(tmp_path, line, file):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(line + "\n")
    path = tmp_path / "sys/fs/cgroup" / file
    path.parent.mkdir(parents=True)
    path.write_text(f"{300 * MEGABYTE}\n")
    assert memory_at_hand(tmp_path) == 300 * MEGABYTE
    path.write_text("max\n")
    assert memory_at_hand(tmp_path) > 300 * MEGABYTE


def test_the_containers_of_the_examples_have_room_for_the_defaults():
    compose, kubernetes = (EXAMPLES / "compose.yaml").read_text(), (EXAMPLES / "kubernetes.yaml").read_text()
    unit = (EXAMPLES / "mien.service").read_text()
    assert re.search(r"mem_limit: 2g", compose)
    assert re.search(r'limits: \{cpu: "2", memory: 2Gi\}', kubernetes)
    assert re.search(r"MemoryMax=2G", unit)
    assert Shares.of(2 * GIGABYTE, 2, Limits().videos).most <= 2 * GIGABYTE


def test_what_large_bodies_leave_goes_back_but_not_all_the_time():
    now, trims = [10.0], []
    heap = Heap(lambda: now[0], lambda: trims.append(now[0]))
    for second, size in ((10.0, 2**20 - 1), (10.1, 2**20), (10.9, 2**24), (11.2, 2**20), (11.3, 2**20)):
        now[0] = second
        heap.freed(size)
    assert trims == [10.1, 11.2]
