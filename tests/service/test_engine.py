import asyncio

import cv2
import pytest

from mien.service.engine import Engine
from mien.service.metrics import Metrics
from mien.service.settings import Settings


@pytest.fixture
def three_threads():
    """OpenCV with three threads, whatever the machine has."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize(("workers", "threads"), [(1, 5), (2, 2), (5, 1), (8, 1)])
def test_workers_share_five_threads(recognizer, workers, threads):
    async def while_running():
        async with Engine(recognizer, Settings(workers=workers, threads=5), Metrics()).running():
            return cv2.getNumThreads()

    assert asyncio.run(while_running()) == threads
    assert cv2.getNumThreads() == 3
