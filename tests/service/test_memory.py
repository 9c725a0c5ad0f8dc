"""What the parts of the service may use adds up to the whole, and fits the container of the examples."""

import gc
import re
import weakref
from pathlib import Path

import pytest

import waiting
from mien.control_groups import memory_at_hand
from mien.errors import UsageError
from mien.service import request_pictures
from mien.service.heap import Heap, Leavings
from mien.service.limits import MEGABYTE, Limits
from mien.service.memory import Shares, usual_memory
from mien.service.searching import Upload
from waiting import wait_for

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


def test_what_pictures_leave_goes_back_but_not_all_the_time():
    now, trims = [10.0], []
    heap = Heap(lambda: now[0], lambda: trims.append(now[0]))
    for second in (10.1, 10.9, 11.2, 11.3):
        now[0] = second
        heap.give_back()
    assert trims == [10.1, 11.2]


def test_what_requests_leave_is_collected_once_it_is_a_megabyte_and_at_once_when_it_is_much():
    collected, planned = [], []
    leavings = Leavings(lambda: collected.append(1))

    def later(seconds, action):
        planned.append(action)

    for size in (2**19, 2**19 - 1):
        leavings.add(size, later)
    assert not planned
    for _ in range(3):
        leavings.add(2**19, later)
    assert (len(planned), collected) == (1, [])
    planned.pop()()
    assert collected == [1]
    leavings.add(2**25, later)
    assert (planned, collected) == ([], [1, 1])


def test_bodies_are_given_up_without_waiting_for_python_to_collect_garbage(serve, picture):
    content = picture("PNG") + bytes(2**20)
    seen = weakref.WeakSet()

    class Watched(Upload):
        __slots__ = ("__weakref__",)

        def __post_init__(self):
            seen.add(self)

        def __reduce__(self):  # as it goes to a worker
            return Upload, (self.name, self.content, self.client, self.since)

    gc.disable()
    try:
        with pytest.MonkeyPatch.context() as patch, serve() as address:
            patch.setattr(request_pictures, "Upload", Watched)
            for _ in range(5):
                headers = {"content-type": "image/png"}
                assert waiting.post(f"http://{address}/v1/predict", content=content, headers=headers).status_code == 200
            patch.undo()
            wait_for(lambda: not seen)
    finally:
        gc.enable()
