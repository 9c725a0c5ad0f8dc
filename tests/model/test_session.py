"""Devices of onnxruntime: used or refused. Providers, packages and systems are handed in, for this machine has none."""

from importlib import metadata

import onnxruntime as ort
import pytest

from mien.choices import MODEL_DEVICES
from mien.errors import ModelFileError, UsageError
from mien.model.onnx_model import Bundle
from mien.model.session import _check_in_use, _installed, _session_on_the_first, execution_providers

CPU = "CPUExecutionProvider"
NAMES = {"cuda": "CUDAExecutionProvider", "directml": "DmlExecutionProvider", "coreml": "CoreMLExecutionProvider"}
SYSTEMS = {"cuda": "linux", "directml": "win32", "coreml": "darwin"}


def test_onnxruntime_knows_the_providers_by_these_names():
    assert {*NAMES.values(), CPU} <= set(ort.get_all_providers())


@pytest.mark.parametrize("device", NAMES)
def test_a_device_becomes_its_provider_and_the_cpu_for_the_rest(device):
    available = [*NAMES.values(), CPU]
    assert execution_providers(device, available) == (NAMES[device], CPU)
    assert execution_providers("cpu", available) == (CPU,)


def test_auto_takes_cuda_only():
    assert execution_providers("auto", [*NAMES.values(), CPU]) == (NAMES["cuda"], CPU)
    assert execution_providers("auto", [NAMES["directml"], NAMES["coreml"], CPU]) == (CPU,)


@pytest.mark.parametrize(
    ("device", "installed", "advice"),
    [
        ("cuda", ["onnxruntime"], "pip uninstall --yes onnxruntime, then pip install onnxruntime-gpu"),
        (
            "cuda",
            ["onnxruntime", "onnxruntime-gpu"],
            "the installed onnxruntime and onnxruntime-gpu cannot use it; "
            "pip uninstall --yes onnxruntime onnxruntime-gpu, then pip install onnxruntime-gpu",
        ),
        ("directml", ["onnxruntime"], "pip uninstall --yes onnxruntime, then pip install onnxruntime-directml"),
        ("coreml", ["onnxruntime-gpu"], "pip uninstall --yes onnxruntime-gpu, then pip install onnxruntime "),
        ("cuda", [], "cannot use it; pip install onnxruntime-gpu"),
    ],
)
def test_a_missing_provider_names_the_package_and_the_one_it_replaces(device, installed, advice):
    with pytest.raises(UsageError) as raised:
        execution_providers(device, [CPU], installed, SYSTEMS[device])
    assert f"device {device}: " in str(raised.value)
    assert advice in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("device", "platform", "systems"),
    [
        ("coreml", "linux", "macOS"),
        ("directml", "darwin", "Windows"),
        ("cuda", "darwin", "Linux and Windows"),
    ],
)
def test_a_device_of_other_systems_is_not_looked_for_in_packages(device, platform, systems):
    with pytest.raises(UsageError, match=rf"^device {device}: onnxruntime offers it on {systems} only; choose cpu$"):
        execution_providers(device, [CPU], ["onnxruntime"], platform)


def test_unknown_devices_are_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="device 'tpu': a model file takes one of auto, cpu, cuda, directml, coreml"):
        execution_providers("tpu")


def test_the_installed_packages_are_those_that_pip_knows():
    assert _installed() == [name for name in ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml") if has(name)]
    assert _installed()


def has(package):
    try:
        return bool(metadata.version(package))
    except metadata.PackageNotFoundError:
        return False


@pytest.mark.parametrize("device", NAMES)
def test_a_provider_that_onnxruntime_left_out_is_an_error(device):
    """As onnxruntime does without a word when it cannot load CUDA's libraries."""
    with pytest.raises(UsageError, match=f"^device {device}: onnxruntime could not start on it; it needs "):
        _check_in_use(device, NAMES[device], [CPU])
    _check_in_use(device, NAMES[device], [NAMES[device], CPU])


@pytest.mark.parametrize("device", [name for name in MODEL_DEVICES if name not in ("auto", "cpu")])
def test_a_device_that_is_not_here_is_refused_and_not_replaced(tmp_path, write_linear_model, device):
    if NAMES[device] in ort.get_available_providers():
        pytest.skip(f"this onnxruntime has {device}")
    with pytest.raises(UsageError, match=f"device {device}"):
        Bundle.load(write_linear_model(tmp_path / "m.onnx"), device=device)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_falls_back_and_prints_nothing(tmp_path, write_linear_model, capfd):
    content = write_linear_model(tmp_path / "m.onnx").read_bytes()
    session = _session_on_the_first(content, ort.SessionOptions(), (NAMES["cuda"], CPU))
    assert CPU in session.get_providers()
    assert capfd.readouterr().out == ""


def test_auto_still_finds_a_file_that_is_none(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError, match="not a usable ONNX file"):
        Bundle.load(tmp_path / "m.onnx", device="auto")
