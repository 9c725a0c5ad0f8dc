"""Exports in the forms of two course reports, and what all exports share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.rows import ReportProgress
from mien.data.store import FaceStore
from mien.files import whole_folder

ROWS_AT_ONCE: Final = 1024
"""Rows between two reports of progress."""

_TRAIN_SET: Final = 24_000
_JPEG_QUALITY: Final = 95
_DECIMALS: Final = tuple(str(level).encode() for level in range(256))


@dataclass(frozen=True, slots=True)
class ExportJob:
    """An export job: ``encoding`` is one of `PICTURE_ENCODINGS`; ``numbers`` names class folders by numbers from 0."""

    store: FaceStore
    out: Path
    progress: ReportProgress
    encoding: str
    numbers: bool

    def tracked(self, rows: NDArray[np.intp]) -> Iterator[int]:
        """Row numbers one by one; each reports progress."""
        for done, row in enumerate(rows.tolist()):
            if done % ROWS_AT_ONCE == 0:
                self.progress(done / len(rows))
            yield row


def write_numbered(job: ExportJob) -> None:
    """Training as the course report of `mien.networks.face_cnn` stored it: faces numbered from 0 in the order of the
    csv.

    ``emotion.csv`` has a label a line and ``pixels.csv`` its grey levels. Faces are ``<number>.jpg`` in the folders of
    `numbered_parts`; ``image_emotion.csv`` in either says file name and label. None of the csvs has a header.
    """
    store, rows = job.store, job.store.rows_of("Training")
    with whole_folder(job.out) as folder:
        tracked = job.tracked(rows)
        with (folder / "emotion.csv").open("wb") as emotions, (folder / "pixels.csv").open("wb") as pixels:
            for part, numbers in numbered_parts(len(rows)).items():
                (folder / part).mkdir()
                with (folder / part / "image_emotion.csv").open("wb") as table:
                    for number, row in zip(numbers, tracked, strict=False):
                        emotions.write(b"%d\n" % store.labels[row])
                        pixels.write(decimal(store.faces[row]) + b"\n")
                        table.write(b"%d.jpg,%d\n" % (number, store.labels[row]))
                        save_picture(store.faces[row], folder / part / f"{number}.jpg")


def numbered_parts(rows: int) -> dict[str, range]:
    """Face numbers by folder: the first 24,000 of ``rows`` in train_set, the others in verify_set."""
    end = min(_TRAIN_SET, rows)
    return {"train_set": range(end), "verify_set": range(end, rows)}


def write_train_val(job: ExportJob) -> None:
    """As the course toolkit of `mien.networks.vggnet` stored it: Training in train, both test usages merged in val.

    ``train.csv`` and ``val.csv`` have the columns emotion and pixels; ``train|val/<0..6>/<row>.jpg`` the same faces,
    where row is the one in its csv, from 0.
    """
    store = job.store
    with whole_folder(job.out) as folder:
        parts = {"train": store.usages == 0, "val": store.usages > 0}
        tracked = job.tracked(np.concatenate([np.flatnonzero(held) for held in parts.values()]))
        for part, held in parts.items():
            if not held.any():
                continue
            with (folder / f"{part}.csv").open("wb") as table:
                table.write(b"emotion,pixels\n")
                for number, row in zip(range(held.sum()), tracked, strict=False):
                    table.write(b"%d,%s\n" % (store.labels[row], decimal(store.faces[row])))
                    place = folder / part / str(store.labels[row])
                    place.mkdir(parents=True, exist_ok=True)
                    save_picture(store.faces[row], place / f"{number:05d}.{job.encoding}")


def decimal(face: NDArray[np.uint8]) -> bytes:
    """Grey levels in decimal with blanks between them."""
    return b" ".join(map(_DECIMALS.__getitem__, face.tobytes()))


def save_picture(face: NDArray[np.uint8], path: Path) -> None:
    """Write a face (S, S), or (S, S, 3), as PNG or, by its suffix, JPEG."""
    Image.fromarray(np.asarray(face)).save(path, quality=_JPEG_QUALITY)  # PNG has no use for it
