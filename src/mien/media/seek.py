"""Where the decoding of a video begins for an excerpt: at the key frame before its start, not at the first frame.

Numbers and times of frames stay those of the whole video. MP4 has an index of its packets, so that the frames before
are counted without reading them. Other files are read up to that place, which is quick, and not decoded.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from typing import Any, Final

import av

from mien.media.clock import Clock
from mien.media.video_times import VideoTimes

_TRIES: Final = 4
_LAST_STAMP: Final = 2**63 - 1
_STILL: Final = Fraction(1, 2000)
_LEAP: Final = 10
"""Seconds between two packets up to and from which the clock has to be followed from the beginning on."""

_SKIPPED_AT_FIRST: Final = frozenset({"mpeg1video", "mpeg2video", "hevc"})
"""Codecs whose decoders leave out what comes before the first key frame of a file, as it refers to frames not there."""


@dataclass(slots=True)
class Beginning:
    """Where decoding begins.

    Args:
        packets: to be decoded, from a key frame on.
        number: of the first frame that is shown from then on.
        key: stamp of the key frame in ticks of the stream; what is decoded of earlier ones refers to frames that were
            left out. None: every frame counts.
    """

    packets: Iterator[Any]
    number: int = 0
    key: int | None = None

    def has(self, frame: Any) -> bool:
        """Whether a decoded frame, the next one, is to be shown."""
        if self.key is not None and frame.pts is not None and frame.pts < self.key:
            return False
        self.key = None
        return True


def by_index(container: Any, stream: Any, times: VideoTimes, start: float) -> Beginning | None:
    """The last key frame at a time or before it, by the index of an MP4; None where the index is not complete.

    Args:
        container: of PyAV, at its beginning.
        stream: its video stream.
        times: of its frames; told where they begin.
        start: seconds.
    """
    entries = list(getattr(stream, "index_entries", ()))
    stamps = [entry.timestamp for entry in entries]
    if "mp4" not in container.format.name or len(entries) != stream.frames or not _are_steady(stamps, stream.time_base):
        return None
    origin = _first_stamp(container, stream)
    if origin is None:
        return None
    target = origin + Fraction(start)
    bound = int(target / stream.time_base)
    if bound > _LAST_STAMP:
        return None
    for _ in range(_TRIES):
        container.seek(bound, stream=stream)
        packets = container.demux(stream)
        key = next(packets)
        place = bisect_left(stamps, key.dts) if key.dts is not None else len(stamps)
        if place == len(stamps) or stamps[place] != key.dts or key.pts is None or not key.is_keyframe:
            return None
        if key.pts * key.time_base <= target:
            times.begin(origin)
            ahead, leading = _leading(key, packets)
            return Beginning(ahead, sum(not entry.is_discard for entry in entries[:place]) + leading, key.pts)
        bound = stamps[place] - 1
    return None


def _are_steady(stamps: Sequence[int], tick: Fraction) -> bool:
    """Whether a clock neither jumps nor stands still, so that times are its stamps (see `Clock`)."""
    return all(_STILL < (after - before) * tick < _LEAP for before, after in pairwise(stamps))


def _first_stamp(container: Any, stream: Any) -> Fraction | None:
    """When the first frame is shown, by the clock of the file."""
    first: Fraction | None = None
    for packet in container.demux(stream):
        if packet.pts is None or packet.dts is None:
            break
        if first is not None and packet.dts * packet.time_base >= first:
            break
        if not packet.is_discard:
            stamp = packet.pts * packet.time_base
            first = stamp if first is None else min(first, stamp)
    return first


def _leading(key: Any, packets: Iterator[Any]) -> tuple[Iterator[Any], int]:
    """All packets from a key frame on, and how many of them are shown before it."""
    read, leading = [key], 0
    for packet in packets:
        read.append(packet)
        if packet.dts is None or packet.dts >= key.pts:
            break
        leading += packet.pts < key.pts and not packet.is_discard
    return _chained(read, packets), leading


def _chained(read: Sequence[Any], packets: Iterator[Any]) -> Iterator[Any]:
    yield from read
    yield from packets


@dataclass(slots=True)
class _Group:
    """The packets from one key frame to the next, in the order of the file.

    Args:
        before: packets before them.
        stamps: when each is shown, seconds by the clock of the file.
        ordered: whether they are shown in the order of the file.
    """

    before: int
    stamps: list[Fraction] = field(default_factory=list)
    ordered: bool = True

    def shown(self) -> list[Fraction]:
        """The moments at which they are shown, in order."""
        return self.stamps if self.ordered else sorted(self.stamps)


@dataclass(frozen=True, slots=True)
class Place:
    """A key frame.

    Args:
        packets: how many come before it in the file.
        shown: the moments of all frames that are shown before it, by the clock of the file.
        key: its own moment in ticks of the stream; None where frames have no moments of their own.
    """

    packets: int
    shown: tuple[Fraction, ...]
    key: int | None

    def beginning(self, container: Any, stream: Any, times: VideoTimes) -> Beginning:
        """Where decoding begins in a container that was opened anew."""
        times.pass_over(self.shown)
        return Beginning(islice(container.demux(stream), self.packets, None), len(self.shown), self.key)


def by_reading(container: Any, stream: Any, clock: Clock, start: float) -> Place | None:
    """The last key frame at a time or before it; the file is read up to there, and no frame decoded.

    Args:
        container: of PyAV, at its beginning.
        stream: its video stream.
        clock: of its frames.
        start: seconds.

    Returns:
        The place; None where all must be decoded: frames have no stamps, or there is no key frame but the first.
    """
    decoded = container.format.name == "avi"
    if decoded and stream.codec_context.has_b_frames:  # which frame a packet becomes, only decoding tells
        return None
    skips = stream.codec_context.codec.canonical_name in _SKIPPED_AT_FIRST
    found, passed = None, []  # type: Place | None, list[Fraction]
    for group in _groups(container, stream, decoded=decoded):
        key, shown = group.stamps[0], group.shown()
        leading = shown[: shown.index(key)]
        if group.before == 0 and skips:
            shown, leading = shown[len(leading) :], []
        at = [clock.time(stamp) for stamp in shown][len(leading)]
        if at > start + 1e-6:
            break
        found = Place(group.before, (*passed, *leading), None if decoded else int(key / stream.time_base))
        passed += shown
    return found if found is not None and found.packets else None


def _groups(container: Any, stream: Any, *, decoded: bool) -> Iterator[_Group]:
    """The groups of a file, as far as every packet has stamps."""
    group = _Group(0)
    for number, packet in enumerate(_packets(container, stream)):
        if not packet.size:
            continue
        stamp = packet.dts if decoded else packet.pts
        if stamp is None:
            return
        if packet.is_keyframe and group.stamps:
            yield group
            group = _Group(number)
        if _is_shown(packet, stream):
            group.stamps.append(stamp * packet.time_base)
            group.ordered = group.ordered and stamp == packet.dts  # Matroska has no order of decoding but its own
    if group.stamps:
        yield group


def _packets(container: Any, stream: Any) -> Iterable[Any]:
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:  # whoever decodes it says so
        return


def _is_shown(packet: Any, stream: Any) -> bool:
    """Whether a packet holds a frame to be seen; VP8 has others (RFC 6386, 9.1: show_frame)."""
    if packet.is_discard:
        return False
    return stream.codec_context.codec.canonical_name != "vp8" or bool(bytes(packet)[0] & 0x10)
