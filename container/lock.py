"""Writes what the container installs: `requirements.txt` with hashes, and `sbom.cdx.json` (CycloneDX 1.5).

    make lock

takes the newest releases that constraints.txt allows, for both processors. The file must then be read like any other
change: a hash says what is installed, not that it is harmless.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
PYTHON: Final = "3.12"
"""That of the container."""
PROCESSORS: Final = ("x86_64", "aarch64")
LIBRARIES: Final = {
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
    "avcodec": "GPL-2.0-or-later",
    "avformat": "GPL-2.0-or-later",
    "avfilter": "GPL-2.0-or-later",
    "avdevice": "GPL-2.0-or-later",
    "avutil": "GPL-2.0-or-later",
    "swscale": "GPL-2.0-or-later",
    "swresample": "GPL-2.0-or-later",
    "mp3lame": "LGPL-2.0-or-later",
    "gnutls": "LGPL-2.1-or-later",
    "gmp": "LGPL-3.0-or-later",
    "dav1d": "BSD-2-Clause",
    "vpx": "BSD-3-Clause",
    "aom": "BSD-2-Clause",
    "jpeg": "IJG",
    "openjp2": "BSD-2-Clause",
    "tiff": "libtiff",
    "webp": "BSD-3-Clause",
    "avif": "BSD-2-Clause",
}
"""Licences of the libraries inside wheels that decode, or that are under a licence other than the wheel's. FFmpeg is
built with x264 and x265 in the wheel of `av`, and so is under the GPL itself there; in that of OpenCV it is not.
"""
LESSER: Final = {"opencv-python-headless": "LGPL-2.1-or-later"}
"""Of FFmpeg, where it is built without what the GPL covers."""


def main() -> None:
    """Write both files."""
    reports = [_report(processor) for processor in PROCESSORS]
    packages = sorted(reports[0], key=_name)
    lines = ["# What the container installs: `make lock` wrote it.\n"]
    for package in packages:
        hashes = sorted({_hash(same) for report in reports for same in report if _name(same) == _name(package)})
        lines.append(f"{_name(package)}=={package['metadata']['version']}")
        lines += [f" \\\n    --hash=sha256:{one}" for one in hashes]
        lines.append("\n")
    (HERE / "requirements.txt").write_text("".join(lines), encoding="utf-8")
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "mien", "licenses": _licences("Apache-2.0")}},
        "components": [_component(package) for package in packages],
    }
    (HERE / "sbom.cdx.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _report(processor: str) -> list[dict[str, Any]]:
    """What pip would install on a processor."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["serve"]]
    wanted += project["build-system"]["requires"]
    platforms = [f"--platform=manylinux_2_{version}_{processor}" for version in (28, 27, 26, 24, 17)]
    platforms += [f"--platform=manylinux2014_{processor}"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
        command += ["--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp", *platforms]
        command += ["--target", folder, "--constraint", str(ROOT / "constraints.txt"), "--report", str(report), *wanted]
        subprocess.run(command, check=True)
        found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
        return found


def _name(package: dict[str, Any]) -> str:
    return re.sub(r"[-_.]+", "-", package["metadata"]["name"]).lower()


def _hash(package: dict[str, Any]) -> str:
    return str(package["download_info"]["archive_info"]["hashes"]["sha256"])


def _component(package: dict[str, Any]) -> dict[str, Any]:
    metadata = package["metadata"]
    name, version = _name(package), metadata["version"]
    classified = [line for line in metadata.get("classifier", ()) if line.startswith("License ::")]
    licence = metadata.get("license_expression") or (classified[-1].rpartition(" :: ")[2] if classified else None)
    inside = [_library(name, library) for library in _libraries(name)]
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": _hash(package)}],
        **({"licenses": _licences(licence)} if licence else {}),
        **({"components": inside} if inside else {}),
    }


def _libraries(package: str) -> list[str]:
    """Names of the libraries inside the wheel, as far as it is installed here, without ``lib``."""
    try:
        paths = files(package) or []
    except PackageNotFoundError:
        return []
    names = (re.match(r"lib([A-Za-z0-9_]+?)(?:-[0-9a-f]{8})?\.(?:so|\d)", path.name) for path in paths)
    return sorted({found.group(1) for found in names if found})


def _library(package: str, library: str) -> dict[str, Any]:
    licence = LIBRARIES.get(library)
    licence = LESSER.get(package, licence) if licence == LIBRARIES["avcodec"] else licence
    return {"type": "library", "name": library, **({"licenses": _licences(licence)} if licence else {})}


def _licences(name: str) -> list[dict[str, Any]]:
    return [{"license": {"name": name}}]


if __name__ == "__main__":
    main()
