"""OpenCV, checked once: everything that needs it takes ``cv2`` from here.

Four distributions write the same folder ``cv2``. The one that was installed last wins, and uninstalling one takes files
of the others away: what is left can be imported and does nothing.
"""

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mien.errors import InstallationError

_NEEDED: Final = ("cvtColor", "split", "resize", "setNumThreads", "warpAffine", "VideoCapture")
_WANTED: Final = "opencv-python-headless"
_RELEASE: Final = f"'{_WANTED}>=4.14,<5'"

log: Final = logging.getLogger("mien")


def installed(folders: Iterable[str] | None = None) -> list[str]:
    """Distributions of OpenCV, by name, sorted.

    Args:
        folders: where packages lie; by default those of this interpreter.
    """
    found = (path for folder in (sys.path if folders is None else folders) for path in _distributions(Path(folder)))
    return sorted({path.name.partition("-")[0].replace("_", "-").lower() for path in found})


def clash(names: list[str]) -> str:
    """What is wrong with the distributions that are installed, and the cure; nothing when only one is there."""
    return f"{' and '.join(names)} are both installed and overwrite each other; {_cure(names)}" if names[1:] else ""


def broken(what: str) -> InstallationError:
    """The error of an OpenCV that cannot do something; it names what it clashes with, and the cure."""
    names = installed()
    other = f"it is that of {names[0]}" if names and _WANTED not in names else "its files are damaged or missing"
    return InstallationError(f"OpenCV {what}: {clash(names) or f'{other}; {_cure(names)}'}")


def _cure(names: list[str]) -> str:
    """The command that leaves one working OpenCV."""
    uninstalled = f"pip uninstall --yes {' '.join(names)} && " if names else ""
    return f"mend it with: {uninstalled}pip install {_RELEASE}"


def _distributions(folder: Path) -> list[Path]:
    try:
        return list(folder.glob("opencv_*.dist-info"))
    except OSError:
        return []


os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # what it warns of, such as a missing camera, we say in one line

if said := clash(installed()):
    log.warning("%s", said)

try:
    import cv2
except ImportError as error:
    reason = str(error).partition("\n")[0]
    raise broken(f"cannot be imported ({reason})") from None

if lacking := [name for name in _NEEDED if not hasattr(cv2, name)]:
    raise broken(f"lacks {lacking[0]}")

__all__ = ["broken", "clash", "cv2", "installed"]
