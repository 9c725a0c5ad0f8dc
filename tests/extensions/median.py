"""A smoothing, as somebody else would write it: the median of the last readings of a person."""

from collections import deque

import numpy as np

import mien


class Median(mien.Smoothing):
    margin = 0.05

    def __init__(self, count=5):
        self.readings = deque(maxlen=count)

    def update(self, probabilities, time):
        self.readings.append(probabilities)
        middle = np.median(self.readings, axis=0)
        return middle / middle.sum()
