import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mien.service.batcher import Batcher
from mien.service.settings import Settings
from waiting import HANG


@pytest.mark.parametrize(("workers", "threads"), [(1, 5), (2, 2), (5, 1), (8, 1)])
def test_workers_share_five_threads(workers, threads):
    assert Settings(workers=workers, threads=5).threads_each == threads


def test_faces_that_come_while_others_are_classified_are_classified_together():
    sizes, let_go = [], threading.Event()

    def classify(pictures):
        sizes.append(len(pictures))
        let_go.wait(HANG)
        return [[face.upper() for face in faces] for faces in pictures]

    async def run(executor):
        batcher = Batcher(classify, executor, 0, lambda: False, lambda pictures, faces: None)
        first = asyncio.create_task(batcher.classified(["a"]))
        while not sizes:
            await asyncio.sleep(0.01)
        others = [asyncio.create_task(batcher.classified([letter])) for letter in "bcdefghi"]
        await asyncio.sleep(0)  # they have run as far as they can
        let_go.set()
        return await asyncio.gather(first, *others)

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(run(executor)) == [[letter] for letter in "ABCDEFGHI"]
    assert sizes == [1, 8]


def test_nobody_waits_for_the_faces_of_a_crowd():
    passes, done = [], []

    def classify(pictures):
        passes.append([len(faces) for faces in pictures])
        return [[face.upper() for face in faces] for faces in pictures]

    async def asked(batcher, name, faces):
        answer = await batcher.classified(faces)
        done.append(name)
        return answer

    async def run(executor):
        batcher = Batcher(classify, executor, 0, lambda: False, lambda pictures, faces: None)
        return await asyncio.gather(asked(batcher, "crowd", ["a"] * 150), asked(batcher, "one", ["b"]))

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(run(executor)) == [["A"] * 150, ["B"]]
    assert done == ["one", "crowd"]
    assert passes == [[1, 63], [64], [23]]
