"""Training rate of the engine, against the loop that most projects have and against the arithmetic alone.

The baseline is a torch Dataset that varies one Pillow image at a time, a DataLoader with a worker per core, and float32
in the default memory order; on a GPU its network and batches are moved there. Both train the same network on the same
faces with the same batch, in turns. The floor is three times the multiply-adds of a face (forward, and twice that
backward) at the rate of a bf16 matrix product on the same device.

python benchmarks/training_rate.py [RECIPE] [--device cpu|cuda]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from mien.data.store import FaceStore, write_store
from mien.networks import network_entry
from mien.networks.profile import count_macs, outline
from mien.training.data import TrainingData
from mien.training.engine import make_optimizer, train
from mien.training.recipe import load_config
from mien.training.reporter import SilentReporter

FACES = {"cpu": 3072, "cuda": 28_672}
TURNS = 3
SIDE = 4096


class PillowFaces(Dataset):
    """The recipe's variations, one face at a time: mirror, turn, grow, shift, contrast, brightness, crop."""

    def __init__(self, store, config):
        self.store, self.augment, self.spec = store, config.augment, config.preprocess

    def __len__(self):
        return len(self.store)

    def __getitem__(self, row):
        draw, augment, spec = np.random.default_rng(), self.augment, self.spec
        face = Image.fromarray(self.store.faces[row]).resize((spec.frame_size, spec.frame_size))
        if draw.random() < augment.flip:
            face = face.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        angle = np.radians(draw.uniform(-augment.rotate, augment.rotate))
        zoom = 1 / (1 + draw.uniform(-augment.scale, augment.scale))
        shift = draw.uniform(-augment.shift, augment.shift, 2) * spec.input_size
        cos, sin, middle = zoom * np.cos(angle), zoom * np.sin(angle), spec.frame_size / 2
        across, down = middle + shift - np.array([[cos, -sin], [sin, cos]]) @ (middle, middle)
        face = face.transform(face.size, Image.Transform.AFFINE, (cos, -sin, across, sin, cos, down), Image.BILINEAR)
        face = ImageEnhance.Contrast(face).enhance(1 + draw.uniform(-augment.contrast, augment.contrast))
        face = ImageEnhance.Brightness(face).enhance(1 + draw.uniform(-augment.brightness, augment.brightness))
        edge = (spec.frame_size - spec.input_size) // 2
        face = face.crop((edge, edge, edge + spec.input_size, edge + spec.input_size))
        pixels = torch.from_numpy(np.asarray(face, np.float32) / 255)[None]
        return (pixels - spec.mean) / spec.std, int(self.store.labels[row])


def plain_rate(store, config, device):
    torch.manual_seed(0)
    network = network_entry(config.network).build().train().to(device)
    optimizer = make_optimizer(network, config.optimizer)
    workers = os.cpu_count() or 1
    loader = DataLoader(
        PillowFaces(store, config), config.batch_size, shuffle=True, drop_last=True, num_workers=workers
    )
    started = time.perf_counter()
    for batch, labels in loader:
        optimizer.zero_grad()
        logits = network(batch.to(device))
        cross_entropy(logits, labels.to(device), label_smoothing=config.loss.label_smoothing).backward()
        optimizer.step()
    return len(loader) * config.batch_size / (time.perf_counter() - started)


class Rates(SilentReporter):
    """Keeps the rate of each epoch."""

    def __init__(self):
        self.found = []

    def epoch_done(self, entry):
        self.found.append(entry["faces_per_second"])


def engine_rate(store, config, device):
    rates = Rates()
    with tempfile.TemporaryDirectory() as folder:
        rows = store.rows_of("Training")
        train(config, TrainingData(store, rows), Path(folder) / "run", device=device, reporter=rates)
    return rates.found[-1]


def product_rate(device):
    """Multiply-adds a second of a bf16 matrix product."""
    left, right = torch.randn(2, SIDE, SIDE, device=device, dtype=torch.bfloat16)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        product = left @ right
        product[0, 0].item()  # a GPU answers before it is done
        seconds.append(time.perf_counter() - started)
    return SIDE**3 / statistics.median(seconds)


def configured(recipe):
    single = ["resolutions=[]", "split=official", "select_on=last", "schedule.name=constant"]
    # Two epochs, the second of which counts: a GPU chooses its kernels in the first.
    return load_config(recipe, [*single, "epochs=2", "schedule.warmup_epochs=0", "early_stopping=0"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="mien_s")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()

    config, device = configured(options.recipe), options.device
    random, count = np.random.default_rng(0), FACES[device]
    with tempfile.TemporaryDirectory() as folder:
        faces = random.integers(0, 256, (count, 48, 48), np.uint8)
        labels = random.integers(0, 7, count).astype(np.uint8)
        write_store(Path(folder) / "data", faces, labels, np.zeros(count, np.uint8), source="-", source_sha256="0" * 64)
        store = FaceStore.open(Path(folder) / "data")
        turns = [(plain_rate(store, config, device), engine_rate(store, config, device)) for _ in range(TURNS)]
    plain, engine = (statistics.median(rates) for rates in zip(*turns, strict=True))
    side = config.preprocess.input_size
    floor = product_rate(device) / (3 * count_macs(outline(network_entry(config.network).build), side))
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{options.recipe}, {side} px, batch {config.batch_size}, {name}")
    print(f"Dataset, DataLoader and Pillow, float32: {plain:.0f} faces/s")
    print(f"this engine, {config.precision}: {engine:.0f} faces/s, {engine / plain:.2f} times as many (target 1.5)")
    print(f"ratio by turn: {', '.join(f'{ours / theirs:.2f}' for theirs, ours in turns)}")
    print(f"floor, arithmetic alone: {floor:.0f} faces/s; the engine reaches {engine / floor:.0%} of it")


if __name__ == "__main__":
    main()
