"""The folder that `mien web` writes, fixtures of parity, and Node."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien.model.onnx_model import Bundle
from mien.web.folder import write_web_folder

WEB = Path(__file__).parents[2] / "web"
NODE = shutil.which("node")


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The folder and what a first visit loads, in bytes."""
    folder = tmp_path_factory.mktemp("web") / "site"
    return folder, write_web_folder(folder, Bundle.load("mien_s", threads=1))


@pytest.fixture(scope="session")
def web_folder(written):
    return written[0]


@pytest.fixture(scope="session")
def node():
    """Runs Node in `web/`, where its packages are installed."""
    if NODE is None or not (WEB / "node_modules").is_dir():
        pytest.skip("needs Node and its packages: cd web && npm ci")

    def run(*arguments, **environment):
        command = [NODE, *map(str, arguments)]
        environment = {**os.environ, **environment}
        return subprocess.run(command, cwd=WEB, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def build(node, tmp_path_factory):
    """The folder of a build of `web/`: its own, since what stands in `web/build` is another process's to write."""
    folder = tmp_path_factory.mktemp("build")
    ran = node("build.mjs", folder)
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture(scope="session")
def parity(tmp_path_factory):
    """The folder that web/test/fixtures.py writes, in this process."""
    sys.path.insert(0, str(WEB / "test"))
    try:
        import fixtures
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("parity")
    fixtures.main(folder)
    return folder
