"""`Video`: the expressions in a video, as the package `fer` returns them."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from mien.compat.fer.frames import SavedFrames, crop, picked, recognized, shifted
from mien.compat.fer.utils import check_language
from mien.compat.inputs import InvalidArgumentError
from mien.errors import InputError, MissingExtraError, SinkError
from mien.files import made_folder, whole_file
from mien.media.open_video import open_video
from mien.media.video_source import VideoImage
from mien.output.sink import Sink, Sinks, log

if TYPE_CHECKING:
    import pandas as pd

Faces = list[dict[str, Any]]
"""Of one frame, as `FER.detect_emotions` gives them."""

_OUTPUTS: Final = ("csv", "pandas")
_NUMBERED: Final = re.compile(r"(?P<name>\D+)(?P<face>\d+)")


class _FindsFaces(Protocol):
    def detect_emotions(self, img: Any) -> Faces: ...


class Video:
    """A video file to be analysed.

    Args:
        video_file: the file.
        outdir: folder of frames and annotated copy; made if there is none.
        first_face_only: whether `to_pandas` keeps the first face of each frame alone.
        tempfile: without effect: files appear whole.

    Raises:
        InputError: there is no such file.
    """

    def __init__(
        self,
        video_file: str | Path,
        outdir: str | Path = "output",
        first_face_only: bool = True,
        tempfile: str | None = None,
    ) -> None:
        if not Path(video_file).is_file():
            raise InputError(f"{video_file}: no such video file")
        self.filepath, self.filename = str(video_file), Path(video_file).name
        self.outdir, self.first_face_only, self.tempfile = str(outdir), first_face_only, tempfile

    def analyze(  # noqa: PLR0913, PLR0917 - fer's parameters
        self,
        detector: _FindsFaces,
        display: bool = False,
        output: str = "csv",
        frequency: int | None = None,
        max_results: int | None = None,
        save_fps: int | None = None,
        video_id: str | None = None,
        save_frames: bool = True,
        save_video: bool = True,
        annotate_frames: bool = True,
        zip_images: bool = True,
        detection_box: Mapping[str, int] | None = None,
        lang: str = "en",
        include_audio: bool = False,
        *,
        size_multiplier: int = 1,
        batch_size: int = 1,
        use_async_io: bool = True,
    ) -> "list[dict[str, Any]] | pd.DataFrame":
        """Read the expressions of every frame, each for itself.

        Args:
            detector: a `FER`, or anything with ``detect_emotions(img)``.
            display: show the frames in a window meanwhile (extra `gui`); closing it ends the analysis.
            output: "csv": the rows of `to_csv`, which are also written to data.csv in the current folder; "pandas": the
                table of `to_pandas`.
            frequency: analyse every Nth frame.
            max_results: stop after so many frames.
            save_fps: analyse about so many frames a second instead.
            video_id: how saved frames are called, before their number; by default as the video.
            save_frames: save frames as JPEG files in ``outdir``.
            save_video: write ``outdir/NAME_output.mp4``.
            annotate_frames: draw the faces into what is saved.
            zip_images: pack the saved frames into ``outdir/images.zip``.
            detection_box: look for faces in this part alone: x_min, x_max, y_min, y_max (or xmin, ...) in pixels.
            lang: "en".
            include_audio: take the sound along into the saved video.
            size_multiplier: without effect.
            batch_size: without effect.
            use_async_io: without effect.

        Raises:
            ValueError: an argument out of range.
            InputError: the video cannot be read, or nothing can be written to ``outdir``.
            MissingExtraError: reading videos needs the extra `video`, a table of pandas the extra `tables`.
        """
        _check(output, frequency, max_results, save_fps)
        check_language(lang)
        sinks: list[Sink] = self._shown(display)
        if save_frames:
            folder, stem = made_folder(Path(self.outdir), InputError), video_id or Path(self.filename).stem
            sinks.append(SavedFrames(folder, stem, zipped=zip_images))
        if save_video:
            sinks.append(self._copy(include_audio))
        data = self._analyzed(detector, (frequency, save_fps, max_results), detection_box, (sinks, annotate_frames))
        return self.to_csv(data) if output == "csv" else self.to_pandas(data)

    def to_dict(self, data: "Sequence[Faces] | Sequence[dict[str, Any]]") -> list[dict[str, Any]]:
        """A flat row for each frame: box0, angry0, ..., box1, ...; rows that are flat already stay as they are."""
        return [frame if isinstance(frame, dict) else _row(frame) for frame in data]

    def to_pandas(self, data: "Sequence[Faces] | Sequence[dict[str, Any]] | pd.DataFrame") -> "pd.DataFrame":
        """The rows of `to_dict` as a table: only of the first face, without its number, if that was asked for.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtraError("a pandas table", "tables") from None
        if isinstance(data, pd.DataFrame):
            return data
        rows = self.to_dict(data)
        table = pd.DataFrame(rows, columns=_columns(rows))
        return self.get_first_face(table) if self.first_face_only else table

    @staticmethod
    def get_first_face(df: "pd.DataFrame") -> "pd.DataFrame":
        """The columns of the first face, without its number; a table without numbers as it is."""
        names = {column: column[:-1] for column in df.columns if re.fullmatch(r"\D+0", column)}
        return df[list(names)].rename(columns=names) if names else df

    @staticmethod
    def get_emotions(df: "pd.DataFrame") -> "pd.DataFrame":
        """The columns of expressions, without those of boxes."""
        return df[[column for column in df.columns if "box" not in column]]

    @staticmethod
    def get_max_faces(data: Iterable[Faces]) -> int:
        """The largest number of faces in a frame."""
        return max(map(len, data), default=0)

    def to_csv(
        self, data: "Sequence[Faces] | Sequence[dict[str, Any]]", filename: str | Path = "data.csv"
    ) -> list[dict[str, Any]]:
        """Write the rows of `to_dict` as CSV, whole or not at all; returns them.

        Raises:
            InputError: the file cannot be written.
        """
        rows = self.to_dict(data)
        with whole_file(Path(filename), InputError) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _columns(rows), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return rows

    def _shown(self, display: bool) -> list[Sink]:
        if not display:
            return []
        from mien.output.window import Preview, Window

        return [Window(Preview(self.filename, Path(self.outdir)))]

    def _copy(self, with_sound: bool) -> Sink:
        try:
            from mien.output.video_copy import AnnotatedVideo
        except ImportError:
            raise MissingExtraError("writing videos", "video") from None
        folder, source = made_folder(Path(self.outdir), InputError), Path(self.filepath)
        return AnnotatedVideo(folder / f"{source.stem}_output.mp4", source if with_sound else None)

    def _analyzed(
        self,
        detector: _FindsFaces,
        pace: tuple[int | None, int | None, int | None],
        box: Mapping[str, int] | None,
        saved: tuple[list[Sink], bool],
    ) -> list[Faces]:
        """The faces of every frame that is analysed; what is saved may fail without losing them."""
        frequency, save_fps, most = pace
        sinks, annotated = saved
        data: list[Faces] = []
        source = open_video(self.filepath)
        images = (image for image in source.images() if isinstance(image, VideoImage))
        try:
            with suppress(SinkError), Sinks(sinks) as everywhere:  # which says at once what could not be written
                for image in islice(picked(images, frequency, save_fps), most):
                    part, corner = crop(image.image, box)
                    faces = shifted(detector.detect_emotions(part[..., ::-1] if part.ndim == 3 else part), corner)
                    data.append(faces)
                    everywhere.add(recognized(self.filepath, image, faces if annotated else ()))
                    if any(getattr(sink, "quit", False) for sink in sinks):
                        break
        except InputError as error:
            if not data:
                raise
            log.error("%s", error)  # a damaged end loses nothing that was read before it
        finally:
            source.close()
        return data


def _check(output: str, frequency: int | None, most: int | None, save_fps: int | None) -> None:
    if output not in _OUTPUTS:
        raise InvalidArgumentError(f"output is {output!r}: expected one of {', '.join(_OUTPUTS)}")
    for name, value in (("frequency", frequency), ("max_results", most), ("save_fps", save_fps)):
        if value is not None and value < 1:
            raise InvalidArgumentError(f"{name} is {value}: expected at least 1")


def _row(faces: Faces) -> dict[str, Any]:
    return {
        f"{name}{number}": value
        for number, face in enumerate(faces)
        for name, value in {"box": face["box"], **face["emotions"]}.items()
    }


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """All columns, face by face."""
    names = dict.fromkeys(name for row in rows for name in row)
    return sorted(names, key=lambda name: int(match["face"]) if (match := _NUMBERED.fullmatch(name)) else -1)
