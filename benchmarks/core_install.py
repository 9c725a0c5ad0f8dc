"""What `pip install mien` brings without extras: megabytes, whether torch is among them, and whether it predicts.

python benchmarks/core_install.py

Installs this checkout into a virtual environment of its own and reads a generated picture with it. The baseline is the
environment as venv makes it, with pip alone.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def megabytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main():
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "venv", folder)
        python = Path(folder) / "bin" / "python"
        packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        empty = megabytes(packages)
        run(python, "-m", "pip", "install", "--quiet", "-c", CHECKOUT / "constraints.txt", CHECKOUT)
        whole = megabytes(packages)
        picture = Path(folder) / "grey.png"
        run(python, "-c", f"from PIL import Image; Image.new('L', (64, 64), 90).save({str(picture)!r})")
        answer = run(python, "-m", "mien", "predict", picture, "--detector", "none", "--format", "csv")
        torch = (packages / "torch").exists()
    print(f"core install: {whole:.0f} MB in site-packages, {empty:.0f} MB of them pip (target: at most 400 MB)")
    print(f"torch among them: {'yes' if torch else 'no'} (target: no); predicted: {answer.splitlines()[1]}")


if __name__ == "__main__":
    main()
