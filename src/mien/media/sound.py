"""The sound of a video for a copy of it: copied where MP4 can hold it, else encoded as AAC, else left out."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from fractions import Fraction
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, Final

import av

from mien.errors import InputError
from mien.media.clock import Clock
from mien.media.files_and_streams import first_stamp
from mien.media.video_times import clock_may_jump

log: Final = logging.getLogger("mien")

COPIED: Final = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"})
"""Codecs, by FFmpeg's names, that are copied."""

AAC_RATES: Final = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000)
"""Sample rates of AAC, Hz; sound of another rate is resampled to the next higher one."""

_TRIED: Final = 8
_STEP: Final = Fraction(1, 25)
"""Seconds between two packets, until differences are known."""

_GAP: Final = 0.1
"""Seconds of sound that may be missing or too many before its time stamps count."""

_FAILURES: Final = (av.error.FFmpegError, ValueError, TypeError, RuntimeError)


class _Copied:
    """Packets as they are."""

    said = ""

    def __init__(self, file: Any, source: Any) -> None:
        self._target = file.add_stream_from_template(source)
        self._sample = Fraction(1, source.codec_context.sample_rate)
        self._last: int | None = None

    def packets(self, packet: Any, moment: Fraction) -> Iterator[Any]:
        """What is written of a packet of the source, a sample later than the one before at least, as MP4 counts."""
        stamp = round(moment / packet.time_base)
        self._last = stamp if self._last is None else max(self._last + ceil(self._sample / packet.time_base), stamp)
        packet.pts = packet.dts = self._last
        packet.stream = self._target
        yield packet

    def rest(self) -> Iterator[Any]:
        """What is held back."""
        return iter(())


class _Encoded:
    """Packets decoded, resampled if need be, and encoded as AAC."""

    def __init__(self, file: Any, source: Any, layout: str = "") -> None:
        rate = source.codec_context.sample_rate
        self._rate = next((allowed for allowed in AAC_RATES if allowed >= rate), AAC_RATES[-1])
        self._target = file.add_stream("aac", rate=self._rate, layout=layout or source.codec_context.layout.name)
        self._resampler: Any = None
        self._parameters: tuple[int, str, str] | None = None
        self.said = f"resampled from {rate} Hz to {self._rate} Hz" if rate != self._rate else ""
        self._end: int | None = None

    def packets(self, packet: Any, moment: Fraction) -> Iterator[Any]:
        """What is written of a packet of the source; nothing of one that is damaged."""
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return
        for frame in frames:
            for resampled in self._resampled(_without_stamp(frame)):
                yield from self._encode(resampled, moment)

    def _resampled(self, frame: Any) -> Iterator[Any]:
        parameters = frame.sample_rate, frame.layout.name, frame.format.name
        if parameters != self._parameters:  # a resampler takes one kind of frames
            self._parameters = parameters
            self._resampler = av.AudioResampler("fltp", self._target.layout, self._rate)
        yield from self._resampler.resample(frame)

    def _encode(self, frame: Any, moment: Fraction) -> Iterator[Any]:
        due = round(moment * self._rate)
        if self._end is None or due - self._end > _GAP * self._rate:
            self._end = due
        frame.pts, frame.time_base = self._end, Fraction(1, self._rate)
        self._end += frame.samples
        yield from self._target.encode(frame)

    def rest(self) -> Iterator[Any]:
        """What the encoder holds back."""
        yield from self._target.encode(None)


def _without_stamp(frame: Any) -> Any:
    frame.pts = None
    return frame


def _stereo(file: Any, source: Any) -> _Encoded:
    return _Encoded(file, source, "stereo")


_Way = Callable[[Any, Any], "_Copied | _Encoded"]


