"""`mien doctor`: facts for bug reports, from planted machines."""

import getpass
import json
import platform
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import mien
from mien.cli import doctor_facts
from mien.cli.main import app
from mien.errors import InstallationError
from mien.model.embedded import versioned_name

CPUINFO = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx2 avx512f avx512_vnni amx_tile amx_bf16\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n"


@pytest.fixture(scope="module")
def report():
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def test_it_states_what_is_installed(report):
    found = json.loads(report)
    assert found["mien"] == mien.__version__
    assert found["python"].endswith(platform.python_version())
    for name in ("numpy", "onnxruntime"):
        assert found["packages"][name] == metadata.version(name)
    assert found["extras"]["tables"]["pandas"] == metadata.version("pandas")
    assert "dev" not in found["extras"]
    assert found["model"].startswith(f"{versioned_name('mien_s')}, SHA-256 ")
    assert found["clashes"] == []


def test_its_features_are_those_that_numpy_sees(report):
    from numpy._core import _multiarray_umath

    seen = _multiarray_umath.__cpu_features__
    found = json.loads(report)["cpu_features"]
    assert (found["AVX2"], found["AVX512"]) == (seen.get("AVX2", False), seen.get("AVX512F", False))


def test_it_tells_nothing_about_a_person(report):
    assert platform.node() not in report
    assert str(Path.home()) not in report
    home, text = Path("/home/ada"), "/home/ada/x/mien: not readable by ada, whose /data/ada/adapter is"
    hidden = "~/x/mien: not readable by USER, whose /data/USER/adapter is"
    assert doctor_facts.without_names(text, home, "ada") == hidden
    assert doctor_facts.without_names("/srv/mien", Path("/"), getpass.getuser()) == "/srv/mien"


def test_the_text_has_every_fact(report):
    text = CliRunner().invoke(app, ["doctor"]).stdout
    starts = [line.split("  ")[0] for line in text.splitlines() if not line.startswith(" ")]
    assert starts == [name.replace("_", " ") for name in json.loads(report)]
    assert f"numpy: {np.__version__}" in text


def test_features_are_read_off_linux_flags():
    intel, arm = (doctor_facts.features(doctor_facts.cpu_flags(text)) for text in (CPUINFO, ARM))
    assert {name for name, there in intel.items() if there} == {"AVX2", "AVX512", "VNNI", "BF16", "AMX"}
    assert {name for name, there in arm.items() if there} == {"NEON", "BF16", "I8MM"}
    assert not any(doctor_facts.features(doctor_facts.cpu_flags("")).values())


@pytest.mark.skipif(sys.platform != "linux", reason="cameras are listed on Linux alone")
def test_cameras_are_listed_and_not_opened(tmp_path):
    for number, name in ((0, "Front"), (10, "Back")):
        folder = tmp_path / f"sys/class/video4linux/video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
    assert doctor_facts.cameras(tmp_path) == {"0": "Front", "10": "Back"}
    assert doctor_facts.cameras(tmp_path / "nothing") == {}


def test_packages_that_overwrite_each_other_are_named():
    harmless = {"numpy": "2", "opencv-python-headless": "4.14", "onnxruntime": "1.31", "onnxruntime-extensions": "1"}
    assert doctor_facts.clashes(harmless) == []
    first, second = doctor_facts.clashes({**harmless, "opencv-contrib-python": "4.9", "onnxruntime-gpu": "1.30"})
    assert first.startswith("opencv-contrib-python 4.9 and opencv-python-headless 4.14 write the same files")
    assert second.startswith("onnxruntime 1.31 and onnxruntime-gpu 1.30 write")


def test_what_cannot_be_known_stops_nothing(monkeypatch):
    def fail(*_):
        raise RuntimeError("/home/ada/secret")

    def broken():
        raise InstallationError("OpenCV lacks cvtColor: pip install it again")

    monkeypatch.setattr(doctor_facts.metadata, "requires", fail)
    monkeypatch.setattr(doctor_facts.metadata, "distributions", fail)
    monkeypatch.setattr(doctor_facts, "_providers", fail)
    monkeypatch.setattr(doctor_facts, "_model", broken)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0
    assert "unknown (RuntimeError)" in done.stdout
    assert "unknown: OpenCV lacks cvtColor" in done.stdout
    assert "secret" not in done.stdout
