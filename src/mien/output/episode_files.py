"""Episodes as files: a table, a document of ELAN, and a table like those of BORIS."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from mien.errors import InputError
from mien.files import encodable, write_text
from mien.output.episodes import Episode, EpisodeFinder, EpisodeLimits
from mien.output.recognized import Recognized
from mien.output.sink import Sink, finished

_COLUMNS: Final = (
    *("source", "person", "emotion", "onset", "apex", "offset", "duration"),
    *("mean_probability", "peak_probability"),
)
_BORIS: Final = (
    *("Observation id", "Observation date", "Description", "Media file", "Total length", "FPS", "Subject"),
    *("Behavior", "Behavioral category", "Modifiers", "Behavior type", "Start (s)", "Stop (s)", "Duration (s)"),
    *("Comment start", "Comment stop"),
)
"""Columns of the aggregated events that BORIS exports (Friard and Gamba, doi 10.1111/2041-210X.12584)."""

_SCHEMA: Final = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE: Final = "expression"


class EpisodeFiles(Sink):
    """The episodes of one video as ``.episodes.csv``, ``.eaf`` and ``.boris.tsv``.

    Args:
        base: path to which these are added.
        limits: which stretches are episodes.
        now: the time that the documents bear.
    """

    def __init__(
        self, base: Path, limits: EpisodeLimits | None = None, now: Callable[[], datetime] = datetime.now
    ) -> None:
        self._base, self._now = base, now
        self._finder = EpisodeFinder(limits)
        self._source, self._end = "", 0.0

    def add(self, recognized: Recognized) -> None:
        frame = recognized.frame
        self._source, self._end = frame.source, frame.time or 0.0
        self._finder.add(frame)

    def close(self) -> Sequence[Path]:
        """Write the files.

        Raises:
            SinkError: one could not be written.
        """
        episodes, now = self._finder.finish(), self._now().astimezone()
        name = encodable(Path(self._source).name)
        eaf = self._named(".eaf")
        texts = {
            self._named(".episodes.csv"): as_csv(episodes, name),
            eaf: as_eaf(episodes, _link(self._source, eaf), now),
            self._named(".boris.tsv"): as_boris(episodes, name, self._end, now),
        }
        return finished(partial(write_text, target, text, InputError) for target, text in texts.items())

    def _named(self, suffix: str) -> Path:
        return self._base.with_name(f"{self._base.name}{suffix}")


def as_csv(episodes: Iterable[Episode], source: str) -> str:
    """A table of episodes, a row each.

    Args:
        episodes: the episodes.
        source: name of the video.
    """
    table = io.StringIO()
    writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({"source": source, **episode.to_dict()} for episode in episodes)
    return table.getvalue()


def as_boris(episodes: Sequence[Episode], source: str, end: float, now: datetime) -> str:
    """A tab-separated table with the columns of BORIS's aggregated events, a row for each episode.

    Args:
        episodes: the episodes.
        source: name of the video.
        end: time of its last frame, seconds.
        now: date of the observation.
    """
    length = max([end, *(episode.offset for episode in episodes)])  # the last frame lasts, too
    table = io.StringIO()
    writer = csv.DictWriter(table, _BORIS, delimiter="\t", lineterminator="\n", restval="")
    writer.writeheader()
    shared = {
        "Observation id": Path(source).stem,
        "Observation date": f"{now:%Y-%m-%d %H:%M:%S}",
        "Media file": source,
        "Total length": f"{length:.3f}",
        "Behavioral category": _TYPE,
        "Behavior type": "STATE",
    }
    for episode in episodes:
        writer.writerow(
            {
                **shared,
                "Subject": _person(episode.person),
                "Behavior": episode.emotion,
                "Start (s)": f"{episode.onset:.3f}",
                "Stop (s)": f"{episode.offset:.3f}",
                "Duration (s)": f"{episode.duration:.3f}",
                "Comment start": f"apex {episode.apex:.3f} s, mean probability {episode.mean_probability:.3f}",
            }
        )
    return table.getvalue()


def as_eaf(episodes: Sequence[Episode], media: str | None, now: datetime) -> str:
    """A document of ELAN (EAF 3.0): a tier for each person, an annotation for each episode, in milliseconds.

    Args:
        episodes: the episodes.
        media: address of the video, relative to the document; None where it is no file.
        now: date of the document.
    """
    root = ET.Element("ANNOTATION_DOCUMENT", AUTHOR="mien", DATE=now.isoformat(timespec="seconds"), FORMAT="3.0")
    root.set("VERSION", "3.0")
    root.set("xmlns:xsi", _INSTANCE)
    root.set("xsi:noNamespaceSchemaLocation", _SCHEMA)
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if media is not None:
        ET.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=media, MIME_TYPE="video/*", RELATIVE_MEDIA_URL=media)
    last = ET.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId")
    last.text = str(len(episodes))
    order = ET.SubElement(root, "TIME_ORDER")
    spans = [_milliseconds(episode) for episode in episodes]
    _add_slots(order, spans)
    for person in sorted({episode.person for episode in episodes}):
        tier = ET.SubElement(root, "TIER", LINGUISTIC_TYPE_REF=_TYPE, TIER_ID=_person(person))
        tier.set("PARTICIPANT", _person(person))
        for number, episode in enumerate(episodes):
            if episode.person == person:
                _annotate(tier, number, episode.emotion)
    ET.SubElement(root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID=_TYPE, TIME_ALIGNABLE="true")
    ET.indent(root, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "unicode")}\n'


def _milliseconds(episode: Episode) -> tuple[int, int]:
    """Its onset and offset; ELAN has no annotation without duration."""
    onset = round(1000 * episode.onset)
    return onset, max(onset + 1, round(1000 * episode.offset))


def _add_slots(order: ET.Element, spans: Iterable[tuple[int, int]]) -> None:
    """Two slots for each span, in the order of their times, each named after its span and its side."""
    slots = [(time, number, side) for number, span in enumerate(spans) for side, time in enumerate(span)]
    for time, number, side in sorted(slots):
        ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=_slot(number, side), TIME_VALUE=str(time))


def _annotate(tier: ET.Element, number: int, emotion: str) -> None:
    annotation = ET.SubElement(
        ET.SubElement(tier, "ANNOTATION"),
        "ALIGNABLE_ANNOTATION",
        ANNOTATION_ID=f"a{number + 1}",
        TIME_SLOT_REF1=_slot(number, 0),
        TIME_SLOT_REF2=_slot(number, 1),
    )
    ET.SubElement(annotation, "ANNOTATION_VALUE").text = emotion


def _slot(number: int, side: int) -> str:
    return f"ts{2 * number + side + 1}"


def _person(number: int) -> str:
    return f"person {number}"


def _link(source: str, document: Path) -> str | None:
    """The address of a video file as a document beside or below others names it."""
    if not Path(source).is_file():
        return None
    try:
        relative = os.path.relpath(source, document.parent)
    except ValueError:  # on another drive of Windows
        return Path(source).absolute().as_uri()
    return quote(f"./{Path(relative).as_posix()}", errors="surrogateescape")
