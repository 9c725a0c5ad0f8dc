"""What worker processes do for the service: whatever parses a client's picture or video happens here.

Only faces that were found, crops of 48x48 pixels, and annotated pictures as PNG go back to the service.
"""

import io
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol

import numpy as np
from PIL import Image

from mien.errors import TooLargeError
from mien.faces.follow import Followed
from mien.faces.quality import QualityLimits
from mien.media.decode_picture import Pixels, decode_picture, decode_reduced
from mien.output.drawing import annotate
from mien.output.drawing_options import DrawingOptions
from mien.recognition.finder import Candidate, Finder, MakeFinder
from mien.recognition.pipeline import Searched
from mien.recognition.video import StreamOptions, search_video
from mien.results import Face, Frame
from mien.service.heap import Heap, return_large_blocks
from mien.service.limits import Limits
from mien.service.media_types import PICTURES, picture_type
from mien.worker_process import WithContent, Work

_NICENESS: Final = 5
"""Of a process after the first frame of a video, whose client waits for it: then pictures go first."""

_FIRST: Final[Pixels] = np.zeros((480, 640, 3), np.uint8)
"""An image that every process looks at before it is ready."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that a client sent.

    Args:
        name: what the client calls it.
        content: of the file.
        client: address of whoever sent it.
        since: when it was there, monotonic seconds.
    """

    name: str
    content: bytes
    client: str = ""
    since: float = field(default_factory=time.monotonic)

    def decoded(self, max_pixels: int) -> Pixels:
        """Its pixels.

        Raises:
            RequestError: not a supported picture format.
            InputError: it cannot be decoded.
        """
        return decode_picture(io.BytesIO(self.content), self.name, self.formats, max_pixels)

    @property
    def formats(self) -> frozenset[str]:
        """Pillow's names of the formats that it may have.

        Raises:
            RequestError: not a supported picture format.
        """
        return PICTURES[picture_type(self.content, self.name)]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request asks for.

    Args:
        min_confidence: of the detector, 0..1; below that of the service it changes nothing.
        min_probability: of an expression to be called certain, 0..1; below that of the service it changes nothing.
        max_faces: the largest faces only.
        min_face: no faces that are lower, pixels.
        max_yaw: no faces that are turned farther to either side, degrees.
    """

    min_confidence: float = 0.0
    min_probability: float = 0.0
    max_faces: int | None = None
    min_face: int | None = None
    max_yaw: float | None = None

    def options(self) -> dict[str, float]:
        """What was asked for, by name; what was not is left out."""
        usual = asdict(ALL)
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def wanted(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Those of the faces, largest first, that are asked for."""
        limits = QualityLimits(self.min_face, self.max_yaw)
        sure = [face for face in candidates if face.detection.score >= self.min_confidence]
        return [face for face in sure if limits.hold(face.quality)][: self.max_faces]

    def judged(self, frame: Frame) -> Frame:
        """A frame whose faces say whether they are certain."""
        least = self.min_probability
        faces = (replace(face, min_probability=max(least, face.min_probability)) for face in frame.faces)
        return replace(frame, faces=tuple(faces))


ALL: Final = Wishes()
"""Every face that the service finds."""


class Task(Protocol):
    """What a worker is asked to do."""

    def run(self, finder: Finder, content: Any) -> Iterable[Any]:
        """The results.

        Args:
            finder: what finds faces.
            content: of a video; None otherwise.
        """
        ...


@dataclass(frozen=True, slots=True)
class SearchPicture:
    """The faces of a picture: a `Searched` without an image."""

    upload: Upload
    wishes: Wishes
    limits: Limits

    def run(self, finder: Finder, content: None) -> Iterator[Searched]:
        """See `Task`."""
        upload, most = self.upload, self.limits.pixels
        file = io.BytesIO(upload.content)
        picture = decode_reduced(file, upload.name, finder.reduction, upload.formats, most)
        candidates = finder.find_in(picture, lambda: upload.decoded(most))
        frame = Frame(upload.name, width=picture.width, height=picture.height)
        yield Searched(frame, None, _few(self.wishes.wanted(candidates), upload.name, self.limits))


@dataclass(frozen=True, slots=True)
class FollowPicture:
    """The followed faces of the next picture of a live stream, and what is known of the stream then.

    Args:
        upload: the picture.
        limits: of pixels and faces.
        followed: what is known of the stream so far.
        number: of the picture within the stream.
        seconds: of the picture.
    """

    upload: Upload
    limits: Limits
    followed: Followed
    number: int
    seconds: float

    def run(self, finder: Finder, content: None) -> Iterator[tuple[Searched, Followed]]:
        """See `Task`."""
        image = self.upload.decoded(self.limits.pixels)
        height, width = image.shape[:2]
        follower = finder.follower(self.followed)
        found = finder.crop(image, follower.follow(image, self.number, self.seconds))
        few = _few(found, self.upload.name, self.limits)
        yield Searched(Frame(self.upload.name, width=width, height=height), None, few), follower.followed


@dataclass(frozen=True, slots=True)
class DrawPicture:
    """A picture with its faces drawn in, as PNG."""

    upload: Upload
    faces: tuple[Face, ...]
    options: DrawingOptions
    limits: Limits

    def run(self, finder: Finder, content: None) -> Iterator[bytes]:
        """See `Task`."""
        file = io.BytesIO()
        drawn = annotate(self.upload.decoded(self.limits.pixels), self.faces, **self.options)
        Image.fromarray(drawn).save(file, "PNG", compress_level=1)
        yield file.getvalue()


@dataclass(frozen=True, slots=True)
class SearchVideo:
    """The followed faces of every image of a video.

    Args:
        name: what the client calls it.
        kind: its media type.
        options: how it is recognised.
        limits: of size and length.
    """

    name: str
    kind: str
    options: StreamOptions
    limits: Limits

    def run(self, finder: Finder, content: Any) -> Iterator[Searched]:
        """See `Task`."""
        from mien.service.uploaded_video import UploadedVideo

        return_large_blocks()  # kept frames would count against the limit of memory; pictures would take a tenth longer
        video = UploadedVideo(content, self.name, self.kind, self.limits)
        with closing(search_video(finder, video, self.options, keep_images=False)) as images:
            for number, image in enumerate(images):
                yield replace(image, candidates=_few(image.candidates, self.name, self.limits))
                if not number and hasattr(os, "nice"):
                    os.nice(_NICENESS)


@dataclass(frozen=True, slots=True)
class MakeSearch:
    """Makes what does the tasks, in any process.

    Args:
        make: makes the finder.
    """

    make: MakeFinder

    def __call__(self) -> Work:
        """What does the tasks."""
        logging.getLogger("mien").setLevel(logging.CRITICAL)  # what it says names clients' files
        finder = self.make()
        finder.find(_FIRST)
        return partial(_done, finder, Heap())


def _done(finder: Finder, heap: Heap, task: Task | WithContent) -> Iterator[Any]:
    try:
        if isinstance(task, WithContent):
            yield from task.task.run(finder, task.content)
        else:
            yield from task.run(finder, None)
    finally:
        heap.give_back()


def _few(candidates: Sequence[Candidate], name: str, limits: Limits) -> tuple[Candidate, ...]:
    """The faces of a picture or frame, unless they are too many: each is classified, and a line of the answer.

    Raises:
        TooLargeError: they are.
    """
    if len(candidates) > limits.faces:
        raise TooLargeError(f"{name}: more than {limits.faces} faces; send it in parts, or ask for max_faces")
    return tuple(candidates)
