"""The calls of the package `fer` (22 to 25.10): replace ``from fer import`` by ``from mien.compat.fer import``.

    from mien.compat.fer import FER

    detector = FER(mtcnn=True)
    detector.detect_emotions("photo.jpg")  # [{"box": [x, y, w, h], "emotions": {"angry": 0.0, ...}}]

Written from that package's README, changelog, docstrings and tests. docs/guide/coming_from.md says what differs.
"""

from mien.compat.fer.classes import Video
from mien.compat.fer.exceptions import FaceDetectionError, InvalidImage, InvalidModelFile
from mien.compat.fer.fer import FER

__all__ = ["FER", "FaceDetectionError", "InvalidImage", "InvalidModelFile", "Video"]
