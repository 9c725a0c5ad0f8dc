"""What the package carries was built from the sources in `web/`, and runs as Python does."""

import hashlib
import json
from pathlib import Path

from mien.web.built_files import built_record, built_scripts, runtime, runtime_notices

WEB = Path(__file__).parents[2] / "web"


def test_the_build_is_that_of_the_sources():
    """Hashes alone, as build.mjs takes them; `make web` builds again."""
    names = [str(path.relative_to(WEB)) for path in (WEB / "src").rglob("*.ts")] + ["build.mjs", "package-lock.json"]
    whole = hashlib.sha256()
    for name in sorted(names):
        whole.update(f"{name}\0{hashlib.sha256((WEB / name).read_bytes()).hexdigest()}\n".encode())
    assert built_record()["sources"] == whole.hexdigest(), "the sources in web/ changed: make web"


def test_what_is_carried_is_whole_and_of_the_pinned_version():
    assert set(built_scripts()) == {"mien.js", "worker.js"}
    name, content = runtime()
    assert content[:4] == b"\0asm"
    pinned = json.loads((WEB / "package-lock.json").read_text())["packages"]["node_modules/onnxruntime-web"]
    assert (name, built_record()["runtime"]["version"]) == ("ort-wasm-simd-threaded.wasm", pinned["version"])
    assert b"MIT License" in runtime_notices()


def test_building_again_gives_the_same_bytes(node, tmp_path):
    assert node("build.mjs", tmp_path).returncode == 0
    assert {name: (tmp_path / name).read_bytes() for name in built_scripts()} == built_scripts()


def test_the_core_in_node_gives_what_python_gives(node, parity):
    ran = node("--test", "test/parity.test.mjs", MIEN_FIXTURES=str(parity))
    assert ran.returncode == 0, ran.stdout
