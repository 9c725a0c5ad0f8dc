"""A person's expressions over time as one picture: stacked areas, with the face above them now and then.

Drawn with Pillow, which is in the core, so that no plotting library is needed.
"""

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.media.decode_picture import Pixels
from mien.output.colours import Colour, colours_of
from mien.output.fonts import Font, font_of, lettering
from mien.output.picture_file import write_picture
from mien.output.recognized import Recognized
from mien.output.sink import Sink, finished
from mien.results import Box, Face, Frame, Header

LEAST_TIMELINE: Final = 1.0
"""Seconds for which a person must have been followed to get a timeline."""

_WIDTH: Final = 1200
_AREA: Final = 220
_THUMBNAIL: Final = 72
_MARGIN: Final = 24
_LEFT: Final = 60
_TEXT: Final = 15
_LEGEND_LINE: Final = 24
_MOST_THUMBNAILS: Final = 32
_LONGEST_HOLE: Final = 1.0
_TICK_STEPS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
SMOOTHED: Final = {
    "auto": "probabilities, averaged over what came before and, in files, after",
    "symmetric": "probabilities, averaged over what came before and after",
    "ema": "probabilities, averaged over what came before",
    "mode": "shares of the expressions among the last readings",
    "none": "probabilities of each frame by itself",
}
"""What the areas of a timeline are under each smoothing."""

_INK: Final = (30, 30, 30)
_PALE_INK: Final = (95, 95, 95)
_CAPTION_LINE: Final = 20
_PAPER: Final = (255, 255, 255)


class TrackHistory:
    """What a timeline needs of one person: 4 bytes a class for every frame, and a bounded number of small faces.

    Args:
        labels: class names in the order of the probabilities.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._fields = 1 + len(self._labels)
        self._values = array("f")
        self._thumbnails: list[tuple[float, Image.Image]] = []
        self._interval = 0.0

    def add(self, time: float, face: Face, image: Pixels) -> None:
        """The next sight of the person.

        Args:
            time: seconds, growing.
            face: the reading.
            image: the whole frame, RGB uint8 (H, W, 3) or (H, W).
        """
        self._values.extend((time, *face.probabilities.values()))
        if not self._thumbnails or time - self._thumbnails[-1][0] >= self._interval:
            self._thumbnails.append((time, _thumbnail(image, face.box)))
            if len(self._thumbnails) > _MOST_THUMBNAILS:
                self._thumbnails = self._thumbnails[::2]
                self._interval = 2 * (self._thumbnails[-1][0] - self._thumbnails[0][0]) / _MOST_THUMBNAILS

    @property
    def seconds(self) -> float:
        """From first to last sight."""
        return self._values[-self._fields] - self._values[0] if self._values else 0.0

    def draw(self, title: str, caption: str = "") -> Image.Image:
        """The timeline, RGB, 1200 pixels wide.

        Args:
            title: its first line.
            caption: its second one: what the areas are.
        """
        samples = np.frombuffer(self._values, np.float32).reshape(-1, self._fields).astype(np.float64)
        start, end = samples[0, 0], max(samples[-1, 0], samples[0, 0] + 1e-3)
        colours = colours_of(self._labels)
        plot = _stacked(samples[:, 0], samples[:, 1:], list(colours.values()), start, end)
        return _page((title, caption), plot, self._thumbnails, colours, (start, end))


class Timelines(Sink):
    """A picture of the expressions over time for everybody who was followed long enough in one video.

    Args:
        base: path to which ``.person-N.png`` is added.
    """

    def __init__(self, base: Path) -> None:
        self._base = base
        self._last: Frame | None = None
        self.tracks: dict[int, TrackHistory] = {}

    def add(self, recognized: Recognized) -> None:
        frame, image = recognized.frame, recognized.image
        self._last = frame
        for face in frame.faces:
            if face.track is not None and image is not None:
                if face.track not in self.tracks:
                    self.tracks[face.track] = TrackHistory(tuple(face.probabilities))
                self.tracks[face.track].add(frame.time or 0.0, face, image)

    def close(self) -> Sequence[Path]:
        """Write the pictures.

        Raises:
            SinkError: one could not be written.
        """
        long = ((track, found) for track, found in sorted(self.tracks.items()) if found.seconds >= LEAST_TIMELINE)
        return finished(partial(self._write, track, history) for track, history in long)

    def _write(self, track: int, history: TrackHistory) -> Path:
        target = self._base.with_name(f"{self._base.name}.person-{track}.png")
        source, header = ("", None) if self._last is None else (self._last.source, self._last.header)
        title = f"{Path(source).name or source}, person {track}"
        return write_picture(target, np.asarray(history.draw(title, _meaning(header))))


def _meaning(header: Header | None) -> str:
    """What the areas are, by the options of the results."""
    options = {} if header is None else header.options
    smooth = options.get("smooth", "")
    constant = f", time constant {options['time_constant']:g} s" if "time_constant" in options else ""
    asked = f" ({smooth}{constant})" if smooth else ""
    return f"Areas: {SMOOTHED.get(smooth, 'probabilities, smoothed')}{asked}"


def _thumbnail(image: Pixels, box: Box) -> Image.Image:
    part = image[box.y : box.y + box.height, box.x : box.x + box.width]
    picture = Image.fromarray(part).convert("RGB")
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return picture


def _stacked(
    times: NDArray[np.float64], shares: NDArray[np.float64], colours: Sequence[Colour], start: float, end: float
) -> Pixels:
    """Stacked areas, uint8 (220, W, 3): every column the mean of its moment, the first class at the bottom.

    Args:
        times: seconds (N,), growing.
        shares: probabilities (N, classes), each row summing to 1.
        colours: of the classes.
        start: time of the left edge.
        end: time of the right edge.
    """
    width = _WIDTH - _LEFT - _MARGIN
    columns = _columns(times, shares, np.linspace(start, end, width + 1))
    heights = 1 - (np.arange(_AREA) + 0.5) / _AREA
    palette = np.array([*colours, _PAPER], np.uint8)
    limits = np.cumsum(columns, axis=1)[:, :-1]
    classes = (heights[:, None, None] > limits[None]).sum(axis=2)
    classes[:, np.isnan(columns[:, 0])] = len(colours)
    return np.asarray(palette[classes], np.uint8)


def _columns(
    times: NDArray[np.float64], shares: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean shares (W, classes) between neighbouring edges; between two readings at most a second apart the earlier one,
    else NaN.
    """
    width = len(edges) - 1
    column = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, width - 1)
    counts = np.bincount(column, minlength=width)
    sums = np.stack([np.bincount(column, weights=values, minlength=width) for values in shares.T], axis=1)
    last = np.clip(np.searchsorted(times, edges[:-1], side="right") - 1, 0, len(times) - 1)
    following = np.clip(last + 1, 0, len(times) - 1)
    held = np.where((times[following] - times[last] <= _LONGEST_HOLE)[:, None], shares[last], np.nan)
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], held)


