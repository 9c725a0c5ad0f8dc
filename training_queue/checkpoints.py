"""Checkpoints in parts that git hosts take: compressed without loss, cut, with SHA-256 sums in a manifest.

::

    checkpoints/pupil/manifest.json
    checkpoints/pupil/last.safetensors.zlib.000, .001, ...

A training that goes on from restored files ends with the same weights, bit for bit, as one that was never interrupted.
With ``half``, the average of the weights is packed in float16 and the optimizer's state in bfloat16 (its squared
gradients are too small for float16); the network itself stays in float32. What goes on from there is close, not the
same. TensorBoard's files are not packed; log.jsonl holds the same curves.
"""

import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from mien.files import whole_file
from mien.runs import ANSWERS_FILES, BEST_FILE, CHECKPOINT_FILE, CONFIG_FILE, LOG_FILE
from training_queue.home import Home, QueueError

PART_BYTES: Final = 15_000_000
"""Largest part: what has to travel stays below 16 MB a file."""

OUTCOME: Final = "outcome.json"
MANIFEST: Final = "manifest.json"
_STATE: Final = (CHECKPOINT_FILE, BEST_FILE, *ANSWERS_FILES.values(), LOG_FILE, CONFIG_FILE)
"""In the order in which they are read beside a running training: the chosen network may be younger than the
checkpoint, which then makes it again, but never older.
"""
_FILES: Final = {*_STATE, OUTCOME}
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a pack."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Packed:
    """One file of a run, and the parts that it was cut into."""

    name: str
    bytes: int
    sha256: str
    parts: tuple[Part, ...]


def pack(home: Home, name: str, folder: Path, *, half: bool = False, part_bytes: int = PART_BYTES) -> int:
    """Pack what a training needs to go on, or what a finished one has to show; replaces an earlier pack.

    Args:
        home: the queue's folder.
        name: of the training.
        folder: that all packs lie in.
        half: see above.
        part_bytes: largest part.

    Returns:
        Bytes of all parts together.

    Raises:
        QueueError: the training has no whole epoch yet.
    """
    run, outcome = home.run(name), home.outcome(name)
    if not (run / CHECKPOINT_FILE).exists() and outcome is None:
        raise QueueError(f"{name}: has no whole epoch to pack yet")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as work:
        made = Path(work) / "pack"
        made.mkdir()
        sources = _sources(home, name, done=outcome is not None and outcome.result == "done")
        files = [_pack_file(source, kind, made, Path(work), half, part_bytes) for kind, source in sources.items()]
        document = {"version": 1, "half": half, "epochs": len(home.epoch_log(name)), "files": list(map(asdict, files))}
        (made / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder / name, ignore_errors=True)
        made.rename(folder / name)
    return sum(part.bytes for file in files for part in file.parts)


def _sources(home: Home, name: str, *, done: bool) -> dict[str, Path]:
    """The files to pack, by name; a finished training has no use for its checkpoint."""
    found = {kind: home.run(name) / kind for kind in _STATE if not (done and kind == CHECKPOINT_FILE)}
    found[OUTCOME] = home.outcome_file(name)
    return {kind: path for kind, path in found.items() if path.exists()}


def _pack_file(source: Path, name: str, made: Path, work: Path, half: bool, part_bytes: int) -> Packed:
    if half and name == CHECKPOINT_FILE:
        from training_queue.halving import halve

        source = halve(source, work / "halved.safetensors")
    whole, size, parts = hashlib.sha256(), 0, _Parts(made, name, part_bytes)
    compressor = zlib.compressobj()
    with source.open("rb") as file:
        for chunk in _chunks(file):
            whole.update(chunk)
            size += len(chunk)
            parts.add(compressor.compress(chunk))
    parts.add(compressor.flush())
    return Packed(name, size, whole.hexdigest(), parts.close())


class _Parts:
    """Cuts a stream of bytes into files."""

    def __init__(self, folder: Path, name: str, part_bytes: int) -> None:
        self._folder, self._name, self._size = folder, name, part_bytes
        self._parts: list[Part] = []
        self._rest = b""

    def add(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) > self._size:
            self._write(self._rest[: self._size])
            self._rest = self._rest[self._size :]

    def close(self) -> tuple[Part, ...]:
        self._write(self._rest)
        return tuple(self._parts)

    def _write(self, data: bytes) -> None:
        name = f"{self._name}.zlib.{len(self._parts):03d}"
        (self._folder / name).write_bytes(data)
        self._parts.append(Part(name, len(data), hashlib.sha256(data).hexdigest()))


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def packs(folder: Path) -> list[str]:
    """Names of the trainings that are packed."""
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))


def restore(home: Home, name: str, folder: Path) -> int:
    """Put a packed training into the home; its run folder appears whole or not at all.

    Returns:
        Whole epochs that it has behind it.

    Raises:
        QueueError: the run exists already, or the pack is damaged.
    """
    run = home.run(name)
    if run.exists():
        raise QueueError(f"{run}: exists already; remove it to take the packed one")
    pack_folder = folder / name
    with tempfile.TemporaryDirectory(dir=run.parent, prefix=f".{name}.") as work:
        made = Path(work) / "run"
        made.mkdir()
        epochs, files = _read_manifest(pack_folder / MANIFEST)
        for file in files:
            _unpack_file(pack_folder, file, made / file.name)
        if (made / OUTCOME).exists():
            with whole_file(home.outcome_file(name), QueueError) as partial:
                (made / OUTCOME).rename(partial)
        made.rename(run)
    return epochs


def _read_manifest(path: Path) -> tuple[int, list[Packed]]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        files = [_packed(file) for file in values["files"]]
        return int(values["epochs"]), files
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QueueError(f"{path}: not the manifest of a packed training ({error})") from None


def _packed(values: Mapping[str, Any]) -> Packed:
    parts = tuple(Part(**part) for part in values["parts"])
    if values["name"] not in _FILES or any(Path(part.name).name != part.name for part in parts):
        raise ValueError(f"unexpected file {values['name']!r}")
    return Packed(values["name"], int(values["bytes"]), values["sha256"], parts)


def _unpack_file(folder: Path, packed: Packed, target: Path) -> None:
    """Write one file of a run; never more bytes than its manifest states."""
    decompressor, whole, left = zlib.decompressobj(), hashlib.sha256(), packed.bytes
    try:
        with target.open("wb") as file:
            for part in packed.parts:
                data = _read_part(folder / part.name, part)
                plain = decompressor.decompress(data, left + 1)
                whole.update(plain)
                left -= len(plain)
                file.write(plain)
    except (OSError, zlib.error) as error:
        raise QueueError(f"{folder / packed.name}: cannot be restored ({error})") from None
    if left or whole.hexdigest() != packed.sha256:
        raise QueueError(f"{folder / packed.name}: is not what was packed; check it out again")


def _read_part(path: Path, part: Part) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise QueueError(f"{path}: does not match its SHA-256 in {MANIFEST}; check it out again")
    return data


def pack_hours(home: Home, folder: Path) -> None:
    """Put the log of hours beside the packs."""
    if home.hours.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / home.hours.name, QueueError) as partial:
            shutil.copyfile(home.hours, partial)


def restore_missing(home: Home, folder: Path) -> Iterator[str]:
    """Restore every packed training whose run the home does not have, and the hours; yields a line for each."""
    hours = folder / home.hours.name
    if hours.exists() and not home.hours.exists():
        with whole_file(home.hours, QueueError) as partial:
            shutil.copyfile(hours, partial)
    for name in packs(folder):
        if not home.run(name).exists():
            yield f"{name}: restored, {restore(home, name, folder)} epochs done"