class Sound:
    """The first audio stream of a video that can be taken along, as packets of another file, up to a moment.

    It follows the clock of the images: where that jumps, both go on together.

    Args:
        path: the video; none of its errors is raised.
        file: the file of PyAV that is written; it gets a stream.
        start: time of the video with which that file begins, seconds.
    """

    def __init__(self, path: Path, file: Any, start: float = 0.0) -> None:
        self._name, self._start = str(path), Fraction(start)
        self._container: Any = None
        self._next: tuple[Any, Fraction] | None = None
        chosen = _chosen(path)
        if chosen is None:
            return
        number, way = chosen
        try:
            origin = first_stamp(path)
        except InputError:  # whoever reads its images says so
            return
        self._container = av.open(f"file:{path}")
        source = self._container.streams.audio[number]
        self._way = way(file, source)
        if self._way.said:
            log.info("%s: its sound is %s in the copy", path, self._way.said)
        self._images = self._container.streams.video[0]
        jumps = clock_may_jump(self._container)
        self._image_clock = Clock(_STEP, jumps=jumps, origin=origin)
        self._clock = Clock(_lasting(source), jumps=jumps, origin=origin, tick=source.time_base)
        self._packets = self._container.demux(self._images, source)
        self._next = self._following()

    def until(self, time: float) -> Iterator[Any]:
        """The packets that begin before a moment, seconds from the first image of the file that is written."""
        while self._next is not None and self._next[1] <= time:
            packet, moment = self._next
            yield from self._tried(lambda: self._way.packets(packet, moment))  # noqa: B023 - used at once
            self._next = self._following() if self._next is not None else None

    def rest(self) -> Iterator[Any]:
        """What an encoder still holds back."""
        if self._container is not None:
            yield from self._tried(self._way.rest)

    def end(self, reason: object) -> None:
        """Take no more of it along, and say why."""
        log.warning("%s: its sound ends early in the copy (%s)", self._name, reason)
        self._next = None

    def close(self) -> None:
        """Release the video; may be called twice."""
        if self._container is not None:
            self._container.close()

    def _tried(self, action: Callable[[], Iterator[Any]]) -> list[Any]:
        try:
            return list(action())
        except _FAILURES as error:
            self.end(error)
            return []

    def _following(self) -> tuple[Any, Fraction] | None:
        """The next packet of sound that is heard, and when; None at the end, and where the file is damaged."""
        with suppress(av.error.FFmpegError):
            for packet in self._packets:
                if packet.dts is None:
                    continue
                if packet.stream.index == self._images.index:
                    self._follow_images(packet)
                    continue
                moment = self._clock.time(_stamp(packet)) - self._start
                if moment > -_GAP:  # what is heard before the first image has no place in the copy
                    return packet, moment
        return None

    def _follow_images(self, packet: Any) -> None:
        shift = self._image_clock.shift
        self._image_clock.time(packet.dts * packet.time_base)
        if self._image_clock.shift != shift:
            self._clock.shift = self._image_clock.shift


def _lasting(source: Any) -> Fraction:
    """Seconds of sound in a packet of a stream, as far as its codec says."""
    context = source.codec_context
    return Fraction(context.frame_size, context.sample_rate) if context.frame_size and context.sample_rate else _STEP


def _stamp(packet: Any) -> Fraction:
    return Fraction((packet.pts if packet.pts is not None else packet.dts) * packet.time_base)


def _chosen(path: Path) -> tuple[int, _Way] | None:
    """Number of the audio stream that is taken along, and how; None, with a line that says why, when none can be."""
    reason = ""
    for number in range(_audio_streams(path)):
        for way in (_Copied, _Encoded, _stereo):
            failure = _failure(path, number, way)
            if not failure:
                return number, way
            reason = failure
    if reason:
        log.warning("%s: its sound cannot be taken along and is left out of the copy (%s)", path, reason)
    return None


def _audio_streams(path: Path) -> int:
    try:
        with av.open(f"file:{path}") as container:
            return len(container.streams.audio)
    except _FAILURES:  # whoever reads its images says so
        return 0


def _failure(path: Path, number: int, way: _Way) -> str:
    """Why an audio stream cannot be taken along in one way: its beginning is written to memory."""
    try:
        with av.open(f"file:{path}") as container, closing(io.BytesIO()) as memory:
            source = container.streams.audio[number]
            if source.codec_context is None:
                return "unknown codec"
            if way is _Copied and source.codec_context.codec.canonical_name not in COPIED:
                return "not a codec of MP4"
            if way is _Copied and _changes(path, number):
                return "its sample rate or its channels change"
            _write_beginning(container, source, memory, way)
            return ""
    except _FAILURES as error:
        return str(error).partition("\n")[0]


def _changes(path: Path, number: int) -> bool:
    """Whether AAC changes its sample rate or channels, which MP4 states once, and MPEG-TS in each packet's header."""
    seen: set[tuple[int, int]] = set()
    with suppress(av.error.FFmpegError), av.open(f"file:{path}") as container:
        source = container.streams.audio[number]
        if clock_may_jump(container) and source.codec_context.codec.canonical_name == "aac":
            headers = (bytes(packet)[:4] for packet in container.demux(source) if packet.size)
            # ISO 13818-7, 6.2: the third byte holds profile, rate and a bit of the channels, the fourth two more.
            seen.update((header[2], header[3] >> 6) for header in headers if header[:1] == b"\xff" and len(header) > 3)
    return len(seen) > 1


def _write_beginning(container: Any, source: Any, memory: io.BytesIO, way: _Way) -> None:
    with av.open(memory, "w", format="mp4") as file:
        written = way(file, source)
        for packet in islice(container.demux(source), _TRIED):
            if packet.dts is not None:
                for result in written.packets(packet, _stamp(packet)):
                    file.mux(result)
        for result in written.rest():
            file.mux(result)
