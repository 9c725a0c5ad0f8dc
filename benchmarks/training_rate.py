"""Training rate of the engine on the CPU against the loop that most projects have.

The baseline is a torch Dataset that varies one Pillow image at a time, a DataLoader with a worker per core, and float32
in the default memory order. Both train the same network on the same faces with the same batch, one after the other, in
turns.

python benchmarks/training_rate.py [RECIPE]
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from mien.data.store import FaceStore, write_store
from mien.models import network_entry
from mien.training.config import load_config
from mien.training.engine import TrainingData, make_optimizer, train
from mien.training.reporter import SilentReporter

FACES = 3072
TURNS = 3


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


def plain_rate(store, config):
    torch.manual_seed(0)
    network = network_entry(config.network).build().train()
    optimizer = make_optimizer(network, config.optimizer)
    workers = os.cpu_count() or 1
    loader = DataLoader(
        PillowFaces(store, config), config.batch_size, shuffle=True, drop_last=True, num_workers=workers
    )
    started = time.perf_counter()
    for batch, labels in loader:
        optimizer.zero_grad()
        cross_entropy(network(batch), labels, label_smoothing=config.loss.label_smoothing).backward()
        optimizer.step()
    return len(loader) * config.batch_size / (time.perf_counter() - started)


class Rates(SilentReporter):
    """Keeps the rate of each epoch."""

    def __init__(self):
        self.found = []

    def epoch_done(self, entry):
        self.found.append(entry["faces_per_second"])


def engine_rate(store, config):
    rates = Rates()
    with tempfile.TemporaryDirectory() as folder:
        rows = store.rows_of("Training")
        train(config, TrainingData(store, rows), Path(folder) / "run", device="cpu", reporter=rates)
    return rates.found[0]


def main():
    recipe = sys.argv[1] if len(sys.argv) > 1 else "mien_s"
    single = ["epochs=1", "resolutions=[]", "split=official", "select_on=last", "schedule.name=constant"]
    config = load_config(recipe, [*single, "schedule.warmup_epochs=0", "early_stopping=0"])
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        faces = random.integers(0, 256, (FACES, 48, 48), np.uint8)
        labels = random.integers(0, 7, FACES).astype(np.uint8)
        write_store(Path(folder) / "data", faces, labels, np.zeros(FACES, np.uint8), source="-", source_sha256="0" * 64)
        store = FaceStore.open(Path(folder) / "data")
        turns = [(plain_rate(store, config), engine_rate(store, config)) for _ in range(TURNS)]
    plain, engine = (statistics.median(rates) for rates in zip(*turns, strict=True))
    ratios = ", ".join(f"{ours / theirs:.2f}" for theirs, ours in turns)
    print(f"{recipe}, {config.preprocess.input_size} px, batch {config.batch_size}, {torch.get_num_threads()} threads")
    print(f"Dataset, DataLoader and Pillow, float32: {plain:.0f} faces/s")
    print(f"this engine, {config.precision}: {engine:.0f} faces/s, {engine / plain:.2f} times as many (target 1.5)")
    print(f"ratio by turn: {ratios}")


if __name__ == "__main__":
    main()
