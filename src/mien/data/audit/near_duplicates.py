"""Near duplicates by perceptual hashing: faces that were re-encoded, shifted by a few pixels, or mirrored.

They are searched in two steps whose cost grows as n log n. Each face gets a code of 63 bits: the signs of the low
frequencies of its middle, as perceptual hashes have it (Zauner, "Implementation and Benchmarking of Perceptual Image
Hash Functions", 2010). The codes of all small shifts and of the mirror image are looked up among the codes of all
faces, in several tables, by a part of the bits each (multi-index hashing: Norouzi et al., arXiv 1307.2982). What the
codes propose is then compared by its pixels, at the alignment that the codes propose.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.preprocess import FACE_SIZE

REACH: Final = 3
"""Largest shift that is looked for, in pixels along each axis."""

MIN_CORRELATION: Final = 0.92
"""Least correlation of near duplicates. Copies planted in FER2013 (shift, mirror, JPEG of quality 50 to 95) had 0.946
and more; of FER2013's own pairs between 0.92 and 0.93 about one in a hundred shows two photos, below 0.86 most do.
"""

MAX_DIFFERENCE: Final = 40.0
"""Largest mean absolute difference of near duplicates, grey levels. Planted copies had at most 13; the same photo at
another brightness can have 50, but so can two faces that share no more than the direction of light.
"""

_WINDOW: Final = FACE_SIZE - 2 * REACH
_OFFSETS: Final = 2 * REACH + 1
_FREQUENCIES: Final = 8
_BITS: Final = _FREQUENCIES**2 - 1
_BAND_STEP: Final = 3
"""Bits between the beginnings of neighbouring bands. Three changed bits leave a gap of at least 20 unchanged ones, so
that up to about three changes still leave some band whole.
"""

_MAX_BITS_APART: Final = 8
"""Proposals by chance multiply with each bit allowed here, and with the square of the number of faces: at 12 bits they
take most of the time and find 1 % more of FER2013's own near duplicates.
"""

_MAX_BUCKET: Final = 32
"""Faces compared per look-up. Bounds the cost where very many faces are alike; these stay linked in one group."""

_FACES_AT_ONCE: Final = 256
_QUERIES_AT_ONCE: Final = 1 << 17
_PAIRS_AT_ONCE: Final = 2048

Codes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Pairs of faces that are nearly the same, each pair once, at its best alignment; all arrays are (P,).

    Args:
        rows: the lower row number.
        others: the higher one.
        correlation: of the pixels that the two share, -1..1.
        difference: mean absolute difference of these pixels, grey levels 0..255.
        mirrored: whether one is the mirror image of the other.
        shifts: how many pixels they are shifted against each other, along the axis where it is more, 0..REACH.
    """

    rows: NDArray[np.intp]
    others: NDArray[np.intp]
    correlation: NDArray[np.float32]
    difference: NDArray[np.float32]
    mirrored: NDArray[np.bool_]
    shifts: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class _Alignments:
    """Proposals: the window of face ``rows`` at (top, left), mirrored or not, beside the middle of ``others``; (C,)."""

    rows: NDArray[np.intp]
    others: NDArray[np.intp]
    top: NDArray[np.intp]
    left: NDArray[np.intp]
    mirrored: NDArray[np.bool_]


def near_duplicates(
    faces: NDArray[np.uint8], *, min_correlation: float = MIN_CORRELATION, max_difference: float = MAX_DIFFERENCE
) -> NearPairs:
    """Pairs of faces that are the same but for a shift of up to `REACH` pixels, mirroring, re-encoding, or little more.

    Faces must not be (nearly) constant: such faces have no pattern to compare. Where more than a few dozen faces are
    alike, not every pair of them is given, but all of them are linked by pairs.

    Args:
        faces: grayscale uint8 (N, 48, 48), each with some contrast; memory-mapped or not.
        min_correlation: least correlation of the pixels both show, after alignment.
        max_difference: largest mean absolute difference of these, grey levels.
    """
    proposed = _proposals(_codes(faces))
    correlation, difference = _compare(faces, proposed)
    same = (correlation >= min_correlation) & (difference <= max_difference)
    best = np.flatnonzero(same)[np.argsort(-correlation[same], kind="stable")]
    low, high = np.minimum(proposed.rows, proposed.others)[best], np.maximum(proposed.rows, proposed.others)[best]
    best = best[np.unique(low * len(faces) + high, return_index=True)[1]]
    shifts = np.maximum(abs(proposed.top - REACH), abs(proposed.left - REACH))
    return NearPairs(
        rows=np.minimum(proposed.rows, proposed.others)[best],
        others=np.maximum(proposed.rows, proposed.others)[best],
        correlation=correlation[best],
        difference=difference[best],
        mirrored=proposed.mirrored[best],
        shifts=shifts[best],
    )


def _cosines() -> NDArray[np.float32]:
    """The lowest cosines (DCT-II) of a window at each offset (offsets, frequencies, 48), zero outside the window."""
    places, frequencies = np.arange(_WINDOW), np.arange(_FREQUENCIES)[:, None]
    waves = np.cos(np.pi * (2 * places + 1) * frequencies / (2 * _WINDOW))
    basis = np.zeros((_OFFSETS, _FREQUENCIES, FACE_SIZE), np.float32)
    for offset in range(_OFFSETS):
        basis[offset, :, offset : offset + _WINDOW] = waves
    return basis


