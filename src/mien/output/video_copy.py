"""The annotated copy of a video, by PyAV of the extra `video`."""

from collections.abc import Sequence
from pathlib import Path

from mien.media.mp4 import VideoWriter
from mien.output.drawing_options import DrawingOptions
from mien.output.recognized import Recognized
from mien.output.sink import Sink, said


class AnnotatedVideo(Sink):
    """One video with its faces drawn in, H.264 at the original's times, with its sound.

    Args:
        target: the file; its folder exists.
        sound: the video whose sound is taken along; None when it is no file.
        drawing: what is drawn.
    """

    def __init__(self, target: Path, sound: Path | None, drawing: DrawingOptions | None = None) -> None:
        self._target, self._sound, self._drawing = target, sound, drawing or DrawingOptions()
        self._writer: VideoWriter | None = None

    def add(self, recognized: Recognized) -> None:
        """Draw and write the next frame.

        Raises:
            InputError: it cannot be written.
        """
        if self._writer is None:
            self._writer = VideoWriter(self._target, self._sound, recognized.frame.time or 0.0)
        self._writer.write(recognized.annotated(**self._drawing), recognized.frame.time or 0.0)

    def close(self) -> Sequence[Path]:
        """Finish the file; none when nothing was written to it.

        Raises:
            InputError: it cannot be written.
        """
        path = self._writer.close() if self._writer is not None else None
        return [said(path)] if path is not None else []
