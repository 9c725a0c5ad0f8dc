"""Import of fer2013.csv: mien against pandas and split, as the usual scripts do it.

usage: python benchmarks/import_csv.py [fer2013.csv]

Each way runs in a process of its own, one after the other, on the same file; without an argument a csv of the same size
is made first. The floor is the time to read and hash the bytes alone. Each figure is the best of three runs, pandas' of
one.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = 32_298
RUNS = {"floor": 3, "mien": 3, "reopen": 3, "pandas": 1}


def synthesise(path: Path) -> None:
    """A csv of random faces with as many rows and about as many bytes as FER2013's Training and PublicTest."""
    import numpy as np

    rng = np.random.default_rng(0)
    words = np.array([str(level) for level in range(256)])
    with path.open("w") as out:
        out.write("emotion,pixels,Usage\n")
        for row in range(ROWS):
            grey = np.clip(rng.normal(rng.uniform(60, 190), 50, 2304), 0, 255).astype(np.uint8)
            out.write(f"{row % 7},{' '.join(words[grey])},{'Training' if row < 28_709 else 'PublicTest'}\n")


def floor(source: Path, _store: Path) -> None:
    with source.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def mien(source: Path, store: Path) -> None:
    from mien.data.reading.importing import import_data

    import_data(source, store)


def reopen(_source: Path, store: Path) -> None:
    from mien.data.store import FaceStore

    FaceStore.open(store)


def pandas(source: Path, _store: Path) -> None:
    import numpy as np
    import pandas as pd

    table = pd.read_csv(source)
    np.array([np.array(text.split(), dtype=np.uint8).reshape(48, 48) for text in table["pixels"]])


WAYS = {"floor": floor, "mien": mien, "reopen": reopen, "pandas": pandas}
IMPORTS = {"mien": "mien.data.reading.importing", "reopen": "mien.data.store", "pandas": "pandas"}


def measure_here(way: str, source: Path, store: Path) -> None:
    """Print seconds (imports of modules not counted) and peak resident megabytes of this process."""
    if way in IMPORTS:
        __import__(IMPORTS[way])
    start = time.perf_counter()
    WAYS[way](source, store)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def measure(way: str, source: Path, folder: Path) -> tuple[float, float]:
    """Best seconds and largest peak megabytes over the runs of one way."""
    figures = []
    for run in range(RUNS[way]):
        store = folder / f"store{0 if way == 'reopen' else run}"
        command = [sys.executable, __file__, "--measure", way, str(source), str(store)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures.append(json.loads(done.stdout))
    return min(seconds for seconds, _ in figures), max(peak for _, peak in figures)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "synthetic.csv"
        if len(sys.argv) < 2:
            synthesise(source)
        print(f"{source.name}: {source.stat().st_size / 1e6:.0f} MB")
        figures = {way: measure(way, source, Path(folder)) for way in RUNS}
    for way, (seconds, peak) in figures.items():
        print(f"{way:7} {seconds:8.3f} s {peak:6.0f} MB")
    print(f"mien is {figures['pandas'][0] / figures['mien'][0]:.1f} times as fast as pandas and split")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
