"""Results whose images have blurred faces, before anything is drawn, shown or written."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import Final

from mien.output.blur import blurred
from mien.output.recognized import Recognized
from mien.results import Box

HELD: Final = 0.5
"""Seconds for which a place of a video stays blurred where a face is not found any more: a detector may miss one for
some frames.
"""


def with_blurred(results: Iterable[Recognized]) -> Generator[Recognized, None, None]:
    """The same results with blurred faces; in a video places stay blurred for `HELD` seconds."""
    held: list[tuple[float, Sequence[Box]]] = []
    source = ""
    for recognized in results:
        frame = recognized.frame
        boxes = [face.box for face in frame.faces]
        if frame.time is None or frame.source != source:
            held, source = [], frame.source
        if frame.time is not None:
            held = [(time, places) for time, places in held if 0 <= frame.time - time <= HELD]
            held.append((frame.time, boxes))
            boxes = [box for _, places in held for box in places]
        image = recognized.image
        yield recognized if image is None else replace(recognized, image=blurred(image, boxes))
