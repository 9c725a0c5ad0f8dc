"""Colours of the expressions."""

from typing import Final

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "angry": (213, 94, 0),
    "disgust": (0, 158, 115),
    "fear": (204, 121, 167),
    "happy": (240, 228, 66),
    "sad": (0, 114, 178),
    "surprise": (86, 180, 233),
    "neutral": (230, 230, 230),
}
"""RGB of every emotion in drawings, timelines and on the page (whose copy a test pins), told apart with any common
colour vision (Okabe and Ito, 2008).
"""
