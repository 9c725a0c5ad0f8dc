"""Sessions of onnxruntime on the requested device (execution provider), or an error: no silent fallback to the CPU."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

import onnxruntime as ort

from mien.choices import MODEL_DEVICES
from mien.errors import UsageError
from mien.threads import thread_count

CPU: Final = "CPUExecutionProvider"
DIRECTML: Final = "DmlExecutionProvider"


@dataclass(frozen=True, slots=True)
class _Provider:
    """What a device is to onnxruntime.

    Args:
        name: of the execution provider.
        package: that brings it; only one of `_PACKAGES` may be installed, for all write the same files.
        platforms: where there is such a package, as `sys.platform` names them.
        needs: what else the machine must have.
    """

    name: str
    package: str
    platforms: tuple[str, ...]
    needs: str


_PROVIDERS: Final = {
    "cuda": _Provider(
        "CUDAExecutionProvider",
        "onnxruntime-gpu",
        ("linux", "win32"),
        "an NVIDIA driver, CUDA and cuDNN of the versions that its release asks for",
    ),
    "directml": _Provider(DIRECTML, "onnxruntime-directml", ("win32",), "a GPU with DirectX 12"),
    "coreml": _Provider("CoreMLExecutionProvider", "onnxruntime", ("darwin",), "macOS 10.15 or newer"),
}

_PACKAGES: Final = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml")
_SYSTEMS: Final = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}


def open_session(onnx: bytes, device: str, threads: int | None, *, any_shape: bool = False) -> Any:
    """A session that runs on a device.

    Args:
        onnx: the content of the model file.
        device: one of `MODEL_DEVICES`.
        threads: see `mien.threads.thread_count`.
        any_shape: whether nearly every input has another shape: no plan of the memory is then kept for each of them.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        UsageError: an unknown device, or one that onnxruntime cannot run on here; a number of threads out of range.
        Exception: of onnxruntime's private types, when it cannot use the file.
    """
    providers = execution_providers(device)
    options = _options(providers, thread_count(threads))
    options.enable_mem_pattern = options.enable_mem_pattern and not any_shape
    if device == "auto" and len(providers) > 1:
        return _session_on_the_first(onnx, options, providers)
    session = _session(onnx, options, providers)
    _check_in_use(device, providers[0], session.get_providers())
    return session


def execution_providers(
    device: str,
    available: Sequence[str] | None = None,
    installed: Sequence[str] | None = None,
    platform: str = sys.platform,
) -> tuple[str, ...]:
    """The execution providers of onnxruntime for a device, best first; the last is the CPU's, for what others lack.

    Args:
        device: one of `MODEL_DEVICES`.
        available: providers that the installed onnxruntime was built with; by default those that it names.
        installed: packages of onnxruntime that are installed; by default those that are.
        platform: the operating system, as `sys.platform` names it.

    Raises:
        UsageError: an unknown device, or one that the installed onnxruntime was not built for.
    """
    if device not in MODEL_DEVICES:
        raise UsageError(f"device {device!r}: a model file takes one of {', '.join(MODEL_DEVICES)}")
    available = ort.get_available_providers() if available is None else available
    if device == "cpu" or (device == "auto" and _PROVIDERS["cuda"].name not in available):
        return (CPU,)
    provider = _PROVIDERS["cuda" if device == "auto" else device]
    if provider.name not in available:
        raise UsageError(_lacking(device, provider, _installed() if installed is None else installed, platform))
    return provider.name, CPU


def _lacking(device: str, provider: _Provider, installed: Sequence[str], platform: str) -> str:
    """What is missing and how to mend it: packages of onnxruntime overwrite each other, so one replaces the others."""
    if platform not in provider.platforms:
        systems = " and ".join(_SYSTEMS[name] for name in provider.platforms)
        return f"device {device}: onnxruntime offers it on {systems} only; choose cpu"
    found = " and ".join(installed) or "onnxruntime"
    removal = f"pip uninstall --yes {' '.join(installed)}, then " if installed else ""
    return (
        f"device {device}: the installed {found} cannot use it; {removal}pip install {provider.package} "
        f"(one of them only), or choose cpu"
    )


def _installed() -> list[str]:
    """Packages of onnxruntime that are installed."""
    names = {(found.metadata["Name"] or "").lower().replace("_", "-") for found in metadata.distributions()}
    return [name for name in _PACKAGES if name in names]


def _options(providers: Sequence[str], threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # A thread that spins takes the time of the one it waits for where another program keeps a core busy.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if DIRECTML in providers:
        options.enable_mem_pattern = False  # DirectML has none
    return options


def _session(onnx: bytes, options: Any, providers: Sequence[str]) -> Any:
    """A session; onnxruntime may still leave a provider out of it whose libraries it cannot load."""
    return ort.InferenceSession(onnx, options, providers=list(providers), enable_fallback=0)


def _session_on_the_first(onnx: bytes, options: Any, providers: Sequence[str]) -> Any:
    """A session on the first provider that starts."""
    try:
        return _session(onnx, options, providers)
    except Exception:  # onnxruntime raises a dozen private types; the CPU tells whether the file is to blame
        return _session(onnx, options, providers[1:])


def _check_in_use(device: str, expected: str, in_use: Sequence[str]) -> None:
    if expected not in in_use:
        raise UsageError(
            f"device {device}: onnxruntime could not start on it; it needs {_PROVIDERS[device].needs}; or choose cpu"
        )
