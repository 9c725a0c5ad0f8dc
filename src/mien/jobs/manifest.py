"""The manifest of a job: inputs, settings and parts, frozen when it begins and never changed.

It is one JSON document, written with a part a line, so that it can be read line by line.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from mien.errors import InputError, UsageError
from mien.jobs.inputs import Input, Inputs
from mien.toml_json import dotted

MANIFEST: Final = "manifest.json"
VERSION: Final = 1

PART_PICTURES: Final = 32
"""Pictures of a part: few enough that little is lost with a part, so many that a file is worth it."""

_NAME_DIGITS: Final = 32

Kind = Literal["pictures", "video"]


@dataclass(frozen=True, slots=True)
class Part:
    """What is done, and written, together.

    Args:
        name: of its file, without suffix: a hash of the settings and the inputs.
        kind: pictures one by one, or one video.
        inputs: pictures; or a video; or the pictures that are the frames of a video.
    """

    name: str
    kind: Kind
    inputs: tuple[Input, ...]

    def to_json(self) -> str:
        """One line of ASCII JSON."""
        inputs = [entry.to_list() for entry in self.inputs]
        return json.dumps({"part": self.name, "kind": self.kind, "inputs": inputs})

    @classmethod
    def from_json(cls, text: str) -> "Part":
        """The part that `to_json` wrote."""
        values = json.loads(text)
        return cls(values["part"], values["kind"], tuple(Input(*entry) for entry in values["inputs"]))


@dataclass(frozen=True, slots=True)
class Manifest:
    """All about a job but its inputs, which `parts` reads.

    Args:
        folder: below which relative paths are, absolute.
        settings: what decides the rows: `mien.results.Header.to_dict` with the options of videos.
        inputs: how many there are.
        parts: likewise.
    """

    folder: str
    settings: Mapping[str, Any]
    inputs: int
    parts: int

    def head(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "manifest": VERSION,
            "folder": self.folder,
            "settings": dict(self.settings),
            "inputs": self.inputs,
            "parts_count": self.parts,
        }


def cut(inputs: Inputs, settings: Mapping[str, Any]) -> list[Part]:
    """The parts of a job: videos first, which take longest, then pictures."""
    hashed = _digest(settings)
    parts = [_part(hashed, "video", video) for video in inputs.videos]
    pictures = iter(inputs.pictures)
    while together := tuple(islice(pictures, PART_PICTURES)):
        parts.append(_part(hashed, "pictures", together))
    return parts


def _part(settings: str, kind: Kind, inputs: tuple[Input, ...]) -> Part:
    name = _digest([settings, kind, [entry.to_list() for entry in inputs]])[:_NAME_DIGITS]
    return Part(name, kind, inputs)


def _digest(values: Any) -> str:
    return sha256(json.dumps(values, sort_keys=True).encode("ascii")).hexdigest()


def written(manifest: Manifest, parts: Iterable[Part]) -> bytes:
    """A manifest as a file: JSON, a part a line."""
    head = json.dumps(manifest.head()).removesuffix("}")
    lines = ",\n".join(part.to_json() for part in parts)
    return f'{head}, "parts": [\n{lines}\n]}}\n'.encode("ascii")


def read_head(lines: Iterator[str], name: str) -> Manifest:
    """What stands in the first line of a manifest.

    Raises:
        InputError: it is no manifest that this version wrote.
    """
    try:
        values = json.loads(next(lines, "").rstrip() + "]}")
        if values["manifest"] != VERSION:
            raise InputError(f"{name}: a manifest of version {values['manifest']}: expected {VERSION}")
        return Manifest(values["folder"], values["settings"], values["inputs"], values["parts_count"])
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{name}: not a manifest as mien writes it; put it back, or name another folder") from None


def read_parts(lines: Iterator[str], name: str) -> Iterator[Part]:
    """The parts, from the lines after the first.

    Raises:
        InputError: it is not as it was written.
    """
    for line in lines:
        text = line.rstrip().removesuffix(",")
        if text == "]}":
            return
        try:
            part = Part.from_json(text)
        except (ValueError, KeyError, TypeError):
            break
        yield part
    raise InputError(f"{name}: the manifest is damaged; put it back, or name another folder")


def refuse_other_settings(job: str, known: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to go on with a job in another way than it was begun.

    Raises:
        UsageError: a setting differs.
    """
    before, now = dict(dotted(known)), dict(dotted(asked))
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            had, has = (json.dumps(values.get(name)) for values in (before, now))
            raise UsageError(f"{job}: its job was begun with {name} {had}, not {has}: use the same, or another --out")


def refuse_other_inputs(job: str, folder: str, frozen: Iterable[Input], inputs: Inputs) -> None:
    """Refuse to go on with a job whose inputs are no longer what they were.

    Args:
        job: its name.
        folder: below which relative paths were when it began.
        frozen: its inputs.
        inputs: what the sources name now.

    Raises:
        UsageError: an input has changed, is gone or is new.
    """
    found = {entry.path: entry for entry in (*inputs.pictures, *(image for video in inputs.videos for image in video))}
    differing: list[str] = []
    relative = False
    for entry in frozen:
        now = found.pop(entry.path, None)
        relative = relative or not (Path(entry.path).is_absolute() or "://" in entry.path)
        if now is None:
            differing.append(f"{entry.path} is no longer among the inputs")
        elif now != entry:
            differing.append(f"{entry.path} has changed")
    differing += [f"{path} is new among the inputs" for path in found]
    if relative and Path(folder) != Path.cwd():
        raise UsageError(f"{job}: its job was begun in {folder}, to which its inputs are relative: go there")
    if differing:
        more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
        raise UsageError(f"{job}: {differing[0]}{more} since its job began: use another --out for what is there now")


def shard_of(parts: Sequence[Part], shard: tuple[int, int] | None) -> Sequence[Part]:
    """Every n-th part, from the i-th on; all of them without a shard."""
    return parts if shard is None else parts[shard[0] :: shard[1]]