def _page(
    words: tuple[str, str],
    plot: Pixels,
    thumbnails: list[tuple[float, Image.Image]],
    colours: Mapping[str, Colour],
    span: tuple[float, float],
) -> Image.Image:
    """The whole picture; ``words`` stand above the faces, ``span`` is where the plot begins and ends, seconds."""
    (start, end), top, legend = span, _MARGIN + 3 * _TEXT + _THUMBNAIL, _legend(colours)
    lines = max(line for _, line, _ in legend)
    page = Image.new("RGB", (_WIDTH, top + _AREA + 5 * _TEXT + lines * _LEGEND_LINE), _PAPER)
    pen = ImageDraw.Draw(page)
    for line, (text, ink) in enumerate(zip(words, (_INK, _PALE_INK), strict=True)):
        pen.text((_LEFT, _MARGIN // 2 + line * _CAPTION_LINE), text, font=_font(), fill=ink)
    page.paste(Image.fromarray(plot), (_LEFT, top))
    for share in (0.0, 0.5, 1.0):
        pen.text((_LEFT - 8, top + (1 - share) * _AREA), f"{share:.0%}", font=_font(), fill=_INK, anchor="rm")
    scale = plot.shape[1] / (end - start)
    _paste_faces(page, thumbnails, start, scale, top)
    _draw_ticks(pen, start, end, scale, top + _AREA)
    _draw_legend(pen, legend, colours, top + _AREA + 3 * _TEXT)
    return page


def _paste_faces(
    page: Image.Image, thumbnails: list[tuple[float, Image.Image]], start: float, scale: float, bottom: int
) -> None:
    """The faces above their moments, as many as find room."""
    free = _LEFT
    for time, picture in thumbnails:
        left = round(_LEFT + (time - start) * scale - picture.width / 2)
        left = max(_LEFT, min(left, _WIDTH - _MARGIN - picture.width))
        if left >= free:
            page.paste(picture, (left, bottom - 6 - picture.height))
            free = left + picture.width + 6


def _draw_ticks(pen: ImageDraw.ImageDraw, start: float, end: float, scale: float, top: int) -> None:
    step = next((step for step in _TICK_STEPS if (end - start) / step <= 12), (end - start) / 12)
    for number in range(math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9) + 1):
        x = _LEFT + (number * step - start) * scale
        pen.line((x, top, x, top + 5), fill=_INK)
        pen.text((x, top + 8), _clock(number * step, step), font=_font(), fill=_INK, anchor="mt")


def _legend(names: Iterable[str]) -> list[tuple[str, int, int]]:
    """Where each class stands in the legend: its name, its line from 0, and its left edge."""
    letters = lettering(tuple(names))
    font, places, line, left = letters.font(_TEXT), [], 0, _LEFT
    for name, words in letters.words.items():
        width = round(_TEXT + 30 + font.getlength(words))
        if left + width > _WIDTH and left > _LEFT:
            line, left = line + 1, _LEFT
        places.append((name, line, left))
        left += width
    return places


def _draw_legend(
    pen: ImageDraw.ImageDraw, places: Iterable[tuple[str, int, int]], colours: Mapping[str, Colour], top: int
) -> None:
    letters = lettering(tuple(colours))
    for name, line, left in places:
        y = top + line * _LEGEND_LINE
        pen.rectangle((left, y, left + _TEXT, y + _TEXT), fill=colours[name], outline=_INK)
        words = letters.words[name]
        pen.text((left + _TEXT + 6, y + _TEXT / 2), words, font=letters.font(_TEXT), fill=_INK, anchor="lm")


def _clock(seconds: float, step: float) -> str:
    """A moment as ``m:ss``, ``h:mm:ss``, or with tenths where ticks are closer than a second."""
    whole, tenths = divmod(round(seconds * 10), 10)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    text = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{text}.{tenths}" if step < 1 else text


def _font() -> Font:
    return font_of("", _TEXT)
