"""mien: facial expression recognition, the whole way from a data set to pictures.

    import mien

    for face in mien.analyze("photo.jpg"):
        print(face.emotion, face.probability, face.box)

What needs OpenCV and onnxruntime is imported when it is first used.
"""

import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from mien.errors import MienError
from mien.labels import EMOTIONS
from mien.results import Box, Face, Frame
from mien.threads import stop_spinning as _stop_spinning
from mien.version import __version__

if _TYPE_CHECKING:
    from mien.faces.detection import Detection, Detector
    from mien.media.video_source import VideoImage, VideoSource
    from mien.output.dataframe import to_pandas
    from mien.output.drawing import annotate
    from mien.output.episodes import Episode, find_episodes
    from mien.output.explanation import Explanation
    from mien.output.people import summarize
    from mien.output.recognized import Recognized
    from mien.output.sink import Sink
    from mien.recognition.recognizer import Recognizer
    from mien.recognition.shortcuts import analyze, recognize
    from mien.recognition.smoothing import Smoothing

# onnxruntime 1.31 reports its use to its maker and keeps a device id in the home folder; mien reports nothing.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
_stop_spinning()

__all__ = [
    "EMOTIONS",
    "Box",
    "Detection",
    "Detector",
    "Episode",
    "Explanation",
    "Face",
    "Frame",
    "MienError",
    "Recognized",
    "Recognizer",
    "Sink",
    "Smoothing",
    "VideoImage",
    "VideoSource",
    "__version__",
    "analyze",
    "annotate",
    "find_episodes",
    "recognize",
    "summarize",
    "to_pandas",
]

_LAZY = {
    "Detection": "mien.faces.detection",
    "Detector": "mien.faces.detection",
    "Episode": "mien.output.episodes",
    "Explanation": "mien.output.explanation",
    "Recognized": "mien.output.recognized",
    "Recognizer": "mien.recognition.recognizer",
    "Sink": "mien.output.sink",
    "Smoothing": "mien.recognition.smoothing",
    "VideoImage": "mien.media.video_source",
    "VideoSource": "mien.media.video_source",
    "analyze": "mien.recognition.shortcuts",
    "annotate": "mien.output.drawing",
    "find_episodes": "mien.output.episodes",
    "recognize": "mien.recognition.shortcuts",
    "summarize": "mien.output.people",
    "to_pandas": "mien.output.dataframe",
}


def __getattr__(name: str) -> _Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    return getattr(_import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
