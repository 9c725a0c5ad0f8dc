"""What is saved of a video: the annotated copy, each person summed up, and each person's timeline."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from mien.errors import InputError
from mien.inference.result import Summary
from mien.inference.saving import made_folder
from mien.inference.timeline import Timelines, TrackHistory
from mien.inference.writer import VideoWriter
from mien.output.drawing import annotate
from mien.output.recognized import Recognized

LEAST_TIMELINE: Final = 1.0
"""Seconds for which a person must have been followed to get a timeline."""


class VideoFolder:
    """A folder for what is saved of videos, named after them: ``clip.mp4`` gives ``clip.mien.mp4``, ``clip.mien.json``
    and ``clip.mien.person-1.png``; a second clip.mp4 gives ``clip-2.mien.mp4``.

    Args:
        folder: is made when it is not there.
        sources: every video that may be saved, so that none is ever overwritten.

    Raises:
        InputError: the folder cannot be made.
    """

    def __init__(self, folder: Path, sources: Iterable[Path] = ()) -> None:
        self.path = made_folder(folder)
        self._taken = {source.absolute() for source in sources}

    def open(self, name: str, source: Path | None) -> "VideoOutputs":
        """Begin to save a video.

        Args:
            name: of the source, as in its frames.
            source: its file, whose sound is taken along; None when it is no file.

        Raises:
            InputError: the annotated copy cannot be written.
        """
        first = source.stem if source is not None else re.sub(r"\W+", "-", name).strip("-") or "video"
        stem, number = first, 1
        while (target := (self.path / f"{stem}.mien.mp4").absolute()) in self._taken:
            number += 1
            stem = f"{first}-{number}"
        self._taken.add(target)
        return VideoOutputs(self.path / f"{stem}.mien", name, source)


class VideoOutputs:
    """Everything that is saved of one video, written while its frames come.

    Args:
        base: path without suffix.
        name: of the source.
        source: its file, if it is one.

    Raises:
        InputError: the annotated copy cannot be written.
    """

    def __init__(self, base: Path, name: str, source: Path | None) -> None:
        self._base, self._name = base, name
        self._writer = VideoWriter(self._with(".mp4"), source)
        self._summary, self._timelines = Summary(), Timelines()
        self._empty = True

    def add(self, recognized: Recognized) -> None:
        """Take in the next image.

        Raises:
            InputError: it cannot be written.
        """
        frame, image = recognized.frame, recognized.image
        assert image is not None
        self._empty = False
        self._summary.add(frame)
        self._timelines.add(frame, image)
        self._writer.write(annotate(image, frame.faces), frame.time or 0.0)

    def close(self) -> Iterator[Path]:
        """Finish and name every file, one after the other; one that cannot be written keeps no other from it.

        Raises:
            InputError: one could not be written.
        """
        failures: list[InputError] = []
        for finish in self._endings():
            try:
                path = finish()
            except InputError as error:
                failures.append(error)
                continue
            if path is not None:
                yield path
        if failures:
            raise InputError("; ".join(map(str, failures)))

    def _endings(self) -> Iterator[Callable[[], Path | None]]:
        yield self._writer.close
        if self._empty:
            return
        yield self._write_summary
        for track, history in sorted(self._timelines.tracks.items()):
            if history.seconds >= LEAST_TIMELINE:
                yield partial(self._write_timeline, track, history)

    def _with(self, suffix: str) -> Path:
        return self._base.with_name(self._base.name + suffix)

    def _write_timeline(self, track: int, history: TrackHistory) -> Path:
        return _saved(self._with(f".person-{track}.png"), history.draw(f"{self._name}, person {track}").save)

    def _write_summary(self) -> Path:
        document = {"source": self._name, "people": [track.to_dict() for track in self._summary.tracks()]}
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        return _saved(self._with(".json"), lambda path: path.write_text(text, encoding="utf-8"))


def _saved(path: Path, save: Callable[[Path], object]) -> Path:
    try:
        save(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    return path
