"""`fer` as its documentation uses it, for `peers.py`, in an environment that has it.

python peer_fer.py photos FILE ...    a line of JSON for each photo: its file and its boxes
python peer_fer.py faces FILE         its network alone on a NumPy file of faces, uint8 (N, 48, 48)
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import cv2
import numpy as np
from fer.fer import FER

BATCH = 64


def photos(files):
    detector = FER()
    for file in files:
        found = detector.detect_emotions(cv2.imread(file))
        print(json.dumps({"file": file, "boxes": [[int(side) for side in face["box"]] for face in found]}))


def faces(file):
    network, best = FER()._FER__emotion_classifier, []
    shown = np.load(file)
    network(np.zeros((1, 64, 64), np.float32))
    started = time.process_time()
    for at in range(0, len(shown), BATCH):
        batch = np.array([cv2.resize(face, (64, 64)) for face in shown[at : at + BATCH]], np.float32)
        best += np.asarray(network((batch / 255 - 0.5) * 2)).argmax(axis=1).tolist()
    print(json.dumps({"cpu": time.process_time() - started, "best": best}))


if __name__ == "__main__":
    photos(sys.argv[2:]) if sys.argv[1] == "photos" else faces(sys.argv[2])
