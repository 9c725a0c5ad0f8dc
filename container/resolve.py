"""Asks the package index whether mien's dependencies have wheels: for each system, Python and set of extras.

    python container/resolve.py                # every system, Python 3.11 to 3.14, all extras
    python container/resolve.py --extras core  # what predicting needs

Prints a line for each and exits with 1 when one does not resolve. Nothing is installed; it needs a network.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
EXTRAS: Final = ("core", "video", "heif", "tables", "gui", "serve", "train", "pretrained")
SYSTEMS: Final = {
    "Linux x86-64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"),
    "Linux ARM": ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64"),
    "macOS ARM": tuple(
        f"macosx_{version}_0_{kind}" for version in (14, 13, 12, 11) for kind in ("arm64", "universal2")
    ),
    "Windows x86-64": ("win_amd64",),
}
"""Tags that pip on such a system takes, newest first."""


def wanted(extras: list[str]) -> list[str]:
    """The requirements of mien itself and of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [line for extra in extras if extra != "core" for line in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *(line for line in named if not line.startswith("mien["))]


def resolved(requirements: list[str], python: str, tags: tuple[str, ...]) -> str:
    """What pip says: that every requirement and what it requires have a wheel, or why not.

    pip judges conditions such as ``platform_system == "Linux"`` by the machine that it runs on, so that torch for
    Windows asks for CUDA of Linux here. What does not resolve is therefore asked for again without its requirements.
    """
    problem = _refused(requirements, python, tags)
    if problem is None:
        return "resolves"
    return problem if _refused(requirements, python, tags, "--no-deps") else "resolves without its requirements"


def _refused(requirements: list[str], python: str, tags: tuple[str, ...], *options: str) -> str | None:
    """Pip's last line when it refuses."""
    platforms = [word for tag in tags for word in ("--platform", tag)]
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--only-binary=:all:"]
        command += [
            "--python-version",
            python,
            *platforms,
            "--target",
            empty,
            "--ignore-installed",
            *options,
            *requirements,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[-1]


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extras", nargs="*", default=EXTRAS)
    parser.add_argument("--pythons", nargs="*", default=PYTHONS)
    chosen = parser.parse_args()
    failed = 0
    for system, tags in SYSTEMS.items():
        for python in chosen.pythons:
            for extra in chosen.extras:
                said = resolved(wanted([extra]), python, tags)
                failed += not said.startswith("resolves")
                print(f"{system:15} {python:5} {extra:10} {said}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
