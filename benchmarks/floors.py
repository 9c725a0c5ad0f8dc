"""The least time that decoding, detection and classification of photos can take on one thread, and what they take.

python benchmarks/floors.py FILE ...

The floor of decoding: all pixels at the rate of OpenCV's JPEG decoder; mien may be faster, since it decodes large
photos smaller. The floors of both networks: their multiply-adds at the rate of a float32 matrix product. YuNet's are
counted on the pixels that it is shown, several sizes of a photo together. Processor time, median of turns.
"""

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnx

from mien.faces.yunet import YuNetDetector
from mien.faces.yunet_network import YuNet, yunet_weights
from mien.media.read_image import read_reduced
from mien.model.onnx_model import Bundle

SIDE = 1024
TURNS = 3


def seconds(action):
    """Median processor time."""
    spent = []
    for _ in range(TURNS):
        started = time.process_time()
        action()
        spent.append(time.process_time() - started)
    return statistics.median(spent)


def yunet_macs_per_pixel():
    """Multiply-adds of YuNet's convolutions on a picture, over its pixels."""
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(yunet_weights()))
    shapes = {
        value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.output, *model.graph.input)
    }
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    width = shapes[model.graph.input[0].name][-1]
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    return (
        sum(np.prod(shapes[node.output[0]]) * np.prod(weights[node.input[1]][1:]) for node in convolutions) / width**2
    )


def shown_pixels(pictures):
    """Pixels that YuNet is shown of all the pictures, and the number of faces."""
    shown, rows = [0], YuNet.rows

    def counted(network, image, min_score):
        shown[0] += image.shape[0] * image.shape[1]
        return rows(network, image, min_score)

    YuNet.rows = counted
    detector = YuNetDetector(threads=1)
    shown[0] = 0
    found = [detector.detect(picture.pixels, picture.factor) for picture in pictures]
    YuNet.rows = rows
    return shown[0], sum(map(len, found))


def main():
    cv2.setNumThreads(1)
    files = [Path(name) for name in sys.argv[1:]]
    detector, model = YuNetDetector(threads=1), Bundle.load(threads=1)
    pictures = [read_reduced(file, detector.reduction) for file in files]
    pixels, faces = shown_pixels(pictures)
    crops = np.random.default_rng(0).integers(0, 256, (faces, 48, 48), np.uint8)
    left, right = (np.random.default_rng(side).standard_normal((SIDE, SIDE), np.float32) for side in range(2))
    rate = SIDE**3 / seconds(lambda: left @ right)
    contents = [np.frombuffer(file.read_bytes(), np.uint8) for file in files]
    per_pixel = yunet_macs_per_pixel()
    decoded = seconds(lambda: [cv2.imdecode(content, cv2.IMREAD_COLOR) for content in contents])
    stages = (
        ("decoding", lambda: [read_reduced(file, detector.reduction) for file in files], decoded),
        ("detection", lambda: [detector.detect(one.pixels, one.factor) for one in pictures], pixels * per_pixel / rate),
        ("classification", lambda: model.probabilities(crops), faces * model.card.macs / rate),
    )
    print(f"matrix product: {rate / 1e9:.0f} G multiply-adds/s on one thread; YuNet: {per_pixel:.0f} a pixel")
    whole_pixels = sum(one.width * one.height for one in pictures) / 1e6
    print(f"OpenCV decodes {whole_pixels / decoded:.0f} megapixels/s")
    print(f"{len(files)} photos, YuNet shown {pixels / 1e6 / len(files):.1f} megapixels each, {faces} faces in all")
    whole = [0.0, 0.0]
    for name, action, floor in stages:
        spent = seconds(action)
        whole = [whole[0] + spent, whole[1] + floor]
        each = [1e3 * value / len(files) for value in (spent, floor)]
        print(f"{name}: {each[0]:.1f} ms a photo, floor {each[1]:.1f} ms, {spent / floor:.1f} times")
    print(f"together: {whole[0] / len(files) * 1e3:.1f} ms a photo, {whole[0] / whole[1]:.1f} times the floors' sum")


if __name__ == "__main__":
    main()
