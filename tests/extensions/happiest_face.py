"""A sink, as somebody else would write it: keeps the happiest face of all that it was given."""

from pathlib import Path

from PIL import Image

import mien


class HappiestFace(mien.Sink):
    def __init__(self, target):
        self.target = Path(target)
        self.best, self.crop = 0.0, None

    def add(self, recognized):
        for face in recognized.faces:
            if face.probabilities["happy"] > self.best:
                x, y, width, height = face.box
                self.best = face.probabilities["happy"]
                self.crop = recognized.image[y : y + height, x : x + width].copy()

    def close(self):
        if self.crop is None:
            return []
        Image.fromarray(self.crop).save(self.target)
        return [self.target]
