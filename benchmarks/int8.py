"""What static int8 quantisation of a model is worth: speed against float32, and the paired difference in accuracy.

python benchmarks/int8.py STORE [--model MODEL] [--calibration 512] [--turns 5]

Calibrated on faces spread evenly over Training, measured on PublicTest; one thread, batch 64, processor time, in turns.
The interval is 1.96 standard errors of the paired difference. Whether the processor has VNNI, int8's own instructions,
decides most.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from mien.data.store import FaceStore
from mien.defaults import DEFAULT_MODEL
from mien.model.embedded import read_embedded, versioned_name
from mien.model.onnx_model import Bundle
from mien.processor import cpuinfo, processor_name

BATCH = 64
METHODS = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}
SIGNS = {"activations uint8": QuantType.QUInt8, "activations int8": QuantType.QInt8}


class Faces(CalibrationDataReader):
    """Batches of a network's input, by the name of that input."""

    def __init__(self, name, inputs):
        self._batches = iter([{name: inputs[at : at + BATCH]} for at in range(0, len(inputs), BATCH)])

    def get_next(self):
        return next(self._batches, None)


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def classes(network, inputs):
    name = network.get_inputs()[0].name
    batches = [network.run(None, {name: inputs[at : at + BATCH]})[0] for at in range(0, len(inputs), BATCH)]
    return np.concatenate(batches).argmax(axis=1)


def milliseconds(networks, inputs, turns):
    """Median milliseconds a face of each network, in turns."""
    spent = [[] for _ in networks]
    for _ in range(turns + 1):
        for network, times in zip(networks, spent, strict=True):
            started = time.process_time()
            classes(network, inputs)
            times.append(1e3 * (time.process_time() - started) / len(inputs))
    return [statistics.median(times[1:]) for times in spent]


def quantised(path, reader, target, method, sign):
    options = {"quant_format": QuantFormat.QDQ, "per_channel": True, "weight_type": QuantType.QInt8}
    quantize_static(path, target, reader, calibrate_method=method, activation_type=sign, **options)
    return session(target)


def flags():
    found = next((line.split() for line in cpuinfo().splitlines() if line.startswith("flags")), [])
    return f"{processor_name()}, VNNI: {', '.join(flag for flag in found if 'vnni' in flag) or 'none'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--calibration", type=int, default=512)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    store, card = FaceStore.open(options.store), Bundle.load(options.model).card
    training, public = store.rows_of("Training"), store.rows_of("PublicTest")
    chosen = training[np.linspace(0, len(training) - 1, options.calibration).astype(int)]
    calibration, inputs = (card.preprocess.apply(store.faces[rows]) for rows in (chosen, public))
    print(f"{flags()}; onnxruntime {ort.__version__}, {len(calibration)} Training faces for calibration")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "prepared.onnx"
        version = versioned_name(options.model)
        path.write_bytes(read_embedded(version) if version else Path(options.model).read_bytes())
        quant_pre_process(str(path), str(path), skip_symbolic_shape=True)
        networks, names = [session(path)], ["float32"]
        for method, calibrate in METHODS.items():
            for sign, kind in SIGNS.items():
                reader = Faces(networks[0].get_inputs()[0].name, calibration)
                target = Path(place) / f"{len(networks)}.onnx"
                networks.append(quantised(path, reader, target, calibrate, kind))
                names.append(f"{method}, {sign}")
        speeds = milliseconds(networks, inputs[: 4 * BATCH], options.turns)
        right = [classes(network, inputs) == store.labels[public] for network in networks]
    for name, speed, hits in zip(names, speeds, right, strict=True):
        paired = hits.astype(float) - right[0]
        error = 1.96 * paired.std() / len(paired) ** 0.5
        difference = f"{100 * paired.mean():+.2f} ± {100 * error:.2f} points"
        print(f"{name}: {speed:.2f} ms a face, {speeds[0] / speed:.2f} times float32's speed, PublicTest {difference}")


if __name__ == "__main__":
    main()
