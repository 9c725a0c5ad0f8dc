"""mien's network alone, for `peers.py`: python peer_mien.py faces FILE, a NumPy file of faces, uint8 (N, 48, 48)."""

import json
import sys
import time

import numpy as np

from mien.model.onnx_model import Bundle

BATCH = 64


def main():
    model, shown = Bundle.load(), np.load(sys.argv[2])
    model.probabilities(shown[:1])
    started = time.process_time()
    batches = [model.probabilities(shown[at : at + BATCH]) for at in range(0, len(shown), BATCH)]
    spent = time.process_time() - started
    print(json.dumps({"cpu": spent, "best": np.concatenate(batches).argmax(axis=1).tolist()}))


if __name__ == "__main__":
    main()
