"""How long a user waits: importing, `--help`, and the first prediction, beside an empty Python and an import of OpenCV.

python benchmarks/startup.py

Each command is a process of its own; the median of several runs counts. The floor of a prediction is to import OpenCV
and onnxruntime, which it cannot do without.
"""

import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 7


def photo():
    """A public-domain portrait (NASA) that comes inside scikit-image."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        sys.exit("startup.py needs scikit-image for its photo: pip install '.[dev]'")
    return str(Path(spec.origin).parent / "data" / "astronaut.png")


def median_seconds(arguments):
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def main():
    python = median_seconds(["-c", "pass"])
    libraries = median_seconds(["-c", "import cv2, onnxruntime"])
    rows = [
        ("import mien", ["-c", "import mien"], python, "empty Python", 0.2),
        ("mien --help", ["-m", "mien", "--help"], python, "empty Python", 0.4),
        ("mien predict photo", ["-m", "mien", "predict", photo()], libraries, "import cv2, onnxruntime", 1.5),
    ]
    print(f"empty Python {python:.3f} s; import cv2, onnxruntime {libraries:.3f} s (medians of {RUNS - 1} warm runs)")
    for name, arguments, baseline, baseline_name, target in rows:
        seconds = median_seconds(arguments)
        print(f"{name}: {seconds:.3f} s, {seconds / baseline:.1f} times {baseline_name} (target: at most {target} s)")


if __name__ == "__main__":
    main()
