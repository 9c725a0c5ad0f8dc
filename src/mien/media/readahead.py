"""Read-ahead: a thread decodes a video into a bounded queue (back-pressure), or drops late frames of a live source."""

from collections import deque
from collections.abc import Iterator
from threading import Condition, Thread
from typing import Final

from mien.media.video_source import Interruption, VideoImage, VideoSource, stop_waiting

READ_AHEAD: Final = 8
"""Images of a file that wait, decoded, for the recogniser."""

READ_AHEAD_BYTES: Final = 48 * 2**20
"""Bytes that they have together, unless one alone has more: eight of 1920x1080, one of 4096x2304."""

_PATIENCE: Final = 10.0


class Reader:
    """Images of a source, read by a thread ahead of whoever iterates.

    Of a file a few images wait in a queue bounded by number and bytes; if it is full the thread waits (back-pressure).
    Of a live source only the newest image waits: older ones are dropped.

    Args:
        source: is closed with the reader.
        depth: how many images of a file may wait.

    ``count`` images were read, ``dropped`` of them dropped.
    """

    def __init__(self, source: VideoSource, depth: int = READ_AHEAD) -> None:
        self._source = source
        self._depth = 1 if source.live else depth
        self._waiting: deque[VideoImage | Interruption] = deque()
        self._changed = Condition()
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self.count = self.dropped = 0
        self._thread = Thread(target=self._read, name="mien-video", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[VideoImage | Interruption]:
        return self

    def __next__(self) -> VideoImage | Interruption:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            if self._waiting:
                self._changed.notify_all()
                return self._waiting.popleft()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop reading and release the source."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        stop_waiting(self._source)
        self._thread.join(_PATIENCE)
        if not self._thread.is_alive():  # one that hangs in a dead connection still holds the source
            self._source.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drop_late(self) -> None:
        """Make room for the newest image of a live source."""
        late = [waiting for waiting in self._waiting if isinstance(waiting, VideoImage)]
        for image in late:
            self._waiting.remove(image)
        self.dropped += len(late)

    def _read(self) -> None:
        try:
            for image in self._source.images():
                if not self._put(image):
                    break
        except BaseException as error:  # whatever it is, the iterating thread is to raise it
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        """Whether another image of a file, of so many bytes, may wait."""
        held = sum(map(_size, self._waiting)) + size
        return not self._waiting or (len(self._waiting) < self._depth and held <= READ_AHEAD_BYTES)

    def _put(self, image: VideoImage | Interruption) -> bool:
        """Put an image into the queue, and wait until one more like it may be read; False when the reader is closed."""
        with self._changed:
            if self._source.live and isinstance(image, VideoImage):
                self._drop_late()
            self._waiting.append(image)
            self.count += isinstance(image, VideoImage)
            self._changed.notify_all()
            if not self._source.live:
                self._changed.wait_for(lambda: self._has_room(_size(image)) or self._closed)
            return not self._closed


def _size(image: VideoImage | Interruption) -> int:
    return image.image.nbytes if isinstance(image, VideoImage) else 0
