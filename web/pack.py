"""Keep onnxruntime's WebAssembly and notices in the package, compressed: ``python web/pack.py`` after the build.

xz takes 2.2 MB of 14.2 MB where gzip takes 3.7 MB, and Python's standard library reads it.
"""

import importlib.util
import json
import lzma
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
BUILT: Final = HERE.parent / "src/mien/web/built"
FILTERS: Final = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24, "lc": 4, "pb": 0}]


def keep(target, content):
    """Write the content compressed, unless that is there already."""
    if not target.is_file() or lzma.decompress(target.read_bytes()) != content:
        target.write_bytes(lzma.compress(content, filters=FILTERS))


def main():
    record = json.loads((BUILT / "build.json").read_text())
    name = record["runtime"]["file"]
    keep(BUILT / f"{name}.xz", (HERE / "node_modules/onnxruntime-web/dist" / name).read_bytes())
    installed = Path(importlib.util.find_spec("onnxruntime").origin).parent
    texts = [(installed / text).read_text(encoding="utf-8") for text in ("LICENSE", "ThirdPartyNotices.txt")]
    notices = "\n".join(texts)
    keep(BUILT / "onnxruntime-notices.txt.xz", notices.encode())


if __name__ == "__main__":
    main()
