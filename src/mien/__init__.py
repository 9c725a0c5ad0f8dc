"""mien: facial expression recognition, the whole way from a data set to pictures.

    import mien

    for face in mien.analyze("photo.jpg"):
        print(face.emotion, face.probability, face.box)

What needs OpenCV and onnxruntime is imported when it is first used.
"""

import os
from typing import TYPE_CHECKING, Any

from mien.errors import MienError
from mien.labels import EMOTIONS
from mien.results import Face
from mien.threads import stop_spinning

if TYPE_CHECKING:
    from mien.inference.recognizer import Recognizer, analyze

# onnxruntime 1.31 reports its use to its maker and keeps a device id in the home folder; mien reports nothing.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
stop_spinning()

__version__ = "0.1.0"

__all__ = ["EMOTIONS", "Face", "MienError", "Recognizer", "__version__", "analyze"]


def __getattr__(name: str) -> Any:
    if name in ("Recognizer", "analyze"):
        from mien.inference import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module 'mien' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
