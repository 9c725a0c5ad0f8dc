"""What `mien doctor` says. Each fact is asked for by itself: one that cannot be known stops no other."""

import getpass
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final

from mien.errors import MienError
from mien.processor import cpuinfo, processor_name
from mien.threads import usable_cores
from mien.version import __version__

Fact = Any
"""A value of JSON; None: unknown."""

CPU_FEATURES: Final = {
    "AVX2": {"avx2"},
    "AVX512": {"avx512f"},
    "VNNI": {"avx512_vnni", "avx_vnni", "avx512vnni"},
    "BF16": {"avx512_bf16", "avx512bf16", "amx_bf16", "bf16"},
    "AMX": {"amx_tile"},
    "NEON": {"asimd", "neon"},
    "I8MM": {"i8mm"},
}
"""What matters to speed, and how Linux and NumPy call it, in lower case."""

_CLASHES: Final = {
    "opencv": re.compile(r"opencv-(contrib-)?python(-headless)?"),
    "onnxruntime": re.compile(r"onnxruntime(-gpu|-directml|-openvino)?"),
}
"""Distributions that write the same files: only one of each kind may be installed."""

_EXTRA: Final = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_NAME: Final = re.compile(r"[\w.-]+")
_DEVELOPERS: Final = "dev"
_PATIENCE: Final = 10
"""Seconds that a program which is asked may take."""


def facts() -> dict[str, Fact]:
    """All of them, in the order in which they are read."""
    asked: dict[str, Callable[[], Fact]] = {
        "mien": lambda: __version__,
        "python": lambda: f"{platform.python_implementation()} {platform.python_version()}",
        "system": lambda: f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": processor_name,
        "cpu_features": _cpu_features,
        "cores": lambda: {"usable": usable_cores(), "of": os.cpu_count()},
        "memory_gb": _memory,
        "gpus": _gpus,
        "onnxruntime_providers": _providers,
        "cameras": lambda: cameras(Path("/")),
        "model": _model,
        "packages": lambda: versions(_requirements("")),
        "extras": _extras,
        "clashes": lambda: clashes(_installed()),
        "path": lambda: without_names(str(Path(__file__).parents[1]), Path.home(), getpass.getuser()),
    }
    return {name: _tried(ask) for name, ask in asked.items()}


def _tried(ask: Callable[[], Fact]) -> Fact:
    try:
        return ask()
    except MienError as error:
        return f"unknown: {without_names(str(error), Path.home(), getpass.getuser())}"
    except Exception as error:  # a damaged package may raise anything, and this command is for finding that out
        return f"unknown ({type(error).__name__})"


def cpu_flags(cpuinfo: str) -> set[str]:
    """What Linux's /proc/cpuinfo says that the processor can do, in lower case."""
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    return set(found[1].lower().split()) if found else set()


def features(flags: Iterable[str]) -> dict[str, bool]:
    """Which of `CPU_FEATURES` a processor with such flags has."""
    known = set(flags)
    return {name: bool(known & names) for name, names in CPU_FEATURES.items()}


def _cpu_features() -> Fact:
    text = cpuinfo()
    return features(cpu_flags(text) if text else _flags_of_numpy())


def _flags_of_numpy() -> set[str]:
    """What NumPy found out; it is the only one to ask on Windows and macOS, and does not know AMX."""
    core = import_module("numpy._core._multiarray_umath")
    return {name.lower() for name, there in core.__cpu_features__.items() if there}


def _memory() -> Fact:
    if sys.platform == "win32":
        return _memory_of_windows()
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _memory_of_windows() -> Fact:
    import ctypes

    state = (ctypes.c_uint64 * 8)()  # MEMORYSTATUSEX: two numbers of 32 bits, then the sizes
    state[0] = ctypes.sizeof(state)
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(state))  # type: ignore[attr-defined]  # Windows has it
    return round(state[1] / 1e9, 1)


def _gpus() -> Fact:
    """Names, memory and drivers of NVIDIA's GPUs, which its own program knows; [] where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=_PATIENCE)  # noqa: S603 - a fixed command
    return [line.strip() for line in said.stdout.splitlines() if line.strip()]


def _providers() -> Fact:
    import onnxruntime

    return onnxruntime.get_available_providers()


def cameras(root: Path) -> Fact:
    """Cameras by number and name, none of them opened; None on systems that are not asked (only Linux is).

    Args:
        root: below it lies ``sys``.
    """
    if sys.platform != "linux":
        return None
    found = (root / "sys/class/video4linux").glob("video*/name")
    return {file.parent.name.removeprefix("video"): file.read_text(encoding="utf-8").strip() for file in sorted(found)}


def _model() -> Fact:
    """The embedded model that is used, and whether it computes."""
    import numpy as np

    from mien.recognition.recognizer import Recognizer

    recognizer = Recognizer(detector="none")
    recognizer.predict(np.zeros((48, 48), np.uint8))
    header = recognizer.header
    return f"{header.model}, SHA-256 {str(header.sha256)[:12]}, computes"


def _requirements(extra: str) -> list[str]:
    """Names of the distributions that an extra needs, or the core without one."""
    lines = metadata.requires("mien") or []
    names = [_NAME.match(line) for line in lines if (_EXTRA.findall(line) or [""])[0] == extra]
    return [name[0] for name in names if name and name[0] != "mien"]


def versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each distribution, or that it is missing."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _extras() -> Fact:
    extras = metadata.metadata("mien").get_all("Provides-Extra") or []
    return {extra: versions(_requirements(extra)) for extra in extras if extra != _DEVELOPERS}


def _installed() -> dict[str, str]:
    """Names, as package indexes write them, and versions of all distributions."""
    found = ((entry.metadata["Name"], entry.version) for entry in metadata.distributions())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found if name}


def clashes(installed: Mapping[str, str]) -> list[str]:
    """Distributions that overwrite each other's files, with what to do about it."""
    found = []
    for kind, pattern in _CLASHES.items():
        names = sorted(name for name in installed if pattern.fullmatch(name))
        if len(names) > 1:
            listed = " and ".join(f"{name} {installed[name]}" for name in names)
            found.append(f"{listed} write the same files: uninstall all of them, then install one {kind}")
    return found


def without_names(text: str, home: Path, user: str) -> str:
    """A text that names neither the home folder nor the user."""
    if home != Path(home.anchor):
        text = text.replace(str(home), "~")
    return re.sub(rf"(?<![\w.-]){re.escape(user)}(?![\w.-])", "USER", text) if user else text
