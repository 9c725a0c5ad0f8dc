"""Dynamic batching: faces of concurrent requests are classified in one forward pass."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from mien.recognition.finder import Candidate
from mien.results import Face

Candidates = Sequence[Candidate]
Classify = Callable[[Sequence[Candidates]], list[list[Face]]]

_TOGETHER: Final = 64
"""Faces that are classified in one pass; those of a crowd wait, so that nobody waits for them."""


@dataclass(slots=True, eq=False)
class _Asked:
    """The faces of one picture.

    Args:
        left: not classified yet.
        answer: for all of them.
        done: those that are classified.
    """

    left: Candidates
    answer: asyncio.Future[list[Face]]
    done: list[Face] = field(default_factory=list)

    def take(self, most: int) -> Candidates:
        """The next faces to classify."""
        taken, self.left = self.left[:most], self.left[most:]
        return taken


class Batcher:
    """Dynamic batching: collects the faces of several pictures for a few milliseconds, or while a batch is being
    classified, and classifies them in one forward pass: a bounded number, those of pictures with few faces first.

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
        self._waiting: list[_Asked] = []
        self._running: asyncio.Task[None] | None = None

    async def classified(self, candidates: Candidates) -> list[Face]:
        """The expressions of the faces of one picture."""
        if not candidates:
            return []
        answer: asyncio.Future[list[Face]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(candidates, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self._waiting:
            if self._expecting():
                await asyncio.sleep(self._seconds)
            if portions := self._portions():
                await self._answer(portions)
            self._waiting = [asked for asked in self._waiting if not asked.answer.done()]
        self._running = None

    def _portions(self) -> list[tuple[_Asked, Candidates]]:
        """The faces that are classified next, and whose they are."""
        room, portions = _TOGETHER, []
        for asked in sorted(self._waiting, key=lambda one: len(one.left)):
            if room and not asked.answer.done():  # else the client has disconnected
                portions.append((asked, asked.take(room)))
                room -= len(portions[-1][1])
        return portions

    async def _answer(self, portions: Sequence[tuple[_Asked, Candidates]]) -> None:
        candidates = [faces for _, faces in portions]
        self._note(len(candidates), sum(map(len, candidates)))
        loop = asyncio.get_running_loop()
        results = await asyncio.gather(
            loop.run_in_executor(self._executor, self._classify, candidates), return_exceptions=True
        )
        for number, (asked, _) in enumerate(portions):
            if asked.answer.done():  # the client has disconnected
                continue
            if isinstance(results[0], BaseException):
                asked.answer.set_exception(results[0])
                continue
            asked.done += results[0][number]
            if not asked.left:
                asked.answer.set_result(asked.done)