# Frequencies in a fixed random order, so that each table's part of the bits holds coarse and fine ones.
_ORDER: Final = 1 + np.random.default_rng(0).permutation(_BITS)
_ODD: Final = _ORDER % _FREQUENCIES % 2 == 1


def _packed(bits: NDArray[np.bool_]) -> Codes:
    """Bits (..., 63) as integers (...), the first one lowest."""
    padded = np.concatenate([bits, np.zeros((*bits.shape[:-1], 1), np.bool_)], axis=-1)
    return np.packbits(padded, axis=-1, bitorder="little").view("<u8")[..., 0].astype(np.uint64)


_MIRROR: Final = _packed(_ODD)
"""Mirroring a window changes the signs of its odd horizontal frequencies, and no others."""


def _codes(faces: NDArray[np.uint8]) -> Codes:
    """Codes of the windows of each face that lie in the middle or lower (N, REACH + 1, OFFSETS).

    A face shifted up against another is that other one shifted down against it, so half of the shifts are enough.
    """
    basis = _cosines()
    down, across = basis[REACH:].reshape(-1, FACE_SIZE), basis.reshape(-1, FACE_SIZE)
    codes = np.empty((len(faces), REACH + 1, _OFFSETS), np.uint64)
    for start in range(0, len(faces), _FACES_AT_ONCE):
        chunk = faces[start : start + _FACES_AT_ONCE].astype(np.float32)
        waves = np.matmul(down, chunk @ across.T)
        waves = waves.reshape(len(chunk), REACH + 1, _FREQUENCIES, _OFFSETS, _FREQUENCIES).transpose(0, 1, 3, 2, 4)
        spectrum = waves.reshape(len(chunk), REACH + 1, _OFFSETS, -1)
        codes[start : start + len(chunk)] = _packed(spectrum[..., _ORDER] > 0)
    return codes


def _proposals(codes: Codes) -> _Alignments:
    """Alignments whose codes differ in few bits, each once."""
    middles = codes[:, 0, REACH]
    queries = np.stack([codes, codes ^ _MIRROR], axis=1).reshape(-1)
    per_face = 2 * codes[0].size if len(codes) else 1
    found = [np.empty(0, np.int64)]
    for queried, middle in _same_band(queries, middles):
        near = _bits_apart(queries[queried], middles[middle]) <= _MAX_BITS_APART
        near &= queried // per_face != middle
        found.append(queried[near] * len(middles) + middle[near])
    queried, others = np.divmod(np.unique(np.concatenate(found)), max(1, len(middles)))
    mirrored, place = np.divmod(queried % per_face, per_face // 2)
    top, left = np.divmod(place, _OFFSETS)
    return _Alignments(queried // per_face, others, REACH + top, left, mirrored.astype(np.bool_))


def _same_band(queries: Codes, middles: Codes) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs (query, middle) that agree in all bits of some band, in pieces.

    A band grows with log2 of the number of faces, so that chance finds a bounded number of pairs per face.
    """
    width = min(_BITS, len(middles).bit_length() + 4)
    for start in range(0, _BITS, _BAND_STEP):
        keys = _band(middles, start, width)
        order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=1 << width)
        begins = np.cumsum(counts) - counts
        counts = np.minimum(counts, _MAX_BUCKET)
        for first in range(0, len(queries), _QUERIES_AT_ONCE):
            wanted = _band(queries[first : first + _QUERIES_AT_ONCE], start, width)
            hits = np.flatnonzero(counts[wanted])
            many = counts[wanted[hits]]
            place = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
            yield first + np.repeat(hits, many), order[np.repeat(begins[wanted[hits]], many) + place]


def _band(codes: Codes, start: int, width: int) -> NDArray[np.int64]:
    """``width`` neighbouring bits of each code, from bit ``start``, going round."""
    turned = codes >> np.uint64(start) | codes << np.uint64(_BITS - start)
    return (turned & np.uint64((1 << width) - 1)).astype(np.int64)


def _bits_apart(codes: Codes, others: Codes) -> NDArray[np.uint8]:
    return np.asarray(np.bitwise_count(codes ^ others), np.uint8)


def _compare(faces: NDArray[np.uint8], at: _Alignments) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Correlation and mean absolute difference of the aligned windows (C,); a window without contrast correlates 0."""
    correlation, difference = np.empty((2, len(at.rows)), np.float32)
    middle = slice(REACH, REACH + _WINDOW)
    for start in range(0, len(at.rows), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        windows = _windows(faces, at, part)
        others = faces[at.others[part], middle, middle].astype(np.float32).reshape(len(windows), -1)
        difference[part] = np.abs(windows - others).mean(axis=1)
        correlation[part] = _correlation(windows, others)
    return correlation, difference


def _windows(faces: NDArray[np.uint8], at: _Alignments, part: slice) -> NDArray[np.float32]:
    """The windows of ``at.rows`` as they should look beside the middles of the others (C, pixels)."""
    ahead = np.arange(_WINDOW)
    rows = at.top[part, None] + ahead
    columns = at.left[part, None] + np.where(at.mirrored[part, None], ahead[::-1], ahead)
    windows: NDArray[np.uint8] = faces[at.rows[part, None, None], rows[:, :, None], columns[:, None, :]]
    return windows.astype(np.float32).reshape(len(windows), -1)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson's correlation of rows (C, pixels)."""
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray(np.einsum("ij,ij->i", first, second) / np.maximum(norms, 1e-6), np.float32)
