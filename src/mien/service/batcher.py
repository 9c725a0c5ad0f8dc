"""Dynamic batching: faces of concurrent requests are classified in one forward pass."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from mien.recognition.finder import Candidate
from mien.results import Face

Candidates = Sequence[Candidate]
Classify = Callable[[Sequence[Candidates]], list[list[Face]]]


class Batcher:
    """Dynamic batching: collects the faces of several pictures for a few milliseconds, or while a batch is being
    classified, and classifies them in one forward pass.

    Args:
        classify: lists of candidates to lists of faces, in the same order.
        executor: runs ``classify``.
        seconds: longest wait of the first picture for others, when others are expected.
        expecting: whether others are on their way.
        note: called with the number of pictures and of faces of every batch.
    """

    def __init__(
        self,
        classify: Classify,
        executor: Executor,
        seconds: float,
        expecting: Callable[[], bool],
        note: Callable[[int, int], None],
    ) -> None:
        self._classify, self._executor, self._seconds = classify, executor, seconds
        self._expecting, self._note = expecting, note
        self._waiting: list[tuple[Candidates, asyncio.Future[list[Face]]]] = []
        self._running: asyncio.Task[None] | None = None

    async def classified(self, candidates: Candidates) -> list[Face]:
        """The expressions of the faces of one picture."""
        if not candidates:
            return []
        answer: asyncio.Future[list[Face]] = asyncio.get_running_loop().create_future()
        self._waiting.append((candidates, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            if self._expecting():
                await asyncio.sleep(self._seconds)
            batch, self._waiting = self._waiting, []
            if wanted := [(faces, answer) for faces, answer in batch if not answer.done()]:
                await self._answer(wanted)
        self._running = None

    async def _answer(self, batch: Sequence[tuple[Candidates, asyncio.Future[list[Face]]]]) -> None:
        candidates = [faces for faces, _ in batch]
        self._note(len(candidates), sum(map(len, candidates)))
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(
            loop.run_in_executor(self._executor, self._classify, candidates), return_exceptions=True
        )
        for number, (_, answer) in enumerate(batch):
            if answer.done():  # the client has disconnected
                continue
            if isinstance(results[0], BaseException):
                answer.set_exception(results[0])
            else:
                answer.set_result(results[0][number])
